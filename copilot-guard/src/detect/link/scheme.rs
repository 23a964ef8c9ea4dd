//! Schemes of addresses that stand in a text as they are.

/// An address begins with one slash behind them, or with two, or with what they run.
const WEB: &[&str] = &["http", "https"];
const HOSTED: &[&str] = &[
    "ftp",
    "ftps",
    "ws",
    "wss",
    "file",
    "ssh",
    "git",
    "sftp",
    "smb",
    "ldap",
    "gopher",
    "dav",
    "telnet",
    "vscode",
    "vscode-insiders",
    "ms-settings",
    "search-ms",
];
const RUN: &[&str] = &["javascript", "vbscript"];
/// More than the longest of them.
pub(super) const MAX_SCHEME: usize = 24;

/// Whether an address may begin with these letters, in lower case.
pub(super) fn may_begin(letters: &str) -> bool {
    let mut beginnings = WEB.iter().chain(HOSTED).chain(RUN).chain(&["www", "data"]);
    beginnings.any(|b| b.starts_with(letters))
}

/// Whether this is an address: a scheme in lower case, and what stands behind its colon.
pub(super) fn is_address(scheme: &str, rest: &[u8]) -> bool {
    let is_slash = |at: usize| rest.get(at).is_some_and(|b| matches!(b, b'/' | b'\\'));
    match scheme {
        s if WEB.contains(&s) => is_slash(0),
        s if HOSTED.contains(&s) => is_slash(0) && is_slash(1),
        s if RUN.contains(&s) => {
            rest.first().is_some_and(|b| !b.is_ascii_whitespace())
                && rest.iter().take(256).any(|b| matches!(b, b'(' | b'=' | b'`'))
        }
        _ => false,
    }
}
