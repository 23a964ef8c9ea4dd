//! From a request to an admission: parse, judge, mask, record, hold or release.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, StatusCode};

use super::catch::{catch, catch_async};
use super::denial::{Denial, how_to_go_on};
use super::headers;
use super::judge::{MAX_SHOWN, Secrets, judge, shown};
use super::resent::Resent;
use super::session::{Admission, Identified, Pending, Permit, Session, UpstreamName};
use super::settings::{RefusalForm, Settings};
use super::writer::{NotRecorded, Ticket};
use super::{Guard, entropy};
use crate::approval::{Approval, ApprovalState, Claim, Digest, ListFilter};
use crate::audit::{Actor, AuditEvent, Closing, EventKind, Opening, Outcome};
use crate::decision::{Action, Stage};
use crate::detect::TagKey;
use crate::dialect::{Dialect, Envelope, Traffic};
use crate::exchange::{Asking, NoticeKey, Notices, Reverser};
use crate::id::{ApprovalId, ExchangeId};
use crate::identity::Identity;
use crate::json::Limits;
use crate::policy::{Policy, Query};
use crate::secret::{CallerToken, Scrub};
use crate::token::GatewayTokens;

impl Guard {
    /// Judges a whole request and records it. `body` is complete and within the limit.
    pub async fn admit(&self, identified: Identified, parts: &Parts, body: Bytes) -> Admission {
        let dialect = identified.route.dialect;
        let exchange = identified.exchange;
        let malformed = |what: &str| {
            let message = format!("The request cannot be read: {what}. Nothing was sent to the model.");
            Denial::new(
                exchange,
                dialect,
                StatusCode::BAD_REQUEST,
                "malformed_request",
                message,
            )
        };
        if headers::is_encoded(&parts.headers) {
            return self
                .refuse_identified(&identified, malformed("its body is compressed"), "")
                .await;
        }
        if headers::uri_holds(&parts.uri, identified.token.expose()) {
            return self
                .refuse_identified(&identified, malformed("its address holds the credential"), "")
                .await;
        }
        match identified.route.traffic {
            Traffic::TokenExchange(form) => return self.exchange_token(&identified, form).await,
            Traffic::DeviceGrant => return self.grant_device(&identified).await,
            Traffic::Models => return self.admit_models(identified, parts).await,
            _ => {}
        }
        let notice_key = self.notice_key(&identified.identity);
        let notices = self.notices(&identified);
        let hint = how_to_go_on(parts);
        let policy = self.policy();
        let limits = Limits::with_bytes(self.inner.settings.max_request_bytes);
        let judged = catch(|| {
            let request = dialect.parse_request(&body, identified.route.model.as_deref(), limits)?;
            let query = Query::new(&identified.identity.groups, &request.model, identified.now)
                .of(identified.identity.kind)
                .with_route(parts.uri.path())
                .with_parameters(&request.parameters);
            let key = self.session_key(&self.inner.tag_key, &identified, parts);
            let reversible = self.session_key(&self.inner.reversal_key, &identified, parts);
            let marks = policy.rule_set().marks().clone();
            let mut reverser = Reverser::new(&reversible, &exchange.to_string(), marks);
            let caller = policy.for_caller(&query).with_tags(Arc::new(key));
            let known = self
                .inner
                .findings
                .known(&self.person_key(&identified.identity), &caller);
            let resent = Resent::of(&request, &notice_key);
            let asking = self.asking(&identified, parts, &request.model);
            let judged = judge(
                &request,
                &resent,
                policy.rule_set(),
                &caller,
                &asking,
                known.as_ref(),
                &mut reverser,
                body.len(),
                identified.token.expose(),
            );
            let written = request.write(&judged.replaced)?;
            // In the model's name, the name of a member, a signature: there it cannot be masked.
            if crate::json::holds(&written, identified.token.expose(), limits)? {
                return Err(crate::dialect::Malformed::new(
                    "it holds the credential where no text should stand",
                ));
            }
            // What is kept has every secret masked, whatever policy lets pass.
            let kept = match judged.unkept {
                true => policy.rule_set().marks().render("request", None),
                false if judged.kept == judged.replaced => written.clone(),
                false => request.write(&judged.kept)?,
            };
            let bound = match &judged.untagged {
                Some(untagged) => Some(request.write(untagged)?),
                None => None,
            };
            let reversals = reverser.finish();
            Ok::<_, crate::dialect::Malformed>((
                request, caller, asking, judged, written, kept, bound, reversals,
            ))
        });
        let (request, caller, asking, mut judged, written, kept, bound, reversals) = match judged {
            Some(Ok(judged)) => judged,
            Some(Err(error)) => {
                return self
                    .refuse_identified(&identified, malformed(&error.to_string()), "")
                    .await;
            }
            None => {
                let message = "The request could not be judged. Nothing was sent to the model.";
                let denial = Denial::new(
                    exchange,
                    dialect,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "internal_error",
                    message,
                );
                return self.refuse_identified(&identified, denial, "").await;
            }
        };
        // What policy refuses takes from no budget.
        let mut spending = None;
        let mut blocked = "blocked_by_policy";
        if judged.decision.action != Action::Block {
            let size = written.len();
            let Ok(spent) = self
                .spend(&policy, &identified, &request.model, size, &judged.masks)
                .await
            else {
                let message = "Budgets cannot be checked right now. Nothing was sent to the model; try again in a moment.";
                let denial = Denial::new(
                    exchange,
                    dialect,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "budgets_unavailable",
                    message,
                );
                return self.refuse_identified(&identified, denial, &kept).await;
            };
            if spent.decision.action == Action::Block {
                blocked = "budget_exceeded";
            }
            judged.decision.merge(spent.decision);
            spending = spent.spending;
        }
        let digest = Digest::of(&[
            identified.route.upstream.as_bytes(),
            parts.uri.path_and_query().map_or("", |p| p.as_str()).as_bytes(),
            bound.as_deref().unwrap_or(&written).as_bytes(),
        ]);
        let policy_version = self.version_of(&policy);
        let actor = Actor::from(&*identified.identity);
        let tools: BTreeSet<String> = request.tools.iter().cloned().collect();
        let opening = Opening {
            actor: actor.clone(),
            upstream: identified.route.upstream.clone(),
            dialect: dialect.as_str().to_owned(),
            model: request.model.clone(),
            stream: request.stream,
            session: session_of(parts, identified.token.expose()),
            user_agent: text_of(parts, "user-agent", identified.token.expose()),
            decision: judged.decision.action,
            hits: judged.decision.hits.clone(),
            policy_version: policy_version.to_string(),
            not_scanned: request.not_scanned.clone(),
            masks: judged.masks,
            approval: None,
            digest: digest.to_string(),
            request: kept,
        };
        let scrub = Scrub::new();
        let make_session = |ticket: Ticket| Session {
            ticket: ticket.counting(spending.as_ref()),
            caller: caller.clone(),
            asking: asking.clone(),
            policy_version: policy_version.clone(),
            route: identified.route.clone(),
            envelope: Envelope {
                id: (request.id.clone()).unwrap_or_else(|| dialect.message_id(&exchange.to_string())),
                model: request.model.clone(),
                created: identified.now.as_millis().div_euclid(1000),
            },
            stream: request.stream,
            decision: judged.decision.action,
            actor: actor.clone(),
            digest: digest.clone(),
            policy: policy.clone(),
            welcome: self.welcome(identified.identity.clone()),
            notices: notices.clone(),
            scrub: scrub.clone(),
            reversals,
            spending,
        };
        let upstream_request = upstream_request(parts, &identified, written, &scrub, &self.inner.settings);
        match judged.decision.action {
            Action::Block => {
                let denial = self.policy_denial(
                    &identified,
                    request.stream,
                    &request.model,
                    blocked,
                    "block",
                    &judged.decision.message,
                );
                let denial = denial.with_hint(hint);
                self.refuse_opened(&identified, denial, opening, Outcome::Blocked)
                    .await
            }
            Action::Allow | Action::Mask => match self.open(&identified, opening).await {
                Ok(ticket) => Admission::Forward(Permit {
                    request: upstream_request,
                    session: make_session(ticket),
                }),
                Err(denial) => Admission::Refuse(denial),
            },
            // Useless after a second or two, and nobody would see why it waits.
            Action::RequireApproval if !dialect.can_be_held() => {
                let denial = self.policy_denial(
                    &identified,
                    request.stream,
                    &request.model,
                    "approval_required",
                    "block",
                    &judged.decision.message,
                );
                let denial = denial.with_hint(hint);
                self.refuse_opened(&identified, denial, opening, Outcome::Blocked)
                    .await
            }
            Action::RequireApproval => {
                let rules = judged.decision.rules_with(Action::RequireApproval);
                // What is asked of the request as a whole is bound to the whole request: nothing else rides on it.
                let whole: Vec<_> = judged
                    .decision
                    .hits
                    .iter()
                    .filter(|hit| {
                        hit.stage == Stage::Request
                            && hit.action == Action::RequireApproval
                            && !hit.observed_only
                    })
                    .map(|hit| Digest::of(&[hit.id.as_bytes(), digest.as_str().as_bytes()]))
                    .collect();
                if !whole.is_empty() {
                    let parts = request
                        .parts
                        .iter()
                        .enumerate()
                        .rev()
                        .filter(|(_, p)| p.role != "request")
                        .take(MAX_SHOWN);
                    let mut secrets = Secrets::new(policy.rule_set(), &caller);
                    judged.shown = parts
                        .map(|(index, p)| {
                            // As it goes up, without what was stopped before.
                            let replaced = judged.replaced.iter().find(|(i, _)| *i == index);
                            let text = replaced.map_or(&p.text, |(_, text)| text);
                            shown(p, secrets.masked(text).as_deref().unwrap_or(text))
                        })
                        .collect();
                    judged.shown.reverse();
                }
                judged.findings.extend(whole);
                let claim = Claim {
                    exchange,
                    person: actor.person.clone(),
                    model: request.model.clone(),
                    digest: digest.clone(),
                    findings: judged.findings,
                    rules: rules.clone(),
                    tools: request.tools.clone(),
                    now: identified.now,
                };
                let proposal = Approval {
                    id: ApprovalId::new(identified.now, entropy()),
                    revision: 0,
                    state: ApprovalState::Pending,
                    exchange,
                    requester: actor.clone(),
                    digest: digest.clone(),
                    requirement: caller.requirement(&rules),
                    rules,
                    message: judged.decision.message.clone(),
                    model: request.model.clone(),
                    dialect: dialect.as_str().to_owned(),
                    covers: claim.findings.iter().cloned().collect(),
                    tools: tools.clone(),
                    shown: judged.shown,
                    policy_version: policy_version.to_string(),
                    opened_at: identified.now,
                    expires_at: identified.now.plus(self.inner.settings.pending_ttl),
                    rides_until: identified
                        .now
                        .plus(self.inner.settings.pending_ttl)
                        .plus(self.inner.settings.ride_window),
                    ride_seconds: self.inner.settings.ride_window.as_secs(),
                    rides_left: self.inner.settings.ride_uses,
                    votes: Vec::new(),
                };
                let standing = self.find_approval(&claim, proposal).await;
                let (approval, released) = match standing {
                    Ok(standing) => standing,
                    Err(()) => {
                        let denial = Denial::new(
                            exchange,
                            dialect,
                            StatusCode::SERVICE_UNAVAILABLE,
                            "approvals_unavailable",
                            "Approvals cannot be kept right now. Nothing was sent to the model; try again in a moment.",
                        );
                        return self
                            .refuse_identified(&identified, denial, &opening.request)
                            .await;
                    }
                };
                let opening = Opening {
                    approval: Some(approval.id),
                    ..opening
                };
                if approval.state == ApprovalState::Denied {
                    let denial = self.policy_denial(
                        &identified,
                        request.stream,
                        &request.model,
                        "approval_denied",
                        "denied",
                        &super::hold::denied_message(&approval),
                    );
                    let denial = denial.with_hint(hint);
                    return self
                        .refuse_opened(&identified, denial, opening, Outcome::Denied)
                        .await;
                }
                match self.open(&identified, opening).await {
                    Err(denial) => Admission::Refuse(denial),
                    Ok(ticket) => {
                        let permit = Permit {
                            request: upstream_request,
                            session: make_session(ticket),
                        };
                        if !released {
                            Admission::Hold(Pending {
                                approval,
                                claim,
                                permit,
                            })
                        } else if self.drain_outbox().await.is_ok() {
                            Admission::Forward(permit)
                        } else {
                            // Used, but that is not on record where it must be: nothing goes up.
                            let mut session = permit.session;
                            session
                                .ticket
                                .close_now(Outcome::Refused, Some("audit_unavailable"));
                            Admission::Refuse(self.not_recorded(&identified))
                        }
                    }
                }
            }
        }
    }

