//! From an admission to a reply.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use bytes::Bytes;
use futures_core::Stream;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};

use super::admit::policy_denial;
use super::catch::{catch, catch_async};
use super::denial::{Denial, stamp};
use super::drive::{Driver, next};
use super::hold::{self, Held};
use super::session::{Admission, Pending, Permit, Session};
use super::upstream_error::{self, Shape};
use super::{Guard, headers};
use crate::audit::{EventKind, Outcome};
use crate::decision::Action;
use crate::dialect::{Traffic, usage};
use crate::exchange::{CallAnswer, Ended, PlainExchange, PlainStep};

/// An error of the inner service or of its body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Most of an error body that is read for a known code.
const MAX_ERROR_BODY: usize = 64 << 10;

/// What the inner service answered.
#[derive(Debug)]
pub struct UpstreamReply<S> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, in any cut.
    pub body: S,
}

/// A reply for the client.
#[derive(Debug)]
pub struct Reply<D> {
    /// Status and headers. There is no `Content-Length`.
    pub head: http::response::Parts,
    /// The body.
    pub body: ReplyBody<D>,
}

/// A reply's body.
#[derive(Debug)]
pub enum ReplyBody<D> {
    /// All of it.
    Full(Bytes),
    /// A stream: call [`Driver::next`] until it says `None`; drop it when the client leaves.
    Stream(Box<D>),
}

impl<D> From<Response<Bytes>> for Reply<D> {
    fn from(response: Response<Bytes>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head,
            body: ReplyBody::Full(body),
        }
    }
}

impl Guard {
    /// Turns an admission into a reply. `call` is the inner service; it is called at most once, and only with a permit.
    ///
    /// Dropping the returned future (or later the stream) cancels the call and closes the exchange as `client_gone`.
    pub async fn respond<C, F, S>(&self, admission: Admission, call: C) -> Reply<Driver<C, F, S>>
    where
        C: FnOnce(Request<Bytes>) -> F,
        F: Future<Output = Result<UpstreamReply<S>, BoxError>>,
        S: Stream<Item = Result<Bytes, BoxError>>,
    {
        match admission {
            Admission::Refuse(denial) => denial.into_response().into(),
            Admission::Reply(response) => response.into(),
            Admission::Forward(permit) => self.forward(permit, call).await,
            Admission::Hold(pending) if pending.permit.session.stream => {
                let mut session = pending.permit.session;
                let head = stream_head(&mut session, HeaderMap::new(), "pending");
                let wait = hold::wait(self, pending.approval, pending.claim);
                let driver = Driver::holding(self.clone(), session, wait, call, pending.permit.request);
                Reply {
                    head,
                    body: ReplyBody::Stream(Box::new(driver)),
                }
            }
            Admission::Hold(pending) => self.hold_plain(pending, call).await,
        }
    }

    async fn hold_plain<C, F, S>(&self, pending: Pending, call: C) -> Reply<Driver<C, F, S>>
    where
        C: FnOnce(Request<Bytes>) -> F,
        F: Future<Output = Result<UpstreamReply<S>, BoxError>>,
        S: Stream<Item = Result<Bytes, BoxError>>,
    {
        let Pending {
            approval,
            claim,
            permit,
        } = pending;
        let wait = hold::wait(self, approval, claim);
        let held = tokio::time::timeout(self.inner.settings.hold_plain, wait);
        let mut welcome = permit.session.welcome.clone();
        let Some(held) = welcome.unless_over(held).await else {
            return self.withdrawn(permit.session).await;
        };
        let (code, decision, outcome, message) = match held {
            Ok(Held::Released) => return self.forward(permit, call).await,
            Ok(Held::Denied(message)) => ("approval_denied", "denied", Outcome::Denied, message),
            Ok(Held::Expired) => (
                "approval_expired",
                "expired",
                Outcome::Expired,
                EXPIRED.to_owned(),
            ),
            Ok(Held::Unavailable) => {
                let denial = unavailable(&permit.session);
                return self.finish(permit.session, denial, Outcome::Refused).await;
            }
            Err(_) => (
                "approval_pending",
                "pending",
                Outcome::HeldOver,
                STILL_WAITING.to_owned(),
            ),
        };
        let session = permit.session;
        let denial = policy_denial(
            self.inner.settings.refusal,
            session.ticket.exchange(),
            &session.notices,
            &session.envelope,
            session.route.dialect,
            false,
            (code, &message),
        );
        self.finish(session, denial.with_decision(decision), outcome)
            .await
    }

