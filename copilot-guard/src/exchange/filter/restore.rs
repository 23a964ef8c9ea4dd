//! Takes marks back where the text is prose: a mark is held until it is complete, and on to the blank behind it.
//!
//! 1. Where a text of the answer ends within something, no later one counts as prose: clients may join them.
//! 2. What is shown is judged with the value in it, as far as the line has come: what the person's rules would mask or end
//!    the answer for, other than the value as the secret that it is, leaves the mark as it was.

use super::super::reversal::{Reversal, Reversals};
use super::super::watched::Scene;
use super::prose::Prose;
use crate::decision::{Action, RuleHit, Stage};
use crate::detect::link;

/// The name in records.
const ID: &str = "restored-mark";
/// Most marks of one text that are taken back: each is judged.
const MOST: usize = 64;
/// Most signs that may stand between a mark and the blank behind it.
const MOST_SIGNS: usize = 4;

/// The marks of one text.
pub(in super::super) struct Restore {
    reversals: Reversals,
    prose: Prose,
    held: String,
    count: usize,
}

impl Restore {
    pub(in super::super) fn new(reversals: Reversals) -> Self {
        Self {
            reversals,
            prose: Prose::default(),
            held: String::new(),
            count: 0,
        }
    }

    /// Takes the next piece of what may be shown, and appends what is. With `is_last` the text ends.
    pub(in super::super) fn run(
        &mut self,
        scene: &mut Scene<'_>,
        text: &str,
        is_last: bool,
        out: &mut String,
    ) {
        let before = out.len();
        self.held.push_str(text);
        let text = std::mem::take(&mut self.held);
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            let taken = if !self.reversals.begin_with(c) {
                out.push(c);
                self.prose.take(c);
                c.len_utf8()
            } else if let Some(reversal) = self.reversals.at_start(rest) {
                let behind = rest.get(reversal.mark.len()..).unwrap_or_default();
                let Some(ends) = ends(behind, is_last) else {
                    break;
                };
                if ends && self.count < MOST && self.may_show(scene, reversal) {
                    self.count += 1;
                    scene.note(hit(scene, reversal));
                    out.push_str(&reversal.restored);
                    self.prose.read(&reversal.value);
                } else {
                    out.push_str(&reversal.mark);
                    self.prose.read(&reversal.mark);
                }
                reversal.mark.len()
            } else if !is_last && self.reversals.may_begin(rest) {
                break;
            } else {
                let c = rest.get(..c.len_utf8()).unwrap_or_default();
                out.push_str(c);
                self.prose.read(c);
                c.len()
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        rest.clone_into(&mut self.held);
        // A carriage return does not end a piece: VS Code drops it there.
        if !self.held.is_empty() && out.len() > before && out.ends_with('\r') {
            out.pop();
            self.held.insert(0, '\r');
        }
        if is_last {
            scene.findings.unsure |= !self.prose.is_closed();
            (self.prose, self.count) = (Prose::default(), 0);
        }
    }

    fn may_show(&self, scene: &Scene<'_>, reversal: &Reversal) -> bool {
        if scene.findings.unsure || !self.prose.is_here() {
            return false;
        }
        let line = self.prose.line();
        let text = format!("{line}{} ", reversal.value.as_str());
        let value = line.len()..line.len() + reversal.value.len();
        let touches = |start: usize, end: usize| start < value.end && end > value.start;
        if link::find(&text, 0)
            .iter()
            .any(|found| touches(found.range.start, found.range.end))
        {
            return false;
        }
        let verdict = scene.policy.part(Stage::Output, &scene.place.to_string(), &text);
        let is_itself =
            |mask: &crate::policy::MaskSpan| (mask.start..mask.end) == value && mask.kind == reversal.kind;
        verdict.decision.action <= Action::Mask
            && verdict
                .masks
                .iter()
                .all(|mask| is_itself(mask) || !touches(mask.start, mask.end))
    }
}

/// Whether a word ends here: at a blank, perhaps behind a few signs. `None`: that is not known yet.
fn ends(behind: &str, is_last: bool) -> Option<bool> {
    let rest = behind.trim_start_matches(['.', ',', ';', '!', '?', '\'', '"', '*', '_', '|']);
    if behind.len() - rest.len() > MOST_SIGNS {
        return Some(false);
    }
    match rest.chars().next() {
        None => is_last.then_some(true),
        Some(c) => Some(matches!(c, ' ' | '\t' | '\n' | '\r')),
    }
}

fn hit(scene: &Scene<'_>, reversal: &Reversal) -> RuleHit {
    RuleHit {
        id: ID.to_owned(),
        action: Action::Allow,
        stage: Stage::Output,
        place: scene.place.to_string(),
        reason: format!("the person's own {} was put back for reading", reversal.kind),
        observed_only: false,
        severity: None,
        tags: Vec::new(),
    }
}
