//! Good tokens of every allowed kind, and what they say.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::kit::{ISSUER, NOW, TestKey, claims, config, header, keys, now, verifier};
use crate::clock::Timestamp;
use crate::identity::{CallerKind, Identity};
use crate::token::{
    Algorithm, GroupSource, IssuerConfig, MachineMark, NoFetch, OidcVerifier, Shape, TokenError,
    TokenVerifier as _,
};

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

async fn read_with(config: IssuerConfig, claims: &Value) -> Result<Identity, TokenError> {
    let verifier = OidcVerifier::builder(Arc::new(NoFetch))
        .issuer(config)
        .build()
        .unwrap();
    verifier
        .verify(&keys().ed.token(&header("ed", "EdDSA"), claims), now())
        .await
}

#[tokio::test]
async fn reads_the_identity() {
    let token = keys().rsa.token(&header("rsa", "RS256"), &claims());
    let identity = verifier().verify(&token, now()).await.unwrap();
    assert_eq!(identity.issuer, ISSUER);
    assert_eq!(identity.subject, "u1");
    assert_eq!(identity.person, "ann@example.com");
    assert_eq!(identity.groups, set(["dev", "ops", "role:admin"]));
    assert_eq!(identity.client.as_deref(), Some("vscode"));
    assert_eq!(identity.expires_at, Timestamp::from_secs(NOW + 600));
    assert_eq!(identity.authenticated_at, Some(Timestamp::from_secs(NOW - 100)));
}

#[tokio::test]
async fn accepts_each_algorithm_and_type() {
    let k = keys();
    let all = [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];
    let mut config = config();
    config.algorithms = all.to_vec();
    let verifier = OidcVerifier::builder(Arc::new(NoFetch))
        .issuer(config)
        .build()
        .unwrap();
    let rows: [(&TestKey, &str); 6] = [
        (&k.rsa, "RS256"),
        (&k.pss, "PS256"),
        (&k.ec, "ES256"),
        (&k.ec384, "ES384"),
        (&k.ed, "EdDSA"),
        (&k.ed, "Ed25519"),
    ];
    for (key, alg) in rows {
        for kind in [
            None,
            Some("JWT"),
            Some("jwt"),
            Some("at+jwt"),
            Some("application/AT+JWT"),
        ] {
            let mut header = json!({ "alg": alg, "kid": key.kid });
            if let Some(kind) = kind {
                header["typ"] = json!(kind);
            }
            let result = verifier.verify(&key.token(&header, &claims()), now()).await;
            assert!(result.is_ok(), "{alg} {kind:?}: {result:?}");
        }
    }
}

#[tokio::test]
async fn accepts_what_is_within_the_rules() {
    let rows: Vec<(&str, &str, Value)> = vec![
        ("second audience", "aud", json!(["x", "api2"])),
        ("exp at the edge of the leeway", "exp", json!(NOW - 29)),
        ("exp with a fraction", "exp", json!(NOW as f64 + 60.5)),
        ("a day to live", "exp", json!(NOW - 10 + 86_400)),
        ("nbf at the edge of the leeway", "nbf", json!(NOW + 30)),
        ("iat at the edge of the leeway", "iat", json!(NOW + 30)),
        ("sub of 255 bytes", "sub", json!("s".repeat(255))),
        ("sub with umlauts", "sub", json!("jürgen|1")),
        ("no groups", "groups", json!([])),
        (
            "1000 groups less one",
            "groups",
            json!((0..999).map(|n| n.to_string()).collect::<Vec<_>>()),
        ),
        ("group of 256 bytes", "groups", json!(["g".repeat(256)])),
        (
            "another claim is distributed",
            "_claim_names",
            json!({ "photos": "src1" }),
        ),
        ("hasgroups false", "hasgroups", json!(false)),
        ("Keycloak access token", "typ", json!("Bearer")),
        ("auth_time that is none", "auth_time", json!("now")),
    ];
    for (name, claim, value) in rows {
        let mut claims = claims();
        claims[claim] = value;
        let result = read_with(config(), &claims).await;
        assert!(result.is_ok(), "{name}: {result:?}");
    }
    for optional in ["nbf", "iat", "groups", "realm_access", "azp", "auth_time"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(optional);
        assert!(read_with(config(), &claims).await.is_ok(), "without {optional}");
    }
}

