//! A guard around a scripted model, and a client that reads what comes down.
#![expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    reason = "help for tests"
)]

mod model;
mod reply;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use bytes::Bytes;
use copilot_guard::approval::{Approval, ApprovalState, ApprovalStore, ListFilter, Vote};
use copilot_guard::audit::{AuditEvent, Closing, EventKind, Opening, Outcome};
use copilot_guard::clock::Timestamp;
use copilot_guard::dialect::{RouteSet, RouteTable};
use copilot_guard::guard::{Guard, GuardBuilder, Ready, Settings};
use copilot_guard::http::{GuardService, ResponseBody};
use copilot_guard::id::ExchangeId;
use copilot_guard::identity::Identity;
use copilot_guard::memory::MemoryStore;
use copilot_guard::policy::{Policy, PolicyOptions};
use copilot_guard::secret::Secret;
use copilot_guard::testing::{ManualClock, RecordingSink, samples};
use copilot_guard::token::{TokenError, TokenVerifier};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, ServiceExt};

pub use model::{Answer, Model};
pub use reply::{Got, chat_texts, message_texts, next_piece, one_piece, read};

pub const NOW: Timestamp = samples::NOW;
/// The client's token: must never be seen anywhere.
pub const TOKEN: &str = "canary-token-5f2c.aaaabbbbccccdddd";
pub const CHAT: &str = "/v1/chat/completions";
pub const MESSAGES: &str = "/v1/messages";
/// Matches the pattern of [`POLICY`].
pub const SECRET: &str = "ACME-INT-2041-QX7RT9ZK4WLM";
pub const MARK: &str = "[REDACTED:acme-internal-token]";
/// The upstream credential.
pub const CREDENTIAL: &str = "upstream-credential-91ab77cd";

/// The one policy of these tests (compiling one takes seconds in a debug build): each rule has a word of its own.
pub const POLICY: &str = r#"
version = 1

[[patterns]]
id = "acme-internal-token"
regex = 'ACME-INT-[0-9]{4}-[A-Z0-9]{12}'

[[rules]]
id = "no-falcon"
on = "prompt"
match = { words = ["falcon"] }
action = "block"
message = "Falcon stays in the house."

[[rules]]
id = "customer-numbers"
on = "prompt"
match = { regex = ['CUST-[0-9]{6}'] }
action = "mask"

[[rules]]
id = "prod"
on = "prompt"
match = { words = ["production"] }
action = "require_approval"
message = "Production needs a reviewer."

[[rules]]
id = "no-rm"
on = "tool_call"
match = { regex = ['rm -rf'] }
action = "block"
message = "Nothing is removed here."

[[rules]]
id = "deployments"
on = "tool_call"
match = { words = ["deploy"] }
action = "require_approval"
message = "Deployments need a reviewer."

[[rules]]
id = "forbidden-models"
on = "request"
models = ["forbidden-*"]
action = "block"
message = "Not this model."

[[rules]]
id = "omega"
on = "output"
match = { regex = ['OMEGA-[0-9]{4}'] }
action = "block"
message = "Omega is not for the screen."
"#;

/// Knows [`TOKEN`] as `dev`, and any `token-NAME` as NAME.
#[derive(Debug)]
pub struct Names;

#[async_trait]
impl TokenVerifier for Names {
    async fn verify(&self, token: &str, _now: Timestamp) -> Result<Identity, TokenError> {
        let name = if token == TOKEN {
            Some("dev")
        } else {
            token.strip_prefix("token-")
        };
        match name {
            Some("panic") => panic!("told to"),
            Some(name) => {
                let until = NOW.plus(std::time::Duration::from_secs(3600));
                Ok(Identity::new("https://idp.example", name, until).with_groups(["developers"]))
            }
            None => Err(TokenError::Invalid("bad_signature")),
        }
    }
}

pub type Shell = GuardService<Model, Full<Bytes>>;

/// Everything around one guard.
pub struct House {
    pub guard: Guard,
    pub model: Model,
    pub sink: RecordingSink,
    pub store: MemoryStore,
    /// The guard's own grants and revocations, unless another store was named.
    pub access: MemoryStore,
    pub clock: ManualClock,
    pub shell: Shell,
}

