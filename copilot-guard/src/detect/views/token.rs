//! What is known of a piece of text between blanks, as far as it has come; and whether the next one belongs to it.

use super::class::{ALNUM, DIGIT, ESCAPE, LOWER, QUOTE, UPPER, class};

/// Counts of a token, or of several that belong together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) bytes: usize,
    /// Letters and digits, and characters that pass for them.
    pub(super) letters: usize,
    /// Characters that are left out, or pass for others.
    pub(super) folded: usize,
    pub(super) escapes: usize,
    pub(super) quotes: usize,
    /// The longest run of letters and digits, and the longest of what base64 is made of.
    pub(super) longest_word: usize,
    pub(super) longest_dense: usize,
}

/// A token so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Token {
    pub(super) counts: Counts,
    word: usize,
    dense: usize,
    /// Every letter so far is one of hexadecimal digits, or of what begins a number.
    not_number: bool,
    has_digit: bool,
    /// It is no ordinary word: small letters, perhaps a capital first.
    not_word: bool,
    tag: Tag,
    /// It begins like `chr(`: a number within counts as one.
    called: bool,
    first: u8,
    last: u8,
}

/// How much of a tag of HTML there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tag {
    #[default]
    None,
    /// `<`, and nothing but its name behind it.
    Name,
    /// It has ended.
    Closed,
}

/// How a token that has ended belongs to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bond {
    /// Not at all.
    None,
    /// Short pieces, numbers, groups of so many letters.
    Sparse {
        /// How many letters the pieces have.
        group: usize,
        /// How many there were.
        count: usize,
    },
    /// A literal that is joined to another.
    Literal {
        /// An operator stood behind it.
        operator: bool,
    },
    /// A line of base64.
    Line,
    /// A tag that is still open.
    Tag,
    /// A soft line break.
    Soft,
}

/// Longest piece that counts as short.
const SHORT: usize = 8;
/// Shortest line of base64 that may go on in the next one.
const LONG_LINE: usize = 16;

impl Token {
    pub(super) const fn is_empty(&self) -> bool {
        self.counts.bytes == 0
    }

    /// Takes an ASCII byte that is no blank.
    #[inline]
    pub(super) fn ascii(&mut self, byte: u8) {
        let class = class(byte);
        if self.counts.bytes == 0 {
            self.first = byte;
        }
        self.counts.bytes += 1;
        self.last = byte;
        if class & ALNUM != 0 {
            self.letter(byte, class);
            return;
        }
        self.word = 0;
        match byte {
            b'+' | b'/' | b'-' | b'_' | b'=' => self.longer(),
            _ => {
                self.dense = 0;
                self.counts.escapes += usize::from(class & ESCAPE != 0);
                self.counts.quotes += usize::from(class & QUOTE != 0);
            }
        }
        if byte == b'(' && self.begins_like_call() {
            self.called = true;
            self.not_number = false;
        }
        self.tag = match (byte, self.tag) {
            (b'<', _) => Tag::Name,
            (b'>', _) => Tag::Closed,
            (b'!' | b'-' | b'/', tag) => tag,
            (_, Tag::Name) => Tag::None,
            (_, tag) => tag,
        };
        self.not_word = true;
    }

