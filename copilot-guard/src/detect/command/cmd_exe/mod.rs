//! Judges commands of `cmd.exe`.
//!
//! 1. Carets say nothing and go; in quotes they stay. `%name%` and `!name!` are what `set` gave them, if it did.
//! 2. `&`, `&&`, `|`, `||`, lines and brackets end a command. What `if`, `for`, `call` and `start` run is a command too.
//! 3. `rem` and what `echo` says are data; where it is sent to is not.

mod files;
mod words;

use std::collections::HashMap;

use self::words::{SEPARATORS, after_condition, begins_loop, pieces, separated, words};
use super::windows::{self, finding, hosts, places};
use super::words::{Cx, Word};
use super::{judge_argv, powershell};
use crate::detect::judgement::{Class, Danger, Judgement};

const MAX_BYTES: usize = 64 * 1024;
const MAX_DEPTH: u8 = 4;
/// Most commands of a text.
const MAX_PIECES: usize = 4096;
/// Most variables that are remembered.
const MAX_VARS: usize = 256;

/// Judges a call of `cmd` by its arguments.
pub(super) fn judge_call(cx: &Cx<'_>, args: &[Word]) -> Judgement {
    let inner = Cx {
        depth: cx.depth + 1,
        ..*cx
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let text = arg.text.replace('^', "");
        // Git's bash wants `//c`.
        let text = if text.starts_with("//") {
            text.get(1..).unwrap_or_default().to_owned()
        } else {
            text
        };
        let Some(switch) = text.strip_prefix('/').map(str::to_ascii_lowercase) else {
            break;
        };
        // `/d/s/c` in one, and `/cdir` without a blank.
        let Some(at) = switch
            .find(['c', 'k', 'r'])
            .filter(|_| !switch.starts_with(['v', 'e', 'f', 't']))
        else {
            continue;
        };
        let glued = text.get(at + 2..).unwrap_or_default().to_owned();
        let rest: Vec<&Word> = args.collect();
        let mut line = glued;
        for (at, word) in rest.iter().enumerate() {
            line.push(' ');
            // It had quotes, which the shell around this one took off.
            let is_quoted = at > 0 && word.text.contains(' ') && !word.text.contains('"');
            let quote = if is_quoted { "\"" } else { "" };
            line.push_str(quote);
            line.push_str(&word.text);
            line.push_str(quote);
        }
        let mut judgement = judge(&inner, line.trim());
        if arg.dynamic || rest.iter().any(|w| w.dynamic) {
            judgement.add(finding(
                "unclear/dynamic-script",
                Class::Unclear,
                Danger::Approve,
                "a script that cannot be told",
            ));
        }
        return judgement;
    }
    Judgement::default()
}

/// Judges a line or batch file.
pub(super) fn judge(cx: &Cx<'_>, text: &str) -> Judgement {
    let mut batch = Batch {
        cx: *cx,
        judgement: Judgement::default(),
        vars: HashMap::new(),
        saved: Vec::new(),
        ran: Vec::new(),
        secret: false,
        foreign: false,
    };
    let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.len() > MAX_BYTES || cx.depth > MAX_DEPTH || text.contains(is_bad) {
        batch.found(
            "unclear/out-of-bounds",
            Class::Unclear,
            Danger::Approve,
            "too long or too deep to be understood",
        );
        return batch.judgement;
    }
    let text = text.trim();
    // `cmd /c "a & b"`: the outer quotes are none of the command's.
    let text = match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inner) if inner.matches('"').count() % 2 == 0 => inner,
        _ => text,
    };
    let mut echoed: Option<String> = None;
    let mut in_for = false;
    let pieces = pieces(text);
    if pieces.len() > MAX_PIECES {
        batch.found(
            "unclear/out-of-bounds",
            Class::Unclear,
            Danger::Approve,
            "too long or too deep to be understood",
        );
    }
    for (piece, ends) in pieces.into_iter().take(MAX_PIECES) {
        let piece = piece.trim();
        let piped = echoed.take();
        if ends == '|' {
            echoed = Some(piece.to_owned());
        }
        if in_for && piece.starts_with(['\'', '`']) {
            // `for /f … in ('command')` runs it.
            let inner = piece.trim_matches(['\'', '`']);
            let judged = judge(
                &Cx {
                    depth: cx.depth + 1,
                    ..*cx
                },
                inner,
            );
            batch.judgement.merge(judged);
            continue;
        }
        if in_for && ends == ')' {
            // What the loop goes over is data.
            in_for = false;
            continue;
        }
        let is_loop = begins_loop(piece);
        in_for = is_loop || (in_for && ends != ')');
        if is_loop {
            continue;
        }
        batch.command(piece, piped.as_deref(), 0);
    }
    batch.finish()
}

struct Batch<'a> {
    cx: Cx<'a>,
    judgement: Judgement,
    vars: HashMap<String, String>,
    saved: Vec<String>,
    ran: Vec<String>,
    secret: bool,
    foreign: bool,
}

