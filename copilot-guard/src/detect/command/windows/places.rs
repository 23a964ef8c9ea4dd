//! Places on a disk: where secrets lie, what must not be deleted, what runs by itself later.

use super::super::super::judgement::Danger;

/// How bad it is to read this path: stores of credentials are blocked, files that often hold some are asked about.
pub(in super::super) fn secret(path: &str) -> Danger {
    let path = plain(path);
    if path.is_empty() {
        return Danger::Allow;
    }
    if STORES.iter().any(|s| path.contains(s)) {
        // A public key is no secret.
        return if path.ends_with(".pub") || path.contains(".ssh/known_hosts") {
            Danger::Allow
        } else {
            Danger::Block
        };
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_sample = ["example", "sample", "template", "dist"]
        .iter()
        .any(|s| name.ends_with(s));
    let is_env = name == ".env"
        || name == ".env*"
        || (name.starts_with(".env.") && !is_sample)
        || (name.ends_with(".env") && !is_sample);
    if is_env || HOLDERS.contains(&name) || HOLDER_ENDS.iter().any(|end| name.ends_with(end)) {
        return Danger::Approve;
    }
    Danger::Allow
}

/// Whether a text names a secret path anywhere, between blanks, quotes and brackets.
pub(in super::super) fn secret_within(text: &str) -> Danger {
    text.split(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '"' | '\''
                    | '('
                    | ')'
                    | ','
                    | ';'
                    | '|'
                    | '<'
                    | '>'
                    | '='
                    | '@'
                    | '`'
                    | '['
                    | ']'
                    | '{'
                    | '}'
            )
    })
    .filter(|word| word.contains(['.', '/', '\\']) && word.len() < 400)
    .map(secret)
    .max()
    .unwrap_or_default()
}

const STORES: &[&str] = &[
    ".ssh/",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "id_dsa",
    ".aws/credentials",
    ".aws/sso",
    ".azure/",
    ".kube/config",
    ".docker/config.json",
    ".git-credentials",
    ".netrc",
    "/_netrc",
    ".pgpass",
    "pgpass.conf",
    ".gnupg",
    "gh/hosts.yml",
    "github-copilot/hosts.json",
    "github-copilot/apps.json",
    "login data",
    "/cookies",
    "local state",
    "key4.db",
    "key3.db",
    "logins.json",
    "ntds.dit",
    "32/config/sam",
    "32/config/security",
    "32/config/system",
    "hklm/sam",
    "hklm/security",
    "hklm:/sam",
    "hklm:/security",
    "microsoft/credentials",
    "microsoft/protect",
    "microsoft/vault",
    "unattend.xml",
    "sysprep.xml",
    ".vault-token",
    "credentials.tfrc",
    "application_default_credentials",
    "access_tokens.db",
    "gcloud/credentials",
    "rclone.conf",
    "usersecrets/",
    "wallet.dat",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "consolehost_history",
    ".bash_history",
    ".zsh_history",
    "/proc/self/environ",
    "keychain",
    "keyrings",
    "repair/sam",
    ".config/op/",
    "azureprofile.json",
    "service-account.json",
    "mimikatz",
    "lsass",
    "accesstokens.json",
];
const HOLDERS: &[&str] = &[
    ".npmrc",
    ".pypirc",
    ".envrc",
    "nuget.config",
    "secrets.json",
    "secrets.yml",
    "secrets.yaml",
    "credentials",
    "credentials.json",
    "htpasswd",
    ".htpasswd",
    "terraform.tfstate",
    "local.settings.json",
];
const HOLDER_ENDS: &[&str] = &[
    ".pfx",
    ".p12",
    ".kdbx",
    ".pem",
    ".ppk",
    ".jks",
    ".keystore",
    ".ovpn",
    ".rdp",
    ".key",
    ".tfvars",
];

/// What deleting this path with all that is in it would destroy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Loss {
    /// Part of the project, or something temporary.
    Little,
    /// All of the working directory, or a place that is not the project's.
    Unclear,
    /// A disk, a home, a system directory.
    Everything,
}

