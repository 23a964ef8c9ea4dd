//! Long texts: where one of the rules may begin, for many places at once. It may say yes too often, never too seldom.

use crate::detect::bytes::ByteSet;

use super::buckets::{Sample, assign};
use super::nodes::{LEVELS, NOWHERE, Nodes};
use super::simd::{self, BOUNDED, Buckets, GROUPS, IN_GROUP, WINDOW};

/// Longest text that is looked at in one go.
pub(super) const PART: usize = 4096;
/// Places where rules may begin: a bit for each byte of a part.
pub(super) struct Bits(pub(super) [u64; PART / 64]);

impl Default for Bits {
    fn default() -> Self {
        Self([0; PART / 64])
    }
}

/// Where more than this share of places would be marked, looking at each byte is quicker.
const MOST_MARKED: f64 = 0.25;

/// The windows of four bytes that rules begin with.
pub(in crate::detect) struct Filter {
    buckets: Buckets,
    plain: Plain,
    windows: Windows,
}

impl Filter {
    /// `None` when rules begin with what stands everywhere: then there is nothing to filter by.
    pub(in crate::detect) fn new(nodes: &Nodes) -> Option<Self> {
        let anywhere = paths(nodes, nodes.root(true));
        let mut bounded = paths(nodes, nodes.root(false));
        let covers = |wide: &Path, path: &Path| wide.iter().zip(path).all(|(w, p)| w.contains_all(p));
        bounded.retain(|path| !anywhere.iter().any(|wide| covers(wide, path)));
        let mut buckets = Buckets::default();
        let share = assign(
            &bounded,
            Sample::after_no_word(),
            0..BOUNDED * IN_GROUP,
            &mut buckets,
        )
        .max(assign(
            &anywhere,
            Sample::anywhere(),
            BOUNDED * IN_GROUP..GROUPS * IN_GROUP,
            &mut buckets,
        ));
        (share < MOST_MARKED).then(|| Self {
            buckets,
            plain: Plain::new(bounded.iter().chain(&anywhere)),
            windows: Windows::new(bounded.iter().chain(&anywhere)),
        })
    }

    /// Whether a place that was marked is worth a closer look.
    #[inline]
    pub(super) fn may_begin(&self, window: &[u8; WINDOW]) -> bool {
        self.windows.may_hold(u32::from_le_bytes(*window))
    }

    /// Marks every place where a rule begins, and some others. The last three bytes begin no window; `last` is the byte
    /// before the text.
    #[inline]
    pub(super) fn mark(&self, last: u8, text: &[u8], bits: &mut Bits) {
        if simd::is_fast() {
            simd::mark(&self.buckets, last, text, &mut bits.0);
        } else {
            self.plain.mark(text, &mut bits.0);
        }
    }
}

/// The sets of bytes along one way through the first levels.
pub(super) type Path = [ByteSet; WINDOW];

/// All ways through the first levels of the nodes.
fn paths(nodes: &Nodes, root: u16) -> Vec<Path> {
    let mut ways = vec![(root, Vec::new())];
    for _ in 0..LEVELS {
        let mut longer = Vec::new();
        for (node, mut path) in ways {
            if nodes.is_leaf(node) {
                // What is certain already may be followed by anything.
                path.push(ByteSet::of(|_| true));
                longer.push((node, path));
                continue;
            }
            let mut targets: Vec<(u16, Vec<u8>)> = Vec::new();
            for &byte in nodes.representatives() {
                let to = nodes.next(node, byte);
                if to == NOWHERE {
                    continue;
                }
                let class = nodes.classes()[usize::from(byte)];
                match targets.iter_mut().find(|(node, _)| *node == to) {
                    Some((_, classes)) => classes.push(class),
                    None => targets.push((to, vec![class])),
                }
            }
            for (to, classes) in targets {
                let set = ByteSet::of(|b| classes.contains(&nodes.classes()[usize::from(b)]));
                let mut path: Vec<ByteSet> = path.clone();
                path.push(set);
                longer.push((to, path));
            }
        }
        ways = longer;
    }
    let mut done: Vec<Path> = ways
        .into_iter()
        .filter_map(|(_, path)| Path::try_from(path).ok())
        .collect();
    // Paths that differ only in what the codes do not tell apart, such as the case of letters, count as one.
    let key = |path: &Path| path.map(|set| codes(&set).iter().fold(0u32, |key, code| key | 1 << code));
    done.sort_by_cached_key(key);
    done.dedup_by(|later, earlier| {
        let same = key(later) == key(earlier);
        if same {
            earlier
                .iter_mut()
                .zip(&*later)
                .for_each(|(set, more)| set.join(more));
        }
        same
    });
    done
}

