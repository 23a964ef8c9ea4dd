//! Asking a person about a tool call in the answer.

use super::Guard;
use super::entropy;
use super::session::Session;
use crate::approval::{Approval, ApprovalState, Claim, Digest, Shown};
use crate::decision::Action;
use crate::exchange::CallQuestion;
use crate::id::ApprovalId;

impl Guard {
    /// Opens (or joins) the approval of a call. `true`: a used approval covers it already.
    pub(super) async fn ask_about_call(
        &self,
        session: &Session,
        question: &CallQuestion,
    ) -> Result<(Approval, Claim, bool), ()> {
        let now = self.now();
        let call = &question.call;
        let rules = question.decision.rules_with(Action::RequireApproval);
        let of_call = |rule: &str| {
            Digest::of(&[
                rule.as_bytes(),
                b"tool_call",
                call.name.as_bytes(),
                call.arguments.as_bytes(),
            ])
        };
        let claim = Claim {
            exchange: session.ticket.exchange(),
            person: session.actor.person.clone(),
            model: session.envelope.model.clone(),
            digest: Digest::of(&[
                b"tool_call",
                session.digest.as_str().as_bytes(),
                call.name.as_bytes(),
                call.arguments.as_bytes(),
            ]),
            findings: rules.iter().map(|r| of_call(r)).collect(),
            rules: rules.clone(),
            tools: vec![call.name.clone()],
            now,
        };
        let settings = &self.inner.settings;
        let proposal = Approval {
            id: ApprovalId::new(now, entropy()),
            revision: 0,
            state: ApprovalState::Pending,
            exchange: claim.exchange,
            requester: session.actor.clone(),
            digest: claim.digest.clone(),
            requirement: session.caller.requirement(&rules),
            rules,
            message: question.decision.message.clone(),
            model: claim.model.clone(),
            dialect: session.route.dialect.as_str().to_owned(),
            covers: claim.findings.iter().cloned().collect(),
            tools: claim.tools.iter().cloned().collect(),
            shown: vec![Shown {
                place: call.place.clone(),
                role: "tool_call".to_owned(),
                text: format!("{} {}", call.name, call.arguments),
            }],
            policy_version: session.policy_version.to_string(),
            opened_at: now,
            expires_at: now.plus(settings.pending_ttl),
            rides_until: now.plus(settings.pending_ttl).plus(settings.ride_window),
            ride_seconds: settings.ride_window.as_secs(),
            rides_left: settings.ride_uses,
            votes: Vec::new(),
        };
        let (approval, released) = self.find_approval(&claim, proposal).await?;
        let released = released && self.drain_outbox().await.is_ok();
        Ok((approval, claim, released))
    }
}
