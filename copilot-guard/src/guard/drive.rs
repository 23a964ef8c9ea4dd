//! The one body driver that every shell shares: pulls upstream, runs the exchange, records, delivers.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::Request;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::{Instant, Sleep};

use super::Guard;
use super::answer::{BoxError, EXPIRED, STILL_WAITING, UNAVAILABLE, UpstreamReply, WITHDRAWN};
use super::catch::{catch, catch_async};
use super::hold::{self, Held, Waiting};
use super::session::Session;
use super::upstream_error::{Shape, shape};
use super::writer::{Ack, NotRecorded};
use crate::audit::{AuditEvent, EventKind, Outcome};
use crate::exchange::{CallAnswer, CallQuestion, Ended, Exchange, Scrubber, Step};

/// Once so many bytes are ready, they leave.
const GATHER: usize = 32 << 10;
/// How often more is asked for when nothing is there.
const TURNS: u32 = 2;

/// A streamed reply. Ask for pieces with [`next`](Self::next); drop it when the client leaves.
pub struct Driver<C, F, S> {
    guard: Guard,
    session: Session,
    exchange: Exchange,
    phase: Phase<C, F, S>,
    question: Option<Question>,
    keep_alive_at: Instant,
    /// When upstream last sent something, and a timer that fires no later than its silence is too long.
    heard_at: Instant,
    silence: Pin<Box<Sleep>>,
    /// Delivered but not yet durable: length and acknowledgement.
    undurable: VecDeque<(usize, Ack)>,
}

enum Phase<C, F, S> {
    Holding {
        wait: Waiting,
        until: Instant,
        call: Option<Box<(C, Request<Bytes>)>>,
    },
    Calling {
        call: Pin<Box<F>>,
        until: Instant,
    },
    Streaming {
        body: Pin<Box<S>>,
    },
    Over,
}

struct Question {
    number: u32,
    wait: Waiting,
    until: Instant,
}

/// What the wait for the next thing to happen brought.
enum Woken<S> {
    KeepAlive,
    Held(Held),
    HeldOver,
    Called(Result<UpstreamReply<S>, BoxError>),
    Data(Option<Result<Bytes, BoxError>>),
    Answered(Held),
    Unanswered,
    Silence,
    Withdrawn,
}

