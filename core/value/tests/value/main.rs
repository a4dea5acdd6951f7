//! The packed form from outside: examples, properties, and what is refused.

mod arbitrary;
mod limits;
mod properties;
mod vectors;
