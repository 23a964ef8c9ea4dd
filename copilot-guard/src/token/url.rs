//! Which addresses keys may be fetched from.

use http::Uri;

/// The parts of an accepted address that callers ask for.
#[derive(Debug)]
pub(super) struct Url {
    pub(super) path: String,
    pub(super) has_query: bool,
}

/// `https`, or `http` on this machine when `allow_http_loopback`; no user info, no fragment.
pub(super) fn check(text: &str, allow_http_loopback: bool) -> Result<Url, &'static str> {
    let uri: Uri = text
        .parse()
        .map_err(|_| "not an address such as `https://idp.example/keys`")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("must be a full address that begins with `https://`");
    };
    // `http::Uri` drops a fragment silently, so the text is asked.
    if authority.as_str().contains('@') || text.contains('#') {
        return Err("cannot have user info or a fragment");
    }
    match scheme {
        "https" => {}
        "http" if allow_http_loopback && is_loopback(authority.host()) => {}
        "http" if is_loopback(authority.host()) => {
            return Err(
                "`http://` on this machine needs `allow_http_loopback = true`; use `https://` otherwise",
            );
        }
        _ => return Err("must begin with `https://`: whoever changes the answer chooses the keys"),
    }
    Ok(Url {
        path: uri.path().to_owned(),
        has_query: uri.query().is_some(),
    })
}

/// Names and addresses of this machine, as written; nothing is resolved.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
