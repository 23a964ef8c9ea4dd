//! A stand-in identity provider: discovery document, key set, and tokens signed with a key made at the start.

use std::convert::Infallible;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use copilot_guard::clock::Timestamp;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::model::listen;

type Error = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct IdentityProvider {
    pub(crate) url: String,
    key: EncodingKey,
}

impl IdentityProvider {
    pub(crate) async fn start() -> Result<Self, Error> {
        let document = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
            .map_err(|_| "no key can be made")?;
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| "no key can be made")?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let keys = serde_json::json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "demo", "x": x }] });
        let keys = keys.to_string();
        let url = listen(move |url| {
            let (keys, url) = (keys.clone(), url.to_owned());
            move |request: Request<Incoming>| {
                let body = match request.uri().path() {
                    "/.well-known/openid-configuration" => Some(
                        serde_json::json!({ "issuer": url, "jwks_uri": format!("{url}/jwks.json") })
                            .to_string(),
                    ),
                    "/jwks.json" => Some(keys.clone()),
                    _ => None,
                };
                async move {
                    let mut response =
                        Response::new(Full::new(Bytes::from(body.clone().unwrap_or_default())));
                    if body.is_none() {
                        *response.status_mut() = http::StatusCode::NOT_FOUND;
                    }
                    Ok::<_, Infallible>(response)
                }
            }
        })
        .await?;
        Ok(Self {
            url,
            key: EncodingKey::from_ed_der(document.as_ref()),
        })
    }

    /// A token for one hour.
    pub(super) fn token(
        &self,
        who: &str,
        audience: &str,
        groups: &[&str],
        now: Timestamp,
    ) -> Result<String, Error> {
        self.token_for(who, audience, groups, now, 3600)
    }

    /// A token for some seconds, which may lie in the past.
    pub(crate) fn token_for(
        &self,
        who: &str,
        audience: &str,
        groups: &[&str],
        now: Timestamp,
        seconds: i64,
    ) -> Result<String, Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("demo".to_owned());
        let now = now.as_millis() / 1000;
        let claims = serde_json::json!({
            "iss": self.url, "sub": who, "aud": audience, "groups": groups,
            "iat": now.min(now + seconds), "auth_time": now, "exp": now + seconds,
        });
        Ok(jsonwebtoken::encode(&header, &claims, &self.key)?)
    }
}
