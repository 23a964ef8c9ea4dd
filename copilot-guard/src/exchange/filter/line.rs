//! Where a line of Markdown stands: the quotes and list items that hold it, and what begins behind them (CommonMark 0.31,
//! sections 4.5, 5.1 and 5.2).

/// Most quotes and items within one another that begin in one line.
const MOST_NEW: usize = 128;

/// What holds a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// `> `.
    Quote,
    /// `- ` or `1. `; the column where its content begins.
    Item(usize),
}

/// A line, or the beginning of one.
#[derive(Debug)]
pub(super) struct Line<'l> {
    /// How many of the containers that were open hold it.
    pub(super) matched: usize,
    /// Those that begin in it.
    pub(super) new: Vec<Container>,
    /// The bytes of the containers that hold it.
    pub(super) inner: usize,
    /// The blanks before its content, in columns.
    pub(super) indent: usize,
    /// What stands behind them all.
    pub(super) content: &'l str,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// More of it is needed.
    Open,
    Blank,
    /// Of a fence, or open and one so far.
    Fence,
    Text,
}

impl<'l> Line<'l> {
    /// Reads a line without its end, where these containers are open. In a paragraph not everything begins a list. Within
    /// code nothing does, but where it is not sure that it is code (`may_open`).
    pub(super) fn read(text: &'l str, open: &[Container], in_paragraph: bool, may_open: bool) -> Self {
        let mut cursor = Cursor {
            rest: text,
            column: 0,
            spare: 0,
        };
        let matched = open.iter().take_while(|c| cursor.enter(**c)).count();
        let inner = text.len() - cursor.rest.len();
        let mut new = Vec::new();
        while may_open && new.len() < MOST_NEW {
            let interrupts = in_paragraph && matched == open.len() && new.is_empty();
            match cursor.open(interrupts) {
                Some(container) => new.push(container),
                None => break,
            }
        }
        Self {
            matched,
            new,
            inner,
            indent: cursor.indent(),
            content: cursor.rest.trim_start_matches([' ', '\t']),
        }
    }

    /// What it is. The line may go on behind what there is of it, unless it `is_whole`.
    pub(super) fn kind(&self, is_whole: bool) -> Kind {
        if self.content.is_empty() {
            return if is_whole { Kind::Blank } else { Kind::Open };
        }
        if self.indent >= 4 {
            // `-     - -`: a line that is drawn, unless something else follows.
            let is_open = !is_whole && !self.new.is_empty() && is_drawn(self.content);
            return if is_open { Kind::Open } else { Kind::Text };
        }
        if Fence::of(self.content).is_some() {
            return Kind::Fence;
        }
        if !is_whole && self.may_become() {
            return Kind::Open;
        }
        Kind::Text
    }

    /// Whether what there is may be the beginning of a fence, an item or a heading.
    fn may_become(&self) -> bool {
        let content = self.content.trim_end_matches([' ', '\t']);
        let digits = content.bytes().take_while(u8::is_ascii_digit).count();
        let is_number = (1..=9).contains(&digits) && matches!(content.get(digits..), Some("" | "." | ")"));
        let is_run = |mark: char| content.len() <= 6 && content.chars().all(|c| c == mark);
        let is_other = content == "+" || is_run('`') || is_run('~') || is_run('#');
        is_number || is_drawn(content) || is_other
    }

    /// `# `: a paragraph of one line.
    pub(super) fn is_heading(&self) -> bool {
        let marks = self.content.bytes().take_while(|b| *b == b'#').count();
        let behind = self.content.as_bytes().get(marks);
        (1..=6).contains(&marks) && self.indent < 4 && behind.is_none_or(|b| matches!(b, b' ' | b'\t'))
    }
}

/// Three or more of one of two signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) mark: char,
    pub(super) length: usize,
}

impl Fence {
    /// The fence that begins this content, and what stands behind it. None has a backtick behind backticks: that is inline
    /// code.
    pub(super) fn of(content: &str) -> Option<(Self, &str)> {
        let mark = content.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let length = content.chars().take_while(|c| *c == mark).count();
        let info = content.get(length..)?;
        let is_inline = mark == '`' && info.contains('`');
        (length >= 3 && !is_inline).then_some((Self { mark, length }, info))
    }

    /// Whether this is the end of a block that `opener` began.
    pub(super) fn closes(&self, opener: &Self, info: &str) -> bool {
        self.mark == opener.mark && self.length >= opener.length && info.trim().is_empty()
    }
}

/// Whether this is nothing but blanks and one of the signs that begin items: three draw a line.
fn is_drawn(content: &str) -> bool {
    let mark = content.chars().next().filter(|c| matches!(c, '-' | '*'));
    mark.is_some_and(|mark| content.chars().all(|c| c == mark || matches!(c, ' ' | '\t')))
}

/// A place in a line.
struct Cursor<'l> {
    rest: &'l str,
    /// Counted with tabs.
    column: usize,
    /// Columns of a tab that were not taken yet.
    spare: usize,
}

