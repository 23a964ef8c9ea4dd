//! Putting a guard together. The type says what is still missing: verifier, policy and audit are not optional.

use std::sync::Arc;

use super::settings::Settings;
use super::{Guard, Inner, Refusals, Writer};
use crate::access::AccessStore;
use crate::approval::ApprovalStore;
use crate::audit::{AuditError, AuditEvent, AuditReader, AuditSink, Durable};
use crate::budget::{BudgetStore, MemoryBudgets};
use crate::clock::{Clock, SystemClock};
use crate::detect::TagKey;
use crate::dialect::RouteTable;
use crate::identity::Identity;
use crate::memory::MemoryStore;
use crate::policy::Policy;
use crate::policy::engine::{Engines, PolicyEngine};
use crate::token::{GatewayTokens, TokenError, TokenVerifier};

/// The builder needs a token verifier next.
#[derive(Debug)]
pub struct WantsVerifier(());

/// The builder needs a policy next.
#[derive(Debug)]
pub struct WantsPolicy {
    verifier: Arc<dyn TokenVerifier>,
}

/// The builder needs an audit sink next.
#[derive(Debug)]
pub struct WantsAudit {
    verifier: Arc<dyn TokenVerifier>,
    policy: Policy,
}

/// Everything required is there.
#[derive(Debug)]
pub struct Ready {
    verifier: Arc<dyn TokenVerifier>,
    policy: Policy,
    sink: Arc<dyn AuditSink>,
    approvals: Option<Arc<dyn ApprovalStore>>,
    reader: Option<Arc<dyn AuditReader>>,
    admin: Option<super::admin::AdminAccess>,
    routes: RouteTable,
    tag_key: Option<TagKey>,
    gateway_tokens: Option<GatewayTokens>,
    access: Option<Arc<dyn AccessStore>>,
    engines: Vec<Arc<dyn PolicyEngine>>,
    budgets: Option<Arc<dyn BudgetStore>>,
    settings: Settings,
    clock: Arc<dyn Clock>,
}

/// Builds a [`Guard`]; see [`Guard::builder`].
#[derive(Debug)]
pub struct GuardBuilder<S> {
    state: S,
}

/// Why a guard could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no route: every request would be refused.
    #[error("no routes: nothing would be let through: add a route set or a path")]
    NoRoutes,
    /// The audit task needs a runtime.
    #[error(
        "not within a tokio runtime: the audit task cannot start: build the guard inside `#[tokio::main]` or `block_on`"
    )]
    NoRuntime,
    /// Tags made without a secret key would let anybody confirm a guess.
    #[error("no randomness: the key of the tags cannot be made: mend the system's source, or give a key")]
    NoRandomness,
}

impl GuardBuilder<WantsVerifier> {
    pub(super) fn new() -> Self {
        Self {
            state: WantsVerifier(()),
        }
    }

    /// Who checks tokens.
    pub fn with_verifier(self, verifier: impl TokenVerifier) -> GuardBuilder<WantsPolicy> {
        self.with_shared_verifier(Arc::new(verifier))
    }

    /// Who checks tokens, shared with others.
    pub fn with_shared_verifier(self, verifier: Arc<dyn TokenVerifier>) -> GuardBuilder<WantsPolicy> {
        GuardBuilder {
            state: WantsPolicy { verifier },
        }
    }

    /// Ways to leave out what protects.
    pub fn dangerous(self) -> Dangerous<WantsVerifier> {
        Dangerous(self.state)
    }
}

impl GuardBuilder<WantsPolicy> {
    /// What is allowed to whom.
    pub fn with_policy(self, policy: Policy) -> GuardBuilder<WantsAudit> {
        GuardBuilder {
            state: WantsAudit {
                verifier: self.state.verifier,
                policy,
            },
        }
    }
}

impl GuardBuilder<WantsAudit> {
    /// Where the record goes.
    pub fn with_audit(self, sink: impl AuditSink) -> GuardBuilder<Ready> {
        self.with_shared_audit(Arc::new(sink))
    }

    /// Where the record goes, shared with others.
    pub fn with_shared_audit(self, sink: Arc<dyn AuditSink>) -> GuardBuilder<Ready> {
        let WantsAudit { verifier, policy } = self.state;
        GuardBuilder {
            state: Ready {
                verifier,
                policy,
                sink,
                approvals: None,
                reader: None,
                admin: None,
                routes: RouteTable::new(),
                tag_key: None,
                gateway_tokens: None,
                access: None,
                engines: Vec::new(),
                budgets: None,
                settings: Settings::default(),
                clock: Arc::new(SystemClock),
            },
        }
    }

    /// One store for the record, its reader, access, and approvals, so that a vote and its record commit together.
    pub fn with_store<S: AuditSink + AuditReader + ApprovalStore + AccessStore>(
        self,
        store: Arc<S>,
    ) -> GuardBuilder<Ready> {
        let mut builder = self.with_shared_audit(store.clone());
        builder.state.reader = Some(store.clone());
        builder.state.access = Some(store.clone());
        builder.state.approvals = Some(store);
        builder
    }

    /// Ways to leave out what protects.
    pub fn dangerous(self) -> Dangerous<WantsAudit> {
        Dangerous(self.state)
    }
}

impl GuardBuilder<Ready> {
    /// Who keeps approvals. Without one they live in memory and end with the process.
    #[must_use]
    pub fn with_approvals(mut self, store: Arc<dyn ApprovalStore>) -> Self {
        self.state.approvals = Some(store);
        self
    }

