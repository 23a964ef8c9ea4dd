//! Judges code of interpreters.

use super::super::judgement::{Class, Danger, Finding, Judgement};
use super::words::Cx;

/// Judges code of interpreters.
pub(super) fn judge(cx: &Cx<'_>, language: &str, text: &str) -> Judgement {
    let _ = (cx.network, language, text);
    let mut judgement = Judgement::default();
    judgement.add(Finding::new(
        "unclear/code",
        Class::Unclear,
        Danger::Approve,
        "code for an interpreter",
    ));
    judgement
}
