//! Characters that nobody sees and a model reads: what is smuggled, apart from what scripts and emoji need.
//!
//! 1. Tag characters count, but for the flags of regions.
//! 2. Controls of direction count, but for balanced ones in a line of right-to-left text, and isolates around a text that
//!    they do not turn. Overrides that turn Latin letters always count.
//! 3. Variation selectors count where they do not select anything: several in a row, after a letter of ASCII, or one of
//!    the ideographic ones after something else.
//! 4. Runs of other characters without width count when they are longer than a few, stand between letters of ASCII, or
//!    come again and again within a few letters. A byte order mark at the start, soft hyphens between syllables, and
//!    joiners of emoji, Arabic and Indic scripts do not.
//!
//! ```
//! use copilot_guard::detect::hidden;
//!
//! assert!(hidden::find("a family: \u{1f469}\u{200d}\u{1f467}, a flag: \u{1f1eb}\u{1f1f7}").is_empty());
//! assert_eq!(hidden::find("pass\u{200b}word"), [4..7]);
//! ```

use std::ops::Range;

/// Longest run without width that passes for a slip of an editor.
const FEW: usize = 3;
/// Runs of directions close one behind the other: more levels than this are no text.
const FEW_DIRECTIONS: usize = 4;
/// That many single ones, close to each other, are a code.
const CHAIN: usize = 4;

/// Where hidden characters stand that no script and no emoji needs: in order, apart from each other. Takes time linear
/// in the text.
pub fn find(text: &str) -> Vec<Range<usize>> {
    if text.is_ascii() {
        return Vec::new();
    }
    let mut seen = Seen::default();
    let mut chars = text.char_indices().peekable();
    let mut before = None;
    while let Some((start, c)) = chars.next() {
        let Some(first) = Kind::of(c) else {
            seen.visible(c);
            before = Some(c);
            continue;
        };
        let mut run = Run::new(start, before);
        run.push(first, c);
        seen.direction(start, c);
        let mut end = start + c.len_utf8();
        while let Some((at, c)) = chars.peek().copied() {
            let Some(kind) = Kind::of(c) else { break };
            run.push(kind, c);
            seen.direction(at, c);
            end = at + c.len_utf8();
            chars.next();
        }
        let after = chars.peek().map(|(_, c)| *c);
        seen.judge(&run, start..end, after);
    }
    seen.end_of_line();
    merged(seen.found)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// U+E0000 to U+E007F.
    Tag,
    /// Embeddings, overrides, isolates and their ends.
    Direction,
    /// Selects another form of what stands before it.
    Variation,
    /// No width, and no form of its own.
    Zero,
    /// Blank where a letter of Hangul would be.
    Filler,
}

impl Kind {
    fn of(c: char) -> Option<Self> {
        Some(match c {
            '\u{e0000}'..='\u{e007f}' => Self::Tag,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Self::Direction,
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180d}' | '\u{180f}' => {
                Self::Variation
            }
            '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => Self::Filler,
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' => Self::Zero,
            _ => return None,
        })
    }
}

/// Hidden characters with nothing between them.
struct Run {
    start: usize,
    before: Option<char>,
    /// The first few; longer runs are judged by their length.
    first: [Option<(Kind, char)>; FEW_DIRECTIONS],
    len: usize,
    only: Option<Kind>,
    /// Letters and digits as tags, and whether the sequence ended as it should.
    tags: usize,
    flag: bool,
}

impl Run {
    fn new(start: usize, before: Option<char>) -> Self {
        Self {
            start,
            before,
            first: [None; FEW_DIRECTIONS],
            len: 0,
            only: None,
            tags: 0,
            flag: before == Some('\u{1f3f4}'),
        }
    }

    fn push(&mut self, kind: Kind, c: char) {
        if let Some(slot) = self.first.get_mut(self.len) {
            *slot = Some((kind, c));
        }
        self.only = match self.len {
            0 => Some(kind),
            _ => self.only.filter(|only| *only == kind),
        };
        self.len += 1;
        match c {
            '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}' if self.tags + 1 == self.len => {
                self.tags += 1;
            }
            '\u{e007f}' if self.tags + 1 == self.len => {}
            _ => self.flag = false,
        }
    }

