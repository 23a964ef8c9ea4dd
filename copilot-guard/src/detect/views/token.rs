//! What is known of a piece of text between blanks, as far as it has come; and whether the next one belongs to it.

use super::class::{ALNUM, DIGIT, ESCAPE, LOWER, QUOTE, UPPER, class};
use super::mail::uu_length;

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
    /// Tags that have ended.
    pub(super) tags: usize,
    /// A token of many letters with signs among them.
    pub(super) parted: bool,
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
    has_lower: bool,
    has_upper: bool,
    /// It is no ordinary word: small letters, perhaps a capital first.
    not_word: bool,
    tag: Tag,
    /// It begins like `chr(`: a number within counts as one.
    called: bool,
    /// A number, and a bracket behind it that ends the list.
    ends_list: bool,
    call: Call,
    /// Digits of hexadecimal so far, and whether something else has come.
    offset: usize,
    no_offset: bool,
    is_something: bool,
    /// A sign that uuencode does not use.
    no_uu: bool,
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
    /// `<~`, which begins what `~>` ends.
    Ascii85,
    /// `\N{`, which begins the name of a character.
    Named,
}

/// How much there is of a call that makes a character of a number: `String.fromCharCode(65)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Call {
    #[default]
    Name,
    Number,
    Closed,
    /// It is none.
    None,
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
        /// Some made a character of a number.
        calls: bool,
    },
    /// A literal that is joined to another.
    Literal {
        /// An operator stood behind it.
        operator: bool,
        /// Its line has ended: another statement may go on with it.
        statement: bool,
    },
    /// The name at the beginning of such a statement.
    Name,
    /// A line of base64.
    Line,
    /// A line of uuencode.
    Uu,
    /// A line of a dump of bytes, which begins with an offset; and that its line has ended.
    Dump {
        /// The next token begins a line.
        line: bool,
    },
    /// A tag that is still open.
    Tag,
    /// A soft line break.
    Soft,
}

