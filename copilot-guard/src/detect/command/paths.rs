//! What paths stand for: stores of credentials, what runs later, what supervises the agent, and the system's own files.

use super::super::judgement::Judgement;
use super::flow::Flow;
use super::words::{Note, UNKNOWN, Word};

/// Stores of credentials. With a slash in front they are looked for from the end of the path.
const STORES: &[&str] = &[
    "/.ssh/id_*",
    "/.ssh/*_key",
    "/.ssh/*.pem",
    "/.ssh/identity",
    "/id_rsa",
    "/id_ed25519",
    "/id_ecdsa",
    "/id_dsa",
    "/.aws/credentials",
    "/.aws/sso/cache/*",
    "/.aws/cli/cache/*",
    "/.netrc",
    "/_netrc",
    "/.git-credentials",
    "/.config/git/credentials",
    "/.docker/config.json",
    "/.kube/config",
    "/.config/gh/hosts.yml",
    "/.config/hub",
    "/.config/gcloud/*",
    "/.azure/*",
    "/.gnupg/*",
    "/.password-store/*",
    "/.vault-token",
    "/.terraform.d/credentials.tfrc.json",
    "/.cargo/credentials*",
    "/.gem/credentials",
    "/.pgpass",
    "/.my.cnf",
    "/.mylogin.cnf",
    "/.s3cfg",
    "/.boto",
    "/.pypirc",
    "/.databrickscfg",
    "/.snowsql/config",
    "/.claude/.credentials.json",
    "/.codex/auth.json",
    "/.config/github-copilot/*",
    "/.local/share/keyrings/*",
    "/library/keychains/*",
    "/login data",
    "/cookies.sqlite",
    "/key4.db",
    "/logins.json",
    "/.local/share/kwalletd/*",
    "/.config/op/*",
    "/.electrum/*",
    "/.bitcoin/wallet.dat",
    "/.ethereum/keystore/*",
    "/.config/rclone/rclone.conf",
    "/.config/doctl/config.yaml",
    "/.fly/config.yml",
    "/.config/heroku/*",
    "/.oci/config",
    "/.mozilla/firefox/*",
    "/.config/google-chrome/*",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/master.passwd",
    "/etc/krb5.keytab",
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssl/private/*",
    "/etc/kubernetes/admin.conf",
    "/var/run/secrets/kubernetes.io/*",
    "/run/secrets/*",
    "/proc/*/environ",
    "/proc/*/mem",
    "/proc/kcore",
    "/dev/mem",
    "/.config/containers/auth.json",
    "/.config/sops/age/keys.txt",
    "/ntds.dit",
    "/.bitwarden*",
    "/.lastpass/*",
    "/.ssh/",
    "/.aws/",
    "/.gnupg/",
    "/.kube/",
    "/.ssh/*",
    "/.ssh",
    "/.aws",
    "/.gnupg",
    "/.config/gcloud",
    "/.azure",
    "/.password-store",
];

/// What often holds credentials.
const LIKELY: &[&str] = &[
    "/.env",
    "/.env.*",
    "/*.env",
    "/.npmrc",
    "/.yarnrc",
    "/.yarnrc.yml",
    "/*.pem",
    "/*.key",
    "/*.p12",
    "/*.pfx",
    "/*.jks",
    "/*.keystore",
    "/*.kdbx",
    "/*.ppk",
    "/secrets.*",
    "/secret.*",
    "/credentials",
    "/credentials.*",
    "/service-account*.json",
    "/*.tfstate",
    "/*.tfvars",
    "/.htpasswd",
    "/master.key",
    "/.bash_history",
    "/.zsh_history",
    "/.python_history",
    "/.psql_history",
    "/.mysql_history",
    "/.node_repl_history",
    "/.lesshst",
    "/.m2/settings.xml",
    "/.gradle/gradle.properties",
    "/.aws/config",
    "/etc/sudoers",
    "/etc/sudoers.d/*",
    "/.history",
    "/.terraformrc",
    "/.envrc",
    "/.dockercfg",
    "/pip.conf",
    "/*.ovpn",
    "/wg0.conf",
    "/web.config",
    "/wp-config.php",
    "/database.yml",
    "/.sentryclirc",
    "/.vercel/auth.json",
    "/.config/configstore/*",
];