    /// Who reads the record for the admin API.
    #[must_use]
    pub fn with_reader(mut self, reader: Arc<dyn AuditReader>) -> Self {
        self.state.reader = Some(reader);
        self
    }

    /// Who may use the admin API. Without it, every admin request is refused.
    #[must_use]
    pub fn with_admin(mut self, access: super::admin::AdminAccess) -> Self {
        self.state.admin = Some(access);
        self
    }

    /// Which paths exist.
    #[must_use]
    pub fn with_routes(mut self, routes: RouteTable) -> Self {
        self.state.routes = routes;
        self
    }

    /// The key of which every session's key for the tags of marks is made. Without one it is random and ends with the
    /// process: tags of one session then differ between replicas, and after a restart.
    #[must_use]
    pub fn with_tag_key(mut self, key: TagKey) -> Self {
        self.state.tag_key = Some(key);
        self
    }

    /// Who makes and checks the gateway's own tokens. Without it their key is random: they end with the process, and
    /// no other replica takes them.
    #[must_use]
    pub fn with_gateway_tokens(mut self, tokens: GatewayTokens) -> Self {
        self.state.gateway_tokens = Some(tokens);
        self
    }

    /// Who keeps device grants and revocations. Without one they live in memory and end with the process.
    #[must_use]
    pub fn with_access(mut self, store: Arc<dyn AccessStore>) -> Self {
        self.state.access = Some(store);
        self
    }

    /// Rules of one's own beside the policy's, in place of those named before.
    #[must_use]
    pub fn with_engine(mut self, engine: Arc<dyn PolicyEngine>) -> Self {
        self.state.engines = vec![engine];
        self
    }

    /// Further rules of one's own: the strictest of all counts.
    #[must_use]
    pub fn add_engine(mut self, engine: Arc<dyn PolicyEngine>) -> Self {
        self.state.engines.push(engine);
        self
    }

    /// Who counts what the policy's `[[budgets]]` limit. Without one, counts live in memory and end with the process.
    #[must_use]
    pub fn with_budgets(mut self, store: Arc<dyn BudgetStore>) -> Self {
        self.state.budgets = Some(store);
        self
    }

    /// Limits and times.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.state.settings = settings;
        self
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.state.clock = clock;
        self
    }

    /// Builds the guard and starts its audit task on the current tokio runtime.
    ///
    /// # Errors
    /// There is no route, no runtime, or no randomness.
    pub fn build(self) -> Result<Guard, BuildError> {
        let Ready {
            verifier,
            policy,
            sink,
            approvals,
            reader,
            admin,
            routes,
            tag_key,
            gateway_tokens,
            access,
            engines,
            budgets,
            settings,
            clock,
        } = self.state;
        if routes.is_empty() {
            return Err(BuildError::NoRoutes);
        }
        let tag_key = match tag_key {
            Some(key) => key,
            None => TagKey::new(*random_key()?),
        };
        let gateway_tokens = match gateway_tokens {
            Some(tokens) => tokens,
            None => GatewayTokens::new(*random_key()?),
        };
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let writer = Writer::start(sink, settings.on_audit_failure, &runtime);
        let access = access.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        let approvals = approvals.unwrap_or_else(|| Arc::new(MemoryStore::new().with_outbox()));
        let inner = Arc::new(Inner {
            verifier,
            policy: arc_swap::ArcSwap::from_pointee(policy),
            engines: Engines::new(engines),
            budgets: budgets.unwrap_or_else(|| Arc::new(MemoryBudgets::new())),
            approvals,
            reader,
            admin,
            routes,
            tag_key,
            reversal_key: TagKey::new(*random_key()?),
            gateway_tokens,
            settings,
            clock,
            writer,
            refusals: std::sync::Mutex::new(Refusals::default()),
            scrubbers: super::scrub::Scrubbers::default(),
            revoked: super::revoked::Revoked::new(access),
            turns: super::turns::Turns::default(),
            findings: super::findings::FindingStore::default(),
        });
        runtime.spawn(super::upkeep::run(Arc::downgrade(&inner)));
        runtime.spawn(super::upkeep::run_revocations(Arc::downgrade(&inner)));
        Ok(Guard { inner })
    }
}

fn random_key() -> Result<zeroize::Zeroizing<[u8; 32]>, BuildError> {
    let mut key = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| BuildError::NoRandomness)?;
    Ok(key)
}

/// Ways to leave out what protects. Each is one line to find in a review.
#[derive(Debug)]
pub struct Dangerous<S>(S);

impl Dangerous<WantsVerifier> {
    /// Everybody is this person; no token is asked for.
    pub fn without_identity(self, everybody: Identity) -> GuardBuilder<WantsPolicy> {
        GuardBuilder::new().with_verifier(Everybody(everybody))
    }
}

impl Dangerous<WantsAudit> {
    /// Nothing is recorded.
    pub fn without_audit(self) -> GuardBuilder<Ready> {
        GuardBuilder { state: self.0 }.with_audit(NoRecord)
    }
}

#[derive(Debug)]
struct Everybody(Identity);

#[async_trait::async_trait]
impl TokenVerifier for Everybody {
    async fn verify(&self, _token: &str, _now: crate::clock::Timestamp) -> Result<Identity, TokenError> {
        Ok(self.0.clone())
    }

    fn needs_token(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct NoRecord;

#[async_trait::async_trait]
impl AuditSink for NoRecord {
    async fn append(&self, _events: &[AuditEvent]) -> Result<Durable, AuditError> {
        Ok(Durable::acknowledged())
    }
}
