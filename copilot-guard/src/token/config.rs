//! What an operator says of an issuer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::claims::Expected;
use super::mapping::{GroupSource, SyntheticGroup};
use super::{Algorithm, Profile};
use crate::groups::GroupResolver;

/// What stands for the tenant in a template of issuers.
pub(super) const TENANT: &str = "{tenantid}";

/// One identity provider whose tokens are accepted, and how they are read.
///
/// Build it with [`new`](Self::new), or with [`of`](Self::of) for a known provider, and set the fields that differ; it
/// is checked when the verifier is built. "Claim" means the exact name of a top-level claim or, when it begins with
/// `/`, a JSON Pointer.
///
/// # Example
/// ```
/// use copilot_guard::token::{IssuerConfig, Profile};
///
/// let mut entra = IssuerConfig::of(
///     Profile::Entra,
///     "https://login.microsoftonline.com/{tenantid}/v2.0",
///     ["api://copilot-guard"],
/// );
/// entra.tenants = vec!["3f2a4c1e-0000-4000-8000-00000000000a".to_owned()];
/// entra.scopes = vec!["Models.Use".to_owned()];
/// entra.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// `iss`, byte for byte, a closing slash included. With [`tenants`](Self::tenants) a template that has
    /// `{tenantid}` once.
    pub issuer: String,
    /// The provider, whose dangers are then checked for. [`of`](Self::of) also sets the other fields by it.
    pub profile: Profile,
    /// The tenants of a template that may sign in, as lower-case GUIDs. Each becomes an issuer of its own, whose
    /// tokens must have it in `tid`.
    pub tenants: Vec<String>,
    /// A token must name at least one of these in `aud`.
    pub audiences: Vec<String>,
    /// The claim that names the audience. `aud` when not changed; Cognito's access tokens have `client_id` only.
    pub audience_claim: String,
    /// Where the key set is; discovered from the issuer when `None`.
    pub jwks_uri: Option<String>,
    /// The key set itself, for use without a network. It is never fetched and never grows stale.
    pub jwks: Option<Bytes>,
    /// A file with the key set, for closed networks: read again when a minute has passed or a key is unknown. While it
    /// is broken, the keys last read stay in use as fetched ones do.
    pub jwks_path: Option<PathBuf>,
    /// What tokens may be signed with. [`Algorithm::DEFAULT`] when not changed.
    pub algorithms: Vec<Algorithm>,
    /// The header must say that it is an access token (`at+jwt`, RFC 9068).
    pub rfc9068: bool,
    /// The header's type may also be `JOSE`, as SPIFFE allows.
    pub allow_jose: bool,
    /// ID tokens are accepted too: those with `nonce`, `at_hash` or `c_hash` that do not say that they are access tokens
    /// (header `at+jwt`, claim `typ = "Bearer"`), with `s_hash`, `token_use = "id"` or Keycloak's `typ = "ID"`. They speak of a login to a client, not of leave to use a service, so they are refused when not
    /// changed.
    pub id_tokens: bool,
    /// Client programs (`azp`, `client_id`, `cid`, `appid`) that tokens may be issued to; any when empty.
    pub clients: Vec<String>,
    /// Clients whose logout counts here (`aud` of a logout token), beside [`audiences`](Self::audiences) and
    /// [`clients`](Self::clients): the one that people sign in with.
    pub logout_audiences: Vec<String>,
    /// Scopes (`scope`, `scp`) that a token must all have.
    pub scopes: Vec<String>,
    /// Claims that must have exactly this value.
    pub required: BTreeMap<String, Expected>,
    /// Where group names stand; all are united. The claim `groups` when not changed.
    pub groups: Vec<GroupSource>,
    /// Groups given to tokens whose claims say certain things.
    pub synthetic_groups: Vec<SyntheticGroup>,
    /// Stands in front of every group of this issuer. When `None`, nothing for the first issuer of a verifier, and
    /// `ISSUER#` for each further one, so that `admin` of one issuer is not `admin` of another. May hold `{tenantid}`.
    pub namespace: Option<String>,
    /// Lists of exactly this many names were probably cut by the provider: the log says so once.
    pub cut_at: Option<usize>,
    /// The claims that name the account, joined by `/`; all but the last must be without one, so that no two accounts
    /// meet in one name. `sub` when not changed.
    pub subject: Vec<String>,
    /// What the account's name must begin with, such as `spiffe://prod.example/`.
    pub subject_prefix: Option<String>,
    /// The claim that joins one human's accounts across issuers, compared in lower case. When set, people's
    /// tokens without it are refused; programs without it are persons of their own. Choose one that people cannot edit.
    pub person: Option<String>,
    /// What marks a token of a program: any of these. None when empty: then all callers are people.
    pub machine: Vec<MachineMark>,
    /// Asks the directory for groups that the token does not carry.
    pub resolver: Option<Arc<dyn GroupResolver>>,
    /// When the directory is asked.
    pub resolve: Resolve,
    /// The claim that is the account's key in the directory: `oid` for Entra ID, `sub` for Google.
    pub directory_key: Option<String>,
    /// How names from the directory are read. Its `claim` is the one that the directory completes when the token marks
    /// it as cut off; its `shape` is not used.
    pub resolved: GroupSource,
    /// Allows `http://` for issuers and key sets on this machine. For tests.
    pub allow_http_loopback: bool,
    /// How far clocks may differ; 30 seconds when not changed, at most 300.
    pub leeway: Duration,
    /// The longest time from issue to end that a token may have; 24 hours when not changed.
    pub max_lifetime: Duration,
}

