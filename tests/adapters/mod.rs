//! What every adapter must hold, over real loopback sockets. Each adapter's own test starts a server with a
//! [`Script`] behind its guard and runs [`scenarios`].

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod client;
pub(crate) mod scenarios;
mod script;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use copilot_guard::audit::{AuditReader, ExchangeFilter, ExchangeRecord, Outcome};
use copilot_guard::clock::{Clock, SystemClock, Timestamp};
use copilot_guard::dialect::{RouteSet, RouteTable};
use copilot_guard::guard::admin::AdminAccess;
use copilot_guard::guard::{Guard, Settings};
use copilot_guard::identity::Identity;
use copilot_guard::memory::MemoryStore;
use copilot_guard::policy::{Policy, PolicyOptions};
use copilot_guard::token::{TokenError, TokenVerifier};

pub(crate) use client::Client;
pub(crate) use script::{Answer, Script};

/// Longest wait for anything.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// Knows `dev-…` tokens (or `admin-…` ones): the subject is what follows; `ann` and `rae` are reviewers.
#[derive(Debug)]
struct Scripted {
    prefix: &'static str,
}

#[async_trait]
impl TokenVerifier for Scripted {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let name = token
            .strip_prefix(self.prefix)
            .ok_or(TokenError::Invalid("unknown"))?;
        let groups = ["developers", "reviewers", "auditors"];
        let groups = if name == "bob" { &groups[..1] } else { &groups[..] };
        let mut identity = Identity::new("https://idp.test", name, now.plus(Duration::from_secs(600)));
        identity.groups = groups.iter().map(|g| (*g).to_owned()).collect::<BTreeSet<_>>();
        identity.authenticated_at = Some(now);
        Ok(identity)
    }
}

/// A rule that holds every prompt with `production database` in it.
pub(crate) const HOLDS: &str = r#"
version = 1
default = "allow"
[[rules]]
id = "prod"
on = "prompt"
match = { words = ["production database"] }
action = "require_approval"
message = "Production data needs a reviewer."
"#;

/// A guard over a store that the test can read.
pub(crate) fn guard() -> (Guard, MemoryStore) {
    // Compiled once: the built-in rules take seconds without optimisation.
    static POLICY: OnceLock<Policy> = OnceLock::new();
    let policy = POLICY.get_or_init(|| {
        let options = PolicyOptions::new(SystemClock.now()).with_reviewer_groups(["reviewers"]);
        Policy::parse(HOLDS, "test", &options).unwrap()
    });
    let mut settings = Settings::default();
    settings.keep_alive = Duration::from_millis(20);
    let store = MemoryStore::new();
    let mut routes = RouteTable::new();
    assert_eq!(routes.add_set("model", RouteSet::OpenAi), None);
    assert_eq!(routes.add_set("claude", RouteSet::Anthropic), None);
    let admin = AdminAccess::new(Arc::new(Scripted { prefix: "admin-" }))
        .with_reviewers(["reviewers"])
        .with_auditors(["auditors"]);
    let guard = Guard::builder()
        .with_verifier(Scripted { prefix: "dev-" })
        .with_policy(policy.clone())
        .with_store(Arc::new(store.clone()))
        .with_routes(routes)
        .with_admin(admin)
        .with_settings(settings)
        .build()
        .unwrap();
    (guard, store)
}

/// A running adapter.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) data: Client,
    pub(crate) admin: Client,
    pub(crate) store: MemoryStore,
    pub(crate) script: Script,
}

impl Server {
    pub(crate) fn new(data: u16, admin: u16, store: MemoryStore, script: Script) -> Self {
        Self {
            data: Client::new(data),
            admin: Client::new(admin),
            store,
            script,
        }
    }

    /// Waits until an exchange has ended with `outcome`.
    pub(crate) async fn ended(&self, outcome: Outcome) -> ExchangeRecord {
        let filter = ExchangeFilter {
            outcome: Some(outcome),
            ..ExchangeFilter::default()
        };
        until("the exchange to end", async || {
            let page = self.store.list(&filter).await.unwrap();
            page.items.into_iter().next()
        })
        .await
    }
}

/// Asks again and again until there is an answer, within [`BOUND`].
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(BOUND, asking).await {
        Ok(answer) => answer,
        Err(_) => unreachable!("waited in vain for {what}"),
    }
}
