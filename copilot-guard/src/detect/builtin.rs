//! The table of rules that ships with this crate.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::check::{Check, Placeholders, When};
use super::error::LintError;
use super::pattern::{self, Parts};
use super::rule::{Pack, RuleInfo, RuleSource};
use super::set::Draft;

const TABLE: &str = include_str!("rules.toml");

/// The built-in rules. A broken table is an error, not an empty one: no rules would mean that nothing is masked.
pub(super) fn drafts() -> Result<&'static [Draft], LintError> {
    static DRAFTS: LazyLock<Result<Vec<Draft>, LintError>> = LazyLock::new(|| read(TABLE));
    DRAFTS.as_deref().map_err(Clone::clone)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    placeholders: Placeholders,
    rule: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    id: String,
    title: String,
    provider: String,
    severity: String,
    docs: String,
    #[serde(default)]
    before: Before,
    #[serde(default)]
    context: String,
    secret: String,
    after: Option<String>,
    check: Option<CheckEntry>,
    pack: Option<Pack>,
    #[serde(default)]
    tagged: bool,
    /// Samples, for the tests.
    #[serde(rename = "hit")]
    _hit: Vec<String>,
    #[serde(rename = "miss")]
    _miss: Vec<String>,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Before {
    Any,
    #[default]
    NotWord,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CheckEntry {
    on: On,
    #[serde(default)]
    entropy: f64,
    #[serde(default)]
    no_placeholder: bool,
    #[serde(default)]
    digit_and_letter: bool,
    #[serde(default)]
    luhn: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum On {
    Shortest,
    Longest,
}

fn read(table: &str) -> Result<Vec<Draft>, LintError> {
    let file: File = toml::from_str(table)
        .map_err(|e| LintError::new("*", format!("the built-in table is broken: {e}"), "report this"))?;
    let placeholders = Arc::new(file.placeholders);
    file.rule
        .into_iter()
        .map(|entry| entry.draft(&placeholders))
        .collect()
}

impl Entry {
    fn draft(self, placeholders: &Arc<Placeholders>) -> Result<Draft, LintError> {
        let after = self
            .after
            .as_deref()
            .map(|class| pattern::one_byte(&self.id, class))
            .transpose()?;
        let check = self.check.map_or_else(Check::default, |c| Check {
            when: match c.on {
                On::Shortest => When::Shortest,
                On::Longest => When::Longest,
            },
            entropy: c.entropy,
            no_placeholder: c.no_placeholder.then(|| placeholders.clone()),
            digit_and_letter: c.digit_and_letter,
            luhn: c.luhn,
            ..Check::default()
        });
        Ok(Draft {
            parts: Parts {
                not_word_before: self.before == Before::NotWord,
                context: self.context,
                secret: self.secret,
                after,
            },
            check,
            info: RuleInfo {
                id: self.id,
                title: self.title,
                provider: self.provider,
                severity: self.severity,
                docs: self.docs,
                source: RuleSource::BuiltIn,
                pack: self.pack,
                tagged: self.tagged,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        let drafts = read(TABLE).unwrap();
        assert!(drafts.len() >= 60, "{}", drafts.len());
        let mut ids: Vec<_> = drafts.iter().map(|d| d.info.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), drafts.len());
    }
}