impl Batch<'_> {
    fn found(&mut self, rule: &'static str, class: Class, danger: Danger, reason: &str) {
        if danger > Danger::Allow {
            self.judgement.add(finding(rule, class, danger, reason));
        }
    }

    fn command(&mut self, piece: &str, piped: Option<&str>, depth: u8) {
        let piece = piece.trim_start_matches(['@', ' ', '\t', ',', ';', '=']).trim();
        if piece.is_empty() || piece.starts_with("::") || piece.starts_with(':') {
            return;
        }
        if depth > 16 {
            self.found(
                "unclear/too-deep",
                Class::Unclear,
                Danger::Approve,
                "too many commands within each other",
            );
            return;
        }
        let (piece, dynamic) = self.expand(piece);
        let (words, targets) = words(&piece);
        for target in &targets {
            self.writes(target);
        }
        let Some((first, args)) = words.split_first() else {
            return;
        };
        let mut first = first.clone();
        let mut args: Vec<String> = args.to_vec();
        // Commas, semicolons and equal signs are blanks to it.
        if let Some(at) = first.find(SEPARATORS).filter(|at| *at > 0) {
            let rest = first.split_off(at);
            args.insert(0, rest);
            args = args.iter().flat_map(|arg| separated(arg)).collect();
        }
        // `dir/s`, `cd..` and `echo.` have no blank.
        if let Some(at) = first.find(['/', '.']).filter(|at| {
            BUILT_IN.contains(&first.get(..*at).unwrap_or_default().to_ascii_lowercase().as_str())
        }) {
            let rest = first.split_off(at);
            args.insert(0, rest);
        }
        let name = windows::base(&first);
        let rest = || args.join(" ");
        match name.as_str() {
            "rem" | "echo" | "title" | "cls" | "exit" | "goto" | "pause" | "ver" | "vol" | "color"
            | "popd" | "endlocal" | "setlocal" | "shift" | "timeout" | "mkdir" | "md" | "cd" | "chdir"
            | "pushd" | "dir" | "tree" | "where" | "ren" | "rename" | "date" | "time" | "path" | "verify"
            | "break" => {
                if name == "dir" && args.iter().any(|a| places::secret(a) == Danger::Block) {
                    self.found(
                        "reconnaissance/secret-places",
                        Class::Reconnaissance,
                        Danger::Approve,
                        "looks where secrets lie",
                    );
                }
            }
            "set" => self.set(&args),
            "call" | "do" | "else" | "(" => self.command(&rest(), piped, depth + 1),
            "if" => {
                let at = after_condition(&args);
                self.command(&args.get(at..).unwrap_or_default().join(" "), piped, depth + 1);
            }
            "start" => {
                let mut skipped = args
                    .iter()
                    .skip_while(|a| a.starts_with('/') || a.is_empty() || a.contains(' '))
                    .cloned()
                    .collect::<Vec<_>>();
                if skipped.is_empty() {
                    skipped = args.iter().filter(|a| !a.starts_with('/')).cloned().collect();
                }
                if skipped.first().is_some_and(|a| {
                    a.contains("://") && hosts::of(&self.cx, a).is_some_and(hosts::is_foreign)
                }) {
                    self.found(
                        "exfiltration/open-address",
                        Class::Exfiltration,
                        Danger::Approve,
                        "opens an address that is not ours",
                    );
                    return;
                }
                self.command(&skipped.join(" "), piped, depth + 1);
            }
            "del" | "erase" | "rd" | "rmdir" => {
                let args: Vec<String> = args.iter().flat_map(|arg| separated(arg)).collect();
                self.deletes(&args);
            }
            "type" | "more" | "find" | "sort" | "fc" | "comp" | "copy" | "xcopy" | "move" | "robocopy"
            | "replace" => self.files(&name, &args),
            "mklink" => self.found(
                "persistence/link",
                Class::Persistence,
                Danger::Approve,
                "makes a link",
            ),
            "cmd" | "%comspec%" | "command" => {
                let args: Vec<Word> = args
                    .iter()
                    .map(|a| Word {
                        text: a.clone(),
                        dynamic: a.contains('%'),
                    })
                    .collect();
                let judged = judge_call(&self.cx, &args);
                self.judgement.merge(judged);
                self.piped(piped, false);
            }
            "powershell" | "pwsh" => {
                let known: Vec<Word> = args.iter().map(Word::known).collect();
                let judged = powershell::judge_call(&self.cx, &known);
                self.judgement.merge(judged);
                self.ran.push(rest().to_ascii_lowercase());
                if args.is_empty() || args.iter().any(|a| a == "-") {
                    self.piped(piped, true);
                }
            }
            _ => self.program(&name, &first, &args, dynamic, piped),
        }
    }

    fn program(&mut self, name: &str, path: &str, args: &[String], dynamic: bool, piped: Option<&str>) {
        self.ran.push(path.to_ascii_lowercase());
        if path.contains('%') && (!path.contains('\\') || name.contains('%')) || path.contains('!') {
            let line = args.join(" ");
            let is_bad = path.contains(":~") || hosts::within(&self.cx, &line).is_some_and(hosts::is_foreign);
            let danger = if is_bad { Danger::Block } else { Danger::Approve };
            self.found(
                "unclear/dynamic-command",
                Class::Unclear,
                danger,
                "runs a command that cannot be told",
            );
            return;
        }
        if path.starts_with(r"\\") && hosts::of(&self.cx, path).is_some_and(hosts::is_foreign) {
            self.found(
                "remote-code/share",
                Class::RemoteCode,
                Danger::Block,
                "runs a program from a share",
            );
        }
        if let Some(judged) = windows::judge(&self.cx, name, args) {
            self.judgement.merge(judged);
        } else {
            let mut argv = vec![Word::known(name)];
            argv.extend(args.iter().map(|a| Word {
                text: a.clone(),
                dynamic: a.contains('%') && dynamic,
            }));
            self.judgement.merge(judge_argv(&self.cx, &argv));
        }
        let runs = args.iter().position(|a| a.eq_ignore_ascii_case("/c"));
        if let Some(at) = runs.filter(|_| name == "forfiles") {
            let inner = args.get(at + 1..).unwrap_or_default().join(" ");
            let cx = Cx {
                depth: self.cx.depth.saturating_add(1),
                ..self.cx
            };
            let judged = judge(&cx, &inner);
            self.judgement.merge(judged);
        }
        if hosts::within(&self.cx, &args.join(" ")).is_some_and(hosts::is_foreign) {
            self.foreign = true;
            self.saved.extend(
                args.iter()
                    .filter(|a| !a.contains("://") && !a.starts_with(['-', '/']))
                    .map(|a| windows::base(a))
                    .filter(|a| a.len() > 1),
            );
        }
        if args.iter().any(|a| places::secret_within(a) > Danger::Allow) {
            self.secret = true;
        }
        if piped.is_some()
            && matches!(
                name,
                "python" | "node" | "bash" | "sh" | "wsl" | "perl" | "ruby" | "py"
            )
        {
            self.piped(piped, false);
        }
    }

    /// Text is piped into an interpreter.
    fn piped(&mut self, piped: Option<&str>, is_powershell: bool) {
        let Some(piped) = piped else { return };
        self.found(
            "unclear/piped-script",
            Class::Unclear,
            Danger::Approve,
            "pipes text into an interpreter",
        );
        if let Some(text) = piped.trim_start_matches('@').strip_prefix("echo ") {
            let inner = Cx {
                depth: self.cx.depth + 1,
                ..self.cx
            };
            let judged = if is_powershell {
                powershell::judge(&inner, text)
            } else {
                judge(&inner, text)
            };
            self.judgement.merge(judged);
        } else if hosts::within(&self.cx, piped).is_some_and(hosts::is_foreign) {
            self.found(
                "remote-code/download-to-shell",
                Class::RemoteCode,
                Danger::Block,
                "runs what it fetches",
            );
        }
    }

    /// `%name%` and `!name!` as far as they were set here. Whether any is left.
    fn expand(&self, text: &str) -> (String, bool) {
        let mut out = String::new();
        let mut rest = text;
        let mut dynamic = false;
        while let Some(at) = rest.find(['%', '!']) {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let sign = if from.starts_with('%') { '%' } else { '!' };
            let after = from.get(1..).unwrap_or_default();
            match after
                .split_once(sign)
                .filter(|(name, _)| !name.is_empty() && !name.contains([' ', '/', '\\']))
            {
                Some((name, after)) => {
                    match self.vars.get(&name.to_ascii_lowercase()) {
                        Some(value) => out.push_str(value),
                        None if name.eq_ignore_ascii_case("comspec") => out.push_str("cmd"),
                        None => {
                            dynamic = true;
                            out.push(sign);
                            out.push_str(&name.to_ascii_lowercase());
                            out.push(sign);
                        }
                    }
                    rest = after;
                }
                None => {
                    out.push(sign);
                    rest = after;
                }
            }
            if out.len() > MAX_BYTES {
                return (String::new(), true);
            }
        }
        out.push_str(rest);
        (out, dynamic)
    }

    fn finish(mut self) -> Judgement {
        if self.saved.iter().any(|saved| {
            self.ran
                .iter()
                .any(|ran| windows::base(ran) == *saved || ran.contains(&format!("{saved}.")))
        }) && self.foreign
        {
            self.found(
                "remote-code/download-and-run",
                Class::RemoteCode,
                Danger::Block,
                "runs what it fetches",
            );
        }
        if self.secret && self.foreign {
            self.found(
                "exfiltration/secret-to-network",
                Class::Exfiltration,
                Danger::Block,
                "reads secrets and talks to a host that is not ours",
            );
        }
        self.judgement
    }
}

/// Commands whose argument may stand right behind them.
const BUILT_IN: &[&str] = &[
    "dir", "cd", "chdir", "echo", "del", "erase", "rd", "rmdir", "md", "mkdir", "copy", "type", "set", "if",
    "exit",
];

#[cfg(test)]
mod tests;
