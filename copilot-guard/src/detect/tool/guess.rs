//! What a string is when nothing says so.

use super::super::network::{Address, Host};

/// Programs whose names are no English words: a line that begins with one and goes on is a command.
const PROGRAMS: &[&str] = &[
    "7z",
    "apt",
    "apt-get",
    "aria2c",
    "awk",
    "aws",
    "az",
    "base64",
    "bash",
    "brew",
    "bunx",
    "busybox",
    "bzip2",
    "cargo",
    "certutil",
    "chattr",
    "chgrp",
    "chmod",
    "chown",
    "chpasswd",
    "chroot",
    "cmd",
    "cmd.exe",
    "cmake",
    "cp",
    "crontab",
    "csh",
    "curl",
    "curl.exe",
    "dash",
    "dd",
    "dig",
    "docker",
    "docker-compose",
    "doas",
    "doctl",
    "echo",
    "env",
    "eval",
    "fdisk",
    "ftp",
    "gcc",
    "gcloud",
    "gh",
    "git",
    "glab",
    "gpg",
    "grep",
    "gsutil",
    "gunzip",
    "gzip",
    "helm",
    "iptables",
    "journalctl",
    "kubectl",
    "ksh",
    "launchctl",
    "ln",
    "ls",
    "lsof",
    "lua",
    "mkdir",
    "mkfifo",
    "mkfs",
    "mv",
    "mysql",
    "mysqldump",
    "nc",
    "ncat",
    "netcat",
    "nft",
    "ngrok",
    "nmap",
    "node",
    "nohup",
    "npm",
    "npx",
    "nslookup",
    "openssl",
    "perl",
    "pg_dump",
    "php",
    "pip",
    "pip3",
    "pipx",
    "pkexec",
    "pkill",
    "pnpm",
    "podman",
    "powershell",
    "powershell.exe",
    "printenv",
    "psql",
    "pwsh",
    "python",
    "python2",
    "python3",
    "rclone",
    "reg",
    "rm",
    "rmdir",
    "rsync",
    "ruby",
    "rundll32",
    "sc",
    "schtasks",
    "scp",
    "sed",
    "setsid",
    "sftp",
    "sh",
    "shred",
    "shutdown",
    "socat",
    "sqlite3",
    "ssh",
    "ssh-keygen",
    "strace",
    "su",
    "sudo",
    "systemctl",
    "tar",
    "telnet",
    "terraform",
    "tftp",
    "truncate",
    "tshark",
    "umount",
    "unzip",
    "useradd",
    "usermod",
    "uvx",
    "vault",
    "wget",
    "wget.exe",
    "wmic",
    "xargs",
    "xxd",
    "yarn",
    "zip",
    "zsh",
];

/// Programs whose names are words too: more must show that a command is meant.
const WORDS: &[&str] = &[
    "at", "cat", "code", "crash", "cut", "diff", "export", "exec", "find", "go", "head", "host", "install",
    "kill", "less", "make", "more", "mount", "nice", "open", "ping", "read", "rev", "screen", "script",
    "set", "sort", "source", "split", "start", "tail", "tee", "test", "time", "timeout", "touch", "trap",
    "watch", "where", "which", "who", "write", "alias", "command", "for", "while", "if",
];

/// Whether the text looks like a command of a shell.
pub(super) fn is_command(text: &str) -> bool {
    let line = text.trim_start();
    let line = line.strip_prefix("$ ").unwrap_or(line);
    // Names set in front of a program.
    let mut words = line
        .split_ascii_whitespace()
        .skip_while(|w| w.contains('=') && !w.starts_with('-'));
    let Some(first) = words.next() else {
        return false;
    };
    let program = first
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let program = program.trim_matches(['"', '\'', '(', '{', '`', ';', '&']);
    let has_more = words.next().is_some() || first.contains(['$', '|', ';', '<', '>']);
    let has_shell = [
        " -", "|", "&&", ";", "$(", "`", " > ", ">>", "<(", "://", " /", " ~", " .",
    ]
    .iter()
    .any(|m| line.contains(m));
    let is_path = first.starts_with('/') || first.starts_with("./");
    let opens = line.starts_with("$(") || line.starts_with("`") || line.starts_with("<(");
    (PROGRAMS.contains(&program) && has_more)
        || ((WORDS.contains(&program) || is_path) && has_shell && has_more)
        || opens
        || piped_into_program(line)
}