    fn letter(&mut self, byte: u8, class: u8) {
        self.counts.letters += 1;
        self.word += 1;
        self.counts.longest_word = self.counts.longest_word.max(self.word);
        self.longer();
        self.has_digit |= class & DIGIT != 0;
        self.not_word |= class & LOWER == 0 && (class & UPPER == 0 || self.counts.letters > 1);
        self.not_number |= !(byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X' | b'u' | b'U'));
    }

    #[inline]
    fn longer(&mut self) {
        self.dense += 1;
        self.counts.longest_dense = self.counts.longest_dense.max(self.dense);
    }

    /// Takes a character that passes for an ASCII one, or is left out.
    pub(super) fn folded(&mut self, bytes: usize, to: Option<u8>) {
        self.counts.folded += 1;
        match to {
            Some(byte) if class(byte) & ALNUM != 0 => {
                self.letter(byte, class(byte));
                self.counts.bytes += bytes;
            }
            _ => self.counts.bytes += bytes,
        }
        self.not_word = true;
    }

    /// `c`, `ch`, `chr`, `char`: the beginning of what makes a character of a number.
    const fn begins_like_call(&self) -> bool {
        matches!(self.first, b'c' | b'C')
            && self.counts.letters <= 4
            && !self.has_digit
            && self.counts.quotes == 0
    }

    /// How it belongs to what follows, now that it has ended. `line` says that its line has ended too.
    pub(super) fn bond(&self, line: bool, before: Bond) -> Bond {
        let Counts {
            letters,
            longest_dense,
            bytes,
            quotes,
            ..
        } = self.counts;
        // A `<` alone compares.
        if self.tag == Tag::Name && self.last != b'<' || before == Bond::Tag && self.tag != Tag::Closed {
            return Bond::Tag;
        }
        if line && self.last == b'=' && self.counts.bytes > 1 {
            return Bond::Soft;
        }
        if line && longest_dense >= LONG_LINE && bytes - longest_dense <= 4 {
            return Bond::Line;
        }
        if quotes > 0 && letters <= 64 {
            match self.last {
                b'"' | b'\'' | b'`' => return Bond::Literal { operator: false },
                b'+' | b'.' | b',' | b'&' | b'|' | b'(' | b'[' | b'\\' => {
                    return Bond::Literal { operator: true };
                }
                _ => {}
            }
        }
        if let Bond::Literal { .. } = before
            && letters == 0
        {
            return Bond::Literal { operator: true };
        }
        if self.is_short(before) {
            return match before {
                Bond::Sparse { group, count } => Bond::Sparse {
                    group: group.max(letters),
                    count: count + 1,
                },
                _ => Bond::Sparse {
                    group: letters,
                    count: 1,
                },
            };
        }
        Bond::None
    }

    /// Whether it is a piece of a run of short pieces, as far as it has come.
    fn is_short(&self, before: Bond) -> bool {
        let letters = self.counts.letters;
        if letters <= 2 {
            return self.counts.bytes <= 16;
        }
        if letters > SHORT + 2 || self.counts.bytes > 16 {
            return false;
        }
        if self.begins_like_call() && !self.called && matches!(before, Bond::Sparse { .. }) {
            return true;
        }
        let is_number = !self.not_number && (self.has_digit || self.called);
        // Ordinary words are pieces only where others were.
        let fits = matches!(before, Bond::Sparse { group, count } if letters <= group && count >= 3);
        is_number || fits || letters <= SHORT && self.not_word && self.counts.quotes == 0
    }

    /// Whether it belongs to what came before, as far as it has come. Once it does not, it never will.
    pub(super) fn belongs(&self, before: Bond) -> bool {
        match before {
            Bond::None => false,
            Bond::Sparse { .. } => self.is_short(before),
            Bond::Literal { operator } => match self.first {
                b'"' | b'\'' | b'`' => true,
                b'f' | b'r' | b'b' | b'u' if operator => self.counts.bytes < 2 || self.counts.quotes > 0,
                b'+' | b'.' | b',' | b'&' | b'|' | b')' | b']' | b'(' | b'[' | b'\\' | b'~' | b'<' => true,
                _ => false,
            },
            Bond::Line => self.counts.bytes - self.counts.longest_dense.min(self.counts.bytes) <= 8,
            Bond::Tag | Bond::Soft => true,
        }
    }
}

impl Bond {
    /// The longest that pieces which belong together may be.
    pub(super) const fn longest(self) -> usize {
        match self {
            Self::Tag => 160,
            Self::None | Self::Literal { .. } | Self::Soft => 1024,
            Self::Sparse { .. } => 2048,
            Self::Line => usize::MAX,
        }
    }
}

impl Counts {
    /// Joins the counts of the next token.
    pub(super) fn add(&mut self, next: Self) {
        self.bytes += next.bytes;
        self.letters += next.letters;
        self.folded += next.folded;
        self.escapes += next.escapes;
        self.quotes += next.quotes;
        self.longest_word = self.longest_word.max(next.longest_word);
        self.longest_dense = self.longest_dense.max(next.longest_dense);
    }

    /// Whether something may stand disguised in it: else no view is made.
    pub(super) const fn is_worth_a_look(self) -> bool {
        self.letters >= 14
            || self.folded > 0 && self.letters >= 8
            || self.folded >= 8
            || self.escapes >= 4
            || self.letters >= 4 && self.quotes >= 3
    }
}
