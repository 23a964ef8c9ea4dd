//! Takes exactly one credential out of a request's headers.
//!
//! 1. `Authorization: Bearer T`, `x-api-key: T` and `api-key: T` are the only places; never a query or a cookie.
//! 2. Two fields, in one place or in two, are refused: whoever reads the other one would see another caller.
//! 3. `Authorization` with any other scheme is refused, not skipped.

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::TokenError;

/// The longest token that is looked at. Entra tokens with 200 groups are about 10 KB.
pub(super) const MAX_TOKEN: usize = 16 * 1024;

const KEY_FIELDS: [&str; 2] = ["x-api-key", "api-key"];

/// The one credential of a request, without scheme and blanks.
///
/// # Errors
/// [`TokenError::Missing`] when there is none or more than one; [`TokenError::Invalid`] when the only one has
/// another scheme, characters that no token has, or more than 16 KiB.
///
/// # Example
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("authorization", "Bearer abc.def.ghi".parse()?);
/// assert_eq!(copilot_guard::token::credential(&headers)?, "abc.def.ghi");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn credential(headers: &HeaderMap) -> Result<&str, TokenError> {
    one_of(headers, &["bearer"])
}

/// The same for requests that ask for a token: editors send theirs as `Authorization: token T`, as GitHub's own API
/// takes it.
///
/// # Errors
/// As for [`credential`].
pub fn exchange_credential(headers: &HeaderMap) -> Result<&str, TokenError> {
    one_of(headers, &["bearer", "token"])
}

fn one_of<'h>(headers: &'h HeaderMap, schemes: &[&str]) -> Result<&'h str, TokenError> {
    let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| (true, value));
    let keys = KEY_FIELDS
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .map(|value| (false, value));
    let mut fields = bearer.chain(keys);
    let Some((is_bearer, value)) = fields.next() else {
        return Err(TokenError::Missing("credential_missing"));
    };
    if fields.next().is_some() {
        return Err(TokenError::Missing("credential_ambiguous"));
    }
    let text = text_of(value)?;
    token_of(if is_bearer {
        after_scheme(text, schemes)?
    } else {
        text
    })
}

pub(super) fn text_of(value: &HeaderValue) -> Result<&str, TokenError> {
    value
        .to_str()
        .map_err(|_| TokenError::Invalid("credential_malformed"))
}

/// RFC 6750: the scheme in any case, then one space.
fn after_scheme<'t>(text: &'t str, schemes: &[&str]) -> Result<&'t str, TokenError> {
    match text.split_once(' ') {
        Some((scheme, token)) if schemes.iter().any(|s| scheme.eq_ignore_ascii_case(s)) => Ok(token),
        _ => Err(TokenError::Invalid("not_bearer")),
    }
}

/// RFC 6750's `b64token`. It holds neither blank nor comma, so a list of credentials cannot pass as one.
pub(super) fn token_of(token: &str) -> Result<&str, TokenError> {
    if token.len() > MAX_TOKEN {
        return Err(TokenError::Invalid("too_large"));
    }
    let body = token.trim_end_matches('=');
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    if body.is_empty() || !body.bytes().all(fits) {
        return Err(TokenError::Invalid("credential_malformed"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&'static str, &str)]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        credential(&headers).map(str::to_owned).map_err(|e| e.code())
    }

    #[test]
    fn takes_the_one_credential() {
        assert_eq!(read(&[("authorization", "Bearer a.b.c")]), Ok("a.b.c".into()));
        assert_eq!(read(&[("authorization", "bEaReR a.b.c")]), Ok("a.b.c".into()));
        assert_eq!(read(&[("x-api-key", "a.b.c")]), Ok("a.b.c".into()));
        assert_eq!(
            read(&[("api-key", "a.b.c"), ("cookie", "token=x")]),
            Ok("a.b.c".into())
        );
    }

    #[test]
    fn another_scheme_counts_where_a_token_is_asked_for() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("token a.b.c"));
        assert_eq!(exchange_credential(&headers), Ok("a.b.c"));
        assert!(credential(&headers).is_err());
        headers.insert("authorization", HeaderValue::from_static("Basic a.b.c"));
        assert!(exchange_credential(&headers).is_err());
    }

    #[test]
    fn refuses_everything_else() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN + 1));
        let rows: &[(&[(&'static str, &str)], &str)] = &[
            (&[], "credential_missing"),
            (&[("cookie", "access_token=a.b.c")], "credential_missing"),
            (&[("proxy-authorization", "Bearer a.b.c")], "credential_missing"),
            (
                &[("authorization", "Bearer a"), ("authorization", "Bearer a")],
                "credential_ambiguous",
            ),
            (
                &[("authorization", "Bearer a"), ("x-api-key", "a")],
                "credential_ambiguous",
            ),
            (
                &[("authorization", "Basic a"), ("x-api-key", "a")],
                "credential_ambiguous",
            ),
            (&[("authorization", ""), ("api-key", "a")], "credential_ambiguous"),
            (&[("x-api-key", "a"), ("api-key", "a")], "credential_ambiguous"),
            (&[("x-api-key", "a"), ("x-api-key", "b")], "credential_ambiguous"),
            (&[("authorization", "Basic YTpi")], "not_bearer"),
            (&[("authorization", "Bearer")], "not_bearer"),
            (&[("authorization", "token a")], "not_bearer"),
            (&[("authorization", "a.b.c")], "not_bearer"),
            (&[("authorization", "Bearer\ta")], "not_bearer"),
            (&[("authorization", " Bearer a")], "not_bearer"),
            (&[("authorization", "Bearer ")], "credential_malformed"),
            (&[("authorization", "Bearer  a")], "credential_malformed"),
            (&[("authorization", "Bearer a ")], "credential_malformed"),
            (&[("authorization", "Bearer a,b")], "credential_malformed"),
            (&[("authorization", "Bearer a, Bearer b")], "credential_malformed"),
            (&[("authorization", "Bearer é")], "credential_malformed"),
            (&[("authorization", &long)], "too_large"),
            (&[("x-api-key", "")], "credential_malformed"),
            (&[("x-api-key", "Bearer a")], "credential_malformed"),
        ];
        for (fields, code) in rows {
            assert_eq!(read(fields), Err(*code), "{fields:.60?}");
        }
    }
}
