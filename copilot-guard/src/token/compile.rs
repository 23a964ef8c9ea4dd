//! From an issuer's configuration to rules: one set for each tenant.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::claims::{ClaimPath, Conditions, MAX_NAME, is_name};
use super::config::TENANT;
use super::jwks::KeySet;
use super::mapping::{MAX_GROUP, Mapping, Source};
use super::rules::{Mark, Rules};
use super::url::{self, Url};
use super::{IssuerConfig, IssuerConfigError, MachineMark, Profile, Resolve};
use crate::groups::GroupResolver;

const MAX_LEEWAY: Duration = Duration::from_secs(300);
/// The tenant of everybody's private Microsoft accounts.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// One issuer, ready to be verified.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "its reader is `OidcVerifier`")
)]
pub(super) struct Compiled {
    pub(super) rules: Rules,
    pub(super) source: KeySource,
    pub(super) resolver: Option<Arc<dyn GroupResolver>>,
    pub(super) allow_http_loopback: bool,
    /// As configured; the verifier chooses one otherwise.
    pub(super) namespace: Option<String>,
}

/// Where an issuer's keys come from.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "its reader is `OidcVerifier`")
)]
pub(super) enum KeySource {
    Fixed(KeySet),
    File(PathBuf),
    Uri(String),
    Discovery(String),
}

impl IssuerConfig {
    pub(super) fn compile(&self) -> Result<Vec<Compiled>, IssuerConfigError> {
        let is_template = self.issuer.contains(TENANT);
        match (is_template, self.tenants.is_empty()) {
            (false, true) => return Ok(vec![self.compile_one(self.tenant_of_issuer()?)?]),
            (true, true) => {
                return Err(self.wrong(
                    "issuer",
                    "keys cannot be discovered from a template without `tenants`: name those that may sign in",
                ));
            }
            (false, false) => {
                return Err(self.wrong(
                    "tenants",
                    "write `{tenantid}` into `issuer`, where the tenant stands",
                ));
            }
            (true, false) => {}
        }
        let mut seen = Vec::new();
        let mut all = Vec::new();
        for tenant in &self.tenants {
            if !is_guid(tenant) {
                return Err(self.wrong("tenants", "write each tenant's id as a GUID in lower case"));
            }
            if seen.contains(&tenant) {
                return Err(self.wrong("tenants", "a tenant is named twice"));
            }
            seen.push(tenant);
            let fill = |text: &String| text.replace(TENANT, tenant);
            let mut one = self.clone();
            one.issuer = fill(&self.issuer);
            one.jwks_uri = self.jwks_uri.as_ref().map(fill);
            one.namespace = self.namespace.as_ref().map(fill);
            if self.tenants.len() > 1 && one.namespace.is_some() && one.namespace == self.namespace {
                return Err(self.wrong(
                    "namespace",
                    "write `{tenantid}` into it: with one namespace, a group of one tenant would be that of another",
                ));
            }
            all.push(one.compile_one(Some(tenant.clone()))?);
        }
        Ok(all)
    }

    /// The tenant that an Entra issuer is of.
    fn tenant_of_issuer(&self) -> Result<Option<String>, IssuerConfigError> {
        if !matches!(self.profile, Profile::Entra | Profile::EntraV1) {
            return Ok(None);
        }
        let tenant = self.issuer.split('/').find(|part| is_guid(part));
        tenant.map(|tenant| Some(tenant.to_owned())).ok_or_else(|| {
            self.wrong(
                "issuer",
                "write the tenant's id into it, or `{tenantid}` and a list `tenants`",
            )
        })
    }

