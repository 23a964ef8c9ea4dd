//! One exchange of the record, judged again.

use std::collections::BTreeSet;

use copilot_guard::audit::{ApprovalStep, AuditEvent, Closing, EventKind, MaskCount, Opening};
use copilot_guard::clock::Timestamp;
use copilot_guard::decision::{Action, RuleHit, Stage};
use copilot_guard::dialect::{Dialect, Envelope, ParsedRequest};
use copilot_guard::exchange::{CallAnswer, Exchange, PlainExchange, PlainStep, Step};
use copilot_guard::json::Limits;
use copilot_guard::policy::{CallerPolicy, Policy, Query};

/// What became of one exchange.
pub(super) enum Compared {
    /// It cannot be judged again, and why.
    Skipped(&'static str),
    Judged(Box<Judged>),
}

/// Both sides of one exchange.
pub(super) struct Judged {
    /// The strictest action that was taken, also on an answer that there would not be.
    pub(super) was: Action,
    pub(super) old: BTreeSet<Seen>,
    pub(super) new: BTreeSet<Seen>,
    /// Rules whose text is not on record: on both sides.
    pub(super) carried: BTreeSet<Seen>,
    pub(super) answer: Answer,
}

/// What of the answer was judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Judged,
    /// There is none, or there would be none.
    None,
    /// What is on record cannot be read.
    Unreadable,
}

/// A rule that matched, once per stage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) stage: Stage,
    pub(super) action: Action,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) observed_only: bool,
}

impl From<&RuleHit> for Seen {
    fn from(hit: &RuleHit) -> Self {
        Self {
            id: hit.id.clone(),
            stage: hit.stage,
            action: hit.action,
            observed_only: hit.observed_only,
        }
    }
}

/// The strictest action of all that act.
pub(super) fn decision(seen: &BTreeSet<Seen>) -> Action {
    let acting = seen.iter().filter(|s| !s.observed_only);
    acting.map(|s| s.action).max().unwrap_or_default()
}

/// What is written where something was masked, unless a policy says otherwise.
const MARK: &str = "[REDACTED:";

/// Judges an exchange again by this policy, from its events.
pub(super) fn compare(policy: &Policy, events: &[AuditEvent]) -> Compared {
    let opened = events.iter().find_map(|event| match &event.kind {
        EventKind::Opened(opening) => Some((event.at, &**opening)),
        _ => None,
    });
    let Some((at, opening)) = opened else {
        return Compared::Skipped("refused before anybody was known, or no request");
    };
    let Some(dialect) = dialect(&opening.dialect) else {
        return Compared::Skipped("no conversation with a model, or refused before it was judged");
    };
    if opening.request.is_empty() {
        return Compared::Skipped("the request is not on record");
    }
    let limits = Limits::with_bytes(opening.request.len());
    let model = (!opening.model.is_empty()).then_some(opening.model.as_str());
    let Ok(request) = dialect.parse_request(opening.request.as_bytes(), model, limits) else {
        return Compared::Skipped(
            "the request on record cannot be read: it was kept as a mark, or is damaged",
        );
    };
    Compared::Judged(Box::new(judge(policy, events, at, opening, &request)))
}

fn dialect(name: &str) -> Option<Dialect> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

fn judge(
    policy: &Policy,
    events: &[AuditEvent],
    at: Timestamp,
    opening: &Opening,
    request: &ParsedRequest,
) -> Judged {
    let query = Query::new(&opening.actor.groups, &request.model, at)
        .of(opening.actor.kind)
        .with_parameters(&request.parameters);
    let caller = policy.for_caller(&query);
    let mut new: BTreeSet<Seen> = BTreeSet::new();
    new.extend(caller.request(opening.request.len()).hits.iter().map(Seen::from));
    for part in &request.parts {
        let verdict = caller.part(part.stage, &part.place, &part.text);
        new.extend(verdict.decision.hits.iter().map(Seen::from));
    }
    let is_refused = decision(&new) == Action::Block;
    let (answer, hits) = match delivered(events).filter(|_| !is_refused) {
        None => (Answer::None, Vec::new()),
        Some(text) => match judge_answer(policy, caller, request, &text) {
            Some(hits) => (Answer::Judged, hits),
            None => (Answer::Unreadable, Vec::new()),
        },
    };
    new.extend(hits.iter().map(Seen::from));

    let was = decision(&recorded(events, opening).map(Seen::from).collect());
    let (mut old, mut carried) = (BTreeSet::new(), BTreeSet::new());
    for hit in recorded(events, opening) {
        let is_of_answer = matches!(hit.stage, Stage::Output | Stage::ToolCall);
        if is_of_answer && is_refused {
            // There would be no answer: that it is refused is the change.
            continue;
        }
        let seen = Seen::from(hit);
        let is_kept = if is_of_answer {
            answer == Answer::Judged && is_delivered(hit, events)
        } else {
            is_kept(hit, opening, request)
        };
        if !new.contains(&seen) && !is_kept {
            carried.insert(seen.clone());
        }
        old.insert(seen);
    }
    new.extend(carried.iter().cloned());
    Judged {
        was,
        old,
        new,
        carried,
        answer,
    }
}

