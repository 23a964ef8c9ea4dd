//! No secret in what ten thousand requests leave behind: logs, metrics, the record, errors, `{:?}`.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use copilot_guard::clock::{Clock as _, SystemClock};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::start;
use crate::config::Config;
use crate::demo::idp::IdentityProvider;
use crate::demo::model::listen;

/// In all.
const REQUESTS: usize = 10_000;
/// At a time.
const ABREAST: usize = 16;

/// Credentials of upstreams. Put together, so that scanners of source code do not take them for real.
const OF_FILE: &str = concat!("canary-of-file-", "5b1d9e0f7a3c2e4d");
const CLIENT_SECRET: &str = concat!("canary-client-", "secret-0c9d8e7f6a5b");
const FETCHED: &str = concat!("canary-fetched-", "9f8e7d6c5b4a");

const POLICY: &str = r#"version = 1
[[rules]]
id = "no-falcon"
on = "prompt"
match = { words = ["falcon"] }
action = "block"
message = "Falcon stays in the house."
"#;

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn answer(status: u16, headers: &[(&str, String)], body: String) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Full::new(body.into())).unwrap()
}

/// A model, and a token endpoint, that say what they were shown wherever they can.
async fn talkative() -> String {
    let asked = Arc::new(AtomicUsize::new(0));
    listen(move |_| {
        move |request: Request<Incoming>| {
            let asked = asked.clone();
            async move {
                let path = request.uri().path().to_owned();
                if path == "/token" {
                    let token = format!("{FETCHED}-{}", asked.fetch_add(1, Ordering::Relaxed) / 8);
                    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 600});
                    let json = ("content-type", "application/json".to_owned());
                    return Ok(answer(200, &[json], body.to_string()));
                }
                let shown = ["authorization", "x-api-key"].map(|name| {
                    let value = request.headers().get(name);
                    value.map_or(String::new(), |v| v.to_str().unwrap().to_owned())
                });
                let shown = shown.concat();
                let bare = shown.trim_start_matches("Bearer ").to_owned();
                let hex: String = bare.bytes().map(|b| format!("{b:02x}")).collect();
                let text = format!("I was shown {bare}, which is {hex}.");
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body = String::from_utf8_lossy(&body).into_owned();
                let json = ("content-type", "application/json".to_owned());
                let leak = ("x-request-id", bare.clone());
                let message = json!({"role": "assistant", "content": text});
                Ok::<_, std::convert::Infallible>(match () {
                    () if body.contains("say 401") => answer(401, &[json, leak], json!({"error": {"message": text}}).to_string()),
                    () if body.contains("say 500") => answer(500, &[json, leak], json!({"error": {"message": text}}).to_string()),
                    () if body.contains("say nonsense") => answer(200, &[json, leak], format!("{{\"{text}")),
                    () if body.contains(r#""stream":true"#) => {
                        let mut out = String::new();
                        for piece in text.as_bytes().chunks(5) {
                            let piece = String::from_utf8_lossy(piece);
                            let chunk = json!({"id": "c", "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": null}]});
                            out.push_str(&format!("data: {chunk}\n\n"));
                        }
                        let end = json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
                        out.push_str(&format!("data: {end}\n\ndata: [DONE]\n\n"));
                        answer(200, &[("content-type", "text/event-stream".to_owned()), leak], out)
                    }
                    () => {
                        let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
                        answer(200, &[json, leak], body.to_string())
                    }
                })
            }
        }
    })
    .await
    .unwrap()
}

