//! Hostile tokens: claims, with a good form and a good signature.

use serde_json::{Value, json};

use super::kit::{ISSUER, NOW, OTHER_ISSUER, Row, claims, header, keys, row};

pub(super) fn rows() -> Vec<Row> {
    [registered(), times(), kinds(), identity(), groups()]
        .into_iter()
        .flatten()
        .collect()
}

fn sign(claims: &Value) -> String {
    keys().ec.token(&header("ec", "ES256"), claims)
}

fn with(name: &'static str, code: &'static str, claim: &str, value: Value) -> Row {
    let mut claims = claims();
    claims[claim] = value;
    row(name, code, sign(&claims))
}

/// Of a token whose header does not say that it is an access token.
fn unmarked(name: &'static str, code: &'static str, claim: &str, value: Value) -> Row {
    let mut claims = claims();
    claims[claim] = value;
    let header = json!({ "alg": "ES256", "kid": "ec", "typ": "JWT" });
    row(name, code, keys().ec.token(&header, &claims))
}

fn without(name: &'static str, code: &'static str, claim: &str) -> Row {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    row(name, code, sign(&claims))
}

fn registered() -> Vec<Row> {
    vec![
        without("iss missing", "iss_missing", "iss"),
        with("iss a number", "iss_type", "iss", json!(5)),
        with("iss null", "iss_type", "iss", Value::Null),
        with("iss an object", "iss_type", "iss", json!({ "iss": ISSUER })),
        with("iss a list with the good one", "iss_type", "iss", json!([ISSUER])),
        with(
            "iss a list with both",
            "iss_type",
            "iss",
            json!(["https://evil.example", ISSUER]),
        ),
        without("aud missing", "aud_missing", "aud"),
        with("aud wrong", "aud_mismatch", "aud", json!("other")),
        with("aud in another case", "aud_mismatch", "aud", json!("API")),
        with("aud as a prefix", "aud_mismatch", "aud", json!("api/admin")),
        with("aud with blanks", "aud_mismatch", "aud", json!("api other")),
        with("aud empty", "aud_mismatch", "aud", json!("")),
        with("aud an empty list", "aud_mismatch", "aud", json!([])),
        with("aud a list of others", "aud_mismatch", "aud", json!(["x", "y"])),
        with("aud a list with a number", "aud_type", "aud", json!(["api", 7])),
        with("aud a nested list", "aud_type", "aud", json!([["api"]])),
        with("aud a number", "aud_type", "aud", json!(7)),
        with("aud null", "aud_type", "aud", Value::Null),
        with("aud an object", "aud_type", "aud", json!({ "api": true })),
        without("sub missing", "sub_missing", "sub"),
        with("sub a number", "sub_malformed", "sub", json!(1)),
        with("sub null", "sub_malformed", "sub", Value::Null),
        with("sub a list", "sub_malformed", "sub", json!(["u1"])),
        with("sub empty", "sub_malformed", "sub", json!("")),
        with("sub with a nul", "sub_malformed", "sub", json!("u1\0root")),
        with("sub with a newline", "sub_malformed", "sub", json!("u1\nroot")),
        with("sub with a C1 control", "sub_malformed", "sub", json!("u1\u{85}")),
        with("sub of 256 bytes", "sub_malformed", "sub", json!("s".repeat(256))),
        without("required claim missing", "required_claim", "hd"),
        with(
            "required claim different",
            "required_claim",
            "hd",
            json!("evil.example"),
        ),
        with(
            "required claim a list",
            "required_claim",
            "hd",
            json!(["example.com"]),
        ),
        with(
            "required claim in another case",
            "required_claim",
            "hd",
            json!("Example.com"),
        ),
    ]
}

