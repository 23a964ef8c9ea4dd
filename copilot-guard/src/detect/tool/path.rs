//! Paths of tool calls, in the one form in which they are compared.

use super::super::network::Host;

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// In the workspace, as far as can be told: relative, or absolute in a place where projects are.
    Here,
    /// Above where it started.
    Above,
    /// A home, named as such (`~`, `$HOME`).
    Home,
    /// A folder of the system.
    System,
    /// Behind a variable that is not known.
    Variable,
}

/// A path that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) root: Root,
    /// Lower case, without `.` and `..`; with all folders of an absolute path.
    pub(super) segments: Vec<String>,
    /// How many segments lead to a home, if it is within one.
    pub(super) home: Option<usize>,
    /// Whether it begins at the root.
    pub(super) is_absolute: bool,
}

/// A spelling that two systems read differently, or that hides what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Odd(pub(super) &'static str);

const MAX_BYTES: usize = 4096;

/// Names of homes in front of a path.
const HOMES: [&str; 12] = [
    "~",
    "$home",
    "${home}",
    "$env:home",
    "$env:userprofile",
    "${env:userprofile}",
    "%userprofile%",
    "%home%",
    "$env:appdata",
    "%appdata%",
    "%localappdata%",
    "$xdg_config_home",
];

/// Folders of a system. What is below is no project.
const SYSTEM: [&str; 17] = [
    "etc",
    "usr",
    "bin",
    "sbin",
    "lib",
    "lib64",
    "boot",
    "dev",
    "proc",
    "sys",
    "run",
    "library",
    "system",
    "windows",
    "program files",
    "program files (x86)",
    "programdata",
];

/// Reads a path as editors and shells do, on Linux, macOS and Windows alike.
pub(super) fn parse(text: &str) -> Result<Place, Odd> {
    if text.len() > MAX_BYTES {
        return Err(Odd("is too long"));
    }
    if text.chars().any(|c| c.is_control() || is_hidden(c)) {
        return Err(Odd("has control or hidden characters"));
    }
    let text = without_scheme(text)?;
    let text = text.replace('\\', "/").to_lowercase();
    if text.starts_with("//?/") || text.starts_with("//./") || text.starts_with("/??/") {
        return Err(Odd("is a device path"));
    }
    if text.starts_with("//") && Host::parse(text.split('/').nth(2).unwrap_or_default()).is_some() {
        return Err(Odd("may be a share of another machine"));
    }
    let is_drive = matches!(text.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic());
    let (text, is_absolute) = match text.get(2..) {
        Some(rest) if is_drive => (rest.to_owned(), true),
        _ => {
            let is_absolute = text.starts_with('/');
            (text, is_absolute)
        }
    };
    resolve(&text, is_absolute)
}

fn resolve(text: &str, is_absolute: bool) -> Result<Place, Odd> {
    let mut root = Root::Here;
    let mut home = None;
    let mut segments: Vec<String> = Vec::new();
    for (at, raw) in text.split('/').enumerate() {
        match raw {
            // Windows reads `...` as `.`, and Go as all below.
            "" | "." | "..." => {}
            ".." if segments.len() <= home.unwrap_or(0) => {
                if !is_absolute {
                    root = Root::Above;
                }
                segments.clear();
                home = None;
            }
            ".." => {
                segments.pop();
            }
            _ if at == 0 && HOMES.contains(&raw) => {
                root = Root::Home;
                home = Some(0);
                if raw.contains("appdata") {
                    segments.push("appdata".to_owned());
                } else if raw.contains("xdg") {
                    segments.push(".config".to_owned());
                }
            }
            // `~name` is that person's home.
            _ if at == 0 && raw.starts_with('~') => {
                root = Root::Home;
                home = Some(0);
            }
            _ if at == 0 && is_variable(raw) => root = Root::Variable,
            _ => segments.push(segment(raw)?),
        }
    }
    if is_absolute {
        let depth = match segments.first().map(String::as_str) {
            Some("home" | "users") => 2,
            Some("root") => 1,
            Some("var") if segments.get(1).is_some_and(|s| s == "root") => 2,
            _ => 0,
        };
        home = (depth > 0 && segments.len() > depth).then_some(depth);
        let first = segments.first().map(String::as_str).unwrap_or_default();
        let second = segments.get(1).map(String::as_str).unwrap_or_default();
        let is_system = SYSTEM.contains(&first) && !(first == "usr" && second == "src")
            || first == "var" && matches!(second, "spool" | "lib" | "log" | "run" | "root" | "db")
            || first == "private" && matches!(second, "etc");
        if is_system {
            root = Root::System;
        }
        let is_dotted = home
            .and_then(|depth| segments.get(depth))
            .is_some_and(|s| s.starts_with('.') || matches!(s.as_str(), "library" | "appdata"));
        if is_dotted {
            root = Root::Home;
        }
        // macOS keeps `/etc` and `/var` below `/private`.
        if first == "private" && matches!(second, "etc" | "var") {
            segments.remove(0);
        }
    }
    Ok(Place {
        root,
        segments,
        home,
        is_absolute,
    })
}