fn write_files(folder: &Path, idp: &str, model: &str) {
    let guard = format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[[identity.issuers]]
issuer = "{idp}"
audiences = ["copilot-guard"]
allow_http_loopback = true
[[upstreams]]
name = "one"
base_url = "{model}"
routes = ["openai"]
credential = {{ kind = "client-credentials", token_url = "{model}/token", client_id = "me", client_secret = "{CLIENT_SECRET}" }}
[[upstreams]]
name = "two"
base_url = "{model}"
paths = [{{ path = "/two", dialect = "chat" }}]
credential = {{ kind = "static", value = {{ file = "key" }}, header = "x-api-key" }}
[policy]
file = "policy.toml"
[store]
url = "sqlite:guard.db"
[admin]
audiences = ["copilot-guard-admin"]
operator_groups = ["operators"]
[login]
issuer = "{idp}"
client_id = "laptop"
"#
    );
    std::fs::write(folder.join("guard.toml"), guard).unwrap();
    std::fs::write(folder.join("policy.toml"), POLICY).unwrap();
    std::fs::write(folder.join("key"), OF_FILE).unwrap();
}

type Http = Client<HttpConnector, Full<Bytes>>;

/// The reply, whole.
async fn send(http: &Http, url: &str, token: &str, form: bool, body: String) -> (u16, String) {
    let kind = if form {
        "application/x-www-form-urlencoded"
    } else {
        "application/json"
    };
    let mut request = Request::post(url).header("content-type", kind);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = http
        .request(request.body(Full::new(body.into())).unwrap())
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = format!("{:?}\n{}", head.headers, String::from_utf8_lossy(&body));
    (head.status.as_u16(), text)
}

