//! Tokens of the gateway's own: short-lived, and worth nothing anywhere else.
//!
//! A caller exchanges the token of its identity provider for one. It looks like a token of GitHub (`gho_`), because some
//! clients take no other, and holds the identity, signed with HMAC-SHA-256 (RFC 2104): every replica with the same key
//! can check it, and nothing is stored.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::TokenError;
use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::secret::Secret;

/// What every such token begins with: GitHub's prefix, then ours.
const PREFIX: &str = "gho_cg1";
/// The length of the signature at the end, in base64url.
const SIGNATURE: usize = 43;
/// Who issues them.
const ISSUER: &str = "urn:copilot-guard:gateway";
/// Longest life of a token.
const MAX_TTL: Duration = Duration::from_secs(15 * 60);

/// Makes and checks gateway tokens. `{:?}` prints no part of the key.
#[derive(Clone)]
pub struct GatewayTokens {
    key: Zeroizing<[u8; 32]>,
}

/// A token, fresh.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token.
    pub token: Secret,
    /// When it ends: never later than the token it was given for.
    pub expires_at: Timestamp,
}

/// What is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    /// Of no other issuer: these tokens have a key, a form and a verifier of their own (RFC 8725, section 3.12).
    iss: String,
    /// Tells two tokens of one caller apart.
    jti: String,
    /// Milliseconds since the Unix epoch.
    iat: i64,
    exp: i64,
    identity: Identity,
}

impl GatewayTokens {
    /// With a key of 32 random bytes, shared by all replicas.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            key: Zeroizing::new(key),
        }
    }

    /// Whether a token is meant to be one of these. Only [`verify`](Self::verify) says that it is.
    pub fn is_one(token: &str) -> bool {
        token.starts_with(PREFIX)
    }

    /// A token for somebody who was verified. `nonce` is random.
    pub fn issue(&self, identity: &Identity, nonce: &[u8], now: Timestamp) -> Result<Issued, TokenError> {
        let expires_at = now.plus(MAX_TTL).min(identity.expires_at);
        let mut identity = identity.clone();
        identity.expires_at = expires_at;
        // A vote needs a login that somebody else vouches for.
        identity.authenticated_at = None;
        let jti = format!("cg-{}", URL_SAFE_NO_PAD.encode(nonce));
        // Last, behind those of what it is given for: each of them withdraws it.
        identity.token_ids.push(jti.clone());
        let payload = Payload {
            iss: ISSUER.to_owned(),
            jti,
            iat: now.as_millis(),
            exp: expires_at.as_millis(),
            identity,
        };
        let json = serde_json::to_vec(&payload).map_err(|_| TokenError::Unavailable)?;
        let signed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json));
        let signature = self.mac(&signed).finalize().into_bytes();
        let token = format!("{signed}{}", URL_SAFE_NO_PAD.encode(signature));
        if token.len() > super::bearer::MAX_TOKEN {
            // With so many groups no client could send it back.
            return Err(TokenError::GroupsOverage);
        }
        Ok(Issued {
            token: Secret::new(token),
            expires_at,
        })
    }

    /// Whom a token names.
    ///
    /// # Errors
    /// It was not made with this key, or it has ended.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let refused = TokenError::Invalid("gateway_token_invalid");
        let at = token.len().checked_sub(SIGNATURE).ok_or(refused.clone())?;
        let (Some(signed), Some(signature)) = (token.get(..at), token.get(at..)) else {
            return Err(refused);
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused.clone())?;
        self.mac(signed)
            .verify_slice(&signature)
            .map_err(|_| refused.clone())?;
        let payload = signed.strip_prefix(PREFIX).ok_or(refused.clone())?;
        let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| refused.clone())?;
        let payload: Payload = serde_json::from_slice(&json).map_err(|_| refused.clone())?;
        let lasts = i128::from(payload.exp) - i128::from(payload.iat);
        let own = payload.iss == ISSUER && payload.identity.token_ids.last() == Some(&payload.jti);
        if !own
            || lasts > MAX_TTL.as_millis() as i128
            || payload.exp != payload.identity.expires_at.as_millis()
        {
            return Err(refused);
        }
        if now.as_millis() >= payload.exp {
            return Err(TokenError::Invalid("expired"));
        }
        Ok(payload.identity)
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        let mut block = Zeroizing::new([0; 64]);
        let (front, _) = block.split_at_mut(self.key.len());
        front.copy_from_slice(self.key.as_slice());
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(b"copilot-guard gateway token\0");
        mac.update(signed.as_bytes());
        mac
    }
}

impl fmt::Debug for GatewayTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayTokens(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }

    fn identity(lasts: u64) -> Identity {
        let mut identity = Identity::new(
            "https://idp.example",
            "dev",
            now().plus(Duration::from_secs(lasts)),
        )
        .with_groups(["developers"]);
        identity.authenticated_at = Some(now());
        identity
    }

    #[test]
    fn names_whom_it_was_made_for_and_ends_with_what_it_was_made_from() {
        let tokens = GatewayTokens::new([7; 32]);
        for (source, lasts) in [(60, 60), (86_400, 900)] {
            let issued = tokens.issue(&identity(source), b"nonce", now()).unwrap();
            let token = issued.token.expose();
            assert!(GatewayTokens::is_one(token));
            assert_eq!(issued.expires_at, now().plus(Duration::from_secs(lasts)));
            let found = tokens.verify(token, now()).unwrap();
            assert_eq!((&*found.subject, found.authenticated_at), ("dev", None));
            assert_eq!(found.groups, identity(source).groups);
            // A token for a token lasts no longer.
            let later = now().plus(Duration::from_secs(lasts - 1));
            let again = tokens.issue(&found, b"n2", later).unwrap();
            assert_eq!(again.expires_at, issued.expires_at);
            let over = now().plus(Duration::from_secs(lasts));
            assert_eq!(tokens.verify(token, over), Err(TokenError::Invalid("expired")));
        }
    }

    #[test]
    fn no_other_bytes_are_a_token() {
        let tokens = GatewayTokens::new([7; 32]);
        let issued = tokens.issue(&identity(600), b"nonce", now()).unwrap();
        let token = issued.token.expose();
        for at in 0..token.len() {
            for with in [b'A', b'z', b'_'] {
                let mut bytes = token.as_bytes().to_vec();
                if bytes[at] == with {
                    continue;
                }
                bytes[at] = with;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(tokens.verify(&changed, now()).is_err(), "{at} {with}");
            }
            assert!(tokens.verify(&token[..at], now()).is_err());
            assert!(tokens.verify(&token[at + 1..], now()).is_err());
        }
        assert!(tokens.verify(&format!("{token}A"), now()).is_err());
        assert!(GatewayTokens::new([8; 32]).verify(token, now()).is_err());
        assert!(!format!("{tokens:?}{issued:?}").contains("gho_"));
    }
}
