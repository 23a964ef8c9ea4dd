//! What the names of a script stand for while it is walked: variables, arrays, parameters, and the folder.
//!
//! 1. A condition is a frame: bodies of `if`, of loops and functions, what stands behind `&&`, subshells, pipes.
//! 2. Within its frame, what was set last is what a name holds. When the frame is left, it may hold that or what it held
//!    before: both are possible, and neither is forgotten.
//! 3. A command is judged once for each way to choose among them ([`State::advance`]). Too many ways make a name unknown.

use std::collections::HashMap;

use super::flow::Flow;
use super::words::Word;

/// Most names that are remembered.
pub(super) const MOST_NAMES: usize = 256;
/// Most elements of an array.
const MOST_ELEMENTS: usize = 256;
/// Most values that one name may hold.
const MOST_VALUES: usize = 8;
/// Most ways to choose values in one command.
const MOST_WORLDS: usize = 16;
/// A frame that is left from the start.
const NEVER: u32 = u32::MAX;

/// What a name may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// The value; of an array, its first element.
    pub(super) flow: Flow,
    /// The elements of an array, in order, when they are known.
    pub(super) list: Option<Vec<Word>>,
}

impl Value {
    /// No array.
    pub(super) const fn one(flow: Flow) -> Self {
        Self { flow, list: None }
    }

    /// An array. One that is too long is not known.
    pub(super) fn many(list: Vec<Word>) -> Self {
        if list.len() > MOST_ELEMENTS {
            return Self::default();
        }
        let flow = list
            .first()
            .map_or_else(|| Flow::known(String::new()), super::expand::flow_of);
        Self {
            flow,
            list: Some(list),
        }
    }
}

struct Variable {
    now: Value,
    /// Where it was set.
    frame: u32,
    /// What it may hold when that frame is left.
    before: Vec<Value>,
}

/// A choice among values, in one command.
struct Choice {
    name: String,
    of: usize,
    which: usize,
}

/// Names and what they stand for.
#[derive(Default)]
pub(super) struct State {
    variables: HashMap<String, Variable>,
    frames: Vec<u32>,
    frames_so_far: u32,
    choices: Option<Vec<Choice>>,
    /// Counts what was set to something else than before: the next turn of a loop may differ.
    pub(super) changes: u32,
}

impl State {
    /// A condition begins.
    pub(super) fn begin(&mut self) {
        self.frames_so_far = self.frames_so_far.saturating_add(1);
        self.frames.push(self.frames_so_far);
    }

    /// The latest condition ends.
    pub(super) fn end(&mut self) {
        self.frames.pop();
    }

    /// A command begins: its names choose their first values. Gives the choices of the one around it.
    pub(super) fn choose(&mut self) -> Choices {
        Choices(self.choices.replace(Vec::new()))
    }

    /// The next way to choose. `false` when there is none left.
    pub(super) fn advance(&mut self) -> bool {
        let mut choices = self.choices.iter_mut().flatten();
        choices.any(|choice| {
            choice.which += 1;
            if choice.which == choice.of {
                choice.which = 0;
            }
            choice.which != 0
        })
    }

    /// The command has ended, and the one around it goes on.
    pub(super) fn restore(&mut self, choices: Choices) {
        self.choices = choices.0;
    }

    /// Which of so many to take for a name in this command. `None`: they are too many, or this is no command.
    pub(super) fn pick(&mut self, name: &str, of: usize) -> Option<usize> {
        let choices = self.choices.as_mut().filter(|_| of > 1)?;
        if let Some(choice) = choices.iter().find(|choice| choice.name == name) {
            return Some(choice.which).filter(|_| choice.of == of);
        }
        let worlds: usize = choices.iter().map(|choice| choice.of).product();
        if worlds * of > MOST_WORLDS {
            return None;
        }
        choices.push(Choice {
            name: name.to_owned(),
            of,
            which: 0,
        });
        Some(0)
    }

    fn is_active(&self, frame: u32) -> bool {
        frame == 0 || self.frames.contains(&frame)
    }