#[tokio::test]
async fn maps_groups_by_name_pointer_and_shape() {
    let claims = json!({
        "iss": ISSUER, "aud": "api", "sub": "u1", "exp": NOW + 60,
        "https://x.example/roles": ["a", "b c"], "resource_access": { "my/app": { "roles": ["c"] } },
        "scp": "read  write", "dept": "R, D", "csv": "x, y,z", "empty": "",
    });
    let rows: Vec<(GroupSource, BTreeSet<String>)> = vec![
        (GroupSource::new("https://x.example/roles"), set(["a", "b c"])),
        (GroupSource::new("/resource_access/my~1app/roles"), set(["c"])),
        (
            GroupSource::new("/resource_access/my~1app/roles/0").with_shape(Shape::String),
            set(["c"]),
        ),
        (
            GroupSource::new("scp").with_shape(Shape::SpaceSeparated),
            set(["read", "write"]),
        ),
        (GroupSource::new("dept").with_shape(Shape::String), set(["R, D"])),
        (
            GroupSource::new("csv").with_shape(Shape::CommaSeparated),
            set(["x", " y", "z"]),
        ),
        (
            GroupSource::new("empty").with_shape(Shape::CommaSeparated),
            set([]),
        ),
        (GroupSource::new("resource_access.my/app.roles"), set([])),
    ];
    for (source, expected) in rows {
        let mut config = IssuerConfig::new(ISSUER, ["api"]);
        config.jwks = super::kit::config().jwks;
        config.groups = vec![source.clone()];
        assert_eq!(
            read_with(config, &claims).await.unwrap().groups,
            expected,
            "{source:?}"
        );
    }
}

#[tokio::test]
async fn a_login_without_a_time_is_none() {
    for value in [
        json!("now"),
        json!((NOW - 100).to_string()),
        Value::Null,
        json!([NOW]),
    ] {
        let mut claims = claims();
        claims["auth_time"] = value.clone();
        let identity = read_with(config(), &claims).await.unwrap();
        assert_eq!(identity.authenticated_at, None, "{value}");
    }
}

#[tokio::test]
async fn programs_need_no_mailbox() {
    let mut config = config();
    config.machine = vec![MachineMark::When([("gty".to_owned(), "m2m".into())].into())];
    let mut claims = claims();
    claims["gty"] = json!("m2m");
    let identity = read_with(config.clone(), &claims).await.unwrap();
    assert_eq!(identity.person, "ann@example.com", "where it is there, it counts");
    claims.as_object_mut().unwrap().remove("email");
    let identity = read_with(config.clone(), &claims).await.unwrap();
    assert_eq!(identity.kind, CallerKind::Machine);
    assert_eq!(identity.person, format!("{ISSUER}#u1"));
    claims["gty"] = json!("password");
    let verdict = read_with(config, &claims).await;
    assert_eq!(verdict, Err(TokenError::Invalid("person_missing")));
}

#[tokio::test]
async fn options_change_what_they_name() {
    let mut claims = claims();
    claims["oid"] = json!("o-1");
    claims["_claim_names"] = json!({ "groups": "src1" });
    claims["exp"] = json!(NOW + 100_000);
    claims.as_object_mut().unwrap().remove("azp");
    claims["appid"] = json!("cli");
    let mut config = config();
    config.subject = vec!["oid".into()];
    config.person = None;
    // Application roles are complete even where the group list is cut off.
    config.groups = vec![GroupSource::new("/realm_access/roles")];
    config.max_lifetime = std::time::Duration::from_secs(200_000);
    config.required = [
        ("/realm_access/roles/0".into(), "admin".into()),
        ("auth_time".into(), (NOW - 100).into()),
    ]
    .into();
    let identity = read_with(config, &claims).await.unwrap();
    assert_eq!(identity.subject, "o-1");
    assert_eq!(identity.person, format!("{ISSUER}#o-1"));
    assert_eq!(identity.groups, set(["admin"]));
    assert_eq!(identity.client.as_deref(), Some("cli"));
}
