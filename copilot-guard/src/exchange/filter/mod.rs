//! What of the prose of an answer no pattern finds: links, and commands in code blocks. Used where rules ask for it.

mod code;
mod links;

pub(super) use code::Code;
pub(super) use links::Links;
