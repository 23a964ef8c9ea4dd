//! What redaction means, said once more and slowly: every rule, every start, every end, on the whole text.
//!
//! Shares no code with the engine. It reads the same table with a loader of its own and runs a backtracking-free
//! simulation (`PikeVM`) at every place of the text; nothing is streamed, skipped or remembered.

use std::collections::BTreeSet;

use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::{Anchored, Input, MatchKind, meta};

pub(super) struct Rule {
    pub(super) id: String,
    boundary: bool,
    context: Option<PikeVM>,
    secret: PikeVM,
    glance: meta::Regex,
    after: Option<meta::Regex>,
    check: Option<toml::Table>,
    /// Texts that are let through; what is asked about may be the beginning of one.
    allowed: Vec<Vec<u8>>,
    pub(super) hits: Vec<String>,
    pub(super) misses: Vec<String>,
}

pub(super) struct Oracle {
    pub(super) rules: Vec<Rule>,
    pub(super) words: toml::Table,
}

fn spelled_out(regex: &str) -> String {
    // Splitting at escaped backslashes leaves only backslashes that escape what follows.
    let parts: Vec<String> = regex
        .split(r"\\")
        .map(|p| {
            p.replace(r"\w", "[A-Za-z0-9_]")
                .replace(r"\W", "[^A-Za-z0-9_]")
                .replace(r"\d", "[0-9]")
                .replace(r"\s", r"[\t\n\x0B\x0C\r ]")
        })
        .collect();
    parts.join(r"\\")
}

fn machine(regex: &str) -> PikeVM {
    PikeVM::builder()
        .configure(PikeVM::config().match_kind(MatchKind::All))
        .build(&spelled_out(regex))
        .unwrap()
}

impl Rule {
    pub(super) fn new(id: &str, boundary: bool, context: &str, secret: &str, after: Option<&str>) -> Self {
        let after = after.map(|a| {
            let bytes = regex_automata::util::syntax::Config::new()
                .unicode(false)
                .utf8(false);
            meta::Builder::new().syntax(bytes).build(a).unwrap()
        });
        Self {
            id: id.to_owned(),
            boundary,
            context: (!context.is_empty()).then(|| machine(context)),
            secret: machine(secret),
            glance: meta::Regex::new(&spelled_out(&format!("(?:{context})(?:{secret})"))).unwrap(),
            after,
            check: None,
            allowed: Vec::new(),
            hits: Vec::new(),
            misses: Vec::new(),
        }
    }

    pub(super) fn allowing(mut self, values: &[&str]) -> Self {
        self.allowed = values.iter().map(|v| v.as_bytes().to_vec()).collect();
        self
    }

    /// All spans of this rule: for each start, the longest that counts.
    pub(super) fn spans(&self, text: &[u8], words: &toml::Table) -> Vec<(usize, usize)> {
        if !self.glance.is_match(text) {
            return Vec::new();
        }
        let mut starts = BTreeSet::new();
        for s in 0..text.len() {
            if self.boundary && s > 0 && (text[s - 1].is_ascii_alphanumeric() || text[s - 1] == b'_') {
                continue;
            }
            match &self.context {
                None => drop(starts.insert(s)),
                Some(context) => starts.extend(ends(context, text, s)),
            }
        }
        starts
            .into_iter()
            .filter_map(|a| self.span(text, a, words))
            .collect()
    }

    fn span(&self, text: &[u8], a: usize, words: &toml::Table) -> Option<(usize, usize)> {
        let counts =
            |b: &usize| *b == text.len() || self.after.as_ref().is_none_or(|s| s.is_match(&text[*b..*b + 1]));
        let all: Vec<usize> = ends(&self.secret, text, a).into_iter().filter(counts).collect();
        let (shortest, longest) = (*all.last()?, *all.first()?);
        let asked = match &self.check {
            Some(check) if check["on"].as_str() == Some("shortest") => Some((check, &text[a..shortest])),
            Some(check) => Some((check, &text[a..longest])),
            None => None,
        };
        let certain = asked.map_or(&text[a..shortest], |(_, secret)| secret);
        if self.allowed.iter().any(|value| value.starts_with(certain)) {
            return None;
        }
        asked
            .is_none_or(|(check, secret)| passes(check, secret, words))
            .then_some((a, longest))
    }
}

/// Where matches that begin at `start` end, longest first.
fn ends(machine: &PikeVM, text: &[u8], start: usize) -> Vec<usize> {
    let mut cache = machine.create_cache();
    let mut found = Vec::new();
    let mut limit = text.len();
    while limit > start {
        let input = Input::new(text).range(start..limit).anchored(Anchored::Yes);
        let Some(hit) = machine.find(&mut cache, input) else {
            break;
        };
        found.push(hit.end());
        limit = hit.end() - 1;
    }
    found
}

fn passes(check: &toml::Table, secret: &[u8], words: &toml::Table) -> bool {
    let text: String = secret.iter().map(|b| char::from(*b)).collect();
    let lower = text.to_ascii_lowercase();
    let list = |name: &str| {
        words[name]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    if text.contains("[REDACTED:") {
        return false;
    }
    if let Some(checksum) = check.get("checksum").and_then(|c| c.as_str())
        && matches!(checksum, "github" | "npm")
        && has_right_crc(&text)
    {
        return true;
    }
    if check.get("random").is_some() && !is_random(&text) {
        return false;
    }
    if check.get("no-placeholder").is_some() {
        let filled = ["${", "$(", "{{", "<%"].iter().any(|p| text.contains(p))
            || text.starts_with("#{")
            || text.starts_with('<') && text.ends_with('>') && text.len() > 1
            || text.starts_with('{') && text.ends_with('}') && text.len() > 1
            || text.starts_with('%') && text.ends_with('%')
            || text
                .strip_prefix('$')
                .is_some_and(|r| r.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()))
            || secret.iter().collect::<BTreeSet<_>>().len() < 2;
        if filled
            || list("words")
                .iter()
                .any(|w| lower.contains(&w.to_ascii_lowercase()))
            || list("look-ups").iter().any(|w| text.contains(w))
            || list("whole").iter().any(|w| lower == w.to_ascii_lowercase())
        {
            return false;
        }
    }
    if check.get("digit-and-letter").is_some()
        && !(text.contains(|c: char| c.is_ascii_digit()) && text.contains(|c: char| c.is_ascii_alphabetic()))
    {
        return false;
    }
    let least = check.get("entropy").map_or(0.0, |e| e.as_float().unwrap());
    entropy(&text) + 1e-9 >= least
}