impl Cursor<'_> {
    /// The blanks at hand, in columns.
    fn indent(&self) -> usize {
        let mut column = self.column;
        for c in self.rest.chars() {
            match c {
                ' ' => column += 1,
                '\t' => column += 4 - column % 4,
                _ => break,
            }
        }
        column - self.column + self.spare
    }

    /// Takes so many columns of blanks, or all that there are.
    fn skip(&mut self, mut columns: usize) {
        while columns > 0 {
            if self.spare > 0 {
                let taken = self.spare.min(columns);
                self.spare -= taken;
                columns -= taken;
            } else if let Some(rest) = self.rest.strip_prefix(' ') {
                self.rest = rest;
                self.column += 1;
                columns -= 1;
            } else if let Some(rest) = self.rest.strip_prefix('\t') {
                self.rest = rest;
                self.spare = 4 - self.column % 4;
                self.column += self.spare;
            } else {
                return;
            }
        }
    }

    /// Takes what a container that is open has in each line. `false`: it has ended.
    fn enter(&mut self, container: Container) -> bool {
        match container {
            // However far it is indented: markdown-it takes it so, and VS Code uses that.
            Container::Quote => self.quote(),
            Container::Item(column) => {
                let at = self.column - self.spare;
                let is_blank = self.rest.trim_start_matches([' ', '\t']).is_empty();
                if !is_blank && at + self.indent() < column {
                    return false;
                }
                self.skip(column.saturating_sub(at));
                true
            }
        }
    }

    fn quote(&mut self) -> bool {
        let indent = self.indent();
        let is_quote = self.rest.trim_start_matches([' ', '\t']).starts_with('>');
        if is_quote {
            self.skip(indent);
            self.take('>'.len_utf8());
            self.skip(1);
        }
        is_quote
    }

    fn take(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.column += bytes;
    }

    /// A container that begins here.
    fn open(&mut self, interrupts: bool) -> Option<Container> {
        let indent = self.indent();
        if indent >= 4 {
            return None;
        }
        if self.quote() {
            return Some(Container::Quote);
        }
        let content = self.rest.trim_start_matches([' ', '\t']);
        if is_drawn(content) && content.matches(['-', '*']).count() >= 3 {
            return None;
        }
        let digits = content.bytes().take_while(u8::is_ascii_digit).count();
        let length = match content.as_bytes().get(digits)? {
            b'-' | b'*' | b'+' if digits == 0 => 1,
            b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
            _ => return None,
        };
        let behind = content.get(length..)?;
        let is_empty = behind.trim_start_matches([' ', '\t']).is_empty();
        let is_first = digits == 0 || content.get(..digits) == Some("1");
        if !(is_empty || behind.starts_with([' ', '\t'])) || interrupts && (is_empty || !is_first) {
            return None;
        }
        self.skip(indent);
        self.take(length);
        // What is indented by more is code within the item.
        let blanks = self.indent();
        self.skip(if is_empty || blanks > 4 { 1 } else { blanks });
        let taken = if is_empty && blanks == 0 { 1 } else { 0 };
        Some(Container::Item(self.column - self.spare + taken))
    }
}

/// The paragraph so far.
#[derive(Default)]
pub(super) struct Paragraph {
    pub(super) is_open: bool,
    is_table: bool,
    line: Signs,
}

/// What is known of its last line.
#[derive(Default)]
struct Signs {
    is_heading: bool,
    /// The paragraph begins with it.
    is_first: bool,
    /// It stands outside of what holds the paragraph.
    is_lazy: bool,
    /// The sign that all of it is, and how many there are.
    mark: Option<char>,
    count: usize,
    is_rule: bool,
    /// It holds nothing but the signs of the line below a table's head, and which of them.
    is_delimiter: bool,
    has_bar: bool,
    has_dash: bool,
}

impl Paragraph {
    /// A line of it begins.
    pub(super) fn begin(&mut self, is_heading: bool, indent: usize, is_lazy: bool) {
        self.line = Signs {
            is_heading,
            is_first: !self.is_open,
            is_lazy,
            is_rule: indent < 4,
            is_delimiter: indent < 4,
            ..Signs::default()
        };
        self.is_open = true;
    }

    pub(super) fn take(&mut self, c: char) {
        let line = &mut self.line;
        if matches!(c, ' ' | '\t') {
            return;
        }
        line.is_rule &= line.mark.is_none_or(|mark| mark == c);
        line.mark = Some(c);
        line.count += 1;
        line.is_delimiter &= matches!(c, '|' | ':' | '-');
        line.has_bar |= c == '|';
        line.has_dash |= c == '-';
    }

    /// Whether inline code cannot go on in the next line.
    pub(super) fn ends_line(&mut self) -> bool {
        let line = &self.line;
        let mark = line.mark.filter(|_| line.is_rule);
        let is_drawn = line.count >= 3 && matches!(mark, Some('-' | '*' | '_'));
        let is_within = !line.is_first && !line.is_lazy;
        let is_underline = is_within && matches!(mark, Some('-' | '='));
        self.is_table |= is_within && line.is_delimiter && line.has_bar && line.has_dash;
        self.is_open = !(line.is_heading || line.count == 0 || is_drawn || is_underline);
        !self.is_open || self.is_table
    }
}

pub(super) const fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}
