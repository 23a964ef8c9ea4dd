//! What passes from one step to the next: who asks, what may happen, and what an open exchange carries along.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use super::denial::Denial;
use super::revoked::Welcome;
use super::writer::Ticket;
use crate::approval::{Approval, Claim, Digest};
use crate::audit::Actor;
use crate::budget::Spending;
use crate::clock::Timestamp;
use crate::decision::Action;
use crate::dialect::{Envelope, Route};
use crate::exchange::{Asking, Notices, Reversals};
use crate::id::{ApprovalId, ExchangeId};
use crate::identity::Identity;
use crate::policy::{CallerPolicy, Policy};
use crate::secret::{Scrub, Secret};

/// A caller who is known and a route that exists. The body may be read now.
#[derive(Debug, Clone)]
pub struct Identified {
    pub(super) exchange: ExchangeId,
    pub(super) route: Route,
    pub(super) identity: Arc<Identity>,
    pub(super) token: Secret,
    pub(super) now: Timestamp,
}

impl Identified {
    /// The id of the exchange.
    pub fn exchange(&self) -> ExchangeId {
        self.exchange
    }

    /// Who asks.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The route.
    pub fn route(&self) -> &Route {
        &self.route
    }
}

/// The network address of a request's connection, as an extension that a shell puts into the request. For the record
/// alone: nothing is decided by it. Behind a proxy it is the proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub std::net::IpAddr);

/// Which configured upstream a forwarded request is for; an extension of the request that the inner service gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamName(pub String);

/// What is to happen with a request.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once per request and consumed at once"
)]
pub enum Admission {
    /// It may go upstream.
    Forward(Permit),
    /// A person must vote first.
    Hold(Pending),
    /// It may not.
    Refuse(Denial),
    /// The gateway answers it itself. A token that it hands out is on record.
    Reply(http::Response<Bytes>),
}

/// Proof that policy allowed one request and that this is on record. Only [`Guard::admit`](super::Guard::admit) makes one.
#[must_use]
pub struct Permit {
    pub(super) request: Request<Bytes>,
    pub(super) session: Session,
}

/// A request that waits for a vote.
#[must_use]
pub struct Pending {
    pub(super) approval: Approval,
    pub(super) claim: Claim,
    pub(super) permit: Permit,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("approval", &self.approval.id)
            .finish_non_exhaustive()
    }
}

impl Pending {
    /// The approval it waits for.
    pub fn approval(&self) -> ApprovalId {
        self.approval.id
    }
}

// The request holds what was asked; `{:?}` names the exchange alone.
impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("exchange", &self.session.ticket.exchange())
            .finish_non_exhaustive()
    }
}

/// What an open exchange carries along.
pub(super) struct Session {
    pub(super) ticket: Ticket,
    pub(super) policy: Arc<Policy>,
    pub(super) caller: CallerPolicy,
    /// Rules beside the policy's, asked for this caller.
    pub(super) asking: Asking,
    /// The version of the policy, and of what is asked beside it.
    pub(super) policy_version: Arc<str>,
    pub(super) route: Route,
    pub(super) envelope: Envelope,
    pub(super) stream: bool,
    pub(super) decision: Action,
    pub(super) actor: Actor,
    pub(super) digest: Digest,
    pub(super) welcome: Welcome,
    /// Writes what the client reads in place of what was withheld.
    pub(super) notices: Notices,
    /// Settles what the answer takes, when it is dropped.
    pub(super) spending: Option<Spending>,
    /// What was sent upstream with the request.
    pub(super) scrub: Scrub,
    /// The marks of the request that the caller may read what stands behind.
    pub(super) reversals: Option<Reversals>,
}

impl Session {
    /// A piece of the answer as the client gets it. It is on record as it was.
    pub(super) fn delivered(&self, piece: Bytes) -> Bytes {
        match &self.reversals {
            Some(reversals) => reversals.put_back(piece),
            None => piece,
        }
    }
}
