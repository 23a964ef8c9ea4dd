//! Hostile tokens: size, segments and encoding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::json;

use super::kit::{Row, b64, claims, header, keys, row};

pub(super) fn rows() -> Vec<Row> {
    [segments(), encodings()].into_iter().flatten().collect()
}

fn good() -> String {
    keys().ec.token(&header("ec", "ES256"), &claims())
}

/// Header, claims and signature of a good token.
pub(super) fn parts() -> (String, String, String) {
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
