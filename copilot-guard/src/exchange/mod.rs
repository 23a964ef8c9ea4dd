//! One answer's life, without I/O and without a clock: bytes in, bytes out.
//!
//! # Order of calls
//! 1. `handle_*` takes what upstream sent, in order.
//! 2. [`Exchange::poll`] gives what to do next; call it until it says [`Step::Pending`] after every `handle_*`.
//! 3. On [`Step::Ask`], a person is asked; [`Exchange::handle_answer`] brings the vote. Bytes from upstream may be
//!    handed in meanwhile; they wait, bounded.
//! 4. [`Step::Done`] is the last step. [`Exchange::summary`] tells what the record needs.

mod asking;
mod filter;
mod inspection;
mod judge;
mod notice;
mod plain;
mod reversal;
mod scrub;
mod watched;

use crate::audit::{MaskCount, Outcome};
use crate::budget::Tally;
use crate::decision::{Action, RuleHit};
use crate::detect::RuleSet;
use crate::dialect::memo::Memo;
use crate::dialect::{Dialect, Envelope, Flow, Place, StreamRewriter, usage};
use crate::policy::CallerPolicy;
use crate::sse::Decoder;

pub use asking::Asking;
pub use inspection::Inspection;
use judge::Judge;
pub use judge::{CallAnswer, CallQuestion};
pub use notice::{NoticeKey, Notices, STOPPED};
pub use plain::{PlainExchange, PlainStep};
pub use reversal::{Reversals, Reverser};
pub use scrub::Scrubber;

/// Longest event of a stream.
const MAX_EVENT: usize = 16 << 20;
/// What waits behind a held call, in bytes; upstream is not read further.
const MAX_WAITING: usize = 8 << 20;

/// What is taken ahead while a piece is being recorded, in bytes.
const MAX_AHEAD: usize = 256 << 10;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Hand these bytes to the client.
    Deliver(Vec<u8>),
    /// Ask a person about this call.
    Ask(Box<CallQuestion>),
    /// Give more of the answer (or of a person's).
    Pending,
    /// It is over; close upstream.
    Done(Ended),
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The outcome for the record.
    pub outcome: Outcome,
    /// A stable code when it did not complete.
    pub code: Option<&'static str>,
}

impl Ended {
    /// The end of an answer that came through: `blocked` when policy took something out of it.
    pub(crate) fn of(decision: Action) -> Self {
        match decision {
            Action::Block => Self {
                outcome: Outcome::Blocked,
                code: Some("blocked_by_policy"),
            },
            _ => Self {
                outcome: Outcome::Completed,
                code: None,
            },
        }
    }
}

/// What the record needs beside the delivered bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The strictest action taken on the way down.
    pub decision: Action,
    /// Masks made.
    pub masks: Vec<MaskCount>,
    /// What no rule could look at.
    pub not_scanned: Vec<String>,
}

