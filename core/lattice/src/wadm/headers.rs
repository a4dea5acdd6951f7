//! What wattle's own clients and controllers say beside the words of wadm, in headers: bodies stay
//! as every client knows them.

/// Of a request: who asks, and what they had seen, as a `wattle_types::Edit` that is signed; in
/// base64.
pub const EDIT: &str = "Wattle-Edit";
/// Of a request to one controller by name: which operation of the application API it is, such as
/// `model.put`.
pub const OPERATION: &str = "Wattle-Operation";
/// Of a request: the answer must know the control stream up to this sequence, as the reply that the
/// asker saw before said.
pub const AT_LEAST: &str = "Wattle-At-Least";
/// Of a request that one controller hands on to another: the boot of the process that led, which
/// alone answers it, and does not hand it on again.
pub const FORWARDED: &str = "Wattle-Forwarded";
/// Of a reply: how many changes the application has of which it was asked, with the one just made.
pub const CHANGE: &str = "Wattle-Change";
/// Of a reply: nothing was changed, since somebody else was first.
pub const CONFLICT: &str = "Wattle-Conflict";
/// Of a reply: nothing was changed, and the same request may succeed in a moment.
pub const AGAIN: &str = "Wattle-Again";
/// Of a reply with a part of a list: there is more, after what this names; for `page` of the next
/// request.
pub const NEXT: &str = "Wattle-Next";
/// Of a reply: the controller that gave it, or handed the request on. Replies of a wadm have none.
pub const CONTROLLER: &str = "Wattle-Controller";
/// Of a reply: how far the answer goes in the control stream; of a change, where it is stored, or
/// after.
pub const SEQUENCE: &str = "Wattle-Sequence";
