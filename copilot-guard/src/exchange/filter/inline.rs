//! Inline code in a paragraph that is still arriving: held from its opening backticks to its closing ones, at most
//! [`LONGEST`] bytes of it at once.

use super::super::watched::{Scene, Stop};
use super::script::Script;

/// Most bytes that are held.
const LONGEST: usize = 512;

/// The text of one paragraph after the other.
#[derive(Default)]
pub(super) struct Inline {
    open: Option<Open>,
    /// What is held, as it stands in the text: the inline code so far, or the backticks that may open it.
    held: String,
    /// Backticks of the run at hand.
    run: usize,
    is_escaped: bool,
}

/// Inline code that is open.
struct Open {
    ticks: usize,
    script: Script,
    /// What is held of it, without the marks of quotes at the beginning of its lines.
    code: String,
}

impl Inline {
    /// Takes a character and appends what may pass.
    ///
    /// # Errors
    /// The answer ends here.
    pub(super) fn take(&mut self, scene: &mut Scene<'_>, c: char, out: &mut String) -> Result<(), Box<Stop>> {
        if c == '`' && !self.is_escaped {
            self.run += 1;
            self.held.push(c);
            return if self.held.len() >= LONGEST {
                self.let_go(scene, false, out)
            } else {
                Ok(())
            };
        }
        self.end_run(scene, out)?;
        let Some(open) = &mut self.open else {
            self.is_escaped = c == '\\' && !self.is_escaped;
            out.push(c);
            return Ok(());
        };
        self.held.push(c);
        // It is shown in one line.
        open.code.push(if matches!(c, '\n' | '\r') { ' ' } else { c });
        if self.held.len() >= LONGEST {
            self.let_go(scene, false, out)?;
        }
        Ok(())
    }

    /// Takes what is no part of the paragraph's text: the marks of quotes, the second half of a line's end.
    pub(super) fn pass(&mut self, marks: &str, out: &mut String) {
        if self.open.is_some() {
            self.held.push_str(marks);
        } else {
            out.push_str(marks);
        }
    }

    /// The paragraph has ended. Inline code that is open was none; it is judged all the same.
    ///
    /// # Errors
    /// The answer ends here.
    pub(super) fn end(&mut self, scene: &mut Scene<'_>, out: &mut String) -> Result<(), Box<Stop>> {
        self.end_run(scene, out)?;
        let result = self.let_go(scene, false, out);
        self.open = None;
        self.is_escaped = false;
        result
    }

    /// What follows the backticks is none.
    fn end_run(&mut self, scene: &mut Scene<'_>, out: &mut String) -> Result<(), Box<Stop>> {
        let run = std::mem::take(&mut self.run);
        match &mut self.open {
            _ if run == 0 => {}
            None => {
                self.open = Some(Open {
                    ticks: run,
                    script: Script::unlabelled(),
                    code: String::new(),
                });
            }
            Some(open) if open.ticks == run => {
                let result = self.let_go(scene, true, out);
                self.open = None;
                return result;
            }
            Some(open) => open.code.extend(std::iter::repeat_n('`', run.min(LONGEST))),
        }
        Ok(())
    }

    /// Judges what is held and lets it go.
    fn let_go(&mut self, scene: &mut Scene<'_>, is_closed: bool, out: &mut String) -> Result<(), Box<Stop>> {
        let held = std::mem::take(&mut self.held);
        match &mut self.open {
            Some(open) if !open.code.is_empty() => {
                let code = std::mem::take(&mut open.code);
                open.script.inline(scene, &code, &held, is_closed, out)
            }
            _ => {
                out.push_str(&held);
                Ok(())
            }
        }
    }
}
