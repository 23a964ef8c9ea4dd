//! Judges code that an interpreter is given on its command line: `python -c`, `node -e`, `perl -e`, SQL.
//!
//! 1. The code is cut into names, strings and signs (`lex`); comments are dropped. A string is data: a word in it is no
//!    call.
//! 2. Names are looked up in the tables of the language (`tables`): starts a process, talks to the network, reads files,
//!    runs text as code, decodes, deletes.
//! 3. A command that is written out is judged as a command; code that is written out, encoded or not, as code.
//! 4. What counts is what stands together: network or process, and a file, the environment or a secret place.
//! 5. A language that is not known is asked about.

mod aliases;
mod data;
mod lex;
mod sql;
mod tables;
mod together;

use self::lex::Token;
use self::tables::{Does, Language};
use super::super::judgement::{Class, Danger, Judgement};
use super::decode;
use super::judge_argv;
use super::windows::{finding, places};
use super::words::{Cx, Word};

const MAX_BYTES: usize = 64 * 1024;
const MAX_DEPTH: u8 = 4;

/// Judges code of a language: `python`, `node`, `perl`, `ruby`, `php`, `awk`, `sql`, `lua`.
pub(super) fn judge(cx: &Cx<'_>, language: &str, text: &str) -> Judgement {
    let mut judgement = Judgement::default();
    let is_bad = |c: char| c.is_control() && !c.is_ascii_whitespace();
    if text.len() > MAX_BYTES || cx.depth > MAX_DEPTH || text.contains(is_bad) {
        judgement.add(finding(
            "unclear/out-of-bounds",
            Class::Unclear,
            Danger::Approve,
            "too long or too deep to be understood",
        ));
        return judgement;
    }
    if language == "sql" {
        return sql::judge(text);
    }
    let Some(language) = Language::named(language) else {
        judgement.add(finding(
            "unclear/language",
            Class::Unclear,
            Danger::Approve,
            "code of a language that is not known",
        ));
        return judgement;
    };
    let tokens = lex::tokens(language, text);
    let loads_processes = tokens
        .iter()
        .any(|t| matches!(t, Token::Text(text) if text.trim_start_matches("node:") == "child_process"));
    let mut reader = Reader {
        aliases: aliases::read(language, &tokens),
        loads_processes,
        cx: Cx {
            depth: cx.depth + 1,
            ..*cx
        },
        language,
        tokens: &tokens,
        judgement,
        seen: Seen::default(),
    };
    reader.read();
    reader.finish(text)
}

/// What the code does somewhere.
#[derive(Debug, Default)]
struct Seen {
    process: bool,
    /// A process whose command is not written out.
    unclear_process: bool,
    /// A process that asks a host that is not ours.
    fetches: bool,
    network: bool,
    socket: bool,
    file: bool,
    env: bool,
    secret: bool,
    eval: bool,
    decode: bool,
    reflects: bool,
    shell: bool,
    writes: bool,
    later: bool,
    supervises: bool,
    own_host: bool,
    foreign_host: bool,
}

struct Reader<'a> {
    cx: Cx<'a>,
    language: Language,
    tokens: &'a [Token],
    /// What names stand for that are given to modules and what is in them.
    aliases: aliases::Aliases,
    /// The module that starts processes is loaded somewhere.
    loads_processes: bool,
    judgement: Judgement,
    seen: Seen,
}