fn member(text: &str, name: &str) -> String {
    let json = text.split_once('\n').unwrap().1;
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    json[name].as_str().unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[tokio::test]
async fn ten_thousand_requests_leave_no_secret_behind() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .with_env_filter("info,copilot_guard=trace,copilot_guard_proxy=trace,hyper=trace,tower=trace")
        .finish();
    // With a single one `tracing` asks whichever thread comes first whether a line is wanted, and keeps a "no" of
    // another test's for ever.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(log.clone()).finish());
    let _default = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let (idp, model) = (IdentityProvider::start().await.unwrap(), talkative().await);
    write_files(folder.path(), &idp.url, &model);
    let config = Config::load(&folder.path().join("guard.toml")).unwrap();
    let shown_config = format!("{config:?}");
    let running = start(config).await.unwrap();
    let data = format!("http://{}", running.data);
    let admin = format!("http://{}", running.admin);
    let now = SystemClock.now();
    let sign = |who: &str, audience: &str| idp.token_for(who, audience, &["operators"], now, 3600).unwrap();
    let (dev, operator) = (
        sign("dev", "copilot-guard"),
        sign("operator", "copilot-guard-admin"),
    );
    let http: Http = Client::builder(TokioExecutor::new()).build_http();

    let (status, made) = send(
        &http,
        &format!("{data}/copilot-guard/device-grants"),
        &dev,
        false,
        String::new(),
    )
    .await;
    assert_eq!(status, 200, "{made}");
    let grant = member(&made, "device_grant");
    let (status, made) = send(
        &http,
        &format!("{data}/copilot-guard/token"),
        &grant,
        false,
        String::new(),
    )
    .await;
    assert_eq!(status, 200, "{made}");
    let gateway = member(&made, "access_token");
    // A forged token: of the same form, with a word of its own in each part.
    let forged = format!("canaryheader{}.canaryclaims.canarysignature", &dev[..20]);

    let counts = Arc::new(Mutex::new(BTreeSet::new()));
    let told = Arc::new(Mutex::new(String::new()));
    let tasks = (0..ABREAST).map(|task| {
        let (http, data, admin) = (http.clone(), data.clone(), admin.clone());
        let (dev, operator, grant, gateway, forged) = (
            dev.clone(),
            operator.clone(),
            grant.clone(),
            gateway.clone(),
            forged.clone(),
        );
        let (counts, told) = (counts.clone(), told.clone());
        tokio::spawn(async move {
            for n in (task..REQUESTS).step_by(ABREAST) {
                let stream = n % 2 == 0;
                let path = if n % 3 == 0 {
                    "/two"
                } else {
                    "/v1/chat/completions"
                };
                let token = if n % 5 == 0 { &gateway } else { &dev };
                let say = |text: &str| {
                    json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]})
                        .to_string()
                };
                let chat = format!("{data}{path}");
                let (status, reply) = match n % 14 {
                    0 => send(&http, &chat, &forged, false, say("hi")).await,
                    1 => send(&http, &chat, &grant, false, say("hi")).await,
                    2 => send(&http, &chat, token, false, say("falcon")).await,
                    3 => send(&http, &chat, token, false, say("say 401")).await,
                    4 => send(&http, &chat, token, false, say("say 500")).await,
                    5 => send(&http, &chat, token, false, say("say nonsense")).await,
                    6 => send(&http, &chat, token, false, format!("{{\"{token}")).await,
                    7 => {
                        send(
                            &http,
                            &chat,
                            token,
                            false,
                            say(&format!("mine is {token} and {grant}")),
                        )
                        .await
                    }
                    8 => {
                        send(
                            &http,
                            &format!("{data}/unknown?t={token}"),
                            token,
                            false,
                            token.clone(),
                        )
                        .await
                    }
                    9 => send(&http, &format!("{chat}?t={token}"), token, false, say("hi")).await,
                    10 => {
                        send(
                            &http,
                            &format!("{data}/copilot-guard/revoke"),
                            "",
                            true,
                            format!("token={forged}"),
                        )
                        .await
                    }
                    11 => {
                        send(
                            &http,
                            &format!("{admin}/api/revocations"),
                            &operator,
                            false,
                            format!("{{\"{gateway}"),
                        )
                        .await
                    }
                    12 => {
                        send(
                            &http,
                            &format!("{admin}/api/revocations"),
                            &gateway,
                            false,
                            String::new(),
                        )
                        .await
                    }
                    _ => send(&http, &chat, token, false, say("hi")).await,
                };
                counts.lock().unwrap().insert((n % 14, status));
                told.lock().unwrap().push_str(&reply);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let counts = counts.lock().unwrap().clone();
    // The test means something: everything was reached.
    for wanted in [
        (0, 401),
        (1, 401),
        (2, 400),
        (3, 502),
        (4, 502),
        (5, 502),
        (6, 400),
        (8, 404),
        (12, 401),
        (13, 200),
    ] {
        assert!(counts.contains(&wanted), "{wanted:?} of {counts:?}");
    }
    let shown = format!("{:?}", running.guard);
    let metrics = http
        .get(format!("{admin}/metrics").parse().unwrap())
        .await
        .unwrap();
    let metrics = metrics.into_body().collect().await.unwrap().to_bytes();
    running.stop().await;

    let mut heap = vec![
        ("log", log.0.lock().unwrap().clone()),
        ("metrics", metrics.to_vec()),
        ("replies", told.lock().unwrap().clone().into_bytes()),
        ("guard", shown.into_bytes()),
        ("configuration", shown_config.into_bytes()),
    ];
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("guard.db"))
        {
            heap.push(("record", std::fs::read(path).unwrap()));
        }
    }
    let last = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let hex = |text: &str| -> String { text.bytes().map(|b| format!("{b:02x}")).collect() };
    let canaries = [
        OF_FILE.to_owned(),
        hex(OF_FILE),
        CLIENT_SECRET.to_owned(),
        FETCHED.to_owned(),
        hex(FETCHED),
        last(&dev),
        last(&operator),
        grant[8..].to_owned(),
        gateway[gateway.len() - 43..].to_owned(),
        "canarysignature".to_owned(),
        "canaryclaims".to_owned(),
    ];
    let find = |hay: &[u8], needle: &str| memchr::memmem::find(hay, needle.as_bytes()).is_some();
    for (name, hay) in &heap {
        for canary in &canaries {
            assert!(!find(hay, canary), "{canary} is in the {name}");
        }
    }
    // The negative control: what was masked, and why, is there to be found.
    let has = |what: &str, needle: &str| heap.iter().any(|(name, hay)| *name == what && find(hay, needle));
    assert!(
        has("replies", "[REDACTED:upstream-credential]") && has("record", "[REDACTED:upstream-credential]")
    );
    assert!(has("record", "Falcon") || has("record", "falcon"));
    assert!(has("log", "refused") && has("metrics", "copilot_guard_refused"));
}