/// Longest piece that counts as short.
const SHORT: usize = 8;
/// Shortest line of base64 that may go on in the next one; a line that is no word may be shorter.
const LONG_LINE: usize = 16;
const SHORT_LINE: usize = 8;
/// Longest call that makes a character of a number.
const LONGEST_CALL: usize = 32;

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
        self.call = match (byte, self.call) {
            (b'(', Call::Name) if self.counts.letters > 0 => Call::Number,
            (b'.' | b'_', Call::Name) => Call::Name,
            (b')', Call::Number) if self.last.is_ascii_digit() => Call::Closed,
            (b'+' | b',' | b';' | b')' | b'.', Call::Closed) => Call::Closed,
            (_, call @ (Call::Name | Call::Number)) if class & ALNUM != 0 => call,
            _ => Call::None,
        };
        if byte.is_ascii_hexdigit() && !self.no_offset && self.offset + 1 == self.counts.bytes {
            self.offset += 1;
            self.is_something |= byte != b'0';
        } else {
            self.no_offset |= byte != b':' || self.offset + 1 != self.counts.bytes;
        }
        self.no_uu |= !(b'!'..=b'`').contains(&byte);
        let before = std::mem::replace(&mut self.last, byte);
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
        self.ends_list |= matches!(byte, b')' | b']' | b'}') && self.has_digit && !self.not_number;
        if byte == b'(' && self.begins_like_call() {
            self.called = true;
            self.not_number = false;
        }
        self.tag = match (byte, self.tag) {
            (b'>', Tag::Ascii85) if before == b'~' => Tag::Closed,
            (_, Tag::Ascii85) => Tag::Ascii85,
            (b'}', Tag::Named) => {
                self.counts.tags += 1;
                Tag::Closed
            }
            (_, Tag::Named) => Tag::Named,
            (b'{', _) if before == b'N' && self.counts.escapes > 0 => Tag::Named,
            (b'~', Tag::Name) if before == b'<' => Tag::Ascii85,
            (b'<', _) => Tag::Name,
            (b'>', tag) => {
                self.counts.tags += usize::from(tag == Tag::Name);
                Tag::Closed
            }
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
        self.has_lower |= class & LOWER != 0;
        self.has_upper |= class & UPPER != 0;
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
    /// `first` that it began one.
    pub(super) fn bond(&self, first: bool, line: bool, before: Bond) -> Bond {
        let Counts {
            letters,
            longest_dense,
            bytes,
            quotes,
            ..
        } = self.counts;
        let is_offset = !self.no_offset && matches!(self.offset, 7 | 8);
        match before {
            Bond::Dump { line: false } => return Bond::Dump { line },
            Bond::Dump { line: true } if is_offset => return Bond::Dump { line },
            _ => {}
        }
        // The first offset is nought.
        if is_offset && first && !line && !self.is_something {
            return Bond::Dump { line };
        }
        // A `<` alone compares.
        if matches!(self.tag, Tag::Ascii85 | Tag::Named)
            || self.tag == Tag::Name && self.last != b'<'
            || before == Bond::Tag && self.tag != Tag::Closed
        {
            return Bond::Tag;
        }
        if line && matches!(self.last, b'=' | b'\\') && self.counts.bytes > 1 {
            return Bond::Soft;
        }
        if line
            && bytes > 12
            && bytes == 1 + uu_length(self.first)
            && self.first >= b'!'
            && self.first <= b'_'
            && !self.no_uu
        {
            return Bond::Uu;
        }
        let is_line = longest_dense >= LONG_LINE || longest_dense >= SHORT_LINE && self.is_mixed();
        let is_literal = quotes > 0 && letters <= 64;
        if line && is_line && bytes - longest_dense <= 4 && !is_literal {
            return Bond::Line;
        }
        let is_number = self.has_digit && !self.has_lower && !self.has_upper;
        if before == Bond::Line && !line && bytes <= 5 && (letters == 0 || is_number) {
            // What numbers the next line, or makes it a comment.
            return Bond::Line;
        }
        let is_piece = matches!(before, Bond::Sparse { .. }) && letters <= 2 && self.is_short(before, true);
        if is_literal && !is_piece {
            match self.last {
                b'"' | b'\'' | b'`' | b';' | b'}' => {
                    return Bond::Literal {
                        operator: false,
                        statement: line || self.last == b';',
                    };
                }
                b'+' | b'.' | b',' | b'&' | b'|' | b'(' | b'[' | b'\\' => {
                    return Bond::Literal {
                        operator: true,
                        statement: false,
                    };
                }
                _ => {}
            }
        }
        match before {
            Bond::Literal { .. } | Bond::Name if letters == 0 => {
                return Bond::Literal {
                    operator: true,
                    statement: false,
                };
            }
            Bond::Literal { statement: true, .. } if quotes == 0 && bytes <= LONGEST_CALL => {
                return Bond::Name;
            }
            _ => {}
        }
        if self.is_short(before, true) {
            return match before {
                Bond::Sparse { group, count, calls } => Bond::Sparse {
                    group: group.max(letters),
                    count: count + 1,
                    calls: calls || self.call == Call::Closed,
                },
                _ => Bond::Sparse {
                    group: letters,
                    count: 1,
                    calls: self.call == Call::Closed,
                },
            };
        }
        Bond::None
    }

    /// Whether it has digits, capitals and small letters, as no name has that stands alone in a line.
    const fn is_mixed(&self) -> bool {
        self.has_digit && self.has_lower && self.has_upper
    }

    /// Whether it is a piece of a run of short pieces: all of it, or as far as it has come.
    fn is_short(&self, before: Bond, ended: bool) -> bool {
        let letters = self.counts.letters;
        if letters <= 2 {
            return self.counts.bytes <= 16;
        }
        if self.counts.bytes <= LONGEST_CALL
            && (self.call == Call::Closed
                || !ended && self.call == Call::Number && matches!(before, Bond::Sparse { calls: true, .. }))
        {
            return true;
        }
        if self.ends_list && matches!(before, Bond::Sparse { .. }) && self.counts.bytes <= 64 {
            return true;
        }
        if !ended
            && self.call == Call::Name
            && matches!(before, Bond::Sparse { calls: true, .. })
            && self.counts.bytes <= 24
        {
            return true;
        }
        // Single ones with signs between them.
        if self.counts.bytes + 1 >= 2 * letters
            && self.counts.bytes <= 40
            && matches!(before, Bond::Sparse { .. })
        {
            return true;
        }
        if letters > SHORT + 2 || self.counts.bytes > 16 {
            return false;
        }
        if self.begins_like_call() && !self.called && matches!(before, Bond::Sparse { .. }) {
            return true;
        }
        let is_number = !self.not_number && (self.has_digit || self.called);
        // Ordinary words are pieces only where others were.
        let fits = matches!(before, Bond::Sparse { group, count, .. } if letters <= group && count + usize::from(group > 2) >= 3);
        is_number || fits || letters <= SHORT && self.not_word && self.counts.quotes == 0
    }

    /// Whether it belongs to what came before, as far as it has come. Once it does not, it never will.
    pub(super) fn belongs(&self, before: Bond) -> bool {
        match before {
            Bond::None => false,
            Bond::Sparse { .. } => self.is_short(before, false),
            Bond::Literal { operator, statement } => match self.first {
                b'"' | b'\'' | b'`' => true,
                b'f' | b'r' | b'b' | b'u' if operator => self.counts.bytes < 2 || self.counts.quotes > 0,
                b'+' | b'.' | b',' | b'&' | b'|' | b')' | b']' | b'(' | b'[' | b'\\' | b'~' | b'<' => true,
                b'-' | b'$' | b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    statement && (self.counts.quotes > 0 || self.counts.bytes <= LONGEST_CALL)
                }
                _ => false,
            },
            Bond::Name => matches!(self.first, b'=' | b'+' | b'.' | b':'),
            Bond::Dump { line } => !line || !self.no_offset && self.offset <= 8,
            Bond::Uu => self.counts.bytes <= 61 && !self.no_uu,
            Bond::Line => self.counts.bytes - self.counts.longest_dense.min(self.counts.bytes) <= 8,
            Bond::Tag | Bond::Soft => true,
        }
    }
}

impl Bond {
    /// The longest that pieces which belong together may be.
    pub(super) const fn longest(self, counts: Counts) -> usize {
        match self {
            // Where one tag follows the other.
            Self::Tag if counts.tags >= 4 => 4096,
            Self::Tag => 160,
            Self::None | Self::Literal { .. } | Self::Name | Self::Soft => 1024,
            Self::Uu => usize::MAX,
            Self::Sparse { .. } => 2048,
            Self::Line | Self::Dump { .. } => usize::MAX,
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
        self.tags += next.tags;
        self.parted |= next.is_parted();
        self.longest_word = self.longest_word.max(next.longest_word);
        self.longest_dense = self.longest_dense.max(next.longest_dense);
    }

    /// Whether much of it, or of a token in it, is neither a letter nor a digit.
    pub(super) const fn is_parted(self) -> bool {
        self.parted || self.letters >= 8 && self.bytes.saturating_sub(self.letters) * 6 >= self.bytes
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
