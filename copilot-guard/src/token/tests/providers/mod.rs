//! A token of each provider, in the shape of its vendor's public documentation with example ids, through its profile;
//! and its hostile neighbours.

use std::sync::Arc;

use serde_json::{Value, json};

use super::kit::{key_set, keys, now};
use crate::identity::{CallerKind, Identity};
use crate::token::{
    GroupSource, IssuerConfig, NoFetch, OidcVerifier, Profile, SyntheticGroup, TokenVerifier as _,
};

const TENANT: &str = "3f2a4c1e-0000-4000-8000-00000000000a";
const ENTRA: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
const GROUP: &str = "0c4f7a2e-1111-4222-8333-444444444444";
const OID: &str = "11111111-2222-4333-8444-555555555555";

fn claims(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn verify_as(config: &IssuerConfig, typ: &str, claims: &Value) -> Result<Identity, &'static str> {
    let mut config = config.clone();
    config.jwks = Some(key_set([&keys().rsa]));
    let verifier = OidcVerifier::builder(Arc::new(NoFetch))
        .issuer(config)
        .build()
        .unwrap();
    let header = json!({ "alg": "RS256", "kid": "rsa", "typ": typ });
    verifier
        .verify(&keys().rsa.token(&header, claims), now())
        .await
        .map_err(|error| error.code())
}

async fn verify(config: &IssuerConfig, claims: &Value) -> Result<Identity, &'static str> {
    verify_as(config, "JWT", claims).await
}

/// The good claims, each changed in one thing, and the code of the refusal.
async fn refuses(config: &IssuerConfig, good: &Value, rows: &[(&str, &str, Value)]) {
    assert!(verify(config, good).await.is_ok());
    for (code, claim, value) in rows {
        let mut claims = good.clone();
        claims[*claim] = value.clone();
        let verdict = verify(config, &claims).await.map(|identity| identity.subject);
        assert_eq!(verdict, Err(*code), "{claim} = {value}");
    }
}

fn says(identity: &Identity, subject: &str, groups: &[&str], kind: CallerKind) {
    assert_eq!(identity.subject, subject);
    let found: Vec<&str> = identity.groups.iter().map(String::as_str).collect();
    assert_eq!(found, groups);
    assert_eq!(identity.kind, kind, "{subject}");
}

#[tokio::test]
async fn okta() {
    let issuer = "https://example.okta.com/oauth2/default";
    let mut config = IssuerConfig::of(Profile::Okta, issuer, ["api://copilot-guard"]);
    config.scopes = vec!["models.use".into()];
    config.clients = vec!["0oabcde12345FGHIJ0h7".into(), "0oaservice00000000h7".into()];
    let good = claims(include_str!("okta.json"));
    let identity = verify(&config, &good).await.unwrap();
    says(
        &identity,
        "00uabcde12345FGHIJ0h7",
        &["Developers", "Everyone"],
        CallerKind::Person,
    );
    assert_eq!(identity.client.as_deref(), Some("0oabcde12345FGHIJ0h7"));
    refuses(
        &config,
        &good,
        &[
            ("client_refused", "cid", json!("0oaother")),
            ("scope_missing", "scp", json!(["openid"])),
            ("aud_mismatch", "aud", json!("api://default")),
            ("unknown_issuer", "iss", json!("https://example.okta.com")),
        ],
    )
    .await;
    // A service has no `uid`; where services are let in, their name is the client's.
    let service = claims(include_str!("okta_service.json"));
    assert_eq!(verify(&config, &service).await.err(), Some("subject_missing"));
    config.subject = vec!["sub".into()];
    says(
        &verify(&config, &service).await.unwrap(),
        "0oaservice00000000h7",
        &[],
        CallerKind::Machine,
    );
    assert!(config.warnings().is_empty());
    for org in [
        "https://example.okta.com",
        "https://example.okta.com/",
        "https://x.oktapreview.com",
    ] {
        config.issuer = org.into();
        assert_eq!(config.warnings().len(), 1, "{org}");
    }
}

fn entra() -> IssuerConfig {
    let mut config = IssuerConfig::of(Profile::Entra, ENTRA, ["6e74172b-be56-4843-9ff4-e66a39bb12e3"]);
    config.tenants = vec![TENANT.into()];
    config
}

