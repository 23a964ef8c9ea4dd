//! What stands in the output in place of a secret.

use std::fmt;
use std::sync::Arc;

use super::rule::RuleMask;
use super::scan::ScanOptions;
use super::set::RuleSet;
use super::tag::Tag;

/// How marks are written: `[REDACTED:github-pat]`, and `[REDACTED:github-pat:k3j5h7qa]` with a tag.
///
/// A format is text with the places `{kind}` and, for marks with a tag, `{tag}`. What stands before the first place is
/// the *opening*: a text that holds it is never taken for a secret where a rule checks the text, so that redacting
/// twice changes nothing. A [`RuleSet`] knows its format ([`RuleSet::marks`]); every mark is written with it.
///
/// ```
/// use copilot_guard::detect::MarkFormat;
///
/// let marks = MarkFormat::new("«removed: {kind}»")?;
/// assert_eq!(marks.render("github-pat", None), "«removed: github-pat»");
/// assert!(MarkFormat::new("[removed]").is_err());
/// # Ok::<(), copilot_guard::detect::MarkFormatError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkFormat {
    plain: Arc<Template>,
    tagged: Arc<Template>,
}

/// A format of marks that cannot be used. Prints as `what is wrong; what to write`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkFormatError {
    problem: String,
    mend: &'static str,
}

/// A mark that a rule takes for a secret: redacting twice would change the text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MarkClash {
    /// The kind of the mark.
    pub kind: String,
    /// The rule that matches it.
    pub rule: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Template(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Kind,
    Tag,
}

/// The opening of marks when nothing else is configured; recognised always, for texts that were masked elsewhere.
pub(super) const MARK_OPEN: &str = "[REDACTED:";

/// Longest format.
const LONGEST: usize = 128;
/// Shortest opening: a shorter one stands in many a secret, which would then not be taken for one.
const SHORTEST_OPENING: usize = 4;
/// Beside letters and digits. Neither ends a JSON string, a Markdown link, an HTML text or a quoted word of a shell.
const PUNCTUATION: &str = " []:;-_.,#*+=/@~!?|«»‹›…·";

impl MarkFormat {
    /// A format; marks with a tag have it behind the kind, `{kind}:{tag}`.
    ///
    /// # Errors
    /// An unknown place, no `{kind}`, more than 128 bytes, an opening shorter than four bytes, or characters that
    /// would break the text around a mark.
    pub fn new(format: &str) -> Result<Self, MarkFormatError> {
        let plain = Template::parse(format, false)?;
        let tagged = Template::parse(&format.replace("{kind}", "{kind}:{tag}"), true)?;
        Ok(Self {
            plain: Arc::new(plain),
            tagged: Arc::new(tagged),
        })
    }

    /// The same with another format for marks that have a tag. Without `{tag}` in it, no mark shows one.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_tagged(mut self, format: &str) -> Result<Self, MarkFormatError> {
        self.tagged = Arc::new(Template::parse(format, true)?);
        Ok(self)
    }

    /// The mark of a secret.
    pub fn render(&self, kind: &str, tag: Option<Tag>) -> String {
        let template = if tag.is_some() { &self.tagged } else { &self.plain };
        let mut out = String::new();
        for piece in &template.0 {
            match (piece, tag) {
                (Piece::Text(text), _) => out.push_str(text),
                (Piece::Kind, _) => out.push_str(kind),
                (Piece::Tag, Some(tag)) => out.push_str(&tag.to_string()),
                (Piece::Tag, None) => {}
            }
        }
        out
    }

    /// Whether a mark that has a tag shows it.
    pub fn shows_tags(&self) -> bool {
        self.tagged.0.contains(&Piece::Tag)
    }

    /// How marks begin: with and without a tag.
    pub(super) fn openings(&self) -> [&str; 2] {
        [self.plain.opening(), self.tagged.opening()]
    }
}

