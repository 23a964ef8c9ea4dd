//! A group of one issuer is not that of another.

use std::sync::Arc;

use serde_json::json;

use super::kit::{NOW, header, key_set, keys, now};
use crate::token::{IssuerConfig, NoFetch, OidcVerifier, TokenVerifier as _};

const A: &str = "https://a.example";
const B: &str = "https://b.example";
const TEMPLATE: &str = "https://login.example/{tenantid}/v2.0";
const TENANTS: [&str; 2] = [
    "3f2a4c1e-0000-4000-8000-00000000000a",
    "3f2a4c1e-0000-4000-8000-00000000000b",
];

fn of(issuer: &str, namespace: Option<&str>) -> IssuerConfig {
    let mut config = IssuerConfig::new(issuer, ["api"]);
    config.jwks = Some(key_set([&keys().ed]));
    config.namespace = namespace.map(str::to_owned);
    config
}

fn build(configs: impl IntoIterator<Item = IssuerConfig>) -> Result<OidcVerifier, &'static str> {
    let builder = OidcVerifier::builder(Arc::new(NoFetch));
    let builder = configs.into_iter().fold(builder, |b, config| b.issuer(config));
    builder.build().map_err(|error| error.key())
}

async fn groups(verifier: &OidcVerifier, issuer: &str, groups: &[&str]) -> Result<Vec<String>, &'static str> {
    let tid = TENANTS.iter().find(|tenant| issuer.contains(*tenant));
    let claims =
        json!({ "iss": issuer, "aud": "api", "sub": "u1", "exp": NOW + 60, "groups": groups, "tid": tid });
    let token = keys().ed.token(&header("ed", "EdDSA"), &claims);
    let identity = verifier.verify(&token, now()).await.map_err(|e| e.code())?;
    Ok(identity.groups.into_iter().collect())
}

#[tokio::test]
async fn further_issuers_stand_apart() {
    let verifier = build([of(A, None), of(B, None)]).unwrap();
    assert_eq!(groups(&verifier, A, &["admin"]).await.unwrap(), ["admin"]);
    assert_eq!(
        groups(&verifier, B, &["admin"]).await.unwrap(),
        ["https://b.example#admin"]
    );
    assert_eq!(verifier.namespaces(), [(A, ""), (B, "https://b.example#")]);
    // Whoever makes groups at A cannot make those of B.
    for name in ["https://b.example#admin", "https://b.example#"] {
        assert_eq!(groups(&verifier, A, &[name]).await.err(), Some("group_foreign"));
    }
    assert!(groups(&verifier, A, &["https://b.example"]).await.is_ok());
    // Nor by a prefix or a new name.
    let mut reaching = of(A, None);
    reaching.groups[0]
        .rename
        .insert("x".into(), "https://b.example#admin".into());
    let verifier = build([reaching, of(B, None)]).unwrap();
    assert_eq!(groups(&verifier, A, &["x"]).await.err(), Some("group_foreign"));
}

#[tokio::test]
async fn namespaces_may_be_chosen_and_are_shared_on_purpose_alone() {
    let verifier = build([of(A, Some("corp:")), of(B, Some(""))]).unwrap();
    assert_eq!(groups(&verifier, A, &["admin"]).await.unwrap(), ["corp:admin"]);
    assert_eq!(groups(&verifier, B, &["admin"]).await.unwrap(), ["admin"]);
    assert_eq!(
        groups(&verifier, B, &["corp:admin"]).await.err(),
        Some("group_foreign")
    );
    for (one, other, group) in [(Some("x:"), Some("x:"), "x:admin"), (None, Some(""), "admin")] {
        let verifier = build([of(A, one), of(B, other)]).unwrap();
        for issuer in [A, B] {
            assert_eq!(groups(&verifier, issuer, &["admin"]).await.unwrap(), [group]);
        }
    }
    let by_chance = build([of(A, Some("https://b.example#")), of(B, None)]);
    assert_eq!(by_chance.err(), Some("namespace"));
}

#[tokio::test]
async fn tenants_stand_apart_too() {
    let template = |namespace| {
        let mut config = of(TEMPLATE, namespace);
        config.tenants = TENANTS.map(str::to_owned).to_vec();
        config
    };
    let [one, two] = TENANTS.map(|tenant| TEMPLATE.replace("{tenantid}", tenant));
    let verifier = build([template(None)]).unwrap();
    assert_eq!(groups(&verifier, &one, &["admin"]).await.unwrap(), ["admin"]);
    assert_eq!(
        groups(&verifier, &two, &["admin"]).await.unwrap(),
        [format!("{two}#admin")]
    );
    assert_eq!(
        groups(&verifier, TEMPLATE, &["admin"]).await.err(),
        Some("unknown_issuer")
    );
    let verifier = build([of(A, None), template(Some("{tenantid}:"))]).unwrap();
    assert_eq!(
        groups(&verifier, &two, &["admin"]).await.unwrap(),
        [format!("{}:admin", TENANTS[1])]
    );
    assert_eq!(build([template(Some("t:"))]).err(), Some("namespace"));
}
