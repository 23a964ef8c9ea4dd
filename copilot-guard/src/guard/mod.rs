//! The engine: identifies, admits, and drives answers. Frameworks are thin shells around it.
//!
//! 1. [`Guard::identify`] looks at the head alone: route and token. No body byte is read before it.
//! 2. [`Guard::admit`] takes the whole body and says [`Admission::Forward`], [`Admission::Hold`], [`Admission::Refuse`]
//!    or [`Admission::Reply`]. Only it makes a [`Permit`].
//! 3. [`Guard::respond`] turns an admission into a reply, calling the inner service when it may.

pub mod admin;
mod admit;
mod answer;
mod builder;
mod calls;
mod catch;
mod denial;
mod drive;
mod findings;
mod form;
mod headers;
mod hold;
mod judge;
mod local;
mod models;
mod own;
mod refusals;
mod resent;
mod revoked;
mod scrub;
mod session;
mod settings;
mod spend;
mod tunnel;
mod turns;
mod upkeep;
mod upstream_error;
mod writer;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, StatusCode, Uri};

pub use answer::{BoxError, Reply, ReplyBody, UpstreamReply};
pub use builder::{BuildError, Dangerous, GuardBuilder, Ready, WantsAudit, WantsPolicy, WantsVerifier};
pub use denial::{DECISION_HEADER, Denial, EXCHANGE_HEADER, GITHUB_REQUEST_ID};
pub use drive::Driver;
pub use own::{MAX_OWN_BODY, OwnCall, RevokeError};
pub use session::{Admission, ClientAddress, Identified, Pending, Permit, UpstreamName};
pub use settings::{CopilotEndpoints, LoginHint, OnFailure, RefusalForm, Settings};
pub use tunnel::{Tunnel, TunnelToken};

pub(crate) use catch::catch_async;
use refusals::{Refusals, Summary};
use revoked::Revoked;
use writer::{NotRecorded, Writer};

use crate::access::DeviceGrant;
use crate::approval::ApprovalStore;
use crate::audit::{AuditEvent, AuditReader, EventKind, Stranger};
use crate::budget::BudgetStore;
use crate::clock::{Clock, Timestamp};
use crate::detect::TagKey;
use crate::dialect::{Dialect, RouteTable, Traffic};
use crate::id::{Entropy, ExchangeId};
use crate::identity::Identity;
use crate::policy::Policy;
use crate::policy::engine::Engines;
use crate::token::{GatewayTokens, TokenError, TokenVerifier, credential, exchange_credential};

/// The assembled guard. Cheap to clone; clones are the same guard.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    verifier: Arc<dyn TokenVerifier>,
    policy: arc_swap::ArcSwap<Policy>,
    engines: Engines,
    budgets: Arc<dyn BudgetStore>,
    approvals: Arc<dyn ApprovalStore>,
    reader: Option<Arc<dyn AuditReader>>,
    admin: Option<admin::AdminAccess>,
    routes: RouteTable,
    /// Of which every session's key for tags is made.
    tag_key: TagKey,
    /// Of this process alone, and kept nowhere.
    reversal_key: TagKey,
    gateway_tokens: GatewayTokens,
    settings: Settings,
    clock: Arc<dyn Clock>,
    writer: Writer,
    findings: findings::FindingStore,
    refusals: Mutex<Refusals>,
    revoked: Revoked,
    scrubbers: scrub::Scrubbers,
    /// Looking for an approval and opening one is one step for a person.
    turns: turns::Turns,
}

