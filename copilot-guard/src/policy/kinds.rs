//! The secret kinds: built-in, the file's own, values to scrub; and the stream patterns of output rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::PolicyOptions;
use super::config::PolicyConfig;
use super::masking::{FieldConfig, MarksConfig, MaskingConfig};
use super::matcher::Range;
use super::problem::nearest;
use super::reader::{At, Located, Problems};
use super::rule_check::check_id;
use super::streams::{free_id, numbered, stream_word};
use super::values;
use crate::decision::Stage;
use crate::detect::{
    LintError, MarkFormat, RuleMask, RuleSet, RuleSetBuilder, ScanOptions, Tag, known_forms, views,
};
use crate::secret::Secret;

/// The rule set and what its ids mean.
#[derive(Debug)]
pub(super) struct Kinds {
    pub(super) set: RuleSet,
    /// Kinds that a policy may name: built-in and the file's own.
    pub(super) named: BTreeSet<String>,
    /// Names of the values to scrub.
    pub(super) exact: BTreeSet<String>,
    /// Built-in kinds of packs that are not on, and the name of the pack.
    off: BTreeMap<String, &'static str>,
    /// Stream patterns by the id of their rule: id in the set, and the reason for hits.
    pub(super) streams: BTreeMap<String, Vec<(String, String)>>,
}

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) kind: String,
    pub(super) tag: Option<Tag>,
}

impl Name {
    /// Of this kind, without a tag.
    pub(super) fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            tag: None,
        }
    }
}

/// The built-in kinds: compiling them takes a while, and they do not change.
static BUILTIN: LazyLock<Result<RuleSet, LintError>> = LazyLock::new(|| RuleSet::builder().builtin().build());

impl Kinds {
    /// Collects the kinds; every pattern that cannot run on a stream is a problem.
    pub(super) fn collect(
        problems: &Problems,
        config: &PolicyConfig,
        options: &PolicyOptions,
    ) -> Option<Self> {
        let mut off = BTreeMap::new();
        let builtin = match RuleSet::built_in_rules() {
            Ok(rules) => {
                let mut builtin = BTreeSet::new();
                for rule in rules {
                    builtin.insert(rule.id.clone());
                    let packs = &config.masking.packs;
                    if let Some(pack) = rule.pack.filter(|pack| !packs.contains(pack)) {
                        off.insert(rule.id.clone(), pack.name());
                    }
                }
                builtin
            }
            Err(error) => {
                problems.add(
                    &nowhere(),
                    format!("the built-in rule `{}` does not compile", error.rule()),
                    error.problem(),
                    error.mend(),
                );
                return None;
            }
        };
        let mut wanted: Vec<(At, String, String)> = Vec::new();
        let mut named: BTreeSet<_> = builtin
            .iter()
            .filter(|id| !off.contains_key(*id))
            .cloned()
            .collect();
        let mut own = Own::default();
        for pattern in &config.patterns {
            check_id(problems, &pattern.id, "pattern");
            if builtin.contains(&pattern.id.value) {
                let why = "a built-in secret kind has this name";
                problems.add(
                    &pattern.id.at,
                    format!("pattern id {} is taken", pattern.id.shown()),
                    why,
                    "choose another name",
                );
            } else if !named.insert(pattern.id.value.clone()) {
                let why = "another pattern has this id";
                problems.add(
                    &pattern.id.at,
                    format!("pattern id {} is given twice", pattern.id.shown()),
                    why,
                    "choose another name",
                );
            } else if lint(problems, &pattern.regex.at, &pattern.regex.value) {
                wanted.push((
                    pattern.regex.at.clone(),
                    pattern.id.value.clone(),
                    pattern.regex.value.clone(),
                ));
            }
        }
        for field in &config.masking.fields {
            check_id(problems, &field.id, "field");
            if builtin.contains(&field.id.value) || !named.insert(field.id.value.clone()) {
                taken(problems, &field.id, "field", "a secret kind has this name");
            } else if let Some(lengths) = check_field(problems, field) {
                own.fields.push((field, lengths));
            }
        }
        let mut exact: BTreeSet<_> = options.exact.iter().map(|(id, _)| id.clone()).collect();
        let fetched = values::fetch(problems, &config.masking.values, options.elsewhere.as_ref());
        for (values, fetched) in config.masking.values.iter().zip(fetched) {
            check_id(problems, &values.id, "values");
            let id = &values.id.value;
            if builtin.contains(id) || named.contains(id) || !exact.insert(id.clone()) {
                taken(
                    problems,
                    &values.id,
                    "values",
                    "a secret kind or other values have this name",
                );
            } else {
                own.values.push((values.from.at.clone(), id.clone(), fetched));
            }
        }
        own.marks = config
            .masking
            .marks
            .as_ref()
            .and_then(|marks| format(problems, marks));
        let mut taken = named.clone();
        taken.extend(exact.iter().cloned());
        taken.extend(config.rule_ids.iter().cloned());
        let mut streams: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for rule in config.rules.iter().filter(|r| r.on.value == Stage::Output) {
            let regexes = rule
                .matches
                .regex
                .iter()
                .flat_map(|l| numbered("regex", &l.items));
            let words = rule.matches.words.iter().flat_map(|l| numbered("word", &l.items));
            let patterns: Vec<_> = regexes.chain(words).collect();
            let is_only = patterns.len() == 1;
            for (reason, item) in patterns {
                let regex = if reason.starts_with("word") {
                    stream_word(&item.value)
                } else {
                    item.value.clone()
                };
                if !lint(problems, &item.at, &regex) {
                    continue;
                }
                let id = if is_only {
                    rule.id.value.clone()
                } else {
                    free_id(&mut taken, &rule.id.value)
                };
                streams
                    .entry(rule.id.value.clone())
                    .or_default()
                    .push((id.clone(), reason));
                wanted.push((item.at.clone(), id, regex));
            }
        }
        let set = build(problems, &wanted, &own, &config.masking, options)?;
        let kinds = Self {
            set,
            named,
            exact,
            off,
            streams,
        };
        kinds.check_marks(problems, &wanted, &own, config);
        Some(kinds)
    }

