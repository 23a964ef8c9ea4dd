//! [`ClientCredentials`]: a token for the gateway itself.

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderName};

use super::{Credential, CredentialError, CredentialProvider, CredentialRequest, MAX_WAIT, TokenEndpoint};
use crate::outbound::{Flight, Form};

/// A token of the client credentials grant (RFC 6749, 4.4). All callers share it.
///
/// It is kept until it ends, renewed in the background from two minutes before (a request has to come by then), and asked
/// for once however many wait. While the endpoint fails the old token serves until its end. A token that says nothing of
/// its end is kept for five minutes.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    endpoint: TokenEndpoint,
    /// Names and values that the endpoint is told.
    fields: Vec<(&'static str, String)>,
    header: HeaderName,
    kept: Flight<Credential>,
}

impl ClientCredentials {
    /// From this endpoint.
    pub fn new(endpoint: TokenEndpoint) -> Self {
        Self {
            endpoint,
            fields: Vec::new(),
            header: AUTHORIZATION,
            kept: Flight::new(MAX_WAIT),
        }
    }

    /// For this scope: names with blanks between them.
    #[must_use]
    pub fn with_scope(self, scope: impl Into<String>) -> Self {
        self.with_field("scope", scope)
    }

    /// For this audience, as some servers want it.
    #[must_use]
    pub fn with_audience(self, audience: impl Into<String>) -> Self {
        self.with_field("audience", audience)
    }

    /// For this resource (RFC 8707).
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
}

#[async_trait]
impl CredentialProvider for ClientCredentials {
    async fn credential(&self, request: CredentialRequest<'_>) -> Result<Credential, CredentialError> {
        let now = request.now;
        let fetch = || {
            let this = self.clone();
            async move {
                let mut form = Form::new();
                form.add("grant_type", "client_credentials");
                for (name, value) in &this.fields {
                    form.add(name, value);
                }
                let granted = this.endpoint.ask(form, &[], now).await;
                granted
                    .and_then(|granted| granted.keep(&this.header, None, now))
                    .inspect_err(|failure| failure.log(this.endpoint.url()))
                    .ok()
            }
        };
        let kept = self.kept.get(|held| request.has_rejected(held), now, fetch);
        kept.await.ok_or(CredentialError::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::SecretSource;
    use super::*;
    use crate::clock::Timestamp;
    use crate::outbound::Endpoint;
    use crate::secret::Secret;
    use crate::testing::ScriptedClient;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn endpoint(client: &ScriptedClient) -> TokenEndpoint {
        let url = Endpoint::parse("https://login.example/token", false).unwrap();
        TokenEndpoint::new(Arc::new(client.clone()), url)
    }

    fn grant(client: &ScriptedClient, token: &str, secs: u64) {
        client.answer(
            200,
            format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{secs}}}"#),
        );
    }

    async fn value(
        provider: &ClientCredentials,
        request: CredentialRequest<'_>,
    ) -> Result<String, CredentialError> {
        let credential = provider.credential(request).await?;
        Ok(credential.exposed().expose().to_owned())
    }

    #[tokio::test]
    async fn asks_as_the_rfc_says() {
        let client = ScriptedClient::new();
        let secret = || SecretSource::fixed(Secret::new("s&1"));
        let basic = ClientCredentials::new(endpoint(&client).with_basic("me", secret()))
            .with_scope("a b")
            .with_audience("aud")
            .with_resource("https://r.example/");
        let post = ClientCredentials::new(endpoint(&client).with_post("me", secret()))
            .with_header(HeaderName::from_static("api-key"));
        for (provider, header) in [(&basic, "authorization"), (&post, "api-key")] {
            grant(&client, "t", 600);
            let credential = provider.credential(CredentialRequest::new(NOW)).await.unwrap();
            assert_eq!(credential.header.as_str(), header);
            assert_eq!(credential.expires_at(), Some(NOW.plus(Duration::from_secs(600))));
        }
        let seen = client.seen();
        assert_eq!(
            seen[0].body(),
            "grant_type=client_credentials&scope=a%20b&audience=aud&resource=https%3A%2F%2Fr.example%2F"
        );
        assert_eq!(seen[0].headers()[AUTHORIZATION], "Basic bWU6cyUyNjE=");
        assert_eq!(
            seen[1].body(),
            "grant_type=client_credentials&client_id=me&client_secret=s%261"
        );
        assert!(seen[1].headers().get(AUTHORIZATION).is_none());
        for request in seen {
            assert_eq!(request.uri(), "https://login.example/token");
            assert_eq!(request.method(), "POST");
        }
    }

