//! The form of a manifest that is used: parsed, checked together, with nothing left to guess.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::manifest::{self, Component, ComponentKind, Error, Manifest, Trait};
use crate::stored::VERSION;
use crate::{ActorId, ActorSpec, AppName, ComponentName, HttpRoute, Labels, SpecLimits};

/// What should run, and where it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub name: AppName,
    /// None when the manifest does not say; whoever stores it then makes one up.
    pub version: Option<String>,
    pub description: String,
    pub components: Vec<AppComponent>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppComponent {
    pub name: ComponentName,
    pub id: ActorId,
    pub scaler: Scaler,
    pub part: Part,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScalerProperties {
    #[serde(alias = "replicas")]
    instances: u32,
    #[serde(default)]
    spread: Vec<Spread>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitProperties {
    memory_mib: Option<u64>,
    execution_ms: Option<u64>,
    concurrency: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutboundProperties {
    hosts: Vec<String>,
}

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
        let components = components
            .iter()
            .map(|component| read_component(name, component))
            .collect::<Result<Vec<_>, _>>()?;
        refuse_doubles(&components)?;
        Ok(Self {
            name: name.clone(),
            version: manifest.version().map(str::to_owned),
            description: manifest.description().to_owned(),
            components,
        })
    }
}

fn read_component(app: &AppName, component: &Component) -> Result<AppComponent, Error> {
    let fail =
        |message: String| Error::new(None, format!("component {:?}: {message}", component.name));
    let name: ComponentName =
        component.name.parse().map_err(|error| fail(format!("name: {error}")))?;
    let id = match &component.properties.id {
        Some(id) => id.parse().map_err(|error| fail(format!("properties.id {id:?}: {error}")))?,
        None => generated_id(app, &name).parse().map_err(|error| {
            fail(format!("its id is made of both names: {error}; set properties.id"))
        })?,
    };
    let traits = Traits::read(component)?;
    let part = match part(component, &traits).map_err(|message| fail(message.to_owned()))? {
        Supported::No(reason) => Part::Unsupported(reason),
        Supported::Image(image) => Part::Actor(Box::new(ActorSpec {
            v: VERSION,
            id: ActorId::clone(&id),
            app: Some(app.clone()),
            component: Some(name.clone()),
            image: image.to_owned(),
            config: config_of(component).map_err(fail)?,
            routes: traits.routes,
            limits: traits.limits,
            outbound: traits.outbound,
            annotations: BTreeMap::new(),
        })),
    };
    Ok(AppComponent { name, id, scaler: traits.scaler.unwrap_or(ONE_ANYWHERE), part })
}

/// What a component without a scaler trait gets, as in wadm.
const ONE_ANYWHERE: Scaler = Scaler { kind: ScalerKind::Spread, instances: 1, spread: Vec::new() };

enum Supported<'a> {
    Image(&'a str),
    No(String),
}

fn part<'a>(component: &'a Component, traits: &Traits) -> Result<Supported<'a>, &'static str> {
    let properties = &component.properties;
    let image = match (&properties.image, &properties.application) {
        (Some(image), None) => image,
        (None, Some(_)) => {
            let reason = "components shared from another application cannot be used yet";
            return Ok(Supported::No(reason.to_owned()));
        }
        _ => return Err("properties needs exactly one of `image` and `application`"),
    };
    let reason = if component.kind == ComponentKind::Capability {
        "providers cannot run as processes yet; key-value, HTTP, config and logging are built \
         into every host and need no provider"
    } else if !properties.secrets.is_empty() {
        "secrets are not available yet"
    } else if traits.linked {
        "links between components are not available yet; wasi:keyvalue needs no link"
    } else {
        return Ok(Supported::Image(image));
    };
    Ok(Supported::No(reason.to_owned()))
}

/// All inline config of a component, later entries over earlier ones.
fn config_of(component: &Component) -> Result<BTreeMap<String, String>, String> {
    let mut merged = BTreeMap::new();
    for config in &component.properties.config {
        let Some(properties) = &config.properties else {
            let name = &config.name;
            return Err(format!(
                "config {name:?} has no properties, and named config that \
                                is kept in the lattice is not available yet"
            ));
        };
        merged.extend(properties.clone());
    }
    Ok(merged)
}

/// wadm's rule: each half in lower case, with `_` for what is no letter or digit.
fn generated_id(app: &AppName, component: &ComponentName) -> String {
    let half = |name: &str| -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }
        };
        name.chars().map(plain).collect()
    };
    format!("{}-{}", half(app.as_str()), half(component.as_str()))
}

/// What the traits of one component say, taken together.
#[derive(Default)]
struct Traits {
    scaler: Option<Scaler>,
    routes: Vec<HttpRoute>,
    limits: SpecLimits,
    outbound: Vec<String>,
    linked: bool,
}

impl Traits {
    fn read(component: &Component) -> Result<Self, Error> {
        let mut traits = Self::default();
        for written in &component.traits {
            traits.add(written)?;
        }
        Ok(traits)
    }

    fn add(&mut self, written: &Trait) -> Result<(), Error> {
        let fail = |message: String| {
            Error::new(written.properties.at, format!("trait {}: {message}", written.kind))
        };
        match written.kind.as_str() {
            "spreadscaler" => self.scale(ScalerKind::Spread, written)?,
            "daemonscaler" => self.scale(ScalerKind::Daemon, written)?,
            "http" => {
                let route: HttpRoute = properties(written)?;
                let route = route.normalised().map_err(|error| fail(error.to_string()))?;
                if self.routes.contains(&route) {
                    return Err(fail(format!("route {route} is there twice")));
                }
                self.routes.push(route);
            }
            "limits" => {
                let written: LimitProperties = properties(written)?;
                if written.concurrency == Some(0) {
                    return Err(fail("concurrency must be at least 1".to_owned()));
                }
                self.limits = SpecLimits {
                    memory_bytes_max: written.memory_mib.map(|mib| mib.saturating_mul(1 << 20)),
                    execution_ms_max: written.execution_ms,
                    concurrency: written.concurrency,
                };
            }
            "outbound" => {
                let OutboundProperties { hosts } = properties(written)?;
                self.outbound.extend(hosts);
            }
            "link" => self.linked = true,
            // Traits of other tools are theirs to read.
            _ => {}
        }
        Ok(())
    }

    fn scale(&mut self, kind: ScalerKind, written: &Trait) -> Result<(), Error> {
        let fail = |message: String| {
            Error::new(written.properties.at, format!("trait {}: {message}", written.kind))
        };
        let ScalerProperties { instances, spread } = properties(written)?;
        if INSTANCES_MAX < instances {
            return Err(fail(format!(
                "{instances} instances; at most {INSTANCES_MAX} are possible"
            )));
        }
        if self.scaler.is_some() {
            return Err(fail("a component has one scaler, this is the second".to_owned()));
        }
        let mut names = BTreeSet::new();
        for share in &spread {
            if !names.insert(&share.name) {
                return Err(fail(format!("spread {:?} is there twice", share.name)));
            }
        }
        if !spread.is_empty() && spread.iter().all(|share| share.weight == 0) {
            return Err(fail("all weights are 0, so no spread gets an instance".to_owned()));
        }
        self.scaler = Some(Scaler { kind, instances, spread });
        Ok(())
    }
}

fn properties<T: DeserializeOwned>(written: &Trait) -> Result<T, Error> {
    serde_json::from_value(written.properties.value.clone()).map_err(|error| {
        Error::new(written.properties.at, format!("trait {}: {error}", written.kind))
    })
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
