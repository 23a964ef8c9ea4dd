//! The list of models, as the caller's groups may see it.

use bytes::Bytes;
use futures_core::Stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};

use super::answer::{BoxError, Reply, UpstreamReply, decision_label, not_recorded};
use super::catch::catch;
use super::denial::{Denial, stamp};
use super::session::{Admission, Identified, Permit, Session};
use super::{Guard, admit};
use crate::approval::Digest;
use crate::audit::{Actor, EventKind, Opening};
use crate::decision::Action;
use crate::dialect::{Envelope, Plain, models};
use crate::exchange::{Ended, Inspection};
use crate::policy::Query;
use crate::secret::Scrub;

impl Guard {
    /// Admits a request for the list of models, or for one of them that the caller may use.
    pub(super) async fn admit_models(&self, identified: Identified, parts: &Parts) -> Admission {
        let policy = self.policy();
        let model = identified.route.model.clone().unwrap_or_default();
        let query =
            Query::new(&identified.identity.groups, &model, identified.now).of(identified.identity.kind);
        let caller = policy.for_caller(&query);
        let asking = self.asking(&identified, parts, &model);
        let may_use = || {
            let engines = catch(|| asking.may_use(&model)).unwrap_or(false);
            engines && caller.request(0).action != Action::Block
        };
        if !model.is_empty() && !may_use() {
            let message = "The model endpoint does not know this model.";
            let denial = Denial::new(
                identified.exchange,
                identified.route.dialect,
                StatusCode::NOT_FOUND,
                "model_not_found",
                message,
            );
            return self.refuse_identified(&identified, denial, "").await;
        }
        let policy_version = self.version_of(&policy);
        let actor = Actor::from(&*identified.identity);
        let opening = Opening {
            actor: actor.clone(),
            upstream: identified.route.upstream.clone(),
            dialect: identified.route.traffic.as_str().to_owned(),
            model: model.clone(),
            stream: false,
            session: admit::session_of(parts, identified.token.expose()),
            user_agent: admit::text_of(parts, "user-agent", identified.token.expose()),
            decision: Action::Allow,
            hits: Vec::new(),
            policy_version: policy_version.to_string(),
            not_scanned: Vec::new(),
            masks: Vec::new(),
            approval: None,
            digest: String::new(),
            request: String::new(),
        };
        let ticket = match self.open(&identified, opening).await {
            Ok(ticket) => ticket,
            Err(denial) => return Admission::Refuse(denial),
        };
        let scrub = Scrub::new();
        let mut request: Request<Bytes> =
            admit::upstream_request(parts, &identified, String::new(), &scrub, &self.inner.settings);
        request.headers_mut().remove(CONTENT_TYPE);
        Admission::Forward(Permit {
            request,
            session: Session {
                ticket,
                caller,
                asking,
                policy_version,
                route: identified.route.clone(),
                envelope: Envelope {
                    id: String::new(),
                    model,
                    created: 0,
                },
                stream: false,
                decision: Action::Allow,
                actor,
                digest: Digest::of(&[b"models"]),
                policy,
                welcome: self.welcome(identified.identity.clone()),
                notices: self.notices(&identified),
                scrub,
                reversals: None,
                spending: None,
            },
        })
    }

    /// The list, without what this caller may not use.
    pub(super) async fn models<D, S>(&self, mut session: Session, reply: UpstreamReply<S>) -> Reply<D>
    where
        S: Stream<Item = Result<Bytes, BoxError>>,
    {
        let body = self.collect(reply.body, self.inner.settings.max_response_bytes);
        let body = match session.welcome.unless_over(body).await {
            None => return self.withdrawn(session).await,
            Some(body) => body,
        };
        let body = match body {
            Ok(body) => body,
            Err(code) => return self.fail(session, code).await,
        };
        let now = self.now();
        let mut inspection = Inspection::new(
            session.policy.rule_set().clone(),
            session.caller.clone(),
            session.notices.clone(),
        );
        match self.inner.scrubbers.of(&session.scrub, &session.policy) {
            Ok(scrubber) => scrubber.into_iter().for_each(|s| inspection.scrub(s)),
            Err(_) => return self.fail(session, "credential_unscrubbable").await,
        }
        let groups = &session.actor.groups;
        let may_use = |model: &str| {
            let query = Query::new(groups, model, now).of(session.actor.kind);
            session.policy.for_caller(&query).request(0).action != Action::Block
                && session.asking.may_use(model)
        };
        let text = match catch(|| models::plain(&body, &may_use, inspection.inspector())) {
            Some(Ok(Plain::Done(text))) => text,
            // A list with something in it that must not come down is of no use without it.
            Some(Ok(_)) => return self.fail(session, "blocked_by_policy").await,
            Some(Err(_)) => return self.fail(session, "malformed_upstream_body").await,
            None => return self.fail(session, "internal_error").await,
        };
        let summary = inspection.summary();
        let decision = session.decision.max(summary.decision);
        let ended = Ended::of(summary.decision);
        session.ticket.set_status(200);
        session
            .ticket
            .set_summary(summary.decision, summary.masks, summary.not_scanned);
        let mut events: Vec<_> = inspection
            .take_hits()
            .into_iter()
            .map(|hit| session.ticket.event(EventKind::Matched(hit)))
            .collect();
        events.push(session.ticket.delivered(text.clone()));
        let closed = session.ticket.close(events, ended.outcome, ended.code, 503).await;
        if closed.is_err() {
            return not_recorded(&session).into_response().into();
        }
        let mut response = Response::new(Bytes::from(text));
        *response.headers_mut() = self.down_headers(&session, &reply.headers);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        stamp(
            response.headers_mut(),
            session.ticket.exchange(),
            Some(decision_label(decision)),
        );
        response.into()
    }
}
