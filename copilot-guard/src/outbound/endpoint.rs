//! Addresses of the services that the gateway asks.

use std::fmt;

use http::Uri;

/// An address that the gateway may send credentials to: `https`, or `http` on this machine where that was allowed. No user
/// info, no query, no fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    text: String,
}

/// The address may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address that credentials may go to: {0}")]
pub struct InvalidEndpoint(&'static str);

impl Endpoint {
    /// Checks an address. `allow_http_loopback` is for tests and for sidecars on this machine.
    ///
    /// # Errors
    /// Says what is wrong, without the address.
    pub fn parse(text: &str, allow_http_loopback: bool) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = text
            .parse()
            .map_err(|_| InvalidEndpoint("it is no address such as `https://login.example/token`"))?;
        // `http::Uri` drops a fragment silently, so the text is asked.
        if text.contains('#') || uri.query().is_some() {
            return Err(InvalidEndpoint("it has a query or a fragment"));
        }
        if uri.authority().is_none_or(|a| a.as_str().contains('@')) {
            return Err(InvalidEndpoint("it has no host, or user info"));
        }
        if is_encrypted_or_local(&uri, allow_http_loopback) {
            Ok(Self {
                text: text.to_owned(),
            })
        } else {
            Err(InvalidEndpoint("it must begin with `https://`"))
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address with `rest` behind it, which begins with `/` and holds nothing that was not encoded.
    pub(crate) fn with(&self, rest: &str) -> String {
        format!("{}{rest}", self.text.trim_end_matches('/'))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether nobody on the way can read along.
pub(super) fn is_encrypted_or_local(uri: &Uri, allow_http_loopback: bool) -> bool {
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    match uri.scheme_str() {
        Some("https") => has_host,
        Some("http") => allow_http_loopback && uri.host().is_some_and(is_loopback),
        _ => false,
    }
}

/// Names and addresses of this machine, as written; nothing is resolved.
fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_or_on_this_machine() {
        let good = [
            "https://login.example/t/token",
            "http://127.0.0.1:9/x",
            "http://[::1]:9",
        ];
        for text in good {
            assert_eq!(Endpoint::parse(text, true).unwrap().as_str(), text);
        }
        assert_eq!(
            Endpoint::parse("https://h/a/", false).unwrap().with("/b"),
            "https://h/a/b"
        );
        for text in [
            "http://login.example/token",
            "http://localhost.evil.example/",
            "https://user@login.example/",
            "https://login.example/?a=b",
            "https://login.example/#a",
            "ftp://127.0.0.1/",
            "/token",
            "https://",
            "",
        ] {
            assert!(Endpoint::parse(text, true).is_err(), "{text}");
        }
        assert!(Endpoint::parse("http://127.0.0.1/", false).is_err());
    }
}
