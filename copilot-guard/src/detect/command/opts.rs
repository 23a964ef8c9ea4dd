//! Options of programs that follow the usual conventions.

use super::words::Word;

/// The arguments of a command, sorted.
#[derive(Default)]
pub(super) struct Options<'a> {
    given: Vec<(&'a str, Option<Word>)>,
    /// What is no option and no option's value.
    pub(super) operands: Vec<&'a Word>,
}

impl<'a> Options<'a> {
    /// Reads arguments. Short options of `short` and long ones of `long` (without dashes) take a value.
    pub(super) fn read(args: &'a [Word], short: &str, long: &[&str]) -> Self {
        let mut read = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let text = arg.text.as_str();
            if text == "--" {
                read.operands.extend(args);
                break;
            } else if let Some(body) = text.strip_prefix("--") {
                let (name, value) = match body.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (body, None),
                };
                let takes = long.iter().any(|known| is_abbreviation(name, known));
                let value = match value {
                    Some(value) => Some(part(arg, value)),
                    None if takes => args.next().cloned(),
                    None => None,
                };
                read.given.push((name, value));
            } else if text.len() > 1 && text.starts_with('-') {
                let body = text.get(1..).unwrap_or_default();
                for (at, c) in body.char_indices() {
                    let name = body.get(at..at + c.len_utf8()).unwrap_or_default();
                    if short.contains(c) {
                        let rest = body.get(at + c.len_utf8()..).unwrap_or_default();
                        let value = if rest.is_empty() {
                            args.next().cloned()
                        } else {
                            Some(part(arg, rest))
                        };
                        read.given.push((name, value));
                        break;
                    }
                    read.given.push((name, None));
                }
            } else {
                read.operands.push(arg);
            }
        }
        read
    }

    /// Whether one of these was given: single letters, or long names, which may be cut short.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.given
            .iter()
            .any(|(given, _)| names.iter().any(|name| is_same(given, name)))
    }

    /// Every value of these.
    pub(super) fn values(&self, names: &[&str]) -> Vec<&Word> {
        let matching = self
            .given
            .iter()
            .filter(|(given, _)| names.iter().any(|name| is_same(given, name)));
        matching.filter_map(|(_, value)| value.as_ref()).collect()
    }
}

fn part(arg: &Word, text: &str) -> Word {
    Word {
        text: text.to_owned(),
        dynamic: arg.dynamic,
    }
}

fn is_same(given: &str, name: &str) -> bool {
    if name.len() == 1 {
        given == name
    } else {
        is_abbreviation(given, name)
    }
}

/// Long names may be cut short as long as it is clear which is meant.
fn is_abbreviation(given: &str, name: &str) -> bool {
    given == name || (given.len() > 3 && name.starts_with(given))
}
