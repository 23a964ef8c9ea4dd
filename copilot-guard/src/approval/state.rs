//! The state machine of an approval: pure functions over [`Approval`], with the time as an argument.
//!
//! 1. Nobody votes on their own request, from whichever account.
//! 2. A reviewer is somebody in a group that the [requirement](super::Requirement) names.
//! 3. Denial wins: one denial ends a pending or approved approval; no approval undoes it.
//! 4. Nothing counts at or after `expires_at`: not a vote, not the release of the request.
//! 5. The request is released once. Later requests ride only as far as the reviewers have seen what they bring.
//!
//! Every change counts [`Approval::revision`] up by one and yields the step for the record, so that each event has an
//! id of its own. Stores call [`Approval::on_vote`] and [`Approval::on_claim`] and commit what comes back in one
//! transaction; the others are the single transitions below them.

use std::time::Duration;

use super::{Approval, ApprovalState, Claim, ClaimError, Vote, VoteError};
use crate::audit::{Actor, ApprovalStep, AuditEvent};
use crate::clock::Timestamp;
use crate::id::ExchangeId;

/// So long after it was opened nobody has read an approval yet.
const UNREAD: Duration = Duration::from_secs(10);

/// What a store commits: the approval as it is now, and the events that led there, in one transaction.
#[derive(Debug)]
#[must_use]
pub struct Change<E> {
    /// The approval afterwards.
    pub approval: Approval,
    /// The events, in order. Empty when nothing changed: then there is nothing to commit.
    pub events: Vec<AuditEvent>,
    /// Why the caller's wish was not fulfilled, if it was not. The events are committed all the same.
    pub refused: Option<E>,
}

impl Approval {
    // === What stores call ===

    /// A vote, with everything that it changes: an approval whose time is over expires by it, and a refused vote is
    /// recorded.
    pub fn on_vote(&self, vote: Vote) -> Change<VoteError> {
        let at = vote.at;
        let (now, mut events) = self.lapse(at);
        let reviewer = vote.reviewer.clone();
        let (approval, step, refused) = match now.vote(vote) {
            Ok((approval, step)) => (approval, step, None),
            Err(why) => {
                let (approval, step) = now.refuse(reviewer, &why);
                (approval, step, Some(why))
            }
        };
        events.push(approval.event(at, step));
        Change {
            approval,
            events,
            refused,
        }
    }

    /// A claim, with everything that it changes: an approval whose time is over expires by it.
    pub fn on_claim(&self, claim: &Claim) -> Change<ClaimError> {
        let (now, mut events) = self.lapse(claim.now);
        match now.claim(claim) {
            Ok((approval, step)) => {
                events.push(approval.event(claim.now, step));
                Change {
                    approval,
                    events,
                    refused: None,
                }
            }
            Err(why) => Change {
                approval: now,
                events,
                refused: Some(why),
            },
        }
    }

    /// The event of the change that led to this revision.
    pub fn event(&self, at: Timestamp, step: ApprovalStep) -> AuditEvent {
        AuditEvent::of_approval(self.id, self.revision, self.exchange, at, step)
            .under(Some(&self.policy_version))
    }

    // === Transitions ===

    /// A proposal as it is first stored: pending, without votes, revision 0.
    pub fn opened(mut self) -> (Self, ApprovalStep) {
        self.state = ApprovalState::Pending;
        self.revision = 0;
        self.votes.clear();
        self.rules.sort();
        self.rules.dedup();
        let step = ApprovalStep::Opened {
            digest: self.digest.to_string(),
            rules: self.rules.clone(),
        };
        (self, step)
    }

    /// Whether the request behind `proposal` may wait for, or use, this approval instead of opening one of its own:
    /// same person, digest and model, nothing in it that this approval does not cover, and not past its end. A denied
    /// one is joined until its end, so that sending again does not ask the reviewers again.
    pub fn can_join(&self, proposal: &Self, now: Timestamp) -> bool {
        self.requester.person == proposal.requester.person
            && self.digest == proposal.digest
            && self.model == proposal.model
            && proposal.rules.iter().all(|r| self.rules.contains(r))
            && proposal.covers.is_subset(&self.covers)
            && match self.state {
                ApprovalState::Pending | ApprovalState::Approved | ApprovalState::Denied => {
                    now < self.expires_at
                }
                ApprovalState::Consumed => now < self.rides_until && self.rides_left > 0,
                ApprovalState::Expired => false,
            }
    }

    /// Whether the request behind `proposal` is the same turn in another form and may wait for this approval, which
    /// then covers its tools too: same person, model and rules, no text that this one does not cover, nobody has
    /// voted, and it was opened so short a time ago that nobody can have read it.
    pub fn can_widen(&self, proposal: &Self, now: Timestamp) -> bool {
        self.state == ApprovalState::Pending
            && self.votes.is_empty()
            && now < self.opened_at.plus(UNREAD).min(self.expires_at)
            && self.rides_left > 0
            && self.requester.person == proposal.requester.person
            && self.model == proposal.model
            && proposal.rules.iter().all(|r| self.rules.contains(r))
            && proposal.covers.is_subset(&self.covers)
    }

    /// Another exchange waits for this approval too. What `proposal` brings in tools is part of it from now on.
    pub fn join(&self, by: ExchangeId, proposal: &Self) -> (Self, ApprovalStep) {
        let mut next = self.next();
        if self.state == ApprovalState::Pending && self.votes.is_empty() {
            next.tools.extend(proposal.tools.iter().cloned());
        }
        (next, ApprovalStep::Joined { by })
    }

