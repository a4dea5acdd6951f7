//! Real hosts on a real nats-server, running real components, assigned by hand.

mod alone;
mod calls;
mod kit;
mod life;
mod obedience;
mod requests;
mod words;
