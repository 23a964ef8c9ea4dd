//! What policy says of a request, part by part: decision, masks, what is kept, what a reviewer sees. Pure.

use crate::approval::{Digest, Shown};
use crate::audit::MaskCount;
use crate::decision::{Action, Decision, RuleHit};
use crate::detect::{RuleMask, RuleSet};
use crate::dialect::ParsedRequest;
use crate::policy::CallerPolicy;

/// What judging a request yields.
pub(super) struct Judged {
    pub(super) decision: Decision,
    pub(super) replaced: Vec<(usize, String)>,
    pub(super) masks: Vec<MaskCount>,
    /// Texts as they may be kept: every secret masked, whatever policy lets pass.
    pub(super) kept: Vec<(usize, String)>,
    /// A text that cannot be replaced holds a secret: the request is not kept as such.
    pub(super) unkept: bool,
    /// Digests of what asks for approval, and what the reviewer sees of it.
    pub(super) findings: Vec<Digest>,
    pub(super) shown: Vec<Shown>,
}

pub(super) fn judge(
    request: &ParsedRequest,
    rules: &RuleSet,
    caller: &CallerPolicy,
    size: usize,
    token: &str,
) -> Judged {
    let every_kind = rules.all();
    let mut judged = Judged {
        decision: caller.request(size),
        replaced: Vec::new(),
        kept: Vec::new(),
        unkept: false,
        masks: Vec::new(),
        findings: Vec::new(),
        shown: Vec::new(),
    };
    for (index, part) in request.parts.iter().enumerate() {
        let verdict = caller.part(part.stage, &part.place, &part.text);
        let mut counts = Vec::new();
        let mut text = mask(&part.text, &verdict.masks, &part.place, &mut counts);
        judged.masks.append(&mut counts);
        // The caller's own token is a credential of this gateway, wherever it stands.
        if !token.is_empty() && text.contains(token) {
            text = text.replace(token, &crate::detect::mark("gateway-token"));
            judged.masks.push(MaskCount {
                rule: "gateway-token".to_owned(),
                channel: part.place.clone(),
                count: 1,
            });
        }
        let asking: Vec<_> = verdict.decision.rules_with(Action::RequireApproval);
        for rule in &asking {
            let fields = [
                rule.as_bytes(),
                part.role.as_bytes(),
                part.stage.as_str().as_bytes(),
                part.text.as_bytes(),
            ];
            judged.findings.push(Digest::of(&fields));
        }
        // Neither the record nor a reviewer sees a secret that policy lets pass (DESIGN: matched values never).
        let kept = without_secrets(rules, &every_kind, &text);
        if !asking.is_empty() && judged.shown.len() < MAX_SHOWN {
            judged.shown.push(shown(part, kept.as_deref().unwrap_or(&text)));
        }
        if part.fixed && kept.is_some() {
            judged.unkept = true;
        } else if let Some(kept) = kept {
            judged.kept.push((index, kept));
        } else if text != part.text {
            judged.kept.push((index, text.clone()));
        }
        if text != part.text && part.fixed {
            // What must be masked here cannot be: it does not go up at all.
            let hit = RuleHit {
                id: "cannot-be-masked".to_owned(),
                action: Action::Block,
                stage: part.stage,
                place: part.place.clone(),
                reason: "a mask is needed where the text may not be changed".to_owned(),
                observed_only: false,
                severity: None,
                tags: Vec::new(),
            };
            let message =
                "Signed reasoning or a member's name holds what must not go up. Start a new conversation.";
            judged.decision.add(hit, message);
        } else if text != part.text {
            judged.replaced.push((index, text));
        }
        judged.decision.merge(verdict.decision);
    }
    judged
}

/// Most parts, and the longest text of each, that a reviewer is shown.
pub(super) const MAX_SHOWN: usize = 64;
const MAX_SHOWN_TEXT: usize = 32 << 10;

/// A part for the reviewer. What is too long says so.
pub(super) fn shown(part: &crate::dialect::Part, text: &str) -> Shown {
    let mut end = text.len().min(MAX_SHOWN_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut shown = text.get(..end).unwrap_or_default().to_owned();
    if end < text.len() {
        shown.push_str(&format!("… ({} bytes more)", text.len() - end));
    }
    Shown {
        place: part.place.clone(),
        role: part.role.clone(),
        text: shown,
    }
}

/// The text with every secret masked; `None` when it has none.
pub(super) fn without_secrets(rules: &RuleSet, every_kind: &RuleMask, text: &str) -> Option<String> {
    let spans = rules.scan(every_kind, text.as_bytes());
    let spans: Vec<_> = spans
        .iter()
        .filter_map(|span| {
            let kind = rules
                .info(span.rule)
                .map_or("secret", |info| info.id.as_str())
                .to_owned();
            Some((
                usize::try_from(span.start).ok()?,
                usize::try_from(span.end).ok()?,
                kind,
            ))
        })
        .collect();
    (!spans.is_empty()).then(|| {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (start, end, kind) in spans {
            out.push_str(text.get(at..start).unwrap_or_default());
            out.push_str(&crate::detect::mark(&kind));
            at = end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    })
}

/// The text with the spans replaced by marks. Spans are in order and do not overlap.
fn mask(text: &str, spans: &[crate::policy::MaskSpan], place: &str, counts: &mut Vec<MaskCount>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        out.push_str(&crate::detect::mark(&span.kind));
        at = span.end;
        match counts
            .iter_mut()
            .find(|c| c.rule == span.kind && c.channel == place)
        {
            Some(known) => known.count += 1,
            None => {
                counts.push(MaskCount {
                    rule: span.kind.clone(),
                    channel: place.to_owned(),
                    count: 1,
                });
            }
        }
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
