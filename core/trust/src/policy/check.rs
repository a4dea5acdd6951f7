//! From what is written to what is used: every value of a trust file, or the one that is wrong.

use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::value::Datetime;
use wattle_types::nkey::{CompilerKey, ControllerKey, IssuerKey, ModuleKey, NkeyError, PublicKey};

use super::{Controller, Issuer, Term, TrustPolicy};
use crate::claims::REV_MAX;
use crate::key;
use crate::refusal::excerpt;
use crate::trust_file::{CompilerEntry, ControllerEntry, Error, IssuerEntry, TrustFile};

impl TryFrom<&TrustFile> for TrustPolicy {
    type Error = Error;

    /// Checks every value of a trust file.
    ///
    /// # Errors
    /// [`Error`] names the key, the value, and what would be right.
    fn try_from(file: &TrustFile) -> Result<Self, Error> {
        let mut policy = Self {
            serial: file.serial,
            expiry_required: file.tokens.expiry_required,
            lifetime_s_max: file.tokens.lifetime_days_max.map(|days| u64::from(days) * 86_400),
            ..Self::default()
        };
        if file.tokens.lifetime_days_max == Some(0) {
            return Err(wrong("tokens.lifetime_days_max", "0", "a number of days from 1 on"));
        }
        for (index, entry) in file.issuers.iter().enumerate() {
            let at = format!("issuers[{index}]");
            let key = issuer_key(&format!("{at}.key"), &entry.key)?;
            if policy.issuers.insert(key, issuer(&at, entry)?).is_some() {
                return Err(twice(&format!("{at}.key"), &entry.key));
            }
        }
        for (index, entry) in file.controllers.iter().enumerate() {
            let at = format!("controllers[{index}]");
            let key = controller_key(&format!("{at}.key"), &entry.key)?;
            if policy.controllers.insert(key, controller(&at, entry)?).is_some() {
                return Err(twice(&format!("{at}.key"), &entry.key));
            }
        }
        for (index, entry) in file.compilers.iter().enumerate() {
            let at = format!("compilers[{index}]");
            let key = compiler_key(&format!("{at}.key"), &entry.key)?;
            if policy.compilers.insert(key, compiler(&at, entry)?).is_some() {
                return Err(twice(&format!("{at}.key"), &entry.key));
            }
        }
        for (index, text) in file.revoked.keys.iter().enumerate() {
            let at = format!("revoked.keys[{index}]");
            // Any key can be revoked, also one that is not a point: it must never be trusted.
            policy.revoked_keys.insert(nkey(&at, text, "a public key of 56 characters")?);
        }
        for (index, text) in file.revoked.digests.iter().enumerate() {
            const RIGHT: &str = "a SHA-256 in hexadecimal, like `sha256:` and 64 digits";
            let digest = text
                .parse()
                .map_err(|_| wrong(&format!("revoked.digests[{index}]"), text, RIGHT))?;
            policy.revoked_digests.insert(digest);
        }
        for (text, minimum) in &file.minimum_revisions {
            let at = format!("minimum_revisions.{text:?}");
            let module = module_key("a key of minimum_revisions", text)?;
            if REV_MAX < *minimum {
                const RIGHT: &str = "a number from 0 to 2147483647";
                return Err(wrong(&at, &minimum.to_string(), RIGHT));
            }
            policy.minimum_revisions.insert(module, *minimum);
        }
        Ok(policy)
    }
}

impl FromStr for TrustPolicy {
    type Err = Error;

    /// Reads and checks the text of a trust file.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::try_from(&TrustFile::parse(text)?)
    }
}

fn issuer(at: &str, entry: &IssuerEntry) -> Result<Issuer, Error> {
    check_name(at, &entry.name)?;
    let modules = entry.modules.as_ref().map(|modules| {
        let keys = modules.iter().enumerate();
        keys.map(|(index, text)| module_key(&format!("{at}.modules[{index}]"), text)).collect()
    });
    let term = term(at, entry.valid_from, entry.valid_until)?;
    Ok(Issuer { term, modules: modules.transpose()? })
}