/// Tools take addresses of files too.
fn without_scheme(text: &str) -> Result<String, Odd> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let bare = text
            .strip_prefix("file:")
            .or_else(|| text.strip_prefix("vscode-userdata:"));
        return Ok(bare.unwrap_or(text).to_owned());
    };
    if !scheme
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    {
        return Ok(text.to_owned());
    }
    let decoded = super::super::network::percent_decode(rest).ok_or(Odd("has broken escapes"))?;
    if decoded.chars().any(|c| c.is_control() || is_hidden(c)) {
        return Err(Odd("has control or hidden characters"));
    }
    let path = match decoded.find('/') {
        Some(at) => decoded.get(at..).unwrap_or_default(),
        None => decoded.as_str(),
    };
    let is_remote = scheme.eq_ignore_ascii_case("file")
        && !decoded.starts_with(['/', '\\'])
        && !decoded.starts_with("localhost/");
    if is_remote {
        return Err(Odd("may be a share of another machine"));
    }
    // `/c:/…` is how a drive stands in an address.
    let drive = path
        .strip_prefix('/')
        .filter(|p| matches!(p.as_bytes(), [d, b':', ..] if d.is_ascii_alphabetic()));
    Ok(drive.unwrap_or(path).to_owned())
}

fn is_variable(segment: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
    };
    let percent = segment.strip_prefix('%').and_then(|s| s.strip_suffix('%'));
    let dollar = segment
        .strip_prefix('$')
        .map(|s| s.strip_prefix('{').and_then(|s| s.strip_suffix('}')).unwrap_or(s));
    percent.or(dollar).is_some_and(is_name) || segment.contains("$(") || segment.starts_with('`')
}

/// One name, unless it is a spelling of another one.
fn segment(raw: &str) -> Result<String, Odd> {
    // Windows drops dots and blanks at the end: `.git.` is `.git`.
    if raw.ends_with(['.', ' ']) {
        return Err(Odd("has a name that ends with a dot or a blank"));
    }
    let (name, stream) = raw.split_once(':').unwrap_or((raw, ""));
    let is_place =
        stream.bytes().all(|b| b.is_ascii_digit() || b":-".contains(&b)) && !stream.starts_with(':');
    if !is_place {
        return Err(Odd("names a stream of a file"));
    }
    let stem = name.split('.').next().unwrap_or_default();
    let digit = |rest: &str| matches!(rest.as_bytes(), [b'0'..=b'9']);
    let is_device = matches!(stem, "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || stem
            .strip_prefix("com")
            .or_else(|| stem.strip_prefix("lpt"))
            .is_some_and(digit);
    if is_device {
        return Err(Odd("names a device of Windows"));
    }
    if let Some((front, number)) = stem.rsplit_once('~') {
        let is_short = (1..=6).contains(&front.len()) && digit(number);
        if is_short {
            return Err(Odd("is a short name of Windows"));
        }
    }
    Ok(name.to_owned())
}

/// Characters that show nothing or turn the text around.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Matches a name with `*` and `?` in time linear in both, but for one factor of the name's length.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || name.get(n) == Some(c) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}
