//! The compiled rules.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::secret::Secret;

use super::builtin;
use super::bytes::ByteSet;
use super::check::{Check, When};
use super::error::LintError;
use super::mark::MarkFormat;
use super::pattern::{self, Parts};
use super::rule::{Pack, RuleIndex, RuleInfo, RuleMask, RuleSource};
use super::sink::{Mark, Marked, Sink, Span};
use super::stream::Redactor;
use super::stream::filter::Filter;
use super::stream::nodes::Nodes;
use super::stream::table::Table;
use super::stream::trigger::Trigger;

/// Compiled rules. Cheap to clone.
#[derive(Clone)]
pub struct RuleSet {
    pub(super) inner: Arc<Compiled>,
}

pub(super) struct Compiled {
    pub(super) infos: Arc<[RuleInfo]>,
    rules: Vec<Rule>,
    pub(super) nodes: Nodes,
    pub(super) trigger: Trigger,
    pub(super) filter: Option<Filter>,
    marks: MarkFormat,
}

impl Compiled {
    #[inline]
    pub(super) fn rule(&self, index: RuleIndex) -> &Rule {
        &self.rules[index.as_usize()]
    }
}

/// One rule, ready to run.
pub(super) struct Rule {
    pub(super) not_word_before: bool,
    pub(super) context: Option<Arc<Table>>,
    pub(super) secret: Arc<Table>,
    pub(super) after: Option<ByteSet>,
    pub(super) check: Check,
    /// When the secret is one class so and so many times, and what follows it is of no such byte.
    pub(super) run: Option<Run>,
}

/// A secret of bytes of one class, up to the first that is not: all that begin within one such run end together.
pub(super) struct Run {
    pub(super) class: ByteSet,
    pub(super) least: u64,
    pub(super) most: u64,
}

impl RuleSet {
    /// Starts with no rules.
    pub fn builder() -> RuleSetBuilder {
        RuleSetBuilder::default()
    }

    /// Every built-in rule, those of packs too.
    ///
    /// # Errors
    /// The table that ships with this crate is broken.
    pub fn built_in_rules() -> Result<impl Iterator<Item = &'static RuleInfo>, LintError> {
        Ok(builtin::drafts()?.iter().map(|draft| &draft.info))
    }

    /// Every rule, in the order of their [`RuleIndex`].
    pub fn rules(&self) -> &[RuleInfo] {
        &self.inner.infos
    }

    /// One rule.
    pub fn info(&self, rule: RuleIndex) -> Option<&RuleInfo> {
        self.inner.infos.get(rule.as_usize())
    }

    /// All rules.
    pub fn all(&self) -> RuleMask {
        self.select(|_| true)
    }

    /// The rules that `choose` picks. Exact values are always active, whatever `choose` says.
    pub fn select(&self, choose: impl Fn(&RuleInfo) -> bool) -> RuleMask {
        let infos = &self.inner.infos;
        let is_chosen = |info: &RuleInfo| info.source == RuleSource::Exact || choose(info);
        RuleMask::of(infos.len(), infos.iter().map(is_chosen))
    }

    /// Of these rules those that `choose` picks. Exact values stay.
    pub(super) fn narrowed(&self, mask: &RuleMask, choose: impl Fn(&RuleInfo) -> bool) -> RuleMask {
        let infos = &self.inner.infos;
        let is_chosen = |(n, info): (usize, &RuleInfo)| {
            let index = RuleIndex(u16::try_from(n).unwrap_or(u16::MAX));
            info.source == RuleSource::Exact || mask.contains(index) && choose(info)
        };
        RuleMask::of(infos.len(), infos.iter().enumerate().map(is_chosen))
    }

    /// The state of one text stream.
    pub fn redactor(&self, mask: &RuleMask) -> Redactor {
        Redactor::new(self.clone(), mask.clone())
    }

    /// A sink that writes the redacted text to `out`, with marks in the format of this set.
    pub fn marked<'a>(&self, out: &'a mut Vec<u8>) -> Marked<'a> {
        Marked::new(self.clone(), out)
    }

    /// How marks are written.
    pub fn marks(&self) -> &MarkFormat {
        &self.inner.marks
    }

    /// What stands in the output for this mark.
    pub fn mark_text(&self, mark: Mark) -> String {
        let kind = self.info(mark.rule).map_or("secret", |info| info.id.as_str());
        self.marks().render(kind, mark.tag)
    }

    /// Scans a whole text: what a redactor would mask, in order.
    pub fn scan(&self, mask: &RuleMask, text: &[u8]) -> Vec<Span> {
        let mut found = Found(Vec::new());
        let mut redactor = self.redactor(mask);
        redactor.push(text, &mut found);
        redactor.finish(&mut found);
        found.0
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSet")
            .field("rules", &self.inner.infos.len())
            .finish_non_exhaustive()
    }
}

struct Found(Vec<Span>);

impl Sink for Found {
    fn text(&mut self, _: &[u8]) {}

