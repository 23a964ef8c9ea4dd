//! [`TokenExchange`]: a token for another token.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderName};
use sha2::{Digest as _, Sha256};

use super::{
    Credential, CredentialError, CredentialProvider, CredentialRequest, MAX_WAIT, SecretSource, TokenEndpoint,
};
use crate::outbound::{Bounded, Flight, Form};
use crate::secret::Secret;
use crate::token::GatewayTokens;

/// Tokens of so many callers are kept.
const CALLERS: usize = 4096;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Whose token is exchanged.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Subject {
    /// The caller's own, which the guard verified. Callers that came with a token of the gateway's have none, so there is no
    /// credential for them.
    Caller,
    /// The gateway's own, such as a workload's token in a mounted file. All callers share what it brings.
    Own(SecretSource),
}

/// What kind of token one is (RFC 8693, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TokenKind {
    /// Any JWT.
    #[default]
    Jwt,
    /// An access token.
    AccessToken,
    /// An ID token of OpenID Connect.
    IdToken,
}

impl TokenKind {
    const fn urn(self) -> &'static str {
        match self {
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
        }
    }
}

/// A token by token exchange (RFC 8693): upstream sees each caller as themselves.
///
/// Kept for each subject token, for a bounded number of them, by a hash; never used beyond the end of the caller's own
/// token. Renewed and asked for once as [`ClientCredentials`](super::ClientCredentials) does.
#[derive(Debug, Clone)]
pub struct TokenExchange {
    endpoint: TokenEndpoint,
    subject: Subject,
    subject_kind: TokenKind,
    actor: Option<(SecretSource, TokenKind)>,
    /// Names and values that the endpoint is told.
    fields: Vec<(&'static str, String)>,
    header: HeaderName,
    kept: Arc<Bounded<Flight<Credential>>>,
}

impl TokenExchange {
    /// From this endpoint, for this subject's token.
    pub fn new(endpoint: TokenEndpoint, subject: Subject) -> Self {
        Self {
            endpoint,
            subject,
            subject_kind: TokenKind::default(),
            actor: None,
            fields: Vec::new(),
            header: AUTHORIZATION,
            kept: Arc::new(Bounded::new(CALLERS)),
        }
    }

    /// The subject's token is of this kind.
    #[must_use]
    pub fn with_subject_kind(mut self, kind: TokenKind) -> Self {
        self.subject_kind = kind;
        self
    }

    /// The gateway acts for the subject, and proves with this token who it is.
    #[must_use]
    pub fn with_actor(mut self, token: SecretSource, kind: TokenKind) -> Self {
        self.actor = Some((token, kind));
        self
    }

    /// For this scope: names with blanks between them.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<String>) -> Self {
        self.with_field("scope", scope)
    }

    /// For this audience.
    #[must_use]
    pub fn with_audience(self, audience: impl Into<String>) -> Self {
        self.with_field("audience", audience)
    }

    /// For this resource.
    #[must_use]
    pub fn with_resource(self, resource: impl Into<String>) -> Self {
        self.with_field("resource", resource)
    }

    /// In this header. For `authorization` the token gets `Bearer` before it.
    #[must_use]
    pub fn with_header(mut self, header: HeaderName) -> Self {
        self.header = header;
        self
    }

    fn with_field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    async fn subject(&self, request: &CredentialRequest<'_>) -> Result<Secret, CredentialError> {
        let token = match &self.subject {
            Subject::Own(source) => return source.read(request.now).await,
            Subject::Caller => request.caller_token,
        };
        let code = match token {
            None => "caller_has_no_own_token",
            // It would be worth something here, and nothing there.
            Some(token) if GatewayTokens::is_one(token.expose()) => "caller_token_is_the_gateways",
            Some(token) => return Ok(token.clone()),
        };
        tracing::warn!(code, "there is no token to exchange for this caller");
        Err(CredentialError::Unavailable)
    }
}