    /// Rules beside the policy's, asked on behalf of this caller.
    pub(super) fn asking(&self, identified: &Identified, parts: &Parts, model: &str) -> Asking {
        let identity = identified.identity.clone();
        let route = &identified.route;
        Asking::new(self.inner.engines.clone(), identity, model, identified.now)
            .by(&route.upstream, parts.uri.path(), route.dialect)
            .with_commands(self.policy().commands().clone())
    }

    /// The version of this policy and of what is asked beside it. A panic of an engine here is one of its answers too,
    /// of which the record then shows the policy's version alone.
    pub(super) fn version_of(&self, policy: &Policy) -> Arc<str> {
        catch(|| self.inner.engines.version_with(policy.version()))
            .map_or_else(|| policy.version().into(), Into::into)
    }

    /// Rides on a used approval, or opens (or joins) one. `true`: the request may go at once.
    pub(super) async fn find_approval(
        &self,
        claim: &Claim,
        proposal: Approval,
    ) -> Result<(Approval, bool), ()> {
        // One after the other for each person: two requests of one turn come at the same time, and the second is to
        // find what the first has opened.
        let _turn = self.inner.turns.of(&claim.person).await;
        let found = self.look_for_approval(claim, proposal);
        catch_async(AssertUnwindSafe(found)).await.unwrap_or(Err(()))
    }

