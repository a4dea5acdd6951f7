//! Real hosts on a real nats-server, running real components, assigned by hand.

mod alone;
mod bodies;
mod by_hand;
mod calls;
mod classic;
mod kit;
mod life;
mod links;
mod obedience;
mod requests;
mod typed;
mod words;
