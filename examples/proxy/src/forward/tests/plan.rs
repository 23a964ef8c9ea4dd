//! What is found out before the proxy starts.

use copilot_guard::clock::{Clock as _, SystemClock};

use crate::config::Config;
use crate::forward::{Plan, ca_init};

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:8080"
admin_listen = "127.0.0.1:8081"
mode = "forward"
ca = { cert = "guard-ca.pem", key = "guard-ca.key" }

[[identity.issuers]]
issuer = "https://login.example.com"
audiences = ["copilot-guard"]

[[upstreams]]
name = "model"
base_url = "http://127.0.0.1:9000"
routes = ["openai"]
credential = { kind = "none" }

[policy]
file = "policy.toml"

[store]
url = "sqlite:guard.db"

[admin]
audiences = ["copilot-guard-admin"]
"#;

/// Each row: what to replace in the configuration, by what, and what the failure says; nothing when there is none.
#[test]
fn what_cannot_work() {
    let folder = tempfile::tempdir().unwrap();
    ca_init::make(folder.path(), &[], SystemClock.now()).unwrap();
    let upstream = "base_url = \"http://127.0.0.1:9000\"\nroutes = [\"openai\"]";
    let itself = |url: &str| format!("base_url = \"{url}\"\nroutes = [\"openai\"]");
    let hosts = |hosts: &str| format!("{upstream}\nhosts = [{hosts}]");
    let rows = [
        (upstream.to_owned(), ""),
        (
            hosts("\"api.openai.com\", \"*.githubcopilot.com\", \"a.b.githubcopilot.com:8443\""),
            "",
        ),
        (itself("http://127.0.0.1:8080"), "is this proxy itself"),
        (itself("http://127.0.0.1:8080/prefix"), "is this proxy itself"),
        (itself("http://localhost:8080"), "is this proxy itself"),
        (itself("http://127.0.0.1:8082"), ""),
        (hosts(""), "nothing is intercepted"),
        (
            hosts("\"models.example.com\""),
            "refuse this CA's certificate for `models.example.com`",
        ),
        (
            hosts("\"api.openai.com\", \"*.example.com\""),
            "certificate for `any.example.com`",
        ),
        // The upstream's own host counts too.
        (
            itself("https://models.example.com"),
            "certificate for `models.example.com`",
        ),
    ];
    for (with, says) in rows {
        let text = CONFIG.replace(upstream, &with);
        let config =
            Config::parse(&text, "guard.toml", folder.path(), |_| None).unwrap_or_else(|e| panic!("{e}"));
        match Plan::new(&config) {
            Ok(plan) => assert!(says.is_empty() && plan.is_some(), "{with}: no failure"),
            Err(failure) => {
                let failure = failure.to_string();
                assert!(!says.is_empty() && failure.contains(says), "{with}: {failure}");
            }
        }
    }
    let reverse = CONFIG.replace("\"forward\"", "\"reverse\"");
    let config = Config::parse(&reverse, "guard.toml", folder.path(), |_| None).unwrap();
    assert!(Plan::new(&config).unwrap().is_none());
}
