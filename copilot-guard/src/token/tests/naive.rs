//! Negative control: the usual set-up of a JWT library takes hostile rows, so the table does measure something.

use std::collections::BTreeSet;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};

use super::hostile_rows;
use super::kit::{ISSUER, config};

/// What tutorials show: `alg` from the token, key by `kid`, issuer and audience set.
fn usual(token: &str, keys: &JwkSet) -> Option<serde_json::Value> {
    let header = decode_header(token).ok()?;
    let key = DecodingKey::from_jwk(keys.find(&header.kid?)?).ok()?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&["api"]);
    // It would read the system's clock; rows about time are not counted here.
    validation.validate_exp = false;
    Some(decode(token, &key, &validation).ok()?.claims)
}

#[test]
fn the_usual_set_up_takes_what_we_refuse() {
    let keys: JwkSet = serde_json::from_slice(&config().jwks.unwrap()).unwrap();
    let taken: BTreeSet<&str> = hostile_rows()
        .into_iter()
        .filter(|row| usual(&row.token, &keys).is_some())
        .map(|row| row.name)
        .collect();
    let known = [
        "crit with an unknown extension",
        "b64 false",
        "zip",
        "typ of a logout token",
        "typ of our gateway tokens",
        "groups twice",
        "deep claims",
        "iss missing",
        "iss a number",
        "iss a list with both",
        "aud missing",
        "aud a list with a number",
        "sub missing",
        "sub with a nul",
        "nbf beyond the leeway",
        "iat beyond the leeway",
        "bound to a DPoP key",
        "back-channel logout",
        "Keycloak refresh token",
        "PS256, not allowed here",
        "groups cut off",
        "groups the name of a source",
        "group reaching into another issuer",
        "nonce of an ID token",
        "Cognito ID token",
        "typ JOSE",
        "token id a number",
        "session with a nul",
    ];
    for name in known {
        assert!(
            taken.contains(name),
            "{name} is no longer taken by the usual set-up"
        );
    }
    assert!(taken.len() >= 90, "{} taken", taken.len());
    // And what it gets right, so that the control is not simply open.
    for name in [
        "signature of a stranger",
        "HS256 with the public key's text",
        "aud wrong",
        "jwk in the header",
    ] {
        assert!(!taken.contains(name), "{name}");
    }
}
