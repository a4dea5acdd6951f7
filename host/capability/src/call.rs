//! What every call carries, on whichever host it runs.

use tokio::time::Instant;
use wattle_tasks::trace::TraceContext;
use wattle_types::ActorId;

/// How deep calls may nest. A call further than this is taken for a loop and refused.
///
/// Each level on one host holds an instance and a stack while it waits for the next, so depth
/// costs memory for as long as the deepest call runs.
pub const HOP_MAX: u8 = 8;

/// The authority under which a call runs: read when it is used, never kept in a guest's resource.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The actor that is called.
    pub actor: ActorId,
    /// When the caller stops waiting. Work done after it is work for nobody.
    pub deadline: Instant,
    /// How many calls lie between this one and the outside; 0 for what came over a listener.
    pub hop: u8,
    pub trace: TraceContext,
    pub caller: Caller,
}

/// Who called, as far as this lattice vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody outside the lattice: a listener, the CLI.
    Outside,
    Actor(ActorId),
}

impl CallContext {
    /// A call from outside, without a trace.
    pub fn outside(actor: ActorId, deadline: Instant) -> Self {
        Self { actor, deadline, hop: 0, trace: TraceContext::default(), caller: Caller::Outside }
    }

    /// The call that the called actor makes in turn; `None` where that would be too deep.
    pub fn onward(&self, to: ActorId) -> Option<Self> {
        let hop = self.hop.checked_add(1).filter(|hop| *hop <= HOP_MAX)?;
        Some(Self {
            actor: to,
            deadline: self.deadline,
            hop,
            trace: self.trace.clone(),
            caller: Caller::Actor(self.actor.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_calls_ends_at_the_bound() {
        let actor: ActorId = "a".parse().unwrap();
        let mut call = CallContext::outside(actor.clone(), Instant::now());
        for hop in 1..=HOP_MAX {
            call = call.onward(actor.clone()).unwrap();
            assert_eq!(call.hop, hop);
            assert_eq!(call.caller, Caller::Actor(actor.clone()));
        }
        assert!(call.onward(actor).is_none());
    }
}