impl Default for MarkFormat {
    fn default() -> Self {
        let template = |pieces: Vec<Piece>| Arc::new(Template(pieces));
        let text = |text: &str| Piece::Text(text.to_owned());
        Self {
            plain: template(vec![text(MARK_OPEN), Piece::Kind, text("]")]),
            tagged: template(vec![
                text(MARK_OPEN),
                Piece::Kind,
                text(":"),
                Piece::Tag,
                text("]"),
            ]),
        }
    }
}

impl Template {
    fn parse(format: &str, may_have_tag: bool) -> Result<Self, MarkFormatError> {
        let refuse = |problem: String, mend| Err(MarkFormatError { problem, mend });
        if format.len() > LONGEST {
            return refuse(format!("is longer than {LONGEST} bytes"), "make it shorter");
        }
        let mut pieces = Vec::new();
        let mut rest = format;
        while let Some((text, behind)) = rest.split_once('{') {
            let Some((place, after)) = behind.split_once('}') else {
                return refuse(
                    "has a `{` without its `}`".to_owned(),
                    "write `{kind}`, braces and all",
                );
            };
            pieces.push(Piece::Text(text.to_owned()));
            pieces.push(match place {
                "kind" => Piece::Kind,
                "tag" if may_have_tag => Piece::Tag,
                "tag" => {
                    return refuse(
                        "names `{tag}`, which marks without a tag do not have".to_owned(),
                        "leave `{tag}` out here; the format of marks with a tag is `tagged`",
                    );
                }
                _ if may_have_tag => {
                    return refuse(
                        "names a place that is not known".to_owned(),
                        "write `{kind}` and `{tag}`",
                    );
                }
                _ => return refuse("names a place that is not known".to_owned(), "write `{kind}`"),
            });
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        let breaks = |c: char| !(c.is_alphanumeric() || PUNCTUATION.contains(c));
        let texts = || {
            pieces.iter().filter_map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Kind | Piece::Tag => None,
            })
        };
        if let Some(c) = texts().flat_map(str::chars).find(|c| breaks(*c)) {
            return refuse(
                format!(
                    "holds `{}`, which would break text around a mark",
                    c.escape_default()
                ),
                "use letters, digits, spaces and `[]:;-_.,#*+=/@~!?|«»‹›…·`",
            );
        }
        if !pieces.contains(&Piece::Kind) {
            return refuse(
                "does not say the kind".to_owned(),
                "write `{kind}` where the kind of secret is to stand, as in `[REDACTED:{kind}]`",
            );
        }
        let template = Self(pieces);
        let opening = template.opening();
        if opening.len() < SHORTEST_OPENING || opening.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        {
            return refuse(
                "does not begin as a mark can be told from a secret by".to_owned(),
                "begin with a bracket or another sign, and at least four bytes before `{kind}`, as in `[REDACTED:{kind}]`",
            );
        }
        Ok(template)
    }

    fn opening(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }
}

