//! Changing named configuration by hand: what may be stored in place of what is.
//!
//! As with links, it belongs to whoever stored it first, and putting what is there already
//! changes nothing.

use wattle_types::{ConfigName, ConfigRecord, Owner};

/// Why configuration is not put or deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigRefusal {
    #[error("config {name} belongs to {owner}; change it there")]
    Owned { name: ConfigName, owner: Owner },
}

/// The record to store so that `wanted` holds: all values are replaced. Equal to `existing` if
/// nothing has to be stored.
pub fn put(
    existing: Option<&ConfigRecord>,
    wanted: ConfigRecord,
    owner: &Owner,
) -> Result<ConfigRecord, ConfigRefusal> {
    let Some(existing) = existing else {
        return Ok(ConfigRecord { owner: owner.clone(), ..wanted });
    };
    check_owner(existing, owner)?;
    Ok(ConfigRecord { values: wanted.values, ..existing.clone() })
}

/// Whether a record has to be deleted so that there is none. One that is not there is deleted
/// already.
pub fn delete(existing: Option<&ConfigRecord>, owner: &Owner) -> Result<bool, ConfigRefusal> {
    existing.map_or(Ok(()), |existing| check_owner(existing, owner))?;
    Ok(existing.is_some())
}

fn check_owner(existing: &ConfigRecord, owner: &Owner) -> Result<(), ConfigRefusal> {
    if existing.owner == *owner {
        return Ok(());
    }
    Err(ConfigRefusal::Owned { name: existing.name.clone(), owner: existing.owner.clone() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn record(colour: &str) -> ConfigRecord {
        let values = BTreeMap::from([("colour".to_owned(), colour.to_owned())]);
        ConfigRecord::new("settings".parse().unwrap(), values, Owner::Manual)
    }

    #[test]
    fn configuration_is_replaced_whole_and_the_same_again_is_the_same() {
        let mut red = record("red");
        red.unknown.insert("added-later".to_owned(), 7.into());
        let mut blue = red.clone();
        blue.values = BTreeMap::from([("shade".to_owned(), "blue".to_owned())]);
        assert_eq!(put(None, red.clone(), &Owner::Manual), Ok(red.clone()));
        assert_eq!(put(Some(&red), record("red"), &Owner::Manual), Ok(red.clone()));
        let wanted = ConfigRecord::new(blue.name.clone(), blue.values.clone(), Owner::Manual);
        assert_eq!(put(Some(&red), wanted, &Owner::Manual), Ok(blue));
    }

    #[test]
    fn configuration_is_changed_and_deleted_by_its_owner_only() {
        let shop = Owner::App("shop".parse().unwrap());
        let owned = ConfigRecord { owner: shop.clone(), ..record("red") };
        let refused = ConfigRefusal::Owned { name: owned.name.clone(), owner: shop.clone() };
        assert_eq!(put(Some(&owned), record("blue"), &Owner::Manual), Err(refused.clone()));
        assert!(put(Some(&owned), record("blue"), &shop).is_ok());
        assert_eq!(delete(Some(&owned), &Owner::Manual), Err(refused));
        assert_eq!(delete(Some(&owned), &shop), Ok(true));
        assert_eq!(delete(None, &shop), Ok(false));
    }
}