    /// A region of one country, such as England: its letters, and the end.
    fn is_flag(&self) -> bool {
        self.flag && (3..=6).contains(&self.tags) && self.len == self.tags + 1
    }

    fn has(&self, kind: Kind) -> bool {
        self.first.iter().flatten().any(|(k, _)| *k == kind)
    }

    fn one(&self) -> Option<char> {
        let (_, c) = self.first.first().copied().flatten()?;
        (self.len == 1).then_some(c)
    }
}

#[derive(Default)]
struct Seen {
    found: Vec<Range<usize>>,
    line: Line,
    /// Single ones that may be a slip: they count once there are many close to each other.
    chain: Vec<Range<usize>>,
    /// Visible characters since the last of the chain.
    gap: usize,
}

/// Directions of one line: they end with it.
#[derive(Default)]
struct Line {
    is_right_to_left: bool,
    /// Letters of ASCII so far.
    latin: usize,
    /// Letters of any kind so far.
    letters: usize,
    open: Vec<Opened>,
    /// What counts unless the line is right-to-left.
    unsure: Vec<Range<usize>>,
}

struct Opened {
    at: Range<usize>,
    c: char,
    latin: usize,
    letters: usize,
}

impl Seen {
    fn visible(&mut self, c: char) {
        self.gap += 1;
        if c == '\n' {
            self.end_of_line();
        }
        self.line.is_right_to_left |= is_right_to_left(c);
        self.line.latin += usize::from(c.is_ascii_alphabetic());
        self.line.letters += usize::from(!c.is_whitespace());
    }

    fn direction(&mut self, start: usize, c: char) {
        let at = start..start + c.len_utf8();
        let line = &mut self.line;
        match c {
            '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' | '\u{2066}'..='\u{2068}' => {
                let (latin, letters) = (line.latin, line.letters);
                line.open.push(Opened {
                    at,
                    c,
                    latin,
                    letters,
                });
            }
            '\u{202c}' | '\u{2069}' => {
                let closes =
                    |opened: &Opened| (c == '\u{2069}') == ('\u{2066}'..='\u{2068}').contains(&opened.c);
                let Some(opened) = line.open.pop_if(|opened| closes(opened)) else {
                    self.found.push(at);
                    return;
                };
                let is_override = matches!(opened.c, '\u{202d}' | '\u{202e}');
                let is_empty = opened.letters == line.letters;
                if is_empty || is_override && opened.latin < line.latin {
                    self.found.extend([opened.at, at]);
                } else if opened.c != '\u{2068}' {
                    line.unsure.extend([opened.at, at]);
                }
            }
            _ => {}
        }
    }

    fn end_of_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.found.extend(line.open.into_iter().map(|opened| opened.at));
        if !line.is_right_to_left {
            self.found.extend(line.unsure);
        }
    }

    fn judge(&mut self, run: &Run, at: Range<usize>, after: Option<char>) {
        match verdict(run, after) {
            Verdict::Needed => {}
            Verdict::Hidden => self.found.push(at),
            Verdict::Slip(reach) => {
                if self.chain.is_empty() || self.gap > reach {
                    self.chain.clear();
                }
                self.gap = 0;
                if self.chain.len() < CHAIN {
                    self.chain.push(at.clone());
                }
                if self.chain.len() == CHAIN {
                    self.found.append(&mut self.chain);
                    // What follows close by belongs to it as well.
                    self.chain.extend(std::iter::repeat_n(at, CHAIN - 1));
                }
            }
        }
    }
}

enum Verdict {
    /// A script or an emoji is written so.
    Needed,
    /// It serves nobody who reads.
    Hidden,
    /// Left behind by an editor, unless others are that many characters away.
    Slip(usize),
}

