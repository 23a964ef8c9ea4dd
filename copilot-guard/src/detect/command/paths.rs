//! What paths stand for: stores of credentials, what runs later, what supervises the agent, and the system's own files.

use super::super::judgement::Judgement;
use super::flow::Flow;
use super::glob::is_any;
use super::path_table::{AGENTS, BUILDS, HARMLESS, LIKELY, PERSISTENT, STORES, SYSTEM};
use super::words::{Note, UNKNOWN, Word};

/// Judges that a file is read. Gives what a reader then holds.
pub(super) fn read(out: &mut Judgement, folder: &str, word: &Word) -> u8 {
    let path = normal(folder, &word.text);
    // A pattern may stand for more than what is harmless.
    let is_harmless = path.ends_with(".pub") || (!path.contains(['*', '?', '[']) && is_any(HARMLESS, &path));
    if path.is_empty() || is_harmless {
        return 0;
    }
    if is_any(STORES, &path) {
        out.block("credential-access/store", "reads a store of credentials");
        return Flow::SECRET;
    }
    if is_any(LIKELY, &path) {
        out.approve(
            "credential-access/likely",
            "reads a file that may hold credentials",
        );
        return Flow::SECRET;
    }
    0
}

/// Whether a path may hold credentials.
pub(super) fn is_secret(folder: &str, word: &Word) -> bool {
    read(&mut Judgement::default(), folder, word) & Flow::SECRET != 0
}

/// Judges that a file is written, made, replaced or linked to.
pub(super) fn write(out: &mut Judgement, folder: &str, word: &Word) {
    let path = normal(folder, &word.text);
    if path.is_empty() {
        return;
    }
    if is_any(AGENTS, &path) {
        out.block(
            "self-approval/agent-settings",
            "writes what decides what an agent may do",
        );
    }
    if is_any(PERSISTENT, &path) {
        out.block("persistence/startup-file", "writes a file that runs later");
    } else if is_any(BUILDS, &path) {
        out.approve("persistence/build-file", "writes a file that builds run");
    }
    if path.starts_with("/var/log/") {
        out.approve("destructive/history", "writes over records");
    }
    if is_device(&path) {
        out.block("destructive/device", "writes to a device");
    } else if let Some(system) = path
        .strip_prefix('/')
        .map(|_| path.as_str())
        .filter(|path| is_system(path))
    {
        let is_etc = system.starts_with("/etc/")
            || system.starts_with("/boot")
            || system.starts_with("/proc")
            || system.starts_with("/sys");
        if is_etc {
            out.block("persistence/system-file", "writes a file of the system");
        } else {
            out.approve("persistence/system-file", "writes a file of the system");
        }
    }
    if is_any(STORES, &path) && !path.ends_with("/known_hosts") {
        out.approve("credential-access/write", "writes to a store of credentials");
    }
}

/// Whether the path is a disk or memory.
pub(super) fn is_device(path: &str) -> bool {
    let name = path.strip_prefix("/dev/").unwrap_or_default();
    [
        "sd", "hd", "vd", "xvd", "nvme", "mmcblk", "disk", "rdisk", "mem", "kmem", "port", "mapper", "dm-",
        "loop", "md",
    ]
    .iter()
    .any(|device| name.starts_with(device))
}

/// Whether a path belongs to the system.
pub(super) fn is_system(path: &str) -> bool {
    let is_in = |folder: &&&str| {
        path.strip_prefix(**folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    SYSTEM.iter().any(|folder| is_in(&folder))
        && !path.starts_with("/usr/src/app")
        && !path.starts_with("/opt/app")
}

/// Whether the shell opens a connection for this path.
pub(super) fn is_socket(path: &str) -> bool {
    path.contains("/dev/tcp/") || path.contains("/dev/udp/") || path.starts_with("/inet/")
}

/// Whether what is written there is meant to run.
pub(super) fn is_script(path: &str) -> bool {
    [".sh", ".bash", ".zsh", ".command"]
        .iter()
        .any(|end| path.ends_with(end))
        || path.contains("/hooks/")
}

/// Whether files there come and go: nobody has reviewed what is run from there.
pub(super) fn is_temporary(path: &str) -> bool {
    [
        "/tmp/",
        "/var/tmp/",
        "/dev/shm/",
        "/run/user/",
        "~/.cache/",
        "~/downloads/",
        "~/Downloads/",
    ]
    .iter()
    .any(|folder| path.starts_with(folder))
}

/// A path without `./` in front, as files of a script are remembered.
pub(super) fn plain(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

/// A path from a folder that the script went to.
pub(super) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() || path.starts_with(['/', '~']) {
        path.to_owned()
    } else {
        format!("{folder}/{path}")
    }
}

/// A path whose first part is written with `~`: the home of anybody is a home, `~+` is the folder, and what else it may
/// be is not known.
fn home(path: &str) -> std::borrow::Cow<'_, str> {
    let Some(rest) = path.strip_prefix('~') else {
        return path.into();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (name, below) = rest.split_at(end);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    match name {
        "" => path.into(),
        "+" => format!(".{below}").into(),
        _ if is_name => format!("~{below}").into(),
        _ => format!("{UNKNOWN}{below}").into(),
    }
}

/// A path in lower case, homes as `~`, without `.`, `..` and doubled slashes.
pub(super) fn normal(folder: &str, path: &str) -> String {
    if path.len() > 4096 {
        return String::new();
    }
    let path = path
        .strip_prefix("file://")
        .unwrap_or(path)
        .trim_start_matches('@');
    let path = &home(path);
    let joined = join(folder, path).replace('\\', "/").to_lowercase();
    let (root, rest) = match joined.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", joined.as_str()),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let homes = match (root, parts.first().copied()) {
        ("/", Some("home" | "users")) if parts.len() > 1 => 2,
        ("/", Some("root")) => 1,
        _ => 0,
    };
    let mut path = if homes > 0 {
        "~".to_owned()
    } else {
        root.to_owned()
    };
    for (at, part) in parts.iter().skip(homes).enumerate() {
        if at > 0 || homes > 0 {
            path.push('/');
        }
        path.push_str(part);
    }
    if joined.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    }
    path
}