    fn compile_one(&self, tenant: Option<String>) -> Result<Compiled, IssuerConfigError> {
        self.check()?;
        self.check_profile(tenant.as_deref())?;
        let mut required = self.conditions("required", &self.required)?;
        if let Some(tenant) = tenant {
            required.push("tid", tenant.into());
        }
        let rules = Rules {
            issuer: self.issuer.clone(),
            audiences: self.audiences.clone(),
            audience_claim: self.path("audience_claim", &self.audience_claim)?,
            algorithms: self.algorithms.clone(),
            rfc9068: self.rfc9068,
            allow_jose: self.allow_jose,
            id_tokens: self.id_tokens,
            clients: self.clients.clone(),
            logout_audiences: self.logout_audiences.clone(),
            scopes: self.scopes.clone(),
            groups: self.mapping()?,
            required,
            subject: self
                .subject
                .iter()
                .map(|claim| self.path("subject", claim))
                .collect::<Result<_, _>>()?,
            subject_prefix: self.subject_prefix.clone(),
            person: self.optional("person", self.person.as_ref())?,
            machine: self
                .machine
                .iter()
                .map(|mark| self.mark(mark))
                .collect::<Result<_, _>>()?,
            directory_key: self.optional("directory_key", self.directory_key.as_ref())?,
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
            warned: std::sync::Once::new(),
        };
        Ok(Compiled {
            rules,
            source: self.key_source()?,
            resolver: self.resolver.clone(),
            allow_http_loopback: self.allow_http_loopback,
            namespace: self.namespace.clone(),
        })
    }

    fn check(&self) -> Result<(), IssuerConfigError> {
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
        for (key, list) in [("clients", &self.clients), ("scopes", &self.scopes)] {
            if list
                .iter()
                .any(|name| !is_name(name, MAX_NAME) || name.contains(' '))
            {
                return Err(self.wrong(key, "a name is empty, or has blanks or control characters"));
            }
        }
        if self.subject.is_empty() {
            return Err(self.wrong("subject", "name the claim of the account, such as `sub`"));
        }
        if self.subject_prefix.as_ref().is_some_and(String::is_empty) {
            return Err(self.wrong(
                "subject_prefix",
                "write what accounts begin with, or leave it out",
            ));
        }
        if self
            .namespace
            .as_ref()
            .is_some_and(|text| text.len() > MAX_GROUP || text.chars().any(char::is_control))
        {
            return Err(self.wrong("namespace", "at most 256 bytes, and no control characters"));
        }
        if self.leeway > MAX_LEEWAY {
            return Err(self.wrong("leeway", "at most 300 s; beyond that, set the clocks"));
        }
        if self.max_lifetime.is_zero() {
            return Err(self.wrong("max_lifetime", "must be longer than zero"));
        }
        self.check_resolver()
    }

    fn check_resolver(&self) -> Result<(), IssuerConfigError> {
        if self.resolver.is_none() {
            return Ok(());
        }
        if self.directory_key.is_none() {
            return Err(self.wrong(
                "directory_key",
                "name the claim that is the account's key in the directory, such as `oid`",
            ));
        }
        let completes = |source: &super::GroupSource| source.claim == self.resolved.claim;
        if self.resolve == Resolve::OnOverage && !self.groups.iter().any(completes) {
            return Err(self.wrong(
                "resolve",
                "no source reads the claim that the directory completes, so it would never be asked: ask it always, or \
                 add the claim to `groups`",
            ));
        }
        Ok(())
    }

    /// What is dangerous with this provider in particular.
    fn check_profile(&self, tenant: Option<&str>) -> Result<(), IssuerConfigError> {
        let needs = |claims: &[&str], mistake: &str| {
            if claims.iter().any(|claim| self.required.contains_key(*claim)) {
                Ok(())
            } else {
                Err(self.wrong("required", mistake))
            }
        };
        match self.profile {
            Profile::Entra | Profile::EntraV1 if tenant == Some(CONSUMERS) => {
                Err(self.wrong("tenants", "this is the tenant of everybody's private accounts"))
            }
            Profile::Google => needs(
                &["hd", "sub", "email"],
                "demand `hd`, the organisation's domain: this issuer gives tokens to everybody in the world",
            ),
            Profile::GithubActions => needs(
                &["repository_owner_id", "repository_id", "enterprise_id"],
                "demand `repository_owner_id` or `repository_id`: this issuer gives tokens to every workflow in the \
                 world",
            ),
            Profile::GitlabCi => needs(
                &["namespace_id", "project_id"],
                "demand `namespace_id` or `project_id`: this issuer gives tokens to every project on the server",
            ),
            Profile::Spiffe if self.subject_prefix.is_none() => Err(self.wrong(
                "subject_prefix",
                "name the trust domain, such as `spiffe://prod.example/`",
            )),
            _ => Ok(()),
        }
    }

