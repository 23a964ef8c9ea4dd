//! Commands in code blocks of prose that is still arriving: a line of a shell's block is held until it ends, a piece of
//! inline code until its closing backtick.
//!
//! Judged are blocks that say they are of a shell, and those that say nothing (there only what is certain counts: text that
//! is no command cannot be parsed either). A line is judged together with what came before it in its block.

use super::super::watched::{Scene, Stop};
use crate::detect::command::Shell;
use crate::detect::{Class, Judgement};

/// Longest line, and longest inline code, that is held.
const LONGEST_LINE: usize = 8192;
const LONGEST_INLINE: usize = 512;
/// How much of a block a line is judged with.
const BLOCK: usize = 4096;

/// The code of one text.
#[derive(Default)]
pub(in super::super) struct Code {
    state: State,
    /// What is held: the beginning of a line, a line of a block, inline code with its backticks.
    held: String,
}

#[derive(Default)]
enum State {
    /// Prose; where a line begins, a fence may.
    #[default]
    LineStart,
    Prose,
    /// A run of so many backticks in a line has begun inline code.
    Ticks(usize),
    Inline(usize),
    /// The line of an opening fence, and its character and length.
    Info(char, usize),
    /// The rest of such a line, whose beginning was enough.
    RestOfInfo(Block),
    Block(Block),
}

struct Block {
    fence: char,
    length: usize,
    /// Nothing for a language that is no shell.
    shell: Option<Shell>,
    /// The block says that it is of a shell.
    labelled: bool,
    /// The lines so far that passed.
    script: String,
}

impl Code {
    /// Takes the next piece and appends what may pass.
    ///
    /// # Errors
    /// The answer ends here.
    pub(in super::super) fn run(
        &mut self,
        scene: &mut Scene<'_>,
        text: &str,
        is_last: bool,
        out: &mut String,
    ) -> Result<(), Box<Stop>> {
        for c in text.chars() {
            self.take(scene, c, out)?;
        }
        if is_last {
            self.finish(scene, out)?;
        }
        Ok(())
    }

    fn take(&mut self, scene: &mut Scene<'_>, c: char, out: &mut String) -> Result<(), Box<Stop>> {
        match &mut self.state {
            State::LineStart => self.at_line_start(c, out),
            State::Prose => match c {
                '`' => {
                    self.held.push(c);
                    self.state = State::Ticks(1);
                }
                '\n' => {
                    out.push(c);
                    self.state = State::LineStart;
                }
                _ => out.push(c),
            },
            State::Ticks(count) => {
                if c == '`' {
                    *count += 1;
                    self.held.push(c);
                } else {
                    self.state = State::Inline(*count);
                    return self.take(scene, c, out);
                }
            }
            State::Inline(count) => {
                let count = *count;
                self.held.push(c);
                let ticks = "`".repeat(count);
                let is_closed = self.held.len() > 2 * count && self.held.ends_with(&ticks);
                if is_closed {
                    let held = std::mem::take(&mut self.held);
                    self.state = State::Prose;
                    let inner = held.get(count..held.len() - count).unwrap_or_default();
                    inline(scene, inner, &held, out)?;
                } else if self.held.len() > LONGEST_INLINE || self.held.ends_with("\n\n") {
                    // Never closed, or too long: what there is of it is judged all the same.
                    let held = std::mem::take(&mut self.held);
                    inline(scene, held.get(count..).unwrap_or_default(), &held, out)?;
                    self.state = if c == '\n' { State::LineStart } else { State::Prose };
                }
            }
            State::Info(fence, length) => {
                let (fence, length) = (*fence, *length);
                if c == '`' && fence == '`' {
                    // No fence has a backtick behind it: it is inline code.
                    self.inline_instead(length, out);
                    return self.take(scene, c, out);
                }
                self.held.push(c);
                if c == '\n' || self.held.len() > LONGEST_INLINE {
                    let line = std::mem::take(&mut self.held);
                    let block = Block::opened_by(&line, fence, length);
                    out.push_str(&line);
                    self.state = if c == '\n' {
                        State::Block(block)
                    } else {
                        State::RestOfInfo(block)
                    };
                }
            }
            State::RestOfInfo(_) => {
                out.push(c);
                if c == '\n'
                    && let State::RestOfInfo(block) = std::mem::take(&mut self.state)
                {
                    self.state = State::Block(block);
                }
            }
            State::Block(block) => {
                self.held.push(c);
                if c == '\n' || self.held.len() >= LONGEST_LINE {
                    let line = std::mem::take(&mut self.held);
                    if block.is_closed_by(&line) {
                        out.push_str(&line);
                        self.state = State::LineStart;
                    } else {
                        block.line(scene, &line, out)?;
                    }
                } else if block.shell.is_none() && !block.may_close(&self.held) {
                    out.push_str(&std::mem::take(&mut self.held));
                }
            }
        }
        Ok(())
    }

    fn at_line_start(&mut self, c: char, out: &mut String) {
        self.held.push(c);
        let line = self.held.trim_start_matches([' ', '>', '\t']);
        let indent = self.held.len() - line.len();
        let Some(fence) = line.chars().next() else {
            if indent > 16 || c == '\n' {
                self.prose(c, out);
            }
            return;
        };
        let length = line.chars().take_while(|f| *f == fence).count();
        let is_fence = matches!(fence, '`' | '~');
        if is_fence && length == line.len() && length < 16 {
            return;
        }
        if is_fence && length >= 3 {
            self.state = State::Info(fence, length);
            if c == '\n' {
                let line = std::mem::take(&mut self.held);
                self.state = State::Block(Block::opened_by(&line, fence, length));
                out.push_str(&line);
            }
        } else if fence == '`' {
            self.inline_instead(length, out);
        } else {
            self.prose(c, out);
        }
    }

