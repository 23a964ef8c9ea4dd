//! A wider form of an expression, for rules that Hyperscan calls too large when it has to report starts.
//!
//! 1. An upper bound over 16 of a repetition is dropped: `{8,256}` becomes `{8,}`.
//! 2. In the widest form lower bounds over 16 become 16, and what may be missing at the end is dropped.
//!
//! All that the rule finds, its wider form finds too, and with less work for Hyperscan: it need not count so far.

use std::error::Error;
use std::fmt::Write;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

const FAR: u32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Wider,
    Widest,
}

/// The wider form of an expression without look-around.
pub(crate) fn wider(expression: &str, width: Width) -> Result<String, Box<dyn Error>> {
    let hir = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(expression)?;
    let mut text = String::new();
    print(&widen(&hir, width, true), &mut text);
    Ok(text)
}

fn widen(hir: &Hir, width: Width, last: bool) -> Hir {
    match hir.kind() {
        HirKind::Repetition(r) if last && r.min == 0 && width == Width::Widest => Hir::empty(),
        HirKind::Repetition(r) => Hir::repetition(Repetition {
            min: if width == Width::Widest {
                r.min.min(FAR)
            } else {
                r.min
            },
            max: r.max.filter(|max| *max <= FAR),
            greedy: true,
            sub: Box::new(widen(&r.sub, width, false)),
        }),
        HirKind::Capture(capture) => widen(&capture.sub, width, last),
        HirKind::Concat(parts) => {
            let n = parts.len();
            let parts = parts.iter().enumerate();
            Hir::concat(
                parts
                    .map(|(i, part)| widen(part, width, last && i + 1 == n))
                    .collect(),
            )
        }
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.iter().map(|p| widen(p, width, last)).collect())
        }
        _ => hir.clone(),
    }
}

/// Writes an expression so that Hyperscan reads the same, byte by byte.
fn print(hir: &Hir, out: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => literal.0.iter().for_each(|b| byte(*b, out)),
        HirKind::Class(Class::Bytes(class)) => {
            let ranges = class
                .ranges()
                .iter()
                .map(|r| (u32::from(r.start()), u32::from(r.end())));
            set(ranges, out);
        }
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class
                .ranges()
                .iter()
                .map(|r| (u32::from(r.start()), u32::from(r.end())));
            set(ranges, out);
        }
        HirKind::Repetition(r) => {
            group(&r.sub, out);
            let _ = match r.max {
                Some(max) => write!(out, "{{{},{max}}}", r.min),
                None => write!(out, "{{{},}}", r.min),
            };
        }
        HirKind::Capture(capture) => group(&capture.sub, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| match part.kind() {
            HirKind::Alternation(_) => group(part, out),
            _ => print(part, out),
        }),
        HirKind::Alternation(parts) => {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    out.push('|');
                }
                print(part, out);
            }
        }
    }
}

fn group(hir: &Hir, out: &mut String) {
    out.push_str("(?:");
    print(hir, out);
    out.push(')');
}

fn set(ranges: impl Iterator<Item = (u32, u32)>, out: &mut String) {
    out.push('[');
    for (start, end) in ranges {
        // Without Unicode, what is beyond one byte cannot be asked for.
        let (start, end) = (start.min(0xff) as u8, end.min(0xff) as u8);
        byte(start, out);
        out.push('-');
        byte(end, out);
    }
    out.push(']');
}

fn byte(byte: u8, out: &mut String) {
    let _ = write!(out, "\\x{byte:02x}");
}
