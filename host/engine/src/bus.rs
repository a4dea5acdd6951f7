//! `wasmcloud:bus/lattice` for guests: which of several links of one interface a call takes.
//!
//! The choice holds for the rest of the call that made it, and for nobody else: the next call is
//! another instance.

use std::collections::BTreeMap;

use wasmtime::component::{Linker, Resource};
use wattle_types::{InterfaceName, LinkName, Token};

use crate::bindings::wasmcloud::{bus1_0_0, bus2_0_0};
use crate::limits::LINK_NAMES_MAX;
use crate::offered;
use crate::state::{HasView, State, View};

/// An interface as a guest names it.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it as public")]
pub struct TargetInterface(InterfaceName);

/// Which link the calls of one interface take.
#[derive(Debug, Default)]
pub(crate) struct LinkNames {
    default: LinkName,
    chosen: BTreeMap<String, LinkName>,
}

impl LinkNames {
    /// The link that calls of `namespace:package/interface` take now.
    pub(crate) fn of(&self, path: &str) -> &LinkName {
        self.chosen.get(path).unwrap_or(&self.default)
    }

    fn choose(&mut self, paths: &[String], link: &LinkName) -> Result<(), String> {
        let new = paths.iter().filter(|path| !self.chosen.contains_key(*path)).count();
        if LINK_NAMES_MAX < self.chosen.len() + new {
            return Err(format!("one call chooses links for at most {LINK_NAMES_MAX} interfaces"));
        }
        self.chosen.extend(paths.iter().map(|path| (path.clone(), link.clone())));
        Ok(())
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    bus1_0_0::lattice::add_to_linker::<_, HasView>(linker, State::view)?;
    bus2_0_0::lattice::add_to_linker::<_, HasView>(linker, State::view)
}

type Handle = Resource<TargetInterface>;

impl View<'_> {
    fn target(&mut self, [namespace, package, interface]: [&str; 3]) -> wasmtime::Result<Handle> {
        let token = |raw: &str| raw.parse::<Token>().map_err(|error| refusal(raw, &error));
        let name =
            InterfaceName::new(&token(namespace)?, &token(package)?, &token(interface)?, None);
        Ok(self.table.push(TargetInterface(name))?)
    }

    fn paths(&self, interfaces: &[Handle]) -> wasmtime::Result<Vec<String>> {
        let path = |handle: &Handle| Ok(self.table.get(handle)?.0.path().to_owned());
        interfaces.iter().map(path).collect()
    }

    /// Gives up the handles that the guest handed over.
    fn release(&mut self, interfaces: Vec<Handle>) -> wasmtime::Result<()> {
        interfaces.into_iter().try_for_each(|handle| Ok(self.table.delete(handle).map(drop)?))
    }
}

fn refusal(raw: &str, error: &dyn std::fmt::Display) -> wasmtime::Error {
    wasmtime::Error::msg(format!("{raw:?}: {error}"))
}

impl bus1_0_0::lattice::Host for View<'_> {
    /// Without a result there is nothing to tell: what is wrong is a trap, and a link that is
    /// missing is found by the call that needs it.
    async fn set_link_name(
        &mut self,
        name: String,
        interfaces: Vec<Handle>,
    ) -> wasmtime::Result<()> {
        let paths = self.paths(&interfaces)?;
        self.release(interfaces)?;
        let link: LinkName = name.parse().map_err(|error| refusal(&name, &error))?;
        self.links.choose(&paths, &link).map_err(wasmtime::Error::msg)
    }
}

impl bus1_0_0::lattice::HostCallTargetInterface for View<'_> {
    async fn new(
        &mut self,
        namespace: String,
        package: String,
        interface: String,
    ) -> wasmtime::Result<Handle> {
        self.target([&namespace, &package, &interface])
    }

    async fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl bus2_0_0::lattice::Host for View<'_> {
    async fn set_link_name(
        &mut self,
        name: String,
        interfaces: Vec<Handle>,
    ) -> wasmtime::Result<Result<(), String>> {
        let paths = self.paths(&interfaces)?;
        self.release(interfaces)?;
        let link: LinkName = match name.parse() {
            Ok(link) => link,
            Err(error) => return Ok(Err(format!("{name:?} names no link: {error}"))),
        };
        // What the host offers itself is the same under every name.
        let linked = |path: &&String| {
            offered::is_offered(path) || self.actor.outbound.is_linked(path, &link)
        };
        if let Some(path) = paths.iter().find(|path| !linked(path)) {
            return Ok(Err(format!("this actor has no link {link} for {path}")));
        }
        Ok(self.links.choose(&paths, &link))
    }
}

impl bus2_0_0::lattice::HostCallTargetInterface for View<'_> {
    async fn new(
        &mut self,
        namespace: String,
        package: String,
        interface: String,
    ) -> wasmtime::Result<Handle> {
        self.target([&namespace, &package, &interface])
    }

    async fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_holds_for_its_interfaces_until_the_next_one() {
        let mut names = LinkNames::default();
        let paths = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect::<Vec<_>>();
        let link = |name: &str| name.parse::<LinkName>().unwrap();
        assert_eq!(names.of("a:b/c").as_str(), "default");
        names.choose(&paths(&["a:b/c", "a:b/d"]), &link("cache")).unwrap();
        names.choose(&paths(&["a:b/d"]), &link("slow")).unwrap();
        assert_eq!(names.of("a:b/c").as_str(), "cache");
        assert_eq!(names.of("a:b/d").as_str(), "slow");
        assert_eq!(names.of("a:b/e").as_str(), "default");
        names.choose(&paths(&["a:b/c"]), &link("default")).unwrap();
        assert_eq!(names.of("a:b/c").as_str(), "default");
    }

    #[test]
    fn a_guest_cannot_make_the_host_remember_without_end() {
        let mut names = LinkNames::default();
        let link = LinkName::default();
        let path = |n: usize| vec![format!("a:b/c{n}")];
        for n in 0..LINK_NAMES_MAX {
            names.choose(&path(n), &link).unwrap();
        }
        assert!(names.choose(&path(LINK_NAMES_MAX), &link).is_err());
        assert!(names.choose(&path(0), &link).is_ok(), "which it knows already");
    }
}