    /// All that a name may hold; nothing for one that was not set.
    pub(super) fn possible(&self, name: &str) -> Vec<Value> {
        let Some(variable) = self.variables.get(name) else {
            return Vec::new();
        };
        let mut values = vec![variable.now.clone()];
        if !self.is_active(variable.frame) {
            for value in &variable.before {
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
        }
        if values.len() > MOST_VALUES {
            let bits = values.iter().fold(0, |bits, value| bits | value.flow.bits());
            values = vec![Value::one(Flow::of(bits))];
        }
        values
    }

    /// What a name holds here.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        let mut values = self.possible(name);
        match values.len() {
            0 => None,
            1 => values.pop(),
            of => match self.pick(name, of) {
                Some(which) => values.into_iter().nth(which),
                None => Some(any_of(&values)),
            },
        }
    }

    /// Sets a name. `false` when there are too many.
    pub(super) fn set(&mut self, name: &str, value: Value) -> bool {
        let frame = self.frames.last().copied().unwrap_or_default();
        let known = self.variables.get(name);
        if known.is_none() && self.variables.len() >= MOST_NAMES {
            return false;
        }
        let before = match known {
            // What is set twice in one frame is what was set last.
            Some(known) if known.frame == frame => {
                self.changes += u32::from(known.now != value);
                self.variables
                    .remove(name)
                    .map(|known| known.before)
                    .unwrap_or_default()
            }
            Some(known) => {
                self.changes += u32::from(known.now != value);
                self.possible(name)
            }
            None => vec![Value::one(Flow::known(String::new()))],
        };
        self.variables.insert(
            name.to_owned(),
            Variable {
                now: value,
                frame,
                before,
            },
        );
        true
    }

    /// A name may hold any of these.
    pub(super) fn set_any(&mut self, name: &str, values: Vec<Value>) {
        let mut values = values.into_iter();
        if let Some(now) = values.next() {
            self.changes += 1;
            self.variables.insert(
                name.to_owned(),
                Variable {
                    now,
                    frame: NEVER,
                    before: values.collect(),
                },
            );
        }
    }

    /// Gives back what a name held before, as at the end of a call. Nothing: it was not set.
    pub(super) fn put_back(&mut self, name: &str, values: Vec<Value>) {
        let changes = self.changes;
        self.variables.remove(name);
        self.set_any(name, values);
        self.changes = changes;
    }
}

/// The choices of a command that waits for an inner one.
pub(super) struct Choices(Option<Vec<Choice>>);

impl Choices {
    /// No command: names that may hold several values are not chosen for.
    pub(super) const fn none() -> Self {
        Self(None)
    }
}

/// One value for several: what all of them may be.
fn any_of(values: &[Value]) -> Value {
    let mut flow = Flow::default();
    let is_known = values
        .iter()
        .all(|value| value.list.is_none() && (value.flow.text.is_some() || !value.flow.paths.is_empty()));
    for value in values {
        flow.add(value.flow.bits());
        if is_known {
            flow.paths.extend(value.flow.text.as_ref().map(|text| Word {
                text: text.clone(),
                dynamic: true,
            }));
            flow.paths.extend(value.flow.paths.iter().cloned());
        }
    }
    Value::one(flow)
}

#[cfg(test)]
mod tests {
    use super::{Flow, State, Value};

    fn known(text: &str) -> Value {
        Value::one(Flow::known(text.to_owned()))
    }

    #[test]
    fn what_a_condition_sets_is_possible_behind_it() {
        let mut state = State::default();
        state.set("x", known("a"));
        state.begin();
        state.set("x", known("b"));
        assert_eq!(state.possible("x"), [known("b")]);
        state.end();
        assert_eq!(state.possible("x"), [known("b"), known("a")]);
        state.set("x", known("c"));
        assert_eq!(state.possible("x"), [known("c")]);
    }

    #[test]
    fn each_way_to_choose_comes_once() {
        let mut state = State::default();
        state.set_any("x", vec![known("a"), known("b")]);
        state.set_any("y", vec![known("c"), known("d")]);
        let around = state.choose();
        let mut seen = Vec::new();
        loop {
            seen.push((state.value("x"), state.value("y")));
            if !state.advance() {
                break;
            }
        }
        state.restore(around);
        assert_eq!(seen.len(), 4);
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }
}
