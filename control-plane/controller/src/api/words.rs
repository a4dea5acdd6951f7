//! Answers as wadm's clients read them. Each operation has a shape of its own, errors included.

use bytes::Bytes;
use serde::Serialize;
use wattle_brain::apps::{self, Answer, AppStatus, StatusKind};
use wattle_lattice::subject::AppSubject;
use wattle_lattice::wadm::{
    ComponentStatus, DeleteReply, DeleteResult, DeployReply, DeployResult, ErrorReply, GetAllReply,
    GetReply, GetResult, HistoryReply, PutReply, PutResult, RevisionInfo, ScalerStatus, Status,
    StatusInfo, StatusReply, StatusResult, StatusType, Summary, TraitStatus, VersionInfo,
    VersionsReply,
};
use wattle_types::{AppName, ScalerKind};

/// The reply to `op` that says `answer`.
pub(crate) fn words(op: &AppSubject, answer: Answer) -> Bytes {
    match answer {
        Answer::Put { result, name, version, total_versions, message } => json(&PutReply {
            result: match result {
                apps::PutResult::Created => PutResult::Created,
                apps::PutResult::NewVersion => PutResult::NewVersion,
            },
            total_versions: total_versions as u64,
            current_version: version,
            message,
            name: name.to_string(),
        }),
        Answer::Manifest(manifest) => json(&GetReply {
            result: GetResult::Success,
            message: String::new(),
            manifest: Some(manifest.to_json()),
        }),
        Answer::Models { models, .. } => {
            let models: Vec<Summary> = models.into_iter().map(summary).collect();
            match op {
                // The deprecated form, which wash uses, is the bare list.
                AppSubject::List => json(&models),
                _ => {
                    let message = String::new();
                    json(&GetAllReply { result: GetResult::Success, message, models })
                }
            }
        }
        Answer::Versions { versions, .. } if matches!(op, AppSubject::History { .. }) => {
            let revisions = versions.into_iter().map(revision).collect();
            json(&HistoryReply { result: GetResult::Success, message: String::new(), revisions })
        }
        Answer::Versions { versions, .. } => json(&VersionsReply {
            result: GetResult::Success,
            message: String::new(),
            versions: versions
                .into_iter()
                .map(|of| VersionInfo { version: of.version, deployed: of.deployed })
                .collect(),
        }),
        Answer::Deployed { name, version, message } => {
            deployed(DeployResult::Acknowledged, message, &name, Some(version))
        }
        Answer::Undeployed { name, message } => {
            deployed(DeployResult::Acknowledged, message, &name, None)
        }
        Answer::Deleted { name: _, undeployed, message } => {
            json(&DeleteReply { result: DeleteResult::Deleted, message, undeploy: undeployed })
        }
        Answer::NothingToDo(message) => {
            json(&DeleteReply { result: DeleteResult::Noop, message, undeploy: false })
        }
        Answer::Status(status) => json(&StatusReply {
            result: StatusResult::Ok,
            message: String::new(),
            status: Some(detailed(&status)),
        }),
        // No operation of this API asks for these.
        Answer::Forgotten { host } => refused(op, format!("host {host} is forgotten")),
        Answer::Underway(message) => refused(op, message),
        Answer::SteppedDown { .. } => refused(op, "the controller stepped down".to_owned()),
        Answer::Restored { .. } => refused(op, "an export was put back".to_owned()),
        Answer::Conflict { revision, by, .. } => refused(op, Answer::conflict_text(revision, by)),
        Answer::NotFound(message) => not_found(op, message),
        Answer::Refused(message) | Answer::Unavailable(message) | Answer::Unknown(message) => {
            refused(op, message)
        }
    }
}

/// An error in the shape of `op`'s own reply.
pub(crate) fn refused(op: &AppSubject, message: String) -> Bytes {
    match op {
        AppSubject::Put => json(&PutReply {
            result: PutResult::Error,
            total_versions: 0,
            current_version: String::new(),
            message,
            name: String::new(),
        }),
        AppSubject::Get { .. } => got(GetResult::Error, message),
        AppSubject::GetAll => {
            json(&GetAllReply { result: GetResult::Error, message, models: Vec::new() })
        }
        AppSubject::History { .. } => history(GetResult::Error, message),
        AppSubject::Versions { .. } => {
            json(&VersionsReply { result: GetResult::Error, message, versions: Vec::new() })
        }
        AppSubject::Deploy { app }
        | AppSubject::Rollback { app }
        | AppSubject::Undeploy { app } => deployed(DeployResult::Error, message, app, None),
        AppSubject::Delete { .. } => {
            json(&DeleteReply { result: DeleteResult::Error, message, undeploy: false })
        }
        AppSubject::Status { .. } => {
            json(&StatusReply { result: StatusResult::Error, message, status: None })
        }
        AppSubject::List | AppSubject::Other(_) => json(&ErrorReply::new(message)),
    }
}

