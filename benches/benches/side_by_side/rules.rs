//! The rule table, read by a loader of its own, and each rule as one expression for Hyperscan.
//!
//! 1. The expression is boundary, context, secret, after, in this order, with the text of the table.
//! 2. No word byte before: `\b` when all that may come next begins with a word byte, `\B` when none of it does,
//!    `(?:^|\W)` otherwise.
//! 3. What must come after is asked for as a byte; that the text may also end there is left out, in Hyperscan's favour.
//! 4. Checks (entropy, placeholders) are left out: Hyperscan has none.

use std::error::Error;
use std::fs;
use std::path::Path;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::forms::{Form, Width, changed};

pub(crate) struct Rule {
    pub(crate) id: String,
    boundary: &'static str,
    matched: String,
    after: String,
    /// A made-up text with such a secret, from the table.
    pub(crate) sample: Vec<u8>,
}

impl Rule {
    /// The rule as one expression, in this form.
    pub(crate) fn expression(&self, form: Form) -> Result<String, Box<dyn Error>> {
        let text = format!("{}{}", self.matched, self.after);
        let bounded = !self.after.is_empty();
        let text = match form.width {
            Width::Exact if bounded || !form.short => text,
            // What must come after is never what may be missing.
            _ => changed(&text, form)?,
        };
        Ok(format!("{}{text}", self.boundary))
    }
}

/// Rules that are on by default, in the order of the table.
pub(crate) fn read() -> Result<Vec<Rule>, Box<dyn Error>> {
    let detect = Path::new(env!("CARGO_MANIFEST_DIR")).join("../copilot-guard/src/detect");
    let mut files = Vec::new();
    if let Ok(entries) = fs::read_dir(detect.join("rules")) {
        for entry in entries {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|e| e == "toml") && file.is_file());
    files.sort();
    let mut rules = Vec::new();
    for file in files {
        let table: toml::Table = fs::read_to_string(&file)?.parse()?;
        let pack_of_file = table.contains_key("pack");
        let entries = table.get("rule").and_then(|r| r.as_array());
        for entry in entries.into_iter().flatten() {
            if !pack_of_file && entry.get("pack").is_none() {
                rules.push(rule(entry)?);
            }
        }
    }
    if rules.is_empty() {
        return Err(format!("no rules below `{}`", detect.display()).into());
    }
    Ok(rules)
}

fn rule(entry: &toml::Value) -> Result<Rule, Box<dyn Error>> {
    let text = |key: &str| entry.get(key).and_then(|v| v.as_str());
    let (id, secret) = text("id")
        .zip(text("secret"))
        .ok_or("a rule without `id` or `secret`")?;
    let context = text("context").unwrap_or_default();
    let group = |part: &str| {
        if part.is_empty() {
            String::new()
        } else {
            format!("(?:{part})")
        }
    };
    let matched = group(context) + &group(secret);
    let boundary = match text("before") {
        Some("any") => "",
        _ => boundary(&matched)?,
    };
    let sample = entry
        .get("hit")
        .and_then(|hits| hits.get(0))
        .and_then(|hit| hit.as_str())
        .unwrap_or_default();
    Ok(Rule {
        id: id.to_owned(),
        boundary,
        matched,
        after: text("after").unwrap_or_default().to_owned(),
        sample: sample.replace('|', "").into_bytes(),
    })
}

fn boundary(matched: &str) -> Result<&'static str, Box<dyn Error>> {
    let hir = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(matched)?;
    let mut first = First::default();
    first.add(&hir);
    Ok(match first {
        First {
            word: true,
            other: false,
        } => r"\b",
        First {
            word: false,
            other: true,
        } => r"\B",
        _ => r"(?:^|\W)",
    })
}

/// What the first byte of a match may be.
#[derive(Default)]
struct First {
    word: bool,
    other: bool,
}

impl First {
    fn byte(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            self.word = true;
        } else {
            self.other = true;
        }
    }

    /// Whether what follows may come first too, because this may be empty.
    fn add(&mut self, hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => true,
            HirKind::Literal(literal) => {
                literal.0.first().into_iter().for_each(|b| self.byte(*b));
                literal.0.is_empty()
            }
            HirKind::Class(Class::Bytes(class)) => {
                for range in class.ranges() {
                    (range.start()..=range.end()).for_each(|b| self.byte(b));
                }
                false
            }
            HirKind::Class(Class::Unicode(class)) => {
                // Beyond ASCII, no character begins with a word byte.
                for range in class.ranges() {
                    (u32::from(range.start())..=u32::from(range.end()).min(128))
                        .for_each(|c| self.byte(u8::try_from(c).unwrap_or(0x80)));
                }
                false
            }
            HirKind::Repetition(repetition) => self.add(&repetition.sub) || repetition.min == 0,
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Concat(parts) => parts.iter().all(|part| self.add(part)),
            HirKind::Alternation(parts) => {
                let mut empty = false;
                for part in parts {
                    empty |= self.add(part);
                }
                empty
            }
        }
    }
}
