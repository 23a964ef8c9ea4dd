//! The one task that writes the record, and the ticket that guarantees an exchange its last event.
//!
//! Events travel over a channel to the task, which hands the sink one batch at a time. A ticket's closing event needs
//! no waiting: it is sent even from `Drop`, where nothing can be awaited. The channel has no bound of its own; every
//! exchange waits for the acknowledgement of what it sent, so that it holds a few events per exchange at most.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::catch::catch_async;
use super::settings::OnFailure;
use crate::audit::{AuditEvent, AuditSink, Closing, EventKind, MaskCount, Outcome};
use crate::budget::{Spending, Tally};
use crate::clock::{Clock, Timestamp};
use crate::decision::Action;
use crate::id::ExchangeId;

/// Most events of one batch.
const BATCH: usize = 256;
/// How long the task waits before it offers closing events again that the sink refused.
const RETRY: Duration = Duration::from_secs(1);

/// The events could not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotRecorded;

pub(crate) type Ack = oneshot::Receiver<Result<(), NotRecorded>>;

enum Job {
    Append {
        events: Vec<AuditEvent>,
        ack: Option<oneshot::Sender<Result<(), NotRecorded>>>,
    },
    /// Answers once everything before it has been offered to the sink.
    Flush(oneshot::Sender<()>),
}

/// Sends events to the task. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    jobs: mpsc::UnboundedSender<Job>,
    on_failure: OnFailure,
    lost: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the task on the current runtime.
    pub(crate) fn start(
        sink: Arc<dyn AuditSink>,
        on_failure: OnFailure,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let (jobs, receiver) = mpsc::unbounded_channel();
        let lost = Arc::new(AtomicU64::new(0));
        runtime.spawn(run(sink, receiver, lost.clone()));
        Self {
            jobs,
            on_failure,
            lost,
        }
    }

    /// How many batches the sink has refused so far.
    pub(crate) fn failures(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Sends events; the answer comes when they are durable.
    pub(crate) fn submit(&self, events: Vec<AuditEvent>) -> Ack {
        let (ack, receiver) = oneshot::channel();
        // A failed send drops `ack`, which the receiver sees.
        let _ = self.jobs.send(Job::Append {
            events,
            ack: Some(ack),
        });
        receiver
    }

    /// Sends events and waits until they are durable. With [`OnFailure::BestEffort`] it never fails.
    pub(crate) async fn append(&self, events: Vec<AuditEvent>) -> Result<(), NotRecorded> {
        let ack = self.submit(events);
        self.settle(ack.await)
    }

    /// Sends events and waits until they are durable, whatever the setting: for what is deleted elsewhere afterwards.
    pub(crate) async fn append_strictly(&self, events: Vec<AuditEvent>) -> Result<(), NotRecorded> {
        self.submit(events).await.unwrap_or(Err(NotRecorded))
    }

    /// What an acknowledgement means under the setting.
    pub(crate) fn settle(
        &self,
        ack: Result<Result<(), NotRecorded>, oneshot::error::RecvError>,
    ) -> Result<(), NotRecorded> {
        match (ack, self.on_failure) {
            (Ok(Ok(())), _) | (_, OnFailure::BestEffort) => Ok(()),
            _ => Err(NotRecorded),
        }
    }

    /// Sends events nobody waits for; they are offered again until the sink takes them.
    pub(crate) fn send(&self, events: Vec<AuditEvent>) {
        let _ = self.jobs.send(Job::Append { events, ack: None });
    }

    /// Returns once everything sent before has been offered to the sink.
    pub(crate) async fn flush(&self) {
        let (done, receiver) = oneshot::channel();
        let _ = self.jobs.send(Job::Flush(done));
        let _ = receiver.await;
    }
}

