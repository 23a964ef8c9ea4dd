//! [`OidcVerifier`]: the pure checks, joined with the fetching of keys.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::bearer::MAX_TOKEN;
use super::cache::{Verdict, Verdicts};
use super::compile::Compiled;
use super::issuer::Issuer;
use super::jwt::{Signed, Unverified};
use super::{IssuerConfig, IssuerConfigError, KeyFetcher, LogoutToken, TokenError, TokenVerifier};
use crate::clock::Timestamp;
use crate::identity::Identity;

/// About so many tokens in use at once; their verdicts take about 16 MiB.
const DEFAULT_CACHE: usize = 16 * 1024;

/// Verifies tokens of configured OpenID Connect issuers.
///
/// 1. The token's `iss` chooses one issuer by exact comparison; its keys alone are tried.
/// 2. Then the signature, the registered claims, the issuer's own conditions, the mapping to groups.
/// 3. A request whose key is at hand never waits for the network, unless its groups are asked for in a directory.
/// 4. A token that was good is not verified again for a minute; see [`with_cache`](OidcVerifierBuilder::with_cache).
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
    pub(super) verdicts: Option<Verdicts>,
}

impl OidcVerifier {
    /// Starts a verifier whose keys come from `fetcher`; [`NoFetch`](super::NoFetch) where all come from files.
    pub fn builder(fetcher: Arc<dyn KeyFetcher>) -> OidcVerifierBuilder {
        OidcVerifierBuilder {
            fetcher,
            issuers: Vec::new(),
            cache: DEFAULT_CACHE,
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

    /// The issuers and their namespaces: what stands in front of each of their groups. Sorted by issuer.
    pub fn namespaces(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<_> = self
            .issuers
            .iter()
            .map(|(issuer, of)| (issuer.as_str(), of.rules().groups.namespace.as_str()))
            .collect();
        all.sort_unstable();
        all
    }

    /// Whether every issuer has usable keys at `now`.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.issuers.values().all(|issuer| issuer.is_ready(now))
    }

    fn issuer_of(&self, token: &Unverified<'_>) -> Result<&Arc<Issuer>, TokenError> {
        self.issuers
            .get(token.issuer()?)
            .ok_or(TokenError::Invalid("unknown_issuer"))
    }

    /// The claims, once their signature is checked, and the generation of the keys that did.
    async fn signed(
        &self,
        token: Unverified<'_>,
        issuer: &Issuer,
        now: Timestamp,
    ) -> Result<(Signed, u64), TokenError> {
        if !issuer.rules().algorithms.contains(&token.algorithm()) {
            return Err(TokenError::Invalid("alg_refused"));
        }
        let (keys, generation) = issuer.keys_for(token.kid(), now).await?;
        let key = keys
            .key(token.kid(), token.algorithm())
            .ok_or(TokenError::Invalid("alg_key_mismatch"))?;
        Ok((token.verify(key)?, generation))
    }
}

#[async_trait]
impl TokenVerifier for OidcVerifier {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        // Longer ones are refused below; their digest would be work for nothing.
        let cache = self
            .verdicts
            .as_ref()
            .filter(|_| token.len() <= MAX_TOKEN)
            .map(|verdicts| (verdicts, Verdicts::key(token)));
        if let Some((verdicts, key)) = &cache
            && let Some(verdict) = verdicts.get(key, now)
        {
            return verdict.issuer.complete(verdict.admitted.clone(), now).await;
        }
        let token = Unverified::parse(token)?;
        let issuer = self.issuer_of(&token)?;
        let (signed, generation) = self.signed(token, issuer, now).await?;
        let admitted = issuer.rules().admit(&signed, now)?;
        if let Some((verdicts, key)) = cache {
            let verdict = Verdict {
                issuer: Arc::clone(issuer),
                admitted: admitted.clone(),
                generation,
                checked_at: now,
            };
            verdicts.insert(key, verdict);
        }
        issuer.complete(admitted, now).await
    }

