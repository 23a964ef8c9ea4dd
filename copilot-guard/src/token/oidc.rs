//! [`OidcVerifier`]: the pure checks, joined with the fetching of keys.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use async_trait::async_trait;

use super::config::IssuerConfigError;
use super::issuer::Issuer;
use super::jwt::Unverified;
use super::{IssuerConfig, KeyFetcher, TokenError, TokenVerifier};
use crate::clock::Timestamp;
use crate::identity::Identity;

/// Verifies tokens of configured OpenID Connect issuers.
///
/// 1. The token's `iss` chooses one issuer by exact comparison; its keys alone are tried.
/// 2. Then the signature, the registered claims, the issuer's own conditions, the mapping to groups.
/// 3. A request whose key is at hand never waits for the network.
///
/// Keys are fetched when first needed. Call [`refresh`](Self::refresh) at start, and from a timer where the gateway
/// may idle: keys are otherwise renewed only as requests come in.
///
/// # Example
/// ```no_run
/// use std::sync::Arc;
/// use copilot_guard::token::{GroupSource, IssuerConfig, KeyFetcher, OidcVerifier};
///
/// # fn build(fetcher: Arc<dyn KeyFetcher>) -> Result<(), Box<dyn std::error::Error>> {
/// let mut issuer = IssuerConfig::new("https://sso.example.com/realms/dev", ["copilot-guard"]);
/// issuer.groups = vec![GroupSource::new("/realm_access/roles")];
/// issuer.required.insert("email_verified".into(), true.into());
/// let verifier = OidcVerifier::builder(fetcher).issuer(issuer).build()?;
/// # let _ = verifier; Ok(()) }
/// ```
#[derive(Debug)]
pub struct OidcVerifier {
    issuers: HashMap<String, Arc<Issuer>>,
}

impl OidcVerifier {
    /// Starts a verifier whose keys come from `fetcher`; [`NoFetch`](super::NoFetch) where all come from files.
    pub fn builder(fetcher: Arc<dyn KeyFetcher>) -> OidcVerifierBuilder {
        OidcVerifierBuilder {
            fetcher,
            issuers: Vec::new(),
        }
    }

    /// Fetches the keys that are due at `now`, for all issuers at once, and waits for them. Cheap when none is due.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] when an issuer has no usable keys afterwards.
    pub async fn refresh(&self, now: Timestamp) -> Result<(), TokenError> {
        let tasks: Vec<_> = self
            .issuers
            .values()
            .filter_map(|issuer| issuer.start_if_due(now))
            .collect();
        for task in tasks {
            // A failure keeps the old keys; what is left to say is whether there are any.
            let _ = task.await;
        }
        if self.is_ready(now) {
            Ok(())
        } else {
            Err(TokenError::Unavailable)
        }
    }

    /// Whether every issuer has usable keys at `now`.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.issuers.values().all(|issuer| issuer.is_ready(now))
    }
}

#[async_trait]
impl TokenVerifier for OidcVerifier {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let token = Unverified::parse(token)?;
        let issuer = self
            .issuers
            .get(token.issuer()?)
            .ok_or(TokenError::Invalid("unknown_issuer"))?;
        let rules = issuer.rules();
        if !rules.algorithms.contains(&token.algorithm()) {
            return Err(TokenError::Invalid("alg_refused"));
        }
        let keys = issuer.keys_for(token.kid(), now).await?;
        let key = keys
            .key(token.kid(), token.algorithm())
            .ok_or(TokenError::Invalid("alg_key_mismatch"))?;
        let signed = token.verify(key)?;
        rules.admit(&signed, now)
    }
}

/// Collects issuers; see [`OidcVerifier::builder`].
#[derive(Debug)]
#[must_use]
pub struct OidcVerifierBuilder {
    fetcher: Arc<dyn KeyFetcher>,
    issuers: Vec<IssuerConfig>,
}

impl OidcVerifierBuilder {
    /// Adds an issuer.
    pub fn issuer(mut self, issuer: IssuerConfig) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Checks all issuers. Nothing is fetched yet.
    ///
    /// # Errors
    /// Names the issuer and the key that cannot work.
    pub fn build(self) -> Result<OidcVerifier, IssuerConfigError> {
        let mut issuers = HashMap::new();
        for config in &self.issuers {
            let (rules, source) = config.compile()?;
            match issuers.entry(config.issuer.clone()) {
                Entry::Vacant(slot) => {
                    let fetcher = Arc::clone(&self.fetcher);
                    slot.insert(Arc::new(Issuer::new(
                        rules,
                        source,
                        fetcher,
                        config.allow_http_loopback,
                    )));
                }
                Entry::Occupied(_) => {
                    return Err(mistake(
                        &config.issuer,
                        "is configured twice: put all its audiences into one entry",
                    ));
                }
            }
        }
        if issuers.is_empty() {
            return Err(mistake(
                "",
                "add at least one: without an issuer every request would be refused",
            ));
        }
        Ok(OidcVerifier { issuers })
    }
}

fn mistake(issuer: &str, mistake: &str) -> IssuerConfigError {
    IssuerConfigError {
        issuer: issuer.to_owned(),
        key: "issuer",
        mistake: mistake.to_owned(),
    }
}