/// When an issuer's [`GroupResolver`] is asked.
///
/// Exhaustive: there is nothing between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resolve {
    /// Only for tokens that mark their list as cut off.
    #[default]
    OnOverage,
    /// For each person's token, beside what it says. For programs only where the list is cut off.
    Always,
}

/// What marks a token as a program's. A caller that is wrongly taken for a program cannot vote; one that is wrongly
/// taken for a human can.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MachineMark {
    /// Every token of this issuer is a program's.
    Always,
    /// All these claims have exactly these values.
    When(BTreeMap<String, Expected>),
    /// `sub` is the client itself: the client-credentials grant.
    SubjectIsClient,
    /// The text of this claim begins so.
    StartsWith {
        /// The claim.
        claim: String,
        /// The beginning.
        text: String,
    },
    /// The text of this claim ends so.
    EndsWith {
        /// The claim.
        claim: String,
        /// The end.
        text: String,
    },
}

impl IssuerConfig {
    /// An issuer with the default rules.
    pub fn new<A: Into<String>>(issuer: impl Into<String>, audiences: impl IntoIterator<Item = A>) -> Self {
        Self {
            issuer: issuer.into(),
            profile: Profile::Generic,
            tenants: Vec::new(),
            audiences: audiences.into_iter().map(Into::into).collect(),
            audience_claim: "aud".to_owned(),
            jwks_uri: None,
            jwks: None,
            jwks_path: None,
            algorithms: Algorithm::DEFAULT.to_vec(),
            rfc9068: false,
            allow_jose: false,
            id_tokens: false,
            clients: Vec::new(),
            logout_audiences: Vec::new(),
            scopes: Vec::new(),
            required: BTreeMap::new(),
            groups: vec![GroupSource::new("groups")],
            synthetic_groups: Vec::new(),
            namespace: None,
            cut_at: None,
            subject: vec!["sub".to_owned()],
            subject_prefix: None,
            person: None,
            machine: Vec::new(),
            resolver: None,
            resolve: Resolve::OnOverage,
            directory_key: None,
            resolved: GroupSource::new("groups"),
            allow_http_loopback: false,
            leeway: Duration::from_secs(30),
            max_lifetime: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// An issuer with the rules that suit its provider; see [`Profile`]. Each field may still be changed.
    pub fn of<A: Into<String>>(
        profile: Profile,
        issuer: impl Into<String>,
        audiences: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut config = Self::new(issuer, audiences);
        config.profile = profile;
        profile.apply(&mut config);
        config
    }

    /// Checks the configuration without building a verifier.
    ///
    /// # Errors
    /// Names the first key that cannot work and what to do.
    pub fn validate(&self) -> Result<(), IssuerConfigError> {
        self.compile().map(drop)
    }

    /// What is worth a look, yet no error.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.is_okta_org_server() {
            warnings.push(
                "this is Okta's org server: its access tokens are for Okta's own APIs and carry no groups; use a custom \
                 authorization server such as `/oauth2/default`",
            );
        }
        if self.audiences.iter().any(|audience| audience == "account") {
            warnings.push(
                "`account` is the audience that Keycloak puts into every token of the realm: add an audience mapper and \
                 name an audience of this gateway",
            );
        }
        if self.id_tokens && self.profile == Profile::Generic && self.clients.is_empty() {
            warnings.push(
                "ID tokens are accepted: whoever gets hold of one that was meant for a client can spend it here",
            );
        }
        warnings
    }

    fn is_okta_org_server(&self) -> bool {
        let Some(rest) = self.issuer.strip_prefix("https://") else {
            return false;
        };
        let host = rest.trim_end_matches('/');
        [".okta.com", ".oktapreview.com", ".okta-emea.com"]
            .iter()
            .any(|domain| host.ends_with(domain))
    }

    pub(super) fn wrong(&self, key: &'static str, mistake: impl Into<String>) -> IssuerConfigError {
        IssuerConfigError {
            issuer: self.issuer.clone(),
            key,
            mistake: mistake.into(),
        }
    }
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

    /// What is wrong with it, and what to do.
    pub fn mistake(&self) -> &str {
        &self.mistake
    }
}
