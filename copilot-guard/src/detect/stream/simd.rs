//! The one place with `unsafe`: which windows of four bytes may begin a rule, 32 places at a time.
//!
//! Every bucket is four sets of bytes, one for each place of a window, and every set is the product of a set of low and a
//! set of high nibbles. A window is marked when one bucket holds all four bytes. [`mark_plain`] says the same in words;
//! a test holds both against each other. Marking too much costs time, marking too little would be a leak.
//!
//! Source of the idea: G. Langdale's "shufti" and "Teddy" in Hyperscan (NSDI 2019).

/// How many buckets one set of tables holds: one for each bit of a byte.
pub(super) const IN_GROUP: usize = 8;
pub(super) const GROUPS: usize = 2;
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
/// `marks` has a bit for each byte.
#[inline]
pub(super) fn mark(buckets: &Buckets, text: &[u8], marks: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that the function asks for.
        #[expect(unsafe_code, reason = "calls a function for one kind of processor, after asking for it")]
        unsafe {
            x86::mark(buckets, text, marks);
        }
        return;
    }
    mark_plain(buckets, text, marks);
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

/// What [`mark`] means.
pub(super) fn mark_plain(buckets: &Buckets, text: &[u8], marks: &mut [u64]) {
    for (place, window) in text.windows(WINDOW).enumerate() {
        let holds = |group: usize| {
            window
                .iter()
                .zip(buckets.low[group].iter().zip(&buckets.high[group]))
                .fold(u8::MAX, |left, (byte, (low, high))| {
                    left & low[usize::from(byte & 15)] & high[usize::from(byte >> 4)]
                })
        };
        if (0..GROUPS).any(|group| holds(group) != 0) {
            marks[place / 64] |= 1 << (place % 64);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8,
        _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16,
    };

    use super::{Buckets, GROUPS, WINDOW};

    const LANES: usize = 32;
    /// Bytes that one step reads: the windows of all its places.
    const READ: usize = LANES + WINDOW - 1;

    /// The same as [`mark_plain`](super::mark_plain).
    #[target_feature(enable = "avx2")]
    pub(super) fn mark(buckets: &Buckets, text: &[u8], marks: &mut [u64]) {
        let tables = Tables::new(buckets);
        let mut place = 0;
        for mark in marks.iter_mut() {
            let Some(block) = text
                .get(place..)
                .and_then(|t| t.first_chunk::<{ 2 * LANES + WINDOW - 1 }>())
            else {
                break;
            };
            let (Some(front), Some(back)) = (block.first_chunk(), block.last_chunk()) else {
                break;
            };
            let (front, back) = (tables.windows(front), tables.windows(back));
            *mark |= u64::from(front) | u64::from(back) << LANES;
            place += 2 * LANES;
        }
        if place < text.len() {
            // The end: a copy with room behind it.
            let mut end = [0; 2 * LANES + READ];
            let rest = &text[place..];
            end[..rest.len()].copy_from_slice(rest);
            let places = rest.len().saturating_sub(WINDOW - 1);
            for (i, start) in (0..places).step_by(LANES).enumerate() {
                let Some(block) = end.get(start..).and_then(|t| t.first_chunk()) else {
                    break;
                };
                let mut found = tables.windows(block);
                if places - start < LANES {
                    found &= (1 << (places - start)) - 1;
                }
                let at = place + i * LANES;
                marks[at / 64] |= u64::from(found) << (at % 64);
            }
        }
    }

    /// The tables, once in each half of a register.
    struct Tables {
        low: [[__m256i; WINDOW]; GROUPS],
        high: [[__m256i; WINDOW]; GROUPS],
    }

    impl Tables {
        #[target_feature(enable = "avx2")]
        fn new(buckets: &Buckets) -> Self {
            let zero = _mm256_setzero_si256();
            let mut tables = Self {
                low: [[zero; WINDOW]; GROUPS],
                high: [[zero; WINDOW]; GROUPS],
            };
            for group in 0..GROUPS {
                for place in 0..WINDOW {
                    tables.low[group][place] = twice(&buckets.low[group][place]);
                    tables.high[group][place] = twice(&buckets.high[group][place]);
                }
            }
            tables
        }

        /// A bit for each of the first 32 places.
        #[target_feature(enable = "avx2")]
        fn windows(&self, block: &[u8; READ]) -> u32 {
            let nibble = _mm256_set1_epi8(15);
            let mut left = [_mm256_set1_epi8(-1); GROUPS];
            for place in 0..WINDOW {
                let Some(bytes) = block.get(place..).and_then(|b| b.first_chunk()) else {
                    return u32::MAX;
                };
                let bytes = load(bytes);
                let low = _mm256_and_si256(bytes, nibble);
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
                for group in 0..GROUPS {
                    let low = _mm256_shuffle_epi8(self.low[group][place], low);
                    let high = _mm256_shuffle_epi8(self.high[group][place], high);
                    left[group] = _mm256_and_si256(left[group], _mm256_and_si256(low, high));
                }
            }
            let any = left
                .into_iter()
                .fold(_mm256_setzero_si256(), |all, one| _mm256_or_si256(all, one));
            !(_mm256_movemask_epi8(_mm256_cmpeq_epi8(any, _mm256_setzero_si256())) as u32)
        }
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

    fn marked(f: impl Fn(&Buckets, &[u8], &mut [u64]), buckets: &Buckets, text: &[u8]) -> Vec<u64> {
        let mut marks = vec![0; text.len().div_ceil(64)];
        f(buckets, text, &mut marks);
        marks
    }

    #[test]
    fn the_fast_form_says_what_the_plain_one_says() {
        let mut number = numbers(7);
        let mut seen = 0;
        for round in 0..40 {
            let mut buckets = Buckets::default();
            for bucket in 0..IN_GROUP * GROUPS {
                for place in 0..WINDOW {
                    for _ in 0..=number() % 6 {
                        buckets.add(bucket, place, number() as u8);
                    }
                }
            }
            let lengths = if cfg!(miri) { 0..70 } else { 0..300 };
            for len in lengths.step_by(1 + round % 3) {
                let padded: Vec<u8> = (0..len + 8).map(|_| number() as u8).collect();
                // Every alignment.
                let text = &padded[round % 8..][..len];
                let (fast, plain) = (marked(mark, &buckets, text), marked(mark_plain, &buckets, text));
                assert_eq!(fast, plain, "{len}");
                seen += plain.iter().map(|m| m.count_ones()).sum::<u32>();
            }
        }
        assert!(seen > 1000, "the texts must have windows to find: {seen}");
    }

    #[test]
    fn a_window_that_was_added_is_marked_wherever_it_stands() {
        let mut buckets = Buckets::default();
        for (place, byte) in b"ghp_".iter().enumerate() {
            buckets.add(11, place, *byte);
        }
        for len in 4..200 {
            for at in 0..=len - 4 {
                let mut text = vec![b'.'; len];
                text[at..at + 4].copy_from_slice(b"ghp_");
                let marks = marked(mark, &buckets, &text);
                assert!(marks[at / 64] >> (at % 64) & 1 == 1, "{at} of {len}");
                assert_eq!(marks.iter().map(|m| m.count_ones()).sum::<u32>(), 1);
            }
        }
    }
}
