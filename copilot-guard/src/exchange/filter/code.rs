//! Commands in code of prose that is still arriving: in fenced and indented blocks a line is held until it ends; inline code
//! until its closing backticks.
//!
//! 1. What is code is told as CommonMark tells it: a block ends with the quote or the list item that it is in, and inline
//!    code with its paragraph.
//! 2. Judged are blocks that say they are of a shell, and those that say nothing.
//! 3. In a block of another language a fence that names a shell opens one all the same: the reader may see it otherwise.

use super::super::watched::{Scene, Stop};
use super::inline::Inline;
use super::line::{Container, Fence, Kind, Line, Paragraph, is_line_end};
use super::script::Script;

/// Longest line that is held; what is longer is judged in pieces.
const LONGEST_LINE: usize = 8192;
/// Longest run of quotes, items and blanks at the beginning of a line.
const LONGEST_START: usize = 256;
/// Most containers that are open, and most blocks.
const MOST_CONTAINERS: usize = 128;
const MOST_BLOCKS: usize = 8;

/// The code of one text.
#[derive(Default)]
pub(in super::super) struct Code {
    at: At,
    /// The beginning of a line, while it is not known what it begins.
    start: String,
    /// It holds nothing but blanks.
    is_blank: bool,
    /// A line of code so far, and how many bytes of it are marks of quotes and the like.
    line: String,
    marks: usize,
    /// The beginning of that line was judged and is gone.
    is_rest: bool,
    /// The quotes and items that the prose is in.
    containers: Vec<Container>,
    /// The last of them is an item whose first line was blank: it ends with the next.
    is_empty_item: bool,
    /// How many of them hold the line at hand.
    matched: usize,
    /// The blocks that are open, the innermost last. Those within another are there for those who see no other.
    blocks: Vec<Block>,
    /// The indented block that may go on.
    indented: Option<Script>,
    inline: Inline,
    paragraph: Paragraph,
    /// The last character was a carriage return: a line feed belongs to it.
    is_return: bool,
}

/// Where in a line.
#[derive(Default, Clone, Copy)]
enum At {
    /// Before anything is known of it.
    #[default]
    Start,
    /// Behind the beginning of a fence of this sign; whether behind all of it.
    Fence(char, bool),
    /// In prose, and in inline code.
    Prose,
    /// In a line that is judged as a whole.
    Code,
    /// In a line that passes.
    Rest,
}

