//! From configuration to a guard and what stands behind it.

use std::sync::Arc;

use copilot_guard::audit::{AuditError, AuditEvent, AuditSink, Durable, JsonLinesSink};
use copilot_guard::clock::{Clock as _, SystemClock, Timestamp};
use copilot_guard::detect::TagKey;
use copilot_guard::dialect::{Dialect, RouteSet, RouteTable};
use copilot_guard::groups::GroupResolver;
use copilot_guard::guard::admin::AdminAccess;
use copilot_guard::guard::{CopilotEndpoints, Guard, OnFailure, RefusalForm, Settings};
use copilot_guard::identity::Identity;
use copilot_guard::outbound::{HttpClient, HyperClient};
use copilot_guard::policy::Policy;
use copilot_guard::secret::Secret;
use copilot_guard::token::{
    GatewayTokens, HttpFetcher, IssuerConfig, KeyFetcher, LogoutToken, OidcVerifier, TokenError,
    TokenVerifier,
};
use copilot_guard_sqlite::SqliteStore;

use super::forward::Forward;
use super::metrics::{Metrics, Watched};
use super::resolvers;
use crate::config::Config;
use crate::config::hosts::HostPattern;
use crate::config::identity::Issuer;
use crate::config::server::Refusal;
use crate::config::store::{OnFailure as ConfiguredFailure, Store};
use crate::config::upstream::{Dialect as ConfiguredDialect, RouteSet as ConfiguredRoutes};
use crate::failure::Failure;
use crate::forward;
use crate::keys::Keys;

/// Everything a running gateway is made of.
pub(super) struct Assembled {
    pub(super) guard: Guard,
    pub(super) forward: Forward,
    pub(super) metrics: Arc<Metrics>,
    /// Data plane, then admin plane.
    pub(super) verifiers: Arc<[OidcVerifier; 2]>,
}

/// Checks everything that can be checked without starting.
pub(crate) fn check(config: &Config) -> Result<Policy, Failure> {
    routes(config)?;
    let directories = directories(config)?;
    verifier(
        config,
        false,
        Arc::new(copilot_guard::token::NoFetch),
        &directories,
    )?;
    verifier(
        config,
        true,
        Arc::new(copilot_guard::token::NoFetch),
        &directories,
    )?;
    Forward::new(config)?;
    if let Some(tls) = &config.server.tls {
        super::listen::tls(tls, super::listen::REVERSE)?;
    }
    if let Some(path) = &config.keys {
        Keys::load(path)?;
    }
    forward::Plan::new(config)?;
    policy(config)
}

/// Reads the policy file of this configuration.
pub(super) fn policy(config: &Config) -> Result<Policy, Failure> {
    let file = &config.policy.file;
    let policy = super::load_policy(file, &config.approvals.reviewer_groups, credentials(config))?;
    match &config.policy.approved {
        Some(approved) if !approved.iter().any(|version| version == policy.version()) => Err(Failure::new(
            format!("the policy `{}` is not signed off", file.display()),
            format!(
                "its version {} is not among `approved` in `[policy]`",
                policy.version()
            ),
            "have it reviewed and add the version there, or put back the file that was",
        )),
        _ => Ok(policy),
    }
}

pub(super) fn assemble(config: &Config) -> Result<Assembled, Failure> {
    let policy = policy(config)?;
    let now = SystemClock.now();
    let Store::Sqlite(path) = &config.store;
    let store = SqliteStore::open(path, now).map_err(|error| {
        Failure::new(
            format!("the store `{}` cannot be opened", path.display()),
            error,
            "check the path, its permissions and the disk",
        )
    })?;
    // With a second sink, votes reach both by way of the outbox; alone, the store commits vote and record in one step.
    let store = Arc::new(if config.audit.sink.is_some() {
        store.with_outbox()
    } else {
        store
    });
    let fetcher: Arc<dyn KeyFetcher> = Arc::new(HttpFetcher::new().map_err(|error| {
        Failure::new(
            "the client for identity keys cannot be made",
            error,
            "check the system's root certificates",
        )
    })?);
    let directories = directories(config)?;
    let verifiers = Arc::new([
        verifier(config, false, fetcher.clone(), &directories)?,
        verifier(config, true, fetcher, &directories)?,
    ]);
    let metrics = Arc::new(Metrics::default());
    let mut sinks: Vec<Arc<dyn AuditSink>> = vec![store.clone()];
    if let Some(path) = &config.audit.sink {
        let sink = JsonLinesSink::open(path, now).map_err(|error| {
            Failure::new(
                format!("the audit file `{}` cannot be opened", path.display()),
                error,
                "check the path and its permissions",
            )
        })?;
        sinks.push(Arc::new(sink));
    }
    let sink = Watched::new(Fanout(sinks), metrics.clone());
    let access = AdminAccess::new(Arc::new(Shared(verifiers.clone(), 1)))
        .with_reviewers(reviewers(config))
        .with_auditors(config.audit.auditor_groups.iter().cloned())
        .with_operators(config.admin.operator_groups.iter().cloned());
    let access = {
        let mut access = access;
        access.login_max_age = Some(config.admin.login_max_age);
        access
    };
    let mut builder = Guard::builder()
        .with_shared_verifier(Arc::new(Shared(verifiers.clone(), 0)))
        .with_policy(policy)
        .with_audit(sink)
        .with_approvals(store.clone())
        .with_access(store.clone())
        .with_reader(store)
        .with_admin(access)
        .with_routes(routes(config)?)
        .with_settings(settings(config));
    if let Some(path) = &config.keys {
        let keys = Keys::load(path)?;
        builder = builder
            .with_tag_key(TagKey::new(keys.derive("tags")?))
            .with_gateway_tokens(GatewayTokens::new(keys.derive("gateway tokens")?));
    }
    let guard = builder
        .build()
        .map_err(|error| Failure::new("the gateway cannot be built", error, "check the configuration"))?;
    Ok(Assembled {
        guard,
        forward: Forward::new(config)?,
        metrics,
        verifiers,
    })
}

