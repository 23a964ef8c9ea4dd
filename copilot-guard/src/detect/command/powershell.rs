//! Judges PowerShell.

use super::super::judgement::{Class, Danger, Finding, Judgement};
use super::words::Cx;

/// Judges PowerShell.
pub(super) fn judge(cx: &Cx<'_>, text: &str) -> Judgement {
    let _ = (cx.network, text);
    let mut judgement = Judgement::default();
    judgement.add(Finding::new(
        "unclear/powershell",
        Class::Unclear,
        Danger::Approve,
        "a PowerShell script",
    ));
    judgement
}