fn times() -> Vec<Row> {
    vec![
        without("exp missing", "exp_missing", "exp"),
        with("exp a string", "exp_type", "exp", json!((NOW + 600).to_string())),
        with("exp null", "exp_type", "exp", Value::Null),
        with("exp a list", "exp_type", "exp", json!([NOW + 600])),
        with("exp true", "exp_type", "exp", json!(true)),
        with("expired by the leeway", "expired", "exp", json!(NOW - 30)),
        with("expired long ago", "expired", "exp", json!(NOW - 86_400)),
        with("exp zero", "expired", "exp", json!(0)),
        with("exp negative", "expired", "exp", json!(i64::MIN)),
        with("exp a negative fraction", "expired", "exp", json!(-1.5e300)),
        with(
            "exp in milliseconds",
            "lifetime",
            "exp",
            json!((NOW + 600) * 1000),
        ),
        with("exp of u64::MAX", "lifetime", "exp", json!(u64::MAX)),
        with("exp of i64::MAX", "lifetime", "exp", json!(i64::MAX)),
        with("exp of 1e300", "lifetime", "exp", json!(1e300)),
        with("lives longer than a day", "lifetime", "exp", json!(NOW + 86_400)),
        with(
            "issued ten years ago, ends soon",
            "lifetime",
            "iat",
            json!(NOW - 10 * 31_536_000),
        ),
        with("nbf beyond the leeway", "not_yet_valid", "nbf", json!(NOW + 31)),
        with("nbf a string", "nbf_type", "nbf", json!("0")),
        with("nbf null", "nbf_type", "nbf", Value::Null),
        with(
            "iat beyond the leeway",
            "issued_in_future",
            "iat",
            json!(NOW + 31),
        ),
        with("iat a string", "iat_type", "iat", json!("0")),
        with("iat null", "iat_type", "iat", Value::Null),
        with(
            "auth_time in the future",
            "auth_time_future",
            "auth_time",
            json!(NOW + 3600),
        ),
    ]
}

fn kinds() -> Vec<Row> {
    vec![
        with(
            "bound to a certificate",
            "cnf_unproven",
            "cnf",
            json!({ "x5t#S256": "abc" }),
        ),
        with(
            "bound to a DPoP key",
            "cnf_unproven",
            "cnf",
            json!({ "jkt": "abc" }),
        ),
        with("cnf null", "cnf_unproven", "cnf", Value::Null),
        with(
            "back-channel logout",
            "events",
            "events",
            json!({ "http://schemas.openid.net/event/backchannel-logout": {} }),
        ),
        with("Keycloak refresh token", "token_kind", "typ", json!("Refresh")),
        with("Keycloak offline token", "token_kind", "typ", json!("Offline")),
        with("Keycloak ID token", "id_token", "typ", json!("ID")),
        with("Keycloak ID token in lower case", "id_token", "typ", json!("id")),
        with("kind a list", "token_kind", "typ", json!(["Bearer"])),
        with("kind null", "token_kind", "typ", Value::Null),
        with("Keycloak logout token", "token_kind", "typ", json!("Logout")),
        unmarked("nonce of an ID token", "id_token", "nonce", json!("n-0S6")),
        unmarked("nonce null", "id_token", "nonce", Value::Null),
        unmarked("at_hash of an ID token", "id_token", "at_hash", json!("x")),
        unmarked("c_hash of an ID token", "id_token", "c_hash", json!("x")),
        with("s_hash of an ID token", "id_token", "s_hash", json!("x")),
        with("Cognito ID token", "id_token", "token_use", json!("id")),
        with("events empty", "events", "events", json!({})),
        with("events null", "events", "events", Value::Null),
        with("cnf of a thumbprint", "cnf_unproven", "cnf", json!({ "jwk": {} })),
    ]
}

fn identity() -> Vec<Row> {
    vec![
        without("person missing", "person_missing", "email"),
        with(
            "person a list",
            "person_malformed",
            "email",
            json!(["a@example.com"]),
        ),
        with(
            "person with a newline",
            "person_malformed",
            "email",
            json!("a@example.com\r\nx: y"),
        ),
        with("client a number", "client_malformed", "azp", json!(1)),
        with("client with a nul", "client_malformed", "azp", json!("a\0")),
        with("client null", "client_malformed", "azp", Value::Null),
        with("client empty", "client_malformed", "azp", json!("")),
        with("token id a number", "token_id_malformed", "jti", json!(7)),
        with("token id null", "token_id_malformed", "jti", Value::Null),
        with("token id empty", "token_id_malformed", "jti", json!("")),
        with(
            "token id with a newline",
            "token_id_malformed",
            "jti",
            json!("a\nb"),
        ),
        with(
            "token id endless",
            "token_id_malformed",
            "jti",
            json!("j".repeat(256)),
        ),
        with(
            "Entra's token id a list",
            "token_id_malformed",
            "uti",
            json!(["a"]),
        ),
        with("session a number", "sid_malformed", "sid", json!(7)),
        with("session null", "sid_malformed", "sid", Value::Null),
        with("session with a nul", "sid_malformed", "sid", json!("a\0")),
        with("person empty", "person_malformed", "email", json!("")),
        with("person null", "person_malformed", "email", Value::Null),
        with("sub an object", "sub_malformed", "sub", json!({ "sub": "u1" })),
        with("sub true", "sub_malformed", "sub", json!(true)),
        with(
            "sub a delete character",
            "sub_malformed",
            "sub",
            json!("u1\u{7f}"),
        ),
    ]
}