    async fn look_for_approval(&self, claim: &Claim, proposal: Approval) -> Result<(Approval, bool), ()> {
        let store = &self.inner.approvals;
        let of_person = |state| ListFilter {
            state: Some(state),
            person: Some(claim.person.clone()),
            limit: Some(50),
        };
        // Denial wins, also over an older approval that would cover it.
        let denied = store
            .list(&of_person(ApprovalState::Denied))
            .await
            .map_err(drop)?;
        if let Some(denied) = denied
            .into_iter()
            .find(|d| d.digest == claim.digest && claim.now < d.expires_at)
        {
            return Ok((denied, false));
        }
        for state in [ApprovalState::Consumed, ApprovalState::Approved] {
            for used in store.list(&of_person(state)).await.map_err(drop)? {
                // Asked purely first: a claim is a write.
                if used.claim(claim).is_err() {
                    continue;
                }
                if let Ok(approval) = store.claim(used.id, claim).await {
                    return Ok((approval, true));
                }
            }
        }
        // The same turn once more, in another form: it waits for the same vote.
        let pending = store
            .list(&of_person(ApprovalState::Pending))
            .await
            .map_err(drop)?;
        if let Some(first) = pending
            .into_iter()
            .find(|first| first.digest != claim.digest && first.would_cover(claim))
        {
            return Ok((first, false));
        }
        let joined = store
            .open(proposal, claim.exchange, claim.now)
            .await
            .map_err(drop)?;
        if joined.approval.state == ApprovalState::Approved
            && let Ok(approval) = store.claim(joined.approval.id, claim).await
        {
            return Ok((approval, true));
        }
        Ok((joined.approval, false))
    }