/// Values that must never come down: every credential that is known now, and the secrets that bring others.
fn credentials(config: &Config) -> Vec<(String, Secret)> {
    let values = config
        .upstreams
        .iter()
        .flat_map(|upstream| upstream.credential.secrets())
        .chain(
            config
                .issuers
                .iter()
                .filter_map(|i| i.resolver.as_ref())
                .flat_map(|r| r.secrets()),
        );
    let mut exact: Vec<(String, Secret)> = Vec::new();
    for value in values {
        if !exact.iter().any(|(_, known)| known.expose() == value.expose()) {
            let id = if exact.is_empty() {
                "upstream-credential".to_owned()
            } else {
                format!("upstream-credential-{}", exact.len() + 1)
            };
            exact.push((id, value.clone()));
        }
    }
    exact
}

/// Groups that may see approvals: those of the configuration. Whose vote counts is each approval's own requirement.
fn reviewers(config: &Config) -> Vec<String> {
    config.approvals.reviewer_groups.clone()
}

fn settings(config: &Config) -> Settings {
    let mut settings = Settings::default();
    settings.max_request_bytes = usize::try_from(config.server.max_request_bytes).unwrap_or(usize::MAX);
    settings.hold_streaming = config.approvals.hold_streaming;
    settings.hold_plain = config.approvals.hold_plain;
    settings.pending_ttl = config.approvals.pending_ttl;
    settings.ride_window = config.approvals.ride_window;
    settings.ride_uses = config.approvals.ride_uses;
    settings.copilot_endpoints = match &config.server.ca {
        // Behind a forward proxy clients keep to GitHub's names.
        Some(_) => Some(CopilotEndpoints::hosted()),
        None => config.server.public_url.as_deref().map(CopilotEndpoints::at),
    };
    settings.hand_on_tokens = config
        .upstreams
        .iter()
        .filter(|upstream| upstream.credential.needs_caller_token())
        .map(|upstream| upstream.name.clone())
        .collect();
    settings.grant_lifetime = config.login.grant_lifetime;
    settings.login = config.login.hint.clone();
    settings.max_undurable = usize::try_from(config.audit.max_undurable).unwrap_or(usize::MAX);
    settings.on_audit_failure = match config.audit.on_failure {
        ConfiguredFailure::Deny => OnFailure::Deny,
        ConfiguredFailure::BestEffort => OnFailure::BestEffort,
    };
    settings.refusal = match config.server.refusal {
        Refusal::Error => RefusalForm::Error,
        Refusal::AssistantText => RefusalForm::AssistantText,
    };
    settings
}

fn routes(config: &Config) -> Result<RouteTable, Failure> {
    let mut table = RouteTable::new();
    for upstream in &config.upstreams {
        if config.server.ca.is_some() {
            let hosts = upstream.hosts.iter().map(HostPattern::without_port);
            table.add_hosts(&upstream.name, hosts);
        }
    }
    // Ghost text first: the set `copilot` leaves out what leads to another upstream.
    for upstream in &config.upstreams {
        if upstream.routes.contains(&ConfiguredRoutes::GhostText) {
            clash(table.add_set(&upstream.name, RouteSet::GhostText))?;
        }
    }
    for upstream in &config.upstreams {
        for set in &upstream.routes {
            let set = match set {
                ConfiguredRoutes::GhostText => continue,
                ConfiguredRoutes::Copilot => RouteSet::Copilot,
                ConfiguredRoutes::Openai => RouteSet::OpenAi,
                ConfiguredRoutes::Anthropic => RouteSet::Anthropic,
            };
            clash(table.add_set(&upstream.name, set))?;
        }
        for own in &upstream.paths {
            let dialect = match own.dialect {
                ConfiguredDialect::Chat => Dialect::Chat,
                ConfiguredDialect::Completions => Dialect::Completions,
                ConfiguredDialect::GhostText => Dialect::GhostText,
                ConfiguredDialect::Responses => Dialect::Responses,
                ConfiguredDialect::Messages => Dialect::Messages,
                ConfiguredDialect::Embeddings => Dialect::Embeddings,
                ConfiguredDialect::Mcp => Dialect::Mcp,
            };
            clash(table.add_path(&upstream.name, &own.path, dialect))?;
        }
    }
    Ok(table)
}