fn not_found(op: &AppSubject, message: String) -> Bytes {
    match op {
        AppSubject::Get { .. } => got(GetResult::NotFound, message),
        AppSubject::History { .. } => history(GetResult::NotFound, message),
        AppSubject::Versions { .. } => {
            json(&VersionsReply { result: GetResult::NotFound, message, versions: Vec::new() })
        }
        AppSubject::Deploy { app }
        | AppSubject::Rollback { app }
        | AppSubject::Undeploy { app } => deployed(DeployResult::NotFound, message, app, None),
        AppSubject::Status { .. } => {
            json(&StatusReply { result: StatusResult::NotFound, message, status: None })
        }
        _ => refused(op, message),
    }
}

fn history(result: GetResult, message: String) -> Bytes {
    json(&HistoryReply { result, message, revisions: Vec::new() })
}

fn revision(of: apps::VersionSummary) -> RevisionInfo {
    RevisionInfo {
        revision: of.revision.0,
        version: of.version,
        by: of.author,
        stored_unix_s: of.stored_unix_s,
        deployed: of.deployed,
    }
}

fn got(result: GetResult, message: String) -> Bytes {
    json(&GetReply { result, message, manifest: None })
}

fn deployed(
    result: DeployResult,
    message: String,
    name: &AppName,
    version: Option<String>,
) -> Bytes {
    json(&DeployReply { result, message, name: name.to_string(), version })
}

fn summary(of: apps::Summary) -> Summary {
    let detailed_status = detailed(&of.status);
    Summary {
        name: of.name.to_string(),
        version: of.version,
        description: Some(of.description).filter(|text| !text.is_empty()),
        deployed_version: of.deployed_version,
        status: detailed_status.status.kind,
        status_message: Some(of.status.message).filter(|text| !text.is_empty()),
        detailed_status,
    }
}

fn detailed(status: &AppStatus) -> Status {
    let components = status.components.iter();
    Status {
        status: info(status.kind, &status.message),
        scalers: components.clone().flat_map(scalers).collect(),
        version: status.version.clone(),
        components: components
            .map(|part| ComponentStatus {
                name: part.name.to_string(),
                kind: "component".to_owned(),
                status: info(part.kind, &part.message),
                traits: part.links.iter().map(trait_of).collect(),
            })
            .collect(),
    }
}

/// As wadm has it, each link is a scaler of its own, and named by its two ends.
fn scalers(part: &apps::ComponentStatus) -> impl Iterator<Item = ScalerStatus> {
    let own = ScalerStatus {
        id: part.id.to_string(),
        kind: match part.scaler {
            ScalerKind::Spread => "SpreadScaler".to_owned(),
            ScalerKind::Daemon => "DaemonScaler".to_owned(),
        },
        name: part.name.to_string(),
        status: info(part.kind, &part.message),
    };
    let link = |link: &apps::LinkStatus| ScalerStatus {
        id: format!("{}-{}-{}", part.id, link.interface, link.name),
        kind: "LinkScaler".to_owned(),
        name: format!("{} -({})-> {}", part.name, link.interface, link.target),
        status: info(link.kind, &link.message),
    };
    let links: Vec<ScalerStatus> = part.links.iter().map(link).collect();
    std::iter::once(own).chain(links)
}

fn trait_of(link: &apps::LinkStatus) -> TraitStatus {
    TraitStatus { kind: "link".to_owned(), status: info(link.kind, &link.message) }
}

fn info(kind: StatusKind, message: &str) -> StatusInfo {
    StatusInfo::new(kind_of(kind), message)
}

fn kind_of(kind: StatusKind) -> StatusType {
    match kind {
        StatusKind::Failed => StatusType::Failed,
        StatusKind::Undeployed => StatusType::Undeployed,
        StatusKind::Waiting => StatusType::Waiting,
        StatusKind::Reconciling => StatusType::Reconciling,
        StatusKind::Deployed => StatusType::Deployed,
    }
}

fn json<T: Serialize>(reply: &T) -> Bytes {
    serde_json::to_vec(reply).expect("replies have only string keys").into()
}