async fn run(sink: Arc<dyn AuditSink>, mut jobs: mpsc::UnboundedReceiver<Job>, lost: Arc<AtomicU64>) {
    let mut backlog: Vec<AuditEvent> = Vec::new();
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let received = if backlog.is_empty() {
            jobs.recv_many(&mut batch, BATCH).await
        } else {
            tokio::select! {
                received = jobs.recv_many(&mut batch, BATCH) => received,
                () = tokio::time::sleep(RETRY) => usize::MAX,
            }
        };
        if received == 0 {
            // Every guard is gone. One last offer.
            if !backlog.is_empty() {
                offer(&*sink, &backlog, &lost).await;
            }
            return;
        }
        let mut events = std::mem::take(&mut backlog);
        let mut flushes = Vec::new();
        // How many events each job brought, and who waits for them.
        let mut waiting = vec![(events.len(), None)];
        for job in batch.drain(..) {
            match job {
                Job::Append { events: more, ack } => {
                    waiting.push((more.len(), ack));
                    events.extend(more);
                }
                Job::Flush(done) => flushes.push(done),
            }
        }
        let whole = events.is_empty() || offer(&*sink, &events, &lost).await;
        let alone = waiting.iter().filter(|(count, _)| *count > 0).count() == 1;
        let mut events = events.into_iter();
        for (count, ack) in waiting {
            let events: Vec<_> = events.by_ref().take(count).collect();
            // One exchange's events must not fail those of all others that happened to share a batch with it.
            let stored = whole || !alone && offer(&*sink, &events, &lost).await;
            let told =
                ack.is_some_and(|ack| ack.send(if stored { Ok(()) } else { Err(NotRecorded) }).is_ok());
            if !stored && !told {
                // Nobody has heard that they are lost, so they may not be.
                backlog.extend(events);
            }
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
}

async fn offer(sink: &dyn AuditSink, events: &[AuditEvent], lost: &AtomicU64) -> bool {
    match catch_async(AssertUnwindSafe(sink.append(events))).await {
        Some(Ok(_durable)) => true,
        Some(Err(error)) => {
            lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %error, events = events.len(), "the audit sink failed");
            false
        }
        None => {
            lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!(events = events.len(), "the audit sink panicked");
            false
        }
    }
}

/// An open exchange's place in the record. Dropped without [`close`](Self::close), it closes as `client_gone`.
#[derive(Debug)]
pub(crate) struct Ticket {
    writer: Writer,
    clock: Arc<dyn Clock>,
    exchange: ExchangeId,
    /// The policy's version, for each event.
    policy: Option<String>,
    seq: u64,
    offset: u64,
    /// What the closing event will say; `None` once it was sent.
    closing: Option<Closing>,
    /// While the first event is being stored.
    opening: Option<Ack>,
    /// Counts tokens, where a budget limits them.
    tally: Option<Tally>,
}

impl Ticket {
    /// Stores the first event (number 0) of an exchange. The closing event is reserved before that: should the client
    /// leave meanwhile, either both get on record or none.
    pub(crate) async fn open(
        writer: Writer,
        clock: Arc<dyn Clock>,
        opened: AuditEvent,
        decision: Action,
    ) -> Result<Self, NotRecorded> {
        let exchange = opened.exchange;
        let policy = opened.policy.clone();
        let ack = writer.submit(vec![opened]);
        let mut ticket = Self {
            writer,
            clock,
            exchange,
            policy,
            seq: 1,
            offset: 0,
            closing: Some(Closing::new(Outcome::ClientGone, 0, decision)),
            opening: None,
            tally: None,
        };
        let opening = ticket.opening.insert(ack);
        let settled = opening.await;
        ticket.opening = None;
        let settled = ticket.writer.settle(settled);
        if settled.is_err() {
            ticket.closing = None;
        }
        settled.map(|()| ticket)
    }

    /// The same, whose closing event says how many tokens there were, where a budget limits them.
    pub(crate) fn counting(mut self, spending: Option<&Spending>) -> Self {
        let spending = spending.filter(|spending| spending.limits_tokens());
        self.tally = spending.map(|spending| spending.tally().clone());
        self
    }

