//! Reads TOML so that all problems are found at once, each with its line and key.
//!
//! `serde` stops at the first problem; a person who mends a file wants the list. Here every value knows where
//! it stands: take keys out of a [`Table`], turn [`Value`]s into what you need, and call [`Table::finish`], which
//! reports the keys nobody asked for. Nothing returns an error: problems gather in [`Problems`].

use std::cell::RefCell;
use std::fmt;

use toml::de::{DeTable, DeValue};
use toml::Spanned;

use super::problem::{PolicyError, Problem, nearest};
use crate::secret::Secret;

/// Gathers the problems of one file.
pub struct Problems {
    file: String,
    line_starts: Vec<usize>,
    list: RefCell<Vec<Problem>>,
    resolve: Option<Box<Resolve>>,
}

/// Fetches a value that stands elsewhere. The error says why it could not, without the value.
type Resolve = dyn Fn(&Elsewhere) -> Result<Secret, String>;

/// A value written as `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elsewhere {
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(String),
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the value of env `{name}`"),
            Self::File(path) => write!(f, "the content of file `{path}`"),
        }
    }
}

/// Where something stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The line, from 1.
    pub line: usize,
    /// The key, such as `rules[2].match.regex[0]`.
    pub key: String,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: At,
    /// Where it came from, when it is not written in the file itself.
    pub from: Option<Elsewhere>,
}

impl<T: fmt::Display> Located<T> {
    /// The value in backticks, or where it came from: for messages.
    pub fn shown(&self) -> String {
        self.from.as_ref().map_or_else(|| format!("`{}`", self.value), ToString::to_string)
    }
}

/// A table whose keys are taken one by one.
pub struct Table<'p> {
    problems: &'p Problems,
    at: At,
    entries: Vec<(String, Value<'p>)>,
    known: Vec<&'static str>,
}

/// A value not yet read.
pub struct Value<'p> {
    problems: &'p Problems,
    /// Where it stands.
    pub at: At,
    node: Node<'p>,
}

enum Node<'p> {
    Toml(DeValue<'p>),
    Fetched(Elsewhere, Secret),
    /// Could not be fetched; reported already.
    Failed,
}

// === impl Problems ===

