//! What the stories of the system are told with: a real nats-server, hosts and controllers as processes of
//! the real binary, signed components, and waits that end.
//!
//! Every story owns its world: a server, a folder and ports that nobody else has. All of it ends with the
//! story, whether it passed or not. Spawn from the test's own thread, that is outside `tokio::spawn`: the
//! kernel takes the end of the spawning thread for the end of the test.

mod binary;
pub mod callers;
mod component;
mod http;
mod lattice;
mod load;
mod process;
mod proxy;
mod wait;

pub use binary::{Said, binary};
pub use component::{Component, UNKNOWN_IMPORT, guest};
pub use http::{Answer, Begun, Measured, Sent, ask, begin, get, get_from, upload};
pub use lattice::{Host, Lattice, Shape, controller_arguments, free_address, link, manifest};
pub use load::Load;
pub use process::Process;
pub use proxy::Proxy;
pub use wait::{Look, wait_until};
pub use wattle_lattice::testing::NatsServer;