    /// Records that the exchange is open. Nothing may be forwarded before.
    pub(super) async fn open(&self, identified: &Identified, opening: Opening) -> Result<Ticket, Denial> {
        let exchange = identified.exchange;
        let decision = opening.decision;
        let event = AuditEvent::new(exchange, 0, identified.now, EventKind::Opened(Box::new(opening)));
        Ticket::open(
            self.inner.writer.clone(),
            self.inner.clock.clone(),
            event,
            decision,
        )
        .await
        .map_err(|NotRecorded| self.not_recorded(identified))
    }

    pub(super) fn not_recorded(&self, identified: &Identified) -> Denial {
        Denial::new(
            identified.exchange,
            identified.route.dialect,
            StatusCode::SERVICE_UNAVAILABLE,
            "audit_unavailable",
            "The request could not be recorded, so nothing was sent to the model. Try again in a moment.",
        )
    }

    /// Refuses an identified caller before the request was judged.
    pub(super) async fn refuse_identified(
        &self,
        identified: &Identified,
        denial: Denial,
        request: &str,
    ) -> Admission {
        let opening = Opening {
            actor: Actor::from(&*identified.identity),
            upstream: identified.route.upstream.clone(),
            dialect: identified.route.traffic.as_str().to_owned(),
            model: String::new(),
            stream: false,
            session: None,
            user_agent: None,
            decision: Action::Block,
            hits: Vec::new(),
            policy_version: self.version_of(&self.policy()).to_string(),
            not_scanned: Vec::new(),
            masks: Vec::new(),
            approval: None,
            digest: String::new(),
            request: request.to_owned(),
        };
        self.refuse_opened(identified, denial, opening, Outcome::Refused)
            .await
    }

