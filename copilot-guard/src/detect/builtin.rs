//! The table of rules that ships with this crate.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::check::{Check, Placeholders, When};
use super::checksum::Checksum;
use super::error::LintError;
use super::pattern::{self, Parts};
use super::rule::{Pack, RuleInfo, RuleSource};
use super::set::Draft;

const PLACEHOLDERS: &str = include_str!("rules/placeholders.toml");

/// The order decides names only: of two rules that match the same, the first gives the kind.
const TABLES: [(&str, &str); 14] = [
    ("source-hosts", include_str!("rules/source-hosts.toml")),
    ("ai", include_str!("rules/ai.toml")),
    ("cloud", include_str!("rules/cloud.toml")),
    ("ci", include_str!("rules/ci.toml")),
    ("packages", include_str!("rules/packages.toml")),
    ("chat", include_str!("rules/chat.toml")),
    ("payment", include_str!("rules/payment.toml")),
    ("mail", include_str!("rules/mail.toml")),
    ("databases", include_str!("rules/databases.toml")),
    ("monitoring", include_str!("rules/monitoring.toml")),
    ("saas", include_str!("rules/saas.toml")),
    ("keys", include_str!("rules/keys.toml")),
    ("fields", include_str!("rules/fields.toml")),
    ("personal-data", include_str!("rules/personal-data.toml")),
];

/// The built-in rules, those of the packs among them. A broken table is an error, not an empty one: no rules would mean
/// that nothing is masked.
pub(super) fn drafts() -> Result<&'static [Draft], LintError> {
    static DRAFTS: LazyLock<Result<Vec<Draft>, LintError>> = LazyLock::new(read);
    DRAFTS.as_deref().map_err(Clone::clone)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    placeholders: Placeholders,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
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
    pack: Option<Pack>,
    #[serde(default)]
    tagged: bool,
    #[serde(default)]
    before: Before,
    #[serde(default)]
    context: String,
    secret: String,
    after: Option<String>,
    check: Option<CheckEntry>,
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
    random: bool,
    checksum: Option<Checksum>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum On {
    Shortest,
    Longest,
}

fn read() -> Result<Vec<Draft>, LintError> {
    let words: Words = parse("placeholders", PLACEHOLDERS)?;
    let placeholders = Arc::new(words.placeholders);
    let mut drafts = Vec::new();
    for (name, table) in TABLES {
        let file: File = parse(name, table)?;
        for entry in file.rule {
            drafts.push(entry.draft(&placeholders)?);
        }
    }
    Ok(drafts)
}

fn parse<T: for<'de> Deserialize<'de>>(name: &str, table: &str) -> Result<T, LintError> {
    toml::from_str(table).map_err(|e| {
        LintError::new(
            "*",
            format!("the built-in table `{name}` is broken: {e}"),
            "report this",
        )
    })
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
            random: c.random,
            checksum: c.checksum,
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
        let drafts = read().unwrap();
        assert!(drafts.len() >= 400, "{}", drafts.len());
        let mut ids: Vec<_> = drafts.iter().map(|d| d.info.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), drafts.len());
    }
}
