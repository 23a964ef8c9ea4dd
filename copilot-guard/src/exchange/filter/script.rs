//! Commands that arrive bit by bit: each is judged with what came before it.

use super::super::watched::{Scene, Stop};
use crate::detect::command::Shell;
use crate::detect::{Class, Judgement};
use crate::policy::OutputVerdict;

/// How much of what came before a line is judged with it, in bytes and in lines.
const BLOCK: usize = 4096;
const LINES: usize = 64;

/// The commands of one block, or of one piece of inline code.
#[derive(Debug)]
pub(super) struct Script {
    shell: Shell,
    /// It says that it is of a shell. Else only what is certain counts: text that is no command cannot be parsed either.
    is_labelled: bool,
    /// A prompt has been seen: lines without one are what a program printed.
    has_prompt: bool,
    /// What passed so far.
    text: String,
}

/// The beginning of a script says nothing to a parser until the rest is there.
const NOT_PARSED: &str = "unclear/not-parsed";

impl Script {
    /// For code that does not say what it is.
    pub(super) const fn unlabelled() -> Self {
        Self {
            shell: Shell::Bash,
            is_labelled: false,
            has_prompt: false,
            text: String::new(),
        }
    }

    /// For the code that stands behind this info string. Nothing for a language that is no shell.
    pub(super) fn of(info: &str) -> Option<Self> {
        let name: String = info
            .trim()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+'))
            .collect();
        let shell = match name.to_ascii_lowercase().as_str() {
            "" | "text" | "txt" | "plain" | "plaintext" | "none" => return Some(Self::unlabelled()),
            "sh" | "bash" | "shell" | "zsh" | "ksh" | "dash" | "fish" | "console" | "terminal"
            | "shellscript" | "shellsession" | "shell-session" | "sh-session" | "bash-session" => Shell::Bash,
            "powershell" | "pwsh" | "ps1" | "ps" | "posh" | "cmd" | "bat" | "batch" | "dos" => {
                Shell::PowerShell
            }
            _ => return None,
        };
        Some(Self {
            shell,
            is_labelled: true,
            has_prompt: false,
            text: String::new(),
        })
    }

    pub(super) const fn is_labelled(&self) -> bool {
        self.is_labelled
    }

    /// Judges a line, of which the first `marks` bytes are those of quotes and the like, and appends it or its mark. A long
    /// one comes in pieces: `is_rest` says that this is none of the first.
    ///
    /// # Errors
    /// The answer ends here.
    pub(super) fn line(
        &mut self,
        scene: &mut Scene<'_>,
        line: &str,
        marks: usize,
        is_rest: bool,
        out: &mut String,
    ) -> Result<(), Box<Stop>> {
        let (marks, code) = line.split_at_checked(marks).unwrap_or(("", line));
        let bare = code.trim_end_matches(['\r', '\n']);
        if bare.trim().is_empty() {
            out.push_str(line);
            return Ok(());
        }
        let end = code.get(bare.len()..).unwrap_or_default();
        let before = self.text.len();
        let command = if is_rest { bare } else { without_prompt(bare) };
        let is_prompt = command.len() < bare.len();
        self.has_prompt |= is_prompt;
        let is_printed = self.has_prompt && !is_prompt && !is_rest && !self.text.trim_end().ends_with('\\');
        self.text.push_str(command);
        if !end.is_empty() {
            self.text.push('\n');
        }
        let added = self.text.len() - before;
        self.forget(before, is_rest);
        match self.act(scene, &self.text, command, is_printed)? {
            None => {
                out.push_str(line);
                if is_printed {
                    self.text.truncate(self.text.len() - added);
                }
            }
            Some(mark) => {
                // It is not there for what follows.
                self.text.truncate(self.text.len() - added);
                out.push_str(marks);
                out.push_str(&mark);
                out.push_str(end);
            }
        }
        Ok(())
    }