fn groups() -> Vec<Row> {
    let many: Vec<String> = (0..1001).map(|n| format!("{n}")).collect();
    let some: Vec<String> = (0..600).map(|n| format!("{n}")).collect();
    let mut split = claims();
    split["groups"] = json!(some);
    split["realm_access"]["roles"] = json!(some);
    let mut alone = claims();
    alone.as_object_mut().unwrap().remove("groups");
    alone["_claim_names"] = json!({ "groups": "src1" });
    alone["_claim_sources"] = json!({ "src1": { "endpoint": "https://169.254.169.254/" } });
    let mut flag = claims();
    flag.as_object_mut().unwrap().remove("groups");
    flag["hasgroups"] = json!(true);
    vec![
        row("groups cut off", "groups_overage", sign(&alone)),
        row("groups cut off, implicit flow", "groups_overage", sign(&flag)),
        with(
            "groups beside the mark",
            "groups_contradiction",
            "_claim_names",
            json!({ "groups": "src1" }),
        ),
        with(
            "mark of a wrong type",
            "groups_contradiction",
            "_claim_names",
            json!(["groups"]),
        ),
        with(
            "roles cut off",
            "groups_contradiction",
            "_claim_names",
            json!({ "realm_access": "src1" }),
        ),
        with(
            "hasgroups a string",
            "groups_contradiction",
            "hasgroups",
            json!("true"),
        ),
        with("groups a string", "groups_shape", "groups", json!("dev")),
        with(
            "groups the name of a source",
            "groups_overage",
            "groups",
            json!("src1"),
        ),
        with(
            "groups a list in a string",
            "groups_shape",
            "groups",
            json!("[\"dev\"]"),
        ),
        with(
            "groups with a number",
            "groups_shape",
            "groups",
            json!(["dev", 5]),
        ),
        with(
            "groups with an object",
            "groups_shape",
            "groups",
            json!([{ "name": "dev" }]),
        ),
        with("groups with null", "groups_shape", "groups", json!([null])),
        with("groups null", "groups_shape", "groups", Value::Null),
        with(
            "groups an object",
            "groups_shape",
            "groups",
            json!({ "dev": true }),
        ),
        with(
            "roles a string",
            "groups_shape",
            "realm_access",
            json!({ "roles": "admin" }),
        ),
        with("group empty", "group_malformed", "groups", json!([""])),
        with(
            "group with a newline",
            "group_malformed",
            "groups",
            json!(["dev\nroot"]),
        ),
        with("group with a nul", "group_malformed", "groups", json!(["dev\0"])),
        with(
            "group of 257 bytes",
            "group_malformed",
            "groups",
            json!(["g".repeat(257)]),
        ),
        with("1001 groups", "groups_too_many", "groups", json!(many)),
        with(
            "groups the name of another source",
            "groups_overage",
            "groups",
            json!("src27"),
        ),
        with(
            "group reaching into another issuer",
            "group_foreign",
            "groups",
            json!([format!("{OTHER_ISSUER}#root")]),
        ),
        with(
            "group a namespace",
            "group_foreign",
            "groups",
            json!([format!("{OTHER_ISSUER}#")]),
        ),
        with("groups true", "groups_shape", "groups", json!(true)),
        with("groups nested", "groups_shape", "groups", json!([["dev"]])),
        with(
            "group with a C1 control",
            "group_malformed",
            "groups",
            json!(["dev\u{9f}"]),
        ),
        row("1200 groups from two sources", "groups_too_many", sign(&split)),
    ]
}
