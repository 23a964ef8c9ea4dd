//! Starts the parts of the demo and writes the configuration that the gateway reads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use copilot_guard::clock::{Clock as _, SystemClock};

use super::client::Client;
use super::idp::IdentityProvider;
use super::model;
use crate::config::Config;
use crate::failure::Failure;
use crate::serve::{self, Running};

const POLICY: &str = r#"version = 1
default = "allow"

[[rules]]
id = "bluebird-is-secret"
on = "prompt"
match = { words = ["project bluebird"] }
action = "block"
message = "Project Bluebird must not be discussed with a model."
severity = "high"

[[rules]]
id = "production-needs-review"
on = "prompt"
match = { regex = ['(?i)\bprod(uction)? database\b'] }
action = "require_approval"
approvals = { any = [{ "security-reviewers" = 1 }] }
message = "Production data needs a reviewer."
severity = "high"

[[rules]]
id = "no-remote-scripts"
on = "tool_call"
match = { commands = "block" }
action = "block"
message = "Running a script straight from the network is not allowed."
"#;

/// The credential that no developer ever sees. Made of parts so that scanners of source code do not take it for real.
pub(super) const UPSTREAM_CREDENTIAL: &str = concat!("demo-upstream-", "credential-7d1f0c");

/// Tokens of the demo's people.
pub(super) struct People {
    /// A developer.
    pub(super) dana: String,
    /// A reviewer; her token is of the admin audience.
    pub(super) rita: String,
    /// An auditor; his token is of the admin audience.
    pub(super) alex: String,
    /// Dana's own token of the admin audience: she is a reviewer too, but not of her own requests.
    pub(super) dana_as_reviewer: String,
}

/// The running demo.
pub(super) struct Demo {
    pub(super) data_url: String,
    pub(super) admin_url: String,
    pub(super) idp_url: String,
    pub(super) model_url: String,
    pub(super) folder: PathBuf,
    pub(super) people: People,
    /// How many requests the scripted model has seen.
    pub(super) model_requests: Arc<AtomicU64>,
    pub(super) client: Client,
    running: Running,
}

impl Demo {
    pub(super) async fn start() -> Result<Self, Failure> {
        let fail = |what: &str, error: &dyn std::fmt::Display| {
            Failure::new(what, error, "free some ports and disk space on this machine")
        };
        let now = SystemClock.now();
        let idp = IdentityProvider::start()
            .await
            .map_err(|e| fail("the identity provider cannot start", &e))?;
        let model_requests = Arc::new(AtomicU64::new(0));
        let model = model::start(model_requests.clone())
            .await
            .map_err(|e| fail("the model cannot start", &e))?;
        let folder = std::env::temp_dir().join(format!(
            "copilot-guard-demo-{}-{}",
            std::process::id(),
            now.as_millis()
        ));
        std::fs::create_dir_all(&folder).map_err(|e| fail("the demo's folder cannot be made", &e))?;
        let guard_toml = format!(
            r#"[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"

[[identity.issuers]]
issuer = "{idp}"
audiences = ["copilot-guard"]
allow_http_loopback = true
groups = [{{ claim = "groups" }}]

[[upstreams]]
name = "scripted-model"
base_url = "{model}"
routes = ["openai", "anthropic"]
credential = {{ kind = "static", value = "{UPSTREAM_CREDENTIAL}" }}

[policy]
file = "policy.toml"

[store]
url = "sqlite:guard.db"

[approvals]
reviewer_groups = ["security-reviewers"]

[audit]
auditor_groups = ["auditors"]

[admin]
audiences = ["copilot-guard-admin"]
login_max_age = "12h"
"#,
            idp = idp.url,
        );
        let config_file = folder.join("guard.toml");
        std::fs::write(&config_file, guard_toml)
            .and_then(|()| std::fs::write(folder.join("policy.toml"), POLICY))
            .map_err(|e| fail("the demo's files cannot be written", &e))?;
        let running = serve::start(Config::load(&config_file)?).await?;
        let sign = |who: &str, audience: &str, groups: &[&str]| {
            idp.token(who, audience, groups, now)
                .map_err(|e| fail("a token cannot be signed", &e))
        };
        let people = People {
            dana: sign("dana", "copilot-guard", &["developers", "security-reviewers"])?,
            rita: sign("rita", "copilot-guard-admin", &["security-reviewers"])?,
            alex: sign("alex", "copilot-guard-admin", &["auditors"])?,
            dana_as_reviewer: sign("dana", "copilot-guard-admin", &["security-reviewers"])?,
        };
        let demo = Self {
            data_url: format!("http://{}", running.data),
            admin_url: format!("http://{}", running.admin),
            idp_url: idp.url,
            model_url: model,
            folder,
            people,
            model_requests,
            client: Client::new(),
            running,
        };
        demo.ready().await?;
        Ok(demo)
    }

    /// Waits until the gateway has its identity keys.
    async fn ready(&self) -> Result<(), Failure> {
        for _ in 0..200 {
            let reply = self.client.get(&format!("{}/readyz", self.admin_url), "").await;
            if reply.is_ok_and(|r| r.status == 200) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Failure::new(
            "the gateway did not become ready",
            "its identity keys did not come",
            "report this as a bug",
        ))
    }

    pub(super) fn model_count(&self) -> u64 {
        self.model_requests.load(Ordering::SeqCst)
    }

    pub(super) async fn stop(self) {
        drop(self.client);
        self.running.stop().await;
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!(
                "warning: the demo's folder {} was not removed: {error}",
                self.folder.display()
            );
        }
    }
}
