//! [`CopilotExchange`]: a short-lived Copilot token for a GitHub token.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Request};
use zeroize::Zeroizing;

use super::oauth::{AGENT, Failure, token_of, with_object};
use super::{
    ASK, Credential, CredentialError, CredentialProvider, CredentialRequest, EARLY, LONGEST, MAX_WAIT,
    SecretSource,
};
use crate::clock::Timestamp;
use crate::outbound::{Endpoint, Flight, Fresh, HttpClient, OutboundError, send_within, wipe, wiped};

/// A shorter `refresh_in` is taken for this.
const SOONEST: Duration = Duration::from_secs(60);

/// Exchanges the GitHub token of an account with a Copilot seat, as editors do: `GET
/// {api}/copilot_internal/v2/token`, about every 25 minutes. All callers share the account.
///
/// GitHub does not document this route: it may change without notice, and it may refuse tokens of some kinds. The answer
/// names hosts (`endpoints.api`); requests go where the configuration says all the same, and a difference is logged.
///
/// It is kept, renewed and asked for once as [`ClientCredentials`](super::ClientCredentials) does.
#[derive(Debug, Clone)]
pub struct CopilotExchange {
    client: Arc<dyn HttpClient>,
    api: Endpoint,
    token: SecretSource,
    headers: HeaderMap,
    /// Where the credential is used.
    used_at: Option<String>,
    kept: Flight<Credential>,
}

impl CopilotExchange {
    /// With this GitHub token, at this API: `https://api.github.com`, or `https://api.SUBDOMAIN.ghe.com`.
    pub fn new(client: Arc<dyn HttpClient>, api: Endpoint, token: SecretSource) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("editor-version", AGENT),
            ("editor-plugin-version", AGENT),
            ("copilot-integration-id", "vscode-chat"),
            ("x-github-api-version", "2025-05-01"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Self {
            client,
            api,
            token,
            headers,
            used_at: None,
            kept: Flight::new(MAX_WAIT),
        }
    }

    /// With this header in place of the one that is sent by default, such as `editor-version`.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The host that the credential is used at: a warning is logged when GitHub names another one for the account.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.used_at = Some(host.into());
        self
    }

    async fn exchange(&self, now: Timestamp) -> Result<Fresh<Credential>, Failure> {
        let token = self.token.read(now).await.map_err(|_| Failure::NoSecret)?;
        let mut text = Zeroizing::new(Vec::with_capacity(6 + token.expose().len()));
        text.extend_from_slice(b"token ");
        text.extend_from_slice(token.expose().as_bytes());
        let mut value = HeaderValue::from_maybe_shared(wiped(text)).map_err(|_| Failure::NoSecret)?;
        value.set_sensitive(true);
        let mut request = Request::get(self.api.with("/copilot_internal/v2/token"))
            .body(bytes::Bytes::new())
            .map_err(|_| OutboundError::message("the request could not be built"))?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(AUTHORIZATION, value);
        let response = send_within(&*self.client, request, ASK).await?;
        let read = with_object(&response, |object| {
            let token = token_of(object, "token")?;
            let ends = object
                .get("expires_at")
                .and_then(|v| v.as_u64())
                .and_then(|secs| i64::try_from(secs).ok())
                .map(Timestamp::from_secs)
                .filter(|ends| *ends > now)
                .ok_or(Failure::Malformed(
                    "`expires_at` is not a time to come: is the clock right?",
                ))?
                .min(now.plus(LONGEST));
            let refresh = match object.get_some("refresh_in") {
                None => None,
                Some(value) => Some(
                    value
                        .as_u64()
                        .ok_or(Failure::Malformed("`refresh_in` is not a number of seconds"))?,
                ),
            };
            let endpoints = object.get("endpoints");
            let host = endpoints.and_then(|e| e.get_str("api")).map(|h| h.into_owned());
            Ok((token, ends, refresh, host))
        });
        wipe(response.into_body());
        let (token, ends, refresh, host) = read?;
        self.compare(host.as_deref());
        let credential = Credential::bearer(&token)
            .map_err(|_| Failure::Malformed("the token has characters that no header may hold"))?
            .with_expiry(ends);
        let mut fresh = Fresh::renewed_early(credential, EARLY, ends, now);
        if let Some(secs) = refresh {
            // Sooner would be a request to GitHub with each of the callers'.
            let wait = Duration::from_secs(secs).max(SOONEST);
            fresh.refresh_at = fresh.refresh_at.min(now.plus(wait));
        }
        Ok(fresh)
    }

    /// The answer does not say where requests go: who could change it would be sent the token.
    fn compare(&self, named: Option<&str>) {
        let named = named
            .and_then(|url| url.parse::<http::Uri>().ok())
            .and_then(|uri| uri.host().map(str::to_ascii_lowercase));
        if let (Some(named), Some(used)) = (named, &self.used_at)
            && !named.eq_ignore_ascii_case(used)
        {
            tracing::warn!(code = "copilot_host_differs", %named, %used, "GitHub names another host for this account");
        }
    }
}

