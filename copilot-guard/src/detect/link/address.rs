//! One address of a text, read as a browser reads it.

use super::super::network::{Address, percent_decode};
use super::Form;

/// What an address of a text is.
pub(super) enum Target {
    /// Part of the text itself: relative, a place on the page, mail, an image that stands in its address.
    Inner,
    /// Runs something, or opens something of the editor.
    Runs,
    /// A file or share: of this machine, or of another one.
    File { is_remote: bool },
    /// On a host.
    At(Box<Address>),
    /// Browsers find a host, and others find none or another one.
    Odd,
    /// A place holder for a host: nothing that can be opened.
    Placeholder,
    /// A scheme that is not known.
    Unknown,
}

/// Reads an address as it stands in a text.
pub(super) fn read(raw: &str, form: Form) -> Target {
    let is_markdown = matches!(form, Form::Image | Form::Link | Form::Reference);
    let plain = one(&browser_form(raw, is_markdown), form);
    if !(is_markdown && raw.contains('\\')) {
        return plain;
    }
    // Some readers of Markdown resolve its escapes, others do not.
    match (plain, one(&browser_form(raw, false), form)) {
        (Target::Inner | Target::Placeholder, other) => other,
        (Target::At(a), Target::At(b)) if a.host() == b.host() => Target::At(a),
        (Target::At(_), Target::At(_) | Target::Odd) => Target::Odd,
        (plain, _) => plain,
    }
}

fn one(plain: &str, form: Form) -> Target {
    match target(plain, form) {
        // Encoded as a whole: relative to a browser, but not to what decodes it first.
        Target::Inner if plain.contains('%') => {
            percent_decode(plain).map_or(Target::Inner, |decoded| match target(&decoded, form) {
                Target::Inner | Target::Placeholder => Target::Inner,
                _ => Target::Odd,
            })
        }
        target => target,
    }
}

fn target(text: &str, form: Form) -> Target {
    let slashes = text.bytes().take_while(|b| matches!(b, b'/' | b'\\')).count();
    if text.starts_with("\\\\") {
        return Target::File { is_remote: true };
    }
    if slashes >= 2 {
        return host(&format!("https:{text}"));
    }
    let Some((scheme, rest)) = text.split_once(':').filter(|(s, _)| is_scheme(s)) else {
        // A bare host: `www.…` is opened as it is.
        let is_www = form == Form::Bare && text.get(..4).is_some_and(|w| w.eq_ignore_ascii_case("www."));
        return if is_www {
            host(&format!("https://{text}"))
        } else {
            Target::Inner
        };
    };
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" | "ws" | "wss" | "ftp" | "ftps" => host(text),
        "mailto" | "tel" | "sms" | "urn" | "about" | "cid" | "news" | "doi" | "isbn" => Target::Inner,
        "data" => {
            let kind = rest.trim_start().to_ascii_lowercase();
            let is_image = kind.starts_with("image/") && !kind.starts_with("image/svg");
            if is_image { Target::Inner } else { Target::Runs }
        }
        "javascript" | "vbscript" | "command" | "livescript" | "ms-msdt" | "search-ms" | "ms-officecmd"
        | "jar" | "shell" | "blob" | "filesystem" => Target::Runs,
        "vscode" | "vscode-insiders" | "cursor" | "windsurf" | "vscodium" | "x-apple" | "ms-settings"
        | "jetbrains" | "zed" => Target::Runs,
        "file" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            Target::File {
                is_remote: !path.starts_with('/') || path.starts_with("//"),
            }
        }
        // A drive, a place in a file (`main.rs:12`), a path of a language (`std::fmt`), `host:port`.
        _ if scheme.len() == 1
            || rest.is_empty()
            || rest.starts_with(':')
            || rest.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            Target::Inner
        }
        _ if rest.starts_with("//") => host(text),
        _ if form == Form::Auto || scheme.contains('.') => Target::Inner,
        _ => Target::Unknown,
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn host(text: &str) -> Target {
    if let Some(address) = Address::parse(text) {
        return Target::At(Box::new(address));
    }
    let behind = text
        .split_once(':')
        .map_or(text, |(_, rest)| rest)
        .trim_start_matches(['/', '\\']);
    let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
    // `https://{host}/`, `https://$HOST`, `https://<your-host>`, `http://localhost:PORT`, `https://…`: for a person to fill in.
    let is_holder = authority.is_empty()
        || !authority.contains(['@', '\\', '%'])
            && (authority.contains(['{', '}', '$', '<', '>', '[', ']', '*', '…', '('])
                && !authority.contains(':')
                || authority
                    .split_once(':')
                    .is_some_and(|(_, port)| port.contains(['{', '$', '<', 'P', 'p', 'x', 'X'])));
    match url::Url::parse(text) {
        _ if is_holder => Target::Placeholder,
        Ok(url) if url.has_host() => Target::Odd,
        Ok(_) => Target::Unknown,
        // Browsers differ about what stands for an ASCII letter or a slash.
        Err(_) if !authority.is_ascii() => Target::Odd,
        // No browser opens it.
        Err(_) => Target::Placeholder,
    }
}

/// Entities decoded, blanks within removed or encoded, and escapes of Markdown resolved.
pub(super) fn browser_form(raw: &str, is_markdown: bool) -> String {
    let mut plain = String::with_capacity(raw.len());
    let mut rest = raw.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    while let Some(c) = rest.chars().next() {
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = behind;
        match c {
            '&' => match entity(behind) {
                Some((c, len)) => {
                    if !is_dropped(c) {
                        plain.push(c);
                    }
                    rest = behind.get(len..).unwrap_or_default();
                }
                None => plain.push('&'),
            },
            '\\' if is_markdown && behind.starts_with(|c: char| c.is_ascii_punctuation() && c != '\\') => {}
            ' ' => plain.push_str("%20"),
            _ if is_dropped(c) => {}
            _ => plain.push(c),
        }
    }
    plain
}

/// What browsers leave out of an address, and what shows nothing.
fn is_dropped(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\0' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// An entity behind `&`: its letter, and how long it is.
fn entity(text: &str) -> Option<(char, usize)> {
    if let Some(number) = text.strip_prefix('#') {
        let (digits, radix, lead) = match number.strip_prefix(['x', 'X']) {
            Some(hex) => (hex, 16, 2),
            None => (number, 10, 1),
        };
        let len = digits
            .bytes()
            .take(10)
            .take_while(|b| char::from(*b).is_digit(radix))
            .count();
        let c = u32::from_str_radix(digits.get(..len)?, radix)
            .ok()
            .and_then(char::from_u32)?;
        let end = usize::from(digits.as_bytes().get(len) == Some(&b';'));
        return Some((c, lead + len + end));
    }
    const NAMES: [(&str, char); 12] = [
        ("amp;", '&'),
        ("colon;", ':'),
        ("sol;", '/'),
        ("bsol;", '\\'),
        ("period;", '.'),
        ("Tab;", '\t'),
        ("NewLine;", '\n'),
        ("quot;", '"'),
        ("lt;", '<'),
        ("gt;", '>'),
        ("commat;", '@'),
        ("nbsp;", ' '),
    ];
    NAMES
        .iter()
        .find(|(name, _)| text.starts_with(name))
        .map(|(name, c)| (*c, name.len()))
}