    fn mark(&mut self, _: Mark) {}

    fn span(&mut self, span: Span) {
        self.0.push(span);
    }
}

/// The longest that a byte may have to wait for the decision about it.
pub(super) const LONGEST_WAIT: usize = 4096;
/// Values that share a rule: their table stays small, and they begin in few enough ways to be told apart early.
const EXACT_VALUES_OF_A_RULE: usize = 128;
const EXACT_BYTES_OF_A_RULE: usize = 8 << 10;
/// Shorter values would mask pieces of ordinary text.
const SHORTEST_EXACT: usize = 4;

/// Collects rules and compiles them.
#[derive(Default)]
pub struct RuleSetBuilder {
    drafts: Vec<Draft>,
    has_builtin: bool,
    marks: MarkFormat,
    /// An error that `build` reports.
    broken: Option<LintError>,
}

/// A rule before it is compiled.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) info: RuleInfo,
    pub(super) parts: Parts,
    pub(super) check: Check,
}

impl RuleSetBuilder {
    /// Adds the table that ships with this crate, without its packs.
    pub fn builtin(self) -> Self {
        self.table(None)
    }

    /// Adds a pack of rules that is off by default.
    pub fn pack(self, pack: Pack) -> Self {
        self.table(Some(pack))
    }

    fn table(mut self, pack: Option<Pack>) -> Self {
        self.has_builtin = true;
        match builtin::drafts() {
            Ok(drafts) => self
                .drafts
                .extend(drafts.iter().filter(|d| d.info.pack == pack).cloned()),
            Err(e) => self.broken = Some(e),
        }
        self
    }

    /// Writes marks in this format. Whether no rule matches such a mark, [`RuleSet::check_marks`] says.
    pub fn marks(mut self, marks: MarkFormat) -> Self {
        self.marks = marks;
        self
    }

    /// Adds a regular expression; see the [module](super) for what it may contain.
    pub fn pattern(mut self, id: &str, regex: &str) -> Result<Self, LintError> {
        let draft = Draft {
            info: own(id, "a pattern of this installation", RuleSource::Pattern),
            parts: pattern::split(id, regex)?,
            check: Check::default(),
        };
        // Compiled here so that the error comes where the pattern is given, and again in `build`: patterns are few.
        draft.compile(&mut HashMap::new())?;
        self.drafts.push(draft);
        Ok(self)
    }

    /// Adds a value that must never leave, wherever it stands.
    ///
    /// The compiled rules contain the value; they are never printed, but their memory is not wiped.
    pub fn exact(mut self, id: &str, value: &Secret) -> Self {
        self.drafts.push(Draft {
            info: own(id, "a value of this installation", RuleSource::Exact),
            parts: Parts {
                secret: regex_syntax::escape(value.expose()),
                ..Parts::default()
            },
            check: Check::default(),
        });
        self
    }

    pub(super) fn add_draft(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }

    /// Adds values that must never leave, wherever they stand, under one name. Thousands are no trouble.
    ///
    /// As with [`exact`](Self::exact), the compiled rules contain the values.
    pub fn exact_values<'v>(mut self, id: &str, values: impl IntoIterator<Item = &'v Secret>) -> Self {
        let mut values: Vec<_> = values.into_iter().map(Secret::expose).collect();
        values.sort_unstable();
        values.dedup();
        let mut rest = values.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let many = rest.iter().take(EXACT_VALUES_OF_A_RULE);
            let fits = many.take_while(|value| {
                bytes += value.len();
                bytes <= EXACT_BYTES_OF_A_RULE
            });
            let (chunk, after) = rest.split_at(fits.count().max(1));
            rest = after;
            if let Some(short) = chunk.iter().find(|value| value.len() < SHORTEST_EXACT) {
                // Refused by `build`, in the words for a single value.
                self = self.exact(id, &Secret::new(*short));
            }
            let escaped: Vec<_> = chunk.iter().map(|value| regex_syntax::escape(value)).collect();
            self.drafts.push(Draft {
                info: own(id, "values of this installation", RuleSource::Exact),
                parts: Parts {
                    secret: escaped.join("|"),
                    ..Parts::default()
                },
                check: Check::default(),
            });
        }
        self
    }

    /// Compiles.
    pub fn build(mut self) -> Result<RuleSet, LintError> {
        if let Some(e) = self.broken {
            return Err(e);
        }
        if self.marks != MarkFormat::default() {
            for draft in &mut self.drafts {
                draft.check.marks = Some(self.marks.clone());
            }
        }
        if self.drafts.len() >= usize::from(u16::MAX) {
            return Err(LintError::new("*", "there are 65535 rules or more", "use fewer"));
        }
        let mut tables = if self.has_builtin {
            builtin_tables().clone()
        } else {
            HashMap::new()
        };
        let rules = self
            .drafts
            .iter()
            .map(|d| d.compile(&mut tables))
            .collect::<Result<Vec<_>, _>>()?;
        let nodes = Nodes::new(&rules)?;
        let trigger = Trigger::new(&nodes)?;
        let filter = Filter::new(&nodes);
        let infos = self.drafts.into_iter().map(|d| d.info).collect();
        Ok(RuleSet {
            inner: Arc::new(Compiled {
                infos,
                rules,
                nodes,
                trigger,
                filter,
                marks: self.marks,
            }),
        })
    }
}