fn verdict(run: &Run, after: Option<char>) -> Verdict {
    if run.is_flag() || run.only == Some(Kind::Direction) && run.len <= FEW_DIRECTIONS {
        // Directions are judged line by line.
        return Verdict::Needed;
    }
    if run.has(Kind::Tag) || run.len > FEW {
        return Verdict::Hidden;
    }
    let before = run.before;
    let joins = |c: Option<char>| c.is_some_and(is_pictograph);
    let is_joined = joins(before) && joins(after);
    match run.first {
        // As in a heart on fire.
        [Some((_, '\u{fe0f}')), Some((_, '\u{200d}')), None, None] if is_joined => return Verdict::Needed,
        _ if run.has(Kind::Variation) && run.len > 1 => return Verdict::Hidden,
        _ => {}
    }
    if run.has(Kind::Filler) {
        let is_hangul = |c: Option<char>| {
            c.is_some_and(|c| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7ff}' | '\u{ffa1}'..='\u{ffdc}'))
        };
        return match is_hangul(before) || is_hangul(after) {
            true => Verdict::Needed,
            false => Verdict::Hidden,
        };
    }
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    let is_within_word = is_word(before) && is_word(after) && (is_letter(before) || is_letter(after));
    match run.one() {
        Some('\u{feff}') if run.start == 0 => Verdict::Needed,
        Some(c) if Kind::of(c) == Some(Kind::Variation) => {
            if before.is_some_and(|before| selects(before, c)) {
                Verdict::Needed
            } else {
                Verdict::Hidden
            }
        }
        Some('\u{200d}') if is_joined => Verdict::Needed,
        Some('\u{200b}'..='\u{200f}' | '\u{61c}' | '\u{34f}' | '\u{180e}' | '\u{2060}')
            if before.is_some_and(is_complex) || after.is_some_and(is_complex) =>
        {
            Verdict::Needed
        }
        // Between syllables; never beside a digit or between capitals.
        Some('\u{ad}') => {
            let capital = |c: Option<char>| c.is_some_and(|c| c.is_ascii_uppercase());
            let is_odd = is_word(before)
                && is_word(after)
                && (!is_letter(before) || !is_letter(after) || capital(before) && capital(after));
            if is_odd { Verdict::Hidden } else { Verdict::Slip(1) }
        }
        // Of formulas: two times x.
        Some('\u{2061}'..='\u{2064}') if !(is_letter(before) && is_letter(after)) => Verdict::Slip(1),
        _ if is_within_word => Verdict::Hidden,
        _ => Verdict::Slip(2),
    }
}

/// Whether a form of this character can be selected by `selector`.
fn selects(c: char, selector: char) -> bool {
    match selector {
        // As text, or as a picture.
        '\u{fe0e}' | '\u{fe0f}' => {
            !c.is_ascii() && !c.is_alphanumeric() || is_pictograph(c) || matches!(c, '#' | '*' | '0'..='9')
        }
        '\u{fe00}'..='\u{fe06}' => c == '0' || !c.is_ascii() && !c.is_whitespace() && !is_picture(c),
        '\u{e0100}'..='\u{e01ef}' => is_ideograph(c),
        '\u{180b}'..='\u{180f}' => matches!(c, '\u{1800}'..='\u{18af}'),
        _ => false,
    }
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// A picture whatever follows it.
fn is_picture(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}')
}

/// What emoji are made of: pictures, and signs that become one.
fn is_pictograph(c: char) -> bool {
    is_picture(c)
        || matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{24c2}' | '\u{25a0}'..='\u{27bf}' | '\u{2934}' | '\u{2935}' | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}')
}

/// Scripts that are written with joiners, or without blanks between words.
fn is_complex(c: char) -> bool {
    is_right_to_left(c)
        || matches!(c, '\u{900}'..='\u{109f}' | '\u{1700}'..='\u{18af}' | '\u{1900}'..='\u{1cff}' | '\u{a800}'..='\u{abff}' | '\u{11000}'..='\u{11fff}')
        || matches!(c, '\u{3040}'..='\u{30ff}')
        || is_ideograph(c)
}

fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// In order, and joined where they touch.
fn merged(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_unstable_by_key(|range| (range.start, range.end));
    found.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    found
}

#[cfg(test)]
mod tests;
