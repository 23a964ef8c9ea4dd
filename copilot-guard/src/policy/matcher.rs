//! What a rule looks for in a whole text: expressions, words, sizes. Pure; no rule knows another.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// A compiled regular expression with Unicode, run on whole texts.
#[derive(Debug, Clone)]
pub(super) struct TextRegex(Regex);

/// A range of bytes in a text.
pub(super) type Range = std::ops::Range<usize>;

/// The largest compiled form of one expression. Bounds the memory that a policy file can ask for.
const MAX_COMPILED: usize = 4 << 20;

impl TextRegex {
    /// Compiles a regular expression. The error says why not.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let config = Regex::config()
            .nfa_size_limit(Some(MAX_COMPILED))
            .hybrid_cache_capacity(1 << 20);
        let syntax = syntax::Config::new().unicode(true).utf8(true).nest_limit(64);
        match Regex::builder().configure(config).syntax(syntax).build(pattern) {
            Ok(regex) => Ok(Self(regex)),
            Err(error) => Err(error.syntax_error().map_or_else(
                || format!("it is larger than {MAX_COMPILED} bytes when compiled"),
                syntax_message,
            )),
        }
    }

    /// Compiles a whole word or phrase: any case, any white space between its words.
    pub(super) fn word(word: &str) -> Result<Self, String> {
        let parts: Vec<_> = word.split_whitespace().map(regex_syntax::escape).collect();
        Self::new(&format!(
            r"(?i)\b{{start-half}}{}\b{{end-half}}",
            parts.join(r"\s+")
        ))
    }

    /// Whether it matches the empty text, and so every text.
    pub(super) fn matches_everything(&self) -> bool {
        self.0.is_match("")
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// All places where it matches, in order, without empty ones.
    pub(super) fn find_all(&self, text: &str) -> impl Iterator<Item = Range> {
        self.0
            .find_iter(text)
            .map(|m| m.range())
            .filter(|r| !r.is_empty())
    }
}

fn syntax_message(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(e) => e.kind().to_string(),
        regex_syntax::Error::Translate(e) => e.kind().to_string(),
        _ => "its syntax is not valid".to_owned(),
    }
}

/// A model pattern: `*` stands for any text; case does not count.
#[derive(Debug, Clone)]
pub(super) struct Glob(Vec<String>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.to_lowercase().split('*').map(str::to_owned).collect())
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| *only == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else {
                return false;
            };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "gpt-5", true),
            ("gpt-*", "GPT-5-mini", true),
            ("gpt-*", "claude", false),
            ("*-mini", "gpt-5-mini", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("gpt-5", "gpt-5-mini", false),
        ] {
            assert_eq!(Glob::new(pattern).is_match(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn words_are_whole_in_any_script() {
        for (word, text, expected) in [
            ("prod", "on PROD now", true),
            ("prod", "production", false),
            ("C++", "use c++!", true),
            ("Straße", "die STRAßE hier", true),
            ("straße", "hauptstraße", false),
            ("project falcon", "Project\n  Falcon", true),
            ("секрет", "это СЕКРЕТ", true),
        ] {
            assert_eq!(
                TextRegex::word(word).unwrap().is_match(text),
                expected,
                "{word} on {text}"
            );
        }
    }

    #[test]
    fn refuses_the_broken_and_the_huge() {
        assert!(TextRegex::new("(").unwrap_err().contains("unclosed"));
        assert!(
            TextRegex::new(r"(?:\w{200}){200}")
                .unwrap_err()
                .contains("larger")
        );
    }
}
