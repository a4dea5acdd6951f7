//! What happens on this host, in the words of the 1.x events.

use wattle_agent::{Happening, Scaled};
use wattle_lattice::event::{
    ComponentScaleFailed, ComponentScaled, EventData, HostStarted, HostStopped,
};
use wattle_types::{HostId, Labels};

use crate::control;

/// The part of an event that does not change while the host runs.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) host: HostId,
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) version: String,
}

impl Source {
    pub(crate) fn event(&self, happening: Happening) -> EventData {
        match happening {
            Happening::HostStarted => EventData::HostStarted(HostStarted {
                friendly_name: self.name.clone(),
                labels: self.labels.clone(),
                uptime_seconds: 0,
                version: self.version.clone(),
            }),
            Happening::HostStopped => {
                EventData::HostStopped(HostStopped { labels: self.labels.clone() })
            }
            Happening::Heartbeat(inventory) => {
                EventData::HostHeartbeat(control::classic(&inventory))
            }
            Happening::Scaled(scaled) => EventData::ComponentScaled(self.scaled(scaled)),
            Happening::ScaleFailed { of, error } => {
                let of = self.scaled(of);
                EventData::ComponentScaleFailed(ComponentScaleFailed {
                    annotations: of.annotations,
                    host_id: of.host_id,
                    image_ref: of.image_ref,
                    max_instances: of.max_instances,
                    component_id: of.component_id,
                    public_key: None,
                    claims: None,
                    error,
                })
            }
        }
    }

    /// Claims are left out: a listener takes them all or not at all, and whoever wants them asks
    /// with `claims.get`.
    fn scaled(&self, scaled: Scaled) -> ComponentScaled {
        ComponentScaled {
            annotations: scaled.annotations,
            host_id: self.host,
            image_ref: scaled.image,
            max_instances: scaled.count,
            component_id: scaled.id.to_string(),
            public_key: None,
            claims: None,
        }
    }
}
