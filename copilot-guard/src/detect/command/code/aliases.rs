//! Names that stand for others: modules and what is in them under names of the code's own, and members that are named by a
//! text.

use std::collections::HashMap;

use super::lex::Token;
use super::tables::Language;

/// Most names that are remembered.
const MOST_NAMES: usize = 256;

/// What names stand for.
#[derive(Default)]
pub(super) struct Aliases {
    names: HashMap<String, String>,
    /// Modules of which all names are taken.
    whole: Vec<String>,
}

impl Aliases {
    /// The full names that a name may stand for, where they are others than itself.
    pub(super) fn meant(&self, name: &str) -> Vec<String> {
        let (first, rest) = match name.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name, None),
        };
        let mut meant = Vec::new();
        if let Some(known) = self.names.get(first) {
            meant.push(match rest {
                Some(rest) => format!("{known}.{rest}"),
                None => known.clone(),
            });
        }
        if rest.is_none() {
            meant.extend(self.whole.iter().map(|module| format!("{module}.{name}")));
        }
        meant.retain(|meant| meant != name);
        meant
    }

    fn add(&mut self, name: &str, meant: String) {
        if self.names.len() < MOST_NAMES {
            self.names.insert(name.to_owned(), meant);
        }
    }
}

/// Reads what modules are called. Of other languages than Python nothing is told here.
pub(super) fn read(language: Language, tokens: &[Token]) -> Aliases {
    let mut aliases = Aliases::default();
    if language != Language::Python {
        return aliases;
    }
    let name = |at: usize| match tokens.get(at) {
        Some(Token::Name(name)) => Some(name.as_str()),
        _ => None,
    };
    let mut at = 0;
    while at < tokens.len() {
        match name(at) {
            Some("from") if name(at + 2) == Some("import") => {
                let module = name(at + 1).unwrap_or_default().to_owned();
                at += 3;
                let mut is_open = false;
                loop {
                    match tokens.get(at) {
                        Some(Token::Sign('(')) => is_open = true,
                        Some(Token::Sign('*')) if aliases.whole.len() < 8 => {
                            aliases.whole.push(module.clone())
                        }
                        Some(Token::Name(member)) => {
                            let full = format!("{module}.{member}");
                            if name(at + 1) == Some("as") {
                                aliases.add(name(at + 2).unwrap_or_default(), full);
                                at += 2;
                            } else {
                                aliases.add(member, full);
                            }
                        }
                        Some(Token::Sign(',')) => {}
                        // Lines end within brackets as well.
                        Some(Token::Sign(';')) if is_open => {}
                        _ => break,
                    }
                    at += 1;
                }
            }
            Some("as") if at > 0 => {
                if let (Some(module), Some(own)) = (name(at - 1), name(at + 1)) {
                    aliases.add(own, module.to_owned());
                }
                at += 1;
            }
            // `r = os.system`.
            Some(own) if matches!(tokens.get(at + 1), Some(Token::Sign('='))) && !own.contains('.') => {
                if let Some(meant) = name(at + 2)
                    && !matches!(tokens.get(at + 3), Some(Token::Sign('(' | '[')))
                {
                    let full = aliases.meant(meant).pop().unwrap_or_else(|| meant.to_owned());
                    if full.contains('.') {
                        aliases.add(own, full);
                    }
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    aliases
}

/// `getattr(os, "system")`: the member's name, and the place behind which its arguments stand.
pub(super) fn by_text(
    language: Language,
    tokens: &[Token],
    aliases: &Aliases,
    at: usize,
) -> Option<(usize, String)> {
    if language != Language::Python || !matches!(tokens.get(at)?, Token::Name(name) if name == "getattr") {
        return None;
    }
    match tokens.get(at + 1..at + 6)? {
        [
            Token::Sign('('),
            Token::Name(of),
            Token::Sign(','),
            Token::Text(member),
            Token::Sign(')'),
        ] => {
            let of = aliases.meant(of).pop().unwrap_or_else(|| of.clone());
            Some((at + 5, format!("{of}.{member}")))
        }
        _ => None,
    }
}

/// `process["env"]`, `require("fs")["rmSync"]`: the member's name. `at` is the place of the bracket.
pub(super) fn member(language: Language, tokens: &[Token], at: usize) -> Option<String> {
    if language != Language::Node {
        return None;
    }
    let [Token::Text(member), Token::Sign(']')] = tokens.get(at + 1..at + 3)? else {
        return None;
    };
    let is_name = member
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$');
    if !is_name || member.is_empty() {
        return None;
    }
    match tokens.get(at.checked_sub(1)?)? {
        Token::Name(of) => Some(format!("{of}.{member}")),
        Token::Sign(')') => match tokens.get(at.checked_sub(3)?..at)? {
            [Token::Sign('('), Token::Text(module), _] => {
                Some(format!("{}.{member}", module.trim_start_matches("node:")))
            }
            _ => Some(format!("it.{member}")),
        },
        _ => None,
    }
}

/// Whether this opens files, and commands with a bar.
pub(super) fn opens(name: &str) -> bool {
    matches!(
        name,
        "open" | "read" | "readlines" | "foreach" | "binread" | "write" | "binwrite" | "open2" | "open3"
    )
}
