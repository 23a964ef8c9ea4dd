//! [`ServiceAccount`]: a token for a signed assertion.

use std::fmt;
use std::sync::Once;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use jsonwebtoken::crypto::aws_lc;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::oauth::Failure;
use super::{Credential, CredentialError, CredentialProvider, CredentialRequest, MAX_WAIT, TokenEndpoint};
use crate::clock::Timestamp;
use crate::json::{Document, Limits};
use crate::outbound::{Flight, Form, Fresh};
use crate::secret::Secret;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest an assertion may last with Google.
const LASTS: i64 = 3600;

/// A token for an assertion that the gateway signs (RFC 7523, 2.1), as Google wants it of service accounts.
///
/// The key file is the JSON that Google makes. Its `token_uri` is not used: where the assertion goes is said by the
/// configuration. Kept, renewed and asked for once as [`ClientCredentials`](super::ClientCredentials) does.
#[derive(Clone)]
pub struct ServiceAccount {
    endpoint: TokenEndpoint,
    email: String,
    key_id: Option<String>,
    key: EncodingKey,
    scope: String,
    /// Whom it acts as.
    on_behalf_of: Option<String>,
    kept: Flight<Credential>,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount")
            .field("email", &self.email)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The key file cannot be used. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the key file of a service account: {0}")]
pub struct InvalidServiceAccount(&'static str);

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
}

impl ServiceAccount {
    /// From the JSON of a key file, for this scope (names with blanks between them).
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn new(
        endpoint: TokenEndpoint,
        key_file: &Secret,
        scope: impl Into<String>,
    ) -> Result<Self, InvalidServiceAccount> {
        let limits = Limits::with_bytes(64 << 10);
        let document = Document::parse(key_file.expose().as_bytes(), limits)
            .map_err(|_| InvalidServiceAccount("it is not strict JSON"))?;
        let text = |name| document.root().get_str(name).filter(|text| !text.is_empty());
        if text("type").as_deref() != Some("service_account") {
            return Err(InvalidServiceAccount("its `type` is not `service_account`"));
        }
        let email = text("client_email").ok_or(InvalidServiceAccount("it has no `client_email`"))?;
        let pem = text("private_key").ok_or(InvalidServiceAccount("it has no `private_key`"))?;
        let pem = Secret::new(pem.into_owned());
        let key = EncodingKey::from_rsa_pem(pem.expose().as_bytes())
            .map_err(|_| InvalidServiceAccount("its `private_key` is not an RSA key in PEM form"))?;
        let this = Self {
            endpoint,
            email: email.into_owned(),
            key_id: text("private_key_id").map(|id| id.into_owned()),
            key,
            scope: scope.into(),
            on_behalf_of: None,
            kept: Flight::new(MAX_WAIT),
        };
        // A key that cannot sign is better found at start.
        this.assertion(Timestamp::default())
            .map_err(|_| InvalidServiceAccount("its `private_key` cannot sign"))?;
        Ok(this)
    }

    /// Acts as this account of the organisation (domain-wide delegation).
    #[must_use]
    pub fn on_behalf_of(mut self, account: impl Into<String>) -> Self {
        self.on_behalf_of = Some(account.into());
        self
    }

    fn assertion(&self, now: Timestamp) -> Result<Secret, Failure> {
        install_provider();
        let iat = now.as_millis().div_euclid(1000);
        let claims = Claims {
            iss: &self.email,
            scope: &self.scope,
            aud: self.endpoint.url().as_str(),
            iat,
            exp: iat.saturating_add(LASTS),
            sub: self.on_behalf_of.as_deref(),
        };
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.key_id);
        jsonwebtoken::encode(&header, &claims, &self.key)
            .map(Secret::new)
            .map_err(|_| Failure::NotSigned)
    }

    async fn fetch(&self, now: Timestamp) -> Result<Fresh<Credential>, Failure> {
        let assertion = self.assertion(now)?;
        let mut form = Form::new();
        form.add("grant_type", GRANT);
        form.add("assertion", assertion.expose());
        let granted = self.endpoint.ask(form, &[], now).await?;
        granted.keep(&AUTHORIZATION, None, now)
    }
}

