//! Whether a rule matches: every condition of it, on one subject.

use std::collections::BTreeSet;

use super::look::{Asked, Looked, Sight, Subject};
use super::matcher::{Glob, TextRegex};
use super::rule::{Commands, Found, Matcher};
use super::scope::Active;
use crate::detect::Judgement;

/// Longest name of a parameter that a reason tells.
const LONGEST_NAME: usize = 64;

impl Matcher {
    /// Looks at one subject. `active` has the kinds that are looked for. The error says why the rule does not match.
    pub(super) fn look(
        &self,
        sight: &Sight<'_>,
        active: &Active,
        subject: &Subject<'_>,
    ) -> Result<Found, &'static str> {
        let mut found = Found::default();
        self.look_at_whole(subject, &mut found)?;
        if let Some(commands) = &self.commands {
            let call = subject.call.as_ref().ok_or("it is no tool call")?;
            let reasons = commands.of(call.judgement(sight.policy));
            if reasons.is_empty() {
                return Err("the call does nothing of the kind");
            }
            found.reasons.extend(reasons);
        }
        let texts = &subject.texts;
        if !self.regexes.is_empty() {
            found
                .add_all("regex", &self.regexes, texts)
                .ok_or("no regex matches")?;
        }
        if !self.words.is_empty() {
            found
                .add_all("word", &self.words, texts)
                .ok_or("none of the words is there")?;
        }
        if self.hidden {
            let places = |looked: &Looked<'_>| looked.hidden().to_vec();
            found
                .add_places("hidden characters", texts, places)
                .ok_or("there are no hidden characters")?;
        }
        if self.links {
            let places = |looked: &Looked<'_>| looked.links(sight.policy).to_vec();
            found
                .add_places("link to a foreign host", texts, places)
                .ok_or("no link leads to a foreign host")?;
        }
        if let Some(intents) = &self.intents {
            let mut ids = BTreeSet::new();
            for (n, looked) in texts.iter().enumerate() {
                for (id, range) in looked.intents().iter().filter(|(id, _)| intents.contains(id)) {
                    ids.insert(*id);
                    if n == 0 {
                        found.spans.push((range.clone(), None));
                    }
                }
            }
            if ids.is_empty() {
                return Err("none of its intents is there");
            }
            found
                .reasons
                .extend(ids.into_iter().map(|id| format!("intent {id}")));
        }
        if let Some(secrets) = &self.secrets {
            for (n, looked) in texts.iter().enumerate() {
                for (range, name) in active.scan(sight, secrets.encoded, looked) {
                    found.kinds.insert(name.kind.clone());
                    if n == 0 {
                        found.spans.push((range, Some(name)));
                    }
                }
            }
            if found.kinds.is_empty() {
                return Err(if secrets.encoded {
                    "no encoded secret of its kinds is there"
                } else {
                    "no secret of its kinds is there"
                });
            }
            let how = if secrets.encoded { ", encoded" } else { "" };
            let reason = |kind: &String| format!("secret kind {kind}{how}");
            found.reasons.extend(found.kinds.iter().map(reason));
        }
        Ok(found)
    }

    /// The conditions on what is no text: sizes, tools, what a request asks for.
    fn look_at_whole(&self, subject: &Subject<'_>, found: &mut Found) -> Result<(), &'static str> {
        if let Some(limit) = self.size_over {
            let size = subject.size;
            if size as u64 <= limit {
                return Err("it is not over the size");
            }
            found.reasons.push(format!("size {size} over {limit}"));
        }
        if !self.tools.is_empty() {
            let name = subject.call.as_ref().map_or("", |call| call.name);
            let reason = one_of("tool", &self.tools, name).ok_or("it is none of the tools")?;
            found.reasons.push(reason);
        }
        let nothing = Asked::default();
        let asked = subject.asked.unwrap_or(&nothing);
        if !self.routes.is_empty() {
            let reason =
                one_of("route", &self.routes, &asked.route).ok_or("the route is none of its routes")?;
            found.reasons.push(reason);
        }
        if !self.parameters.is_empty() {
            let wanted = |name: &&String| self.parameters.iter().any(|glob| glob.is_match(name));
            let names: Vec<_> = asked.parameters.iter().filter(wanted).collect();
            if names.is_empty() {
                return Err("none of its parameters is set");
            }
            found
                .reasons
                .extend(names.into_iter().map(|name| parameter(name)));
        }
        if let Some(limit) = self.code_over {
            // The code is no longer than the text.
            let bytes = if subject.size as u64 > limit {
                subject.code_bytes()
            } else {
                0
            };
            if bytes as u64 <= limit {
                return Err("there is not so much code");
            }
            found.reasons.push(format!("code {bytes} over {limit}"));
        }
        Ok(())
    }
}

/// The name is the client's: it is told when it is a plain one.
fn parameter(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    if name.len() <= LONGEST_NAME && name.chars().all(is_plain) {
        format!("parameter {name}")
    } else {
        "parameter".to_owned()
    }
}

fn one_of(what: &str, globs: &[Glob], text: &str) -> Option<String> {
    let n = globs.iter().position(|glob| glob.is_match(text))?;
    Some(format!("{what} {} of {}", n + 1, globs.len()))
}

// === impl Commands ===

impl Commands {
    /// The reasons among these findings, without repeats.
    pub(super) fn of(&self, judgement: &Judgement) -> Vec<String> {
        let counts = |f: &&crate::detect::Finding| {
            f.danger >= self.danger && (self.classes.is_empty() || self.classes.contains(&f.class))
        };
        let reasons: BTreeSet<_> = judgement
            .findings
            .iter()
            .filter(counts)
            .map(|f| format!("command {}", f.rule))
            .collect();
        reasons.into_iter().collect()
    }
}

// === impl Found ===

impl Found {
    fn add_all(&mut self, what: &str, regexes: &[TextRegex], texts: &[Looked<'_>]) -> Option<()> {
        let before = self.reasons.len();
        for (n, regex) in regexes.iter().enumerate() {
            if texts.iter().any(|t| regex.is_match(t.text)) {
                self.reasons
                    .push(format!("{what} {} of {}", n + 1, regexes.len()));
                let spans = texts.first().into_iter().flat_map(|t| regex.find_all(t.text));
                self.spans.extend(spans.map(|range| (range, None)));
            }
        }
        (self.reasons.len() > before).then_some(())
    }

    fn add_places(
        &mut self,
        reason: &str,
        texts: &[Looked<'_>],
        places: impl Fn(&Looked<'_>) -> Vec<std::ops::Range<usize>>,
    ) -> Option<()> {
        let mut any = false;
        for (n, looked) in texts.iter().enumerate() {
            let places = places(looked);
            any |= !places.is_empty();
            if n == 0 {
                self.spans.extend(places.into_iter().map(|range| (range, None)));
            }
        }
        any.then(|| self.reasons.push(reason.to_owned()))
    }
}
