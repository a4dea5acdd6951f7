//! Guests that attack their host, and a guest beside them that does nothing of the kind.
//!
//! One real host serves a neighbour under steady load while every row of [`cases`] is thrown at it,
//! several at once and more than once. Each must come out as its row says, in its time; the neighbour
//! must hardly notice; and when all is over the host must be as it was before: the same process, with
//! the memory its pool may keep, and no descriptor, connection or thread that it did not have.

mod bombs;
mod cases;
mod census;
mod component;
mod machine;
mod neighbour;
mod page;
mod sink;
mod stage;
mod story;
mod throw;
mod wire;
