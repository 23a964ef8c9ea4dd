//! From a compact JWS (RFC 7515, 7519, 8725) to claims with a checked signature.
//!
//! 1. Sizes, then exactly three canonical base64url segments: no padding, no blanks, no spare bits.
//! 2. Header and claims are strict JSON objects, read once, by one parser: what is signed is what is judged.
//! 3. `alg` is one that we know, `kid` is there; `crit`, `b64`, `zip` and `cty` are refused; `typ` is one that we know
//!    or absent, and the issuer's rules say which.
//! 4. Keys inside the token (`jwk`, `jku`, `x5c`, `x5u`, `x5t`) are not looked at.
//!
//! Of `jsonwebtoken` only the signature check is used: its claim rules read the system's clock, skip claims of the
//! wrong type, and would be a second reading of the same bytes.

use std::sync::Once;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{aws_lc, verify};

use super::bearer::MAX_TOKEN;
use super::jwks::Key;
use super::strict_json::{Json, Object};
use super::{Algorithm, TokenError};

const MAX_HEADER: usize = 4 * 1024;
const MAX_KID: usize = 256;
/// RSA of 8192 bits, encoded.
const MAX_SIGNATURE: usize = 1366;

/// What a token's header says that it is (`typ`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenType {
    Absent,
    Jwt,
    AccessToken,
    Jose,
    Logout,
}

impl TokenType {
    /// RFC 8725 3.11: security events, DPoP proofs and our own gateway tokens carry other types.
    fn parse(header: &Object) -> Option<Self> {
        let known = [
            ("JWT", Self::Jwt),
            ("at+jwt", Self::AccessToken),
            ("application/at+jwt", Self::AccessToken),
            ("JOSE", Self::Jose),
            ("logout+jwt", Self::Logout),
            ("application/logout+jwt", Self::Logout),
        ];
        match header.get("typ") {
            None => Some(Self::Absent),
            Some(Json::String(kind)) => known
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(kind))
                .map(|(_, token_type)| *token_type),
            Some(_) => None,
        }
    }
}

/// A well-formed compact JWS, whatever its payload. Nothing it says may be believed yet.
pub(super) struct Jws<'t> {
    algorithm: Algorithm,
    kid: Option<String>,
    token_type: TokenType,
    payload: Vec<u8>,
    message: &'t str,
    signature: &'t str,
}

/// A token that is well-formed. Nothing it says may be believed yet.
pub(super) struct Unverified<'t> {
    jws: Jws<'t>,
    kid: String,
    claims: Object,
}

/// Claims whose signature was checked with an issuer's key. Only [`Unverified::verify`] makes one.
pub(super) struct Signed {
    claims: Object,
    token_type: TokenType,
}

impl<'t> Jws<'t> {
    /// Takes a token apart.
    pub(super) fn parse(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid("too_large"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Invalid("segments"));
        };
        if header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(TokenError::Invalid("segments"));
        }
        if header.len() > MAX_HEADER {
            return Err(TokenError::Invalid("header_too_large"));
        }
        if signature.len() > MAX_SIGNATURE {
            return Err(TokenError::Invalid("signature_too_large"));
        }
        let message = token
            .get(..header.len() + 1 + payload.len())
            .ok_or(TokenError::Invalid("segments"))?;
        let (header, payload) = (octets(header)?, octets(payload)?);
        octets(signature)?;
        let header = Json::parse_object(&header).map_err(|_| TokenError::Invalid("header_json"))?;
        let (algorithm, kid, token_type) = read_header(&header)?;
        Ok(Self {
            algorithm,
            kid,
            token_type,
            payload,
            message,
            signature,
        })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    #[cfg(test)]
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Checks the signature with `key`.
    pub(super) fn verify(&self, key: &Key) -> Result<(), TokenError> {
        if !key.fits(self.algorithm) {
            return Err(TokenError::Invalid("alg_key_mismatch"));
        }
        install_provider();
        let algorithm = match self.algorithm {
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Ps256 => jsonwebtoken::Algorithm::PS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::Es384 => jsonwebtoken::Algorithm::ES384,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        };
        match verify(self.signature, self.message.as_bytes(), key.decoding(), algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(TokenError::Invalid("bad_signature")),
        }
    }
}

impl<'t> Unverified<'t> {
    /// Takes a token apart.
    pub(super) fn parse(token: &'t str) -> Result<Self, TokenError> {
        let mut jws = Jws::parse(token)?;
        // To try all keys would be to guess which one was meant.
        let kid = jws.kid.take().ok_or(TokenError::Invalid("kid_missing"))?;
        let claims = Json::parse_object(&jws.payload).map_err(|_| TokenError::Invalid("claims_json"))?;
        Ok(Self { jws, kid, claims })
    }

    /// Whom the token claims to come from: only good for choosing the issuer whose keys are tried.
    pub(super) fn issuer(&self) -> Result<&str, TokenError> {
        issuer_of(&self.claims)
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.jws.algorithm()
    }

    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// Checks the signature with `key`.
    pub(super) fn verify(self, key: &Key) -> Result<Signed, TokenError> {
        self.jws.verify(key)?;
        Ok(Signed {
            claims: self.claims,
            token_type: self.jws.token_type,
        })
    }
}

impl Signed {
    pub(super) fn claims(&self) -> &Object {
        &self.claims
    }

    pub(super) fn token_type(&self) -> TokenType {
        self.token_type
    }
}

/// `iss` as one string.
pub(super) fn issuer_of(claims: &Object) -> Result<&str, TokenError> {
    match claims.get("iss") {
        Some(Json::String(issuer)) => Ok(issuer),
        Some(_) => Err(TokenError::Invalid("iss_type")),
        None => Err(TokenError::Invalid("iss_missing")),
    }
}

/// With both of jsonwebtoken's providers switched on, by whatever crate, the first use panics unless one was
/// installed. An already installed one is the program's choice and stays.
fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

fn octets(segment: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(segment)
        .map_err(|_| TokenError::Invalid("base64"))
}

fn read_header(header: &Object) -> Result<(Algorithm, Option<String>, TokenType), TokenError> {
    // `crit` lists extensions that must be understood, and none is; `b64`, `zip` and `cty` change what the payload
    // means. Their mere presence is refused.
    for (name, code) in [
        ("crit", "header_crit"),
        ("b64", "header_b64"),
        ("zip", "header_zip"),
        ("cty", "header_cty"),
    ] {
        if header.contains_key(name) {
            return Err(TokenError::Invalid(code));
        }
    }
    let algorithm = match header.get("alg") {
        Some(Json::String(name)) => Algorithm::from_name(name).ok_or(TokenError::Invalid("alg_refused"))?,
        Some(_) => return Err(TokenError::Invalid("alg_type")),
        None => return Err(TokenError::Invalid("alg_missing")),
    };
    let token_type = TokenType::parse(header).ok_or(TokenError::Invalid("header_typ"))?;
    match header.get("kid") {
        Some(Json::String(kid)) if !kid.is_empty() && kid.len() <= MAX_KID => {
            Ok((algorithm, Some(kid.clone()), token_type))
        }
        Some(_) => Err(TokenError::Invalid("kid_malformed")),
        None => Ok((algorithm, None, token_type)),
    }
}