struct Block {
    fence: Fence,
    containers: Vec<Container>,
    /// Nothing for a language that is no shell.
    script: Option<Script>,
    /// Other blocks may be within it, for whoever does not see this one.
    may_nest: bool,
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
        if std::mem::replace(&mut self.is_return, c == '\r') && c == '\n' {
            self.inline.pass("\n", out);
            return Ok(());
        }
        let is_end = is_line_end(c);
        match &mut self.at {
            At::Start => {
                self.is_blank = (self.is_blank || self.start.is_empty()) && matches!(c, ' ' | '\t');
                self.start.push(c);
                if self.is_blank && self.start.len() < LONGEST_LINE {
                    Ok(())
                } else {
                    self.begin(scene, is_end, out)
                }
            }
            At::Fence(mark, is_behind) => {
                self.start.push(c);
                *is_behind |= c != *mark;
                let is_inline = *is_behind && c == '`' && *mark == '`';
                if is_end || is_inline || self.start.len() >= LONGEST_LINE {
                    self.begin(scene, is_end, out)
                } else {
                    Ok(())
                }
            }
            At::Prose => self.prose(scene, c, out),
            At::Code => {
                self.line.push(c);
                if is_end || self.line.len() >= LONGEST_LINE {
                    self.judge_line(scene, is_end, out)
                } else {
                    Ok(())
                }
            }
            At::Rest => {
                out.push(c);
                self.go_on(is_end, At::Rest);
                Ok(())
            }
        }
    }

    /// In the same line, or at the beginning of the next.
    fn go_on(&mut self, is_end: bool, within: At) {
        self.at = if is_end { At::Start } else { within };
    }

    /// Goes on with a line as soon as it is known what it is.
    fn begin(&mut self, scene: &mut Scene<'_>, is_whole: bool, out: &mut String) -> Result<(), Box<Stop>> {
        let start = std::mem::take(&mut self.start);
        let text = start.trim_end_matches(is_line_end);
        loop {
            let block = self.blocks.last();
            let open = block.map_or(&self.containers, |block| &block.containers);
            let may_open = block.is_none_or(|block| block.may_nest);
            let line = Line::read(text, open, self.paragraph.is_open, may_open);
            let is_long = match line.kind(is_whole) {
                Kind::Fence => start.len() >= LONGEST_LINE,
                _ => start.len() >= LONGEST_START,
            };
            let is_left = line.matched < open.len();
            let kind = line.kind(is_whole || is_long);
            if kind == Kind::Open || kind == Kind::Fence && !(is_whole || is_long) {
                let mark = line.content.chars().next().filter(|_| kind == Kind::Fence);
                self.at = mark.map_or(At::Start, |m| At::Fence(m, !line.content.chars().all(|c| c == m)));
                self.start = start;
                return Ok(());
            }
            if self.blocks.is_empty() {
                let line = Begun {
                    kind,
                    matched: line.matched,
                    indent: line.indent,
                    is_heading: line.is_heading(),
                    content: text.len() - line.content.len(),
                    new: line.new,
                };
                return self.begin_prose(scene, start, line, is_whole, out);
            }
            if is_left {
                // The block ends with what holds it.
                self.blocks.pop();
                continue;
            }
            let fence = Fence::of(line.content).filter(|_| line.indent < 4 && is_whole);
            let (inner, new) = (line.inner, line.new);
            if let Some((fence, info)) = fence
                && self.fence_in_block(fence, info, new)
            {
                out.push_str(&start);
                self.at = At::Start;
                return Ok(());
            }
            return self.begin_code(scene, start, inner, is_whole, out);
        }
    }

    /// The line of a fence within a block. `true`: it is one, of this block or of another.
    fn fence_in_block(&mut self, fence: Fence, info: &str, new: Vec<Container>) -> bool {
        let Some(block) = self.blocks.last() else {
            return false;
        };
        // The outermost block that it closes: those within are there for nobody.
        let depth = block.containers.len();
        let closes = |b: &Block| b.containers.len() == depth && fence.closes(&b.fence, info);
        if new.is_empty()
            && let Some(at) = self.blocks.iter().position(closes)
        {
            self.blocks.truncate(at);
            return true;
        }
        let script = Script::of(info).filter(|script| script.is_labelled() && block.may_nest);
        let is_opener = script.is_some();
        let containers = block.containers.iter().copied().chain(new).collect();
        if is_opener {
            if self.blocks.len() >= MOST_BLOCKS {
                self.blocks.remove(0);
            }
            self.blocks.push(Block {
                fence,
                containers,
                script,
                may_nest: true,
            });
        }
        is_opener
    }

    /// A line of a block.
    fn begin_code(
        &mut self,
        scene: &mut Scene<'_>,
        start: String,
        marks: usize,
        is_whole: bool,
        out: &mut String,
    ) -> Result<(), Box<Stop>> {
        let is_judged = self.blocks.last().is_none_or(|block| block.script.is_some());
        if !is_judged {
            out.push_str(&start);
            self.go_on(is_whole, At::Rest);
            return Ok(());
        }
        self.line = start;
        self.marks = marks;
        if is_whole || self.line.len() >= LONGEST_LINE {
            return self.judge_line(scene, is_whole, out);
        }
        self.at = At::Code;
        Ok(())
    }

    fn judge_line(&mut self, scene: &mut Scene<'_>, is_end: bool, out: &mut String) -> Result<(), Box<Stop>> {
        self.go_on(is_end, At::Code);
        let line = std::mem::take(&mut self.line);
        let marks = std::mem::take(&mut self.marks);
        let is_rest = std::mem::replace(&mut self.is_rest, !is_end);
        let script = match self.blocks.last_mut() {
            Some(block) => block.script.as_mut(),
            None => self.indented.as_mut(),
        };
        match script {
            Some(script) => script.line(scene, &line, marks, is_rest, out),
            None => {
                out.push_str(&line);
                Ok(())
            }
        }
    }

    /// A line outside of all fences.
    fn begin_prose(
        &mut self,
        scene: &mut Scene<'_>,
        mut start: String,
        line: Begun,
        is_whole: bool,
        out: &mut String,
    ) -> Result<(), Box<Stop>> {
        if line.kind != Kind::Text || !line.new.is_empty() || line.is_heading {
            self.inline.end(scene, out)?;
            self.paragraph = Paragraph::default();
        }
        // A line of a paragraph needs no marks of what holds it.
        let is_lazy = self.paragraph.is_open && line.matched < self.containers.len();
        self.matched = line.matched;
        if !self.paragraph.is_open {
            let is_new = !line.new.is_empty();
            let is_item = matches!(line.new.last(), Some(Container::Item(_)));
            self.containers.truncate(line.matched);
            self.containers.extend(line.new);
            self.containers.truncate(MOST_CONTAINERS);
            let is_blank = line.kind == Kind::Blank;
            if is_blank && !is_new && std::mem::take(&mut self.is_empty_item) {
                self.containers.pop();
            }
            self.is_empty_item = is_blank && is_item;
            self.matched = self.containers.len();
        }
        if line.indent >= 4 && !self.paragraph.is_open && !(line.kind == Kind::Blank && is_whole) {
            self.indented.get_or_insert(Script::unlabelled());
            return self.begin_code(scene, start, line.content, is_whole, out);
        }
        let content = start.split_off(line.content);
        match line.kind {
            Kind::Fence => {
                self.indented = None;
                self.open_block(&content, is_whole);
                out.push_str(&start);
                out.push_str(&content);
                self.go_on(is_whole, At::Rest);
                Ok(())
            }
            Kind::Text => {
                self.indented = None;
                self.paragraph.begin(line.is_heading, line.indent, is_lazy);
                self.inline.pass(&start, out);
                self.at = At::Prose;
                content.chars().try_for_each(|c| self.prose(scene, c, out))
            }
            Kind::Blank | Kind::Open => {
                if !is_whole {
                    // Marks without end.
                    self.paragraph.begin(false, 0, false);
                }
                out.push_str(&start);
                out.push_str(&content);
                self.go_on(is_whole, At::Prose);
                Ok(())
            }
        }
    }

    /// The block behind its opening fence.
    fn open_block(&mut self, content: &str, is_whole: bool) {
        let Some((mut fence, info)) = Fence::of(content) else {
            return;
        };
        let mut script = Script::of(info);
        if !is_whole {
            // It may be no fence at all: what follows is judged until the text ends, and so is what is opened in it.
            fence.length = usize::MAX;
            script = script.or(Some(Script::unlabelled()));
        }
        let is_shell = script.as_ref().is_some_and(Script::is_labelled);
        self.blocks.push(Block {
            fence,
            containers: self.containers.clone(),
            script,
            may_nest: !(is_shell && is_whole),
        });
    }

    /// A character of a paragraph.
    fn prose(&mut self, scene: &mut Scene<'_>, c: char, out: &mut String) -> Result<(), Box<Stop>> {
        self.inline.take(scene, c, out)?;
        if !is_line_end(c) {
            self.paragraph.take(c);
            return Ok(());
        }
        self.at = At::Start;
        if self.paragraph.ends_line() {
            self.inline.end(scene, out)?;
        }
        if !self.paragraph.is_open {
            // It is a line that is drawn, which holds nothing.
            self.containers.truncate(self.matched);
        }
        Ok(())
    }

    /// The text has ended.
    fn finish(&mut self, scene: &mut Scene<'_>, out: &mut String) -> Result<(), Box<Stop>> {
        if !self.start.is_empty() {
            self.begin(scene, true, out)?;
        }
        if !self.line.is_empty() {
            self.judge_line(scene, true, out)?;
        }
        self.inline.end(scene, out)?;
        *self = Self::default();
        Ok(())
    }
}

/// What is known of the beginning of a line of prose: as of [`Line`], with the place of its content.
struct Begun {
    kind: Kind,
    matched: usize,
    new: Vec<Container>,
    indent: usize,
    is_heading: bool,
    content: usize,
}