/// No secrets, although they look like it.
const HARMLESS: &[&str] = &[
    "/*.pub",
    "/.env.example",
    "/.env.sample",
    "/.env.template",
    "/.env.dist",
    "/.env.defaults",
    "/*.pub.pem",
    "/known_hosts",
    "/.ssh/config",
    "/cacert.pem",
    "/ca-certificates.crt",
    "/example.env",
    "/sample.env",
    "/credentials.rs",
    "/credentials.py",
    "/credentials.ts",
    "/credentials.js",
    "/credentials.go",
    "/credentials.md",
    "/credentials.java",
    "/secrets.py",
    "/secrets.rs",
    "/secrets.ts",
    "/secrets.js",
    "/secrets.go",
    "/secret.rs",
    "/secret.py",
    "/secret.go",
    "/secret.ts",
    "/secret.js",
    "/secrets.md",
    "/credentials.rb",
    "/credentials.test.*",
    "/tsconfig.env",
];

/// What runs later, by itself or under another name.
const PERSISTENT: &[&str] = &[
    "/.bashrc",
    "/.bash_profile",
    "/.bash_login",
    "/.bash_logout",
    "/.bash_aliases",
    "/.profile",
    "/.zshrc",
    "/.zshenv",
    "/.zprofile",
    "/.zlogin",
    "/.config/fish/*",
    "/.kshrc",
    "/.cshrc",
    "/.tcshrc",
    "/.inputrc",
    "/.xinitrc",
    "/.xprofile",
    "/.xsession",
    "/.pam_environment",
    "/.ssh/authorized_keys*",
    "/.ssh/config",
    "/.ssh/rc",
    "/.ssh/environment",
    "/.ssh/known_hosts",
    "/.config/autostart/*",
    "/.config/systemd/*",
    "/library/launchagents/*",
    "/library/launchdaemons/*",
    "/var/spool/cron/*",
    "/.vimrc",
    "/.config/nvim/*",
    "/.emacs",
    "/.emacs.d/*",
    "/.tmux.conf",
    "/.screenrc",
    "/.gitconfig",
    "/.config/git/*",
    "/.git/hooks/*",
    "/.git/config",
    "/.git/info/attributes",
    "/.githooks/*",
    "/.lldbinit",
    "/.gdbinit",
    "/.pythonrc",
    "/.pythonrc.py",
    "/sitecustomize.py",
    "/usercustomize.py",
    "/.irbrc",
    "/.psqlrc",
    "/.netrc",
    "/.curlrc",
    "/.wgetrc",
    "/.config/environment.d/*",
    "/.local/bin/*",
    "/microsoft.powershell_profile.ps1",
    "/profile.ps1",
    "/start menu/programs/startup/*",
    "/.plan",
    "/.forward",
    "/.procmailrc",
    "/.dockerenv",
];

/// What builds run, and what is worth a look when it is written past the editor.
const BUILDS: &[&str] = &[
    "/.github/workflows/*",
    "/.gitlab-ci.yml",
    "/.circleci/*",
    "/jenkinsfile",
    "/azure-pipelines.yml",
    "/.husky/*",
    "/.pre-commit-config.yaml",
    "/.envrc",
    "/.npmrc",
    "/.yarnrc.yml",
    "/pip.conf",
    "/.cargo/config.toml",
    "/.cargo/config",
    "/.pypirc",
    "/.config/pip/*",
    "/.bazelrc",
    "/.devcontainer/*",
];

/// What decides what an agent may do.
const AGENTS: &[&str] = &[
    "/.vscode/settings.json",
    "/.vscode/tasks.json",
    "/.vscode/mcp.json",
    "/.vscode/launch.json",
    "/.vscode/extensions.json",
    "/*.code-workspace",
    "/code/user/settings.json",
    "/code/user/mcp.json",
    "/code/user/tasks.json",
    "/.cursor/*",
    "/.cursorrules",
    "/.windsurfrules",
    "/.claude/settings*.json",
    "/.claude.json",
    "/.claude/hooks/*",
    "/.claude/commands/*",
    "/.claude/agents/*",
    "/.claude/*",
    "/.mcp.json",
    "/mcp.json",
    "/mcp-config.json",
    "/mcp_config.json",
    "/claude_desktop_config.json",
    "/.codex/*",
    "/.copilot/*",
    "/.config/github-copilot/*",
    "/copilot-instructions.md",
    "/.github/instructions/*",
    "/.github/prompts/*",
    "/.github/agents/*",
    "/.github/hooks/*",
    "/.gemini/*",
    "/.continue/*",
    "/.clinerules",
    "/.roo/*",
    "/.aider.conf.yml",
    "/agents.md",
    "/claude.md",
    "/gemini.md",
    "/copilot-guard.toml",
    "/copilot-guard/config.toml",
    "/copilot-guard/policy.toml",
    "/etc/copilot-guard/*",
    "/.config/copilot-guard/*",
    "/.amazonq/*",
    "/.kiro/*",
    "/.zed/settings.json",
    "/.idea/workspace.xml",
    "/.idea/runconfigurations/*",
];

