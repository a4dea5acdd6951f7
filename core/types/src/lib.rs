//! The nouns of a lattice: ids, manifests, specs, assignments, and what hosts say of themselves.
//!
//! Values only. Nothing here knows async, NATS, wasmtime, files or a clock, and nothing here
//! verifies a signature: text and bytes are parsed once, at the edge, into types that cannot be
//! wrong afterwards.
//!
//! In reading order: what names are ([`name`], [`interface`], [`nkey`], [`digest`],
//! [`fingerprint`], [`counter`], [`quantity`]); what a person writes ([`manifest`],
//! [`application`], [`route`]); what a host is told ([`spec`], [`instance`], [`limit`],
//! [`messaging`], [`assignment`], [`link`], [`owner`], [`lease`]), or told by hand ([`manual`]); what a host says ([`host`],
//! [`serve`], [`usage`]); what a controller says ([`leadership`], [`controllers`]), and who asks it to change
//! something ([`edit`]) or for a part of a list ([`page`]); where all that is stored ([`keys`], [`app_head`]).

pub mod app_head;
pub mod application;
pub mod assignment;
pub mod controllers;
pub mod counter;
pub mod digest;
pub mod edit;
pub mod fingerprint;
pub mod host;
pub mod instance;
pub mod interface;
pub mod keys;
pub mod leadership;
pub mod lease;
pub mod limit;
pub mod link;
pub mod manifest;
pub mod manual;
pub mod messaging;
pub mod name;
pub mod nkey;
pub mod owner;
pub mod page;
pub mod quantity;
pub mod route;
pub mod serve;
pub mod spec;
pub mod stored;
pub mod time;
pub mod usage;

pub use app_head::{AppHead, RevisionHead};
pub use application::{AppComponent, Application, Part, Scaler, ScalerKind, Spread, Unlinked, Why};
pub use assignment::{Assignment, Entry};
pub use controllers::{
    AlarmReport, CanaryReport, ControllerAnswer, ControllerReport, ExportEntry, ExportPage,
    ExportRequest, ForgetRequest, HostCounts, RestoreAnswer, RestoreRequest,
};
pub use counter::{Epoch, Generation, Revision};
pub use digest::Digest;
pub use edit::{Edit, EditError};
pub use fingerprint::Fingerprint;
pub use host::{ActorReport, ActorState, Applied, Beat, Inventory, Labels, Load};
pub use instance::{InstancePolicy, Reuse, Span, SpanError};
pub use interface::{InterfaceName, InterfaceNameError};
pub use keys::Key;
pub use leadership::Leadership;
pub use lease::Lease;
pub use limit::{Limit, SpecLimits, UnknownLimit};
pub use link::{
    Bound, ConfigRecord, LinkRecord, LinkReport, LinkState, LinkTable, LinkTarget, MissingLink,
};
pub use manifest::Manifest;
pub use manual::{Life, ManualEntry, ManualSet, ManualValue};
pub use messaging::{Messaging, SubjectPattern};
pub use name::{
    ActorId, AppName, ComponentName, ConfigName, LatticeId, LinkName, StoreName, Token, TokenError,
};
pub use nkey::{
    AuthorKey, CompilerKey, ControllerKey, HostId, IssuerKey, ModuleKey, PublicKey, Role,
};
pub use owner::{IdRecord, Owner};
pub use page::Page;
pub use quantity::{Quantity, QuantityError, Unit};
pub use route::{HttpRoute, RouteTable};
pub use serve::{Exports, ServeDelta, ServeEntry, ServeState};
pub use spec::{ActorSpec, SecretRef, SpecHash};
pub use time::Millis;
pub use usage::{
    CallCounts, InstanceCounts, LimitReport, LimitSource, LimitsReport, LimitsRequest, RunReport,
    UsageReport,
};
