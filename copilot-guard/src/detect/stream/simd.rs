//! The one place with `unsafe`: which windows of four bytes may begin a rule, 32 places at a time.
//!
//! Every bucket is four sets of bytes, one for each place of a window, and every set is the product of a set of low and a
//! set of high nibbles. A window is marked when one bucket holds all four bytes; those of the first groups ask also
//! that no word byte stands before it. [`mark_plain`] says the same in words; a test holds both against each other.
//! Marking too much costs time, marking too little would be a leak.
//!
//! Source of the idea: G. Langdale's "shufti" and "Teddy" in Hyperscan (NSDI 2019).

use crate::detect::bytes::is_word;

/// How many buckets one set of tables holds: one for each bit of a byte.
pub(super) const IN_GROUP: usize = 8;
/// The first are for windows that no word byte stands before, the others for windows anywhere.
pub(super) const GROUPS: usize = 4;
pub(super) const BOUNDED: usize = 2;
pub(super) const WINDOW: usize = 4;

/// For each group and place of the window, the buckets that a low and a high nibble belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Buckets {
    pub(super) low: [[[u8; 16]; WINDOW]; GROUPS],
    pub(super) high: [[[u8; 16]; WINDOW]; GROUPS],
}

impl Buckets {
    /// Adds a byte at a place to a bucket.
    pub(super) fn add(&mut self, bucket: usize, place: usize, byte: u8) {
        let (group, bit) = (bucket / IN_GROUP, 1 << (bucket % IN_GROUP));
        self.low[group][place][usize::from(byte & 15)] |= bit;
        self.high[group][place][usize::from(byte >> 4)] |= bit;
    }
}

/// Marks each place whose window is in a bucket, and does so for every place before the last three.
/// `marks` has a bit for each byte; `last` is the byte before the text.
#[inline]
pub(super) fn mark(buckets: &Buckets, last: u8, text: &[u8], marks: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that the function asks for.
        #[expect(
            unsafe_code,
            reason = "calls a function for one kind of processor, after asking for it"
        )]
        unsafe {
            x86::mark(buckets, last, text, marks);
        }
        return;
    }
    mark_plain(buckets, last, text, marks);
}

/// Whether this machine runs the fast form.
pub(super) fn is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx2")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// What [`mark`] means, and what it does on a processor without the fast form. The filter has a quicker one there.
pub(super) fn mark_plain(buckets: &Buckets, mut last: u8, text: &[u8], marks: &mut [u64]) {
    for (place, window) in text.windows(WINDOW).enumerate() {
        let holds = |group: usize| {
            window
                .iter()
                .zip(buckets.low[group].iter().zip(&buckets.high[group]))
                .fold(u8::MAX, |left, (byte, (low, high))| {
                    left & low[usize::from(byte & 15)] & high[usize::from(byte >> 4)]
                })
        };
        let bounded = (0..BOUNDED).any(|g| holds(g) != 0) && !is_word(last);
        if bounded || (BOUNDED..GROUPS).any(|g| holds(g) != 0) {
            marks[place / 64] |= 1 << (place % 64);
        }
        last = text[place];
    }
}