    async fn forward<C, F, S>(&self, permit: Permit, call: C) -> Reply<Driver<C, F, S>>
    where
        C: FnOnce(Request<Bytes>) -> F,
        F: Future<Output = Result<UpstreamReply<S>, BoxError>>,
        S: Stream<Item = Result<Bytes, BoxError>>,
    {
        let Permit { request, mut session } = permit;
        let answer = tokio::time::timeout(self.inner.settings.upstream_silence, catch_call(call, request));
        let Some(reply) = session.welcome.unless_over(answer).await else {
            return self.withdrawn(session).await;
        };
        let reply = match reply {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => {
                tracing::warn!(exchange = %session.ticket.exchange(), error = %error, "upstream failed");
                return self.fail(session, "upstream_unreachable").await;
            }
            Err(_) => return self.fail(session, "upstream_timeout").await,
        };
        match upstream_error::shape(reply.status, &reply.headers) {
            // MCP: a notification was taken, and there is nothing to say.
            _ if session.route.traffic == Traffic::Tools && reply.status == StatusCode::ACCEPTED => {
                self.accepted(session, &reply.headers).await
            }
            Shape::Plain if session.route.traffic == Traffic::Models => self.models(session, reply).await,
            Shape::Stream if session.route.traffic == Traffic::Models => {
                self.fail(session, "upstream_content_type").await
            }
            Shape::Stream => self.stream(session, reply).await,
            Shape::Plain => self.plain(session, reply).await,
            Shape::Error => self.error(session, reply).await,
            Shape::Refused(code) => self.fail(session, code).await,
        }
    }

    async fn stream<C, F, S>(&self, mut session: Session, reply: UpstreamReply<S>) -> Reply<Driver<C, F, S>>
    where
        C: FnOnce(Request<Bytes>) -> F,
        F: Future<Output = Result<UpstreamReply<S>, BoxError>>,
        S: Stream<Item = Result<Bytes, BoxError>>,
    {
        let down = self.down_headers(&session, &reply.headers);
        let Ok(scrubber) = self.inner.scrubbers.of(&session.scrub, &session.policy) else {
            return self.fail(session, "credential_unscrubbable").await;
        };
        let decision = decision_label(session.decision);
        let head = stream_head(&mut session, down, decision);
        let driver = Driver::streaming(self.clone(), session, reply.body, scrubber);
        Reply {
            head,
            body: ReplyBody::Stream(Box::new(driver)),
        }
    }

    async fn plain<D, S>(&self, mut session: Session, reply: UpstreamReply<S>) -> Reply<D>
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
        let tally = session.spending.as_ref().map(|spending| spending.tally().clone());
        if let Some(tally) = &tally {
            tally.begin();
            tally.complete();
            tally.add_text(body.len());
            usage(&body)
                .into_iter()
                .for_each(|(input, output)| tally.add_usage(input, output));
        }
        let rules = session.policy.rule_set().clone();
        let notices = session.notices.clone();
        let mut answer = PlainExchange::new(session.route.dialect, rules, session.caller.clone(), notices);
        answer.ask(session.asking.clone());
        if let Some(reversals) = &session.reversals {
            answer.restore(reversals.clone());
        }
        match self.inner.scrubbers.of(&session.scrub, &session.policy) {
            Ok(scrubber) => scrubber.into_iter().for_each(|s| answer.scrub(s)),
            Err(_) => return self.fail(session, "credential_unscrubbable").await,
        }
        let until = tokio::time::Instant::now() + self.inner.settings.hold_plain;
        let (step, outcome, code) = loop {
            match catch(|| answer.judge(&body)) {
                Some(Ok(PlainStep::Deliver(text))) => {
                    let ended = Ended::of(answer.summary().decision);
                    break (text, ended.outcome, ended.code);
                }
                Some(Ok(PlainStep::Blocked(notice))) => {
                    let dialect = session.route.dialect;
                    if let Some(text) = dialect.plain_notice(&session.envelope, &notice) {
                        break (text, Outcome::Blocked, Some("blocked_by_policy"));
                    }
                    let exchange = session.ticket.exchange();
                    let denial = Denial::new(
                        exchange,
                        dialect,
                        StatusCode::BAD_REQUEST,
                        "blocked_by_policy",
                        notice,
                    );
                    return self
                        .finish(session, denial.with_decision("block"), Outcome::Blocked)
                        .await;
                }
                Some(Ok(PlainStep::Ask(question))) => {
                    let number = question.call.number;
                    let reply = self.vote_on_call(&session, &question, until).await;
                    answer.handle_answer(number, reply);
                }
                Some(Err(_)) => return self.fail(session, "malformed_upstream_body").await,
                None => return self.fail(session, "internal_error").await,
            }
        };
        // Votes on calls may have taken a while.
        if session.welcome.is_over() {
            return self.withdrawn(session).await;
        }
        let summary = answer.summary();
        let decision = session.decision.max(summary.decision);
        if let Some(tally) = &tally {
            tally.add_masks(
                summary
                    .masks
                    .iter()
                    .map(|mask| mask.count)
                    .fold(0, u64::saturating_add),
            );
        }
        session.ticket.set_status(200);
        session
            .ticket
            .set_summary(summary.decision, summary.masks, summary.not_scanned);
        let mut events: Vec<_> = answer
            .take_hits()
            .into_iter()
            .map(|h| session.ticket.event(EventKind::Matched(h)))
            .collect();
        events.push(session.ticket.delivered(step.clone()));
        if session.ticket.close(events, outcome, code, 503).await.is_err() {
            return not_recorded(&session).into_response().into();
        }
        let mut response = Response::new(session.delivered(step.into()));
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