/// The last six of 36 characters after `ghp_` are the CRC-32 of the others, in base 62.
fn has_right_crc(token: &str) -> bool {
    let (Some(random), Some(given)) = (token.get(4..34), token.get(34..40)) else {
        return false;
    };
    let mut crc = u32::MAX;
    for byte in random.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc % 2 == 1 {
                (crc / 2) ^ 0xEDB8_8320
            } else {
                crc / 2
            };
        }
    }
    let digits: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').collect();
    let value = given.chars().try_fold(0u64, |v, c| {
        Some(v * 62 + digits.iter().position(|d| *d == c)? as u64)
    });
    value == Some(u64::from(!crc))
}

/// As `check.rs` says: letters after digits, kinds that change often, or a high entropy; but no date.
fn is_random(text: &str) -> bool {
    let kind = |c: char| match c {
        '0'..='9' => 'd',
        'a'..='z' => 'l',
        'A'..='Z' => 'u',
        _ => '-',
    };
    let kinds: Vec<char> = text.chars().map(kind).collect();
    let pairs: Vec<&[char]> = kinds
        .windows(2)
        .filter(|w| w[0] != w[1] && !w.contains(&'-'))
        .collect();
    let after_digits = pairs.iter().filter(|w| w[0] == 'd').count();
    let n = kinds.iter().filter(|k| **k != '-').count() as f64;
    let both = kinds.contains(&'d') && (kinds.contains(&'l') || kinds.contains(&'u'));
    let many_digits = after_digits >= 2 && after_digits as f64 >= n / 24.0;
    let many_changes = n >= 16.0 && pairs.len() as f64 >= n * 11.0 / 20.0;
    let dense = n >= 20.0 && n >= kinds.len() as f64 * 7.0 / 8.0 && entropy(text) + 1e-9 >= 4.2;
    let dashes: Vec<char> = text.chars().take(8).collect();
    let date = dashes.len() == 8
        && (0..8).all(|i| match i {
            4 | 7 => dashes[i] == '-',
            _ => dashes[i].is_ascii_digit(),
        });
    both && !date && (many_digits || many_changes || dense)
}

fn entropy(text: &str) -> f64 {
    let len = text.chars().count() as f64;
    ('\0'..='\u{ff}')
        .map(|c| text.chars().filter(|t| *t == c).count() as f64 / len)
        .filter(|p| *p > 0.0)
        .map(|p| -p * p.log2())
        .sum()
}

impl Oracle {
    pub(super) fn toy(rules: Vec<Rule>) -> Self {
        Self {
            rules,
            words: toml::Table::new(),
        }
    }

    /// The table that the engine ships, read by a loader of its own.
    pub(super) fn builtin() -> Self {
        Self::table(None)
    }

    /// The rules of one pack, or those of none.
    pub(super) fn table(pack: Option<&str>) -> Self {
        // Any order will do: the order of the rules changes names only.
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/detect/rules");
        let mut table = toml::Table::new();
        let mut all = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|e| e == "toml") {
                let mut file: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
                if let Some(toml::Value::Array(rules)) = file.remove("rule") {
                    all.extend(rules);
                }
                table.extend(file);
            }
        }
        let strings = |rule: &toml::Table, key: &str| -> Vec<String> {
            rule[key]
                .as_array()
                .unwrap()
                .iter()
                .map(|s| s.as_str().unwrap().replace('|', ""))
                .collect()
        };
        let rules = all
            .iter()
            .map(|r| r.as_table().unwrap())
            .filter(|r| r.get("pack").and_then(|p| p.as_str()) == pack)
            .map(|r| {
                let get = |key: &str| r.get(key).and_then(|v| v.as_str());
                let boundary = get("before") != Some("any");
                let mut rule = Rule::new(
                    get("id").unwrap(),
                    boundary,
                    get("context").unwrap_or(""),
                    get("secret").unwrap(),
                    get("after"),
                );
                rule.check = r.get("check").map(|c| c.as_table().unwrap().clone());
                (rule.hits, rule.misses) = (strings(r, "hit"), strings(r, "miss"));
                rule
            });
        Self {
            rules: rules.collect(),
            words: table["placeholders"].as_table().unwrap().clone(),
        }
    }

    /// All spans of all rules, with the rule's number.
    pub(super) fn spans(&self, text: &[u8]) -> Vec<(usize, usize, usize)> {
        let mut all = Vec::new();
        for (i, rule) in self.rules.iter().enumerate() {
            all.extend(rule.spans(text, &self.words).into_iter().map(|(a, b)| (a, b, i)));
        }
        all.sort_unstable();
        all
    }

    /// The groups of overlapping spans.
    pub(super) fn groups(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let mut groups: Vec<(usize, usize)> = Vec::new();
        for (a, b, _) in self.spans(text) {
            match groups.last_mut() {
                Some(last) if a < last.1 => last.1 = last.1.max(b),
                _ => groups.push((a, b)),
            }
        }
        groups
    }
}
