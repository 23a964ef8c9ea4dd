//! What is known of providers: defaults for an issuer's configuration.

use serde::Deserialize;

use super::{Algorithm, GroupSource, IssuerConfig, MachineMark};

/// A provider whose tokens have a known shape. [`IssuerConfig::of`] sets defaults by it, each of which may be changed;
/// what is dangerous with the provider is refused when the configuration is checked.
///
/// | profile | account | groups | program | also |
/// |---|---|---|---|---|
/// | `generic` | `sub` | `groups` | | |
/// | `okta` | `uid` | `groups` | `sub` is the client | 100 groups are probably a cut list; warns of the org server |
/// | `entra` | `tid`/`oid` | `groups`, `roles` as `role:…` | `idtyp` is `app` | `tid` of the issuer, `ver` 2.0 |
/// | `entra-v1` | `tid`/`oid` | `groups`, `roles` as `role:…` | `idtyp` is `app` | `tid` of the issuer, `ver` 1.0 |
/// | `google` | `sub` | none in the token | `email` of a service account | ID tokens; demands `hd`, `email_verified` |
/// | `keycloak` | `sub` | `groups`, realm roles as `role:…` | service accounts | claim `typ` is `Bearer` |
/// | `auth0` | `sub` | `permissions` as `permission:…` | `gty` is `client-credentials` | |
/// | `github-actions` | `repository_id`/`job_workflow_ref` | synthetic only | always | demands the owner's or repository's id |
/// | `gitlab-ci` | `project_id` | synthetic only | always | demands the namespace's or project's id |
/// | `cognito` | `sub` | `cognito:groups` | `sub` is the client | audience in `client_id`, `token_use` is `access` |
/// | `spiffe` | `sub` | none | always | demands `subject_prefix`; type `JOSE` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Profile {
    /// Any OpenID Connect provider.
    #[default]
    Generic,
    /// A custom authorization server of Okta.
    Okta,
    /// Microsoft Entra ID, tokens of version 2.
    Entra,
    /// Microsoft Entra ID, tokens of version 1 (`https://sts.windows.net/…/`).
    EntraV1,
    /// Google Workspace, and service accounts of Google Cloud.
    Google,
    /// Keycloak.
    Keycloak,
    /// Auth0.
    Auth0,
    /// Jobs of GitHub Actions.
    GithubActions,
    /// Jobs of GitLab CI.
    GitlabCi,
    /// User pools of Amazon Cognito.
    Cognito,
    /// JWT-SVIDs of a SPIFFE trust domain, from issuers that name themselves (`iss`).
    Spiffe,
}

impl Profile {
    /// Every profile, with its name in configuration files.
    pub const ALL: [(&'static str, Self); 11] = [
        ("generic", Self::Generic),
        ("okta", Self::Okta),
        ("entra", Self::Entra),
        ("entra-v1", Self::EntraV1),
        ("google", Self::Google),
        ("keycloak", Self::Keycloak),
        ("auth0", Self::Auth0),
        ("github-actions", Self::GithubActions),
        ("gitlab-ci", Self::GitlabCi),
        ("cognito", Self::Cognito),
        ("spiffe", Self::Spiffe),
    ];

    pub(super) fn apply(self, config: &mut IssuerConfig) {
        match self {
            Self::Generic => {}
            Self::Okta => {
                // `sub` of an access token is the login, which people may change.
                config.subject = vec!["uid".to_owned()];
                config.cut_at = Some(100);
                config.machine = vec![MachineMark::SubjectIsClient];
            }
            Self::Entra => entra(config, "2.0"),
            Self::EntraV1 => entra(config, "1.0"),
            Self::Google => {
                // Access tokens are opaque: there are only ID tokens to verify.
                config.id_tokens = true;
                config.algorithms = vec![Algorithm::Rs256];
                config.groups.clear();
                config.directory_key = Some("sub".to_owned());
                config.required.insert("email_verified".into(), true.into());
                config.machine = vec![MachineMark::EndsWith {
                    claim: "email".to_owned(),
                    text: ".gserviceaccount.com".to_owned(),
                }];
            }
            Self::Keycloak => {
                // One issuer and one key sign access, refresh, ID and logout tokens; this claim tells them apart.
                config.required.insert("typ".into(), "Bearer".into());
                config.groups = vec![
                    GroupSource::new("groups"),
                    GroupSource::new("/realm_access/roles").with_prefix("role:"),
                ];
                config.machine = vec![MachineMark::StartsWith {
                    claim: "preferred_username".to_owned(),
                    text: "service-account-".to_owned(),
                }];
            }
            Self::Auth0 => {
                config.groups = vec![GroupSource::new("permissions").with_prefix("permission:")];
                config.machine = vec![MachineMark::When(
                    [("gty".to_owned(), "client-credentials".into())].into(),
                )];
            }
            Self::GithubActions => {
                // Names are recycled and `sub` is a template of the repository's owner: only ids are keys.
                config.subject = vec!["repository_id".to_owned(), "job_workflow_ref".to_owned()];
                config.algorithms = vec![Algorithm::Rs256];
                config.groups.clear();
                config.machine = vec![MachineMark::Always];
            }
            Self::GitlabCi => {
                config.subject = vec!["project_id".to_owned()];
                config.algorithms = vec![Algorithm::Rs256];
                config.groups.clear();
                config.machine = vec![MachineMark::Always];
            }
            Self::Cognito => {
                config.audience_claim = "client_id".to_owned();
                config.algorithms = vec![Algorithm::Rs256];
                config.required.insert("token_use".into(), "access".into());
                config.groups = vec![GroupSource::new("cognito:groups")];
                config.machine = vec![MachineMark::SubjectIsClient];
            }
            Self::Spiffe => {
                config.allow_jose = true;
                config.groups.clear();
                config.machine = vec![MachineMark::Always];
            }
        }
    }
}

fn entra(config: &mut IssuerConfig, version: &str) {
    // `sub` differs from application to application.
    config.subject = vec!["tid".to_owned(), "oid".to_owned()];
    config.algorithms = vec![Algorithm::Rs256];
    config.required.insert("ver".into(), version.into());
    config.groups = vec![
        GroupSource::new("groups"),
        GroupSource::new("roles").with_prefix("role:"),
    ];
    config.directory_key = Some("oid".to_owned());
    config.machine = vec![MachineMark::When([("idtyp".to_owned(), "app".into())].into())];
}
