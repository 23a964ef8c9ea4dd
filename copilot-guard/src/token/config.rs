//! What an operator says of an issuer, and the rules that it turns into.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::Algorithm;
use super::claims::{ClaimPath, Expected, GroupSource, Source};
use super::jwks::KeySet;
use super::rules::Rules;
use super::url::{self, Url};

const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// One identity provider whose tokens are accepted, and how they are read.
///
/// Build it with [`new`](Self::new) and set the fields that differ; it is checked when the verifier is built.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// `iss`, byte for byte, a closing slash included.
    pub issuer: String,
    /// A token must name at least one of these in `aud`.
    pub audiences: Vec<String>,
    /// Where the key set is; discovered from the issuer when `None`.
    pub jwks_uri: Option<String>,
    /// The key set itself, for use without a network. It is never fetched and never grows stale.
    pub jwks: Option<Bytes>,
    /// What tokens may be signed with. [`Algorithm::DEFAULT`] when not changed.
    pub algorithms: Vec<Algorithm>,
    /// Where group names stand; all are united. The claim `groups` when not changed.
    pub groups: Vec<GroupSource>,
    /// Claims that must have exactly this value. Keys are claim names or JSON Pointers.
    pub required: BTreeMap<String, Expected>,
    /// The claim that names the account. `sub` when not changed.
    pub subject: String,
    /// The claim that joins one human's accounts across issuers, compared in lower case. When set, tokens without
    /// it are refused. Choose one that people cannot edit.
    pub person: Option<String>,
    /// Allows `http://` for issuers and key sets on this machine. For tests.
    pub allow_http_loopback: bool,
    /// How far clocks may differ; 30 seconds when not changed, at most 300.
    pub leeway: Duration,
    /// The longest time from issue to end that a token may have; 24 hours when not changed.
    pub max_lifetime: Duration,
}

impl IssuerConfig {
    /// An issuer with the default rules.
    pub fn new<A: Into<String>>(issuer: impl Into<String>, audiences: impl IntoIterator<Item = A>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: audiences.into_iter().map(Into::into).collect(),
            jwks_uri: None,
            jwks: None,
            algorithms: Algorithm::DEFAULT.to_vec(),
            groups: vec![GroupSource::new("groups")],
            required: BTreeMap::new(),
            subject: "sub".to_owned(),
            person: None,
            allow_http_loopback: false,
            leeway: Duration::from_secs(30),
            max_lifetime: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// Checks the configuration without building a verifier.
    ///
    /// # Errors
    /// Names the first key that cannot work and what to do.
    pub fn validate(&self) -> Result<(), IssuerConfigError> {
        self.compile().map(drop)
    }

    pub(super) fn compile(&self) -> Result<(Rules, KeySource), IssuerConfigError> {
        if self.issuer.is_empty() || self.issuer.chars().any(char::is_control) {
            return Err(self.wrong("issuer", "write the exact `iss` of its tokens"));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(self.wrong(
                "audiences",
                "name at least one: tokens for other services must not work here",
            ));
        }
        if self.algorithms.is_empty() {
            return Err(self.wrong("algorithms", "allow at least one, such as `RS256`"));
        }
        if self.leeway > MAX_LEEWAY {
            return Err(self.wrong("leeway", "at most 300 s; beyond that, set the clocks"));
        }
        if self.max_lifetime.is_zero() {
            return Err(self.wrong("max_lifetime", "must be longer than zero"));
        }
        let rules = Rules {
            issuer: self.issuer.clone(),
            audiences: self.audiences.clone(),
            algorithms: self.algorithms.clone(),
            groups: self
                .groups
                .iter()
                .map(|source| self.source(source))
                .collect::<Result<_, _>>()?,
            required: self
                .required
                .iter()
                .map(|(claim, expected)| Ok((self.path("required", claim)?, expected.clone())))
                .collect::<Result<_, _>>()?,
            subject: self.path("subject", &self.subject)?,
            person: self
                .person
                .as_ref()
                .map(|claim| self.path("person", claim))
                .transpose()?,
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
        };
        Ok((rules, self.key_source()?))
    }

    fn source(&self, source: &GroupSource) -> Result<Source, IssuerConfigError> {
        if source.prefix.chars().any(char::is_control) {
            return Err(self.wrong("groups", "a prefix cannot have control characters"));
        }
        let path = self.path("groups", &source.claim)?;
        Ok(Source {
            path,
            shape: source.shape,
            prefix: source.prefix.clone(),
        })
    }

    fn path(&self, key: &'static str, claim: &str) -> Result<ClaimPath, IssuerConfigError> {
        ClaimPath::parse(claim).map_err(|why| self.wrong(key, why))
    }

    fn key_source(&self) -> Result<KeySource, IssuerConfigError> {
        match (&self.jwks, &self.jwks_uri) {
            (Some(_), Some(_)) => Err(self.wrong("jwks", "give `jwks_uri` or the key set itself, not both")),
            (Some(body), None) => KeySet::parse(body)
                .map(KeySource::Fixed)
                .map_err(|why| self.wrong("jwks", why.to_string())),
            (None, Some(uri)) => {
                self.url("jwks_uri", uri)?;
                Ok(KeySource::Uri(uri.clone()))
            }
            (None, None) => {
                let issuer = self.url("issuer", &self.issuer)?;
                let multi_tenant = ["/common/", "/organizations/", "/consumers/"]
                    .iter()
                    .any(|part| issuer.path.contains(part));
                if issuer.has_query || issuer.path.contains('{') || multi_tenant {
                    return Err(self.wrong(
                        "issuer",
                        "keys cannot be discovered from a template, a multi-tenant or a query address: write one \
                         tenant's issuer, or set `jwks_uri`",
                    ));
                }
                // OpenID Connect Discovery 4: one closing slash is left out.
                let base = self.issuer.strip_suffix('/').unwrap_or(&self.issuer);
                Ok(KeySource::Discovery(format!(
                    "{base}/.well-known/openid-configuration"
                )))
            }
        }
    }

    fn url(&self, key: &'static str, text: &str) -> Result<Url, IssuerConfigError> {
        url::check(text, self.allow_http_loopback).map_err(|why| self.wrong(key, why))
    }

    fn wrong(&self, key: &'static str, mistake: impl Into<String>) -> IssuerConfigError {
        IssuerConfigError {
            issuer: self.issuer.clone(),
            key,
            mistake: mistake.into(),
        }
    }
}

/// Where an issuer's keys come from.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "its reader is `OidcVerifier`")
)]
pub(super) enum KeySource {
    Fixed(KeySet),
    Uri(String),
    Discovery(String),
}