impl fmt::Debug for RuleSetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSetBuilder")
            .field("rules", &self.drafts.len())
            .finish_non_exhaustive()
    }
}

impl Draft {
    /// Compiles the parts and refuses what cannot be bounded. Rules with equal parts share their tables.
    fn compile(&self, tables: &mut HashMap<String, Arc<Table>>) -> Result<Rule, LintError> {
        let id = self.info.id.as_str();
        if !is_kind(id) {
            return Err(LintError::new(
                id,
                "has an id that cannot stand in a mark",
                "use 1 to 64 of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`",
            ));
        }
        if self.info.source == RuleSource::Exact && self.parts.secret.len() < SHORTEST_EXACT {
            return Err(LintError::new(
                id,
                format!("is shorter than {SHORTEST_EXACT} bytes"),
                "mask so short a value with a pattern that names what stands around it",
            ));
        }
        let secret = table(id, &self.parts.secret, tables)?;
        if secret.is_empty() {
            return Err(LintError::new(id, "can never match", "remove the empty class"));
        }
        if secret.accepts(secret.start()) {
            return Err(LintError::new(
                id,
                "matches the empty text",
                "ask for at least one byte, `+` or `{1,}` instead of `*`",
            ));
        }
        let context = if self.parts.context.is_empty() {
            None
        } else {
            let context = table(id, &self.parts.context, tables)?;
            if context.is_empty() {
                return Err(LintError::new(
                    id,
                    "has a context that can never match",
                    "remove the empty class",
                ));
            }
            // A context that may be empty asks for nothing.
            (!context.accepts(context.start())).then_some(context)
        };
        let whole = self.check.when == When::Longest;
        match secret.longest_wait(self.parts.after.as_ref(), whole) {
            None => {
                return Err(LintError::new(
                    id,
                    "has no bound on how long it must be read before it is certain",
                    if self.parts.after.is_some() {
                        "give the repetitions an upper bound, `{20,200}` instead of `{20,}`, or drop what must follow the secret"
                    } else {
                        "give the repetitions before the last part an upper bound, `{1,200}` instead of `+`"
                    },
                ));
            }
            Some(wait) if wait > LONGEST_WAIT => {
                return Err(LintError::new(
                    id,
                    format!("must be read for {wait} bytes before it is certain; the most is {LONGEST_WAIT}"),
                    "lower the upper bounds of its repetitions",
                ));
            }
            Some(_) => {}
        }
        let run = secret.repetition().and_then(|(class, least, most)| {
            let ends = self.parts.after.is_some_and(|after| !after.meets(&class));
            ends.then_some(Run { class, least, most })
        });
        Ok(Rule {
            not_word_before: self.parts.not_word_before,
            context,
            secret,
            after: self.parts.after,
            check: self.check.clone(),
            run,
        })
    }
}

/// The tables of the built-in rules: they are most of the work, and the same for every policy.
fn builtin_tables() -> &'static HashMap<String, Arc<Table>> {
    static TABLES: LazyLock<HashMap<String, Arc<Table>>> = LazyLock::new(|| {
        let drafts = builtin::drafts().unwrap_or_default();
        let drafts: Vec<&Draft> = drafts.iter().filter(|d| d.info.pack.is_none()).collect();
        let hands = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        let compile = |share: usize| {
            let mut tables = HashMap::new();
            // The large ones stand together, so that each takes every so many.
            for draft in drafts.iter().skip(share).step_by(hands) {
                // An error comes again, with its rule, where the rule itself is compiled.
                let _ = draft.compile(&mut tables);
            }
            tables
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..hands)
                .map(|share| scope.spawn(move || compile(share)))
                .collect();
            let mut tables = compile(0);
            // What a thread could not do is done where the rule is compiled.
            others
                .into_iter()
                .filter_map(|t| t.join().ok())
                .for_each(|more| tables.extend(more));
            tables
        })
    });
    &TABLES
}

fn table(id: &str, regex: &str, tables: &mut HashMap<String, Arc<Table>>) -> Result<Arc<Table>, LintError> {
    if let Some(table) = tables.get(regex) {
        return Ok(table.clone());
    }
    let table = Arc::new(Table::new(id, &pattern::ascii(id, regex)?)?);
    tables.insert(regex.to_owned(), table.clone());
    Ok(table)
}

pub(super) fn own(id: &str, title: &str, source: RuleSource) -> RuleInfo {
    RuleInfo {
        id: id.to_owned(),
        title: title.to_owned(),
        provider: String::new(),
        severity: "high".to_owned(),
        docs: String::new(),
        source,
        pack: None,
        tagged: false,
    }
}

fn is_kind(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