impl RuleSet {
    /// Tries every mark that this set can write, alone and beside word bytes, on the rules of `mask`.
    ///
    /// `further` names kinds of marks that no rule of the set has. A set of built-in rules with the default format
    /// passes; try one with a format or patterns of your own.
    ///
    /// # Errors
    /// The first mark that would be masked again.
    pub fn check_marks(&self, mask: &RuleMask, further: &[&str]) -> Result<(), MarkClash> {
        let mut kinds = further.to_vec();
        kinds.extend(self.rules().iter().map(|rule| rule.id.as_str()));
        kinds.sort_unstable();
        kinds.dedup();
        let mut redactor = self.redactor_with(mask, &ScanOptions::default());
        let tags = std::iter::once(None).chain(Tag::SAMPLES.map(Some));
        let forms: Vec<_> = tags.collect();
        for kind in kinds {
            for mark in forms.iter().map(|tag| self.marks().render(kind, *tag)) {
                for (before, behind) in [("", ""), ("a", ""), ("", "a"), ("7", "7"), ("", "_7aB")] {
                    let text = format!("{before}{mark}{behind}");
                    if let Some(found) = redactor.find(text.as_bytes()).first() {
                        return Err(MarkClash {
                            kind: kind.to_owned(),
                            rule: self
                                .info(found.rule)
                                .map_or_else(String::new, |rule| rule.id.clone()),
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

impl MarkFormatError {
    /// What is wrong with it.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to write instead.
    pub fn mend(&self) -> &str {
        self.mend
    }
}

impl fmt::Display for MarkFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the format of marks {}; {}", self.problem, self.mend)
    }
}

impl std::error::Error for MarkFormatError {}

impl fmt::Display for MarkClash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}` matches the mark of `{}`", self.rule, self.kind)
    }
}

impl std::error::Error for MarkClash {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        for (format, problem) in [
            ("[REDACTED:{kind}]", ""),
            ("«geschwärzt: {kind}»", ""),
            ("****{kind}****", ""),
            ("[REDACTED:{kinds}]", "not known"),
            ("[REDACTED:{}]", "not known"),
            ("[REDACTED:{kind", "without its"),
            ("[REDACTED:{kind}}]", "holds `}`"),
            ("[REDACTED:{kind}:{tag}]", "`{tag}`"),
            ("[REDACTED]", "kind"),
            ("", "kind"),
            ("{kind}", "begin"),
            ("[{kind}]", "begin"),
            ("REDACTED-{kind}", "begin"),
            ("[RED\u{7}:{kind}]", "u{7}"),
            ("[RED\n:{kind}]", "\\n"),
            ("\"RED:{kind}\"", "holds"),
            ("<RED:{kind}>", "holds"),
            ("(RED:{kind})", "holds"),
            ("[RED\\{kind}]", "holds"),
            ("[RED`{kind}`]", "holds"),
            ("[RED\u{202e}{kind}]", "holds"),
            (&format!("[{}{{kind}}]", "R".repeat(128)), "longer"),
        ] {
            match MarkFormat::new(format) {
                Ok(_) => assert_eq!(problem, "", "{format}"),
                Err(e) => {
                    assert!(
                        !problem.is_empty() && e.problem.contains(problem),
                        "{format}: {e}"
                    );
                    assert!(!e.mend().is_empty());
                }
            }
        }
    }

    #[test]
    fn marks_are_written_as_the_format_says() {
        let tag = Some(Tag::SAMPLES[0]);
        let default = MarkFormat::default();
        assert_eq!(default, MarkFormat::new("[REDACTED:{kind}]").unwrap());
        assert_eq!(default.render("a", None), "[REDACTED:a]");
        assert_eq!(default.render("a", tag), "[REDACTED:a:aaaaaaaa]");
        let own = MarkFormat::new("[gone {kind}]")
            .unwrap()
            .with_tagged("[gone #{tag} ({kind}]");
        assert!(own.is_err());
        let own = MarkFormat::new("[gone {kind}]")
            .unwrap()
            .with_tagged("[gone #{tag} {kind}]")
            .unwrap();
        assert_eq!(own.render("a", tag), "[gone #aaaaaaaa a]");
        let bare = MarkFormat::new("[gone {kind}]")
            .unwrap()
            .with_tagged("[gone {kind}]")
            .unwrap();
        assert_eq!(bare.render("a", tag), "[gone a]");
        assert_eq!((own.shows_tags(), bare.shows_tags()), (true, false));
    }

    #[test]
    fn no_built_in_rule_matches_a_mark() {
        let further = ["secret", "request", "gateway-token"];
        for format in [
            "[REDACTED:{kind}]",
            "«gone: {kind}»",
            "****{kind}****",
            "[-- {kind} --]",
        ] {
            let marks = MarkFormat::new(format).unwrap();
            let rules = RuleSet::builder().builtin().marks(marks).build().unwrap();
            assert_eq!(rules.check_marks(&rules.all(), &further), Ok(()), "{format}");
        }
        let rules = RuleSet::builder()
            .builtin()
            .pattern("mine", "[a-z]{3}-pat")
            .unwrap()
            .build()
            .unwrap();
        let clash = rules.check_marks(&rules.all(), &further).unwrap_err();
        assert_eq!((clash.kind.contains("pat"), clash.rule.as_str()), (true, "mine"));
    }
}