#[async_trait]
impl CredentialProvider for ServiceAccount {
    async fn credential(&self, request: CredentialRequest<'_>) -> Result<Credential, CredentialError> {
        let now = request.now;
        let fetch = || {
            let this = self.clone();
            async move {
                let fresh = this.fetch(now).await;
                fresh.inspect_err(|failure| failure.log(this.endpoint.url())).ok()
            }
        };
        let kept = self.kept.get(|held| request.has_rejected(held), now, fetch);
        kept.await.ok_or(CredentialError::Unavailable)
    }
}

/// With both of jsonwebtoken's providers switched on, by whatever crate, the first use panics unless one was installed.
fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;
    use crate::outbound::Endpoint;
    use crate::testing::ScriptedClient;

    /// A key file as Google makes it, and the public key to it.
    pub(crate) fn key_file() -> (Secret, Vec<u8>) {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let body = STANDARD.encode(der.as_ref());
        let label = ["PRIVATE", "KEY"].join(" ");
        let mut pem = format!("-----BEGIN {label}-----\n");
        for line in body.as_bytes().chunks(64) {
            pem.push_str(std::str::from_utf8(line).unwrap());
            pem.push('\n');
        }
        pem.push_str(&format!("-----END {label}-----\n"));
        let json = serde_json::json!({
            "type": "service_account", "private_key_id": "k1", "private_key": pem,
            "client_email": "guard@project.example", "token_uri": "https://evil.example/token",
        });
        (Secret::new(json.to_string()), pair.public_key().as_ref().to_vec())
    }

    pub(crate) fn account(client: &ScriptedClient, file: &Secret) -> ServiceAccount {
        let url = Endpoint::parse("https://oauth2.example/token", false).unwrap();
        let endpoint = TokenEndpoint::new(Arc::new(client.clone()), url);
        ServiceAccount::new(endpoint, file, "scope-a").unwrap()
    }

    #[tokio::test]
    async fn signs_what_google_wants() {
        let client = ScriptedClient::new();
        client.answer(
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":3599}"#,
        );
        let (file, public) = key_file();
        let provider = account(&client, &file).on_behalf_of("admin@example.com");
        let now = Timestamp::from_secs(1_800_000_000);
        let credential = provider.credential(CredentialRequest::new(now)).await.unwrap();
        assert_eq!(credential.exposed().expose(), "t");
        let request = client.seen().remove(0);
        assert_eq!(
            request.uri(),
            "https://oauth2.example/token",
            "not what the file says"
        );
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        let assertion = body
            .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
            .unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let part = |n| {
            let part = URL_SAFE_NO_PAD.decode(signed.split('.').nth(n).unwrap()).unwrap();
            serde_json::from_slice::<serde_json::Value>(&part).unwrap()
        };
        assert_eq!(
            (&part(0)["alg"], &part(0)["kid"]),
            (&"RS256".into(), &"k1".into())
        );
        let claims = serde_json::json!({
            "iss": "guard@project.example", "scope": "scope-a", "aud": "https://oauth2.example/token",
            "iat": 1_800_000_000, "exp": 1_800_003_600, "sub": "admin@example.com",
        });
        assert_eq!(part(1), claims);
    }

    #[test]
    fn bad_key_files_say_nothing_of_their_content() {
        let (file, _) = key_file();
        let client = ScriptedClient::new();
        let url = Endpoint::parse("https://oauth2.example/token", false).unwrap();
        let endpoint = TokenEndpoint::new(Arc::new(client), url);
        let json: serde_json::Value = serde_json::from_str(file.expose()).unwrap();
        for member in ["type", "client_email", "private_key"] {
            for other in ["", "canary"] {
                let mut json = json.clone();
                json[member] = other.into();
                let file = Secret::new(json.to_string());
                match ServiceAccount::new(endpoint.clone(), &file, "s") {
                    Ok(account) => assert_eq!((member, other), ("client_email", "canary"), "{account:?}"),
                    Err(error) => assert!(!error.to_string().contains("canary"), "{error}"),
                }
            }
        }
        assert!(ServiceAccount::new(endpoint, &Secret::new("canary"), "s").is_err());
    }
}