/// What is lost with a path. `$home` and other variables are spelled in lower case.
pub(in super::super) fn loss(path: &str) -> Loss {
    let path = plain(path);
    let path = path
        .strip_prefix("//?/")
        .or_else(|| path.strip_prefix("//./"))
        .unwrap_or(&path);
    let path = path.strip_prefix("filesystem::").unwrap_or(path);
    let path = path
        .trim_end_matches("/*.*")
        .trim_end_matches("/*")
        .trim_end_matches("/.")
        .trim_end_matches('/');
    let path = &tidy(path);
    match path.as_str() {
        ""
        | "~"
        | "$home"
        | "$env:home"
        | "$env:userprofile"
        | "%userprofile%"
        | "$env:systemdrive"
        | "%systemdrive%"
        | "$env:homedrive"
        | "%homedrive%"
        | "%homepath%"
        | "%homedrive%%homepath%"
        | "$env:windir"
        | "%windir%"
        | "$env:systemroot"
        | "%systemroot%"
        | "$env:programfiles"
        | "%programfiles%"
        | "$env:appdata"
        | "%appdata%"
        | "$env:localappdata"
        | "%localappdata%"
        | "$env:programdata"
        | "%programdata%"
        | "$pshome"
        | "$env:onedrive"
        | "${home}"
        | "$env:public" => return Loss::Everything,
        "." | "*" | ".." | "./*" | "*.*" | "$pwd" | "../.." | ".git" | "./.git" | "$psscriptroot" | "?:" => {
            return Loss::Unclear;
        }
        _ => {}
    }
    if [
        ".ssh",
        "documents",
        "desktop",
        "downloads",
        ".aws",
        "onedrive",
        "pictures",
    ]
    .iter()
    .any(|d| {
        ["~/", "$home/", "$env:userprofile/", "%userprofile%/"]
            .iter()
            .any(|h| path.strip_prefix(h) == Some(*d))
    }) || [
        "$env:windir/",
        "%windir%/",
        "$env:systemroot/",
        "%systemroot%/",
        "$env:systemdrive/",
        "%systemdrive%/",
        "$env:programfiles/",
    ]
    .iter()
    .any(|p| path.starts_with(p) && !path.contains("/temp"))
    {
        return Loss::Everything;
    }
    if path.starts_with("hklm:") || path.starts_with("hkcu:") || path.starts_with("registry::") {
        return if path.matches('/').count() < 2 {
            Loss::Everything
        } else {
            Loss::Unclear
        };
    }
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.filter(|p| !p.is_empty()).collect();
    let is_drive =
        first.len() == 2 && first.ends_with(':') && first.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_drive || (first.is_empty() && !rest.is_empty()) {
        let top = rest.first().copied().unwrap_or_default();
        let is_temporary = matches!(top, "tmp" | "temp")
            || rest.get(1) == Some(&"temp")
            || path.contains("/appdata/local/temp/")
            || (top == "var" && rest.get(1) == Some(&"tmp"));
        return match (top, rest.len()) {
            _ if is_temporary => Loss::Little,
            ("" | "*", _) => Loss::Everything,
            (
                "windows"
                | "program files"
                | "program files (x86)"
                | "programdata"
                | "boot"
                | "etc"
                | "usr"
                | "bin"
                | "sbin"
                | "lib"
                | "lib64"
                | "var"
                | "opt"
                | "sys"
                | "proc"
                | "dev"
                | "system volume information"
                | "efi"
                | "recovery"
                | "root"
                | "perflogs"
                | "system"
                | "library"
                | "applications",
                _,
            ) => Loss::Everything,
            ("users" | "home", 1 | 2) => Loss::Everything,
            ("users" | "home", 3) => {
                if rest.get(2).is_some_and(|d| {
                    matches!(
                        *d,
                        "documents"
                            | "desktop"
                            | "downloads"
                            | "appdata"
                            | ".ssh"
                            | "pictures"
                            | "onedrive"
                            | "*"
                    )
                }) {
                    Loss::Everything
                } else {
                    Loss::Unclear
                }
            }
            (_, 1) => Loss::Unclear,
            _ => Loss::Little,
        };
    }
    if path.starts_with("../..") {
        Loss::Unclear
    } else {
        Loss::Little
    }
}

/// Whether what is written here runs by itself later, or decides what does.
pub(in super::super) fn runs_later(path: &str) -> bool {
    let path = plain(path);
    LATER.iter().any(|s| path.contains(s))
}