    /// Records opening and closing in one step and refuses.
    pub(super) async fn refuse_opened(
        &self,
        identified: &Identified,
        denial: Denial,
        opening: Opening,
        outcome: Outcome,
    ) -> Admission {
        let mut closing = Closing::new(outcome, denial.status.as_u16(), opening.decision);
        closing.code = Some(denial.code.to_owned());
        let at = identified.now;
        let opened = AuditEvent::new(identified.exchange, 0, at, EventKind::Opened(Box::new(opening)));
        let closed = AuditEvent::new(identified.exchange, 1, at, EventKind::Closed(Box::new(closing)))
            .under(opened.policy.as_deref());
        let events = vec![opened, closed];
        match self.inner.writer.append(events).await {
            Ok(()) => Admission::Refuse(denial),
            Err(_) => Admission::Refuse(self.not_recorded(identified)),
        }
    }

    /// The key of this caller's session, made of one of ours; of all of the caller's sessions when the client names none.
    /// An interaction does not count: it is one turn of a conversation, and marks of earlier turns come again.
    fn session_key(&self, of: &TagKey, identified: &Identified, parts: &Parts) -> TagKey {
        let session = SESSION_HEADERS
            .iter()
            .find_map(|name| text_of(parts, name, identified.token.expose()));
        let identity = &identified.identity;
        let subject = [identity.issuer.as_str(), identity.subject.as_str()];
        of.derive("session tags", subject.into_iter().chain(session.as_deref()))
    }

    fn person_key(&self, identity: &Identity) -> TagKey {
        self.inner
            .tag_key
            .derive("person", [&identity.issuer, &identity.subject])
    }

    /// By which a person's notices are known again, whatever session they come from.
    fn notice_key(&self, identity: &Identity) -> NoticeKey {
        NoticeKey::of(&self.inner.tag_key, [&identity.issuer, &identity.subject])
    }

