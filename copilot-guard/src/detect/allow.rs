//! Texts that are no secrets, whatever a rule says: test data, published examples.

use std::fmt;
use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::rule::{RuleIndex, RuleInfo, RuleMask, RuleSource};
use super::set::RuleSet;

/// What a caller's texts may show. Compiled; belongs to one [`RuleSet`].
///
/// A rule is asked once per place, when its match is certain: most rules with the shortest match, whatever follows. So
/// an allowed value that is longer than this counts by its first bytes: two tokens that begin alike are one here.
/// Exact values are never let through.
///
/// ```
/// use std::sync::Arc;
/// use copilot_guard::detect::{AllowEntry, AllowList, RuleSet, ScanOptions};
///
/// let rules = RuleSet::builder().pattern("badge", r"\bbadge-\d{4}\b")?.build()?;
/// let entry = AllowEntry::new(&rules, |rule| rule.id == "badge").with_value("badge-0000");
/// let options = ScanOptions::default().with_allow(Arc::new(AllowList::new([Arc::new(entry)])));
/// let found = rules.scan_with(&rules.all(), &options, b"badge-0000 badge-1234");
/// assert_eq!(found.len(), 1);
/// # Ok::<(), copilot_guard::detect::LintError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    entries: Vec<Arc<AllowEntry>>,
}

/// One entry of an [`AllowList`]: for some rules, values, expressions and words.
#[derive(Clone)]
pub struct AllowEntry {
    rules: RuleMask,
    /// In order.
    values: Vec<Box<[u8]>>,
    regexes: Vec<Regex>,
    words: Vec<Box<[u8]>>,
}

/// The largest compiled form of one expression.
const MAX_COMPILED: usize = 1 << 20;
/// What no expression that means something allows all of.
const ANYTHING: [&str; 3] = ["~", "Zq9-Zq9_Zq9.Zq9/Zq9+", "\u{1}x\u{e9} :"];

impl AllowList {
    /// Of these entries.
    pub fn new(entries: impl IntoIterator<Item = Arc<AllowEntry>>) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }

    /// Whether nothing is let through.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether any entry is about this rule: if not, it need not be asked.
    pub(super) fn concerns(&self, rule: RuleIndex) -> bool {
        self.entries.iter().any(|entry| entry.rules.contains(rule))
    }

    /// Whether this text is no secret, though the rule matches it.
    pub(super) fn permits(&self, rule: RuleIndex, text: &[u8]) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.rules.contains(rule) && entry.permits(text))
    }
}

impl AllowEntry {
    /// For the rules that `choose` picks; rules of exact values are never among them. Allows nothing yet.
    pub fn new(rules: &RuleSet, choose: impl Fn(&RuleInfo) -> bool) -> Self {
        let mut mask = RuleMask::none(rules.rules().len());
        for (i, info) in (0u16..).zip(rules.rules()) {
            if info.source != RuleSource::Exact && choose(info) {
                mask.insert(RuleIndex(i));
            }
        }
        Self {
            rules: mask,
            values: Vec::new(),
            regexes: Vec::new(),
            words: Vec::new(),
        }
    }

    /// Allows one value.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        // The empty text begins every text.
        if !value.is_empty() {
            let at = self.values.partition_point(|known| **known < *value.as_bytes());
            self.values.insert(at, value.as_bytes().into());
        }
        self
    }

    /// Allows what holds this word, whatever the case of ASCII letters.
    #[must_use]
    pub fn with_word(mut self, word: &str) -> Self {
        if !word.is_empty() {
            self.words.push(word.as_bytes().into());
        }
        self
    }

    /// Allows what this expression matches as a whole.
    ///
    /// # Errors
    /// Why it cannot be used, in words: it is no expression, too large, or allows everything.
    pub fn with_regex(mut self, regex: &str) -> Result<Self, String> {
        // Alone first: what is put in a group must not close it.
        compile(regex)?;
        let whole = compile(&format!(r"\A(?:{regex})\z"))?;
        if ANYTHING.iter().all(|text| whole.is_match(text)) {
            return Err("it allows everything".to_owned());
        }
        self.regexes.push(whole);
        Ok(self)
    }

    fn permits(&self, text: &[u8]) -> bool {
        // In order, the values that begin with the text come right where the text would stand.
        let at = self.values.partition_point(|value| **value < *text);
        !text.is_empty()
            && (self.values.get(at).is_some_and(|value| value.starts_with(text))
                || self.words.iter().any(|word| holds(text, word))
                || self.regexes.iter().any(|regex| regex.is_match(text)))
    }
}

/// Holds allowed values, which may be anything: `{:?}` shows how many.
impl fmt::Debug for AllowEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllowEntry")
            .field("rules", &self.rules.len())
            .field("values", &self.values.len())
            .field("regexes", &self.regexes.len())
            .field("words", &self.words.len())
            .finish()
    }
}

fn compile(regex: &str) -> Result<Regex, String> {
    let config = Regex::config()
        .nfa_size_limit(Some(MAX_COMPILED))
        .hybrid_cache_capacity(1 << 20);
    let syntax = syntax::Config::new().unicode(true).utf8(true).nest_limit(64);
    Regex::builder()
        .configure(config)
        .syntax(syntax)
        .build(regex)
        .map_err(|error| match error.syntax_error() {
            Some(regex_syntax::Error::Parse(e)) => e.kind().to_string(),
            Some(regex_syntax::Error::Translate(e)) => e.kind().to_string(),
            Some(_) => "its syntax is not valid".to_owned(),
            None => format!("it is larger than {MAX_COMPILED} bytes when compiled"),
        })
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_cannot_break_out_or_allow_everything() {
        let rules = RuleSet::builder().build().unwrap();
        let entry = || AllowEntry::new(&rules, |_| true);
        for regex in [
            "a)|(?:b",
            "(",
            ".*",
            ".+",
            r"[\s\S]*",
            "(?s).+",
            ".*|x",
            r"\w{200}{200}{200}",
        ] {
            assert!(entry().with_regex(regex).is_err(), "{regex}");
        }
        let entry = entry().with_regex("ab|abc").unwrap();
        assert!(entry.permits(b"abc") && entry.permits(b"ab"));
        assert!(!entry.permits(b"abcd") && !entry.permits(b"xab") && !entry.permits(b""));
    }

    #[test]
    fn a_value_counts_by_its_beginning_and_never_beyond_its_end() {
        let rules = RuleSet::builder().build().unwrap();
        let entry = AllowEntry::new(&rules, |_| true)
            .with_value("token-12")
            .with_value("")
            .with_word("")
            .with_word("Example");
        assert!(entry.permits(b"token-12") && entry.permits(b"token-1"));
        assert!(!entry.permits(b"token-123") && !entry.permits(b""));
        assert!(entry.permits(b"AnEXAMPLEkey") && !entry.permits(b"exampl"));
        assert!(!format!("{entry:?}").contains("token"));
    }
}