/// Folders of the system.
const SYSTEM: &[&str] = &[
    "/etc",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/boot",
    "/var/spool",
    "/var/lib",
    "/opt",
    "/sys",
    "/proc",
    "/library",
    "/system",
    "/windows",
    "c:/windows",
    "/root",
    "/applications",
];

/// Judges that a file is read. Gives what a reader then holds.
pub(super) fn read(out: &mut Judgement, folder: &str, word: &Word) -> u8 {
    let path = normal(folder, &word.text);
    if path.is_empty() || is_harmless(&path) {
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
fn is_device(path: &str) -> bool {
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

/// A path in lower case, homes as `~`, without `.`, `..` and doubled slashes.
pub(super) fn normal(folder: &str, path: &str) -> String {
    if path.len() > 4096 {
        return String::new();
    }
    let path = path
        .strip_prefix("file://")
        .unwrap_or(path)
        .trim_start_matches('@');
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

/// Whether it only looks like a secret. A pattern that stands for such a file stands for others too.
fn is_harmless(path: &str) -> bool {
    HARMLESS.iter().any(|entry| {
        if entry.contains('*') {
            ends_in(entry, path)
        } else {
            path == entry.trim_start_matches('/') || path.ends_with(entry)
        }
    })
}

/// Whether a path, or a pattern of paths, is one of these.
fn is_any(list: &[&str], path: &str) -> bool {
    let path = path.trim_end_matches(UNKNOWN);
    let is_pattern = path.len() <= 256
        && path.contains(['*', '?', '['])
        && path.trim_matches(['*', '/', '.', '?']).len() > 1;
    list.iter().any(|entry| {
        if !entry.contains('*') {
            let is_same = path == entry.trim_start_matches('/')
                || path.strip_suffix(entry).is_some()
                || entry.trim_end_matches('/') == path;
            return is_same || (is_pattern && glob_end(path, entry));
        }
        ends_in(entry, path) || (is_pattern && glob_end(path, entry))
    })
}

/// Whether a path ends in an entry with `*` in it. A last `*` takes everything below.
fn ends_in(entry: &str, path: &str) -> bool {
    if let Some(folder) = entry
        .strip_suffix('*')
        .filter(|folder| folder.ends_with('/') && !folder.contains('*'))
    {
        let relative = folder.trim_start_matches('/');
        let is_below = path.contains(folder) && !path.ends_with(folder);
        return is_below || (path.starts_with(relative) && path.len() > relative.len());
    }
    let parts = entry.matches('/').count();
    let mut from = path.len();
    for _ in 0..parts {
        from = path.get(..from).and_then(|before| before.rfind('/')).unwrap_or(0);
    }
    let tail = path.get(from..).unwrap_or(path);
    glob(entry.trim_start_matches('/'), tail.trim_start_matches('/'))
}

/// Whether a pattern of paths may stand for an entry: part by part, from the end. A pattern that says little, such as
/// `*.json`, stands for nothing.
fn glob_end(pattern: &str, entry: &str) -> bool {
    let says = |pattern: &str| {
        let stem = match pattern.rsplit_once('.') {
            Some((stem, _)) if !pattern.starts_with('.') => stem,
            _ => pattern,
        };
        stem.chars()
            .filter(|c| !matches!(c, '*' | '?' | '[' | ']' | '.'))
            .count()
    };
    let mut theirs = pattern.rsplit('/');
    let mut said = 0;
    entry
        .trim_start_matches('/')
        .rsplit('/')
        .filter(|part| !part.is_empty())
        .all(|part| {
            theirs.next().is_some_and(|pattern| {
                said += says(pattern);
                glob(pattern, &part.replace('*', "x"))
            })
        })
        && said > 1
}

/// Whether a shell pattern matches a text. Linear but for the last star.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (
        pattern.chars().take(256).collect(),
        text.chars().take(4096).collect(),
    );
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => set(pattern.get(p..).unwrap_or_default(), *c),
            Some(other) if other == c => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                t += 1;
            }
            (None, Some((from, at))) => {
                p = from + 1;
                t = at + 1;
                star = Some((from, at + 1));
            }
            (None, None) => return false,
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// How long a bracket expression is, when it matches.
fn set(pattern: &[char], c: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
    let inner = pattern.get(1..end)?;
    let (is_not, inner) = match inner.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, inner),
    };
    let mut is_in = false;
    let mut at = 0;
    while let Some(from) = inner.get(at) {
        if let (Some('-'), Some(to)) = (inner.get(at + 1), inner.get(at + 2)) {
            is_in |= (*from..=*to).contains(&c);
            at += 3;
        } else {
            is_in |= *from == c;
            at += 1;
        }
    }
    (is_in != is_not).then_some(end + 1)
}