pub fn policy() -> Policy {
    static COMPILED: LazyLock<Policy> = LazyLock::new(compile);
    COMPILED.clone()
}

fn compile() -> Policy {
    let options = PolicyOptions::new(NOW)
        .with_reviewer_groups(["security"])
        .with_exact("upstream-credential", Secret::new(CREDENTIAL));
    Policy::parse(POLICY, "policy.toml", &options).expect("the test's policy")
}

impl House {
    /// Around this model, with the default settings.
    pub fn new(model: Model) -> Self {
        Self::with(model, |_| {})
    }

    pub fn with(model: Model, change: impl FnOnce(&mut Settings)) -> Self {
        Self::build(model, change, Names)
    }

    pub fn build(model: Model, change: impl FnOnce(&mut Settings), verifier: impl TokenVerifier) -> Self {
        let store = MemoryStore::new().with_outbox();
        let approvals = Arc::new(store.clone());
        Self::assemble(model, change, verifier, store, approvals)
    }

    /// With another approval store in place of the house's own.
    pub fn assemble(
        model: Model,
        change: impl FnOnce(&mut Settings),
        verifier: impl TokenVerifier,
        store: MemoryStore,
        approvals: Arc<dyn ApprovalStore>,
    ) -> Self {
        Self::finish(model, change, verifier, store, approvals, |builder| builder)
    }

    /// With the builder changed at last.
    pub fn keyed(model: Model, last: impl FnOnce(GuardBuilder<Ready>) -> GuardBuilder<Ready>) -> Self {
        Self::keyed_with(model, Names, last)
    }

    /// The same with another verifier.
    pub fn keyed_with(
        model: Model,
        verifier: impl TokenVerifier,
        last: impl FnOnce(GuardBuilder<Ready>) -> GuardBuilder<Ready>,
    ) -> Self {
        let store = MemoryStore::new().with_outbox();
        let approvals = Arc::new(store.clone());
        Self::finish(model, |_| {}, verifier, store, approvals, last)
    }

    fn finish(
        model: Model,
        change: impl FnOnce(&mut Settings),
        verifier: impl TokenVerifier,
        store: MemoryStore,
        approvals: Arc<dyn ApprovalStore>,
        last: impl FnOnce(GuardBuilder<Ready>) -> GuardBuilder<Ready>,
    ) -> Self {
        let sink = RecordingSink::new();
        let access = MemoryStore::new();
        let clock = ManualClock::new(NOW);
        let mut settings = Settings::default();
        change(&mut settings);
        let mut routes = RouteTable::new();
        routes.add_set("model", RouteSet::OpenAi);
        routes.add_set("model", RouteSet::Anthropic);
        routes.add_set("model", RouteSet::Copilot);
        let builder = Guard::builder()
            .with_verifier(verifier)
            .with_policy(policy())
            .with_audit(sink.clone())
            .with_approvals(approvals)
            .with_routes(routes)
            .with_settings(settings)
            .with_access(Arc::new(access.clone()))
            .with_clock(Arc::new(clock.clone()));
        let guard = last(builder).build().expect("a guard");
        let shell = GuardService::new(guard.clone(), model.clone());
        Self {
            guard,
            model,
            sink,
            store,
            access,
            clock,
            shell,
        }
    }

    /// One request, up to the reply's head.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Response<ResponseBody> {
        self.call(request).await.expect("infallible")
    }

    pub fn call(&self, request: Request<Full<Bytes>>) -> <Shell as Service<Request<Full<Bytes>>>>::Future {
        self.shell.clone().call(request)
    }

    /// One request and its whole reply.
    pub async fn ask(&self, request: Request<Full<Bytes>>) -> Got {
        read(self.send(request).await).await
    }

    /// The record, once everything sent so far is in it.
    pub async fn record(&self) -> Vec<AuditEvent> {
        self.guard.drain().await;
        self.sink.events()
    }

    /// The record, checked: see [`check_record`].
    pub async fn checked(&self) -> Vec<AuditEvent> {
        let events = self.record().await;
        check_record(&events);
        events
    }

    /// How the exchanges ended, in the order in which they ended.
    pub async fn closings(&self) -> Vec<Closing> {
        closings(&self.checked().await)
    }

    pub async fn outcome(&self) -> Outcome {
        let closings = self.closings().await;
        assert_eq!(closings.len(), 1, "{closings:?}");
        closings[0].outcome
    }

    pub async fn opening(&self) -> Opening {
        let events = self.record().await;
        let opened = events.into_iter().find_map(|e| match e.kind {
            EventKind::Opened(opening) => Some(*opening),
            _ => None,
        });
        opened.expect("an opening")
    }

    /// The approvals that wait.
    pub async fn pending(&self) -> Vec<Approval> {
        let filter = ListFilter {
            state: Some(ApprovalState::Pending),
            ..ListFilter::default()
        };
        self.store.list(&filter).await.expect("a list")
    }

    /// The one approval that waits, voted on.
    pub async fn vote(&self, approve: bool) {
        let pending = self.pending().await;
        assert_eq!(pending.len(), 1, "{pending:?}");
        let vote = Vote {
            at: NOW,
            ..samples::vote("ann", approve)
        };
        self.store.vote(pending[0].id, vote).await.expect("a vote");
    }
}