    pub(crate) fn exchange(&self) -> ExchangeId {
        self.exchange
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Notes the status that the client got.
    pub(crate) fn set_status(&mut self, status: u16) {
        if let Some(closing) = &mut self.closing {
            closing.status = status;
        }
    }

    /// Notes what was found on the way down.
    pub(crate) fn set_summary(&mut self, decision: Action, masks: Vec<MaskCount>, not_scanned: Vec<String>) {
        if let Some(closing) = &mut self.closing {
            closing.decision = closing.decision.max(decision);
            closing.masks = masks;
            closing.not_scanned = not_scanned;
        }
    }

    /// The next event of this exchange.
    pub(crate) fn event(&mut self, kind: EventKind) -> AuditEvent {
        self.event_at(kind, self.clock.now())
    }

    fn event_at(&mut self, kind: EventKind, at: Timestamp) -> AuditEvent {
        let event = AuditEvent::new(self.exchange, self.seq, at, kind).under(self.policy.as_deref());
        self.seq += 1;
        event
    }

    /// The event for a piece that is about to be delivered.
    pub(crate) fn delivered(&mut self, text: String) -> AuditEvent {
        let offset = self.offset;
        self.offset += text.len() as u64;
        if let Some(closing) = &mut self.closing {
            closing.delivered = self.offset;
        }
        self.event(EventKind::Delivered { offset, text })
    }

    /// Stores the last events of the exchange and its closing event in one step. When that fails, or the client
    /// leaves meanwhile, the exchange still closes: `status` is what the client gets instead.
    pub(crate) async fn close(
        &mut self,
        mut events: Vec<AuditEvent>,
        outcome: Outcome,
        code: Option<&str>,
        status: u16,
    ) -> Result<(), NotRecorded> {
        let delivered = events.iter().find_map(|e| match e.kind {
            EventKind::Delivered { offset, .. } => Some(offset),
            _ => None,
        });
        let Some(closing) = self.closing(outcome, code) else {
            return Ok(());
        };
        // Under the same id: a sink that has the first keeps it.
        let mut instead = closing.clone();
        if let EventKind::Closed(closing) = &mut instead.kind {
            closing.outcome = Outcome::Refused;
            closing.code = Some("audit_unavailable".to_owned());
            closing.status = status;
            closing.delivered = delivered.unwrap_or(closing.delivered);
        }
        events.push(closing);
        let mut reserve = Reserve {
            writer: self.writer.clone(),
            event: Some(instead),
        };
        let stored = self.writer.append(events).await;
        if stored.is_ok() {
            reserve.event = None;
        }
        stored
    }

    /// The closing event. After this nothing more is recorded.
    fn closing(&mut self, outcome: Outcome, code: Option<&str>) -> Option<AuditEvent> {
        let mut closing = self.closing.take()?;
        closing.outcome = outcome;
        closing.code = code.map(str::to_owned);
        closing.tokens = self.tally.as_ref().and_then(Tally::tokens);
        Some(self.event(EventKind::Closed(Box::new(closing))))
    }

    /// Sends the closing event without waiting.
    pub(crate) fn close_now(&mut self, outcome: Outcome, code: Option<&str>) {
        if let Some(event) = self.closing(outcome, code) {
            self.writer.send(vec![event]);
        }
    }
}

/// A closing event that is sent unless another is known to be stored.
struct Reserve {
    writer: Writer,
    event: Option<AuditEvent>,
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            self.writer.send(vec![event]);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(mut opening) = self.opening.take() {
            opening.close();
            if matches!(opening.try_recv(), Ok(Err(NotRecorded))) {
                // Never opened. Were the answer still to come, the writer would find nobody to tell and keep the event.
                self.closing = None;
            }
        }
        self.close_now(Outcome::ClientGone, None);
    }
}