#[tokio::test]
async fn entra_v2() {
    let config = entra();
    let good = claims(include_str!("entra.json"));
    let identity = verify(&config, &good).await.unwrap();
    says(
        &identity,
        &format!("{TENANT}/{OID}"),
        &[GROUP, "role:Reviewer"],
        CallerKind::Person,
    );
    assert_eq!(
        identity.issuer,
        format!("https://login.microsoftonline.com/{TENANT}/v2.0")
    );
    assert_eq!(identity.token_ids, ["fqiBqXLPj0eQa82S-IYFAA"]);
    assert_eq!(identity.directory_key.as_deref(), Some(OID));
    assert_eq!(
        identity.session.as_deref(),
        Some("00aaaaaa-1111-4111-8111-111111111111")
    );
    let of = |tenant: &str| json!(format!("https://login.microsoftonline.com/{tenant}/v2.0"));
    refuses(
        &config,
        &good,
        &[
            (
                "unknown_issuer",
                "iss",
                of("3f2a4c1e-0000-4000-8000-00000000000b"),
            ),
            (
                "unknown_issuer",
                "iss",
                of("9188040d-6c67-4c5b-b112-36a304b66dad"),
            ),
            ("unknown_issuer", "iss", json!(ENTRA)),
            (
                "required_claim",
                "tid",
                json!("3f2a4c1e-0000-4000-8000-00000000000b"),
            ),
            ("required_claim", "ver", json!("1.0")),
            ("subject_malformed", "oid", json!("")),
            (
                "groups_contradiction",
                "_claim_names",
                json!({ "groups": "src1" }),
            ),
        ],
    )
    .await;
    let app = verify(&config, &claims(include_str!("entra_app.json")))
        .await
        .unwrap();
    says(
        &app,
        &format!("{TENANT}/99999999-2222-4333-8444-555555555555"),
        &["role:Reviewer"],
        CallerKind::Machine,
    );
    let overage = claims(include_str!("entra_overage.json"));
    assert_eq!(verify(&config, &overage).await.err(), Some("groups_overage"));
    let mut consumers = entra();
    consumers.tenants = vec!["9188040d-6c67-4c5b-b112-36a304b66dad".into()];
    assert_eq!(consumers.validate().map_err(|e| e.key()), Err("tenants"));
    // One tenant's issuer, written out, is checked as well.
    let mut one = entra();
    one.tenants.clear();
    one.issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    refuses(&one, &good, &[("required_claim", "tid", json!("other"))]).await;
}

#[tokio::test]
async fn entra_v1() {
    let issuer = "https://sts.windows.net/{tenantid}/";
    let mut config = IssuerConfig::of(Profile::EntraV1, issuer, ["api://copilot-guard"]);
    config.tenants = vec![TENANT.into()];
    let good = claims(include_str!("entra_v1.json"));
    let identity = verify(&config, &good).await.unwrap();
    says(
        &identity,
        &format!("{TENANT}/{OID}"),
        &[GROUP],
        CallerKind::Person,
    );
    assert_eq!(
        identity.client.as_deref(),
        Some("aaaaaaaa-1111-4111-8111-111111111111")
    );
    refuses(
        &config,
        &good,
        &[
            (
                "unknown_issuer",
                "iss",
                json!(format!("https://sts.windows.net/{TENANT}")),
            ),
            ("required_claim", "ver", json!("2.0")),
        ],
    )
    .await;
}

#[tokio::test]
async fn google() {
    let audience = "1234987819200.apps.googleusercontent.com";
    let mut config = IssuerConfig::of(Profile::Google, "https://accounts.google.com", [audience]);
    assert_eq!(
        config.validate().map_err(|e| e.key()),
        Err("required"),
        "everybody in the world"
    );
    config.required.insert("hd".into(), "example.com".into());
    let good = claims(include_str!("google.json"));
    let identity = verify(&config, &good).await.unwrap();
    says(
        &identity,
        "10769150350006150715113082367",
        &[],
        CallerKind::Person,
    );
    assert_eq!(
        identity.directory_key.as_deref(),
        Some("10769150350006150715113082367")
    );
    refuses(
        &config,
        &good,
        &[
            ("required_claim", "hd", json!("evil.example")),
            ("required_claim", "email_verified", json!("true")),
            ("required_claim", "email_verified", json!(false)),
            ("unknown_issuer", "iss", json!("accounts.google.com")),
        ],
    )
    .await;
    let service = claims(include_str!("google_service.json"));
    assert_eq!(verify(&config, &service).await.err(), Some("required_claim"));
    config.required.remove("hd");
    config
        .required
        .insert("sub".into(), "108020000000000000000".into());
    says(
        &verify(&config, &service).await.unwrap(),
        "108020000000000000000",
        &[],
        CallerKind::Machine,
    );
}