impl Problems {
    /// For this file and its text.
    pub fn new(file: &str, text: &str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(n, _)| n + 1)).collect();
        Self { file: file.to_owned(), line_starts, list: RefCell::default(), resolve: None }
    }

    /// Allows `{ env = "NAME" }` and `{ file = "path" }` in place of any plain value.
    #[must_use]
    pub fn with_elsewhere(mut self, resolve: impl Fn(&Elsewhere) -> Result<Secret, String> + 'static) -> Self {
        self.resolve = Some(Box::new(resolve));
        self
    }

    /// Parses the text. When it is not TOML, all syntax problems are added and nothing is returned: what
    /// a half-read file lacks would only be noise.
    pub fn parse<'p>(&'p self, text: &'p str) -> Option<Table<'p>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let is_valid = errors.is_empty();
        for error in errors {
            let line = self.line(error.span().map_or(0, |s| s.start));
            let message = error.message().replace('\n', " ");
            self.add(
                &At { line, key: String::new() },
                "not valid TOML",
                message,
                "mend the line, or the one before it",
            );
        }
        is_valid.then(|| self.table(At { line: 1, key: String::new() }, table.into_inner()))
    }

    /// Adds a problem.
    pub fn add(&self, at: &At, what: impl Into<String>, why: impl Into<String>, mend: impl Into<String>) {
        self.list.borrow_mut().push(self.problem(at, what, why, mend));
    }

    /// A problem that is not added: for warnings.
    pub fn problem(
        &self,
        at: &At,
        what: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Problem {
        Problem {
            file: self.file.clone(),
            line: at.line,
            key: at.key.clone(),
            what: what.into(),
            why: why.into(),
            mend: mend.into(),
        }
    }

    /// Whether a problem was reported at this key or below it.
    pub fn has_below(&self, at: &At) -> bool {
        self.list.borrow().iter().any(|p| {
            p.key.strip_prefix(&at.key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Nothing when there were no problems, else all of them in the order of the file.
    pub fn finish(self) -> Result<(), PolicyError> {
        let mut problems = self.list.into_inner();
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by_key(|p| p.line);
        Err(PolicyError::new(problems))
    }

    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).max(1)
    }

    fn table<'p>(&'p self, at: At, table: DeTable<'p>) -> Table<'p> {
        let entries = table
            .into_iter()
            .map(|(name, value)| {
                let line = self.line(name.span().start);
                let name = name.into_inner().into_owned();
                let key = if at.key.is_empty() { name.clone() } else { format!("{}.{name}", at.key) };
                (name, self.value(At { line, key }, value.into_inner()))
            })
            .collect();
        Table { problems: self, at, entries, known: Vec::new() }
    }

    fn value<'p>(&'p self, at: At, node: DeValue<'p>) -> Value<'p> {
        let node = match (elsewhere(&node), &self.resolve) {
            (Some(place), Some(resolve)) => match resolve(&place) {
                Ok(text) => Node::Fetched(place, text),
                Err(why) => {
                    self.add(
                        &at,
                        format!("{place} cannot be read"),
                        why,
                        "set it, or write the value here",
                    );
                    Node::Failed
                }
            },
            _ => Node::Toml(node),
        };
        Value { problems: self, at, node }
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems").field("file", &self.file).field("list", &self.list).finish_non_exhaustive()
    }
}

/// `{ env = "NAME" }` or `{ file = "path" }`, and nothing else beside it.
fn elsewhere(node: &DeValue<'_>) -> Option<Elsewhere> {
    let table = node.as_table()?;
    let (key, value) = table.iter().next().filter(|_| table.len() == 1)?;
    let text = value.get_ref().as_str()?.to_owned();
    match key.get_ref().as_ref() {
        "env" => Some(Elsewhere::Env(text)),
        "file" => Some(Elsewhere::File(text)),
        _ => None,
    }
}

// === impl Table ===

impl<'p> Table<'p> {
    /// Where it stands.
    pub fn at(&self) -> &At {
        &self.at
    }

    /// Where a key of it stands, or would stand.
    pub fn at_key(&self, name: &str) -> At {
        let key = if self.at.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at.key) };
        let line = self.entries.iter().find(|(n, _)| n == name).map_or(self.at.line, |(_, v)| v.at.line);
        At { line, key }
    }

    /// The text of a key, without taking it.
    pub fn peek(&self, name: &str) -> Option<&str> {
        match &self.entries.iter().find(|(n, _)| n == name)?.1.node {
            Node::Toml(DeValue::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Takes the value of a key, if it is there.
    pub fn take(&mut self, name: &'static str) -> Option<Value<'p>> {
        self.known.push(name);
        let n = self.entries.iter().position(|(n, _)| n == name)?;
        Some(self.entries.remove(n).1)
    }

    /// Takes the value of a key that must be there; `mend` says what to write.
    pub fn require(&mut self, name: &'static str, mend: &str) -> Option<Value<'p>> {
        let value = self.take(name);
        if value.is_none() {
            self.problems.add(&self.at_key(name), format!("`{name}` is missing"), "it is required here", mend);
        }
        value
    }

    /// Takes all remaining keys, whatever their names.
    pub fn take_all(&mut self) -> Vec<(String, Value<'p>)> {
        std::mem::take(&mut self.entries)
    }

    /// Reports a text that must say something and says nothing.
    pub fn report_blank(&self, text: Option<&Located<String>>) {
        if let Some(text) = text.filter(|t| t.value.trim().is_empty()) {
            self.problems.add(&text.at, "the text is empty", "it must say something", "write it out");
        }
    }

    /// Reports the keys that nobody took.
    pub fn finish(self) {
        for (name, value) in self.entries {
            let mend = match nearest(&name, self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("leave it out; known here: {}", self.known.join(", ")),
            };
            let why = if self.at.key.is_empty() {
                "the file knows no such key".to_owned()
            } else {
                format!("`{}` knows no such key", self.at.key)
            };
            self.problems.add(&value.at, format!("unknown key `{name}`"), why, mend);
        }
    }
}

// === impl Value ===

impl<'p> Value<'p> {
    /// A string.
    pub fn string(self) -> Option<Located<String>> {
        match self.node {
            Node::Toml(DeValue::String(text)) => {
                Some(Located { value: text.into_owned(), at: self.at, from: None })
            }
            Node::Fetched(from, text) => {
                Some(Located { value: text.expose().to_owned(), at: self.at, from: Some(from) })
            }
            _ => self.wrong("a string"),
        }
    }

    /// A string that must not be seen: no message of the reader quotes it.
    pub fn secret(self) -> Option<Located<Secret>> {
        self.string().map(|s| Located { value: Secret::new(s.value), at: s.at, from: s.from })
    }

    /// A string, or a date or time as TOML writes them without quotes.
    pub fn string_or_date(self) -> Option<Located<String>> {
        match self.node {
            Node::Toml(DeValue::Datetime(date)) => {
                Some(Located { value: date.to_string(), at: self.at, from: None })
            }
            _ => self.string(),
        }
    }

    /// `true` or `false`.
    pub fn boolean(self) -> Option<Located<bool>> {
        match &self.node {
            Node::Toml(DeValue::Boolean(value)) => {
                Some(Located { value: *value, at: self.at, from: None })
            }
            Node::Fetched(from, text) => match text.expose().trim().parse() {
                Ok(value) => Some(Located { value, at: self.at, from: Some(from.clone()) }),
                Err(_) => self.wrong("true or false"),
            },
            _ => self.wrong("true or false"),
        }
    }

    /// A whole number that is not negative.
    pub fn number(self) -> Option<Located<u64>> {
        match &self.node {
            Node::Toml(DeValue::Integer(n)) => match u64::from_str_radix(n.as_str(), n.radix()) {
                Ok(value) => Some(Located { value, at: self.at, from: None }),
                Err(_) => self.wrong("a whole number that is not negative"),
            },
            Node::Fetched(from, text) => match text.expose().trim().parse() {
                Ok(value) => Some(Located { value, at: self.at, from: Some(from.clone()) }),
                Err(_) => self.wrong("a whole number"),
            },
            _ => self.wrong("a whole number"),
        }
    }

    /// A number of bytes: `65536` or `"64KiB"`.
    pub fn bytes(self) -> Option<Located<u64>> {
        if matches!(self.node, Node::Toml(DeValue::Integer(_))) {
            return self.number();
        }
        let problems = self.problems;
        let text = self.string()?;
        match parse_bytes(&text.value) {
            Some(value) => Some(Located { value, at: text.at, from: text.from }),
            None => {
                problems.add(
                    &text.at,
                    format!("{} is not a size", text.shown()),
                    "a size is a whole number and a unit",
                    "write bytes, or a text such as \"64KiB\" or \"32MiB\"",
                );
                None
            }
        }
    }

    /// A time span: `"240s"`, `"5m"`, `"12h"`, `"30d"`, `"500ms"`.
    pub fn duration(self) -> Option<Located<std::time::Duration>> {
        let problems = self.problems;
        let text = self.string()?;
        match parse_duration(&text.value) {
            Some(value) => Some(Located { value, at: text.at, from: text.from }),
            None => {
                problems.add(
                    &text.at,
                    format!("{} is not a time span", text.shown()),
                    "a time span is a whole number and a unit",
                    "write a text such as \"240s\", \"5m\" or \"12h\"",
                );
                None
            }
        }
    }

    /// One of these words.
    pub fn one_of<T: Copy>(self, words: &[(&'static str, T)]) -> Option<Located<T>> {
        let problems = self.problems;
        let text = self.string()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(Located { value: *value, at: text.at, from: text.from });
        }
        let names = || words.iter().map(|(word, _)| *word);
        let mend = match nearest(&text.value, names()).filter(|_| text.from.is_none()) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => format!("write one of {}", names().collect::<Vec<_>>().join(", ")),
        };
        problems.add(&text.at, format!("unknown value {}", text.shown()), "it has no meaning here", mend);
        None
    }

    /// A table.
    pub fn table(self) -> Option<Table<'p>> {
        match self.node {
            Node::Toml(DeValue::Table(table)) => Some(self.problems.table(self.at, table)),
            _ => self.wrong("a table"),
        }
    }

    /// The items of a list.
    pub fn list(self) -> Option<Vec<Value<'p>>> {
        let Node::Toml(DeValue::Array(items)) = self.node else { return self.wrong("a list") };
        let item = |(n, item): (usize, Spanned<DeValue<'p>>)| {
            let line = self.problems.line(item.span().start);
            let at = At { line, key: format!("{}[{n}]", self.at.key) };
            self.problems.value(at, item.into_inner())
        };
        Some(items.into_iter().enumerate().map(item).collect())
    }

    /// A list of strings; items of another type are reported and left out.
    pub fn strings(self) -> Option<Vec<Located<String>>> {
        Some(self.list()?.into_iter().filter_map(Value::string).collect())
    }

    /// Whether it is a list without items.
    pub fn is_empty_list(&self) -> bool {
        matches!(&self.node, Node::Toml(DeValue::Array(items)) if items.is_empty())
    }

    /// A list of strings, or one string.
    pub fn string_or_list(self) -> Option<Vec<Located<String>>> {
        match &self.node {
            Node::Toml(DeValue::Array(_)) => self.strings(),
            Node::Toml(DeValue::String(_)) | Node::Fetched(..) => self.string().map(|s| vec![s]),
            _ => self.wrong("a string or a list of strings"),
        }
    }

    /// A list of tables (`[[name]]`).
    pub fn tables(self) -> Vec<Table<'p>> {
        self.list().unwrap_or_default().into_iter().filter_map(Value::table).collect()
    }

    fn wrong<T>(self, wanted: &str) -> Option<T> {
        let found = match &self.node {
            Node::Toml(DeValue::Datetime(_)) => "a date or time".to_owned(),
            Node::Toml(DeValue::Boolean(_)) => "true or false".to_owned(),
            Node::Toml(DeValue::Array(_)) => "a list".to_owned(),
            Node::Toml(DeValue::Integer(_)) => "a number".to_owned(),
            Node::Toml(value) => format!("a {}", value.type_str()),
            Node::Fetched(from, _) => from.to_string(),
            Node::Failed => return None,
        };
        self.problems.add(
            &self.at,
            "wrong type of value",
            format!("found {found}"),
            format!("write {wanted}"),
        );
        None
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text.trim())?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn parse_duration(text: &str) -> Option<std::time::Duration> {
    let (number, unit) = split_unit(text.trim())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(std::time::Duration::from_millis)
}
