//! What an expression of PowerShell comes to, as far as that can be told without running it.

use std::fmt::Write as _;

/// A value. What is not known of it stays in as it was written, so that rules can still see a host or a path in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    List(Vec<Value>),
    Bytes(Vec<u8>),
    /// Known in part at most.
    Part(String),
}

/// No value grows beyond this.
pub(super) const MAX_VALUE: usize = 64 * 1024;

impl Value {
    pub(super) fn unknown() -> Self {
        Self::Part(String::new())
    }

    pub(super) fn is_known(&self) -> bool {
        match self {
            Self::Part(_) => false,
            Self::List(items) => items.iter().all(Self::is_known),
            _ => true,
        }
    }

    /// As a string, the way a command sees it.
    pub(super) fn text(&self) -> String {
        self.joined(" ")
    }

    /// Of a list, its items with this between them.
    pub(super) fn joined(&self, separator: &str) -> String {
        match self {
            Self::Text(text) | Self::Part(text) => text.clone(),
            Self::Int(n) => n.to_string(),
            Self::List(items) => {
                let mut out = String::new();
                for (at, item) in items.iter().enumerate() {
                    if out.len() > MAX_VALUE {
                        break;
                    }
                    if at > 0 {
                        out.push_str(separator);
                    }
                    match item {
                        Self::Text(text) | Self::Part(text) => out.push_str(text),
                        Self::Int(n) => {
                            let _ = write!(out, "{n}");
                        }
                        Self::List(_) | Self::Bytes(_) => out.push('?'),
                    }
                }
                out
            }
            Self::Bytes(bytes) => bytes
                .iter()
                .take(4096)
                .map(u8::to_string)
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    /// A string that is known if all that it was made of is.
    pub(super) fn of(text: String, is_known: bool) -> Self {
        if is_known && text.len() <= MAX_VALUE {
            Self::Text(text)
        } else {
            Self::Part(text.chars().take(4096).collect())
        }
    }

    pub(super) fn items(self) -> Vec<Self> {
        match self {
            Self::List(items) => items,
            Self::Bytes(bytes) => bytes.into_iter().map(|b| Self::Int(b.into())).collect(),
            other => vec![other],
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            Self::Text(text) => {
                let text = text.trim();
                match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                    Some(hex) => i64::from_str_radix(hex, 16).ok(),
                    None => text.parse().ok(),
                }
            }
            _ => None,
        }
    }

    /// `+`.
    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.checked_add(b).map_or_else(Self::unknown, Self::Int),
            (Self::List(mut items), other) => {
                if items.len() < MAX_VALUE {
                    items.extend(other.items());
                }
                Self::List(items)
            }
            (a, b) => {
                let known = a.is_known() && b.is_known();
                let mut text = a.text();
                text.push_str(&b.text());
                Self::of(text, known)
            }
        }
    }

    /// `[…]`: one place or several, from the end if negative.
    pub(super) fn at(self, index: &Self) -> Self {
        let of: Vec<Self> = match self {
            Self::Text(text) => text.chars().map(|c| Self::Text(c.to_string())).collect(),
            Self::List(items) => items,
            _ => return Self::unknown(),
        };
        let one = |n: i64| {
            let len = i64::try_from(of.len()).ok()?;
            let at = usize::try_from(if n < 0 { n + len } else { n }).ok()?;
            of.get(at).cloned()
        };
        match index {
            Self::List(places) => Self::List(places.iter().filter_map(|p| one(p.int()?)).collect()),
            index => index.int().and_then(one).unwrap_or_else(Self::unknown),
        }
    }

    /// `[char]`, of one or of each.
    pub(super) fn chars(self) -> Self {
        match self {
            Self::Int(n) => u32::try_from(n)
                .ok()
                .and_then(char::from_u32)
                .map_or_else(Self::unknown, |c| Self::Text(c.to_string())),
            Self::List(items) => Self::List(items.into_iter().map(Self::chars).collect()),
            Self::Text(text) if text.chars().count() != 1 => match Self::Text(text).int() {
                Some(n) => Self::Int(n).chars(),
                None => Self::unknown(),
            },
            other => other,
        }
    }
}

/// `-f`: `{0}`, `{1,5}`, `{0:x}` and the doubled braces.
pub(super) fn format(pattern: &str, items: &[Value]) -> Option<String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            out.push(if from.starts_with('{') { '{' } else { '}' });
            rest = after;
            continue;
        }
        let (inner, after) = from.strip_prefix('{')?.split_once('}')?;
        let number: String = inner.chars().take_while(char::is_ascii_digit).collect();
        out.push_str(&items.get(number.parse::<usize>().ok()?)?.text());
        if out.len() > MAX_VALUE {
            return None;
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// `-replace` and `.Replace`: a pattern without signs of its own is text, whatever its case for the operator. `None` for a
/// real pattern: what it gives is not known.
pub(super) fn replace(text: &str, pattern: &str, with: &str, is_operator: bool) -> Option<String> {
    let literal = if is_operator {
        literal_of(pattern)?
    } else {
        pattern.to_owned()
    };
    if literal.is_empty() || (is_operator && with.contains('$')) {
        return None;
    }
    // Each match may grow; what comes out is cut by the caller.
    if with.len().checked_mul(text.len() / literal.len() + 1)? > MAX_VALUE * 4 {
        return None;
    }
    if !is_operator {
        return Some(text.replace(&literal, with));
    }
    let (lower, needle) = (text.to_ascii_lowercase(), literal.to_ascii_lowercase());
    let mut out = String::new();
    let mut from = 0;
    for (at, found) in lower.match_indices(&needle) {
        out.push_str(text.get(from..at)?);
        out.push_str(with);
        from = at + found.len();
    }
    out.push_str(text.get(from..)?);
    Some(out)
}

/// The text that a regular expression stands for, if it is nothing but text.
fn literal_of(pattern: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next().filter(|n| !n.is_alphanumeric())?),
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_replaces_and_indexes() {
        let parts = [Value::Text("X".into()), Value::Text("IE".into())];
        assert_eq!(format("{1}{0}", &parts).as_deref(), Some("IEX"));
        assert_eq!(format("{{{0}}}", &parts).as_deref(), Some("{X}"));
        assert_eq!(format("{7}", &parts), None);
        assert_eq!(replace("iZZx", "zz", "e", true).as_deref(), Some("iex"));
        assert_eq!(replace("iZZx", "zz", "e", false).as_deref(), Some("iZZx"));
        assert_eq!(replace("iex", "[a-z]", "e", true), None);
        let word = Value::Text("xei".into());
        let backwards = Value::List(vec![Value::Int(-1), Value::Int(-2), Value::Int(-3)]);
        assert_eq!(word.at(&backwards).joined(""), "iex");
    }
}
