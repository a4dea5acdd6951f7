//! The engine with real components, signed as everything that runs is.

mod answers;
mod bounds;
mod codes;
mod kit;
mod loading;
mod outgoing;
mod stores;
