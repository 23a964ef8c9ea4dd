//! Which windows share a bucket of the filter, so that few others fall into it.
//!
//! How often a bucket would be marked in vain is counted in a sample of ordinary text. The sample is of windows alone:
//! half of it drawn at random from places that no word byte stands before, half from all places, of source code in
//! several languages and of documentation. It decides about speed only.

use std::ops::Range;

use super::filter::Path;
use super::simd::{Buckets, WINDOW};

const WINDOWS: &[u8] = include_bytes!("windows.bin");
/// Windows of each half.
const HALF: usize = 6144;
const _: () = assert!(WINDOWS.len() == 2 * HALF * WINDOW);

/// How often every path is asked whether another bucket would be better.
const ROUNDS: usize = 2;

/// A bit for each window of a sample.
type Bits = [u64; HALF / 64];
const NONE: Bits = [0; HALF / 64];

/// Windows of ordinary text: for each place, those whose byte there has a low or a high nibble.
pub(super) struct Sample {
    low: [[Bits; 16]; WINDOW],
    high: [[Bits; 16]; WINDOW],
}

impl Sample {
    pub(super) fn after_no_word() -> Box<Self> {
        Self::of(&WINDOWS[..HALF * WINDOW])
    }

    pub(super) fn anywhere() -> Box<Self> {
        Self::of(&WINDOWS[HALF * WINDOW..])
    }

    fn of(windows: &[u8]) -> Box<Self> {
        let mut sample = Box::new(Self {
            low: [[NONE; 16]; WINDOW],
            high: [[NONE; 16]; WINDOW],
        });
        for (i, window) in windows.chunks(WINDOW).enumerate() {
            for (place, byte) in window.iter().enumerate() {
                sample.low[place][usize::from(byte & 15)][i / 64] |= 1 << (i % 64);
                sample.high[place][usize::from(byte >> 4)][i / 64] |= 1 << (i % 64);
            }
        }
        sample
    }
}

/// What one bucket lets through: sets of nibbles, and the windows of the sample that have them.
#[derive(Clone)]
struct Cover {
    nibbles: [(u16, u16); WINDOW],
    low: [Bits; WINDOW],
    high: [Bits; WINDOW],
}

const NOTHING: Cover = Cover {
    nibbles: [(0, 0); WINDOW],
    low: [NONE; WINDOW],
    high: [NONE; WINDOW],
};

impl Cover {
    fn of(path: &Path, sample: &Sample) -> Self {
        let mut cover = NOTHING;
        for (place, bytes) in path.iter().enumerate() {
            for byte in (0..=u8::MAX).filter(|b| bytes.contains(*b)) {
                cover.nibbles[place].0 |= 1 << (byte & 15);
                cover.nibbles[place].1 |= 1 << (byte >> 4);
            }
            for nibble in 0..16 {
                if cover.nibbles[place].0 >> nibble & 1 == 1 {
                    join(&mut cover.low[place], &sample.low[place][nibble]);
                }
                if cover.nibbles[place].1 >> nibble & 1 == 1 {
                    join(&mut cover.high[place], &sample.high[place][nibble]);
                }
            }
        }
        cover
    }

    fn join(&mut self, other: &Self) {
        for place in 0..WINDOW {
            self.nibbles[place].0 |= other.nibbles[place].0;
            self.nibbles[place].1 |= other.nibbles[place].1;
            join(&mut self.low[place], &other.low[place]);
            join(&mut self.high[place], &other.high[place]);
        }
    }

    /// How many windows of the sample a bucket of both would let through.
    fn marked_with(&self, other: &Self) -> u32 {
        (0..HALF / 64)
            .map(|i| {
                (0..WINDOW)
                    .fold(u64::MAX, |left, place| {
                        left & (self.low[place][i] | other.low[place][i])
                            & (self.high[place][i] | other.high[place][i])
                    })
                    .count_ones()
            })
            .sum()
    }

    /// How many different windows it lets through, as a share of all: what the sample has not seen counts too.
    fn share(&self, other: &Self) -> f64 {
        let bits = |a: u16, b: u16| f64::from((a | b).count_ones()) / 16.0;
        let mut share = 1.0;
        for (a, b) in self.nibbles.iter().zip(&other.nibbles) {
            share *= bits(a.0, b.0) * bits(a.1, b.1);
        }
        share
    }
}

fn join(bits: &mut Bits, more: &Bits) {
    bits.iter_mut()
        .zip(more)
        .for_each(|(mine, theirs)| *mine |= theirs);
}

/// Puts paths into the buckets of this range so that few other windows fall into the same. Gives the share of the sample
/// that is then marked, at most.
pub(super) fn assign(paths: &[Path], sample: Box<Sample>, range: Range<usize>, buckets: &mut Buckets) -> f64 {
    let covers: Vec<Cover> = paths.iter().map(|path| Cover::of(path, &sample)).collect();
    let cost = |a: &Cover, b: &Cover| f64::from(a.marked_with(b)) + UNSEEN * a.share(b);
    let mut homes = vec![usize::MAX; covers.len()];
    let mut unions = vec![(NOTHING, 0.0); range.len()];
    for _ in 0..ROUNDS {
        for (i, cover) in covers.iter().enumerate() {
            let before = std::mem::replace(&mut homes[i], usize::MAX);
            if let Some(left) = unions.get_mut(before) {
                let mut rest = NOTHING;
                let members = covers.iter().zip(&homes).filter(|(_, home)| **home == before);
                members.for_each(|(member, _)| rest.join(member));
                *left = (rest, 0.0);
                left.1 = cost(&left.0, &NOTHING);
            }
            let costs = unions.iter().map(|(union, before)| cost(union, cover) - before);
            let best = costs.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
            if let Some((bucket, added)) = best {
                unions[bucket].0.join(cover);
                unions[bucket].1 += added;
                homes[i] = bucket;
            }
        }
    }
    for ((union, _), bucket) in unions.iter().zip(range) {
        for (place, (low, high)) in union.nibbles.iter().enumerate() {
            let holds = |byte: &u8| low >> (byte & 15) & 1 == 1 && high >> (byte >> 4) & 1 == 1;
            (0..=u8::MAX)
                .filter(holds)
                .for_each(|byte| buckets.add(bucket, place, byte));
        }
    }
    let marked: u32 = unions.iter().map(|(union, _)| union.marked_with(&NOTHING)).sum();
    f64::from(marked) / HALF as f64
}

/// What a window that the sample has not seen weighs against one that it has.
const UNSEEN: f64 = 2000.0;
