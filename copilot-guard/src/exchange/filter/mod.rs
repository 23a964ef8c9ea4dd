//! What of the prose of an answer no pattern finds: links, and commands in code blocks; and the marks that are taken back in
//! it. Used where rules ask for it.

mod code;
mod inline;
mod line;
mod links;
mod prose;
mod restore;
mod script;

pub(super) use code::Code;
pub(super) use links::Links;
pub(super) use restore::Restore;
