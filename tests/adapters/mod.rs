//! What every adapter must hold, over real loopback sockets. Each adapter's own test starts a server with a
//! [`Script`] behind its guard and runs [`scenarios`].

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod client;
pub mod scenarios;
mod script;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use copilot_guard::audit::{AuditReader, ExchangeFilter, ExchangeRecord, Outcome};
use copilot_guard::clock::{Clock, SystemClock, Timestamp};
use copilot_guard::dialect::{RouteSet, RouteTable};
use copilot_guard::guard::Guard;
use copilot_guard::guard::admin::AdminAccess;
use copilot_guard::identity::Identity;
use copilot_guard::memory::MemoryStore;
use copilot_guard::policy::{Policy, PolicyOptions};
use copilot_guard::token::{TokenError, TokenVerifier};

pub use client::{Client, Reply};
pub use script::{Answer, Script};

/// Longest wait for anything.
pub const BOUND: Duration = Duration::from_secs(20);

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
pub const HOLDS: &str = r#"
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
pub fn guard() -> (Guard, MemoryStore) {
    let options = PolicyOptions::new(SystemClock.now()).with_reviewer_groups(["reviewers"]);
    let store = MemoryStore::new();
    let mut routes = RouteTable::new();
    assert_eq!(routes.add_set("model", RouteSet::OpenAi), None);
    assert_eq!(routes.add_set("claude", RouteSet::Anthropic), None);
    let admin = AdminAccess::new(Arc::new(Scripted { prefix: "admin-" }))
        .with_reviewers(["reviewers"])
        .with_auditors(["auditors"]);
    let guard = Guard::builder()
        .with_verifier(Scripted { prefix: "dev-" })
        .with_policy(Policy::parse(HOLDS, "test", &options).unwrap())
        .with_store(Arc::new(store.clone()))
        .with_routes(routes)
        .with_admin(admin)
        .build()
        .unwrap();
    (guard, store)
}

/// A running adapter.
#[derive(Debug)]
pub struct Server {
    pub data: Client,
    pub admin: Client,
    pub store: MemoryStore,
    pub script: Script,
}

impl Server {
    pub fn new(data: u16, admin: u16, store: MemoryStore, script: Script) -> Self {
        Self {
            data: Client::new(data),
            admin: Client::new(admin),
            store,
            script,
        }
    }

    /// Waits until an exchange has ended with `outcome`.
    pub async fn ended(&self, outcome: Outcome) -> ExchangeRecord {
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
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
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
