//! The form of a manifest that is used: parsed, checked together, with nothing left to guess.

mod disconnect;
mod instances;
mod limits;
mod links;
mod traits;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::manifest::{self, Component, ComponentKind, Error, Manifest, Policy};
use crate::name::normal;
use crate::stored::VERSION;
use crate::{
    ActorId, ActorSpec, AppName, ComponentName, ConfigName, ConfigRecord, Labels, LinkRecord,
    SecretRef,
};

use links::Configs;
use traits::Traits;

pub use disconnect::{LOST_AFTER_MS_MAX, LOST_AFTER_MS_MIN};
pub use links::{Unlinked, Why};

/// What should run, and where it may.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    pub name: AppName,
    /// None when the manifest does not say; whoever stores it then makes one up.
    pub version: Option<String>,
    pub description: String,
    pub components: Vec<AppComponent>,
    /// Configuration that its links bring along.
    pub configs: Vec<ConfigRecord>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AppComponent {
    pub name: ComponentName,
    pub id: ActorId,
    pub scaler: Scaler,
    /// For how many milliseconds a host that runs it may be silent before it is started elsewhere;
    /// none where the lattice decides.
    pub lost_after_ms: Option<u64>,
    pub part: Part,
    /// Where its calls go.
    pub links: Vec<LinkRecord>,
    /// Links that have no record.
    pub unlinked: Vec<Unlinked>,
}

/// What a component of a manifest is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Actor(Box<ActorSpec>),
    /// Something valid that this version cannot run; the others run all the same.
    Unsupported(String),
}

/// How many, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaler {
    pub kind: ScalerKind,
    pub instances: u32,
    /// None means: anywhere.
    pub spread: Vec<Spread>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalerKind {
    /// So many in all, split by weight.
    Spread,
    /// So many on every host that matches.
    Daemon,
}

/// One share of the instances, for hosts with these labels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    pub name: String,
    #[serde(default)]
    pub requirements: Labels,
    #[serde(default = "default_weight")]
    pub weight: u32,
}

fn default_weight() -> u32 {
    100
}

/// More instances of one component than this are a mistake in the manifest.
pub const INSTANCES_MAX: u32 = 10_000;
/// More components in one manifest than this do not fit the batch that owns their ids.
pub const COMPONENTS_MAX: usize = 900;

impl Application {
    /// Reads a manifest's text, as YAML or JSON, and checks that it makes sense.
    pub fn read(text: &str) -> Result<Self, Error> {
        Self::try_from(&Manifest::parse(text)?)
    }
}

impl TryFrom<&Manifest> for Application {
    type Error = Error;

    fn try_from(manifest: &Manifest) -> Result<Self, Error> {
        let expect = |key: &str, found: &str, right: &str| {
            if found == right {
                Ok(())
            } else {
                Err(Error::new(None, format!("{key} is {found:?}; it must be {right:?}")))
            }
        };
        expect("apiVersion", &manifest.api_version, manifest::API_VERSION)?;
        expect("kind", &manifest.kind, manifest::KIND)?;
        let name = &manifest.metadata.name;
        if manifest.version() == Some("latest") {
            let message =
                "metadata.annotations.version must not be \"latest\": it names no version";
            return Err(Error::new(None, message));
        }
        let components = &manifest.spec.components;
        if components.is_empty() {
            return Err(Error::new(None, "spec.components is empty; there is nothing to run"));
        }
        if COMPONENTS_MAX < components.len() {
            let len = components.len();
            let message = format!("{len} components; one application has at most {COMPONENTS_MAX}");
            return Err(Error::new(None, message));
        }
        let policies = &manifest.spec.policies;
        let (mut components, traits): (Vec<_>, Vec<_>) = components
            .iter()
            .map(|component| read_component(name, component, policies))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        refuse_doubles(&components)?;
        let configs = link(name, &mut components, &traits)?;
        Ok(Self {
            name: name.clone(),
            version: manifest.version().map(str::to_owned),
            description: manifest.description().to_owned(),
            components,
            configs,
        })
    }
}

/// Gives each component its links, once all of them are known; yields what is configured by them.
fn link(
    app: &AppName,
    components: &mut [AppComponent],
    traits: &[Traits],
) -> Result<Vec<ConfigRecord>, Error> {
    let mut configs = Configs::of(app);
    let by_name: BTreeMap<&str, &AppComponent> =
        components.iter().map(|component| (component.name.as_str(), component)).collect();
    let of = |(component, traits): (&AppComponent, &Traits)| {
        links::link(component, &traits.links, &traits.idempotent, &by_name, &mut configs)
    };
    let linked: Vec<_> = components.iter().zip(traits).map(of).collect::<Result<_, _>>()?;
    for (component, linked) in components.iter_mut().zip(linked) {
        (component.links, component.unlinked) = (linked.records, linked.unlinked);
    }
    Ok(configs.into_records())
}

