//! Hostile tokens: header, algorithm, names of keys and signatures.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::hostile_form::parts;
use super::kit::{ISSUER, OTHER_ISSUER, Row, b64, claims, header, keys, row};

pub(super) fn rows() -> Vec<Row> {
    [headers(), algorithms(), names_of_keys()]
        .into_iter()
        .flatten()
        .collect()
}

fn headers() -> Vec<Row> {
    let with = |name: &str, value: Value| {
        let mut header = header("ec", "ES256");
        header[name] = value;
        keys().ec.token(&header, &claims())
    };
    let without = |name: &str| {
        let mut header = header("ec", "ES256");
        header.as_object_mut().unwrap().remove(name);
        keys().ec.token(&header, &claims())
    };
    vec![
        row(
            "crit with an unknown extension",
            "header_crit",
            with("crit", json!(["x"])),
        ),
        row("crit empty", "header_crit", with("crit", json!([]))),
        row("crit null", "header_crit", with("crit", Value::Null)),
        row("crit with exp", "header_crit", with("crit", json!(["exp"]))),
        row("b64 false", "header_b64", with("b64", json!(false))),
        row("zip", "header_zip", with("zip", json!("DEF"))),
        row("cty of a nested token", "header_cty", with("cty", json!("JWT"))),
        row(
            "typ of a logout token",
            "header_typ",
            with("typ", json!("logout+jwt")),
        ),
        row("typ JOSE", "header_typ", with("typ", json!("JOSE"))),
        row(
            "typ of a logout token, in full",
            "header_typ",
            with("typ", json!("application/logout+jwt")),
        ),
        row(
            "typ of a DPoP proof",
            "header_typ",
            with("typ", json!("dpop+jwt")),
        ),
        row(
            "typ of a security event",
            "header_typ",
            with("typ", json!("secevent+jwt")),
        ),
        row(
            "typ of our gateway tokens",
            "header_typ",
            with("typ", json!("cg+jwt")),
        ),
        row(
            "typ of an encrypted token",
            "header_typ",
            with("typ", json!("JWE")),
        ),
        row("typ empty", "header_typ", with("typ", json!(""))),
        row("typ a list", "header_typ", with("typ", json!(["JWT"]))),
        row("typ null", "header_typ", with("typ", Value::Null)),
        row("alg missing", "alg_missing", without("alg")),
        row("alg a number", "alg_type", with("alg", json!(256))),
        row("alg a list", "alg_type", with("alg", json!(["ES256"]))),
        row("alg null", "alg_type", with("alg", Value::Null)),
        row("kid missing", "kid_missing", without("kid")),
        row("kid a number", "kid_malformed", with("kid", json!(5))),
        row("kid null", "kid_malformed", with("kid", Value::Null)),
        row("kid empty", "kid_malformed", with("kid", json!(""))),
        row(
            "kid endless",
            "kid_malformed",
            with("kid", json!("k".repeat(300))),
        ),
        row("kid a path", "unknown_kid", with("kid", json!("../../dev/null"))),
        row(
            "kid an injection",
            "unknown_kid",
            with("kid", json!("ec' OR '1'='1")),
        ),
    ]
}