    /// Counts a vote.
    pub fn vote(&self, vote: Vote) -> Result<(Self, ApprovalStep), VoteError> {
        if self.requester.is_same_person(&vote.reviewer) {
            return Err(VoteError::OwnRequest);
        }
        if !self.requirement.names(&vote.reviewer.groups) {
            return Err(VoteError::NotAReviewer);
        }
        match self.state {
            ApprovalState::Pending | ApprovalState::Approved if vote.at >= self.expires_at => {
                return Err(VoteError::Settled(ApprovalState::Expired));
            }
            ApprovalState::Pending => {}
            ApprovalState::Approved if !vote.approve => {}
            settled => return Err(VoteError::Settled(settled)),
        }
        let last = self
            .votes
            .iter()
            .rev()
            .find(|v| v.reviewer.is_same_person(&vote.reviewer));
        if last.is_some_and(|v| v.approve == vote.approve) {
            return Err(VoteError::AlreadyVoted);
        }

        let mut next = self.next();
        let (reviewer, approve, reason) = (vote.reviewer.clone(), vote.approve, vote.reason.clone());
        next.votes.push(vote);
        if !approve {
            next.state = ApprovalState::Denied;
        } else if next.has_quorum() {
            next.state = ApprovalState::Approved;
        }
        let step = ApprovalStep::Voted {
            reviewer,
            approve,
            reason,
            state: next.state.as_str().to_owned(),
        };
        Ok((next, step))
    }

    /// Keeps in the record that a vote was refused.
    pub fn refuse(&self, reviewer: Actor, why: &VoteError) -> (Self, ApprovalStep) {
        (
            self.next(),
            ApprovalStep::VoteRefused {
                reviewer,
                code: why.code().to_owned(),
            },
        )
    }

    /// Uses the approval: an approved one is consumed by the request it was opened for. Others that it covers ride on
    /// it, from the moment it is approved: clients send the same text twice in one turn, for a title or a summary.
    pub fn claim(&self, claim: &Claim) -> Result<(Self, ApprovalStep), ClaimError> {
        if !self.covers_claim(claim) {
            return Err(ClaimError::NotCovered);
        }
        let mut next = self.next();
        match self.state {
            ApprovalState::Approved if claim.now < self.expires_at && claim.digest == self.digest => {
                next.state = ApprovalState::Consumed;
                let window = claim.now.plus(Duration::from_secs(self.ride_seconds));
                next.rides_until = self.rides_until.min(window);
                Ok((next, ApprovalStep::Consumed { by: claim.exchange }))
            }
            ApprovalState::Approved | ApprovalState::Consumed if self.can_be_ridden(claim.now) => {
                next.rides_left -= 1;
                Ok((
                    next,
                    ApprovalStep::Ridden {
                        by: claim.exchange,
                        digest: claim.digest.to_string(),
                    },
                ))
            }
            _ => Err(ClaimError::NotCovered),
        }
    }

    /// Ends it if its time has run out before it was used.
    pub fn expire(&self, now: Timestamp) -> Option<(Self, ApprovalStep)> {
        let open = matches!(self.state, ApprovalState::Pending | ApprovalState::Approved);
        (open && now >= self.expires_at).then(|| {
            let mut next = self.next();
            next.state = ApprovalState::Expired;
            (next, ApprovalStep::Expired)
        })
    }

    /// Whether a request may wait for this approval, which was opened for another, in place of one of its own.
    pub fn would_cover(&self, claim: &Claim) -> bool {
        let may_yet = match self.state {
            ApprovalState::Pending => claim.now < self.expires_at && self.rides_left > 0,
            _ => self.can_be_ridden(claim.now),
        };
        may_yet && self.covers_claim(claim)
    }

    // === Parts of these ===

    fn can_be_ridden(&self, now: Timestamp) -> bool {
        self.rides_left > 0
            && match self.state {
                ApprovalState::Approved => now < self.expires_at,
                ApprovalState::Consumed => now < self.rides_until,
                _ => false,
            }
    }

    fn next(&self) -> Self {
        let mut next = self.clone();
        next.revision = self.revision.saturating_add(1);
        next
    }

    fn lapse(&self, now: Timestamp) -> (Self, Vec<AuditEvent>) {
        match self.expire(now) {
            Some((expired, step)) => {
                let event = expired.event(now, step);
                (expired, vec![event])
            }
            None => (self.clone(), Vec::new()),
        }
    }

    fn has_quorum(&self) -> bool {
        // The requester cannot be among the votes; should a store ever hold such a vote, it still does not count.
        let approving = self
            .votes
            .iter()
            .filter(|v| v.approve && !v.reviewer.is_same_person(&self.requester));
        let people: Vec<&Actor> = approving.map(|v| &v.reviewer).collect();
        !self.votes.iter().any(|v| !v.approve) && self.requirement.is_met_by(&people)
    }

    /// Same person and model, and nothing that the reviewers were not shown. Checked for the request itself too: the
    /// policy may have changed since, and then its digest says nothing about the rules that ask now.
    fn covers_claim(&self, claim: &Claim) -> bool {
        claim.person == self.requester.person
            && claim.model == self.model
            && claim.rules.iter().all(|r| self.rules.contains(r))
            && claim.findings.iter().all(|f| self.covers.contains(f))
            && claim.tools.iter().all(|t| self.tools.contains(t))
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