#[tokio::test]
async fn keycloak() {
    let issuer = "https://sso.example.com/realms/dev";
    let config = IssuerConfig::of(Profile::Keycloak, issuer, ["copilot-guard"]);
    let good = claims(include_str!("keycloak.json"));
    let identity = verify(&config, &good).await.unwrap();
    says(
        &identity,
        "f3a1c2d4-0000-4000-8000-000000000001",
        &["/dev/backend", "role:offline_access", "role:reviewer"],
        CallerKind::Person,
    );
    assert_eq!(
        identity.session.as_deref(),
        Some("c0ffee00-0000-4000-8000-000000000001")
    );
    refuses(
        &config,
        &good,
        &[
            ("token_kind", "typ", json!("Refresh")),
            ("token_kind", "typ", json!("Offline")),
            ("id_token", "typ", json!("ID")),
            ("required_claim", "typ", json!("Something")),
            ("aud_mismatch", "aud", json!("account")),
            (
                "unknown_issuer",
                "iss",
                json!("https://sso.example.com/realms/other"),
            ),
        ],
    )
    .await;
    let mut service = good.clone();
    service["preferred_username"] = json!("service-account-ci");
    assert_eq!(verify(&config, &service).await.unwrap().kind, CallerKind::Machine);
    // Paths, cut to the part that policies know.
    let mut paths = config.clone();
    paths.groups = vec![
        GroupSource::new("groups")
            .with_require_prefix("/dev/")
            .with_strip_prefix("/dev/"),
    ];
    let mut other = good.clone();
    other["groups"] = json!(["/dev/backend", "/guests/backend2", "backend3"]);
    says(
        &verify(&paths, &other).await.unwrap(),
        &identity.subject,
        &["backend"],
        CallerKind::Person,
    );
}

#[tokio::test]
async fn auth0() {
    let issuer = "https://example.eu.auth0.com/";
    let mut config = IssuerConfig::of(Profile::Auth0, issuer, ["https://copilot-guard.example"]);
    config.groups.push(GroupSource::new("https://example.com/roles"));
    let good = claims(include_str!("auth0.json"));
    says(
        &verify(&config, &good).await.unwrap(),
        "auth0|5f7c8ec7c33c6c004bbafe82",
        &["permission:models:use", "reviewer"],
        CallerKind::Person,
    );
    refuses(
        &config,
        &good,
        &[
            (
                "aud_mismatch",
                "aud",
                json!("https://example.eu.auth0.com/userinfo"),
            ),
            ("unknown_issuer", "iss", json!("https://example.eu.auth0.com")),
            ("id_token", "nonce", json!("n-0S6_WzA2Mj")),
        ],
    )
    .await;
    let service = verify(&config, &claims(include_str!("auth0_service.json")))
        .await
        .unwrap();
    assert_eq!(service.kind, CallerKind::Machine);
}