fn recorded<'e>(events: &'e [AuditEvent], opening: &'e Opening) -> impl Iterator<Item = &'e RuleHit> {
    let matched = events.iter().filter_map(|event| match &event.kind {
        EventKind::Matched(hit) => Some(hit),
        _ => None,
    });
    opening.hits.iter().chain(matched)
}

/// Whether what the rule saw in the request is on record as it was.
fn is_kept(hit: &RuleHit, opening: &Opening, request: &ParsedRequest) -> bool {
    // A budget depends on what else was asked; an engine is not part of the policy; some hits say what could not be done.
    let is_foreign = hit.tags.iter().any(|tag| tag == "engine")
        || hit.reason.starts_with("the budget ")
        || hit.id == "cannot-be-masked";
    // Secrets are masked in what is kept, whatever policy lets pass.
    if is_foreign || hit.reason.contains("secret kind") {
        return false;
    }
    if hit.stage == Stage::Request {
        return true;
    }
    let is_masked = |mask: &MaskCount| mask.channel == hit.place;
    let mut parts = request
        .parts
        .iter()
        .filter(|part| part.place == hit.place)
        .peekable();
    parts.peek().is_some()
        && !opening.masks.iter().any(is_masked)
        && parts.all(|part| !part.text.contains(MARK))
}

/// Whether what the rule saw in the answer was delivered: it only recorded, or a person approved the call.
fn is_delivered(hit: &RuleHit, events: &[AuditEvent]) -> bool {
    if hit.tags.iter().any(|tag| tag == "engine") || hit.reason.contains("secret kind") {
        return false;
    }
    let is_release = |event: &AuditEvent| match &event.kind {
        EventKind::Approval { step, .. } => {
            matches!(step, ApprovalStep::Consumed { .. } | ApprovalStep::Ridden { .. })
        }
        _ => false,
    };
    match hit.action {
        _ if hit.observed_only => true,
        Action::RequireApproval => events.iter().any(is_release),
        _ => false,
    }
}

/// The answer as it was delivered; `None` when there was none, or the gateway's own refusal in its place.
fn delivered(events: &[AuditEvent]) -> Option<String> {
    let closing = events.iter().find_map(|event| match &event.kind {
        EventKind::Closed(closing) => Some(&**closing),
        _ => None,
    });
    if closing.is_some_and(|closing: &Closing| closing.status != 200) {
        return None;
    }
    let pieces = events.iter().filter_map(|event| match &event.kind {
        EventKind::Delivered { text, .. } => Some(text.as_str()),
        _ => None,
    });
    Some(pieces.collect::<String>()).filter(|text| !text.is_empty())
}

/// What matches in an answer, as if a model had sent it; every call is approved, so that what follows is judged too.
fn judge_answer(
    policy: &Policy,
    caller: CallerPolicy,
    request: &ParsedRequest,
    text: &str,
) -> Option<Vec<RuleHit>> {
    let (dialect, rules) = (request.dialect, policy.rule_set().clone());
    if text.trim_start().starts_with(['{', '[']) {
        let mut plain = PlainExchange::new(dialect, rules, caller, "replay");
        let mut hits: Vec<RuleHit> = Vec::new();
        loop {
            let step = plain.judge(text.as_bytes()).ok()?;
            hits.extend(plain.take_hits());
            match step {
                PlainStep::Ask(question) => plain.handle_answer(question.call.number, CallAnswer::Approve),
                PlainStep::Deliver(_) | PlainStep::Blocked(_) => return Some(hits),
            }
        }
    }
    let id = request.id.clone().unwrap_or_else(|| dialect.message_id("replay"));
    let envelope = Envelope {
        id,
        model: request.model.clone(),
        created: 0,
    };
    let mut exchange = Exchange::new(dialect, envelope, rules, caller, "replay");
    exchange.handle_data(text.as_bytes());
    exchange.handle_end();
    let mut hits = Vec::new();
    loop {
        let step = exchange.poll();
        hits.extend(exchange.take_hits());
        match step {
            Step::Deliver(_) => {}
            Step::Ask(question) => exchange.handle_answer(question.call.number, CallAnswer::Approve),
            // All of it is there.
            Step::Pending => return None,
            Step::Done(ended) => {
                let is_read = !matches!(
                    ended.code,
                    Some("malformed_stream" | "malformed_upstream_event" | "no_question")
                );
                return is_read.then_some(hits);
            }
        }
    }
}
