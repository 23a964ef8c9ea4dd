//! `${…}`: names with subscripts and operators.
//!
//! An operator gives a known text only where its argument is plain: patterns, references and the like differ between shells.

use super::expand::{Fields, Mode, flow_of, name_of};
use super::flow::Flow;
use super::script::Walker;
use super::simple::number;
use super::state::Value;
use super::words::{Note, Word};

/// The inside of `${…}`, in parts.
struct Parameter<'t> {
    name: &'t str,
    subscript: Option<&'t str>,
    operator: &'t str,
    argument: &'t str,
}

impl<'t> Parameter<'t> {
    fn read(body: &'t str) -> Self {
        // `$10` is `$1` and a zero, `${10}` is the tenth.
        let digits = body.bytes().take_while(u8::is_ascii_digit).count();
        let name = match digits {
            0 => name_of(body),
            _ => body.get(..digits).unwrap_or_default(),
        };
        let mut rest = body.get(name.len()..).unwrap_or_default();
        let mut subscript = None;
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').unwrap_or(inner.len());
            subscript = inner.get(..end);
            rest = inner.get(end + 1..).unwrap_or_default();
        }
        let (operator, argument) = operator(rest);
        Self {
            name,
            subscript,
            operator,
            argument,
        }
    }

    /// Whether it stands for as many words as there are elements, or for all of them in one.
    fn is_all(&self) -> bool {
        matches!(self.name, "@" | "*") || matches!(self.subscript, Some("@" | "*"))
    }

    fn is_one_word(&self) -> bool {
        self.name == "*" || self.subscript == Some("*")
    }
}

impl Walker<'_> {
    /// The inside of `${…}`.
    pub(super) fn parameter(&mut self, inner: &str, is_quoted: bool, out: &mut Fields) {
        let length = inner.strip_prefix('#').filter(|rest| !rest.is_empty());
        if let Some(rest) = length {
            self.word(
                rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'),
                Mode::Quoted,
            );
            out.unknown();
            return;
        }
        let indirect = inner.strip_prefix('!');
        let parameter = Parameter::read(indirect.unwrap_or(inner));
        if let Some(subscript) = parameter.subscript {
            self.word(subscript, Mode::Quoted);
        }
        if indirect.is_some() {
            self.indirect(&parameter, is_quoted, out);
            return;
        }
        if parameter.is_all() {
            self.all_elements(&parameter, is_quoted, out);
            return;
        }
        let value = self.value(parameter.name);
        let value = match parameter.subscript {
            None => value.map(|value| value.flow),
            Some(subscript) => value.map(|value| one_element(value, subscript)),
        };
        self.operate(&parameter, value, is_quoted, out);
    }

    /// `${!name}`: another name, or the keys and names there are.
    fn indirect(&mut self, parameter: &Parameter<'_>, is_quoted: bool, out: &mut Fields) {
        if parameter.is_all() || matches!(parameter.operator, "*" | "@") && parameter.argument.is_empty() {
            out.unknown();
            return;
        }
        let target = self.variable(parameter.name).and_then(|flow| flow.text);
        if target.is_none() {
            self.out.approve(
                "unclear/indirect-expansion",
                "a variable that is named by another",
            );
        }
        self.word(parameter.argument, Mode::Quoted);
        match target {
            Some(target) if parameter.operator.is_empty() && parameter.subscript.is_none() => {
                self.put_variable(&target, is_quoted, out);
            }
            _ => out.unknown(),
        }
    }

    /// `${name[@]}`, `${@:2}` and their like.
    fn all_elements(&mut self, parameter: &Parameter<'_>, is_quoted: bool, out: &mut Fields) {
        let argument = self.word(parameter.argument, Mode::One);
        let value = self.value(parameter.name);
        let Some(Value {
            list: Some(list),
            flow,
        }) = value
        else {
            if parameter.operator.is_empty() {
                self.put_variable(parameter.name, is_quoted && parameter.is_one_word(), out);
            } else if matches!(parameter.operator, "-" | ":-") && value.is_none() {
                self.put(&argument.text, is_quoted, out);
                out.open().dynamic |= argument.dynamic;
            } else {
                out.unknown();
            }
            return;
        };
        self.tainted |= flow.bits();
        // Parameters count from one: before them stands the name of the script.
        let first = usize::from(matches!(parameter.name, "@" | "*"));
        let chosen = match parameter.operator {
            "" => Some(list),
            "-" | ":-" if !list.is_empty() => Some(list),
            ":" if !argument.dynamic => slice(&argument.text).and_then(|(offset, length)| {
                let offset = offset.checked_sub(first)?;
                let rest = list.get(offset.min(list.len())..)?;
                Some(rest.get(..length.min(rest.len()))?.to_vec())
            }),
            _ => None,
        };
        match chosen {
            Some(list) => self.put_list(&list, is_quoted, is_quoted && parameter.is_one_word(), out),
            None => out.unknown(),
        }
    }

    fn operate(&mut self, parameter: &Parameter<'_>, value: Option<Flow>, is_quoted: bool, out: &mut Fields) {
        let (name, operator, argument) = (parameter.name, parameter.operator, parameter.argument);
        self.tainted |= value.as_ref().map_or(0, Flow::bits);
        if value.is_none() && !matches!(operator, "" | "+" | ":+") && super::files::is_secret_name(name) {
            self.tainted |= Flow::SECRET;
        }
        let is_set = value.is_some();
        let known = value.as_ref().and_then(|flow| flow.text.clone());
        match operator {
            "" => match value {
                Some(flow) if parameter.subscript.is_some() => self.put_flow(flow, is_quoted, out),
                _ => self.put_variable(name, is_quoted, out),
            },
            "-" | ":-" | "=" | ":=" => {
                let default = self.word(argument, if is_quoted { Mode::One } else { Mode::Fields });
                // With a colon, nothing is as good as unset.
                let known = known.filter(|text| !operator.starts_with(':') || !text.is_empty());
                if operator.ends_with('=') && known.is_none() {
                    self.set(name, flow_of(&default));
                }
                match known {
                    Some(text) => self.put(&text, is_quoted, out),
                    // It is most often unset here, or holds what is meant to be the same.
                    None => {
                        out.open().dynamic |= default.dynamic;
                        self.put(&default.text, is_quoted, out);
                    }
                }
            }
            "+" | ":+" => {
                let other = self.word(argument, Mode::One);
                match known {
                    Some(text) if text.is_empty() && operator == ":+" => {}
                    Some(_) => {
                        out.open().dynamic |= other.dynamic;
                        self.put(&other.text, is_quoted, out);
                    }
                    None => {
                        out.open().dynamic = true;
                        self.put(&other.text, is_quoted, out);
                    }
                }
            }
            "@" => {
                if argument.starts_with('P') {
                    self.out.approve(
                        "unclear/prompt-expansion",
                        "a variable whose value is expanded like a prompt",
                    );
                    if let Some(text) = &known {
                        self.word(text, Mode::Quoted);
                    }
                }
                match (argument, known) {
                    ("L", Some(text)) => self.put(&text.to_lowercase(), is_quoted, out),
                    ("U", Some(text)) => self.put(&text.to_uppercase(), is_quoted, out),
                    ("Q" | "E", Some(text)) if text.bytes().all(is_plain) => self.put(&text, is_quoted, out),
                    _ => out.unknown(),
                }
            }
            "?" | ":?" => {
                self.word(argument, Mode::One);
                match known {
                    Some(text) => self.put(&text, is_quoted, out),
                    None if is_set => self.put_variable(name, is_quoted, out),
                    None => out.unknown(),
                }
            }
            _ => {
                let expanded = self.word(argument, Mode::One);
                let edited = known
                    .filter(|_| !expanded.dynamic && expanded.text == argument)
                    .and_then(|text| edit(&text, operator, argument));
                match edited {
                    Some(text) => self.put(&text, is_quoted, out),
                    None => out.unknown(),
                }
            }
        }
    }

    /// The words of a list, or one of all of them.
    pub(super) fn put_list(&mut self, list: &[Word], is_quoted: bool, is_one: bool, out: &mut Fields) {
        let is_blank = self
            .variable("IFS")
            .and_then(|flow| flow.text)
            .is_some_and(|text| text.starts_with(' '));
        for (at, word) in list.iter().enumerate() {
            if at > 0 && is_one {
                match is_blank {
                    true => out.text(" "),
                    false => out.unknown(),
                }
            } else if at > 0 {
                out.close();
            }
            self.spent += 1;
            self.put(&word.text, is_quoted, out);
            if word.dynamic {
                out.open().dynamic = true;
            }
        }
    }
}