/// A POST with [`TOKEN`].
pub fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    as_person(TOKEN, path, body)
}

pub fn as_person(token: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .body(Full::new(body.into()))
        .expect("a request")
}

/// A request that says `text`, in the dialect of `path`.
pub fn prompt(text: &str, stream: bool) -> String {
    serde_json::json!({"model": "gpt-5", "stream": stream, "messages": [{"role": "user", "content": text}]})
        .to_string()
}

pub fn streamed(path: &str, text: &str) -> Request<Full<Bytes>> {
    post(path, prompt(text, true))
}

/// What the record promises of every exchange: first `Opened`, last exactly one final event, pieces without gaps.
pub fn check_record(events: &[AuditEvent]) {
    let mut by_exchange: HashMap<ExchangeId, Vec<&AuditEvent>> = HashMap::new();
    for event in events {
        if !matches!(event.kind, EventKind::Approval { .. }) {
            by_exchange.entry(event.exchange).or_default().push(event);
        }
    }
    for (exchange, events) in by_exchange {
        let opened = events
            .iter()
            .filter(|e| matches!(e.kind, EventKind::Opened(_)))
            .count();
        let last = events.iter().filter(|e| e.kind.is_final()).count();
        assert_eq!(last, 1, "{exchange}: final events in {events:#?}");
        assert!(
            events.last().is_some_and(|e| e.kind.is_final()),
            "{exchange}: {events:#?}"
        );
        let refused = matches!(events[0].kind, EventKind::Refused { .. } | EventKind::Revoked(_));
        assert_eq!(
            opened,
            usize::from(!refused),
            "{exchange}: openings in {events:#?}"
        );
        assert!(
            refused || matches!(events[0].kind, EventKind::Opened(_)),
            "{exchange}: {events:#?}"
        );
        let mut at = 0;
        for event in &events {
            if let EventKind::Delivered { offset, text } = &event.kind {
                assert_eq!(*offset, at, "{exchange}: a gap in what was delivered");
                at += text.len() as u64;
            }
        }
        let json = serde_json::to_string(&events).expect("JSON");
        assert!(
            !json.contains(TOKEN),
            "{exchange}: the token is on record: {json}"
        );
        assert!(
            !json.contains(CREDENTIAL),
            "{exchange}: the credential is on record: {json}"
        );
    }
}

pub fn closings(events: &[AuditEvent]) -> Vec<Closing> {
    let closing = |e: &AuditEvent| match &e.kind {
        EventKind::Closed(closing) => Some((**closing).clone()),
        _ => None,
    };
    events.iter().filter_map(closing).collect()
}

/// All text delivered so far, by the record.
pub fn delivered(events: &[AuditEvent]) -> String {
    let text = |e: &AuditEvent| match &e.kind {
        EventKind::Delivered { text, .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

/// Polls a future once.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let mut future = std::pin::Pin::new(future);
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx))).await
}

/// Gives other tasks their turn until `done`; a bound in place of a sleep.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if done() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never happened: {what}");
}

/// The shell as a service without our types, for tests that wrap other services.
pub async fn oneshot<S>(service: S, request: Request<Full<Bytes>>) -> Response<ResponseBody>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResponseBody>, Error = std::convert::Infallible>,
{
    service.oneshot(request).await.expect("infallible")
}