fn clash(path: Option<String>) -> Result<(), Failure> {
    match path {
        None => Ok(()),
        Some(path) => Err(Failure::new(
            format!("the path `{path}` leads to two upstreams"),
            "a request could go to either",
            "give each route set and path to one upstream",
        )),
    }
}

/// The directory of each issuer that has one.
type Directories = Vec<Option<Arc<dyn GroupResolver>>>;

fn directories(config: &Config) -> Result<Directories, Failure> {
    let http: Arc<dyn HttpClient> = Arc::new(HyperClient::new().map_err(|error| {
        Failure::new(
            "the client for directories cannot be made",
            error,
            "check the system's root certificates",
        )
    })?);
    let of = |issuer: &Issuer| {
        let resolver = issuer.resolver.as_ref();
        resolver
            .map(|resolver| resolvers::resolver(resolver, &http))
            .transpose()
    };
    config.issuers.iter().map(of).collect()
}

fn verifier(
    config: &Config,
    admin: bool,
    fetcher: Arc<dyn KeyFetcher>,
    directories: &Directories,
) -> Result<OidcVerifier, Failure> {
    let mut builder = OidcVerifier::builder(fetcher);
    for (issuer, directory) in config.issuers.iter().zip(directories) {
        let mut issuer = issuer_config(issuer, directory.as_ref())?;
        if admin {
            issuer.audiences.clone_from(&config.admin.audiences);
            // These say which programs may use the model. Whoever reviews has another one, and an audience of its own.
            issuer.clients.clear();
            issuer.scopes.clear();
        } else if let Some(login) = config.login.hint.as_ref().filter(|l| l.issuer == issuer.issuer) {
            issuer.logout_audiences.push(login.client_id.clone());
        }
        builder = builder.issuer(issuer);
    }
    builder.build().map_err(|error| {
        Failure::new(
            "identity cannot be checked",
            error,
            "correct `[[identity.issuers]]`",
        )
    })
}

fn issuer_config(
    issuer: &Issuer,
    resolver: Option<&Arc<dyn GroupResolver>>,
) -> Result<IssuerConfig, Failure> {
    let mut config = issuer.config.clone();
    // Where cut lists are refused, the directory is asked for other tokens alone, or not at all.
    config.resolver = resolver.cloned();
    if let Some(path) = &issuer.jwks_file {
        let failure = |error: Box<dyn std::error::Error + Send + Sync>| {
            Failure::new(
                format!("the key set `{}` cannot be read", path.display()),
                error,
                "check `jwks_file`",
            )
        };
        // Now, so that a mistake is found at the start; later it is read again as it changes.
        let keys = std::fs::read(path).map_err(|error| failure(error.into()))?;
        let mut now = config.clone();
        now.jwks = Some(keys.into());
        now.validate().map_err(|error| failure(error.into()))?;
        config.jwks_path = Some(path.clone());
    }
    Ok(config)
}

/// One of the verifiers, which the key task shares.
#[derive(Debug)]
struct Shared(Arc<[OidcVerifier; 2]>, usize);

#[async_trait::async_trait]
impl TokenVerifier for Shared {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        match self.0.get(self.1) {
            Some(verifier) => verifier.verify(token, now).await,
            None => Err(TokenError::Unavailable),
        }
    }

    async fn renew(&self, identity: Identity, now: Timestamp) -> Result<Identity, TokenError> {
        match self.0.get(self.1) {
            Some(verifier) => verifier.renew(identity, now).await,
            None => Err(TokenError::Unavailable),
        }
    }

    async fn verify_logout(&self, token: &str, now: Timestamp) -> Result<LogoutToken, TokenError> {
        match self.0.get(self.1) {
            Some(verifier) => verifier.verify_logout(token, now).await,
            None => Err(TokenError::Unavailable),
        }
    }
}

/// Several sinks: durable is what all of them hold. Each takes events again by their ids.
#[derive(Debug)]
pub(super) struct Fanout(Vec<Arc<dyn AuditSink>>);

#[async_trait::async_trait]
impl AuditSink for Fanout {
    async fn append(&self, events: &[AuditEvent]) -> Result<Durable, AuditError> {
        for sink in &self.0 {
            let _durable = sink.append(events).await?;
        }
        Ok(Durable::acknowledged())
    }
}
