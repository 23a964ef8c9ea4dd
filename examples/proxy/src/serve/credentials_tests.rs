//! Configured credentials over real connections, on this machine.

use std::path::Path;

use bytes::Bytes;
use copilot_guard::clock::Timestamp;
use copilot_guard::credential::Scrub;
use copilot_guard::guard::UpstreamName;
use copilot_guard::identity::Identity;
use http::Request;
use http_body_util::Full;
use tower::ServiceExt as _;

use super::forward::Forward;
use super::test_server::Server;
use crate::config::Config;

/// A token endpoint and a model. Tokens are `token-0`, `token-1`, …; the model takes all but the first.
fn server() -> Server {
    let mut tokens = 0;
    Server::start(move |request| {
        if request.starts_with("POST /token ") {
            tokens += 1;
            let token = format!("token-{}", tokens - 1);
            let kind = "urn:ietf:params:oauth:token-type:access_token";
            (
                "200 OK",
                format!(
                    r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":600,"issued_token_type":"{kind}"}}"#
                ),
            )
        } else if request.contains("Bearer token-0") {
            ("401 Unauthorized", "{}".to_owned())
        } else {
            ("200 OK", "{}".to_owned())
        }
    })
}

fn forward(server: &Server, credential: &str, folder: &Path) -> Forward {
    let address = server.address;
    let credential = credential.replace("TOKEN_URL", &format!("http://{address}/token"));
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[[identity.issuers]]
issuer = "https://login.example.com"
audiences = ["copilot-guard"]
[policy]
file = "policy.toml"
[store]
url = "sqlite:guard.db"
[admin]
audiences = ["copilot-guard-admin"]
[[upstreams]]
name = "one"
base_url = "http://{address}/v9"
routes = ["openai"]
credential = {credential}
"#
    );
    let env = |name: &str| (name == "SECRET").then(|| "very-secret-0123456789".to_owned());
    let config = Config::parse(&text, "guard.toml", folder, env).unwrap_or_else(|e| panic!("{e}"));
    Forward::new(&config).unwrap_or_else(|e| panic!("{e}"))
}

/// Sends as somebody of these groups; the status, and what must not come down.
async fn send(forward: &Forward, groups: &[&str]) -> (Option<u16>, Vec<String>) {
    let scrub = Scrub::new();
    let mut request = Request::post("/chat")
        .body(Full::new(Bytes::from("body")))
        .unwrap();
    let extensions = request.extensions_mut();
    extensions.insert(UpstreamName("one".to_owned()));
    extensions.insert(Identity::new("i", "ann", Timestamp::from_secs(1)).with_groups(groups.iter().copied()));
    extensions.insert(scrub.clone());
    let status = forward.clone().oneshot(request).await;
    let values = scrub.values().iter().map(|s| s.expose().to_owned()).collect();
    (status.ok().map(|r| r.status().as_u16()), values)
}

#[tokio::test]
async fn a_token_is_fetched_used_and_replaced() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let credential = r#"{ kind = "client-credentials", token_url = "TOKEN_URL", client_id = "me", client_secret = { env = "SECRET" }, auth = "post", scope = "s" }"#;
    let forward = forward(&server, credential, folder.path());
    let (status, values) = send(&forward, &[]).await;
    assert_eq!(
        (status, values),
        (Some(200), vec!["token-0".to_owned(), "token-1".to_owned()])
    );
    let seen = server.seen();
    let lines: Vec<_> = seen.iter().map(|r| r.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "POST /token HTTP/1.1",
            "POST /v9/chat HTTP/1.1",
            "POST /token HTTP/1.1",
            "POST /v9/chat HTTP/1.1"
        ]
    );
    assert!(seen[0].ends_with(
        "grant_type=client_credentials&scope=s&client_id=me&client_secret=very-secret-0123456789"
    ));
    assert!(seen[3].contains("authorization: Bearer token-1\r\n") && seen[3].ends_with("body"));
    // Kept from now on.
    assert_eq!(send(&forward, &[]).await.0, Some(200));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn groups_files_and_exchange() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(file, "of-the-file\n").unwrap();
    let credential = r#"{ kind = "per-group", groups = [
        { group = "a", credential = { kind = "static", value = { file = "key" }, header = "x-api-key" } },
        { group = "b", credential = { kind = "token-exchange", token_url = "TOKEN_URL", subject = "caller" } },
        { group = "c", credential = { kind = "token-exchange", token_url = "TOKEN_URL", subject = { file = "key" } } },
    ] }"#;
    let forward = forward(&server, credential, folder.path());
    assert_eq!(send(&forward, &["c", "a"]).await.0, Some(200));
    assert!(server.seen()[0].contains("x-api-key: of-the-file\r\n"));
    // No token of their own came along, or no group fits: nothing is sent.
    for groups in [&["b"][..], &["d"], &[]] {
        assert_eq!(send(&forward, groups).await, (None, Vec::new()), "{groups:?}");
    }
    assert_eq!(server.seen().len(), 0);
    assert_eq!(send(&forward, &["c"]).await.0, Some(200));
    assert!(server.seen()[0].contains("subject_token=of-the-file&"));
}