/// Which windows rules begin with, whatever the case of their letters: a bit for each value of a hash. Weeds out most of
/// what was marked in vain.
struct Windows(Box<[u64; 1 << (HASH - 6)]>);

const HASH: u32 = 17;
/// A way with more windows than this is not listed: then every window may be one.
const MOST_WINDOWS: usize = 1 << 14;

impl Windows {
    fn new<'p>(paths: impl Iterator<Item = &'p Path>) -> Self {
        let mut windows = Self(Box::new([0; 1 << (HASH - 6)]));
        for path in paths {
            let sets = path.map(|set| {
                let mut bytes: Vec<u8> = (0..=u8::MAX)
                    .filter(|b| set.contains(*b))
                    .map(|b| b | CASE)
                    .collect();
                bytes.sort_unstable();
                bytes.dedup();
                bytes
            });
            if sets.iter().map(Vec::len).product::<usize>() > MOST_WINDOWS {
                windows.0.fill(u64::MAX);
                return windows;
            }
            let mut all = vec![0u32];
            for bytes in sets.iter().rev() {
                all = all
                    .iter()
                    .flat_map(|window| bytes.iter().map(move |b| window << 8 | u32::from(*b)))
                    .collect();
            }
            for window in all {
                let (word, bit) = Self::place(window);
                windows.0[word] |= 1 << bit;
            }
        }
        windows
    }

    #[inline]
    fn may_hold(&self, window: u32) -> bool {
        let (word, bit) = Self::place(window | u32::from_le_bytes([CASE; WINDOW]));
        self.0[word] >> bit & 1 == 1
    }

    #[inline]
    const fn place(window: u32) -> (usize, u32) {
        let hash = window.wrapping_mul(0x9e37_79b1) >> (u32::BITS - HASH);
        ((hash / 64) as usize, hash % 64)
    }
}

/// The bit that tells the cases of a letter apart.
const CASE: u8 = 0x20;

/// Three bytes each, by a code of five bits for each byte: with what windows begin, and with what they end.
///
/// This is the form of the filter for any processor.
struct Plain {
    codes: Box<[u8; 256]>,
    fronts: Box<[u64; KEYS / 64]>,
    ends: Box<[u64; KEYS / 64]>,
}

const CODE: usize = 5;
const KEYS: usize = 1 << (3 * CODE);

