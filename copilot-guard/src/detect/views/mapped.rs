//! A text made from another one, and where each of its bytes comes from.

use std::ops::Range;

/// Bytes, each with the range of the original that it stands for. Every step that makes one from another keeps the order,
/// or turns it round as a whole: the ends of a range say where the whole range comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Mapped {
    pub(super) text: Vec<u8>,
    from: Vec<u32>,
    to: Vec<u32>,
}

impl Mapped {
    /// The original itself.
    pub(super) fn identity(raw: &[u8]) -> Self {
        let count = u32::try_from(raw.len()).unwrap_or(u32::MAX);
        Self {
            text: raw.to_vec(),
            from: (0..count).collect(),
            to: (1..=count).collect(),
        }
    }

    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            text: Vec::with_capacity(bytes),
            from: Vec::with_capacity(bytes),
            to: Vec::with_capacity(bytes),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Appends a byte that stands for `source` of `of`.
    pub(super) fn push(&mut self, byte: u8, of: &Self, source: Range<usize>) {
        let range = of.raw32(source);
        self.text.push(byte);
        self.from.push(range.start);
        self.to.push(range.end);
    }

    /// Appends a character that stands for `source` of `of`.
    pub(super) fn push_char(&mut self, c: char, of: &Self, source: Range<usize>) {
        let mut bytes = [0; 4];
        for byte in c.encode_utf8(&mut bytes).bytes() {
            self.push(byte, of, source.clone());
        }
    }

    /// Appends a range of another text as it is.
    pub(super) fn copy(&mut self, of: &Self, range: Range<usize>) {
        self.text
            .extend_from_slice(of.text.get(range.clone()).unwrap_or_default());
        self.from
            .extend_from_slice(of.from.get(range.clone()).unwrap_or_default());
        self.to.extend_from_slice(of.to.get(range).unwrap_or_default());
    }

    /// A part of it.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        let mut part = Self::with_capacity(range.len());
        part.copy(self, range);
        part
    }

    /// The same, read from its end.
    pub(super) fn reversed(&self) -> Self {
        fn turned<T: Copy>(items: &[T]) -> Vec<T> {
            items.iter().rev().copied().collect()
        }
        Self {
            text: turned(&self.text),
            from: turned(&self.from),
            to: turned(&self.to),
        }
    }

    /// The same with other bytes in the same places.
    pub(super) fn replaced(&self, byte: impl Fn(u8) -> u8) -> Self {
        Self {
            text: self.text.iter().map(|b| byte(*b)).collect(),
            from: self.from.clone(),
            to: self.to.clone(),
        }
    }

    /// Where a range comes from.
    pub(super) fn raw(&self, range: Range<usize>) -> Range<usize> {
        let Range { start, end } = self.raw32(range);
        start as usize..end as usize
    }

    fn raw32(&self, range: Range<usize>) -> Range<u32> {
        let last = range.end.saturating_sub(1).max(range.start);
        let at = |list: &[u32], n: usize| list.get(n).copied();
        let (Some(a), Some(b)) = (at(&self.from, range.start), at(&self.from, last)) else {
            return 0..0;
        };
        let (Some(c), Some(d)) = (at(&self.to, range.start), at(&self.to, last)) else {
            return 0..0;
        };
        a.min(b)..c.max(d)
    }

    /// Whether the range stands in the original as it stands here.
    pub(super) fn is_plain(&self, range: Range<usize>, raw: &[u8]) -> bool {
        let source = self.raw(range.clone());
        source.len() == range.len() && raw.get(source) == self.text.get(range)
    }
}