fn algorithms() -> Vec<Row> {
    let k = keys();
    let unsigned = |alg: &str, signature: &str| {
        format!(
            "{}.{}.{signature}",
            b64(header("ec", alg).to_string()),
            b64(claims().to_string())
        )
    };
    // The classic: the public key, which everybody has, as the secret of a symmetric signature.
    let symmetric = |alg: &str, secret: Vec<u8>| {
        let message = format!(
            "{}.{}",
            b64(header("rsa", alg).to_string()),
            b64(claims().to_string())
        );
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        format!("{message}.{}", b64(tag.as_ref()))
    };
    let modulus = k.rsa.jwk()["n"].as_str().unwrap().as_bytes().to_vec();
    let (h, p, s) = parts();
    let changed = |from: &str, to: &str| format!("{h}.{}.{s}", b64(claims().to_string().replace(from, to)));
    let mut cut = k.ec.sign(format!("{h}.{p}").as_bytes());
    cut.pop();
    vec![
        row("alg none without signature", "segments", unsigned("none", "")),
        row(
            "alg none with a signature",
            "alg_refused",
            unsigned("none", "AAAA"),
        ),
        row("alg NoNe", "alg_refused", unsigned("NoNe", "AAAA")),
        row("alg empty", "alg_refused", unsigned("", "AAAA")),
        row(
            "alg in lower case",
            "alg_refused",
            k.ec.token(&header("ec", "es256"), &claims()),
        ),
        row(
            "HS256 with the public key's text",
            "alg_refused",
            symmetric("HS256", modulus),
        ),
        row(
            "HS256 with the key set",
            "alg_refused",
            symmetric("HS256", k.rsa.jwk().to_string().into()),
        ),
        row(
            "HS256 with an empty secret",
            "alg_refused",
            symmetric("HS256", Vec::new()),
        ),
        row(
            "symmetric signature named RS256",
            "bad_signature",
            symmetric("RS256", b"secret".to_vec()),
        ),
        row(
            "RS512, not offered",
            "alg_refused",
            k.rsa.token(&header("rsa", "RS512"), &claims()),
        ),
        row(
            "ES256K, not offered",
            "alg_refused",
            k.ec.token(&header("ec", "ES256K"), &claims()),
        ),
        row(
            "PS256, not allowed here",
            "alg_refused",
            k.pss.token(&header("pss", "PS256"), &claims()),
        ),
        row(
            "ES384, not allowed here",
            "alg_refused",
            k.ec384.token(&header("ec384", "ES384"), &claims()),
        ),
        row(
            "RSA key named for ES256",
            "alg_key_mismatch",
            k.ec.token(&header("rsa", "ES256"), &claims()),
        ),
        row(
            "EC key named for RS256",
            "alg_key_mismatch",
            k.rsa.token(&header("ec", "RS256"), &claims()),
        ),
        row(
            "P-384 key named for ES256",
            "alg_key_mismatch",
            k.ec384.token(&header("ec384", "ES256"), &claims()),
        ),
        row(
            "EC key named for EdDSA",
            "alg_key_mismatch",
            k.ed.token(&header("ec", "EdDSA"), &claims()),
        ),
        row(
            "PSS signature named RS256",
            "bad_signature",
            k.pss.token(&header("pss", "RS256"), &claims()),
        ),
        row(
            "signature of a stranger",
            "bad_signature",
            k.forger.token(&header("ec", "ES256"), &claims()),
        ),
        row(
            "signature of another token",
            "bad_signature",
            changed("u1", "root"),
        ),
        row(
            "group added after signing",
            "bad_signature",
            changed("dev", "root"),
        ),
        row(
            "zero signature",
            "bad_signature",
            format!("{h}.{p}.{}", b64([0; 64])),
        ),
        row(
            "short signature",
            "bad_signature",
            format!("{h}.{p}.{}", b64(cut)),
        ),
        row(
            "one octet for a signature",
            "bad_signature",
            format!("{h}.{p}.AA"),
        ),
    ]
}

fn names_of_keys() -> Vec<Row> {
    let k = keys();
    let own_key = |name: &str, value: Value| {
        let mut header = header("ec", "ES256");
        header[name] = value;
        k.forger.token(&header, &claims())
    };
    let of = |issuer: &str| {
        let mut claims = claims();
        claims["iss"] = json!(issuer);
        claims
    };
    let es = |kid: &str| header(kid, "ES256");
    vec![
        row("unknown kid", "unknown_kid", k.ec.token(&es("nobody"), &claims())),
        row(
            "kid in another case",
            "unknown_kid",
            k.ec.token(&es("EC"), &claims()),
        ),
        row(
            "kid of another issuer, its signature",
            "unknown_kid",
            k.other.token(&es("other"), &claims()),
        ),
        row(
            "own kid, another issuer's signature",
            "bad_signature",
            k.other.token(&es("ec"), &claims()),
        ),
        row(
            "own signature, another issuer named",
            "unknown_kid",
            k.ec.token(&es("ec"), &of(OTHER_ISSUER)),
        ),
        row(
            "jwk in the header",
            "bad_signature",
            own_key("jwk", k.forger.jwk()),
        ),
        row(
            "jku in the header",
            "bad_signature",
            own_key("jku", json!("https://evil.example/keys")),
        ),
        row(
            "x5u in the header",
            "bad_signature",
            own_key("x5u", json!("https://evil.example/cert")),
        ),
        row(
            "x5c in the header",
            "bad_signature",
            own_key("x5c", json!(["MIIB"])),
        ),
        row(
            "issuer unknown",
            "unknown_issuer",
            k.ec.token(&es("ec"), &of("https://evil.example")),
        ),
        row(
            "issuer with a slash more",
            "unknown_issuer",
            k.ec.token(&es("ec"), &of(&format!("{ISSUER}/"))),
        ),
        row(
            "issuer with a slash less",
            "unknown_issuer",
            k.other.token(&es("other"), &of("https://b.example")),
        ),
        row(
            "issuer in another case",
            "unknown_issuer",
            k.ec.token(&es("ec"), &of("https://A.example")),
        ),
        row(
            "issuer as a prefix",
            "unknown_issuer",
            k.ec.token(&es("ec"), &of("https://a.example.evil")),
        ),
    ]
}
