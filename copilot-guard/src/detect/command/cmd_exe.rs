//! Judges commands of `cmd.exe`.

use super::super::judgement::{Class, Danger, Finding, Judgement};
use super::words::Cx;

/// Judges commands of `cmd.exe`.
pub(super) fn judge(cx: &Cx<'_>, text: &str) -> Judgement {
    let _ = (cx.network, text);
    let mut judgement = Judgement::default();
    judgement.add(Finding::new(
        "unclear/cmd-exe",
        Class::Unclear,
        Danger::Approve,
        "a command for cmd.exe",
    ));
    judgement
}