impl Plain {
    fn new<'p>(paths: impl Iterator<Item = &'p Path>) -> Self {
        let mut plain = Self {
            codes: Box::new([0; 256]),
            fronts: Box::new([0; KEYS / 64]),
            ends: Box::new([0; KEYS / 64]),
        };
        for byte in 0..=u8::MAX {
            plain.codes[usize::from(byte)] = code(byte);
        }
        for path in paths {
            for key in keys(&path[..3]) {
                plain.fronts[key / 64] |= 1 << (key % 64);
            }
            for key in keys(&path[1..]) {
                plain.ends[key / 64] |= 1 << (key % 64);
            }
        }
        plain
    }

    #[inline]
    fn key(&self, bytes: &[u8; 3]) -> usize {
        bytes.iter().fold(0, |key, byte| {
            key << CODE | usize::from(self.codes[usize::from(*byte)])
        })
    }

    fn mark(&self, text: &[u8], marks: &mut [u64]) {
        let Some(last) = text.len().checked_sub(WINDOW) else {
            return;
        };
        let mut place = 0;
        // Three bytes tell about the window that begins with them and about the one that ends with them.
        while let Some(bytes) = text.get(place..).and_then(|t| t.first_chunk()) {
            let key = self.key(bytes);
            let front = self.fronts[key / 64] >> (key % 64) & 1;
            let end = self.ends[key / 64] >> (key % 64) & 1;
            if front | end != 0 {
                if place <= last {
                    marks[place / 64] |= front << (place % 64);
                }
                if let Some(before) = place.checked_sub(1) {
                    marks[before / 64] |= end << (before % 64);
                }
            }
            place += 2;
        }
    }
}

/// The keys of all triples of these sets.
fn keys(sets: &[ByteSet]) -> Vec<usize> {
    sets.iter().fold(vec![0], |keys, set| {
        let codes = codes(set);
        let longer = |key: &usize| {
            codes
                .iter()
                .map(|c| *key << CODE | usize::from(*c))
                .collect::<Vec<_>>()
        };
        keys.iter().flat_map(longer).collect()
    })
}

fn codes(set: &ByteSet) -> Vec<u8> {
    let mut codes: Vec<u8> = (0..=u8::MAX).filter(|b| set.contains(*b)).map(code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Letters by name, whatever their case; the rest in a few groups.
pub(super) const fn code(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => byte - b'a',
        b'A'..=b'Z' => byte - b'A',
        b'0'..=b'9' => 26,
        b'_' => 27,
        b'-' => 28,
        b' ' | b'\n' | b'\t' | b'\r' => 29,
        b'=' | b':' | b'/' | b'.' | b'"' | b'\'' | b'?' | b'&' | b'$' | b'@' => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::bytes::is_word;
    use crate::detect::set::RuleSet;

    /// What every form must mark: places from which the nodes lead somewhere.
    fn begins(nodes: &Nodes, before: u8, window: &[u8]) -> bool {
        let mut node = nodes.root(is_word(before));
        for &byte in window {
            if !nodes.is_leaf(node) {
                node = nodes.next(node, byte);
            }
        }
        node != NOWHERE
    }

    #[test]
    fn no_form_misses_a_place_where_a_rule_begins() {
        let rules = RuleSet::builder().builtin().build().unwrap();
        let (nodes, filter) = (&rules.inner.nodes, rules.inner.filter.as_ref().unwrap());
        // Ordinary windows, and the samples of rules.
        let text = [
            include_bytes!("windows.bin").as_slice(),
            include_bytes!("../rules/source-hosts.toml"),
            include_bytes!("../rules/fields.toml"),
            include_bytes!("../rules/cloud.toml"),
        ]
        .concat();
        let (mut begun, mut last) = (0, b' ');
        for part in text.chunks(PART - 7) {
            let (mut fast, mut plain) = (Bits::default(), Bits::default());
            simd::mark(&filter.buckets, last, part, &mut fast.0);
            filter.plain.mark(part, &mut plain.0);
            for (place, window) in part.windows(WINDOW).enumerate() {
                let before = if place == 0 { last } else { part[place - 1] };
                if begins(nodes, before, window) {
                    begun += 1;
                    let shown = window.escape_ascii();
                    assert!(fast.0[place / 64] >> (place % 64) & 1 == 1, "fast: {shown}");
                    assert!(plain.0[place / 64] >> (place % 64) & 1 == 1, "plain: {shown}");
                    assert!(filter.may_begin(window.try_into().unwrap()), "windows: {shown}");
                }
            }
            last = part[part.len() - 1];
        }
        assert!(begun > 1000, "{begun}");
    }
}