/// A mistake in an issuer's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("issuer `{issuer}`: `{key}`: {mistake}")]
pub struct IssuerConfigError {
    pub(super) issuer: String,
    pub(super) key: &'static str,
    pub(super) mistake: String,
}

impl IssuerConfigError {
    /// The issuer whose configuration it is; empty when none is configured.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The field of [`IssuerConfig`] to change.
    pub fn key(&self) -> &'static str {
        self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_the_key() {
        type Change = fn(&mut IssuerConfig);
        let rows: &[(&str, &str, Change)] = &[
            ("empty issuer", "issuer", |c| c.issuer.clear()),
            ("no scheme to discover from", "issuer", |c| {
                c.issuer = "accounts.google.com".into()
            }),
            ("http issuer", "issuer", |c| {
                c.issuer = "http://idp.example".into()
            }),
            ("http loopback without the flag", "issuer", |c| {
                c.issuer = "http://127.0.0.1:9".into()
            }),
            ("http elsewhere with the flag", "issuer", |c| {
                c.issuer = "http://idp.example".into();
                c.allow_http_loopback = true;
            }),
            ("loopback look-alike", "issuer", |c| {
                c.issuer = "http://127.0.0.1.example".into();
                c.allow_http_loopback = true;
            }),
            ("user info", "issuer", |c| {
                c.issuer = "https://a@idp.example".into()
            }),
            ("template", "issuer", |c| {
                c.issuer = "https://login.example/{tenantid}/v2.0".into()
            }),
            ("multi-tenant", "issuer", |c| {
                c.issuer = "https://login.example/common/v2.0".into()
            }),
            ("query", "issuer", |c| {
                c.issuer = "https://idp.example/?a=b".into()
            }),
            ("no audience", "audiences", |c| c.audiences.clear()),
            ("empty audience", "audiences", |c| {
                c.audiences = vec![String::new()]
            }),
            ("no algorithm", "algorithms", |c| c.algorithms.clear()),
            ("http jwks_uri", "jwks_uri", |c| {
                c.jwks_uri = Some("http://idp.example/k".into())
            }),
            ("file jwks_uri", "jwks_uri", |c| {
                c.jwks_uri = Some("file:///etc/passwd".into())
            }),
            ("both key sources", "jwks", |c| {
                c.jwks_uri = Some("https://idp.example/k".into());
                c.jwks = Some(Bytes::new());
            }),
            ("bad key set", "jwks", |c| {
                c.jwks = Some(Bytes::from_static(b"{}"))
            }),
            ("empty claim", "groups", |c| c.groups = vec![GroupSource::new("")]),
            ("bad pointer", "person", |c| c.person = Some("/~".into())),
            ("empty subject", "subject", |c| c.subject.clear()),
            ("bad required", "required", |c| {
                c.required = [("/~9".into(), "x".into())].into()
            }),
            ("leeway", "leeway", |c| c.leeway = Duration::from_secs(301)),
            ("lifetime", "max_lifetime", |c| c.max_lifetime = Duration::ZERO),
        ];
        for (name, key, change) in rows {
            let mut config = IssuerConfig::new("https://idp.example", ["api"]);
            assert_eq!(config.validate(), Ok(()));
            change(&mut config);
            assert_eq!(config.validate().map_err(|e| e.key()), Err(*key), "{name}");
        }
    }

    #[test]
    fn discovery_leaves_one_slash_out() {
        let address = |issuer: &str| match IssuerConfig::new(issuer, ["a"]).compile().unwrap().1 {
            KeySource::Discovery(url) => url,
            _ => panic!("discovery"),
        };
        let expected = "https://t.example/.well-known/openid-configuration";
        assert_eq!(address("https://t.example"), expected);
        assert_eq!(address("https://t.example/"), expected);
        assert_eq!(
            address("https://t.example/a/v2.0"),
            "https://t.example/a/v2.0/.well-known/openid-configuration"
        );
    }
}