const LATER: &[&str] = &[
    "start menu/programs/startup",
    "$profile",
    "_profile.ps1",
    "microsoft.powershell_profile",
    "/profile.ps1",
    "currentversion/run",
    "currentversion/policies/explorer/run",
    "winlogon",
    "image file execution options",
    "windows/system32/tasks",
    "drivers/etc/hosts",
    ".git/hooks/",
    "currentcontrolset/services",
    "active setup",
    "shell:startup",
    "appinit_dlls",
    ".bashrc",
    ".bash_profile",
    ".zshrc",
    "/.profile",
    "/etc/cron",
    "authorized_keys",
    "launchagents",
    "launchdaemons",
    "/etc/systemd",
    ".config/systemd",
    ".config/autostart",
    "user shell folders",
    "environment/userinitmprlogonscript",
    "command processor/autorun",
    "shell/open/command",
    "silentprocessexit",
    "/etc/profile",
    "/etc/ld.so.preload",
];

/// Whether a file of this name sets what an editor or an agent may do by itself.
pub(in super::super) fn supervises(path: &str) -> bool {
    let path = plain(path);
    [
        ".vscode/settings.json",
        ".vscode/tasks.json",
        ".vscode/mcp.json",
        ".cursor/mcp.json",
        ".claude/settings",
        "code/user/settings.json",
        ".mcp.json",
        ".cursor/rules",
        ".cursorrules",
        "copilot-instructions.md",
        ".copilot/",
        ".codex/config",
        ".github/workflows/",
    ]
    .iter()
    .any(|s| path.contains(s))
}

/// Lower case, slashes one way, without quotes and without trailing dots and blanks of its parts.
pub(in super::super) fn plain(path: &str) -> String {
    let mut out: String = path
        .trim()
        .chars()
        .filter(|c| !matches!(c, '"' | '\'' | '^' | '`'))
        .map(|c| if c == '\\' { '/' } else { c.to_ascii_lowercase() })
        .collect();
    if let Some(at) = out.find("::$data") {
        out.truncate(at);
    }
    out
}

/// Takes out `.` and resolves `..` where something stands before it.
fn tidy(path: &str) -> String {
    if !path.contains("/.") && !path.contains("//") {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for (at, part) in path.split('/').enumerate() {
        match part {
            "" if at > 0 => {}
            "." if at > 0 => {}
            ".." if parts.last().is_some_and(|p| {
                !matches!(*p, ".." | "." | "~") && !p.starts_with('$') && !p.ends_with(':') && !p.is_empty()
            }) =>
            {
                parts.pop();
            }
            ".." if parts
                .last()
                .is_some_and(|p| p.ends_with(':') || (p.is_empty() && parts.len() == 1)) => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_lost() {
        for path in [
            r"C:\",
            "c:",
            "/",
            "~",
            "$HOME",
            r"C:\*",
            r"C:\Windows",
            r"C:\Users\me",
            r"$env:USERPROFILE\*",
            "/etc",
            "/usr/lib",
            r"\\?\C:\",
            r"C:\foo\..",
            r"~\Documents",
            "/home/me/",
        ] {
            assert_eq!(loss(path), Loss::Everything, "{path}");
        }
        for path in [
            "node_modules",
            r".\dist",
            r"$PSScriptRoot\bin",
            r"C:\src\app\bin",
            r"C:\Temp\x",
            "/tmp/x",
            r"$env:TEMP\out",
            "src/../dist",
        ] {
            assert_eq!(loss(path), Loss::Little, "{path}");
        }
        for path in [".", "*", "..", r".\.git", r"D:\data"] {
            assert_eq!(loss(path), Loss::Unclear, "{path}");
        }
    }

    #[test]
    fn knows_secret_places() {
        assert_eq!(secret(r"C:\Users\me\.ssh\id_rsa"), Danger::Block);
        assert_eq!(secret(r"~\.ssh\id_rsa.pub"), Danger::Allow);
        assert_eq!(secret(".env"), Danger::Approve);
        assert_eq!(secret(".env.example"), Danger::Allow);
        assert_eq!(secret("README.md"), Danger::Allow);
    }
}
