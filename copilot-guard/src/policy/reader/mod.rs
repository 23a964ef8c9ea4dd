//! Reads TOML so that all problems are found at once, each with its line and key.
//!
//! `serde` stops at the first problem; a person who mends a file wants the list. Here every value knows where
//! it stands: take keys out of a [`Table`], turn [`Value`]s into what you need, and call [`Table::finish`], which
//! reports the keys nobody asked for. Nothing returns an error: problems gather in [`Problems`].

mod schema;
mod value;

pub use schema::Schema;
pub use value::Scalar;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use toml::de::{DeTable, DeValue};

use super::problem::{PolicyError, Problem, nearest};
use crate::secret::Secret;

/// Gathers the problems of one file.
pub struct Problems {
    file: String,
    line_starts: Vec<usize>,
    list: RefCell<Vec<Problem>>,
    keys: RefCell<BTreeSet<String>>,
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
        self.from
            .as_ref()
            .map_or_else(|| format!("`{}`", self.value), ToString::to_string)
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
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(n, _)| n + 1))
            .collect();
        Self {
            file: file.to_owned(),
            line_starts,
            list: RefCell::default(),
            keys: RefCell::default(),
            resolve: None,
        }
    }

    /// The name of the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Allows `{ env = "NAME" }` and `{ file = "path" }` in place of any plain value.
    #[must_use]
    pub fn with_elsewhere(
        mut self,
        resolve: impl Fn(&Elsewhere) -> Result<Secret, String> + 'static,
    ) -> Self {
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
                &At {
                    line,
                    key: String::new(),
                },
                "not valid TOML",
                message,
                "mend the line, or the one before it",
            );
        }
        is_valid.then(|| {
            self.table(
                At {
                    line: 1,
                    key: String::new(),
                },
                table.into_inner(),
            )
        })
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
            what: one_line(what.into()),
            why: one_line(why.into()),
            mend: one_line(mend.into()),
        }
    }

    /// Whether a problem was reported at this key or below it.
    pub fn has_below(&self, at: &At) -> bool {
        self.list.borrow().iter().any(|p| {
            p.key
                .strip_prefix(&at.key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Every key that was asked for so far, whether it was there or not: `rules[].match.words`, and `groups.*` where
    /// any name would do. To hold a [`Schema`] against its readers.
    pub fn keys(&self) -> BTreeSet<String> {
        self.keys.borrow().clone()
    }

    /// Notes that a key was asked for.
    fn note(&self, at: &At, name: &str) {
        let mut key = String::with_capacity(at.key.len() + name.len() + 1);
        // The number of an item does not count.
        for c in at.key.chars() {
            if !(c.is_ascii_digit() && key.ends_with('[')) {
                key.push(c);
            }
        }
        if !key.is_empty() {
            key.push('.');
        }
        key.push_str(name);
        let mut keys = self.keys.borrow_mut();
        if !keys.contains(&key) {
            keys.insert(key);
        }
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
                let key = if at.key.is_empty() {
                    name.clone()
                } else {
                    format!("{}.{name}", at.key)
                };
                (name, self.value(At { line, key }, value.into_inner()))
            })
            .collect();
        Table {
            problems: self,
            at,
            entries,
            known: Vec::new(),
        }
    }

    fn value<'p>(&'p self, at: At, node: DeValue<'p>) -> Value<'p> {
        let node = Node::Toml(node);
        Value {
            problems: self,
            at,
            node,
        }
    }

    /// What stands elsewhere; one that cannot be had is reported.
    fn fetch<'p>(&self, at: &At, node: Node<'p>) -> Node<'p> {
        let (Node::Toml(value), Some(resolve)) = (&node, &self.resolve) else {
            return node;
        };
        let Some(place) = elsewhere(value) else {
            return node;
        };
        match resolve(&place) {
            Ok(text) => Node::Fetched(place, text),
            Err(why) => {
                self.add(
                    at,
                    format!("{place} cannot be had"),
                    why,
                    "set it, or write the value here",
                );
                Node::Failed
            }
        }
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems")
            .field("file", &self.file)
            .field("list", &self.list)
            .finish_non_exhaustive()
    }
}

fn one_line(text: String) -> String {
    if text.contains('\n') {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        text
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
        let key = if self.at.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.at.key)
        };
        let line = self
            .entries
            .iter()
            .find(|(n, _)| n == name)
            .map_or(self.at.line, |(_, v)| v.at.line);
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
        self.problems.note(&self.at, name);
        let n = self.entries.iter().position(|(n, _)| n == name)?;
        Some(self.entries.remove(n).1)
    }

    /// Takes the value of a key that must be there; `mend` says what to write.
    pub fn require(&mut self, name: &'static str, mend: &str) -> Option<Value<'p>> {
        let value = self.take(name);
        if value.is_none() {
            self.problems.add(
                &self.at_key(name),
                format!("`{name}` is missing"),
                "it is required here",
                mend,
            );
        }
        value
    }

    /// Takes all remaining keys, whatever their names.
    pub fn take_all(&mut self) -> Vec<(String, Value<'p>)> {
        self.problems.note(&self.at, "*");
        std::mem::take(&mut self.entries)
    }

    /// Reports a text that must say something and says nothing.
    pub fn report_blank(&self, text: Option<&Located<String>>) {
        if let Some(text) = text.filter(|t| t.value.trim().is_empty()) {
            self.problems.add(
                &text.at,
                "the text is empty",
                "it must say something",
                "write it out",
            );
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
            self.problems
                .add(&value.at, format!("unknown key `{name}`"), why, mend);
        }
    }
}
