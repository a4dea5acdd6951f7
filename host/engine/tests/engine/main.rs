//! The engine with real components, signed as everything that runs is.

mod answers;
mod bounds;
mod canaries;
mod codes;
mod elsewhere;
mod encoded;
mod interfaces;
mod kit;
mod link_names;
mod loading;
mod modern;
mod neighbours;
mod offers;
mod outgoing;
mod reuse;
mod stores;
mod typed;