/// An element by its number. Where that is not known, it may be any.
fn one_element(value: Value, subscript: &str) -> Flow {
    let bits = value.flow.bits();
    let mut flow = match (value.list, number(subscript)) {
        (Some(list), Some(at)) => list.get(at).map_or_else(|| Flow::known(String::new()), flow_of),
        (None, Some(0)) => value.flow,
        (Some(list), None) if list.len() <= 16 => {
            let mut flow = Flow::default();
            flow.paths = list
                .into_iter()
                .map(|word| Word {
                    dynamic: true,
                    ..word
                })
                .collect();
            flow
        }
        _ => Flow::default(),
    };
    flow.add(bits);
    flow
}

/// Offset and length of `${name:1:2}`.
fn slice(argument: &str) -> Option<(usize, usize)> {
    let (offset, length) = match argument.split_once(':') {
        Some((offset, length)) => (offset, number(length.trim())?),
        None => (argument, usize::MAX),
    };
    Some((number(offset.trim())?, length))
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b',' | b'=' | b'+' | b' ')
}

/// The operator of `${name…}`, and what stands behind it. What is not known is an operator of its own.
fn operator(rest: &str) -> (&str, &str) {
    const OPERATORS: [&str; 20] = [
        ":-", ":=", ":?", ":+", "##", "%%", "//", "^^", ",,", "-", "=", "?", "+", "#", "%", "/", ":", "@",
        "^", ",",
    ];
    let found = OPERATORS
        .iter()
        .find_map(|o| rest.strip_prefix(*o).map(|argument| (*o, argument)));
    found.unwrap_or(if rest.is_empty() { ("", "") } else { ("*", rest) })
}

/// What an operator makes of a known text, when that is simple to tell.
fn edit(text: &str, operator: &str, argument: &str) -> Option<String> {
    let is_plain = argument.bytes().all(is_plain);
    match operator {
        "^^" if argument.is_empty() => Some(text.to_uppercase()),
        ",," if argument.is_empty() => Some(text.to_lowercase()),
        "#" | "##" if is_plain => Some(text.strip_prefix(argument).unwrap_or(text).to_owned()),
        "%" | "%%" if is_plain => Some(text.strip_suffix(argument).unwrap_or(text).to_owned()),
        "//" | "/" => {
            let (from, to) = argument.split_once('/').unwrap_or((argument, ""));
            if from.is_empty() || !from.bytes().all(self::is_plain) || !to.bytes().all(self::is_plain) {
                return None;
            }
            Some(match operator {
                "//" => text.replace(from, to),
                _ => text.replacen(from, to, 1),
            })
        }
        ":" => {
            let (offset, length) = slice(argument)?;
            Some(text.chars().skip(offset).take(length).collect())
        }
        _ => None,
    }
}
