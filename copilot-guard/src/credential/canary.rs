//! Every secret of this room is planted, every way of failing is run, and all that was printed or logged is searched.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use http::HeaderName;
use tracing::field::{Field, Visit};
use tracing::span;

use super::*;
use crate::outbound::{Endpoint, OutboundError};
use crate::testing::ScriptedClient;

/// Stands in every secret.
const CANARY: &str = "canary7531";
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Writes all events down, with all fields.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut next = Some(value);
        while let Some(error) = next {
            let _ = write!(self.0, " {field}={error} {error:?}");
            next = error.source();
        }
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut Line(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = self.0.lock().unwrap();
        text.push('\n');
        event.record(&mut Line(&mut text));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn secret(name: &str) -> Secret {
    Secret::new(format!("{CANARY}-{name}"))
}

/// Puts one answer on a client's list.
type Answer = Box<dyn Fn(&ScriptedClient)>;

/// What an endpoint may answer, all of it with secrets.
fn answers() -> Vec<Answer> {
    let bodies = [
        (
            200,
            format!(
                r#"{{"access_token":"{CANARY}","token":"{CANARY}","token_type":"Bearer","expires_at":1800001800,"issued_token_type":"urn:ietf:params:oauth:token-type:jwt","endpoints":{{"api":"https://other.example"}}}}"#
            ),
        ),
        (
            200,
            format!(r#"{{"access_token":"{CANARY}\n","token":"{CANARY}\n","token_type":"Bearer"}}"#),
        ),
        (
            200,
            format!(r#"{{"access_token":"{CANARY}","token_type":"{CANARY}","token":7}}"#),
        ),
        (
            200,
            format!(r#"{{"access_token":"{CANARY}","access_token":"{CANARY}"}}"#),
        ),
        (200, CANARY.to_owned()),
        (
            400,
            format!(r#"{{"error":"{CANARY}","error_description":"{CANARY}"}}"#),
        ),
        (
            400,
            format!(r#"{{"error":"invalid_grant","error_description":"{CANARY}"}}"#),
        ),
        (401, format!(r#"{{"message":"{CANARY}"}}"#)),
        (500, format!("<b>{CANARY}</b>")),
    ];
    let mut answers: Vec<Answer> = vec![
        Box::new(|client| client.fail()),
        Box::new(|client| client.panic()),
    ];
    for (status, body) in bodies {
        answers.push(Box::new(move |client| client.answer(status, body.clone())));
    }
    answers
}

fn providers(client: &ScriptedClient, folder: &std::path::Path) -> Vec<Arc<dyn CredentialProvider>> {
    let url = Endpoint::parse("https://login.example/token", false).unwrap();
    let endpoint = || TokenEndpoint::new(Arc::new(client.clone()), url.clone());
    let fixed = |name| SecretSource::fixed(secret(name));
    let file = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let good = file("good", format!("{CANARY}-of-a-file").as_bytes());
    let bad = file("bad", format!("{CANARY}\nof a file").as_bytes());
    let binary = file("binary", &[CANARY.as_bytes(), &[0xff]].concat());
    let (key_file, _) = service_account_tests::key_file();
    let per_group =
        PerGroup::new().with_group("g", Arc::new(StaticCredential::bearer(&secret("group")).unwrap()));
    vec![
        Arc::new(StaticCredential::bearer(&secret("static")).unwrap()),
        Arc::new(FileCredential::new(&good)),
        Arc::new(FileCredential::new(bad)),
        Arc::new(FileCredential::new(binary)),
        Arc::new(FileCredential::new(folder.join("missing"))),
        Arc::new(ClientCredentials::new(
            endpoint().with_basic("id", fixed("basic")),
        )),
        Arc::new(ClientCredentials::new(endpoint().with_post("id", fixed("post")))),
        Arc::new(ClientCredentials::new(
            endpoint().with_post("id", SecretSource::file(folder.join("missing"))),
        )),
        Arc::new(
            CopilotExchange::new(Arc::new(client.clone()), url.clone(), SecretSource::file(&good))
                .with_host("api.example"),
        ),
        Arc::new(CopilotExchange::new(
            Arc::new(client.clone()),
            url.clone(),
            SecretSource::fixed(Secret::new(format!("{CANARY}\n"))),
        )),
        Arc::new(
            TokenExchange::new(endpoint().with_client_id("id"), Subject::Caller)
                .with_actor(fixed("actor"), TokenKind::Jwt),
        ),
        Arc::new(TokenExchange::new(
            endpoint(),
            Subject::Own(SecretSource::file(good)),
        )),
        Arc::new(service_account_tests::account(client, &key_file)),
        Arc::new(per_group),
    ]
}

#[tokio::test]
async fn no_secret_is_printed_or_logged() {
    let log = Log::default();
    // With a single subscriber, a test on another thread that comes to a log line first would switch it off for all.
    let _second = tracing::Dispatch::new(log.clone());
    let _here = tracing::subscriber::set_default(log.clone());
    let folder = tempfile::tempdir().unwrap();
    let caller = Identity::new("i", "ann", NOW.plus(Duration::from_secs(600)));
    let token = secret("caller");
    let rejected = Credential::header(HeaderName::from_static("x-api-key"), &secret("old")).unwrap();
    let scrub = Scrub::new();
    scrub.add(secret("scrub"));
    let mut printed = format!(
        "{:?} {rejected:?} {scrub:?} {:?} {:?}",
        CallerToken::new(secret("caller")),
        Subject::Own(SecretSource::fixed(secret("own"))),
        OutboundError::message("x"),
    );
    for answer in answers() {
        let client = ScriptedClient::new();
        for provider in providers(&client, folder.path()) {
            let whole = CredentialRequest::new(NOW)
                .with_caller(&caller)
                .with_caller_token(&token);
            for request in [CredentialRequest::new(NOW), whole, whole.with_rejected(&rejected)] {
                answer(&client);
                let got = provider.credential(request).await;
                let _ = write!(printed, "{provider:?} {provider:#?} {request:?} {got:?}");
                if let Err(error) = got {
                    let _ = write!(printed, " {error}");
                }
            }
        }
    }
    let log = log.0.lock().unwrap();
    for code in [
        "token_endpoint_unreachable",
        "token_endpoint_refused",
        "token_endpoint_malformed",
        "secret_unavailable",
        "secret_file_unreadable",
        "outbound_panicked",
        "caller_has_no_own_token",
        "copilot_host_differs",
        "no_credential_for_groups",
    ] {
        assert!(log.contains(code), "{code} was not tried: {log}");
    }
    for (what, text) in [("the log", &*log), ("what was printed", &printed)] {
        assert!(!text.contains("canary"), "{what}: {text}");
        assert!(!text.contains("PRIVATE"), "{what}");
    }
}
