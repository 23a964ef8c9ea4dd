//! Takes exactly one credential out of the head of a `CONNECT`.
//!
//! 1. `Proxy-Authorization` is the only place. `Authorization`, `x-api-key` and cookies are the far server's, not ours.
//! 2. `Basic` carries the token as the password, which is what a proxy address `http://anything:TOKEN@host` sends. The
//!    user's name is not looked at. `Bearer` carries it as it is.
//! 3. Two fields are refused: whoever reads the other one would see another caller.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, PROXY_AUTHORIZATION};
use zeroize::Zeroizing;

use super::TokenError;
use super::bearer::{MAX_TOKEN, text_of, token_of};
use crate::secret::Secret;

/// The longest value of `Basic` that is decoded: base64 of the longest token and a name of some length.
const MAX_BASIC: usize = MAX_TOKEN / 3 * 4 + 1024;

/// The one credential of a request to a proxy.
///
/// # Errors
/// [`TokenError::Missing`] when there is none or more than one; [`TokenError::Invalid`] when the only one has
/// another scheme, is not well formed, or holds more than 16 KiB.
///
/// # Example
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("proxy-authorization", "Basic eW91OmFiYy5kZWYuZ2hp".parse()?);
/// assert_eq!(copilot_guard::token::proxy_credential(&headers)?.expose(), "abc.def.ghi");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn proxy_credential(headers: &HeaderMap) -> Result<Secret, TokenError> {
    let mut fields = headers.get_all(PROXY_AUTHORIZATION).iter();
    let Some(value) = fields.next() else {
        return Err(TokenError::Missing("credential_missing"));
    };
    if fields.next().is_some() {
        return Err(TokenError::Missing("credential_ambiguous"));
    }
    match text_of(value)?.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token_of(token).map(Secret::new),
        Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => password(pair),
        _ => Err(TokenError::Invalid("not_basic_or_bearer")),
    }
}

/// RFC 7617: base64 of the name, a colon, and the password. No name holds a colon, and no token does either.
fn password(pair: &str) -> Result<Secret, TokenError> {
    if pair.len() > MAX_BASIC {
        return Err(TokenError::Invalid("too_large"));
    }
    let malformed = TokenError::Invalid("credential_malformed");
    // The decoder is strict: another way to write the same bytes is refused.
    let bytes = STANDARD.decode(pair).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| malformed.clone())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed.clone())?;
    let (_name, token) = text.split_once(':').ok_or(malformed)?;
    token_of(token).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(fields: &[(&'static str, &str)]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        proxy_credential(&headers)
            .map(|s| s.expose().to_owned())
            .map_err(|e| e.code())
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    const FIELD: &str = "proxy-authorization";

    #[test]
    fn takes_the_one_credential() {
        let rows = [
            basic("you:a.b.c"),
            basic(":a.b.c"),
            basic("grüße:a.b.c"),
            basic("you:a.b.c").replace("Basic", "bAsIc"),
            "Bearer a.b.c".to_owned(),
            "bEARER a.b.c".to_owned(),
        ];
        for value in rows {
            assert_eq!(read(&[(FIELD, &value)]), Ok("a.b.c".into()), "{value}");
        }
        let longest = "a".repeat(MAX_TOKEN);
        assert_eq!(
            read(&[(FIELD, &basic(&format!("you:{longest}")))]),
            Ok(longest.clone())
        );
        assert_eq!(read(&[(FIELD, &format!("Bearer {longest}"))]), Ok(longest));
    }

    #[test]
    fn what_is_meant_for_the_far_server_names_nobody() {
        let good = basic("you:a.b.c");
        let others = [
            ("authorization", "Bearer x.y.z"),
            ("x-api-key", "x.y.z"),
            ("api-key", "x.y.z"),
            ("cookie", "token=x.y.z"),
        ];
        for other in others {
            assert_eq!(read(&[other]), Err("credential_missing"), "{other:?}");
            assert_eq!(read(&[other, (FIELD, &good)]), Ok("a.b.c".into()), "{other:?}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        let token_too_long = format!("you:{}", "a".repeat(MAX_TOKEN + 1));
        let rows: &[(&[&str], &str)] = &[
            (&[], "credential_missing"),
            (&["Bearer a", "Bearer a"], "credential_ambiguous"),
            (&["Bearer a", &basic("you:a")], "credential_ambiguous"),
            (&["", "Bearer a"], "credential_ambiguous"),
            (&[""], "not_basic_or_bearer"),
            (&["a.b.c"], "not_basic_or_bearer"),
            (&["Basic"], "not_basic_or_bearer"),
            (&["Bearer"], "not_basic_or_bearer"),
            (&["Bearer\ta"], "not_basic_or_bearer"),
            (&[" Bearer a"], "not_basic_or_bearer"),
            (&["Digest username=\"you\""], "not_basic_or_bearer"),
            (&["Negotiate YTpi"], "not_basic_or_bearer"),
            (&["token a"], "not_basic_or_bearer"),
            (&["Bearer "], "credential_malformed"),
            (&["Bearer  a"], "credential_malformed"),
            (&["Bearer a b"], "credential_malformed"),
            (&["Bearer a, Bearer b"], "credential_malformed"),
            (&["Bearer é"], "credential_malformed"),
            (&["Basic "], "credential_malformed"),
            (&["Basic !!!!"], "credential_malformed"),
            // No colon; nothing behind it; a second one; blanks; a line end.
            (&[&basic("a.b.c")], "credential_malformed"),
            (&[&basic("a.b.c:")], "credential_malformed"),
            (&[&basic("you:a:b")], "credential_malformed"),
            (&[&basic("you: a")], "credential_malformed"),
            (&[&basic("you:a\n")], "credential_malformed"),
            (&[&basic("you:a\0")], "credential_malformed"),
            (&[&basic("you:é")], "credential_malformed"),
            // Base64 that another decoder may read otherwise: no padding, bits left over, the other alphabet, two values.
            (&["Basic eW91OmE"], "credential_malformed"),
            (&["Basic eW91OmF="], "credential_malformed"),
            (&["Basic eW91OmE=="], "credential_malformed"),
            (&["Basic eW91OmE= "], "credential_malformed"),
            (&["Basic  eW91OmE="], "credential_malformed"),
            (&["Basic eW91OmE=,eW91OmI="], "credential_malformed"),
            (&["Basic eW91Ojx-"], "credential_malformed"),
            (&["Basic /////w=="], "credential_malformed"),
            (&[&basic(&token_too_long)], "too_large"),
            (&[&basic(&format!("{}:a", "y".repeat(MAX_BASIC)))], "too_large"),
            (&[&format!("Bearer {}", "a".repeat(MAX_TOKEN + 1))], "too_large"),
        ];
        for (values, code) in rows {
            let fields: Vec<_> = values.iter().map(|v| (FIELD, *v)).collect();
            assert_eq!(read(&fields), Err(*code), "{values:.60?}");
        }
    }
}