    async fn renew(&self, identity: Identity, now: Timestamp) -> Result<Identity, TokenError> {
        let issuer = self
            .issuers
            .get(&identity.issuer)
            .ok_or(TokenError::Invalid("unknown_issuer"))?;
        issuer.renew(identity, now).await
    }

    async fn verify_logout(&self, token: &str, now: Timestamp) -> Result<LogoutToken, TokenError> {
        let token = Unverified::parse(token)?;
        let issuer = self.issuer_of(&token)?;
        let (signed, _) = self.signed(token, issuer, now).await?;
        issuer.rules().admit_logout(&signed, now)
    }
}

/// Collects issuers; see [`OidcVerifier::builder`].
#[derive(Debug)]
#[must_use]
pub struct OidcVerifierBuilder {
    fetcher: Arc<dyn KeyFetcher>,
    issuers: Vec<IssuerConfig>,
    cache: usize,
}

impl OidcVerifierBuilder {
    /// Adds an issuer. The groups of the first stand for themselves; those of each further one are known here by
    /// `ISSUER#GROUP`, unless its [`namespace`](IssuerConfig::namespace) says otherwise. That of an earlier issuer may be
    /// written there too: then a group of one is that of the other.
    pub fn issuer(mut self, issuer: IssuerConfig) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Keeps the verdicts on about so many tokens, 16,384 when not changed; none when zero. Only good tokens are kept,
    /// by their SHA-256, for at most a minute and never beyond their end or their key's.
    pub fn with_cache(mut self, entries: usize) -> Self {
        self.cache = entries;
        self
    }

    /// Checks all issuers. Nothing is fetched yet.
    ///
    /// # Errors
    /// Names the issuer and the key that cannot work.
    pub fn build(self) -> Result<OidcVerifier, IssuerConfigError> {
        let mut all: Vec<Compiled> = Vec::new();
        for config in &self.issuers {
            // Its own tenants come behind these.
            let others = all.len();
            for mut compiled in config.compile()? {
                let issuer = &compiled.rules.issuer;
                if all.iter().any(|other| other.rules.issuer == *issuer) {
                    let mistake = "is configured twice: put all its audiences into one entry";
                    return Err(wrong(issuer, "issuer", mistake));
                }
                let namespace = compiled.namespace.clone().unwrap_or_else(|| {
                    if all.is_empty() {
                        String::new()
                    } else {
                        format!("{issuer}#")
                    }
                });
                // Two issuers may share one where somebody has written it for the later of them: tokens of version 1 and 2
                // of one tenant name the same groups. Two tenants of a template never do by accident.
                let is_meant = |at: usize| at < others && config.namespace.is_some();
                let mut same = all.iter().enumerate();
                if same.any(|(at, other)| other.rules.groups.namespace == namespace && !is_meant(at)) {
                    let mistake = format!(
                        "`{namespace}` is the namespace of another issuer: a group of one would be that of the other"
                    );
                    return Err(wrong(issuer, "namespace", &mistake));
                }
                compiled.rules.groups.namespace = namespace;
                all.push(compiled);
            }
        }
        if all.is_empty() {
            let mistake = "add at least one: without an issuer every request would be refused";
            return Err(wrong("", "issuer", mistake));
        }
        let namespaces: Vec<String> = all.iter().map(|c| c.rules.groups.namespace.clone()).collect();
        let mut issuers = HashMap::new();
        for mut compiled in all {
            let groups = &mut compiled.rules.groups;
            let reaches_into =
                |other: &&String| **other != groups.namespace && other.starts_with(&groups.namespace);
            groups.foreign = namespaces.iter().filter(reaches_into).cloned().collect();
            let name = compiled.rules.issuer.clone();
            let issuer = Issuer::new(compiled, Arc::clone(&self.fetcher));
            issuers.insert(name, Arc::new(issuer));
        }
        let verdicts = (self.cache > 0).then(|| Verdicts::new(self.cache));
        Ok(OidcVerifier { issuers, verdicts })
    }
}

fn wrong(issuer: &str, key: &'static str, mistake: &str) -> IssuerConfigError {
    IssuerConfigError {
        issuer: issuer.to_owned(),
        key,
        mistake: mistake.to_owned(),
    }
}