    fn mapping(&self) -> Result<Mapping, IssuerConfigError> {
        let source = |key, source| Source::parse(source).map_err(|why| self.wrong(key, why));
        let synthetic = |rule: &super::SyntheticGroup| {
            if !is_name(&rule.group, MAX_GROUP) || rule.when.is_empty() {
                return Err(self.wrong(
                    "synthetic_groups",
                    "write the group, and at least one claim that a token must have for it",
                ));
            }
            Ok((
                rule.group.clone(),
                self.conditions("synthetic_groups", &rule.when)?,
            ))
        };
        Ok(Mapping {
            sources: self
                .groups
                .iter()
                .map(|s| source("groups", s))
                .collect::<Result<_, _>>()?,
            synthetic: self
                .synthetic_groups
                .iter()
                .map(synthetic)
                .collect::<Result<_, _>>()?,
            resolved: match self.resolver {
                Some(_) => Some(source("resolved", &self.resolved)?),
                None => None,
            },
            always: self.resolver.is_some() && self.resolve == Resolve::Always,
            namespace: String::new(),
            foreign: Vec::new(),
            cut_at: self.cut_at,
        })
    }

    fn mark(&self, mark: &MachineMark) -> Result<Mark, IssuerConfigError> {
        Ok(match mark {
            MachineMark::Always => Mark::Always,
            MachineMark::When(claims) if claims.is_empty() => {
                return Err(self.wrong("machine", "write at least one claim"));
            }
            MachineMark::When(claims) => Mark::When(self.conditions("machine", claims)?),
            MachineMark::SubjectIsClient => Mark::SubjectIsClient,
            MachineMark::StartsWith { claim, text } => {
                Mark::StartsWith(self.path("machine", claim)?, text.clone())
            }
            MachineMark::EndsWith { claim, text } => {
                Mark::EndsWith(self.path("machine", claim)?, text.clone())
            }
        })
    }

    fn conditions(
        &self,
        key: &'static str,
        claims: &std::collections::BTreeMap<String, super::Expected>,
    ) -> Result<Conditions, IssuerConfigError> {
        Conditions::parse(claims).map_err(|why| self.wrong(key, why))
    }

    fn optional(
        &self,
        key: &'static str,
        claim: Option<&String>,
    ) -> Result<Option<ClaimPath>, IssuerConfigError> {
        claim.map(|claim| self.path(key, claim)).transpose()
    }

    fn path(&self, key: &'static str, claim: &str) -> Result<ClaimPath, IssuerConfigError> {
        ClaimPath::parse(claim).map_err(|why| self.wrong(key, why))
    }

    fn key_source(&self) -> Result<KeySource, IssuerConfigError> {
        match (&self.jwks, &self.jwks_path, &self.jwks_uri) {
            (Some(body), None, None) => KeySet::parse(body, &self.issuer)
                .map(KeySource::Fixed)
                .map_err(|why| self.wrong("jwks", why.to_string())),
            (None, Some(path), None) => Ok(KeySource::File(path.clone())),
            (None, None, Some(uri)) => {
                self.url("jwks_uri", uri)?;
                Ok(KeySource::Uri(uri.clone()))
            }
            (None, None, None) => self.discovery(),
            _ => Err(self.wrong("jwks", "give one of `jwks_uri`, a file and the key set itself")),
        }
    }

    fn discovery(&self) -> Result<KeySource, IssuerConfigError> {
        let issuer = self.url("issuer", &self.issuer)?;
        let multi_tenant = ["/common/", "/organizations/", "/consumers/"]
            .iter()
            .any(|part| issuer.path.contains(part));
        if issuer.has_query || issuer.path.contains('{') || multi_tenant {
            return Err(self.wrong(
                "issuer",
                "keys cannot be discovered from a template, a multi-tenant or a query address: write `{tenantid}` and a \
                 list `tenants`, one tenant's issuer, or set `jwks_uri`",
            ));
        }
        // OpenID Connect Discovery 4: one closing slash is left out.
        let base = self.issuer.strip_suffix('/').unwrap_or(&self.issuer);
        Ok(KeySource::Discovery(format!(
            "{base}/.well-known/openid-configuration"
        )))
    }

    fn url(&self, key: &'static str, text: &str) -> Result<Url, IssuerConfigError> {
        url::check(text, self.allow_http_loopback).map_err(|why| self.wrong(key, why))
    }
}

/// `8-4-4-4-12` lower-case hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests;
