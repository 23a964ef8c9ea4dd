//! Fields by name: from the names to rules for every way such a field is written.

use std::sync::Arc;

use super::builtin;
use super::check::{Check, Placeholders, When};
use super::error::LintError;
use super::pattern::{self, Parts};
use super::rule::RuleSource;
use super::set::{Draft, RuleSetBuilder, own};

/// Longest value, in characters: what may be waited for, in bytes, with the widest characters.
const LONGEST: usize = 800;
/// Most names of one field, and the longest.
const NAMES: usize = 64;
const LONGEST_NAME: usize = 64;

/// After a name: its closing quote and bracket.
const NAME_END: &str = r#"(?:\\?["'`]\]?)?[ \t]{0,8}"#;
/// Between a name and its value: `=`, `:`, `=>`, `:=`, comparisons, and `: Type =`.
const SEPARATOR: &str =
    r"(?::[ \t]{0,4}[A-Za-z&?][0-9A-Za-z_<>&'?:]{0,32}[ \t]{0,4}=|:=|=>|[=!]={0,2}|:)[ \t]{0,8}";
/// What a value without quotes is made of, and what ends it. What else may follow (`(`, `[`, `$`) makes it code.
const BARE: &str = r#"[^\s"'`<>,;(){}\[\]|&$\\]"#;
const BARE_END: &str = r#"[\s"'`<,;)}\]|&\\]"#;

impl RuleSetBuilder {
    /// Adds a field whose values are masked: `customer_no` is found as `customerNo = "…"`, `"customer-no": "…"`,
    /// `CUSTOMER_NO=…`, `customer_no: …`, `--customer-no …` and `<CustomerNo>…</CustomerNo>`.
    ///
    /// A name is split into words at `_`, `-` and where a capital follows a small letter; the case does not count. A
    /// value has `min` to `max` characters. In quotes, in a tag, behind `NAME=` and behind `--name=`, any value
    /// counts but placeholders; elsewhere one that begins with a digit or holds three, for names of code stand there.
    ///
    /// # Errors
    /// A name that is not made of letters, digits, `_` and `-`, no name or too many, or a length that cannot be.
    pub fn field<S: AsRef<str>>(
        mut self,
        id: &str,
        names: impl IntoIterator<Item = S>,
        min: usize,
        max: usize,
    ) -> Result<Self, LintError> {
        if min == 0 || min > max || max > LONGEST {
            return Err(LintError::new(
                id,
                format!("has values of {min} to {max} characters"),
                format!("let values have 1 to {LONGEST} characters"),
            ));
        }
        let names = Names::new(id, names)?;
        let placeholders = builtin::drafts()?
            .iter()
            .find_map(|draft| draft.check.no_placeholder.clone());
        for shape in shapes(&names, min, max) {
            let after = pattern::one_byte(id, shape.after)?;
            self.add_draft(Draft {
                info: own(id, "a field of this installation", RuleSource::Pattern),
                parts: Parts {
                    not_word_before: shape.not_word_before,
                    context: shape.context,
                    secret: shape.secret,
                    after: Some(after),
                },
                check: check(placeholders.clone(), shape.must_be_number_like),
            });
        }
        Ok(self)
    }
}

/// One way to write a field.
struct Shape {
    not_word_before: bool,
    context: String,
    secret: String,
    after: &'static str,
    must_be_number_like: bool,
}

fn shapes(names: &Names, min: usize, max: usize) -> Vec<Shape> {
    let Names { any, upper } = names;
    let shape = |context: String, class: &str, after| Shape {
        not_word_before: true,
        context,
        secret: format!("{class}{{{min},{max}}}"),
        after,
        must_be_number_like: false,
    };
    let named = format!("{any}{NAME_END}{SEPARATOR}");
    let quoted = |quote: &'static str| {
        let class = format!(r"(?:[^{quote}\\\r\n]|\\[^\r\n])");
        shape(
            format!("(?:{named}|--{any}[ \\t=]{{1,4}})[bfrBFR]?{quote}"),
            &class,
            quote,
        )
    };
    vec![
        quoted("\""),
        quoted("'"),
        quoted("`"),
        // JSON within a string: the quotes are escaped themselves.
        shape(format!(r#"{named}\\""#), r#"[^"\\\r\n]"#, r"\\"),
        Shape {
            not_word_before: false,
            ..shape(
                format!(r"<(?:[A-Za-z][0-9A-Za-z_.-]{{0,32}}:)?{any}(?:\s[^<>]{{0,200}})?>"),
                r"[^<>\r\n]",
                "<",
            )
        },
        shape(format!("(?:--{any}|{upper})="), BARE, BARE_END),
        Shape {
            must_be_number_like: true,
            ..shape(format!("(?:{named}|--?{any}[ \\t]{{1,4}})"), BARE, BARE_END)
        },
    ]
}

fn check(no_placeholder: Option<Arc<Placeholders>>, number_like: bool) -> Check {
    Check {
        when: When::Shortest,
        no_placeholder,
        number_like,
        ..Check::default()
    }
}

/// The names of a field as expressions.
struct Names {
    /// In any case and with any of the usual joints.
    any: String,
    /// As a variable of the environment.
    upper: String,
}

impl Names {
    fn new<S: AsRef<str>>(id: &str, names: impl IntoIterator<Item = S>) -> Result<Self, LintError> {
        let (mut any, mut upper) = (Vec::new(), Vec::new());
        for name in names {
            let name = name.as_ref();
            let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
            let words = words(name);
            if name.len() > LONGEST_NAME || !name.chars().all(is_plain) || words.is_empty() {
                return Err(LintError::new(
                    id,
                    "has a name that no field has",
                    format!(
                        "use up to {LONGEST_NAME} letters, digits, `_` and `-`, and at least one letter or digit"
                    ),
                ));
            }
            let escaped = |word: &String| regex_syntax::escape(word);
            any.push(words.iter().map(escaped).collect::<Vec<_>>().join("[_-]?"));
            let upper_words = words.iter().map(|word| escaped(&word.to_uppercase()));
            upper.push(upper_words.collect::<Vec<_>>().join("_?"));
        }
        if any.is_empty() || any.len() > NAMES {
            return Err(LintError::new(
                id,
                format!("has {} names", any.len()),
                format!("give it one to {NAMES} names"),
            ));
        }
        Ok(Self {
            any: format!("(?i:{})", any.join("|")),
            upper: format!("(?:{})", upper.join("|")),
        })
    }
}

/// The words of a name: `customerNo`, `customer_no` and `customer-no` have two.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let joint = matches!(c, '_' | '-');
        if joint || before.is_lowercase() && c.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| !joint) {
            word.push(c);
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_where_people_split_them() {
        for (name, expected) in [
            ("kundennummer", "kundennummer"),
            ("customerNo", "customer No"),
            ("customer_no", "customer no"),
            ("customer-no-2", "customer no 2"),
            ("IBAN", "IBAN"),
            ("__x_", "x"),
            ("_-", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }
}
