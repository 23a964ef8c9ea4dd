//! What is wrong with a file: where, why, and what to do about it.

use std::fmt;

use serde::Serialize;

/// One problem in a configuration or policy file. Prints as `file:line: key: what: why: what to do`.
///
/// Says nothing of secret values: a value that was read from the environment or a file is never quoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The file, as it was named to the reader.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The key, such as `rules[2].match.regex[0]`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// Why it is wrong.
    pub why: String,
    /// What to do about it.
    pub mend: String,
}

impl Problem {
    /// A problem with the file as a whole.
    pub fn of_file(
        file: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line: 1,
            key: String::new(),
            what: what.into(),
            why: why.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            key,
            what,
            why,
            mend,
        } = self;
        write!(f, "{file}:{line}: ")?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        write!(f, "{what}: {why}: {mend}")
    }
}

/// Why a file was not accepted: every problem in it, in the order of the file. Prints one problem a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyError {
    /// All problems, at least one.
    pub problems: Vec<Problem>,
}

impl PolicyError {
    /// Of these problems.
    pub fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

/// The nearest of `known` to `word`, if it is near enough to be what was meant.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    known
        .into_iter()
        .map(|k| (distance(&word, k), k))
        .filter(|(d, k)| *d <= 1 + length.max(k.len()) / 4)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// Edits from one word to the other: insert, delete, replace, or swap two neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["groups", "not_groups", "models", "regex", "words"];
        assert_eq!(nearest("group", known), Some("groups"));
        assert_eq!(nearest("Regex", known), Some("regex"));
        assert_eq!(nearest("wrods", known), Some("words"));
        assert_eq!(nearest("temperature", known), None);
    }

    #[test]
    fn prints_in_the_one_form() {
        let mut problem = Problem::of_file("p.toml", "unknown key `a`", "no such key", "leave it out");
        assert_eq!(
            problem.to_string(),
            "p.toml:1: unknown key `a`: no such key: leave it out"
        );
        problem.line = 7;
        problem.key = "rules[1].a".into();
        assert!(problem.to_string().starts_with("p.toml:7: rules[1].a: unknown"));
    }
}
