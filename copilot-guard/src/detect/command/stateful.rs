//! Builtins that change what is known: names, parameters, folders, aliases, and scripts of the same shell.

use super::expand::{Mode, flow_of};
use super::flow::Flow;
use super::script::{Walker, nested};
use super::simple::number;
use super::state::Value;
use super::words::{Note, UNKNOWN, Word};
use super::{assign, paths, programs};

/// Most aliases that are remembered.
const MOST_ALIASES: usize = 64;

impl Walker<'_> {
    /// What a builtin prints, if it is one that is followed. `None`: it is judged as a program is.
    pub(super) fn stateful(&mut self, name: &str, args: &[Word], stdin: &Flow) -> Option<Flow> {
        match name {
            "let" | "test" | "[" | "unset" => {
                // A subscript is arithmetic, and what stands in it is run.
                let subscripts = args
                    .iter()
                    .filter(|arg| arg.text.contains('[') && arg.text.contains(['`', '$']));
                let texts: Vec<String> = subscripts.map(|arg| arg.text.clone()).collect();
                for text in texts {
                    self.word(&text, Mode::Quoted);
                }
                for arg in args.iter().filter(|arg| !arg.text.starts_with('-')) {
                    if name == "unset" {
                        self.set(&arg.text, Flow::known(String::new()));
                    } else if name == "let" {
                        self.forget(plain_name(&arg.text), 0);
                    }
                }
                return None;
            }
            "cd" | "pushd" | "popd" => self.change_folder(name, args),
            "export" | "declare" | "local" | "readonly" | "typeset" => return Some(self.declare(name, args)),
            "alias" => self.alias(args),
            "read" | "mapfile" | "readarray" => self.read(name, args, stdin),
            "printf" | "getopts" => {
                let target = match (name, args) {
                    ("printf", [flag, target, ..]) if flag.text == "-v" => Some(target.text.as_str()),
                    ("printf", [flag, ..]) => flag.text.strip_prefix("-v"),
                    ("getopts", [_, target, ..]) => Some(target.text.as_str()),
                    _ => None,
                };
                if let Some(target) = target {
                    self.forget(plain_name(target), self.tainted);
                }
                return None;
            }
            "shift" => {
                let by = match args {
                    [] => Some(1),
                    [by] if !by.dynamic => number(&by.text),
                    _ => None,
                };
                if let Some(all) = self.state.value("@") {
                    let list = all.list.zip(by).map(|(list, by)| {
                        // Too many: none are taken.
                        let by = if by <= list.len() { by } else { 0 };
                        list.get(by..).unwrap_or_default().to_vec()
                    });
                    self.set_value("@", list.map_or_else(Value::default, Value::many));
                }
            }
            "set" => {
                self.set_parameters(args);
                // Alone, it prints all variables.
                return (!args.is_empty()).then(Flow::default);
            }
            "eval" => return Some(self.eval(args, stdin)),
            "source" | "." => {
                let file = args.iter().find(|arg| arg.text != "--")?;
                let folder = self.folder();
                let known = match super::interpreters::is_stdin(&file.text) {
                    true => stdin.clone(),
                    false => self.files.get(&paths::normal(&folder, &file.text)).cloned()?,
                };
                let mut printed = Flow::default();
                for text in known.texts() {
                    printed = printed.either(self.piece(text, stdin));
                }
                return None;
            }
            "trap" => {
                let mut operands = args
                    .iter()
                    .skip_while(|arg| matches!(arg.text.as_str(), "-p" | "-l"));
                let script = operands.find(|arg| arg.text != "--");
                if let Some(script) = script.filter(|script| args.len() > 1 && script.text != "-") {
                    let text = script.text.clone();
                    self.state.begin();
                    self.piece(&text, &Flow::default());
                    self.state.end();
                    // It may come between any two commands, unless it waits for the end.
                    let waits = args.last().is_some_and(|signal| {
                        matches!(signal.text.to_ascii_uppercase().as_str(), "EXIT" | "0")
                    });
                    let sets = text
                        .split([' ', ';', '\n', '&', '|', '{', '('])
                        .any(super::wrappers::is_assignment);
                    if sets && !waits {
                        self.out
                            .approve("unclear/trap", "a trap that changes what names hold");
                    }
                }
            }
            _ => return None,
        }
        Some(Flow::default())
    }

    fn change_folder(&mut self, name: &str, args: &[Word]) {
        let mut operands = args
            .iter()
            .filter(|arg| !arg.text.starts_with('-') || arg.text == "-");
        let target = operands.next();
        match target.map(|word| word.text.as_str()) {
            _ if name == "popd" => self.go(None),
            Some("-") => self.go(None),
            Some(text) if text.starts_with('+') && name == "pushd" => self.go(None),
            None if name == "pushd" => self.go(None),
            None => self.go(Some("~".to_owned())),
            Some(text) => {
                let folder = self.folder();
                let joined = paths::join(&folder, text);
                // What grows in a loop is not followed for ever.
                if joined.len() > 1024 {
                    self.out.approve("unclear/folder", "a folder that cannot be told");
                } else {
                    self.go(Some(joined));
                }
            }
        }
    }

    fn declare(&mut self, builtin: &str, args: &[Word]) -> Flow {
        let options = args
            .iter()
            .map(|arg| arg.text.as_str())
            .filter(|text| text.starts_with(['-', '+']));
        let letters: String = options.collect();
        if letters.contains('n') && builtin != "export" {
            self.out
                .approve("unclear/name-reference", "a variable that stands for another");
        }
        // Numbers, and letters that are made small or large.
        let changes = letters.contains(['i', 'l', 'u', 'c']);
        let mut has_names = false;
        for arg in args.iter().filter(|arg| !arg.text.starts_with(['-', '+'])) {
            has_names = true;
            let Some((name, value)) = arg.text.split_once('=') else {
                if builtin == "local" {
                    self.set(plain_name(&arg.text), Flow::known(String::new()));
                }
                continue;
            };
            let word = Word {
                text: value.to_owned(),
                dynamic: arg.dynamic,
            };
            let is_whole = plain_name(name) == name && !value.starts_with('(');
            let name = plain_name(name);
            assign::judge(&self.cx, name, &word, &mut self.out);
            let mut flow = if is_whole && !changes {
                flow_of(&word)
            } else {
                Flow::default()
            };
            flow.add(self.tainted);
            self.set(name, flow);
        }
        if has_names {
            return Flow::default();
        }
        self.out
            .approve("credential-access/environment", "prints the whole environment");
        Flow::of(Flow::MACHINE | Flow::SECRET)
    }

    fn alias(&mut self, args: &[Word]) {
        for (name, text) in args.iter().filter_map(|arg| arg.text.split_once('=')) {
            let (judgement, _) = nested(&self.cx, text, &Flow::default());
            self.out.merge(judgement);
            if programs::is_shadowed(name) {
                self.out
                    .approve("persistence/alias", "an alias in the place of a known program");
            }
            if self.aliases.len() < MOST_ALIASES || self.aliases.contains_key(name) {
                self.aliases.insert(name.to_owned(), text.to_owned());
            } else {
                self.out
                    .approve("unclear/too-long", "a script with very many aliases");
            }
        }
    }

    /// Names take what comes in: known only where one name takes one line as it is.
    fn read(&mut self, builtin: &str, args: &[Word], stdin: &Flow) {
        let mut names = Vec::new();
        let mut is_plain = builtin == "read";
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.text.as_str() {
                "-r" | "-s" | "-rs" | "-sr" | "-t" if builtin == "read" => {}
                "-p" | "-rp" | "-sp" | "-rsp" if builtin == "read" => {
                    args.next();
                }
                text if text.starts_with('-') => {
                    is_plain = false;
                    // The name behind `-a`, and values that are taken for names, are unknown as well.
                    if let Some(at) = text.find('a').filter(|_| builtin == "read") {
                        names.extend(
                            text.get(at + 1..)
                                .filter(|rest| !rest.is_empty())
                                .map(str::to_owned),
                        );
                    }
                }
                text => names.push(text.to_owned()),
            }
        }
        let lines: Vec<&str> = stdin.text.iter().flat_map(|text| text.lines()).collect();
        let mut flow = Flow::of(stdin.bits());
        flow.paths.clone_from(&stdin.paths);
        match lines.as_slice() {
            [line] if is_plain && names.len() == 1 && !line.contains('\\') => {
                flow.text = Some(line.trim_matches([' ', '\t']).to_owned());
            }
            lines if is_plain && names.len() == 1 && lines.len() <= 16 => {
                // Each of them, in one turn of a loop.
                flow.paths.extend(lines.iter().map(|line| Word {
                    text: (*line).to_owned(),
                    dynamic: true,
                }));
            }
            _ => {}
        }
        for name in names {
            self.set(plain_name(&name), flow.clone());
        }
    }

    /// What `$1`, `$2` … and `$@` stand for, set by `set`.
    fn set_parameters(&mut self, args: &[Word]) {
        let mut at = 0;
        while let Some(arg) = args.get(at) {
            let text = arg.text.as_str();
            match text {
                "--" => {
                    let list = args.get(at + 1..).unwrap_or_default().to_vec();
                    self.set_value("@", Value::many(list));
                    return;
                }
                "-o" | "+o" => at += 2,
                "-" if args.len() == at + 1 => return,
                "-" => at += 1,
                _ if text.starts_with(['-', '+']) => at += 1,
                _ => {
                    self.set_value("@", Value::many(args.get(at..).unwrap_or_default().to_vec()));
                    return;
                }
            }
        }
    }

    fn eval(&mut self, args: &[Word], stdin: &Flow) -> Flow {
        let text = args
            .iter()
            .map(|arg| arg.text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        if args.iter().any(|arg| arg.dynamic) {
            if self.tainted & Flow::DOWNLOAD != 0 {
                self.out
                    .block("remote-code/download-to-shell", "what was downloaded is run");
            } else if self.tainted & Flow::DECODED != 0 {
                self.out.block("remote-code/decoded", "what was decoded is run");
            } else {
                self.out
                    .approve("unclear/eval", "a script that is put together when it runs");
            }
        }
        self.piece(&text, stdin)
    }
}

/// The name in `name`, `name+`, `name[0]`.
fn plain_name(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == UNKNOWN;
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}
