//! Other forms of a rule's expression, for what Hyperscan finds too large or could be spared.
//!
//! 1. *Short*: ends where the secret is certain. An open repetition at the end stops at its lower bound (`{36,}` becomes
//!    `{36}`), and what may be missing at the end is dropped.
//! 2. *Wider*: an upper bound over 16 of a repetition is dropped: `{8,256}` becomes `{8,}`.
//! 3. *Widest*: lower bounds over 16 become 16 as well, and what may be missing at the end is dropped.
//!
//! Whatever the rule finds, each form finds too, and with less work for Hyperscan.

use std::error::Error;
use std::fmt::Write;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

const FAR: u32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Exact,
    Wider,
    Widest,
}

/// How an expression is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) short: bool,
    pub(crate) width: Width,
}

/// This form of an expression without look-around.
pub(crate) fn changed(expression: &str, form: Form) -> Result<String, Box<dyn Error>> {
    let hir = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(expression)?;
    let mut text = String::new();
    print(&change(&hir, form, true), &mut text);
    Ok(text)
}

/// `last`: nothing comes after this part.
fn change(hir: &Hir, form: Form, last: bool) -> Hir {
    match hir.kind() {
        HirKind::Repetition(r) => {
            let drops = form.short || form.width == Width::Widest;
            if last && drops && r.min == 0 {
                return Hir::empty();
            }
            let min = match form.width {
                Width::Widest => r.min.min(FAR),
                _ => r.min,
            };
            let max = match form {
                Form { short: true, .. } if last => Some(min),
                Form {
                    width: Width::Exact, ..
                } => r.max,
                _ => r.max.filter(|max| *max <= FAR),
            };
            Hir::repetition(Repetition {
                min,
                max,
                greedy: true,
                sub: Box::new(change(&r.sub, form, false)),
            })
        }
        HirKind::Capture(capture) => change(&capture.sub, form, last),
        HirKind::Concat(parts) => {
            let mut last = last;
            let mut changed: Vec<Hir> = Vec::new();
            for part in parts.iter().rev() {
                let part = change(part, form, last);
                last &= matches!(part.kind(), HirKind::Empty);
                changed.push(part);
            }
            changed.reverse();
            Hir::concat(changed)
        }
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.iter().map(|p| change(p, form, last)).collect())
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