    #[tokio::test]
    async fn is_kept_renewed_and_survives_an_outage() {
        let client = ScriptedClient::new();
        let provider = ClientCredentials::new(endpoint(&client));
        let at = |secs| CredentialRequest::new(NOW.plus(Duration::from_secs(secs)));
        grant(&client, "one", 600);
        assert_eq!(value(&provider, at(0)).await.unwrap(), "one");
        assert_eq!(value(&provider, at(479)).await.unwrap(), "one");
        assert_eq!(client.seen().len(), 1);
        // Two minutes before the end it is renewed on the side; the endpoint fails.
        client.fail();
        assert_eq!(value(&provider, at(480)).await.unwrap(), "one");
        client.wait_for(2).await;
        client.answer(503, "");
        assert_eq!(value(&provider, at(599)).await.unwrap(), "one");
        client.wait_for(3).await;
        // It has ended, and there is no other.
        client.answer(400, r#"{"error":"invalid_client"}"#);
        let none = value(&provider, at(660)).await;
        assert_eq!(none, Err(CredentialError::Unavailable));
        let asked = client.seen().len();
        let none = value(&provider, at(660)).await;
        assert_eq!(none, Err(CredentialError::Unavailable));
        assert_eq!(client.seen().len(), asked, "waits before it asks again");
        grant(&client, "two", 600);
        assert_eq!(value(&provider, at(670)).await.unwrap(), "two");
    }

    #[tokio::test]
    async fn one_that_was_turned_down_is_replaced_once() {
        let client = ScriptedClient::new();
        let provider = ClientCredentials::new(endpoint(&client));
        let at = |secs| CredentialRequest::new(NOW.plus(Duration::from_secs(secs)));
        grant(&client, "one", 600);
        let one = provider.credential(at(0)).await.unwrap();
        grant(&client, "two", 600);
        assert_eq!(value(&provider, at(1).with_rejected(&one)).await.unwrap(), "two");
        // Another request with the old one need not ask again.
        assert_eq!(value(&provider, at(1).with_rejected(&one)).await.unwrap(), "two");
        let two = provider.credential(at(2)).await.unwrap();
        let none = value(&provider, at(3).with_rejected(&two)).await;
        assert_eq!(none, Err(CredentialError::Unavailable));
        assert_eq!(client.seen().len(), 2, "not more than once in half a minute");
        assert_eq!(value(&provider, at(4)).await.unwrap(), "two");
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_hangs_or_panics_is_a_failure() {
        let client = ScriptedClient::new();
        let provider = ClientCredentials::new(endpoint(&client));
        let hold = client.hold();
        let none = value(&provider, CredentialRequest::new(NOW)).await;
        assert_eq!(none, Err(CredentialError::Unavailable));
        drop(hold);
        client.panic();
        let later = NOW.plus(Duration::from_secs(9));
        let none = value(&provider, CredentialRequest::new(later)).await;
        assert_eq!(none, Err(CredentialError::Unavailable));
    }

    #[cfg(feature = "fetch")]
    #[tokio::test]
    async fn over_real_http() {
        use crate::outbound::HyperClient;
        use crate::outbound::test_server::{Server, answer};
        let body = br#"{"access_token":"real","token_type":"Bearer","expires_in":60}"#;
        let server = Server::start([answer("200 OK", body)]);
        let url = Endpoint::parse(&server.url("/token"), true).unwrap();
        let client = Arc::new(HyperClient::new().unwrap());
        let secret = SecretSource::fixed(Secret::new("s"));
        let provider = ClientCredentials::new(TokenEndpoint::new(client, url).with_post("me", secret));
        let credential = value(&provider, CredentialRequest::new(NOW)).await;
        assert_eq!(credential.unwrap(), "real");
        assert!(server.seen()[0].ends_with("client_id=me&client_secret=s"));
    }
}
