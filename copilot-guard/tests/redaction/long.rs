//! Long texts, which the engine reads many places at once, and streams side by side.

use std::sync::Arc;

use copilot_guard::detect::TagKey;
use proptest::prelude::*;

use super::builtin::{CODE, RULES, piece};
use super::{Heard, stream};

/// Pieces of these sizes, over and over.
fn cut<'t>(text: &'t [u8], sizes: &[usize]) -> Vec<&'t [u8]> {
    let mut rest = text;
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(*size));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    let code = || prop::sample::select(CODE.to_vec());
    let floods = vec![
        "a", "=", "\n", "-", "ghp_", "eyJ", "sk-", "key=", "://a:", "A1b2", "\"", "鍵", "\u{ff}",
    ];
    prop_oneof![
        4 => piece(),
        2 => prop::collection::vec(code(), 1..8).prop_map(|lines| lines.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 1..200),
        1 => "\\PC{1,60}".prop_map(String::into_bytes),
        1 => (prop::sample::select(floods), 1usize..200).prop_map(|(unit, count)| unit.repeat(count).into_bytes()),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    (prop::collection::vec(part(), 20..80), 2_000usize..10_000)
        .prop_map(|(parts, len)| parts.concat().into_iter().cycle().take(len).collect())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default()
    })]

    #[test]
    fn a_long_text_in_large_pieces_is_what_it_is_byte_by_byte(
        text in text(),
        sizes in prop::collection::vec(1usize..600, 1..12),
    ) {
        let mut redactor = RULES.redactor(&RULES.all()).with_tags(Arc::new(TagKey::new([3; 32])));
        let slow = stream(&mut redactor, text.chunks(1));
        prop_assert_eq!(&stream(&mut redactor, cut(&text, &sizes)), &slow);
        prop_assert_eq!(&stream(&mut redactor, [text.as_slice()]), &slow);
    }

    #[test]
    fn two_streams_side_by_side_are_two_streams(
        texts in [text(), text()],
        sizes in [prop::collection::vec(1usize..600, 1..12), prop::collection::vec(1usize..40, 1..12)],
    ) {
        let new = || RULES.redactor(&RULES.all());
        let alone = [stream(&mut new(), [texts[0].as_slice()]), stream(&mut new(), [texts[1].as_slice()])];
        let mut redactors = [new(), new()];
        let mut heard = [Heard::default(), Heard::default()];
        let pieces = [cut(&texts[0], &sizes[0]), cut(&texts[1], &sizes[1])];
        for i in 0..pieces[0].len().max(pieces[1].len()) {
            for which in 0..2 {
                if let Some(piece) = pieces[which].get(i) {
                    redactors[which].push(piece, &mut heard[which]);
                }
                if i + 1 == pieces[which].len() {
                    redactors[which].finish(&mut heard[which]);
                }
            }
        }
        prop_assert_eq!(heard, alone);
    }
}

/// The control of the second: one redactor for both would be noticed.
#[test]
fn streams_through_one_redactor_would_be_noticed() {
    let token = token();
    let (front, back) = token.as_bytes().split_at(20);
    let mut one = RULES.redactor(&RULES.all());
    let mixed = stream(&mut one, [front, b"x ", back]);
    let alone = stream(&mut one, [front, back]);
    assert_ne!(mixed.groups(), alone.groups());
}

fn token() -> String {
    format!("{}p_7YSH0VJY4edqxYZQtU7VpVQi5w9tLt000001", "gh")
}

/// Secrets of several kinds, and how many of their first bytes are context.
fn secrets() -> Vec<(String, usize)> {
    vec![
        (token(), 0),
        (format!("{}IAQ3EGRT5OPLZ7WXYV", "AK"), 0),
        (format!("password = \"{}\"", "h7Kq2-vR9x_Tz4"), 12),
        (format!("-----BEGIN {}-----", "RSA PRIVATE KEY"), 0),
    ]
}

/// At every place around the edges of pieces, of registers and of the parts that long pieces are read in.
#[test]
fn a_secret_is_found_at_every_place_around_an_edge() {
    let mut redactor = RULES.redactor(&RULES.all());
    let mut apart = 0;
    for (secret, context) in secrets() {
        let alone = stream(&mut redactor, [secret.as_bytes()]).groups();
        assert_eq!(alone.len(), 1, "{secret}");
        assert_eq!(alone[0].0, context, "{secret}");
        for edge in [48_usize, 64, 128, 256, 600, 4096, 8192] {
            for at in edge.saturating_sub(secret.len() + 8).max(1)..=edge + 8 {
                for (filler, is_word) in [
                    (&b". ; "[..], false),
                    (b"lorem ipsum dolor.\n", false),
                    (b"x", true),
                ] {
                    let mut text: Vec<u8> = filler.iter().copied().cycle().take(at - 1).collect();
                    text.push(if is_word { b'x' } else { b' ' });
                    text.extend_from_slice(secret.as_bytes());
                    text.extend_from_slice(b"\n");
                    text.resize(text.len() + 200, b'.');
                    let slow = stream(&mut redactor, text.chunks(1));
                    if !is_word {
                        let groups = [(at + alone[0].0, at + alone[0].1)];
                        assert_eq!(slow.groups(), groups, "{secret} at {at}");
                    }
                    assert_eq!(stream(&mut redactor, [text.as_slice()]), slow, "{secret} at {at}");
                    assert_eq!(
                        stream(&mut redactor, text.chunks(edge)),
                        slow,
                        "{secret} at {at} by {edge}"
                    );
                    // The control: pieces that know nothing of each other lose secrets at their edges.
                    let masked: usize = text
                        .chunks(edge)
                        .map(|piece| RULES.scan(&RULES.all(), piece).len())
                        .sum();
                    apart += usize::from(masked < slow.spans.len());
                }
            }
        }
    }
    assert!(apart > 500, "{apart}");
}