#[async_trait]
impl CredentialProvider for TokenExchange {
    async fn credential(&self, request: CredentialRequest<'_>) -> Result<Credential, CredentialError> {
        let now = request.now;
        let subject = self.subject(&request).await?;
        let no_later = match &self.subject {
            Subject::Caller => request.caller.map(|caller| caller.expires_at),
            Subject::Own(_) => None,
        };
        if no_later.is_some_and(|no_later| no_later <= now) {
            return Err(CredentialError::Unavailable);
        }
        let key = Sha256::digest(subject.expose()).into();
        let kept = self
            .kept
            .entry(key, |kept| kept.is_alive(now), || Flight::new(MAX_WAIT));
        let fetch = || {
            let this = self.clone();
            async move {
                let issued = async {
                    let mut form = Form::new();
                    form.add("grant_type", GRANT);
                    form.add("subject_token", subject.expose());
                    form.add("subject_token_type", this.subject_kind.urn());
                    if let Some((actor, kind)) = &this.actor {
                        let actor = actor
                            .read(now)
                            .await
                            .map_err(|_| super::oauth::Failure::NoSecret)?;
                        form.add("actor_token", actor.expose());
                        form.add("actor_token_type", kind.urn());
                    }
                    form.add("requested_token_type", TokenKind::AccessToken.urn());
                    for (name, value) in &this.fields {
                        form.add(name, value);
                    }
                    // A JWT is what some servers call their access tokens.
                    let kinds = [TokenKind::AccessToken.urn(), TokenKind::Jwt.urn()];
                    let granted = this.endpoint.ask(form, &kinds, now).await?;
                    granted.keep(&this.header, no_later, now)
                };
                let issued = issued.await;
                issued
                    .inspect_err(|failure| failure.log(this.endpoint.url()))
                    .ok()
            }
        };
        let kept = kept.get(|held| request.has_rejected(held), now, fetch);
        kept.await.ok_or(CredentialError::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::identity::Identity;
    use crate::outbound::Endpoint;
    use crate::testing::ScriptedClient;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn endpoint(client: &ScriptedClient) -> TokenEndpoint {
        let url = Endpoint::parse("https://login.example/token", false).unwrap();
        TokenEndpoint::new(Arc::new(client.clone()), url).with_client_id("gate")
    }

    /// A server that issues `for-SUBJECT`.
    fn server() -> ScriptedClient {
        ScriptedClient::answering(|request| {
            let body = String::from_utf8(request.body().to_vec()).unwrap();
            let subject = body.split("subject_token=").nth(1).unwrap();
            let subject = subject.split('&').next().unwrap();
            let kind = "urn:ietf:params:oauth:token-type:access_token";
            Ok(ScriptedClient::json(
                200,
                format!(
                    r#"{{"access_token":"for-{subject}","token_type":"Bearer","expires_in":3600,"issued_token_type":"{kind}"}}"#
                ),
            ))
        })
    }

    async fn value(
        provider: &TokenExchange,
        caller: &Identity,
        token: Option<&Secret>,
        secs: u64,
    ) -> Result<String, CredentialError> {
        let mut request = CredentialRequest::new(NOW.plus(Duration::from_secs(secs))).with_caller(caller);
        request.caller_token = token;
        let credential = provider.credential(request).await?;
        Ok(credential.exposed().expose().to_owned())
    }

    fn ann() -> Identity {
        Identity::new("i", "ann", NOW.plus(Duration::from_secs(600)))
    }

    #[tokio::test]
    async fn each_caller_has_a_token_of_their_own_that_ends_with_theirs() {
        let client = server();
        let provider = TokenExchange::new(endpoint(&client), Subject::Caller)
            .with_audience("model")
            .with_resource("https://r.example")
            .with_scope("chat")
            .with_subject_kind(TokenKind::IdToken)
            .with_actor(SecretSource::fixed(Secret::new("actor")), TokenKind::Jwt);
        let (a, b) = (Secret::new("a.a.a"), Secret::new("b.b.b"));
        for _ in 0..3 {
            assert_eq!(value(&provider, &ann(), Some(&a), 0).await.unwrap(), "for-a.a.a");
            assert_eq!(value(&provider, &ann(), Some(&b), 0).await.unwrap(), "for-b.b.b");
        }
        assert_eq!(client.seen().len(), 2);
        assert_eq!(
            client.seen()[0].body(),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=a.a.a\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token&actor_token=actor\
             &actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt\
             &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
             &audience=model&resource=https%3A%2F%2Fr.example&scope=chat&client_id=gate"
        );
        // The caller's own token has ended.
        let ended = value(&provider, &ann(), Some(&a), 600).await;
        assert_eq!(ended, Err(CredentialError::Unavailable));
    }

    #[tokio::test]
    async fn a_caller_without_an_own_token_gets_none() {
        let client = server();
        let provider = TokenExchange::new(endpoint(&client), Subject::Caller);
        let of_the_gateway = GatewayTokens::new([7; 32])
            .issue(&ann(), b"n", NOW)
            .unwrap()
            .token;
        for token in [None, Some(&of_the_gateway)] {
            let none = value(&provider, &ann(), token, 0).await;
            assert_eq!(none, Err(CredentialError::Unavailable));
        }
        assert_eq!(client.seen().len(), 0);
    }

    #[tokio::test]
    async fn a_workload_token_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let client = server();
        let provider = TokenExchange::new(endpoint(&client), Subject::Own(SecretSource::file(&path)));
        let none = value(&provider, &ann(), None, 0).await;
        assert_eq!(none, Err(CredentialError::Unavailable));
        std::fs::write(&path, "w1\n").unwrap();
        assert_eq!(value(&provider, &ann(), None, 0).await.unwrap(), "for-w1");
        std::fs::write(&path, "w2\n").unwrap();
        assert_eq!(value(&provider, &ann(), None, 1).await.unwrap(), "for-w2");
    }

    #[tokio::test]
    async fn one_request_for_many_and_bounded_memory() {
        let client = server();
        let provider = Arc::new(TokenExchange::new(endpoint(&client), Subject::Caller));
        let hold = client.hold();
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let provider = provider.clone();
                let token = Secret::new(format!("t{}", n % 2));
                tokio::spawn(async move { value(&provider, &ann(), Some(&token), 0).await.unwrap() })
            })
            .collect();
        client.wait_for(2).await;
        drop(hold);
        for task in tasks {
            assert!(task.await.unwrap().starts_with("for-t"));
        }
        assert_eq!(client.seen().len(), 2);
        for n in 0..CALLERS + 100 {
            let token = Secret::new(format!("u{n}"));
            value(&provider, &ann(), Some(&token), 0).await.unwrap();
        }
        assert!(provider.kept.len() <= CALLERS);
    }
}