/// One streamed answer.
pub struct Exchange {
    dialect: Dialect,
    judge: Judge,
    rewriter: Box<dyn StreamRewriter>,
    decoder: Decoder,
    memo: Memo,
    out: Vec<u8>,
    state: State,
    upstream: Upstream,
    /// Where the client's message stands: before the last piece that was given out, and after it.
    before: Place,
    after: Place,
    tally: Option<Tally>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The rewriter waits for a vote. `asked` once the question was given out.
    Waiting {
        asked: bool,
    },
    Ended(Ended),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstream {
    Open,
    /// It has ended, cleanly as far as HTTP can tell.
    Ended,
    Failed(&'static str),
}

impl Exchange {
    /// An answer to the caller whose rules `policy` holds. `notices` are the exchange's.
    pub fn new(
        dialect: Dialect,
        envelope: Envelope,
        rules: RuleSet,
        policy: CallerPolicy,
        notices: impl Into<Notices>,
    ) -> Self {
        Self {
            dialect,
            judge: Judge::new(rules, policy, notices.into()),
            rewriter: dialect.stream(envelope),
            decoder: Decoder::new(MAX_EVENT),
            memo: Memo::default(),
            out: Vec::new(),
            state: State::Open,
            upstream: Upstream::Open,
            before: Place::default(),
            after: Place::default(),
            tally: None,
        }
    }

    /// Takes further values out of every text from now on. Call it before the first bytes of upstream's body.
    pub fn scrub(&mut self, scrubber: Scrubber) {
        self.judge.scrub(scrubber);
    }

    /// Asks these engines too about every tool call. Call it before the first bytes of upstream's body.
    pub fn ask(&mut self, asking: Asking) {
        self.judge.ask(asking);
    }

    /// Takes these marks back where the answer is prose. What [`poll`](Self::poll) gives out then still has marks, of another
    /// kind: [`Reversals::put_back`] makes of it what the client gets. Call it before the first bytes of upstream's body.
    pub fn restore(&mut self, reversals: Reversals) {
        if self.dialect.is_conversation() {
            self.judge.restore(reversals);
        }
    }

    /// Counts tokens, text and masks from now on. Call it before the first bytes of upstream's body.
    pub fn count(&mut self, tally: Tally) {
        self.judge.count(tally.clone());
        self.tally = Some(tally);
    }

    /// The next bytes of upstream's body.
    pub fn handle_data(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Ended(_)) || self.upstream != Upstream::Open {
            return;
        }
        self.decoder.push(bytes);
        self.out.reserve(bytes.len());
    }

    /// Upstream's body has ended.
    pub fn handle_end(&mut self) {
        if self.upstream == Upstream::Open {
            self.upstream = Upstream::Ended;
        }
    }

    /// Upstream has failed; `code` is for the record.
    pub fn handle_failure(&mut self, code: &'static str) {
        if self.upstream == Upstream::Open {
            self.upstream = Upstream::Failed(code);
        }
    }

    /// The answer to [`Step::Ask`] for the call with that number.
    pub fn handle_answer(&mut self, number: u32, answer: CallAnswer) {
        if matches!(self.state, State::Waiting { .. }) {
            self.judge.answer(number, answer);
            let result = self.rewriter.resume(&mut self.judge, &mut self.out);
            self.after(result);
        }
    }

    /// Ends the answer here with a visible notice: its time ran out, or it may not go on.
    pub fn handle_stop(&mut self, message: &str, ended: Ended) {
        if !matches!(self.state, State::Ended(_)) {
            let notice = self.judge.notice(message);
            self.rewriter.end_with(&notice, &mut self.out);
            self.state = State::Ended(ended);
        }
    }

    /// The end of a message whose last piece (from [`poll`](Self::poll) or [`keep_alive`](Self::keep_alive)) was
    /// withheld: what the client needs from where it stands, and the notice.
    pub fn end_withheld(&mut self, message: &str) -> Vec<u8> {
        let notice = self.judge.notice(message);
        let mut out = Vec::new();
        self.rewriter.end_at(&self.before, &notice, &mut out);
        self.out.clear();
        self.state = State::Ended(Ended {
            outcome: Outcome::Refused,
            code: Some("audit_unavailable"),
        });
        out
    }

    /// Throws away what [`poll`](Self::poll) has not given out yet.
    pub fn discard(&mut self) {
        self.out.clear();
    }

    /// An event that keeps the client waiting without changing anything.
    pub fn keep_alive(&mut self) -> Vec<u8> {
        self.before.clone_from(&self.after);
        let mut out = Vec::new();
        if !matches!(self.state, State::Ended(_)) {
            self.rewriter.keep_alive(&mut out);
            // It may have begun the message.
            self.after = self.rewriter.place();
        }
        out
    }

    /// Whether more of upstream should be read now.
    pub fn wants_data(&self) -> bool {
        self.upstream == Upstream::Open
            && match self.state {
                State::Open => true,
                State::Waiting { .. } => self.decoder.waiting() < MAX_WAITING,
                State::Ended(_) => false,
            }
    }

    /// Whether more of upstream may be handed in before the next [`poll`](Self::poll): it waits, bounded.
    pub fn may_take(&self) -> bool {
        self.wants_data() && self.decoder.waiting() < MAX_AHEAD
    }

    /// What to do next.
    pub fn poll(&mut self) -> Step {
        self.advance();
        if !self.out.is_empty() {
            self.before = std::mem::replace(&mut self.after, self.rewriter.place());
            return Step::Deliver(std::mem::take(&mut self.out));
        }
        match self.state {
            State::Ended(ended) => Step::Done(ended),
            State::Waiting { asked: false } => match self.judge.take_question() {
                Some(question) => {
                    self.state = State::Waiting { asked: true };
                    Step::Ask(Box::new(question))
                }
                // A wait without a question would never end.
                None => {
                    self.handle_stop("This call could not be judged.", failed("no_question"));
                    self.poll()
                }
            },
            State::Waiting { asked: true } | State::Open => Step::Pending,
        }
    }

    /// How many bytes are ready for the client while the answer goes on; 0 when [`poll`](Self::poll) has more to say.
    pub fn ready(&mut self) -> usize {
        self.advance();
        match self.state {
            State::Open => self.out.len(),
            State::Waiting { .. } | State::Ended(_) => 0,
        }
    }

    /// How it ended, once there is nothing left to deliver.
    pub fn ended(&self) -> Option<Ended> {
        match self.state {
            State::Ended(ended) if self.out.is_empty() => Some(ended),
            _ => None,
        }
    }

    /// Rules that matched since the last call.
    pub fn take_hits(&mut self) -> Vec<RuleHit> {
        self.judge.take_hits()
    }

    /// What the record needs at the end.
    pub fn summary(&self) -> Summary {
        self.judge.summary()
    }

    fn advance(&mut self) {
        while self.state == State::Open {
            match self.decoder.next_event() {
                Ok(Some(event)) => {
                    if let Some(tally) = &self.tally
                        && let Some((input, output)) = usage(event.data.as_bytes())
                    {
                        tally.add_usage(input, output);
                    }
                    let result = match self.memo.write(event, &mut self.judge, &mut self.out) {
                        Some(Ok(())) => continue,
                        Some(Err(blocked)) => Ok(Flow::Blocked(blocked.notice)),
                        None => {
                            let result = self.rewriter.event(event, &mut self.judge, &mut self.out);
                            match self.rewriter.repeats() {
                                slots if slots.is_empty() || result != Ok(Flow::More) => self.memo.clear(),
                                slots => self.memo.learn(event, slots),
                            }
                            result
                        }
                    };
                    self.after(result);
                    continue;
                }
                Ok(None) => {}
                // Whatever else has happened: this is where the answer breaks.
                Err(_) => self.upstream = Upstream::Failed("malformed_stream"),
            }
            match self.upstream {
                Upstream::Open => return,
                Upstream::Failed(code) => {
                    self.handle_stop(
                        "The model's answer broke off; what you see is incomplete.",
                        failed(code),
                    );
                }
                Upstream::Ended if self.rewriter.ends_with_connection() && !self.decoder.is_mid_event() => {
                    self.complete();
                }
                // Not ended in its format: a clean HTTP end proves nothing.
                Upstream::Ended => self.handle_stop(
                    "The model's answer ended early; what you see may be incomplete.",
                    failed("upstream_ended_early"),
                ),
            }
        }
    }

    /// The answer has come to its end.
    fn complete(&mut self) {
        self.tally.iter().for_each(Tally::complete);
        self.state = State::Ended(Ended::of(self.judge.decision()));
    }

    fn after(&mut self, result: Result<Flow, crate::dialect::Malformed>) {
        match result {
            Ok(Flow::More) => self.state = State::Open,
            Ok(Flow::Wait) => self.state = State::Waiting { asked: false },
            Ok(Flow::Done) => self.complete(),
            Ok(Flow::Blocked(notice)) => {
                self.rewriter.end_with(&notice, &mut self.out);
                self.state = State::Ended(Ended {
                    outcome: Outcome::Blocked,
                    code: Some("blocked_by_policy"),
                });
            }
            Ok(Flow::UpstreamError) => {
                self.state = State::Open;
                self.handle_stop(
                    "The model reports an error; the answer ends here.",
                    failed("upstream_error_event"),
                );
            }
            Err(_) => {
                self.state = State::Open;
                self.handle_stop(
                    "The model's answer cannot be read and ends here.",
                    failed("malformed_upstream_event"),
                );
            }
        }
    }
}

fn failed(code: &'static str) -> Ended {
    Ended {
        outcome: Outcome::UpstreamFailed,
        code: Some(code),
    }
}

#[cfg(test)]
#[path = "memo_tests.rs"]
mod memo_tests;