fn compiler(at: &str, entry: &CompilerEntry) -> Result<Term, Error> {
    check_name(at, &entry.name)?;
    term(at, entry.valid_from, entry.valid_until)
}

fn term(
    at: &str,
    valid_from: Option<Datetime>,
    valid_until: Option<Datetime>,
) -> Result<Term, Error> {
    let from = unix_s(&format!("{at}.valid_from"), valid_from)?;
    let until = unix_s(&format!("{at}.valid_until"), valid_until)?;
    if let (Some(from), Some(until), Some(text)) = (from, until, valid_until)
        && until <= from
    {
        let right = "a time after valid_from";
        return Err(wrong(&format!("{at}.valid_until"), &text.to_string(), right));
    }
    Ok(Term { from, until })
}

fn controller(at: &str, entry: &ControllerEntry) -> Result<Controller, Error> {
    const RIGHT: &str = "the name of a lattice (letters, digits, `-` and `_`)";
    check_name(at, &entry.name)?;
    let lattices = entry.lattices.as_ref().map(|lattices| {
        let names = lattices.iter().enumerate();
        names
            .map(|(index, text)| {
                text.parse().map_err(|_| wrong(&format!("{at}.lattices[{index}]"), text, RIGHT))
            })
            .collect()
    });
    Ok(Controller { lattices: lattices.transpose()? })
}

fn check_name(at: &str, name: &str) -> Result<(), Error> {
    if name.trim().is_empty() {
        return Err(wrong(&format!("{at}.name"), name, "a name by which people know the key"));
    }
    Ok(())
}

fn issuer_key(at: &str, text: &str) -> Result<IssuerKey, Error> {
    let key: IssuerKey = nkey(at, text, "an account key of 56 characters, A…")?;
    check_point(at, key.public())?;
    Ok(key)
}

fn compiler_key(at: &str, text: &str) -> Result<CompilerKey, Error> {
    let key: CompilerKey = nkey(at, text, "an account key of 56 characters, A…")?;
    check_point(at, key.public())?;
    Ok(key)
}

fn controller_key(at: &str, text: &str) -> Result<ControllerKey, Error> {
    let key: ControllerKey = nkey(at, text, "a controller's key of 56 characters, C…")?;
    check_point(at, key.public())?;
    Ok(key)
}

fn module_key(at: &str, text: &str) -> Result<ModuleKey, Error> {
    nkey(at, text, "a module key of 56 characters, M…")
}

fn check_point(at: &str, key: &PublicKey) -> Result<(), Error> {
    match key::checked(key) {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Point { key: at.to_owned(), source }),
    }
}

fn nkey<K: FromStr<Err = NkeyError>>(
    at: &str,
    text: &str,
    right: &'static str,
) -> Result<K, Error> {
    text.parse().map_err(|source| Error::Nkey {
        key: at.to_owned(),
        value: quotable(text),
        right,
        source,
    })
}

/// The text, unless it could be a secret: whoever pastes a seed must not find it in a log.
fn quotable(text: &str) -> String {
    match text.trim_start().starts_with(['S', 's']) {
        true => "S… (not shown, it could be a seed)".to_owned(),
        false => excerpt(text),
    }
}

fn unix_s(at: &str, written: Option<Datetime>) -> Result<Option<u64>, Error> {
    const RIGHT: &str = "date and time with offset since 1970, like 2031-01-01T00:00:00Z,";
    let Some(written) = written else {
        return Ok(None);
    };
    let text = written.to_string();
    let time = OffsetDateTime::parse(&text, &Rfc3339).ok();
    let seconds = time.and_then(|time| u64::try_from(time.unix_timestamp()).ok());
    seconds.map(Some).ok_or_else(|| wrong(at, &text, RIGHT))
}

fn wrong(key: &str, value: &str, right: &'static str) -> Error {
    let value = excerpt(value);
    Error::Value { key: key.to_owned(), value, right }
}

fn twice(key: &str, value: &str) -> Error {
    Error::Twice { key: key.to_owned(), value: value.to_owned() }
}