    /// What begins the line is inline code.
    fn inline_instead(&mut self, ticks: usize, out: &mut String) {
        let code = self.held.trim_start_matches([' ', '>', '\t']).len();
        let code = self.held.split_off(self.held.len() - code);
        out.push_str(&std::mem::replace(&mut self.held, code));
        self.state = State::Inline(ticks);
    }

    fn prose(&mut self, c: char, out: &mut String) {
        out.push_str(&std::mem::take(&mut self.held));
        self.state = if c == '\n' { State::LineStart } else { State::Prose };
    }

    /// The text has ended.
    fn finish(&mut self, scene: &mut Scene<'_>, out: &mut String) -> Result<(), Box<Stop>> {
        let held = std::mem::take(&mut self.held);
        match std::mem::take(&mut self.state) {
            State::Block(mut block) if !block.is_closed_by(&held) => block.line(scene, &held, out),
            State::Inline(count) => inline(scene, held.get(count..).unwrap_or_default(), &held, out),
            _ => {
                out.push_str(&held);
                Ok(())
            }
        }
    }
}

impl Block {
    /// The block behind the line of its opening fence.
    fn opened_by(line: &str, fence: char, length: usize) -> Self {
        let (shell, labelled) = shell_of(
            line.trim_start_matches([' ', '>', '\t'])
                .trim_start_matches(fence),
        );
        Self {
            fence,
            length,
            shell,
            labelled,
            script: String::new(),
        }
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim_matches([' ', '>', '\t', '\n', '\r']);
        line.len() >= self.length && line.chars().all(|c| c == self.fence)
    }

    fn may_close(&self, line: &str) -> bool {
        line.trim_start_matches([' ', '>', '\t'])
            .chars()
            .all(|c| c == self.fence)
    }

    /// Judges a line that is complete.
    fn line(&mut self, scene: &mut Scene<'_>, line: &str, out: &mut String) -> Result<(), Box<Stop>> {
        let Some(shell) = self.shell.filter(|_| !line.trim().is_empty()) else {
            out.push_str(line);
            return Ok(());
        };
        let length = self.script.len();
        self.script.push_str(without_prompt(line));
        if self.script.len() > BLOCK {
            let from = self.script.len() - BLOCK;
            let cut = self.script.get(from..).and_then(|rest| rest.find('\n'));
            let from = cut.map_or(length, |n| from + n + 1).min(length);
            self.script.drain(..from);
        }
        let shown = judge(scene, shell, &self.script, self.labelled, line, out)?;
        if !shown {
            // It is not there for what follows.
            let keep = self.script.len() - without_prompt(line).len();
            self.script.truncate(keep);
        }
        Ok(())
    }
}

/// Judges a command, and appends it or its mark. `true`: it is shown.
fn judge(
    scene: &mut Scene<'_>,
    shell: Shell,
    command: &str,
    is_sure: bool,
    shown: &str,
    out: &mut String,
) -> Result<bool, Box<Stop>> {
    let policy = scene.policy;
    let verdict = policy.output().commands().and_then(|rules| {
        let mut judgement: Judgement = rules.judge().judge(shell, command);
        if !is_sure {
            judgement.findings.retain(|f| f.class != Class::Unclear);
        }
        rules.verdict(&judgement, &scene.place.to_string())
    });
    let mark = match &verdict {
        Some(found) => {
            let deciding = found.hits.iter().find(|h| !h.observed_only);
            let kind = deciding.map_or("command", |hit| hit.id.as_str());
            scene.act(found, kind)?
        }
        None => None,
    };
    match &mark {
        Some(mark) => {
            out.push_str(mark);
            out.push_str(if shown.ends_with('\n') { "\n" } else { "" });
        }
        None => out.push_str(shown),
    }
    Ok(mark.is_none())
}

/// Inline code: a command has an argument at least.
fn inline(scene: &mut Scene<'_>, inner: &str, held: &str, out: &mut String) -> Result<(), Box<Stop>> {
    if inner.trim().contains(' ') {
        judge(scene, Shell::Bash, inner.trim(), false, held, out).map(drop)
    } else {
        out.push_str(held);
        Ok(())
    }
}

/// The shell that a fence names; and whether it names one.
fn shell_of(info: &str) -> (Option<Shell>, bool) {
    let name: String = info
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+'))
        .collect();
    match name.to_ascii_lowercase().as_str() {
        "" => (Some(Shell::Bash), false),
        "sh" | "bash" | "shell" | "zsh" | "ksh" | "dash" | "fish" | "console" | "terminal"
        | "shellscript" | "shellsession" | "shell-session" | "sh-session" | "bash-session" => {
            (Some(Shell::Bash), true)
        }
        "powershell" | "pwsh" | "ps1" | "ps" | "posh" | "cmd" | "bat" | "batch" | "dos" => {
            (Some(Shell::PowerShell), true)
        }
        _ => (None, true),
    }
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