impl Reader<'_> {
    fn found(&mut self, rule: &'static str, class: Class, danger: Danger, reason: &str) {
        if danger > Danger::Allow {
            self.judgement.add(finding(rule, class, danger, reason));
        }
    }

    fn read(&mut self) {
        for at in 0..self.tokens.len() {
            match self.tokens.get(at) {
                Some(Token::Name(name)) => {
                    self.name(at, name);
                    for other in self.aliases.meant(name) {
                        self.name(at, &other);
                    }
                    if let Some((at, name)) = aliases::by_text(self.language, self.tokens, &self.aliases, at)
                    {
                        self.name(at, &name);
                    }
                }
                Some(Token::Text(text)) => self.text(at, text),
                Some(Token::Sign('[')) => {
                    if let Some(name) = aliases::member(self.language, self.tokens, at) {
                        self.name(at + 2, &name);
                    }
                }
                Some(Token::Command(command)) => self.command(Some(command)),
                // `print | "sh"` and `"date" | getline` of awk.
                Some(Token::Sign('|')) if self.language == Language::Awk => self.pipe(at),
                _ => {}
            }
        }
    }

    fn pipe(&mut self, at: usize) {
        let after = match self.tokens.get(at + 1) {
            Some(Token::Sign('&')) => self.tokens.get(at + 2),
            Some(Token::Sign('|')) => return,
            other => other,
        };
        let command = match (at.checked_sub(1).and_then(|i| self.tokens.get(i)), after) {
            (Some(Token::Sign('|')), _) => return,
            (Some(Token::Text(text)), Some(Token::Name(name))) if name == "getline" => Some(text.clone()),
            (_, Some(Token::Text(text))) if text.starts_with("/inet/") => return,
            (_, Some(Token::Text(text))) => Some(text.clone()),
            _ => None,
        };
        const FILTERS: &[&str] = &["sort", "uniq", "column", "wc", "head", "tail", "cat"];
        self.command(command.as_deref());
        let program = command.as_deref().and_then(|line| line.split_whitespace().next());
        if program.is_some_and(|program| FILTERS.contains(&program)) {
            return;
        }
        self.found(
            "unclear/piped-script",
            Class::Unclear,
            Danger::Approve,
            "pipes to or from a process",
        );
    }

    fn name(&mut self, at: usize, name: &str) {
        let is_called = matches!(self.tokens.get(at + 1), Some(Token::Sign('(')));
        let does = tables::does(self.language, name, is_called);
        let last = name.rsplit('.').next().unwrap_or_default();
        if self.language == Language::Node
            && last == "exec"
            && name != "exec"
            && is_called
            && self.loads_processes
        {
            let command = self.argument(at);
            self.process(at, command.as_deref());
        }
        if matches!(self.language, Language::Perl | Language::Ruby) && aliases::opens(last) {
            self.opened(at);
        }
        for does in does {
            match does {
                Does::Process => {
                    let command = self.argument(at);
                    self.process(at, command.as_deref());
                }
                Does::ProcessModule => self.seen.process = true,
                Does::Network => self.seen.network = true,
                Does::Socket => {
                    self.seen.network = true;
                    self.seen.socket = true;
                }
                Does::File => self.seen.file = true,
                Does::Write => self.seen.writes = true,
                Does::Env => self.environment(at, name),
                Does::Decode => self.seen.decode = true,
                Does::Reflect => self.seen.reflects = true,
                Does::Shell => self.seen.shell = true,
                Does::Delete => self.delete(at),
                Does::Eval => {
                    // `eval { … }` of Perl is a block.
                    let is_block = matches!(self.tokens.get(at + 1), Some(Token::Sign('{' | ';')));
                    if is_called || (self.language.calls_bare() && !is_block) {
                        self.eval(at);
                    } else if matches!(name, "eval" | "exec" | "Function") && !is_block {
                        // Handed on: `.then(eval)`.
                        self.seen.eval = true;
                        self.found(
                            "remote-code/eval",
                            Class::RemoteCode,
                            Danger::Approve,
                            "runs text that cannot be told as code",
                        );
                    }
                }
                Does::Native => self.found(
                    "remote-code/native-code",
                    Class::RemoteCode,
                    Danger::Approve,
                    "calls into the system",
                ),
            }
        }
    }

    /// `open` with a bar before or behind a text runs that text.
    fn opened(&mut self, at: usize) {
        let from = at + 1;
        let mut is_next = false;
        for at in from..(from + 12).min(self.tokens.len()) {
            match self.tokens.get(at) {
                Some(Token::Sign(';' | '}')) => break,
                Some(Token::Text(text)) => {
                    let text = text.trim();
                    let bare = text.trim_matches('|').trim().to_owned();
                    if matches!(text, "-|" | "|-") {
                        is_next = true;
                    } else if is_next || text.len() > 1 && (text.starts_with('|') || text.ends_with('|')) {
                        self.command(Some(&bare));
                        return;
                    }
                }
                _ => {}
            }
        }
        if is_next {
            self.command(None);
        }
    }

    /// The first argument of a call, if it is written out and all of it is: a string, or a list of strings.
    fn argument(&self, at: usize) -> Option<Vec<String>> {
        let mut at = at + 1;
        if matches!(self.tokens.get(at), Some(Token::Sign('('))) {
            at += 1;
        }
        let is_list = matches!(self.tokens.get(at), Some(Token::Sign('[')));
        if is_list {
            at += 1;
        }
        let mut words = Vec::new();
        loop {
            match self.tokens.get(at) {
                Some(Token::Text(text)) => words.push(text.clone()),
                _ => return None,
            }
            match (self.tokens.get(at + 1), is_list) {
                (Some(Token::Sign(']')), true) | (None, false) => break,
                (Some(Token::Sign(',')), true) => at += 2,
                // `spawn("npm", ["test"])` and `system("npm", "test")`.
                (Some(Token::Sign(',')), false) if self.language.lists_arguments() => {
                    at += 2;
                    if matches!(self.tokens.get(at), Some(Token::Sign('['))) {
                        at += 1;
                    }
                    if !matches!(self.tokens.get(at), Some(Token::Text(_))) {
                        break;
                    }
                }
                (Some(Token::Sign(')' | ',' | ';' | '}' | '|' | ']')), false) => break,
                _ => return None,
            }
            if words.len() > 256 {
                return None;
            }
        }
        Some(words)
    }

    fn process(&mut self, _at: usize, command: Option<&[String]>) {
        self.seen.process = true;
        match command {
            Some([line]) => {
                if is_shell(line) {
                    self.found("unclear/shell", Class::Unclear, Danger::Approve, "opens a shell");
                }
                self.command(Some(line));
            }
            Some(words) if !words.is_empty() => {
                let argv: Vec<Word> = words.iter().map(Word::known).collect();
                let judged = judge_argv(&self.cx, &argv);
                self.seen.fetches |= judged.findings.iter().any(|f| f.rule == "exfiltration/request");
                self.judgement.merge(judged);
            }
            _ => self.command(None),
        }
    }

    fn command(&mut self, line: Option<&str>) {
        self.seen.process = true;
        match line {
            Some(line) if !line.contains('\u{0}') => {
                let argv = ["sh", "-c", line].map(Word::known);
                let judged = judge_argv(&self.cx, &argv);
                self.seen.fetches |= judged.findings.iter().any(|f| f.rule == "exfiltration/request");
                self.judgement.merge(judged);
            }
            _ => self.seen.unclear_process = true,
        }
    }

    fn delete(&mut self, at: usize) {
        let danger = match self.argument(at).as_deref() {
            Some([path, ..]) => match places::loss(path) {
                places::Loss::Everything => Danger::Block,
                places::Loss::Unclear => Danger::Approve,
                places::Loss::Little => Danger::Allow,
            },
            _ => Danger::Approve,
        };
        self.found("destructive/delete", Class::Destructive, danger, "deletes files");
    }

    /// Text runs as code. Written out, or decoded from what is written out, it is judged.
    fn eval(&mut self, at: usize) {
        let from = if matches!(self.tokens.get(at + 1), Some(Token::Sign('('))) {
            at + 2
        } else {
            at + 1
        };
        if let (Some(Token::Text(code)), Some(Token::Sign(')' | ',' | ';')) | None) =
            (self.tokens.get(from), self.tokens.get(from + 1))
        {
            let judged = judge(&self.cx, self.language.as_str(), code);
            self.judgement.merge(judged);
            return;
        }
        if let Some(code) = self.decoded(from) {
            let judged = judge(&self.cx, self.language.as_str(), &code);
            self.judgement.merge(judged);
            self.found(
                "unclear/encoded-script",
                Class::Unclear,
                Danger::Approve,
                "runs code that it decodes",
            );
            return;
        }
        self.seen.eval = true;
        self.found(
            "remote-code/eval",
            Class::RemoteCode,
            Danger::Approve,
            "runs text that cannot be told as code",
        );
    }

    /// What a literal within the next call decodes to: `b64decode("…")`, `zlib.decompress(b64decode("…"))`.
    fn decoded(&self, from: usize) -> Option<String> {
        let mut packed = false;
        let mut kind = "";
        for at in from..(from + 24).min(self.tokens.len()) {
            match self.tokens.get(at)? {
                Token::Name(name) => {
                    let last = name.rsplit('.').next().unwrap_or_default();
                    match last {
                        "decompress" | "gzinflate" | "gzuncompress" | "gzdecode" | "inflateSync"
                        | "gunzipSync" | "inflate" => packed = true,
                        "b64decode" | "urlsafe_b64decode" | "decodebytes" | "a2b_base64" | "atob"
                        | "base64_decode" | "decode_base64" | "decode64" | "strict_decode64"
                        | "urlsafe_decode64" | "from" | "Buffer" => kind = "base64",
                        "fromhex" | "unhexlify" | "hex2bin" | "a2b_hex" => kind = "hex",
                        "loads" | "rot13" | "str_rot13" | "strrev" => return None,
                        _ => {}
                    }
                }
                Token::Text(text) if text.len() >= 8 && !kind.is_empty() => {
                    let is_hex = kind == "hex"
                        || matches!(self.tokens.get(at + 2), Some(Token::Text(t)) if t == "hex");
                    let bytes = if is_hex {
                        decode::hex(text)?
                    } else {
                        decode::base64(text)?
                    };
                    let bytes = if packed { decode::unpacked(&bytes)? } else { bytes };
                    return Some(decode::text(&bytes));
                }
                _ => {}
            }
        }
        None
    }
}

/// Whether a text is the name of a shell and no more.
fn is_shell(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let name = text
        .trim_end_matches(" -i")
        .rsplit('/')
        .next()
        .unwrap_or_default();
    matches!(
        name,
        "sh" | "bash" | "zsh" | "dash" | "cmd" | "cmd.exe" | "powershell" | "powershell.exe" | "pwsh"
    )
}

#[cfg(test)]
mod tests;