fn read_component(
    app: &AppName,
    component: &Component,
    policies: &[Policy],
) -> Result<(AppComponent, Traits), Error> {
    let fail =
        |message: String| Error::new(None, format!("component {:?}: {message}", component.name));
    let name: ComponentName =
        component.name.parse().map_err(|error| fail(format!("name: {error}")))?;
    let id = match &component.properties.id {
        Some(id) => id.parse().map_err(|error| fail(format!("properties.id {id:?}: {error}")))?,
        None => generated(app.as_str(), name.as_str()).parse().map_err(|error| {
            fail(format!("its id is made of both names: {error}; set properties.id"))
        })?,
    };
    let mut traits = Traits::read(component)?;
    let part = match part(component).map_err(|message| fail(message.to_owned()))? {
        Supported::No(reason) => Part::Unsupported(reason),
        Supported::Image(image) => {
            let (config, config_from) = config_of(component).map_err(fail)?;
            Part::Actor(Box::new(ActorSpec {
                v: VERSION,
                id: ActorId::clone(&id),
                app: Some(app.clone()),
                component: Some(name.clone()),
                image: image.to_owned(),
                config,
                routes: std::mem::take(&mut traits.routes),
                limits: traits.limits,
                outbound: std::mem::take(&mut traits.outbound),
                annotations: BTreeMap::new(),
                config_from,
                secrets: secrets_of(component, policies).map_err(fail)?,
                messaging: std::mem::take(&mut traits.messaging),
                instances: traits.instances.unwrap_or_default(),
            }))
        }
    };
    let scaler = traits.scaler.take().unwrap_or(ONE_ANYWHERE);
    let (lost_after_ms, links, unlinked) = (traits.lost_after_ms, Vec::new(), Vec::new());
    Ok((AppComponent { name, id, scaler, lost_after_ms, part, links, unlinked }, traits))
}

/// What a component without a scaler trait gets, as in wadm.
const ONE_ANYWHERE: Scaler = Scaler { kind: ScalerKind::Spread, instances: 1, spread: Vec::new() };

enum Supported<'a> {
    Image(&'a str),
    No(String),
}

fn part(component: &Component) -> Result<Supported<'_>, &'static str> {
    let properties = &component.properties;
    let image = match (&properties.image, &properties.application) {
        (Some(image), None) => image,
        (None, Some(_)) => {
            let reason = "components shared from another application cannot be used yet";
            return Ok(Supported::No(reason.to_owned()));
        }
        _ => return Err("properties needs exactly one of `image` and `application`"),
    };
    if component.kind == ComponentKind::Capability {
        let reason = "providers cannot run as processes yet; key-value, HTTP, messaging, secrets, \
                      config and logging are built into every host and need no provider";
        return Ok(Supported::No(reason.to_owned()));
    }
    Ok(Supported::Image(image))
}

/// The inline config of a component, later entries over earlier ones, and the names of what is
/// under it.
fn config_of(component: &Component) -> Result<(BTreeMap<String, String>, Vec<ConfigName>), String> {
    let (mut merged, mut named) = (BTreeMap::new(), Vec::new());
    for config in &component.properties.config {
        match &config.properties {
            Some(properties) => merged.extend(properties.clone()),
            None => named.push(
                config
                    .name
                    .parse()
                    .map_err(|error| format!("config {:?}: {error}", config.name))?,
            ),
        }
    }
    Ok((merged, named))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretProperties {
    /// Which back-end, in 1.x. Hosts have one of their own choosing, so it only has to be there.
    policy: Option<String>,
    key: String,
    field: Option<String>,
    version: Option<String>,
}

/// Where the secrets of a component are.
fn secrets_of(component: &Component, policies: &[Policy]) -> Result<Vec<SecretRef>, String> {
    let mut secrets: Vec<SecretRef> = Vec::new();
    for written in &component.properties.secrets {
        let name = written.name.clone();
        let fail = |message: String| format!("secret {name:?}: {message}");
        let properties = Value::Object(written.properties.clone().into_iter().collect());
        let SecretProperties { policy, key, field, version } =
            serde_json::from_value(properties).map_err(|error| fail(error.to_string()))?;
        if name.is_empty() || key.is_empty() {
            return Err(fail("its name and its key must not be empty".to_owned()));
        }
        if let Some(policy) = policy.filter(|name| policies.iter().all(|p| p.name != *name)) {
            return Err(fail(format!("there is no policy {policy:?} in spec.policies")));
        }
        if secrets.iter().any(|known| known.name == name) {
            return Err(fail("it is there twice".to_owned()));
        }
        secrets.push(SecretRef { name, key, field, version });
    }
    Ok(secrets)
}

/// wadm's rule: each half in lower case, with `_` for what is no letter or digit.
fn generated(app: &str, name: &str) -> String {
    format!("{}-{}", normal(app), normal(name))
}

/// Two components under one id or name, or with one route, would hide each other.
fn refuse_doubles(components: &[AppComponent]) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    let mut ids = BTreeMap::new();
    let mut routes = BTreeMap::new();
    for component in components {
        let name = &component.name;
        if !names.insert(name) {
            return Err(Error::new(None, format!("two components are called {name}")));
        }
        if let Some(first) = ids.insert(&component.id, name) {
            let message =
                format!("components {first} and {name} have the same id {}", component.id);
            return Err(Error::new(None, message));
        }
        let Part::Actor(spec) = &component.part else {
            continue;
        };
        for route in &spec.routes {
            if let Some(first) = routes.insert(route, name) {
                let message = format!("components {first} and {name} both want route {route}");
                return Err(Error::new(None, message));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
