//! Short keyed tags: two marks with one tag stand for one secret, and nobody without the key can tell which.
//!
//! Only tokens of at least 64 random bits get one ([`RuleInfo::tagged`](super::RuleInfo::tagged)). For a password, an
//! equal tag would confirm a guess to anybody who can have a guess masked beside it.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The key of the tags of one session. `{:?}` prints no part of it; memory is wiped on drop.
///
/// ```
/// use copilot_guard::detect::TagKey;
///
/// let key = TagKey::new([7; 32]);
/// let (alice, bob) = (key.derive("session", [b"alice"]), key.derive("session", [b"bob"]));
/// let tag = |key: &TagKey| key.tag("github-pat", [b"part one, ".as_slice(), b"part two"]);
/// assert_eq!(tag(&alice), alice.tag("github-pat", [b"part one, part two"]));
/// assert_ne!(tag(&alice), tag(&bob));
/// assert_eq!(tag(&alice).to_string().len(), 8);
/// ```
#[derive(Clone)]
pub struct TagKey(Zeroizing<[u8; 32]>);

/// What a mark says of its secret beside the kind. Prints as eight lower-case base32 characters (RFC 4648, 40 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag([u8; 5]);

/// What a key is used for: the first byte of every message.
const TAG: u8 = 1;
const DERIVE: u8 = 2;
#[cfg(feature = "tower")]
const DIGEST: u8 = 3;

impl TagKey {
    /// A key of 32 random bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// The key for one purpose and one of its subjects, such as a person's session. Each part counts with its length.
    #[must_use]
    pub fn derive<P: AsRef<[u8]>>(&self, label: &str, parts: impl IntoIterator<Item = P>) -> Self {
        Self(Zeroizing::new(self.keyed(DERIVE, label, parts)))
    }

    /// A name for these parts that nobody without the key can make.
    #[cfg(feature = "tower")]
    pub(crate) fn digest<P: AsRef<[u8]>>(&self, label: &str, parts: impl IntoIterator<Item = P>) -> [u8; 32] {
        self.keyed(DIGEST, label, parts)
    }

    fn keyed<P: AsRef<[u8]>>(
        &self,
        purpose: u8,
        label: &str,
        parts: impl IntoIterator<Item = P>,
    ) -> [u8; 32] {
        let mut mac = self.mac(purpose, label);
        for part in parts {
            mac.update(&(part.as_ref().len() as u64).to_be_bytes());
            mac.update(part.as_ref());
        }
        mac.finalize().into_bytes().into()
    }

    /// The tag of a secret of this kind, given in any number of pieces: how it was cut does not count.
    pub fn tag<P: AsRef<[u8]>>(&self, kind: &str, secret: impl IntoIterator<Item = P>) -> Tag {
        let mut tagging = self.begin(kind);
        secret
            .into_iter()
            .for_each(|piece| tagging.update(piece.as_ref()));
        tagging.finish()
    }

    /// The same for pieces that come one by one.
    pub(super) fn begin(&self, kind: &str) -> Tagging {
        Tagging(self.mac(TAG, kind))
    }

    /// The name counts with its length; what follows it is the rest of the message.
    fn mac(&self, purpose: u8, name: &str) -> Hmac<Sha256> {
        let mut block = Zeroizing::new([0; 64]);
        let (front, _) = block.split_at_mut(self.0.len());
        front.copy_from_slice(self.0.as_slice());
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(&[purpose]);
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name.as_bytes());
        mac
    }
}

/// A tag in the making.
pub(super) struct Tagging(Hmac<Sha256>);

impl Tagging {
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(super) fn finish(self) -> Tag {
        let mut tag = [0; 5];
        let mac = self.0.finalize().into_bytes();
        tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        Tag(tag)
    }
}

impl Tag {
    /// Tags to try a format of marks with.
    pub(super) const SAMPLES: [Self; 3] = [
        Self([0; 5]),
        Self([0x5d; 5]),
        Self([0xff, 0xf7, 0xbd, 0xef, 0x7b]),
    ];
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let bits = self
            .0
            .iter()
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        for at in (0..8).rev() {
            let index = (bits >> (at * 5) & 31) as usize;
            write!(f, "{}", char::from(ALPHABET[index]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python: `hmac.digest(key, b"\1" + len + kind + secret, "sha256")[:5]`, in base32.
    #[test]
    fn known_answers() {
        let key = TagKey::new(std::array::from_fn(|i| i as u8));
        assert_eq!(key.tag("github-pat", [b"abc"]).to_string(), "itoor4ko");
        let derived = key.derive("session", ["https://id.example", "u1", ""]);
        assert_eq!(derived.tag("github-pat", [b"abc"]).to_string(), "bra66ajq");
    }

    #[test]
    fn kinds_parts_and_keys_do_not_run_together() {
        let key = TagKey::new([1; 32]);
        let tags = [
            key.tag("ab", [b"c"]),
            key.tag("a", [b"bc"]),
            TagKey::new([2; 32]).tag("a", [b"bc"]),
            key.derive("a", [b"bc"]).tag("a", [b"bc"]),
            key.derive("a", ["b", "c"]).tag("a", [b"bc"]),
            key.derive("ab", [b"c"]).tag("a", [b"bc"]),
        ];
        let mut different = tags.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), tags.len());
        assert_eq!(key.tag("a", ["b", "", "c"]), tags[1]);
    }

    #[test]
    fn a_key_prints_nothing() {
        assert_eq!(format!("{:?}", TagKey::new([65; 32])), "TagKey(..)");
    }
}
