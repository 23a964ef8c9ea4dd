//! Names of a script: what they hold, from where the shell takes it, and the folder and files that go with them.

use super::bound::LONGEST;
use super::flow::Flow;
use super::script::Walker;
use super::state::{MOST_NAMES, Value};
use super::words::Note;

/// Stands for the folder among the names: no variable is called so.
const FOLDER: &str = "/folder";

/// They hold what the machine gives them, until a script sets them.
const MACHINE_NAMES: &[&str] = &["HOME", "PWD", "SHELL", "BASH", "TMPDIR"];

/// The shell sets them by itself.
const SHELL_NAMES: &[&str] = &[
    "_",
    "REPLY",
    "BASH_REMATCH",
    "MAPFILE",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "LINENO",
    "PIPESTATUS",
    "FUNCNAME",
    "DIRSTACK",
    "COPROC",
    "PPID",
    "UID",
    "EUID",
    "GROUPS",
    "HOSTNAME",
    "BASHPID",
    "BASH_COMMAND",
    "BASH_SUBSHELL",
    "BASH_LINENO",
    "BASH_SOURCE",
    "BASH_ARGV",
    "BASH_ARGC",
    "BASH_ARGV0",
    "EPOCHSECONDS",
    "EPOCHREALTIME",
    "SHLVL",
    "BASHOPTS",
    "SHELLOPTS",
    "?",
    "!",
    "$",
    "#",
    "-",
];

impl Walker<'_> {
    /// What a variable holds, as far as it is known.
    pub(super) fn variable(&mut self, name: &str) -> Option<Flow> {
        self.value(name).map(|value| value.flow)
    }

    /// What a variable, an array or a parameter holds, as far as it is known.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        if self.spent > 8 * LONGEST {
            // It has been blocked, and what would be copied for each further name is long.
            return Some(Value::default());
        }
        let value = self.known_value(name);
        let length = value
            .as_ref()
            .and_then(|value| value.flow.text.as_ref())
            .map_or(0, String::len);
        self.spent += length / 8;
        value
    }

    fn known_value(&mut self, name: &str) -> Option<Value> {
        if let Some(at) = name.parse::<usize>().ok().filter(|at| *at > 0)
            && let Some(all) = self.state.value("@")
        {
            let value = match all.list {
                Some(list) => list
                    .get(at - 1)
                    .map_or_else(|| Flow::known(String::new()), super::expand::flow_of),
                None => Flow::of(all.flow.bits()),
            };
            return Some(Value::one(value));
        }
        if let Some(mut value) = self.state.value(if name == "*" { "@" } else { name }) {
            if SHELL_NAMES.contains(&name) {
                value.flow.text = None;
                value.list = None;
            }
            return Some(value);
        }
        let is_rebound = self.cx.is_rebound && MACHINE_NAMES.contains(&name);
        let known = match name {
            _ if is_rebound => return None,
            "HOME" => "~",
            "PWD" => ".",
            "SHELL" | "BASH" | "0" => "bash",
            "IFS" => " \t\n",
            "TMPDIR" => "/tmp",
            // Empty outside of functions and scripts with arguments.
            "@" | "*" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" if self.inside.is_empty() => {
                return Some(Value::default());
            }
            _ => return None,
        };
        Some(Value::one(Flow::known(known.to_owned())))
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, name: &str, value: Flow) {
        self.set_value(name, Value::one(value));
    }

    /// Sets a variable or array.
    pub(super) fn set_value(&mut self, name: &str, value: Value) {
        self.cx.is_rebound |= MACHINE_NAMES.contains(&name);
        if !self.state.set(name, value) {
            self.out
                .approve("unclear/too-long", "a script with very many variables");
        }
    }

    /// A variable holds what nobody knows, with these bits.
    pub(super) fn forget(&mut self, name: &str, bits: u8) {
        self.set(name, Flow::of(bits));
    }

    /// The folder that a command runs in.
    pub(super) fn folder(&mut self) -> String {
        let known = self.state.value(FOLDER);
        match known {
            None => self.cx.folder.to_owned(),
            Some(value) => match value.flow.text {
                Some(text) => text,
                None => super::words::UNKNOWN.to_string(),
            },
        }
    }

    /// The folders that may be the current one, where none is chosen.
    pub(super) fn folders(&mut self) -> Vec<String> {
        let chosen = self.folder();
        if !chosen.contains(super::words::UNKNOWN) {
            return vec![chosen];
        }
        let possible = self.state.possible(FOLDER);
        let mut folders: Vec<String> = possible.into_iter().filter_map(|value| value.flow.text).collect();
        folders.push(chosen);
        folders
    }

    /// The script goes to a folder: one that it names, or one where it has been.
    pub(super) fn go(&mut self, folder: Option<String>) {
        let known = |text: String| Value::one(Flow::known(text));
        match folder {
            Some(folder) => {
                if !self.visited.contains(&folder) && self.visited.len() < 8 {
                    self.visited.push(folder.clone());
                }
                // Where a script begins is a folder like another.
                if self.state.possible(FOLDER).is_empty() {
                    self.state
                        .put_back(FOLDER, vec![known(self.cx.folder.to_owned())]);
                }
                self.state.set(FOLDER, known(folder));
            }
            None => {
                let visited = self.visited.iter().rev().cloned().map(known).collect();
                self.state.set_any(FOLDER, visited);
            }
        }
    }

    /// Remembers what was written to a file.
    pub(super) fn write(&mut self, path: &str, flow: Flow) {
        if self.files.len() < MOST_NAMES || self.files.contains_key(path) {
            self.state.changes += 1;
            self.files.entry(path.to_owned()).or_default().join(flow);
        } else {
            self.out
                .approve("unclear/too-long", "a script that writes very many files");
        }
    }
}