#[tokio::test]
async fn github_actions() {
    let issuer = "https://token.actions.githubusercontent.com";
    let mut config = IssuerConfig::of(Profile::GithubActions, issuer, ["copilot-guard"]);
    assert_eq!(
        config.validate().map_err(|e| e.key()),
        Err("required"),
        "everybody's workflows"
    );
    config.required.insert("repository_owner_id".into(), "65".into());
    config.synthetic_groups = vec![SyntheticGroup::new(
        "ci",
        [
            ("event_name", "push"),
            ("ref", "refs/heads/main"),
            ("repository_id", "74"),
        ],
    )];
    let good = claims(include_str!("github_actions.json"));
    let workflow = "74/octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main";
    let identity = verify(&config, &good).await.unwrap();
    says(&identity, workflow, &["ci"], CallerKind::Machine);
    refuses(
        &config,
        &good,
        &[
            ("required_claim", "repository_owner_id", json!("66")),
            // The name of the owner, recycled, with another id; and an id that is a number.
            ("required_claim", "repository_owner_id", json!(65)),
            ("aud_mismatch", "aud", json!("https://github.com/octo-org")),
            ("subject_malformed", "repository_id", json!("74/75")),
            (
                "unknown_issuer",
                "iss",
                json!("https://token.actions.githubusercontent.com/evil"),
            ),
        ],
    )
    .await;
    // `sub` is a template of the owner of the repository: it says what they please, and changes nothing.
    let mut renamed = good.clone();
    renamed["sub"] = json!("repo:octo-org/octo-repo:environment:production");
    assert_eq!(verify(&config, &renamed).await.unwrap().subject, identity.subject);
    // From a fork, on a pull request: no group; and no entry where the event is demanded.
    let mut fork = good.clone();
    fork["event_name"] = json!("pull_request");
    fork["ref"] = json!("refs/pull/1/merge");
    says(
        &verify(&config, &fork).await.unwrap(),
        workflow,
        &[],
        CallerKind::Machine,
    );
    config.required.insert("event_name".into(), "push".into());
    assert!(verify(&config, &good).await.is_ok());
    assert_eq!(verify(&config, &fork).await.err(), Some("required_claim"));
}

#[tokio::test]
async fn gitlab_ci() {
    let issuer = "https://gitlab.example.com";
    let mut config = IssuerConfig::of(Profile::GitlabCi, issuer, ["copilot-guard"]);
    assert_eq!(config.validate().map_err(|e| e.key()), Err("required"));
    config.required.insert("project_id".into(), "20".into());
    config.required.insert("ref_protected".into(), "true".into());
    config.synthetic_groups = vec![SyntheticGroup::new("ci", [("ref", "main")])];
    let good = claims(include_str!("gitlab_ci.json"));
    says(
        &verify(&config, &good).await.unwrap(),
        "20",
        &["ci"],
        CallerKind::Machine,
    );
    refuses(
        &config,
        &good,
        &[
            ("required_claim", "ref_protected", json!("false")),
            ("required_claim", "ref_protected", json!(true)),
            ("required_claim", "project_id", json!("21")),
        ],
    )
    .await;
}

#[tokio::test]
async fn cognito() {
    let issuer = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_example";
    let config = IssuerConfig::of(Profile::Cognito, issuer, ["1example23456789"]);
    let good = claims(include_str!("cognito.json"));
    says(
        &verify(&config, &good).await.unwrap(),
        "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        &["developers"],
        CallerKind::Person,
    );
    refuses(
        &config,
        &good,
        &[
            ("id_token", "token_use", json!("id")),
            ("required_claim", "token_use", json!("other")),
            ("aud_mismatch", "client_id", json!("2other")),
            ("aud_type", "client_id", json!(5)),
        ],
    )
    .await;
    let mut id = good.clone();
    let members = id.as_object_mut().unwrap();
    members.remove("client_id");
    members.insert("aud".into(), json!("1example23456789"));
    assert_eq!(verify(&config, &id).await.err(), Some("aud_missing"));
    let client = verify(&config, &claims(include_str!("cognito_client.json")))
        .await
        .unwrap();
    says(&client, "1example23456789", &[], CallerKind::Machine);
}

#[tokio::test]
async fn spiffe() {
    let mut config = IssuerConfig::of(Profile::Spiffe, "https://oidc.prod.example", ["copilot-guard"]);
    assert_eq!(config.validate().map_err(|e| e.key()), Err("subject_prefix"));
    config.subject_prefix = Some("spiffe://prod.example/".into());
    let good = claims(include_str!("spiffe.json"));
    for typ in ["JWT", "JOSE"] {
        says(
            &verify_as(&config, typ, &good).await.unwrap(),
            "spiffe://prod.example/ns/ci/sa/builder",
            &[],
            CallerKind::Machine,
        );
    }
    refuses(
        &config,
        &good,
        &[
            (
                "subject_refused",
                "sub",
                json!("spiffe://test.example/ns/ci/sa/builder"),
            ),
            (
                "subject_refused",
                "sub",
                json!("spiffe://prod.example.evil/ns/ci"),
            ),
            ("iss_type", "iss", Value::Null),
        ],
    )
    .await;
    config.allow_jose = false;
    assert_eq!(verify_as(&config, "JOSE", &good).await.err(), Some("header_typ"));
}
