//! One issuer's public keys, out of a JSON Web Key Set (RFC 7517).
//!
//! Keys are read one by one with rules of our own: a key that does not pass is left out, the others stand. Left out
//! are keys without `kid`, of unknown type or curve, not for signatures, of another issuer, too small, secret (`oct`) or
//! private, and all keys of a `kid` that names different material: nobody could say which one was meant.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use super::Algorithm;
use super::config::TENANT;
use super::strict_json::{Json, Object};

/// More keys than any issuer publishes; bounds the work on a hostile document.
const MAX_KEYS: usize = 256;
const MAX_KID: usize = 256;
/// aws-lc verifies moduli of 2048 to 8192 bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Members of private or symmetric keys. A set that carries them is leaking; such a key proves nothing any more.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Kind {
    fn fits(self, algorithm: Algorithm) -> bool {
        matches!(
            (self, algorithm),
            (Self::Rsa, Algorithm::Rs256 | Algorithm::Ps256)
                | (Self::P256, Algorithm::Es256)
                | (Self::P384, Algorithm::Es384)
                | (Self::Ed25519, Algorithm::EdDsa)
        )
    }
}

/// A public key that may verify signatures.
pub(super) struct Key {
    kind: Kind,
    /// When the key names an algorithm, only that one.
    algorithm: Option<Algorithm>,
    material: Vec<u8>,
    decoding: DecodingKey,
}

impl Key {
    /// Whether a token signed with `algorithm` may be checked with this key.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

/// Why a document is not a usable key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeySetError {
    #[error("the key set is not strict JSON with a list `keys`")]
    Malformed,
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooMany,
    #[error(
        "no key in the set can verify signatures (need kid, use sig, RSA of 2048 bits or more, P-256, P-384 or Ed25519)"
    )]
    NoUsableKey,
}

/// The usable keys of one issuer by `kid`.
pub(super) struct KeySet {
    /// More than one entry only where the same material is published for several algorithms.
    keys: BTreeMap<String, Vec<Key>>,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

impl KeySet {
    /// Reads a key set of `issuer`; at least one key must be usable.
    pub(super) fn parse(body: &[u8], issuer: &str) -> Result<Self, KeySetError> {
        let document = Json::parse_object(body).map_err(|_| KeySetError::Malformed)?;
        let Some(Json::Array(entries)) = document.get("keys") else {
            return Err(KeySetError::Malformed);
        };
        if entries.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut keys: BTreeMap<String, Vec<Key>> = BTreeMap::new();
        for (kid, key) in entries.iter().filter_map(|entry| key_of(entry, issuer)) {
            keys.entry(kid).or_default().push(key);
        }
        keys.retain(|_, same| {
            same.windows(2)
                .all(|pair| matches!(pair, [a, b] if same_material(a, b)))
        });
        if keys.is_empty() {
            Err(KeySetError::NoUsableKey)
        } else {
            Ok(Self { keys })
        }
    }

    /// Whether the issuer has a usable key of this name.
    pub(super) fn has(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// Whether both verify just the same tokens.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same = |a: &Key, b: &Key| same_material(a, b) && a.algorithm == b.algorithm;
        let all = |a: &Vec<Key>, b: &Vec<Key>| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
        self.keys.len() == other.keys.len()
            && self
                .keys
                .iter()
                .zip(&other.keys)
                .all(|((a, ours), (b, theirs))| a == b && all(ours, theirs))
    }