    /// The notices of this exchange.
    pub(super) fn notices(&self, identified: &Identified) -> Notices {
        let key = self.notice_key(&identified.identity);
        Notices::signed(identified.exchange.to_string(), key)
    }

    /// A refusal by policy, in the configured form.
    fn policy_denial(
        &self,
        identified: &Identified,
        stream: bool,
        model: &str,
        code: &'static str,
        decision: &'static str,
        message: &str,
    ) -> Denial {
        let (exchange, dialect) = (identified.exchange, identified.route.dialect);
        let envelope = Envelope {
            id: dialect.message_id(&exchange.to_string()),
            model: model.to_owned(),
            created: identified.now.as_millis().div_euclid(1000),
        };
        policy_denial(
            self.inner.settings.refusal,
            exchange,
            &self.notices(identified),
            &envelope,
            dialect,
            stream,
            (code, message),
        )
        .with_decision(decision)
    }
}

/// A refusal by policy: 400, or the message as assistant text.
pub(super) fn policy_denial(
    form: RefusalForm,
    exchange: ExchangeId,
    notices: &Notices,
    envelope: &Envelope,
    dialect: Dialect,
    stream: bool,
    (code, message): (&'static str, &str),
) -> Denial {
    let message = if message.is_empty() {
        "This request is stopped by your organisation's policy."
    } else {
        message
    };
    let mut denial = Denial::new(exchange, dialect, StatusCode::BAD_REQUEST, code, message);
    // An editor that asks at each keystroke is to stay quiet.
    if form == RefusalForm::AssistantText || dialect == Dialect::GhostText {
        let text = notices.text(message);
        if let Some(plain) = dialect.plain_notice(envelope, &text) {
            denial.status = StatusCode::OK;
            denial.body = Some(if stream {
                let mut out = Vec::new();
                dialect.stream(envelope.clone()).end_with(&text, &mut out);
                ("text/event-stream", String::from_utf8_lossy(&out).into_owned())
            } else {
                ("application/json", plain)
            });
        }
    }
    denial
}

pub(super) fn upstream_request(
    parts: &Parts,
    identified: &Identified,
    body: String,
    scrub: &Scrub,
    settings: &Settings,
) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = parts.method.clone();
    // Origin form: the authority that a client writes decides nothing.
    let path = parts
        .uri
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
    *request.uri_mut() = http::Uri::from(path);
    *request.headers_mut() = headers::upward(&parts.headers, identified.token.expose());
    // Of the extensions only the guard's own go on: those of outer layers may hold the token.
    request
        .extensions_mut()
        .insert(UpstreamName(identified.route.upstream.clone()));
    request.extensions_mut().insert(identified.exchange);
    request.extensions_mut().insert(scrub.clone());
    let token = identified.token.expose();
    // One of our own is worth nothing to anybody else.
    if settings.hand_on_tokens.contains(&identified.route.upstream) && !GatewayTokens::is_one(token) {
        request
            .extensions_mut()
            .insert(CallerToken::new(identified.token.clone()));
    }
    request
        .extensions_mut()
        .insert(Identity::clone(&identified.identity));
    request
}

/// What real clients call a session in their headers.
const SESSION_HEADERS: [&str; 3] = [
    "x-client-session-id",
    "x-claude-code-session-id",
    "vscode-sessionid",
];

/// The client's session, for the record. An interaction is better than nothing.
pub(super) fn session_of(parts: &Parts, token: &str) -> Option<String> {
    SESSION_HEADERS
        .iter()
        .chain(&["x-interaction-id"])
        .find_map(|name| text_of(parts, name, token))
}

/// A header for the record, unless it holds the caller's token.
pub(super) fn text_of(parts: &Parts, name: &str, token: &str) -> Option<String> {
    let text = parts.headers.get(name)?.to_str().ok()?;
    if headers::contains(text.as_bytes(), token.as_bytes()) {
        return None;
    }
    Some(text.chars().take(200).collect())
}
