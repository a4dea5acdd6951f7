//! Links and configuration in the store: whose they are, and who may change them.

use std::collections::BTreeMap;

use wattle_types::stored::Unknown;
use wattle_types::{
    AppComponent, AppName, Application, ConfigName, ConfigRecord, Key, LinkRecord, LinkTable, Owner,
};

use super::known::{Fact, Known, read};
use super::{Law, Property};
use crate::hosts::{Host, Phase};
use crate::store::Message;
use crate::world::World;

type Verdict = Result<(), (Property, String)>;

impl Law {
    /// Somebody has written this by hand, as anybody may.
    pub(crate) fn meddled(&mut self, now: u64, messages: &[Message]) {
        for message in messages {
            match read(message) {
                Ok(fact) => self.known.take(fact),
                Err(reason) => self.breaks(Property::Linked, now, reason),
            }
        }
    }

    /// A controller has written a link or a configuration: what a deployed manifest asks for, in
    /// place of nothing or of what an application left behind. Or it has swept that up.
    pub(super) fn check_link(&mut self, fact: &Fact) -> Verdict {
        self.counts.links += 1;
        let known = &self.known;
        let (before, after, wanted) = match fact {
            Fact::Link(key, next) => (
                known.links.get(key).map(|link| &link.owner),
                next.as_ref().map(|link| (&link.owner, known.wants_link(link))),
                known.links.get(key).is_some_and(|link| known.asks_for_link(link)),
            ),
            Fact::Config(name, next) => (
                known.configs.get(name).map(|config| &config.owner),
                next.as_ref().map(|config| (&config.owner, known.wants_config(config))),
                known.configs.get(name).is_some_and(|config| known.asks_for_config(config)),
            ),
            _ => return Ok(()),
        };
        let broken = |what: &str| Err((Property::Linked, format!("{what}: {fact:?}")));
        if before.is_some_and(|owner| !matches!(owner, Owner::App(_))) {
            return broken("somebody else's is touched");
        }
        match after {
            Some((owner, true)) if !wanted || before == Some(owner) => Ok(()),
            Some((_, true)) => broken("it is taken from an application that asks for it"),
            Some((_, false)) => broken("no deployed manifest asks for it"),
            None if before.is_none() => broken("what is not there is deleted"),
            None if wanted => broken("a deployed manifest asks for it, and it is deleted"),
            None => Ok(()),
        }
    }
}

impl Known {
    fn of_owner(&self, owner: &Owner) -> Option<&Application> {
        let Owner::App(app) = owner else { return None };
        self.deployed(self.heads.get(app)?)
    }

    /// What it asks for, of the ids that are its own: who claimed one while the store had lost its
    /// owner has it.
    fn links_of<'a>(
        &'a self,
        app: &'a AppName,
        of: &'a Application,
    ) -> impl Iterator<Item = &'a LinkRecord> {
        let is_own = move |component: &&AppComponent| {
            let owner = self.owners.get(&component.id);
            owner.is_none_or(|owner| *owner == Owner::App(app.clone()))
        };
        of.components.iter().filter(is_own).flat_map(|component| &component.links)
    }

    /// Whether the owner's deployed manifest asks for exactly this.
    fn wants_link(&self, link: &LinkRecord) -> bool {
        let bare = LinkRecord { unknown: Unknown::new(), ..link.clone() };
        let Owner::App(app) = &link.owner else { return false };
        let application = self.of_owner(&link.owner);
        application.is_some_and(|found| self.links_of(app, found).any(|wanted| *wanted == bare))
    }

    fn wants_config(&self, config: &ConfigRecord) -> bool {
        let bare = ConfigRecord { unknown: Unknown::new(), ..config.clone() };
        self.of_owner(&config.owner).is_some_and(|found| found.configs.contains(&bare))
    }

    /// Whether it asks for something under this name.
    fn asks_for_link(&self, link: &LinkRecord) -> bool {
        let Owner::App(app) = &link.owner else { return false };
        let application = self.of_owner(&link.owner);
        application
            .is_some_and(|found| self.links_of(app, found).any(|wanted| wanted.key() == link.key()))
    }

    fn asks_for_config(&self, config: &ConfigRecord) -> bool {
        let application = self.of_owner(&config.owner);
        let mut configs = application.iter().flat_map(|found| &found.configs);
        configs.any(|wanted| wanted.name == config.name)
    }

    /// Everything that should be stored, and by whom.
    fn asked_for(&self) -> (BTreeMap<Key, AppName>, BTreeMap<ConfigName, AppName>) {
        let (mut links, mut configs) = (BTreeMap::new(), BTreeMap::new());
        for head in self.heads.values() {
            let Some(application) = self.deployed(head) else { continue };
            let written = self.links_of(&head.name, application);
            links.extend(written.map(|link| (link.key(), head.name.clone())));
            let written = application.configs.iter();
            configs.extend(written.map(|config| (config.name.clone(), head.name.clone())));
        }
        (links, configs)
    }

    /// A link or configuration that is not as manifests say, unless it is somebody's own.
    pub(super) fn unlinked(&self) -> Option<String> {
        let (links, configs) = self.asked_for();
        let lacks = |what: String| Some(format!("{what} should be stored"));
        if let Some((key, _)) = links.iter().find(|(key, _)| !self.links.contains_key(key)) {
            return lacks(key.to_string());
        }
        if let Some((name, _)) = configs.iter().find(|(name, _)| !self.configs.contains_key(*name))
        {
            return lacks(name.to_string());
        }
        let owned = |owner: &Owner| matches!(owner, Owner::App(_));
        let wrong = self.links.values().find(|link| owned(&link.owner) && !self.wants_link(link));
        let wrong_config =
            self.configs.values().find(|found| owned(&found.owner) && !self.wants_config(found));
        let wrong = wrong.map(|link| format!("{link:?} is not what a manifest says"));
        wrong.or_else(|| wrong_config.map(|found| format!("{found:?} is not what a manifest says")))
    }
}

impl World {
    /// A run that does not call through what is stored.
    pub(super) fn unlike_links(&self, host: &Host) -> Option<String> {
        let known = &self.law.known;
        let runs = host.running.iter().flat_map(|daemon| daemon.runs.values());
        runs.filter(|run| run.phase == Phase::Serving).find_map(|run| {
            let of = known.links.values().filter(|link| link.source == run.id);
            let stored = LinkTable::of(&of.cloned().collect::<Vec<_>>());
            (run.links.as_deref() != Some(&stored)).then(|| {
                let (index, id, has) = (host.index, &run.id, &run.links);
                format!("host {index} runs {id} with {has:?}, and {stored:?} is stored")
            })
        })
    }
}