/// The nibbles of word bytes: digits, letters up to `o`, letters from `p`, `_`.
#[cfg(target_arch = "x86_64")]
const WORDS: ([u8; 16], [u8; 16]) = (
    [5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 2, 2, 2, 2, 10],
    [0, 0, 0, 1, 2, 12, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0],
);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8,
        _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16,
    };

    use super::{BOUNDED, Buckets, GROUPS, WINDOW, WORDS};
    use crate::detect::bytes::is_word;

    const LANES: usize = 32;
    /// Places of one step, and the bytes it reads: the windows of all of them.
    const STEP: usize = 2 * LANES;
    const READ: usize = STEP + WINDOW - 1;

    /// The same as [`mark_plain`](super::mark_plain).
    #[target_feature(enable = "avx2")]
    pub(super) fn mark(buckets: &Buckets, last: u8, text: &[u8], marks: &mut [u64]) {
        let tables = Tables::new(buckets);
        let mut before = u64::from(is_word(last));
        for (marks, place) in marks.iter_mut().zip((0..text.len()).step_by(STEP)) {
            let rest = &text[place..];
            let mut end = [0; READ];
            let (block, places) = match rest.first_chunk() {
                Some(block) => (block, u64::MAX),
                None => {
                    // The end: a copy with room behind it, of which only whole windows count.
                    end[..rest.len()].copy_from_slice(rest);
                    let whole = rest.len().saturating_sub(WINDOW - 1).min(STEP);
                    (&end, u64::MAX.checked_shr((STEP - whole) as u32).unwrap_or(0))
                }
            };
            let (Some(front), Some(back)) = (block.first_chunk(), block.last_chunk()) else {
                return;
            };
            let (front, back) = (tables.windows(front), tables.windows(back));
            let joined = |low: u32, high: u32| u64::from(low) | u64::from(high) << LANES;
            let words = joined(front.words, back.words);
            let bounded = joined(front.bounded, back.bounded) & !(words << 1 | before);
            before = words >> (STEP - 1);
            *marks |= (bounded | joined(front.anywhere, back.anywhere)) & places;
        }
    }

    /// For each of 32 places a bit.
    struct Found {
        bounded: u32,
        anywhere: u32,
        words: u32,
    }

    /// The tables, once in each half of a register.
    struct Tables {
        low: [[__m256i; WINDOW]; GROUPS],
        high: [[__m256i; WINDOW]; GROUPS],
        words: (__m256i, __m256i),
    }

    impl Tables {
        #[target_feature(enable = "avx2")]
        fn new(buckets: &Buckets) -> Self {
            let zero = _mm256_setzero_si256();
            let mut tables = Self {
                low: [[zero; WINDOW]; GROUPS],
                high: [[zero; WINDOW]; GROUPS],
                words: (twice(&WORDS.0), twice(&WORDS.1)),
            };
            for group in 0..GROUPS {
                for place in 0..WINDOW {
                    tables.low[group][place] = twice(&buckets.low[group][place]);
                    tables.high[group][place] = twice(&buckets.high[group][place]);
                }
            }
            tables
        }

        #[target_feature(enable = "avx2")]
        fn windows(&self, block: &[u8; LANES + WINDOW - 1]) -> Found {
            let nibble = _mm256_set1_epi8(15);
            let mut left = [_mm256_set1_epi8(-1); GROUPS];
            let mut words = _mm256_setzero_si256();
            for place in 0..WINDOW {
                let Some(bytes) = block.get(place..).and_then(|b| b.first_chunk()) else {
                    break;
                };
                let bytes = load(bytes);
                let low = _mm256_and_si256(bytes, nibble);
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
                if place == 0 {
                    words = both(self.words, low, high);
                }
                for (left, (lows, highs)) in left.iter_mut().zip(self.low.iter().zip(&self.high)) {
                    *left = _mm256_and_si256(*left, both((lows[place], highs[place]), low, high));
                }
            }
            let (bounded, anywhere) = left.split_at(BOUNDED);
            Found {
                bounded: places(any(bounded)),
                anywhere: places(any(anywhere)),
                words: places(words),
            }
        }
    }

    /// What the tables say of each pair of nibbles.
    #[target_feature(enable = "avx2")]
    fn both(tables: (__m256i, __m256i), low: __m256i, high: __m256i) -> __m256i {
        _mm256_and_si256(
            _mm256_shuffle_epi8(tables.0, low),
            _mm256_shuffle_epi8(tables.1, high),
        )
    }

    #[target_feature(enable = "avx2")]
    fn any(groups: &[__m256i]) -> __m256i {
        let mut all = _mm256_setzero_si256();
        for group in groups {
            all = _mm256_or_si256(all, *group);
        }
        all
    }

    /// A bit for each byte that is not zero.
    #[target_feature(enable = "avx2")]
    fn places(bytes: __m256i) -> u32 {
        !(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_setzero_si256())) as u32)
    }

    #[target_feature(enable = "avx2")]
    fn twice(table: &[u8; 16]) -> __m256i {
        let mut both = [0; LANES];
        both[..16].copy_from_slice(table);
        both[16..].copy_from_slice(table);
        load(&both)
    }

    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8; LANES]) -> __m256i {
        // SAFETY: the reference is to exactly as many bytes as are read, and the load asks for no alignment.
        #[expect(unsafe_code, reason = "a load through a pointer; there is no safe form of it")]
        unsafe {
            _mm256_loadu_si256(bytes.as_ptr().cast())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator, so that the test needs nothing but this file.
    fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
        move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        }
    }

    /// Few enough that windows are found, with bytes of words, others, and some beyond ASCII.
    fn letter(number: u64) -> u8 {
        b"aozAZ_09.- =\n\0\xc3\xff"[number as usize % 16]
    }

    fn marked(
        f: impl Fn(&Buckets, u8, &[u8], &mut [u64]),
        buckets: &Buckets,
        last: u8,
        text: &[u8],
    ) -> Vec<u64> {
        let mut marks = vec![0; text.len().div_ceil(64)];
        f(buckets, last, text, &mut marks);
        marks
    }

    #[test]
    fn the_fast_form_says_what_the_plain_one_says() {
        let mut number = numbers(7);
        let mut seen = 0;
        // Miri is thousands of times slower, and looks at memory, not at values.
        let rounds = if cfg!(miri) { 2 } else { 40 };
        for round in 0..rounds {
            let mut buckets = Buckets::default();
            for bucket in 0..IN_GROUP * GROUPS {
                for place in 0..WINDOW {
                    for _ in 0..=number() % 3 {
                        buckets.add(bucket, place, letter(number()));
                    }
                }
            }
            let lengths = if cfg!(miri) { 30..70 } else { 0..300 };
            for len in lengths.step_by(1 + round % 3) {
                let padded: Vec<u8> = (0..len + 8).map(|_| letter(number())).collect();
                // Every alignment.
                let text = &padded[round % 8..][..len];
                let last = letter(number());
                let fast = marked(mark, &buckets, last, text);
                let plain = marked(mark_plain, &buckets, last, text);
                assert_eq!(fast, plain, "{len}");
                seen += plain.iter().map(|m| m.count_ones()).sum::<u32>();
            }
        }
        let least = if cfg!(miri) { 0 } else { 1000 };
        assert!(seen > least, "the texts must have windows to find: {seen}");
    }

    #[test]
    fn a_window_that_was_added_is_marked_wherever_it_stands() {
        let step = if cfg!(miri) { 61 } else { 1 };
        for (bucket, before, expected) in [(27, b'.', 1), (27, b'z', 1), (11, b'.', 1), (11, b'z', 0)] {
            let mut buckets = Buckets::default();
            for (place, byte) in b"ghp_".iter().enumerate() {
                buckets.add(bucket, place, *byte);
            }
            for len in (4..200).step_by(step) {
                for at in (0..=len - 4).step_by(if cfg!(miri) { 9 } else { 1 }) {
                    let mut text = vec![before; len];
                    text[at..at + 4].copy_from_slice(b"ghp_");
                    let marks = marked(mark, &buckets, before, &text);
                    assert_eq!(marks[at / 64] >> (at % 64) & 1, expected, "{at} of {len}");
                    assert_eq!(
                        u64::from(marks.iter().map(|m| m.count_ones()).sum::<u32>()),
                        expected
                    );
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_nibbles_of_words_are_those_of_words() {
        for byte in 0..=u8::MAX {
            let both = WORDS.0[usize::from(byte & 15)] & WORDS.1[usize::from(byte >> 4)];
            assert_eq!(both != 0, is_word(byte), "{byte}");
        }
    }
}