// Stores and sinks may hold what was asked and answered: `{:?}` shows none of them.
impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("policy", &self.policy().version())
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// Starts with a token verifier, then a policy, then an audit sink.
    pub fn builder() -> GuardBuilder<WantsVerifier> {
        GuardBuilder::new()
    }

    /// The limits and times in force.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.inner.policy.load_full()
    }

    /// Puts another policy in force for requests that come from now on.
    pub fn set_policy(&self, policy: Policy) {
        self.inner.policy.store(Arc::new(policy));
    }

    /// How many batches the audit sink has refused since the start.
    pub fn audit_failures(&self) -> u64 {
        self.inner.writer.failures()
    }

    /// Returns once every event sent so far has been offered to the audit sink. Call it last when shutting down,
    /// after the servers have ended.
    pub async fn drain(&self) {
        let _ = self.drain_outbox().await;
        let summaries = self.refusals().flush();
        self.record_summaries(summaries, self.now());
        self.inner.writer.flush().await;
    }

    /// Looks at the head of a request: is there such a route, and who asks? Nothing of the body may be read before.
    /// A [`TunnelToken`] among the request's extensions is asked in place of its headers.
    ///
    /// # Errors
    /// 404 without a route, 400 for an upgrade or a token whose groups are cut off, 401 without an acceptable token, 503
    /// when tokens cannot be checked. The refusal is recorded.
    /// What is answered without asking who (telemetry, experiments) is a reply here too.
    pub async fn identify(&self, parts: &Parts) -> Result<Identified, Denial> {
        let now = self.now();
        let exchange = ExchangeId::new(now, entropy());
        let path = parts.uri.path();
        let tunnel = parts.extensions.get::<TunnelToken>();
        // In a tunnel the host was agreed on; elsewhere what a client writes there decides nothing.
        let host = tunnel.and(parts.uri.host());
        let Some(route) = self.inner.routes.find(&parts.method, host, path) else {
            let dialect = RouteTable::dialect_hint(path);
            let message = "There is no such route on this gateway. Check the base URL and the path.";
            return Err(self.refuse(
                exchange,
                dialect,
                StatusCode::NOT_FOUND,
                "unknown_route",
                message,
                stranger(parts),
            ));
        };
        let dialect = route.dialect;
        match route.traffic {
            // Nothing is asked and nothing told that is about anybody.
            Traffic::Telemetry => return Err(Denial::reply(exchange, local::telemetry(exchange))),
            Traffic::Static(what) => return Err(Denial::reply(exchange, local::fixed(exchange, what))),
            Traffic::LoginHint => return Err(self.login_hint(exchange, parts)),
            _ => {}
        }
        if parts.headers.contains_key(http::header::UPGRADE) {
            let message = "This gateway does not upgrade connections. Use plain HTTP.";
            return Err(self.refuse(
                exchange,
                dialect,
                StatusCode::BAD_REQUEST,
                "upgrade_refused",
                message,
                stranger(parts),
            ));
        }
        // Inside of a tunnel, what the headers hold is meant for the far server and identifies nobody here.
        let found = match (tunnel, route.traffic) {
            (Some(token), _) => Ok(token.expose()),
            (None, Traffic::TokenExchange(_)) => exchange_credential(&parts.headers),
            (None, _) => credential(&parts.headers),
        };
        let token = match found {
            Ok(token) => token,
            Err(_) if !self.inner.verifier.needs_token() => "",
            Err(error) => return Err(self.refuse_token(exchange, dialect, &error, stranger(parts))),
        };
        let verified = match route.traffic {
            Traffic::TokenExchange(_) => self.verify_for_exchange(token, now).await,
            _ => self.verify(token, now).await,
        };
        match verified {
            Ok(identity) => Ok(Identified {
                exchange,
                route,
                identity,
                token: crate::secret::Secret::new(token),
                now,
            }),
            Err(error) => Err(self.refuse_token(exchange, dialect, &error, stranger(parts))),
        }
    }

    /// Whom a token names, unless it was withdrawn: one of the gateway's own, or one that the verifier knows.
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Identity>, TokenError> {
        let identity = if GatewayTokens::is_one(token) {
            self.inner.gateway_tokens.verify(token, now)?
        } else if DeviceGrant::is_one(token) {
            // Good for a token, and for nothing else: it may lie on a disk for days.
            return Err(TokenError::Invalid("device_grant"));
        } else {
            let verified = std::panic::AssertUnwindSafe(self.inner.verifier.verify(token, now));
            let verified = catch::catch_async(verified).await;
            verified.unwrap_or(Err(TokenError::Unavailable))?
        };
        self.inner.revoked.check(&identity, now).await?;
        Ok(Arc::new(identity))
    }

    /// The same where a gateway token is asked for: a device grant counts there.
    async fn verify_for_exchange(&self, token: &str, now: Timestamp) -> Result<Arc<Identity>, TokenError> {
        if !DeviceGrant::is_one(token) {
            return self.verify(token, now).await;
        }
        let identity = self.redeem(token, now).await?;
        self.inner.revoked.check(&identity, now).await?;
        Ok(Arc::new(identity))
    }

    /// The refusal of a body that is too large to be read.
    pub fn refuse_too_large(&self, identified: &Identified) -> Denial {
        let limit = self.inner.settings.max_request_bytes;
        let message = format!("The request is larger than the gateway's limit of {limit} bytes. Shorten it.");
        let (exchange, dialect) = (identified.exchange, identified.route.dialect);
        self.refuse(
            exchange,
            dialect,
            StatusCode::PAYLOAD_TOO_LARGE,
            "request_too_large",
            message,
            Stranger::default(),
        )
    }

    /// The refusal of a body that broke off.
    pub fn refuse_broken_body(&self, identified: &Identified) -> Denial {
        let (exchange, dialect) = (identified.exchange, identified.route.dialect);
        let message = "The request's body could not be read to its end. Send it again.";
        self.refuse(
            exchange,
            dialect,
            StatusCode::BAD_REQUEST,
            "malformed_request",
            message,
            Stranger::default(),
        )
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn refuse_token(
        &self,
        exchange: ExchangeId,
        dialect: Dialect,
        error: &TokenError,
        from: Stranger,
    ) -> Denial {
        let (status, message) = token_refusal(error);
        self.refuse(exchange, dialect, status, error.code(), message, from)
    }

    /// The same, of somebody who is known: recorded by the caller.
    fn token_denial(&self, exchange: ExchangeId, dialect: Dialect, error: &TokenError) -> Denial {
        let (status, message) = token_refusal(error);
        let code = match error {
            TokenError::GroupsOverage => "groups_overage",
            error if error.is_unavailable() => error.code(),
            _ => "invalid_token",
        };
        Denial::new(exchange, dialect, status, code, message)
    }

    /// A refusal before anybody is known (or anything is judged), recorded within the quota of such refusals.
    fn refuse(
        &self,
        exchange: ExchangeId,
        dialect: Dialect,
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        from: Stranger,
    ) -> Denial {
        let now = self.now();
        let due = self
            .refusals()
            .note(code, status.as_u16(), from.address.as_deref(), now);
        self.record_summaries(due.summaries, now);
        if due.singly {
            let kind = EventKind::Refused {
                code: code.to_owned(),
                status: status.as_u16(),
                count: 1,
                from: (from != Stranger::default()).then(|| Box::new(self.clean(from))),
            };
            self.inner
                .writer
                .send(vec![AuditEvent::new(exchange, 0, now, kind)]);
        }
        // Why a token was refused is for the record alone.
        let shown = match status {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => "invalid_token",
            _ => code,
        };
        Denial::new(exchange, dialect, status, shown, message)
    }

    /// A stranger's words without what looks like a secret: a token pasted into the address, mostly.
    fn clean(&self, mut from: Stranger) -> Stranger {
        let policy = self.policy();
        let rules = policy.rule_set();
        let all = rules.all();
        for text in [&mut from.request, &mut from.user_agent].into_iter().flatten() {
            if !rules.scan(&all, text.as_bytes()).is_empty() {
                *text = rules.marks().render("request", None);
            }
        }
        from
    }

    fn record_summaries(&self, summaries: Vec<Summary>, now: Timestamp) {
        let events = summaries.into_iter().map(|summary| {
            let from = summary.address.map(|address| Stranger {
                address: Some(address),
                ..Stranger::default()
            });
            let kind = EventKind::Refused {
                code: summary.code.to_owned(),
                status: summary.status,
                count: summary.count,
                from: from.map(Box::new),
            };
            AuditEvent::new(ExchangeId::new(now, entropy()), 0, now, kind)
        });
        let events: Vec<_> = events.collect();
        if !events.is_empty() {
            self.inner.writer.send(events);
        }
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.inner.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings committed approval events to the audit sink. A release waits for it.
    async fn drain_outbox(&self) -> Result<(), NotRecorded> {
        let drained = catch::catch_async(std::panic::AssertUnwindSafe(self.move_outbox()));
        drained.await.unwrap_or(Err(NotRecorded))
    }

    async fn move_outbox(&self) -> Result<(), NotRecorded> {
        loop {
            let events = self.inner.approvals.outbox(128).await.map_err(|_| NotRecorded)?;
            if events.is_empty() {
                return Ok(());
            }
            let ids: Vec<String> = events.iter().map(|e| e.id.clone()).collect();
            self.inner.writer.append_strictly(events).await?;
            self.inner
                .approvals
                .outbox_done(&ids)
                .await
                .map_err(|_| NotRecorded)?;
        }
    }
}

/// What a refusal's record says of a caller who is not known.
fn stranger(parts: &Parts) -> Stranger {
    stranger_of(&parts.method, &parts.uri, &parts.headers, &parts.extensions)
}

fn stranger_of(method: &Method, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> Stranger {
    let cut = |text: &str| text.chars().take(200).collect::<String>();
    Stranger {
        address: extensions.get::<ClientAddress>().map(|a| a.0.to_string()),
        request: Some(cut(&format!("{method} {}", uri.path()))),
        user_agent: headers
            .get(http::header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(cut),
    }
}

/// Status and words for a token that was not accepted.
fn token_refusal(error: &TokenError) -> (StatusCode, &'static str) {
    match error {
        error if error.is_unavailable() => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Identity cannot be checked right now. Try again in a moment.",
        ),
        TokenError::GroupsOverage => (
            StatusCode::BAD_REQUEST,
            "Your token's group list is cut off by the identity provider. Ask your administrator to limit the groups it carries.",
        ),
        _ => (
            StatusCode::UNAUTHORIZED,
            "This gateway needs a valid token of your organisation. Sign in again and use the fresh token as API key.",
        ),
    }
}

/// Ten random bytes. Without a working source of randomness identifiers still differ by their time.
fn entropy() -> Entropy {
    let mut bytes = Entropy::default();
    if getrandom::fill(&mut bytes).is_err() {
        tracing::error!("the system's source of randomness failed");
    }
    bytes
}
