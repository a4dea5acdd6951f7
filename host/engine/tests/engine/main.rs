//! The engine with real components, signed as everything that runs is.

mod answers;
mod bounds;
mod codes;
mod encoded;
mod interfaces;
mod kit;
mod link_names;
mod loading;
mod neighbours;
mod offers;
mod outgoing;
mod stores;
mod typed;