    /// A reply without a body.
    async fn accepted<D>(&self, mut session: Session, headers: &HeaderMap) -> Reply<D> {
        session.ticket.set_status(StatusCode::ACCEPTED.as_u16());
        let closed = session
            .ticket
            .close(Vec::new(), Outcome::Completed, None, 503)
            .await;
        if closed.is_err() {
            return not_recorded(&session).into_response().into();
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::ACCEPTED;
        *response.headers_mut() = self.down_headers(&session, headers);
        let decision = decision_label(session.decision);
        stamp(response.headers_mut(), session.ticket.exchange(), Some(decision));
        response.into()
    }

    /// Asks a person about a call of a plain answer, within the time that a plain answer may be held.
    async fn vote_on_call(
        &self,
        session: &Session,
        question: &crate::exchange::CallQuestion,
        until: tokio::time::Instant,
    ) -> CallAnswer {
        let refuse = |message: &str| CallAnswer::Refuse(session.notices.text(message));
        let Ok((approval, claim, released)) = self.ask_about_call(session, question).await else {
            return refuse(UNAVAILABLE);
        };
        if released {
            return CallAnswer::Approve;
        }
        match tokio::time::timeout_at(until, hold::wait(self, approval, claim)).await {
            Ok(Held::Released) => CallAnswer::Approve,
            Ok(Held::Denied(message)) => refuse(&message),
            Ok(Held::Expired) => refuse(EXPIRED),
            Ok(Held::Unavailable) => refuse(UNAVAILABLE),
            Err(_) => refuse(STILL_WAITING),
        }
    }

    async fn error<D, S>(&self, session: Session, reply: UpstreamReply<S>) -> Reply<D>
    where
        S: Stream<Item = Result<Bytes, BoxError>>,
    {
        let body = self.collect(reply.body, MAX_ERROR_BODY).await.unwrap_or_default();
        let exchange = session.ticket.exchange();
        let denial = upstream_error::denial(
            exchange,
            session.route.dialect,
            reply.status,
            &reply.headers,
            &body,
        );
        self.finish(session, denial, Outcome::UpstreamFailed).await
    }

    /// Upstream cannot be passed on: 502, and why is for the record.
    pub(super) async fn fail<D>(&self, session: Session, code: &'static str) -> Reply<D> {
        let denial = Denial::new(
            session.ticket.exchange(),
            session.route.dialect,
            StatusCode::BAD_GATEWAY,
            "upstream_failed",
            "The model endpoint cannot be reached or sent what cannot be checked. Try again in a moment.",
        );
        self.finish_with(session, denial, Outcome::UpstreamFailed, code)
            .await
    }

    /// The caller's access was withdrawn before the answer was there.
    pub(super) async fn withdrawn<D>(&self, session: Session) -> Reply<D> {
        let (exchange, dialect) = (session.ticket.exchange(), session.route.dialect);
        let denial = Denial::new(
            exchange,
            dialect,
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            WITHDRAWN,
        );
        self.finish_with(session, denial, Outcome::Refused, "access_revoked")
            .await
    }

    async fn finish<D>(&self, session: Session, denial: Denial, outcome: Outcome) -> Reply<D> {
        let code = denial.code;
        self.finish_with(session, denial, outcome, code).await
    }

    async fn finish_with<D>(
        &self,
        mut session: Session,
        denial: Denial,
        outcome: Outcome,
        code: &'static str,
    ) -> Reply<D> {
        let response = denial.into_response();
        session.ticket.set_status(response.status().as_u16());
        let text = String::from_utf8_lossy(response.body()).into_owned();
        let events = vec![session.ticket.delivered(text)];
        if session
            .ticket
            .close(events, outcome, Some(code), 503)
            .await
            .is_err()
        {
            return not_recorded(&session).into_response().into();
        }
        response.into()
    }

    pub(super) async fn collect<S>(&self, body: S, limit: usize) -> Result<Vec<u8>, &'static str>
    where
        S: Stream<Item = Result<Bytes, BoxError>>,
    {
        let mut body = pin!(body);
        let mut all = Vec::new();
        loop {
            let piece = tokio::time::timeout(self.inner.settings.upstream_silence, next(body.as_mut())).await;
            match piece {
                Err(_) => return Err("upstream_silent"),
                Ok(None) => return Ok(all),
                Ok(Some(Err(_))) => return Err("upstream_broke_off"),
                Ok(Some(Ok(piece))) if all.len() + piece.len() > limit => return Err("upstream_too_large"),
                Ok(Some(Ok(piece))) => all.extend_from_slice(&piece),
            }
        }
    }

    pub(super) fn down_headers(&self, session: &Session, from: &HeaderMap) -> HeaderMap {
        let rules = session.policy.rule_set();
        // What cannot be scrubbed ends the answer; until then no header comes down.
        let scrubber = self.inner.scrubbers.of(&session.scrub, &session.policy);
        headers::downward(from, |value| {
            let holds_credential = match &scrubber {
                Ok(scrubber) => scrubber.as_ref().is_some_and(|s| s.finds(value)),
                Err(_) => true,
            };
            holds_credential || !rules.scan(session.caller.output().mask(), value).is_empty()
        })
    }
}

/// Calls the inner service; a panic of it is an error like any other.
pub(super) async fn catch_call<C, F, S>(
    call: C,
    request: Request<Bytes>,
) -> Result<UpstreamReply<S>, BoxError>
where
    C: FnOnce(Request<Bytes>) -> F,
    F: Future<Output = Result<UpstreamReply<S>, BoxError>>,
{
    let panicked = || BoxError::from("the inner service panicked");
    let future = catch(|| call(request)).ok_or_else(panicked)?;
    catch_async(AssertUnwindSafe(future))
        .await
        .unwrap_or_else(|| Err(panicked()))
}

pub(super) const STILL_WAITING: &str = "This still waits for a reviewer. Send the same message again later: it goes on as soon as it is approved.";
pub(super) const EXPIRED: &str = "The approval's time has run out. Send the message again to ask anew.";
pub(super) const WITHDRAWN: &str =
    "Your access was withdrawn, so this answer ends here. Sign in again, or ask your administrator.";
pub(super) const UNAVAILABLE: &str = "Approvals cannot be checked right now. Try again in a moment.";

pub(super) fn decision_label(decision: Action) -> &'static str {
    match decision {
        // A released request was allowed by a person.
        Action::Allow | Action::RequireApproval => "allow",
        Action::Mask => "mask",
        Action::Block => "block",
    }
}

fn stream_head(session: &mut Session, down: HeaderMap, decision: &'static str) -> http::response::Parts {
    session.ticket.set_status(200);
    let mut response = Response::new(());
    *response.headers_mut() = down;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Some reverse proxies hold back streams without it.
    response
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    stamp(response.headers_mut(), session.ticket.exchange(), Some(decision));
    response.into_parts().0
}

fn unavailable(session: &Session) -> Denial {
    let (exchange, dialect) = (session.ticket.exchange(), session.route.dialect);
    Denial::new(
        exchange,
        dialect,
        StatusCode::SERVICE_UNAVAILABLE,
        "approvals_unavailable",
        UNAVAILABLE,
    )
}

pub(super) fn not_recorded(session: &Session) -> Denial {
    Denial::new(
        session.ticket.exchange(),
        session.route.dialect,
        StatusCode::SERVICE_UNAVAILABLE,
        "audit_unavailable",
        "The answer could not be recorded and is withheld. Try again in a moment.",
    )
}