impl<C, F, S> Driver<C, F, S>
where
    C: FnOnce(Request<Bytes>) -> F,
    F: Future<Output = Result<UpstreamReply<S>, BoxError>>,
    S: Stream<Item = Result<Bytes, BoxError>>,
{
    pub(super) fn holding(
        guard: Guard,
        session: Session,
        wait: Waiting,
        call: C,
        request: Request<Bytes>,
    ) -> Self {
        let until = Instant::now() + guard.inner.settings.hold_streaming;
        let mut driver = Self::new(
            guard,
            session,
            Phase::Holding {
                wait,
                until,
                call: Some(Box::new((call, request))),
            },
        );
        // The first no-op leaves at once: the client sees that something is there.
        driver.keep_alive_at = Instant::now();
        driver
    }

    pub(super) fn streaming(guard: Guard, session: Session, body: S, scrubber: Option<Scrubber>) -> Self {
        let mut driver = Self::new(guard, session, Phase::Streaming { body: Box::pin(body) });
        driver.begin();
        scrubber.into_iter().for_each(|s| driver.exchange.scrub(s));
        driver
    }

    fn new(guard: Guard, session: Session, phase: Phase<C, F, S>) -> Self {
        let mut exchange = Exchange::new(
            session.route.dialect,
            session.envelope.clone(),
            session.policy.rule_set().clone(),
            session.caller.clone(),
            session.notices.clone(),
        );
        exchange.ask(session.asking.clone());
        if let Some(spending) = &session.spending {
            exchange.count(spending.tally().clone());
        }
        if let Some(reversals) = &session.reversals {
            exchange.restore(reversals.clone());
        }
        let now = Instant::now();
        let keep_alive_at = now + guard.inner.settings.keep_alive;
        let silence = Box::pin(tokio::time::sleep_until(
            now + guard.inner.settings.upstream_silence,
        ));
        Self {
            guard,
            session,
            exchange,
            phase,
            question: None,
            keep_alive_at,
            heard_at: now,
            silence,
            undurable: VecDeque::new(),
        }
    }

    /// The next piece for the client; `None` when the reply has ended. Every piece is on record when it is returned
    /// (but for [`max_undurable`](super::Settings::max_undurable) bytes). Dropping the returned future before it is
    /// ready ends the reply: drop the driver with it.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if matches!(self.phase, Phase::Over) {
                return None;
            }
            // Also where upstream sends so fast that nothing is ever waited for.
            if self.session.welcome.is_over() {
                self.withdraw();
            }
            let Some(may_gather) = self.may_gather() else {
                return self.after_panic();
            };
            if may_gather && let Some(data) = self.gather().await {
                match self.take(Woken::Data(data)) {
                    Some(bytes) => return self.deliver(bytes).await,
                    None => continue,
                }
            }
            match catch(|| self.exchange.poll()) {
                Some(Step::Deliver(bytes)) => return self.deliver(bytes).await,
                Some(Step::Ask(question)) => {
                    self.ask(&question).await;
                    continue;
                }
                Some(Step::Done(ended)) => {
                    self.finish(Vec::new(), ended).await;
                    return None;
                }
                Some(Step::Pending) => {}
                None => return self.after_panic(),
            }
            let woken = self.wait().await;
            if let Some(bytes) = self.take(woken) {
                return self.deliver(bytes).await;
            }
        }
    }

    /// Whether there is something for the client, and room to add what upstream has sent since. `None`: what looks at
    /// text has panicked.
    fn may_gather(&mut self) -> Option<bool> {
        if !matches!(self.phase, Phase::Streaming { .. }) || self.question.is_some() {
            return Some(false);
        }
        let ready = catch(|| self.exchange.ready())?;
        Some(ready > 0 && ready < GATHER)
    }

    /// More of what upstream has sent already, so that events which came together leave together: each piece is one
    /// write to the client and one entry of the record. `None`: there is nothing more now.
    ///
    /// An HTTP/1.1 client hands on one event for each turn of its task, so that nothing is there now only when a later
    /// turn has brought nothing; and a server may ask for its body twice in one turn.
    async fn gather(&mut self) -> Option<Option<Result<Bytes, BoxError>>> {
        let Phase::Streaming { body } = &mut self.phase else {
            return None;
        };
        let mut turns = 0;
        std::future::poll_fn(|cx| match poll(body.as_mut(), cx) {
            Poll::Ready(data) => Poll::Ready(Some(data)),
            Poll::Pending if turns == TURNS => Poll::Ready(None),
            Poll::Pending => {
                turns += 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await
    }

    /// Waits for the next thing to happen. Holds nothing that dropping would lose.
    async fn wait(&mut self) -> Woken<S> {
        let silence = self.guard.inner.settings.upstream_silence;
        let keep_alive_at = self.keep_alive_at;
        let keep_alive = || tokio::time::sleep_until(keep_alive_at);
        let withdrawn = self.session.welcome.over();
        match &mut self.phase {
            Phase::Holding { wait, until, .. } => tokio::select! {
                biased;
                held = wait => Woken::Held(held),
                () = tokio::time::sleep_until(*until) => Woken::HeldOver,
                () = keep_alive() => Woken::KeepAlive,
                () = withdrawn => Woken::Withdrawn,
            },
            Phase::Calling { call, until } => tokio::select! {
                biased;
                reply = catch_async(AssertUnwindSafe(call.as_mut())) => Woken::Called(
                    reply.unwrap_or_else(|| Err(BoxError::from("the inner service panicked"))),
                ),
                () = tokio::time::sleep_until(*until) => Woken::Silence,
                () = keep_alive() => Woken::KeepAlive,
                () = withdrawn => Woken::Withdrawn,
            },
            Phase::Streaming { body } => match &mut self.question {
                Some(question) => {
                    let wants_data = self.exchange.wants_data();
                    tokio::select! {
                        biased;
                        held = &mut question.wait => Woken::Answered(held),
                        () = tokio::time::sleep_until(question.until) => Woken::Unanswered,
                        () = keep_alive() => Woken::KeepAlive,
                        data = next(body.as_mut()), if wants_data => Woken::Data(data),
                        () = withdrawn => Woken::Withdrawn,
                    }
                }
                // One timer for all pieces: each moves the time of silence on, and the timer asks when it fires.
                None => {
                    let mut withdrawn = std::pin::pin!(withdrawn);
                    loop {
                        tokio::select! {
                            biased;
                            data = next(body.as_mut()) => break Woken::Data(data),
                            () = self.silence.as_mut() => {
                                let until = self.heard_at + silence;
                                if Instant::now() >= until {
                                    break Woken::Silence;
                                }
                                self.silence.as_mut().reset(until);
                            }
                            () = withdrawn.as_mut() => break Woken::Withdrawn,
                        }
                    }
                }
            },
            Phase::Over => Woken::Data(None),
        }
    }

    /// Hands what happened to the exchange. `Some`: bytes of our own for the client.
    fn take(&mut self, woken: Woken<S>) -> Option<Bytes> {
        match woken {
            Woken::KeepAlive => {
                self.keep_alive_at = Instant::now() + self.guard.inner.settings.keep_alive;
                return Some(self.exchange.keep_alive().into());
            }
            Woken::Held(held) => self.held(held),
            Woken::HeldOver => self.stop(STILL_WAITING, Outcome::HeldOver, "approval_pending"),
            Woken::Called(Ok(reply)) => match shape(reply.status, &reply.headers) {
                Shape::Stream if !self.scrub() => self.exchange.handle_failure("credential_unscrubbable"),
                Shape::Stream => {
                    self.begin();
                    self.heard_at = Instant::now();
                    self.phase = Phase::Streaming {
                        body: Box::pin(reply.body),
                    }
                }
                Shape::Refused(code) => self.exchange.handle_failure(code),
                _ => self.exchange.handle_failure("upstream_status"),
            },
            Woken::Called(Err(error)) => {
                tracing::warn!(exchange = %self.session.ticket.exchange(), error = %error, "upstream failed");
                self.exchange.handle_failure("upstream_unreachable");
            }
            Woken::Data(Some(Ok(bytes))) => {
                self.heard_at = Instant::now();
                if catch(|| self.exchange.handle_data(&bytes)).is_none() {
                    return self.after_panic();
                }
            }
            Woken::Data(Some(Err(_))) => self.exchange.handle_failure("upstream_broke_off"),
            Woken::Data(None) => self.exchange.handle_end(),
            Woken::Answered(held) => {
                let answer = match held {
                    Held::Released => CallAnswer::Approve,
                    Held::Denied(message) => self.refusal(&message),
                    Held::Expired => self.refusal(EXPIRED),
                    Held::Unavailable => self.refusal(UNAVAILABLE),
                };
                self.answer(answer);
            }
            Woken::Unanswered => self.stop(STILL_WAITING, Outcome::HeldOver, "approval_pending"),
            Woken::Silence => self.exchange.handle_failure("upstream_silent"),
            Woken::Withdrawn => self.withdraw(),
        }
        None
    }

    /// Upstream answers: the request has cost something.
    fn begin(&self) {
        if let Some(spending) = &self.session.spending {
            spending.tally().begin();
        }
    }

    /// Cleans the answer of what was sent upstream. `false`: it cannot be.
    fn scrub(&mut self) -> bool {
        let scrubbers = &self.guard.inner.scrubbers;
        match scrubbers.of(&self.session.scrub, &self.session.policy) {
            Ok(scrubber) => {
                scrubber.into_iter().for_each(|s| self.exchange.scrub(s));
                true
            }
            Err(_) => false,
        }
    }

    fn held(&mut self, held: Held) {
        match held {
            Held::Released => {
                if let Phase::Holding { call, .. } = &mut self.phase
                    && let Some(held) = call.take()
                {
                    let (call, request) = *held;
                    let until = Instant::now() + self.guard.inner.settings.upstream_silence;
                    match catch(|| call(request)) {
                        Some(call) => {
                            let call = Box::pin(call);
                            self.phase = Phase::Calling { call, until };
                        }
                        None => self.exchange.handle_failure("upstream_unreachable"),
                    }
                }
            }
            Held::Denied(message) => self.stop(&message, Outcome::Denied, "approval_denied"),
            Held::Expired => self.stop(EXPIRED, Outcome::Expired, "approval_expired"),
            Held::Unavailable => self.stop(UNAVAILABLE, Outcome::Refused, "approvals_unavailable"),
        }
    }

    async fn ask(&mut self, question: &CallQuestion) {
        let number = question.call.number;
        match self.guard.ask_about_call(&self.session, question).await {
            Ok((_, _, true)) => {
                self.question = Some(Question {
                    number,
                    wait: Box::pin(async { Held::Released }),
                    until: far(),
                });
            }
            Ok((approval, claim, false)) => {
                let until = Instant::now() + self.guard.inner.settings.hold_streaming;
                self.keep_alive_at = Instant::now() + self.guard.inner.settings.keep_alive;
                self.question = Some(Question {
                    number,
                    wait: hold::wait(&self.guard, approval, claim),
                    until,
                });
            }
            Err(()) => {
                self.question = Some(Question {
                    number,
                    wait: Box::pin(async { Held::Unavailable }),
                    until: far(),
                });
            }
        }
    }

    fn answer(&mut self, answer: CallAnswer) {
        if let Some(question) = self.question.take() {
            self.heard_at = Instant::now();
            let exchange = &mut self.exchange;
            if catch(|| exchange.handle_answer(question.number, answer)).is_none() {
                self.stop(
                    "This call could not be judged.",
                    Outcome::Refused,
                    "internal_error",
                );
            }
        }
    }

    fn refusal(&self, message: &str) -> CallAnswer {
        CallAnswer::Refuse(self.session.notices.text(message))
    }

    /// The caller's access was withdrawn: the answer ends here, whatever it waits for.
    fn withdraw(&mut self) {
        self.stop(WITHDRAWN, Outcome::Refused, "access_revoked");
    }

    fn stop(&mut self, message: &str, outcome: Outcome, code: &'static str) {
        self.question = None;
        self.exchange.handle_stop(
            message,
            Ended {
                outcome,
                code: Some(code),
            },
        );
    }

    /// A part that looks at text has panicked: nothing more of it passes.
    fn after_panic(&mut self) -> Option<Bytes> {
        let exchange = &mut self.exchange;
        let ended = Ended {
            outcome: Outcome::Refused,
            code: Some("internal_error"),
        };
        let end = catch(|| {
            // Events that were finished before the panic are not on record: they stay here.
            exchange.discard();
            exchange.handle_stop("The answer could not be checked and ends here.", ended);
            match exchange.poll() {
                Step::Deliver(bytes) => bytes,
                _ => Vec::new(),
            }
        });
        self.phase = Phase::Over;
        self.session
            .ticket
            .close_now(Outcome::Refused, Some("internal_error"));
        self.last_piece(end)
    }

    /// Records a piece and hands it out once that is durable enough. The last piece and the end are one record.
    async fn deliver(&mut self, bytes: impl Into<Bytes>) -> Option<Bytes> {
        let bytes: Bytes = bytes.into();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut events = self.matched();
        events.push(self.session.ticket.delivered(text));
        if let Some(ended) = self.exchange.ended() {
            return match self.finish(events, ended).await {
                true => Some(self.session.delivered(bytes)),
                false => self.unrecorded(),
            };
        }
        match self.record(events, bytes.len()).await {
            Ok(()) => Some(self.session.delivered(bytes)),
            Err(NotRecorded) => self.unrecorded(),
        }
    }

    fn matched(&mut self) -> Vec<AuditEvent> {
        let hits = self.exchange.take_hits();
        hits.into_iter()
            .map(|hit| self.session.ticket.event(EventKind::Matched(hit)))
            .collect()
    }

    async fn record(&mut self, events: Vec<AuditEvent>, length: usize) -> Result<(), NotRecorded> {
        let writer = self.session.ticket.writer().clone();
        let allowed = self.guard.inner.settings.max_undurable;
        if allowed == 0 {
            let ack = writer.submit(events);
            return writer.settle(self.until_stored(ack).await);
        }
        self.undurable.push_back((length, writer.submit(events)));
        while self.undurable.iter().map(|(n, _)| n).sum::<usize>() > allowed {
            if let Some((_, ack)) = self.undurable.front_mut() {
                let settled = ack.await;
                self.undurable.pop_front();
                writer.settle(settled)?;
            }
        }
        Ok(())
    }

    /// Waits for an acknowledgement, and takes what upstream sends meanwhile: it makes the next piece. So the pieces
    /// are as few as the commits, however fast upstream is.
    async fn until_stored(&mut self, mut ack: Ack) -> Result<Result<(), NotRecorded>, RecvError> {
        loop {
            let reads_on = self.question.is_none() && self.exchange.may_take();
            let Phase::Streaming { body } = &mut self.phase else {
                return ack.await;
            };
            let data = tokio::select! {
                biased;
                stored = &mut ack => return stored,
                data = next(body.as_mut()), if reads_on => data,
            };
            self.heard_at = Instant::now();
            match data {
                Some(Ok(bytes)) => self.exchange.handle_data(&bytes),
                Some(Err(_)) => self.exchange.handle_failure("upstream_broke_off"),
                None => self.exchange.handle_end(),
            }
        }
    }

    /// Ends the record. `false`: it could not be written, and the last piece may not be handed out.
    async fn finish(&mut self, mut events: Vec<AuditEvent>, ended: Ended) -> bool {
        self.phase = Phase::Over;
        let summary = self.exchange.summary();
        self.session
            .ticket
            .set_summary(summary.decision, summary.masks, summary.not_scanned);
        let mut all = self.matched();
        all.append(&mut events);
        // What was delivered on credit is settled before the record says how it ended.
        let writer = self.session.ticket.writer().clone();
        let mut ended = ended;
        for (_, ack) in std::mem::take(&mut self.undurable) {
            if writer.settle(ack.await).is_err() {
                ended = Ended {
                    outcome: Outcome::Refused,
                    code: Some("audit_unavailable"),
                };
            }
        }
        let ticket = &mut self.session.ticket;
        let recorded = ticket.close(all, ended.outcome, ended.code, 200).await.is_ok();
        // Now, and not when the client lets go of the reply.
        self.session.spending = None;
        if !recorded {
            tracing::error!(exchange = %self.session.ticket.exchange(), "the end of a stream could not be recorded");
        }
        recorded
    }

    /// The record failed in mid-stream: the piece is withheld and the message ends with a fixed notice.
    fn unrecorded(&mut self) -> Option<Bytes> {
        let exchange = &mut self.exchange;
        let end = catch(|| exchange.end_withheld("The answer could not be recorded and ends here."));
        self.phase = Phase::Over;
        self.session
            .ticket
            .close_now(Outcome::Refused, Some("audit_unavailable"));
        self.last_piece(end)
    }

    /// An end that is not on record. It may repeat what was shown.
    fn last_piece(&self, end: Option<Vec<u8>>) -> Option<Bytes> {
        let bytes = end.filter(|bytes| !bytes.is_empty())?;
        Some(self.session.delivered(bytes.into()))
    }
}

impl<C, F, S> std::fmt::Debug for Driver<C, F, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("exchange", &self.session.ticket.exchange())
            .finish_non_exhaustive()
    }
}

/// The next piece of a body; a panic of it is an error like any other.
pub(super) async fn next<S>(mut body: Pin<&mut S>) -> Option<S::Item>
where
    S: Stream<Item = Result<Bytes, BoxError>>,
{
    std::future::poll_fn(|cx| poll(body.as_mut(), cx)).await
}

fn poll<S>(body: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<Option<S::Item>>
where
    S: Stream<Item = Result<Bytes, BoxError>>,
{
    catch(|| body.poll_next(cx))
        .unwrap_or_else(|| Poll::Ready(Some(Err(BoxError::from("the inner body panicked")))))
}

/// Later than any answer.
fn far() -> Instant {
    Instant::now() + std::time::Duration::from_secs(86_400)
}