    /// What is masked must not be masked again.
    fn check_marks(
        &self,
        problems: &Problems,
        wanted: &[(At, String, String)],
        own: &Own<'_>,
        config: &PolicyConfig,
    ) {
        let marks = config.masking.marks.as_ref();
        if marks.is_none() && wanted.is_empty() && own.values.is_empty() && own.fields.is_empty() {
            return;
        }
        let ids = config.rule_ids.iter().map(String::as_str);
        let further: Vec<_> = ids.chain(["secret", "request", "gateway-token"]).collect();
        let Err(clash) = self.set.check_marks(&self.mask(&self.named), &further) else {
            return;
        };
        let at = own.place(wanted, &clash.rule);
        problems.add(
            &at.or_else(|| marks.map(|m| m.at.clone())).unwrap_or_else(nowhere),
            format!(
                "the rule of `{}` matches the mark of `{}`",
                clash.rule, clash.kind
            ),
            "what is masked would be masked again",
            "narrow the rule, or write marks in another format",
        );
    }

    /// A mask of these kinds. Values to scrub are in every mask.
    pub(super) fn mask(&self, kinds: &BTreeSet<String>) -> RuleMask {
        self.set.select(|info| kinds.contains(&info.id))
    }

    /// Every secret that `mask` finds, with its name. Of overlapping ones the whole, under one name.
    pub(super) fn scan(&self, mask: &RuleMask, options: &ScanOptions, text: &str) -> Vec<(Range, Name)> {
        let found = self.set.scan_with(mask, options, text.as_bytes()).into_iter();
        found
            .map(|found| {
                let kind = self.set.info(found.rule).map_or("secret", |info| &info.id);
                let name = Name {
                    kind: kind.to_owned(),
                    tag: found.tag,
                };
                (offset(found.start)..offset(found.end), name)
            })
            .collect()
    }

    /// Every secret of `mask` that stands there in encoded form alone, and where that form stands.
    pub(super) fn scan_encoded(
        &self,
        mask: &RuleMask,
        options: &ScanOptions,
        text: &str,
    ) -> Vec<(Range, Name)> {
        let found = views::encoded(&self.set, mask, options, text).into_iter();
        found
            .map(|(range, rule)| {
                let kind = self.set.info(rule).map_or("secret", |info| &info.id);
                (range, Name::new(kind))
            })
            .collect()
    }

    /// The severity of a kind.
    pub(super) fn severity(&self, kind: &str) -> Option<String> {
        let info = self.set.rules().iter().find(|info| info.id == kind)?;
        Some(info.severity.clone()).filter(|s| !s.is_empty())
    }

    /// The kinds that a list in the policy names; `*` is all.
    pub(super) fn resolve(
        &self,
        problems: &Problems,
        items: &[Located<String>],
        all: impl Fn() -> BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut kinds = BTreeSet::new();
        for item in items {
            if item.value == "*" {
                kinds.extend(all());
            } else if self.named.contains(&item.value) {
                kinds.insert(item.value.clone());
            } else {
                if let Some(pack) = self.off.get(&item.value) {
                    let why = format!("the pack \"{pack}\" is not switched on");
                    let mend = format!("write `packs = [\"{pack}\"]` at the top of the policy");
                    let what = format!("the secret kind {} is not looked for", item.shown());
                    problems.add(&item.at, what, why, mend);
                    continue;
                }
                let mend = match nearest(&item.value, self.named.iter().map(String::as_str)) {
                    Some(kind) => format!("did you mean \"{kind}\"?"),
                    None => "use a built-in kind, the id of a pattern in this file, or \"*\"".to_owned(),
                };
                let what = format!("unknown secret kind {}", item.shown());
                problems.add(&item.at, what, "it can never match anything", mend);
            }
        }
        kinds
    }
}