    /// Judges more of inline code, which stands in the text as `shown`, and appends that or its mark. Of what is not closed
    /// (yet) programs may take any part between backticks for the code.
    ///
    /// # Errors
    /// The answer ends here.
    pub(super) fn inline(
        &mut self,
        scene: &mut Scene<'_>,
        code: &str,
        shown: &str,
        is_closed: bool,
        out: &mut String,
    ) -> Result<(), Box<Stop>> {
        let before = self.text.len();
        self.text.push_str(code);
        let forgotten = self.forget(before, true);
        let mut mark = self.command(scene, &self.text, code)?;
        if !is_closed && mark.is_none() && self.text.contains('`') {
            let mut end = 0;
            for part in self.text.split('`') {
                end += part.len() + 1;
                if end + forgotten > before && mark.is_none() {
                    mark = self.command(scene, part, part)?;
                }
            }
        }
        match mark {
            None => out.push_str(shown),
            Some(mark) => {
                self.text.truncate(self.text.len() - code.len());
                out.push_str(&mark);
            }
        }
        Ok(())
    }

    /// A command has an argument at least.
    fn command(&self, scene: &mut Scene<'_>, text: &str, last: &str) -> Result<Option<String>, Box<Stop>> {
        let text = text.trim();
        if text.contains([' ', '\t']) {
            self.act(scene, text, last.trim(), false)
        } else {
            Ok(None)
        }
    }

    /// Forgets what is too much to be judged with what was added behind `before`. Gives how many bytes that was.
    fn forget(&mut self, before: usize, is_rest: bool) -> usize {
        let over = self.text.len().saturating_sub(BLOCK);
        let is_cut = |b: &u8| *b == b'\n' || is_rest && *b == b' ';
        let by_bytes = self.text.as_bytes().get(over..).filter(|_| over > 0);
        let by_bytes = by_bytes.map_or(0, |rest| {
            rest.iter().position(is_cut).map_or(before, |n| over + n + 1)
        });
        let line = self.text.get(..before).unwrap_or_default();
        let by_lines = line.rmatch_indices('\n').nth(LINES).map_or(0, |(n, _)| n + 1);
        let from = by_bytes.max(by_lines).min(before);
        self.text.drain(..from);
        from
    }

    /// What the rules say of a command, of which `last` has just come: the mark that takes its place, if any does. Of what
    /// a program has printed only what is certain counts.
    fn act(
        &self,
        scene: &mut Scene<'_>,
        command: &str,
        last: &str,
        is_printed: bool,
    ) -> Result<Option<String>, Box<Stop>> {
        let (found, is_unclear) = self.verdict(scene, command, is_printed);
        // Within an `if`, a document or a quote that is not closed yet nothing can be told of the whole.
        let found = match found {
            None if is_unclear && last.len() < command.len() => self.verdict(scene, last, is_printed).0,
            found => found,
        };
        let Some(found) = found else {
            return Ok(None);
        };
        let deciding = found.hits.iter().find(|h| !h.observed_only);
        let kind = deciding.map_or("command", |hit| hit.id.as_str());
        scene.act(&found, kind)
    }

    /// What the rules say, and whether it could be told what the command does.
    fn verdict(&self, scene: &Scene<'_>, command: &str, is_printed: bool) -> (Option<OutputVerdict>, bool) {
        let Some(rules) = scene.policy.output().commands() else {
            return (None, false);
        };
        let shell = if !self.is_labelled && is_cmdlet(command) {
            Shell::PowerShell
        } else {
            self.shell
        };
        let mut judgement: Judgement = rules.judge().judge(shell, command);
        let is_unclear = judgement.findings.iter().any(|f| f.class == Class::Unclear);
        let is_sure = self.is_labelled && !is_printed;
        judgement
            .findings
            .retain(|f| f.rule != NOT_PARSED && (is_sure || f.class != Class::Unclear));
        (rules.verdict(&judgement, &scene.place.to_string()), is_unclear)
    }
}

/// Whether a command begins as PowerShell's do: `Remove-Item`.
fn is_cmdlet(command: &str) -> bool {
    let word = command.split_whitespace().next().unwrap_or_default();
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    word.split_once('-')
        .is_some_and(|(verb, noun)| is_name(verb) && is_name(noun))
}

/// The line without the prompt that sessions are shown with.
fn without_prompt(line: &str) -> &str {
    let text = line.trim_start();
    for prompt in ["$ ", "% ", "❯ ", "PS> "] {
        if let Some(rest) = text.strip_prefix(prompt) {
            return rest;
        }
    }
    match text.strip_prefix("PS ").and_then(|rest| rest.split_once("> ")) {
        Some((_, rest)) => rest,
        None => line,
    }
}
