//! Hostile tokens: size, segments, encoding, header, keys and signatures.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

use super::kit::{ISSUER, OTHER_ISSUER, Row, b64, claims, header, keys, row};

pub(super) fn rows() -> Vec<Row> {
    [segments(), encodings(), headers(), algorithms(), names_of_keys()]
        .into_iter()
        .flatten()
        .collect()
}

fn good() -> String {
    keys().ec.token(&header("ec", "ES256"), &claims())
}

fn parts() -> (String, String, String) {
    let token = good();
    let mut parts = token.split('.').map(str::to_owned);
    (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    )
}

fn segments() -> Vec<Row> {
    let (h, p, s) = parts();
    let huge_header = json!({ "alg": "ES256", "kid": "ec", "x": "a".repeat(4000) });
    vec![
        row("empty token", "segments", String::new()),
        row("one segment", "segments", h.clone()),
        row("two segments", "segments", format!("{h}.{p}")),
        row("four segments", "segments", format!("{h}.{p}.{s}.{s}")),
        row(
            "five segments, as an encrypted token",
            "segments",
            format!("{h}.{p}.{s}.{p}.{s}"),
        ),
        row("empty signature", "segments", format!("{h}.{p}.")),
        row("empty payload", "segments", format!("{h}..{s}")),
        row("empty header", "segments", format!(".{p}.{s}")),
        row("dots only", "segments", "..".into()),
        row("leading dot", "segments", format!(".{h}.{p}.{s}")),
        row("token of 16 KiB and one", "too_large", "a".repeat(16 * 1024 + 1)),
        row("megabyte of dots", "too_large", ".".repeat(1 << 20)),
        row(
            "header of more than 4 KiB",
            "header_too_large",
            keys().ec.token(&huge_header, &claims()),
        ),
        row(
            "endless signature",
            "signature_too_large",
            format!("{h}.{p}.{}", "A".repeat(1368)),
        ),
    ]
}

fn encodings() -> Vec<Row> {
    let (h, p, s) = parts();
    let ec = &keys().ec;
    let head = || header("ec", "ES256").to_string();
    let body = || claims().to_string();
    let sign = |message: String| format!("{message}.{}", b64(ec.sign(message.as_bytes())));
    let padded = format!("{} ", header("ec", "ES256"));
    let padded = if URL_SAFE.encode(&padded).ends_with('=') {
        padded
    } else {
        format!("{padded} ")
    };
    // Sets a spare bit of the last character: most decoders read the same octets.
    let spare = |segment: &str| {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.find(segment.chars().last().unwrap()).unwrap();
        format!(
            "{}{}",
            &segment[..segment.len() - 1],
            &alphabet[last + 1..last + 2]
        )
    };
    let mut bom = b"\xef\xbb\xbf".to_vec();
    bom.extend_from_slice(body().as_bytes());
    let mut latin1 = body().replace("u1", "u?").into_bytes();
    latin1.iter_mut().filter(|b| **b == b'?').for_each(|b| *b = 0xe9);
    let nested = format!("{}{}", r#"{"a":"#.repeat(20), format_args!("1{}", "}".repeat(20)));
    let bomb = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let with = |extra: &str| body().replacen('{', &format!("{{{extra},"), 1);
    vec![
        row(
            "padded header",
            "base64",
            sign(format!("{}.{p}", URL_SAFE.encode(&padded))),
        ),
        row("padded signature", "base64", format!("{h}.{p}.{s}==")),
        row(
            "spare bits in the signature",
            "base64",
            format!("{h}.{p}.{}", spare(&s)),
        ),
        row("blank in front", "base64", format!(" {h}.{p}.{s}")),
        row("newline behind", "base64", format!("{h}.{p}.{s}\n")),
        row("blank inside the payload", "base64", sign(format!("{h}. {p}"))),
        row("nul behind", "base64", format!("{h}.{p}.{s}\0")),
        row("standard alphabet", "base64", sign(format!("{h}.{p}+/"))),
        row("not ASCII", "base64", format!("{h}.{p}.é")),
        row(
            "impossible length",
            "base64",
            sign(format!("{h}.{}", &p[..p.len() / 4 * 4 - 3])),
        ),
        row("header is an array", "header_json", ec.token_of("[]", body())),
        row(
            "header is cut",
            "header_json",
            ec.token_of(r#"{"alg":"ES256""#, body()),
        ),
        row(
            "header with trailing bytes",
            "header_json",
            ec.token_of(format!("{}x", head()), body()),
        ),
        row(
            "header twice",
            "header_json",
            ec.token_of(head().repeat(2), body()),
        ),
        row(
            "alg twice",
            "header_json",
            ec.token_of(r#"{"alg":"none","alg":"ES256","kid":"ec"}"#, body()),
        ),
        row(
            "kid twice, once escaped",
            "header_json",
            ec.token_of(r#"{"alg":"ES256","kid":"ec","\u006bid":"rsa"}"#, body()),
        ),
        row(
            "deep header",
            "header_json",
            ec.token_of(format!(r#"{{"alg":"ES256","kid":"ec","x":{nested}}}"#), body()),
        ),
        row(
            "claims are a string",
            "claims_json",
            ec.token_of(head(), r#""{}""#),
        ),
        row(
            "claims are an array",
            "claims_json",
            ec.token_of(head(), format!("[{}]", body())),
        ),
        row(
            "claims with a byte order mark",
            "claims_json",
            ec.token_of(head(), &bom),
        ),
        row("claims not in UTF-8", "claims_json", ec.token_of(head(), &latin1)),
        row(
            "claims with trailing bytes",
            "claims_json",
            ec.token_of(head(), format!("{} {{}}", body())),
        ),
        row(
            "claims with a trailing nul",
            "claims_json",
            ec.token_of(head(), format!("{}\0", body())),
        ),
        row(
            "groups twice",
            "claims_json",
            ec.token_of(head(), with(r#""groups":["root"]"#)),
        ),
        row(
            "groups twice, once escaped",
            "claims_json",
            ec.token_of(head(), with(r#""group\u0073":["root"]"#)),
        ),
        row(
            "sub twice",
            "claims_json",
            ec.token_of(head(), with(r#""sub":"root""#)),
        ),
        row(
            "roles twice inside",
            "claims_json",
            ec.token_of(head(), with(r#""x":[{"roles":[],"roles":["root"]}]"#)),
        ),
        row(
            "deep claims",
            "claims_json",
            ec.token_of(head(), with(&format!(r#""x":{nested}"#))),
        ),
        row(
            "nesting bomb",
            "claims_json",
            ec.token_of(head(), with(&format!(r#""x":{bomb}"#))),
        ),
        row("NaN", "claims_json", ec.token_of(head(), with(r#""x":NaN"#))),
        row(
            "number out of range",
            "claims_json",
            ec.token_of(head(), with(r#""x":1e999"#)),
        ),
        row(
            "lone surrogate",
            "claims_json",
            ec.token_of(head(), with(r#""x":"\ud800""#)),
        ),
    ]
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
