//! What an operator can set.

use std::collections::BTreeSet;
use std::time::Duration;

/// Limits and times of a guard. The defaults are what measured clients bear.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Largest request body, in bytes. Agents send long histories and images.
    pub max_request_bytes: usize,
    /// How long a client may pause within its request's body.
    pub body_silence: Duration,
    /// Largest plain answer, in bytes.
    pub max_response_bytes: usize,
    /// How long a streaming request is held for a vote. Clients give up at 300 s of silence from the model.
    pub hold_streaming: Duration,
    /// How long a plain request is held: it can only be held silently.
    pub hold_plain: Duration,
    /// How often a held client gets an event that changes nothing.
    pub keep_alive: Duration,
    /// How long an approval waits for votes, and an approved one for its request to come back.
    pub pending_ttl: Duration,
    /// How long later requests may ride on a used approval.
    pub ride_window: Duration,
    /// How many later requests may ride on a used approval.
    pub ride_uses: u32,
    /// How long upstream may take until its head, and then between two pieces of its body.
    pub upstream_silence: Duration,
    /// What a failing audit sink means.
    pub on_audit_failure: OnFailure,
    /// Bytes that may be delivered before they are durable; 0 is strict.
    pub max_undurable: usize,
    /// How a refusal by policy is worded.
    pub refusal: RefusalForm,
    /// Where Copilot clients are sent that ask for their endpoints; `None` refuses to say.
    pub copilot_endpoints: Option<CopilotEndpoints>,
    /// Upstreams whose credential is made of the caller's own token: requests to them carry it as a
    /// [`CallerToken`](crate::secret::CallerToken), for the layer beside the HTTP client. Every inner service can read it.
    pub hand_on_tokens: BTreeSet<String>,
    /// How long a device grant lasts; cut at [`MAX_GRANT_LIFETIME`](crate::access::MAX_GRANT_LIFETIME). Zero gives none.
    pub grant_lifetime: Duration,
    /// What the login command is told; `None` tells nothing.
    pub login: Option<LoginHint>,
}

/// Where and as whom a command line signs in. Told to everybody who asks: a public client has no secret (RFC 8252).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct LoginHint {
    /// The issuer, byte for byte as its tokens name it.
    pub issuer: String,
    /// The public client that the issuer knows.
    pub client_id: String,
    /// Scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The resource to ask for (RFC 8707).
    #[serde(default)]
    pub resource: Option<String>,
    /// The audience to ask for, where the issuer has a parameter of that name.
    #[serde(default)]
    pub audience: Option<String>,
    /// Whether the ID token is the one to show here: for issuers whose access tokens nobody else can read.
    #[serde(default)]
    pub id_token: bool,
}

impl LoginHint {
    /// Without scopes, resource and audience.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            client_id: client_id.into(),
            ..Self::default()
        }
    }
}

/// Addresses that Copilot clients take from the reply to their token exchange, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopilotEndpoints {
    /// Chat and agents.
    pub api: String,
    /// Ghost text.
    pub proxy: String,
    /// What clients report of themselves.
    pub telemetry: String,
    /// Citations of public code.
    pub origin_tracker: String,
}

impl CopilotEndpoints {
    /// All of them at one address: this gateway's own, such as `https://copilot.example.com`.
    pub fn at(address: &str) -> Self {
        let address = address.trim_end_matches('/');
        Self {
            api: address.to_owned(),
            proxy: address.to_owned(),
            telemetry: address.to_owned(),
            origin_tracker: address.to_owned(),
        }
    }

    /// GitHub's own names, for clients that reach this gateway as a forward proxy.
    pub fn hosted() -> Self {
        Self {
            api: "https://api.githubcopilot.com".to_owned(),
            proxy: "https://copilot-proxy.githubusercontent.com".to_owned(),
            telemetry: "https://copilot-telemetry.githubusercontent.com".to_owned(),
            origin_tracker: "https://origin-tracker.githubusercontent.com".to_owned(),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        use crate::json::quote;
        format!(
            r#"{{"api":{},"proxy":{},"telemetry":{},"origin-tracker":{}}}"#,
            quote(&self.api),
            quote(&self.proxy),
            quote(&self.telemetry),
            quote(&self.origin_tracker)
        )
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_request_bytes: 32 << 20,
            body_silence: Duration::from_secs(30),
            max_response_bytes: 32 << 20,
            hold_streaming: Duration::from_secs(240),
            hold_plain: Duration::from_secs(100),
            keep_alive: Duration::from_secs(10),
            pending_ttl: Duration::from_secs(3600),
            ride_window: Duration::from_secs(3600),
            ride_uses: 200,
            upstream_silence: Duration::from_secs(600),
            on_audit_failure: OnFailure::Deny,
            max_undurable: 0,
            refusal: RefusalForm::Error,
            copilot_endpoints: None,
            hand_on_tokens: BTreeSet::new(),
            grant_lifetime: Duration::from_secs(7 * 24 * 3600),
            login: None,
        }
    }
}

/// What a failing audit sink means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// Nothing passes that is not recorded.
    Deny,
    /// Exchanges go on; what could not be recorded is logged as an error and counted.
    BestEffort,
}

/// How a refusal by policy is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalForm {
    /// Status 400 with an error of the caller's dialect.
    Error,
    /// Status 200 with the message as the assistant's text.
    AssistantText,
}