#[async_trait]
impl CredentialProvider for CopilotExchange {
    async fn credential(&self, request: CredentialRequest<'_>) -> Result<Credential, CredentialError> {
        let now = request.now;
        let fetch = || {
            let this = self.clone();
            async move {
                let fresh = this.exchange(now).await;
                fresh.inspect_err(|failure| failure.log(&this.api)).ok()
            }
        };
        let kept = self.kept.get(|held| request.has_rejected(held), now, fetch);
        kept.await.ok_or(CredentialError::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::testing::ScriptedClient;

    const NOW: i64 = 1_800_000_000;

    fn exchange(client: &ScriptedClient) -> CopilotExchange {
        let api = Endpoint::parse("https://api.github.example", false).unwrap();
        let token = SecretSource::fixed(Secret::new(["gho", "_canary"].concat()));
        CopilotExchange::new(Arc::new(client.clone()), api, token)
    }

    fn at(secs: i64) -> CredentialRequest<'static> {
        CredentialRequest::new(Timestamp::from_secs(NOW + secs))
    }

    fn grant(client: &ScriptedClient, token: &str, expires_at: i64, refresh_in: i64) {
        let expires_at = NOW + expires_at;
        client.answer(
            200,
            format!(
                r#"{{"token":"{token}","expires_at":{expires_at},"refresh_in":{refresh_in},"endpoints":{{"api":"https://api.business.example"}},"sku":"x","individual":false}}"#
            ),
        );
    }

    async fn value(provider: &CopilotExchange, request: CredentialRequest<'_>) -> Option<String> {
        let credential = provider.credential(request).await.ok()?;
        Some(credential.exposed().expose().to_owned())
    }

    #[tokio::test]
    async fn asks_as_editors_do_and_renews_when_it_is_told() {
        let client = ScriptedClient::new();
        let provider = exchange(&client)
            .with_header(
                HeaderName::from_static("editor-version"),
                HeaderValue::from_static("vscode/1.2"),
            )
            .with_host("api.example");
        grant(&client, "tid=1;exp=2:mac", 1800, 1500);
        assert_eq!(value(&provider, at(0)).await.unwrap(), "tid=1;exp=2:mac");
        let seen = client.seen().remove(0);
        assert_eq!(seen.uri(), "https://api.github.example/copilot_internal/v2/token");
        assert_eq!(seen.headers()[AUTHORIZATION], ["token gho", "_canary"].concat());
        assert!(seen.headers()[AUTHORIZATION].is_sensitive());
        assert_eq!(seen.headers()["editor-version"], "vscode/1.2");
        assert!(!format!("{provider:?}").contains("canary"));
        assert_eq!(value(&provider, at(1499)).await.unwrap(), "tid=1;exp=2:mac");
        assert_eq!(client.seen().len(), 1);
        grant(&client, "two", 3300, 1500);
        assert_eq!(
            value(&provider, at(1500)).await.unwrap(),
            "tid=1;exp=2:mac",
            "does not wait"
        );
        client.wait_for(2).await;
        while value(&provider, at(1501)).await.unwrap() != "two" {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn is_not_asked_again_at_once() {
        for refresh_in in [0, 1] {
            let client = ScriptedClient::new();
            let provider = exchange(&client);
            grant(&client, "one", 1800, refresh_in);
            for secs in 0..60 {
                assert_eq!(value(&provider, at(secs)).await.unwrap(), "one", "{secs}");
                tokio::task::yield_now().await;
            }
            assert_eq!(client.seen().len(), 1, "{refresh_in}");
            grant(&client, "two", 1800, refresh_in);
            assert_eq!(value(&provider, at(60)).await.unwrap(), "one", "does not wait");
            client.wait_for(2).await;
        }
        // A token that ends before is renewed before its end.
        let client = ScriptedClient::new();
        let provider = exchange(&client);
        grant(&client, "short", 40, 0);
        assert_eq!(value(&provider, at(19)).await.unwrap(), "short");
        grant(&client, "next", 80, 0);
        value(&provider, at(39)).await.unwrap();
        client.wait_for(2).await;
    }

    #[tokio::test]
    async fn strange_answers_are_none() {
        let rows = [
            (200, r#"{"expires_at":1800001800}"#),
            (200, r#"{"token":"a\nb","expires_at":1800001800}"#),
            (200, r#"{"token":"a"}"#),
            (200, r#"{"token":"a","expires_at":1800000000}"#),
            (200, r#"{"token":"a","expires_at":"soon"}"#),
            (200, r#"{"token":"a","expires_at":1800001800,"refresh_in":"x"}"#),
            (200, "<html>"),
            (401, r#"{"message":"Bad credentials"}"#),
            (403, r#"{"error_details":{"message":"no seat"}}"#),
            (404, ""),
            (302, ""),
        ];
        for (status, body) in rows {
            let client = ScriptedClient::new();
            client.answer(status, body);
            assert_eq!(value(&exchange(&client), at(0)).await, None, "{body}");
        }
    }
}