fn lint(problems: &Problems, at: &At, regex: &str) -> bool {
    match RuleSet::builder()
        .pattern("pattern", regex)
        .and_then(|b| b.build())
    {
        Ok(_) => true,
        Err(error) => {
            let why = format!("text is judged while it streams, and {}", error.problem());
            problems.add(at, "the expression cannot run on a stream", why, error.mend());
            false
        }
    }
}

/// What the policy adds beside patterns, checked.
#[derive(Default)]
struct Own<'c> {
    fields: Vec<(&'c FieldConfig, (usize, usize))>,
    values: Vec<(At, String, Vec<Secret>)>,
    marks: Option<MarkFormat>,
}

impl Own<'_> {
    /// Where the rule of this id was asked for.
    fn place(&self, wanted: &[(At, String, String)], id: &str) -> Option<At> {
        let patterns = wanted.iter().map(|(at, id, _)| (at, id));
        let fields = self
            .fields
            .iter()
            .map(|(field, _)| (&field.names.at, &field.id.value));
        let values = self.values.iter().map(|(at, id, _)| (at, id));
        let mut all = patterns.chain(fields).chain(values);
        all.find(|(_, known)| *known == id).map(|(at, _)| at.clone())
    }
}

fn taken(problems: &Problems, id: &Located<String>, what: &str, why: &str) {
    let what = format!("{what} id {} is taken", id.shown());
    problems.add(&id.at, what, why, "choose another name");
}

/// The lengths of a field's values, when the field can be found.
fn check_field(problems: &Problems, field: &FieldConfig) -> Option<(usize, usize)> {
    let length = |given: &Option<Located<u64>>, else_: usize| {
        given
            .as_ref()
            .map_or(else_, |n| usize::try_from(n.value).unwrap_or(usize::MAX))
    };
    let lengths = (length(&field.min, 4), length(&field.max, 256));
    let names = || field.names.items.iter().map(|name| &name.value);
    let refused = |lengths: (usize, usize)| {
        let built = RuleSet::builder().field("field", names(), lengths.0, lengths.1);
        built.err()
    };
    let (at, error) = match (refused((4, 256)), refused(lengths)) {
        (Some(error), _) => (&field.names.at, error),
        (None, Some(error)) => {
            let given = field.max.as_ref().or(field.min.as_ref());
            (given.map_or(&field.names.at, |given| &given.at), error)
        }
        (None, None) => return Some(lengths),
    };
    let why = format!("it {}", error.problem());
    problems.add(at, "the field cannot be found in a text", why, error.mend());
    None
}

fn format(problems: &Problems, config: &MarksConfig) -> Option<MarkFormat> {
    let refuse = |at: &At, error: crate::detect::MarkFormatError| {
        let why = format!("it {}", error.problem());
        problems.add(at, "the format of marks cannot be used", why, error.mend());
    };
    let plain = match &config.format {
        Some(format) => MarkFormat::new(&format.value)
            .map_err(|e| refuse(&format.at, e))
            .ok()?,
        None => MarkFormat::default(),
    };
    match &config.tagged {
        Some(tagged) => plain
            .with_tagged(&tagged.value)
            .map_err(|e| refuse(&tagged.at, e))
            .ok(),
        None => Some(plain),
    }
}

fn build(
    problems: &Problems,
    wanted: &[(At, String, String)],
    own: &Own<'_>,
    masking: &MaskingConfig,
    options: &PolicyOptions,
) -> Option<RuleSet> {
    let is_plain = wanted.is_empty()
        && options.exact.is_empty()
        && own.fields.is_empty()
        && own.values.is_empty()
        && own.marks.is_none()
        && masking.packs.is_empty();
    if let (Ok(set), true) = (&*BUILTIN, is_plain) {
        return Some(set.clone());
    }
    let mut start = masking
        .packs
        .iter()
        .fold(RuleSet::builder().builtin(), |b, pack| b.pack(*pack));
    if let Some(marks) = &own.marks {
        start = start.marks(marks.clone());
    }
    let built = wanted
        .iter()
        .try_fold(start, |b: RuleSetBuilder, (_, id, regex)| b.pattern(id, regex));
    let built = own.fields.iter().fold(built, |b, (field, (min, max))| {
        let names = field.names.items.iter().map(|name| &name.value);
        b.and_then(|b| b.field(&field.id.value, names, *min, *max))
    });
    let built = built.map(|b| {
        own.values
            .iter()
            .fold(b, |b, (_, id, values)| b.exact_values(id, values))
    });
    let built = built.map(|b| {
        options
            .exact
            .iter()
            .fold(b, |b, (id, value)| b.exact_values(id, &known_forms(value)))
    });
    match built.and_then(|b| b.build()) {
        Ok(set) => Some(set),
        Err(error) => {
            let at = own.place(wanted, error.rule()).unwrap_or_else(nowhere);
            problems.add(
                &at,
                format!("rule `{}` does not compile", error.rule()),
                error.problem(),
                error.mend(),
            );
            None
        }
    }
}

fn nowhere() -> At {
    At {
        line: 1,
        key: String::new(),
    }
}

pub(super) fn offset(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
