//! The built-in table, on its own samples and on code with samples spliced in.

use std::sync::LazyLock;

use copilot_guard::detect::{MarkFormat, Pack, RuleSet};
use proptest::prelude::*;

use super::oracle::Oracle;
use super::{Heard, redact, stream};

pub(super) static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::builder().builtin().build().unwrap());
pub(super) static ORACLE: LazyLock<Oracle> = LazyLock::new(Oracle::builtin);
pub(super) static PERSONAL: LazyLock<RuleSet> = LazyLock::new(|| {
    RuleSet::builder()
        .builtin()
        .pack(Pack::PersonalData)
        .build()
        .unwrap()
});

#[test]
fn every_sample_is_told_right_by_its_own_rule() {
    let mut wrong = Vec::new();
    let personal = Oracle::table(Some("personal-data"));
    for (rules, rule) in ORACLE
        .rules
        .iter()
        .map(|r| (&*RULES, r))
        .chain(personal.rules.iter().map(|r| (&*PERSONAL, r)))
    {
        let alone = rules.select(|r| r.id == rule.id);
        assert_eq!(alone.len(), 1, "{}", rule.id);
        assert!(rule.hits.len() >= 2 && rule.misses.len() >= 2, "{}", rule.id);
        for (samples, expected) in [(&rule.hits, true), (&rule.misses, false)] {
            for sample in samples {
                let spans = rules.scan(&alone, sample.as_bytes());
                if spans.is_empty() == expected {
                    wrong.push(format!("{} expected {expected}: {sample}", rule.id));
                }
                // The other rules may widen what is masked, and give it another name.
                let all = rules.scan(&rules.all(), sample.as_bytes());
                for span in spans {
                    if !all.iter().any(|s| s.start <= span.start && span.end <= s.end) {
                        wrong.push(format!("{} is uncovered by other rules: {sample}", rule.id));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_rule_matches_a_mark() {
    for rule in PERSONAL.rules() {
        for text in [
            mark(&rule.id),
            format!("token = \"{}\"", mark(&rule.id)),
            format!("password={} x", mark(&rule.id)),
            format!("key: '{}'", mark(&rule.id)),
            format!("https://a:{}@b.test", mark(&rule.id)),
            // What a mark says is no context either.
            format!(
                "{} = \"{}\"",
                mark(&rule.id),
                "U3h99Z8LMJ3|0yNqqJlFH".replace('|', "")
            ),
        ] {
            let spans = PERSONAL.scan(&PERSONAL.all(), text.as_bytes());
            assert!(spans.is_empty(), "{text} {spans:?}");
        }
    }
}

#[test]
fn a_pack_is_off_until_it_is_asked_for() {
    assert!(RULES.rules().iter().all(|r| r.pack.is_none()));
    let of_pack = PERSONAL
        .rules()
        .iter()
        .filter(|r| r.pack == Some(Pack::PersonalData));
    assert!(of_pack.count() >= 15);
    let text = b"card 4111 1111 1111 1111, mail joe@mail.test";
    assert!(RULES.scan(&RULES.all(), text).is_empty());
    assert_eq!(
        redact(&PERSONAL, &PERSONAL.all(), text),
        b"card [REDACTED:payment-card], mail [REDACTED:mail-address]"
    );
    for pack in Pack::ALL {
        assert_eq!(pack.name().parse::<Pack>().unwrap(), *pack);
    }
    assert!("personal".parse::<Pack>().is_err());
}

#[test]
fn only_what_its_form_gives_away_is_tagged() {
    let tagged = |id: &str| RULES.rules().iter().any(|r| r.id == id && r.tagged);
    assert!(tagged("github-pat") && tagged("npm-token"));
    for id in [
        "password-assignment",
        "env-secret",
        "basic-auth-url",
        "postgres-url",
        "bearer-token",
    ] {
        assert!(!tagged(id), "{id}");
    }
    assert!(PERSONAL.rules().iter().all(|r| r.pack.is_none() || !r.tagged));
}

#[test]
fn every_rule_names_its_kind_for_a_person() {
    assert!(RULES.rules().len() >= 400);
    for rule in RULES.rules() {
        assert!(!rule.title.is_empty(), "{}", rule.id);
        assert!(
            ["low", "medium", "high", "critical"].contains(&rule.severity.as_str()),
            "{}",
            rule.id
        );
    }
}

fn check(text: &[u8], chunks: &[usize]) -> Result<(), TestCaseError> {
    let mut redactor = RULES.redactor(&RULES.all());
    let whole = stream(&mut redactor, [text]);
    prop_assert_eq!(whole.groups(), ORACLE.groups(text), "{}", text.escape_ascii());
    prop_assert_eq!(&whole, &Heard::expected(text, &whole.spans));
    prop_assert_eq!(&stream(&mut redactor, text.chunks(1)), &whole);
    let mut cut = Vec::new();
    let mut rest = text;
    for size in chunks.iter().cycle() {
        if rest.is_empty() || chunks.iter().all(|c| *c == 0) {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(*size));
        cut.push(piece);
        rest = after;
    }
    cut.push(rest);
    prop_assert_eq!(&stream(&mut redactor, cut), &whole);

    // A mark ends where a word may begin: what follows it without a gap stood within a word before. There a rule that
    // asks for the beginning of a word can match the second time, and only there.
    let opens_a_word = |end: usize| {
        text.get(end)
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    if whole
        .spans
        .iter()
        .any(|span| opens_a_word(usize::try_from(span.end).unwrap_or(usize::MAX)))
    {
        return Ok(());
    }
    let once = redact(&RULES, &RULES.all(), text);
    let twice = redact(&RULES, &RULES.all(), &once);
    prop_assert_eq!(
        once.escape_ascii().to_string(),
        twice.escape_ascii().to_string(),
        "of {}",
        text.escape_ascii()
    );
    Ok(())
}

pub(super) const CODE: [&str; 12] = [
    "fn main() { println!(\"{}\", token); }\n",
    "const config = await fetch(url, { headers });\n",
    "Die Prüfung läuft über `ghp_`-Tokens – siehe 🔑 unten.\n",
    "def login(user: str, password: str) -> bool:\n    return check(user, password)\n",
    "-----BEGIN PUBLIC KEY-----\n",
    "the header `-----BEGIN RSA PRIVATE KEY-----` begins a key\n",
    "eyJ",
    "password=",
    "token: \"",
    "https://user:",
    "[REDACTED:github-pat]",
    " \" ",
];

pub(super) fn piece() -> impl Strategy<Value = Vec<u8>> {
    let samples: Vec<String> = ORACLE
        .rules
        .iter()
        .flat_map(|r| r.hits.iter().chain(&r.misses))
        .cloned()
        .collect();
    let cut = (prop::sample::select(samples), any::<prop::sample::Index>(), 0..4).prop_map(|(s, at, how)| {
        let at = at.index(s.len());
        match how {
            0 => s.as_bytes()[..at].to_vec(),
            1 => s.as_bytes()[at..].to_vec(),
            _ => s.into_bytes(),
        }
    });
    prop_oneof![
        2 => cut,
        1 => prop::sample::select(CODE.to_vec()).prop_map(|s| s.as_bytes().to_vec()),
        1 => prop::sample::select(vec![" ", "\n", "\"", "_", "a", "'", "=", "\\n", "é"]).prop_map(|s| s.as_bytes().to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spliced_samples_are_what_the_oracle_says(
        parts in prop::collection::vec(piece(), 1..7),
        chunks in prop::collection::vec(0usize..24, 1..6),
    ) {
        check(&parts.concat(), &chunks)?;
    }
}

#[test]
fn all_hits_in_one_text() {
    let text: String = ORACLE
        .rules
        .iter()
        .flat_map(|r| &r.hits)
        .map(|s| format!("{s}\n"))
        .collect();
    let whole = stream(&mut RULES.redactor(&RULES.all()), [text.as_bytes()]);
    for size in [1, 7, 64, 4096] {
        assert_eq!(
            stream(&mut RULES.redactor(&RULES.all()), text.as_bytes().chunks(size)),
            whole
        );
    }
    let once = redact(&RULES, &RULES.all(), text.as_bytes());
    assert_eq!(
        redact(&RULES, &RULES.all(), &once).escape_ascii().to_string(),
        once.escape_ascii().to_string()
    );
}

/// What is held stays bounded, and each byte costs about the same however long the text is.
#[test]
fn hostile_text_is_held_within_bounds() {
    let long = "A1b2".repeat(600);
    for unit in [
        "key=",
        "key=\"",
        "token=\"a",
        "eyJ",
        "eyJa.",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----\n",
        "curl -u a:",
        "a",
        "sk-",
        "://a:",
        long.as_str(),
    ] {
        let text = unit.repeat(6000 / unit.len() + 1);
        let mut redactor = RULES.redactor(&RULES.all());
        let mut heard = Heard::default();
        for piece in text.as_bytes().chunks(5) {
            redactor.push(piece, &mut heard);
            assert!(redactor.held() <= 4096, "{unit}: {}", redactor.held());
        }
        redactor.finish(&mut heard);
        assert_eq!(heard, stream(&mut redactor, [text.as_bytes()]), "{unit}");
    }
}

#[test]
fn a_key_is_swallowed_and_prose_is_not() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
    let key = |nl: &str, indent: &str| {
        format!(
            "-----BEGIN {}-----{nl}{indent}{line}{nl}{indent}{line}{nl}{indent}abc={nl}{indent}-----END {}-----",
            "PRIVATE KEY", "PRIVATE KEY"
        )
    };
    for (nl, indent) in [
        ("\n", ""),
        ("\r\n", ""),
        ("\\n", ""),
        ("\n", "    "),
        ("\\n\" +\n", "  \""),
        (" ", ""),
    ] {
        let text = format!("x {} y", key(nl, indent));
        let out = redact(&RULES, &RULES.select(|r| r.id == "private-key"), text.as_bytes());
        assert_eq!(
            out.escape_ascii().to_string(),
            "x [REDACTED:private-key] y",
            "{text}"
        );
    }
    let prose = format!(
        "-----BEGIN {}-----\nis where a key begins, and then follow lines of base64.",
        "RSA PRIVATE KEY"
    );
    let out = redact(&RULES, &RULES.all(), prose.as_bytes());
    assert_eq!(
        out,
        b"[REDACTED:private-key]\nis where a key begins, and then follow lines of base64."
    );
}

/// The counter-example to taking matches from left to right without overlap.
#[test]
fn a_match_inside_another_is_masked_to_its_end() {
    let rules = RuleSet::builder()
        .pattern("key", r"key=(\w{10,20})")
        .unwrap()
        .pattern("pat", r"ghp_\w{36}")
        .unwrap()
        .build()
        .unwrap();
    let text = format!("key=ghp_{}!", "Ab1".repeat(12));
    assert_eq!(
        redact(&rules, &rules.all(), text.as_bytes()),
        b"key=[REDACTED:key]!"
    );
}

fn mark(kind: &str) -> String {
    MarkFormat::default().render(kind, None)
}