    /// The key of this name for this algorithm.
    pub(super) fn key(&self, kid: &str, algorithm: Algorithm) -> Option<&Key> {
        self.keys.get(kid)?.iter().find(|key| key.fits(algorithm))
    }
}

fn same_material(a: &Key, b: &Key) -> bool {
    a.kind == b.kind && a.material == b.material
}

fn key_of(entry: &Json, issuer: &str) -> Option<(String, Key)> {
    let Json::Object(entry) = entry else { return None };
    let kid = text(entry, "kid").filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID)?;
    if PRIVATE.iter().any(|name| entry.contains_key(*name)) || !may_verify(entry) || !is_of(entry, issuer) {
        return None;
    }
    let algorithm = match entry.get("alg") {
        None => None,
        Some(name) => Some(Algorithm::from_name(name.as_str()?)?),
    };
    let (kind, material, decoding) = match (text(entry, "kty")?, entry.get("crv").and_then(Json::as_str)) {
        ("RSA", _) => rsa(entry)?,
        ("EC", Some("P-256")) => ec(entry, Kind::P256, 32)?,
        ("EC", Some("P-384")) => ec(entry, Kind::P384, 48)?,
        ("OKP", Some("Ed25519")) => ed25519(entry)?,
        _ => return None,
    };
    let key = Key {
        kind,
        algorithm,
        material,
        decoding,
    };
    algorithm
        .is_none_or(|only| kind.fits(only))
        .then(|| (kid.to_owned(), key))
}

/// Entra publishes keys of several issuers in one set and says which are whose, some by a template.
fn is_of(entry: &Object, issuer: &str) -> bool {
    let Some(named) = entry.get("issuer") else {
        return true;
    };
    let Some(named) = named.as_str() else { return false };
    match named.split_once(TENANT) {
        None => named == issuer,
        Some((front, back)) => issuer
            .strip_prefix(front)
            .and_then(|rest| rest.strip_suffix(back))
            .is_some_and(|tenant| {
                !tenant.is_empty() && tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            }),
    }
}

/// `use` is absent, `sig`, or SPIFFE's word for keys of JWTs; `key_ops` is absent or a list of names with `verify`.
fn may_verify(entry: &Object) -> bool {
    let purpose = entry
        .get("use")
        .is_none_or(|value| matches!(value.as_str(), Some("sig" | "jwt-svid")));
    let operations = entry.get("key_ops").is_none_or(|value| match value {
        Json::Array(names) => {
            names.iter().all(|name| name.as_str().is_some())
                && names.iter().any(|name| name.as_str() == Some("verify"))
        }
        _ => false,
    });
    purpose && operations
}

fn rsa(entry: &Object) -> Option<(Kind, Vec<u8>, DecodingKey)> {
    // Some issuers write a leading zero octet, as in ASN.1; the number is what counts.
    let (n, e) = (number(entry, "n")?, number(entry, "e")?);
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    let exponent = e.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    if !RSA_BITS.contains(&bits) || n.last()? % 2 == 0 {
        return None;
    }
    if e.len() > 4 || exponent < 3 || exponent % 2 == 0 {
        return None;
    }
    let key = DecodingKey::from_rsa_raw_components(&n, &e);
    let mut material = n;
    material.extend_from_slice(&exponent.to_be_bytes());
    Some((Kind::Rsa, material, key))
}

fn ec(entry: &Object, kind: Kind, width: usize) -> Option<(Kind, Vec<u8>, DecodingKey)> {
    let (x, y) = (octets(entry, "x")?, octets(entry, "y")?);
    if x.len() != width || y.len() != width {
        return None;
    }
    // An uncompressed point; that it lies on the curve is checked with each signature.
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    let key = DecodingKey::from_ec_der(&point);
    Some((kind, point, key))
}

fn ed25519(entry: &Object) -> Option<(Kind, Vec<u8>, DecodingKey)> {
    let x = octets(entry, "x").filter(|x| x.len() == 32)?;
    let key = DecodingKey::from_ed_der(&x);
    Some((Kind::Ed25519, x, key))
}

fn text<'a>(entry: &'a Object, name: &str) -> Option<&'a str> {
    entry.get(name)?.as_str()
}

fn octets(entry: &Object, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(entry, name)?).ok()
}

fn number(entry: &Object, name: &str) -> Option<Vec<u8>> {
    let octets = octets(entry, name)?;
    let zeros = octets.iter().take_while(|byte| **byte == 0).count();
    octets
        .get(zeros..)
        .filter(|rest| !rest.is_empty())
        .map(<[u8]>::to_vec)
}