/// Whether a later part of a pipeline or list is a program that is no word.
fn piped_into_program(line: &str) -> bool {
    // More lines are a text, of which a table's bars are no pipes.
    let is_line = !line.trim_end().contains('\n') && !line.starts_with('|') && line.len() <= 4096;
    is_line
        && line.match_indices(['|', ';', '&']).any(|(at, _)| {
            let rest = line.get(at + 1..).unwrap_or_default();
            let word = rest
                .trim_start_matches(['|', '&', ' '])
                .split([' ', ';', '|', '&', '\n'])
                .next()
                .unwrap_or_default();
            let program = word.rsplit('/').next().unwrap_or_default();
            !program.is_empty() && PROGRAMS.contains(&program)
        })
}

/// Marks of PowerShell that no other shell has.
const POWERSHELL: &[&str] = &[
    "invoke-",
    "-encodedcommand",
    "$env:",
    "new-object ",
    "set-executionpolicy",
    "get-childitem",
    "remove-item",
    "set-item",
    "start-process",
    "out-file",
    "set-content",
    "get-content",
    "add-content",
    "iex ",
    "iex(",
    "iwr ",
    "irm ",
    "| iex",
    "|iex",
    "downloadstring",
    "-executionpolicy",
    "get-credential",
    "register-scheduledtask",
    "set-mppreference",
    "add-mppreference",
    "copy-item",
    "move-item",
    "get-process",
    "stop-process",
    "test-path",
    "select-string",
    "where-object",
    "foreach-object",
    "write-host",
    "write-output",
    "get-location",
    "set-location",
    "join-path",
    "[system.",
    "[convert]::",
    "[text.encoding]",
    "new-item ",
    "convertto-",
    "convertfrom-",
    "expand-archive",
    "compress-archive",
    "test-netconnection",
];

/// Whether the text looks like PowerShell.
pub(super) fn is_powershell(text: &str) -> bool {
    let start: String = text.chars().take(16 << 10).flat_map(char::to_lowercase).collect();
    POWERSHELL.iter().any(|mark| match start.find(mark) {
        // A short alias counts where a command begins only.
        Some(at) if mark.len() <= 4 => {
            at == 0
                || start
                    .get(..at)
                    .is_some_and(|b| b.trim_end().ends_with(['|', ';', '&', '(']))
        }
        Some(at) => {
            at == 0
                || start
                    .get(..at)
                    .is_some_and(|b| !b.ends_with(|c: char| c.is_ascii_alphanumeric()))
        }
        None => false,
    })
}

/// Whether what is typed is an answer or a key, and no command: a word or two without signs, or `{enter}`.
pub(super) fn is_answer(text: &str) -> bool {
    let mut rest = text.trim();
    // Keys by name.
    while let Some((before, key)) = rest.strip_suffix('}').and_then(|t| t.rsplit_once('{')) {
        if !key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'+')
        {
            return false;
        }
        rest = before.trim();
    }
    let is_key = |c: char| c.is_ascii_control() && !matches!(c, '\n' | '\r');
    let plain = rest.trim_matches(is_key);
    plain.is_empty()
        || plain.len() <= 3 && plain.bytes().all(|b| b.is_ascii_alphanumeric())
        || matches!(
            plain.to_ascii_lowercase().as_str(),
            "yes"
                | "no"
                | "quit"
                | "exit"
                | "continue"
                | ":q"
                | ":wq"
                | ":q!"
                | "help"
                | "exit()"
                | "quit()"
                | ".exit"
                | "\\q"
        )
        || !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit())
}

/// Whether the text is an address as a whole.
pub(super) fn is_address(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_whitespace) {
        return false;
    }
    if text.contains("://")
        || text.starts_with("//")
        || text.starts_with("data:")
        || text.starts_with("javascript:")
        || text.starts_with("file:")
    {
        return true;
    }
    // A host alone, or an address of a machine: with a dot, and no `@`, which is mail.
    let host = text.split(['/', ':', '?']).next().unwrap_or_default();
    let is_host = host.contains('.') && matches!(Host::parse(host), Some(Host::Name(_) | Host::Ip(_)));
    is_host && Address::parse(text).is_some() && !text.contains('@')
}

/// Whether the text is a path as a whole: one word with a slash, or the name of a dotted file.
pub(super) fn is_path(text: &str) -> bool {
    let is_short = text.len() <= 1024 && !text.contains(['\n', '<', '>', '|', '*', '"']);
    let begins = ["/", "~/", "./", "../", "$HOME", "%USERPROFILE%", "C:\\", "."]
        .iter()
        .any(|b| text.starts_with(b));
    is_short && begins && text.len() > 2 && text.split(' ').count() <= 2
}
