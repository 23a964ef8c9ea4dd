//! What destroys, what takes rights, what stays behind: programs of the system.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::words::{Note, UNKNOWN, Word};
use super::{code, files, paths};

/// Services whose stop takes a protection away.
const GUARDS: &[&str] = &[
    "auditd",
    "apparmor",
    "firewalld",
    "ufw",
    "iptables",
    "nftables",
    "falcon",
    "clamav",
    "clamd",
    "ossec",
    "wazuh",
    "osquery",
    "crowdstrike",
    "sentinel",
    "defender",
    "mdatp",
    "fail2ban",
    "rsyslog",
    "syslog",
    "journald",
    "selinux",
    "sysmon",
    "carbonblack",
    "cbdaemon",
    "copilot-guard",
    "auditbeat",
    "filebeat",
    "splunk",
    "littlesnitch",
];

fn is_guard(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    GUARDS.iter().any(|guard| text.contains(guard))
}

/// Judges a program of the system.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    let args = call.args;
    let has = |words: &[&str]| args.iter().any(|arg| words.contains(&arg.text.as_str()));
    let any = |test: &dyn Fn(&str) -> bool| args.iter().any(|arg| test(&arg.text));
    let j = &mut out.judgement;
    match call.name {
        "rm" | "rmdir" | "unlink" | "srm" | "trash" | "rimraf" | "del" => remove(call, out),
        "shred" | "wipe" | "wipefs" | "blkdiscard" | "hdparm" | "badblocks" | "scrub" => {
            if !(call.name == "hdparm" && !any(&|t| t.contains("secur"))) {
                j.block("destructive/wipe", "overwrites data for good");
            }
        }
        name if name.starts_with("mkfs") || name == "mke2fs" || name == "mkswap" => {
            j.block("destructive/format", "makes a file system anew")
        }
        "fdisk" | "parted" | "sfdisk" | "gdisk" | "sgdisk" | "cfdisk" | "diskutil" | "cryptsetup"
        | "lvremove" | "vgremove" | "pvremove" | "zfs" | "zpool" | "mdadm" | "format" => {
            if !has(&["-l", "list", "--list", "print", "info", "status"]) {
                j.block("destructive/format", "changes disks");
            }
        }
        "truncate" => {
            if any(&|t| matches!(t, "-s0" | "--size=0" | "-s" | "--size")) {
                j.approve("destructive/truncate", "empties files");
            }
        }
        "shutdown" | "telinit" | "init" | "systemctl-reboot" => {
            if call.name != "init" || any(&|t| matches!(t, "0" | "6" | "1")) {
                j.block("destructive/shutdown", "turns the machine off");
            }
        }
        "kill" | "killall" | "pkill" | "skill" | "taskkill" => {
            let all = any(&|t| matches!(t, "-1" | "1"))
                && args.len() > 1
                && args
                    .last()
                    .is_some_and(|arg| matches!(arg.text.as_str(), "-1" | "1"));
            if all || any(&|t| t == "-u") && has(&["root"]) {
                j.block("destructive/kill-all", "ends every process");
            } else if any(&is_guard) || any(&|t| t.contains("copilot-guard")) {
                j.block("self-approval/guard", "ends what supervises");
            } else if matches!(call.name, "killall" | "pkill")
                && any(&|t| matches!(t, "-9" | "-KILL" | "-u" | "-f"))
                && has(&["systemd", "init", "sshd", "dockerd"])
            {
                j.block("destructive/kill-all", "ends processes of the system");
            }
        }
        "chmod" => chmod(call, out),
        "chown" | "chgrp" => {
            let is_root = args
                .first()
                .is_some_and(|arg| arg.text.starts_with("root") || arg.text.starts_with('0'))
                || any(&|t| t == "root:root");
            let is_recursive = any(&|t| t.starts_with('-') && t.contains('R') || t == "--recursive");
            let is_wide = args.iter().any(|arg| is_root_of(call, arg));
            if is_recursive && is_wide {
                j.block("privilege/owner", "changes the owner of everything");
            } else if is_root {
                j.approve("privilege/owner", "makes files root's own");
            }
        }
        "setcap" => j.block("privilege/capability", "gives a program rights of root"),
        "setfacl" | "chattr" | "chcon" => {
            j.approve("privilege/attributes", "changes who may do what with files")
        }
        "useradd" | "adduser" | "usermod" | "userdel" | "groupadd" | "gpasswd" | "passwd" | "chpasswd"
        | "visudo" | "vipw" | "chsh" | "addgroup" | "dscl" | "newusers" => {
            j.block("privilege/accounts", "changes accounts");
        }
        "iptables" | "ip6tables" | "nft" | "ufw" | "firewall-cmd" | "pfctl" | "netsh" => {
            if has(&["-L", "-S", "list", "status", "--list-all", "-n"])
                && !has(&["-F", "flush", "-X", "disable"])
            {
                j.approve("privilege/firewall", "looks at the firewall");
            } else {
                j.block("privilege/protection-off", "changes the firewall");
            }
        }
        "setenforce" | "aa-disable" | "aa-complain" | "aa-teardown" | "auditctl" | "csrutil" | "spctl"
        | "mdatp" | "fdesetup" | "tccutil" | "sysmon" => {
            if !(call.name == "csrutil" && has(&["status"])) {
                j.block(
                    "privilege/protection-off",
                    "takes a protection of the system away",
                );
            }
        }
        "insmod" | "modprobe" | "rmmod" | "kextload" | "dkms" | "kexec" | "bpftool" => {
            j.block("privilege/kernel", "changes the kernel")
        }
        "mount" | "umount" | "losetup" | "sshfs" | "swapoff" => {
            if !args.is_empty() {
                j.approve("privilege/mount", "mounts file systems");
            }
        }
        "sysctl" => {
            if any(&|t| t.contains('=') || t == "-w" || t == "-p") {
                j.approve("privilege/kernel", "changes settings of the kernel");
            }
        }
        "crontab" => {
            if has(&["-r"]) {
                j.block("destructive/schedule", "takes all scheduled work away");
            } else if !has(&["-l"]) {
                j.block("persistence/schedule", "work that runs by itself later");
            }
        }
        "at" | "batch" | "anacron" => {
            if let Some(text) = call.stdin.text.as_deref() {
                out.script(call, text);
            }
            out.judgement
                .block("persistence/schedule", "work that runs by itself later");
        }
        "schtasks" => j.block("persistence/schedule", "work that runs by itself later"),
        "systemctl" | "service" | "rc-service" | "rc-update" | "update-rc.d" | "chkconfig" | "initctl"
        | "sc" => service(call, out),
        "launchctl" => {
            if has(&["list", "print"]) {
                j.approve("persistence/service", "looks at services");
            } else {
                j.block("persistence/service", "a service that starts by itself");
            }
        }
        "loginctl" => {
            if has(&["enable-linger"]) {
                j.approve("persistence/service", "services that outlive the login");
            }
        }
        "update-alternatives"
        | "ldconfig"
        | "update-grub"
        | "grub-install"
        | "bcdedit"
        | "reg"
        | "defaults"
        | "authselect"
        | "pam-auth-update"
        | "update-ca-certificates"
        | "update-ca-trust"
        | "scutil"
        | "networksetup"
        | "resolvconf"
        | "nmcli"
        | "hostnamectl"
        | "timedatectl" => {
            if !has(&["read", "query", "status", "--list", "--display", "show", "-p"]) && !args.is_empty() {
                j.approve("persistence/system-setting", "changes settings of the system");
            }
        }
        "history" | "fc" => {
            if any(&|t| t.starts_with('-') && (t.contains('c') || t.contains('d'))) {
                j.approve("destructive/history", "clears the history of commands");
            } else {
                out.out.add(Flow::SECRET);
            }
        }
        "ssh-copy-id" => j.block("persistence/ssh-key", "a key that opens another machine"),
        "ssh-keygen" => {
            if any(&|t| t == "-D") {
                j.block("remote-code/command-option", "loads a library");
            }
        }
        "ssh-keyscan" | "nmap" | "masscan" | "arp-scan" | "netdiscover" | "nikto" | "sqlmap" | "hydra"
        | "hashcat" | "john" | "responder" | "crackmapexec" | "msfconsole" | "msfvenom" | "aircrack-ng"
        | "ettercap" | "bettercap" => {
            j.approve("reconnaissance/network", "looks over other machines");
        }
        "tcpdump" | "tshark" | "dumpcap" | "wireshark" | "ngrep" | "mitmproxy" | "mitmdump" => {
            j.approve("reconnaissance/traffic", "listens to the network")
        }
        "gdb" | "lldb" | "gcore" | "procdump" | "ptrace" => {
            if any(&|t| matches!(t, "-p" | "--pid" | "attach") || t.starts_with("--pid="))
                || call.name == "gcore"
                || call.name == "procdump"
            {
                j.approve("credential-access/memory", "reads the memory of another process");
            }
        }
        "direnv" | "mise" if has(&["allow", "permit", "grant", "edit", "trust"]) => {
            j.approve(
                "persistence/allowed-file",
                "lets a file run in every shell of a folder",
            );
        }
        "strace" | "ltrace" => {}
        "ps" => {
            if any(&|t| !t.starts_with("--") && t.contains('e') && !t.starts_with('-') && t.contains('w')) {
                j.approve(
                    "credential-access/environment",
                    "prints the environment of every process",
                );
            }
        }
        "import" | "scrot" | "screencapture" | "gnome-screenshot" | "grim" | "ffmpeg-screen" | "xclip"
        | "xsel" | "pbpaste" | "wl-paste" => {
            let pastes =
                matches!(call.name, "pbpaste" | "wl-paste") || any(&|t| matches!(t, "-o" | "--output"));
            if !matches!(call.name, "xclip" | "xsel") || pastes {
                j.approve("credential-access/screen", "reads the screen or the clipboard");
                out.out.add(Flow::SECRET);
            }
        }
        "claude" | "codex" | "copilot" | "gemini" | "aider" | "cursor-agent" | "opencode" | "amp"
        | "goose" | "q" | "kiro" | "qwen" | "crush" | "cline" | "code" | "code-insiders" | "cursor"
        | "windsurf" | "codium" => agent(call, out),
        "copilot-guard" | "copilot-guard-proxy" => {
            let is_asking = args.iter().any(|arg| {
                matches!(
                    arg.text.as_str(),
                    "--help" | "--version" | "check" | "judge" | "explain" | "status" | "verify"
                )
            });
            if !is_asking {
                j.approve("self-approval/guard", "changes what supervises");
            }
        }
        _ => {}
    }
    let skips = [
        "--dangerously-skip-permissions",
        "--dangerously-bypass-approvals-and-sandbox",
        "--allow-all-tools",
        "--yolo",
        "--full-auto",
        "--allow-all-paths",
        "--dangerously-allow-all",
        "--yes-always",
        "--auto-approve-all",
        "--trust-all-tools",
    ];
    let is_data = matches!(call.name, "echo" | "printf" | "grep" | "rg");
    if !is_data && any(&|t| skips.contains(&t.split('=').next().unwrap_or_default())) {
        out.judgement
            .block("self-approval/flag", "an agent without supervision");
    }
}

/// Agents that start others, or are told to ask no more.
fn agent(call: &Call<'_>, out: &mut Outcome) {
    let text = super::wrappers::joined(call.args);
    let lower = text.to_ascii_lowercase();
    let parts = [
        "bypasspermissions",
        "approval_policy=never",
        "approval-policy never",
        "-a never",
        "--ask-for-approval never",
        "ask-for-approval=never",
        "danger-full-access",
        "acceptedits",
        "--allowedtools",
        "--allowed-tools",
        "--allow-tool",
        "--approval-mode yolo",
        "--approval-mode=yolo",
        "--disable-workspace-trust",
        "--no-sandbox",
    ];
    if parts.iter().any(|part| lower.contains(part))
        || call.args.iter().any(|arg| {
            matches!(arg.text.as_str(), "-y" | "--auto") && !matches!(call.name, "code" | "cursor")
        })
    {
        out.judgement
            .block("self-approval/flag", "an agent without supervision");
    }
    if lower.starts_with("mcp add")
        || lower.starts_with("mcp remove")
        || lower.contains("--add-mcp")
        || lower.starts_with("config set")
        || lower.starts_with("mcp add-json")
        || lower.contains("--mcp-config")
    {
        out.judgement
            .block("self-approval/agent-settings", "changes what an agent may do");
    }
    if lower.contains("--install-extension")
        || lower.contains("--uninstall-extension")
        || lower.contains("tunnel") && call.name.starts_with("code")
    {
        out.judgement.approve(
            "self-approval/extension",
            "changes the editor's extensions, or opens a tunnel",
        );
    }
}

fn service(call: &Call<'_>, out: &mut Outcome) {
    let has = |words: &[&str]| call.args.iter().any(|arg| words.contains(&arg.text.as_str()));
    if has(&[
        "reboot",
        "poweroff",
        "halt",
        "kexec",
        "rescue",
        "emergency",
        "isolate",
    ]) {
        out.judgement
            .block("destructive/shutdown", "turns the machine off");
    } else if has(&["stop", "disable", "mask", "kill", "delete"]) {
        if call.args.iter().any(|arg| is_guard(&arg.text)) {
            out.judgement.block(
                "privilege/protection-off",
                "takes a protection of the system away",
            );
        } else {
            out.judgement.approve("privilege/service", "stops services");
        }
    } else if has(&[
        "enable",
        "link",
        "edit",
        "set-property",
        "set-environment",
        "import-environment",
        "create",
        "add",
        "daemon-reload",
        "preset",
        "revert",
        "defaults",
    ]) {
        out.judgement
            .approve("persistence/service", "a service that starts by itself");
    } else if has(&["start", "restart", "reload"]) {
        out.judgement.approve("privilege/service", "starts services");
    }
}

fn chmod(call: &Call<'_>, out: &mut Outcome) {
    let mut operands = call
        .args
        .iter()
        .filter(|arg| !arg.text.starts_with('-') || arg.text.len() < 2);
    let mode = operands.next().map_or("", |arg| arg.text.as_str());
    let is_recursive = call.args.iter().any(|arg| {
        arg.text.starts_with('-') && !arg.text.starts_with("--") && arg.text.contains('R')
            || arg.text == "--recursive"
    });
    let targets: Vec<&Word> = operands.collect();
    if files::is_setuid(mode) {
        out.judgement
            .block("privilege/setuid", "a program that runs with its owner's rights");
    }
    let is_open = mode.ends_with("777")
        || mode.ends_with("666")
        || mode.contains("o+w")
        || mode.contains("a+w")
        || mode == "a+rwx"
        || mode == "+w"
        || mode == "ugo+rwx";
    for target in targets {
        if is_recursive && is_root_of(call, target) {
            out.judgement
                .block("privilege/open-files", "changes who may read everything");
        } else if is_open {
            out.judgement
                .approve("privilege/open-files", "files that anybody may write");
        } else if paths::is_secret(call.world.folder, target)
            && matches!(mode, "644" | "755" | "a+r" | "o+r" | "0644" | "+r")
        {
            out.judgement
                .approve("privilege/open-files", "secrets that anybody may read");
        } else {
            let path = paths::normal(call.world.folder, &target.text);
            if paths::is_system(&path) {
                out.judgement.approve(
                    "privilege/open-files",
                    "changes who may do what with files of the system",
                );
            }
        }
    }
}

/// Whether a path is the root of much: `/`, a home, the project, its history.
fn is_root_of(call: &Call<'_>, word: &Word) -> bool {
    if matches!(word.text.as_str(), "." | "./" | "./.") {
        return true;
    }
    // What is not known may be empty.
    let text = word.text.trim_end_matches(UNKNOWN);
    let text = if matches!(text, "/" | "~/") {
        text
    } else {
        word.text.as_str()
    };
    let path = paths::normal(call.world.folder, text);
    let bare = path.trim_end_matches(['*', '/', '.']);
    let bare = bare.trim_end_matches(".[!");
    let depth = bare.split('/').filter(|part| !part.is_empty()).count();
    (bare.is_empty() && !path.is_empty())
        || matches!(bare, "~" | "~/" | "c:" | ".git")
        || bare.starts_with("..") && bare.trim_matches(['.', '/']).is_empty()
        || (bare.starts_with('/') && depth <= 1 && bare != "/tmp")
        || (paths::is_system(bare)
            && !bare.starts_with("/opt/")
            && !bare.starts_with("/usr/local/")
            && !bare.starts_with("/usr/src"))
        || bare.ends_with("/.git")
        || bare.starts_with("~/")
            && matches!(
                bare,
                "~/documents"
                    | "~/desktop"
                    | "~/.ssh"
                    | "~/.config"
                    | "~/.aws"
                    | "~/.kube"
                    | "~/.gnupg"
                    | "~/downloads"
                    | "~/pictures"
            )
}

/// Whether a pattern behind a search takes what people wrote, not what was built from it.
pub(super) fn is_source(path: &str) -> bool {
    const SOURCES: &[&str] = &[
        "*", "rs", "py", "js", "ts", "tsx", "jsx", "mjs", "cjs", "go", "java", "kt", "kts", "scala", "c",
        "h", "cc", "cpp", "hpp", "cs", "fs", "vb", "rb", "php", "swift", "m", "ex", "exs", "erl", "hs",
        "lua", "r", "jl", "dart", "vue", "svelte", "sql", "sh", "ps1", "md", "rst", "tex", "html", "css",
        "scss", "json", "yaml", "yml", "toml", "ipynb", "proto", "tf", "csproj", "sln",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    name.strip_prefix("*.").is_some_and(|end| SOURCES.contains(&end)) || matches!(name, "*.[ch]" | "*.[ch]pp")
}

/// Whether a path begins where people write, or anywhere in the project.
fn is_written(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let is_far = matches!(first, "" | "~") && !paths::is_temporary(path);
    is_far
        || matches!(
            first,
            "src" | "lib" | "app" | "tests" | "test" | "docs" | "crates" | "packages"
        )
        || first.starts_with(UNKNOWN)
}

/// Judges that a folder or file is moved: from its place it is gone.
pub(super) fn moved(call: &Call<'_>, source: &Word, target: Option<&Word>, out: &mut Outcome) {
    let path = paths::normal(call.world.folder, &source.text);
    let to = target.map_or(String::new(), |to| paths::normal(call.world.folder, &to.text));
    if is_root_of(call, source) && (path.starts_with(['~', '/']) || path.contains(".git")) {
        out.judgement
            .block("destructive/move", "moves the root of much away");
    } else if to == "/dev/null" {
        out.judgement
            .approve("destructive/move", "moves files to nowhere");
    } else if paths::is_temporary(&to)
        && matches!(
            path.trim_end_matches('/'),
            "src" | "lib" | "app" | ".github" | "migrations" | "tests"
        )
    {
        out.judgement
            .approve("destructive/move", "moves what the project is made of away");
    }
}

/// Judges what is deleted.
pub(super) fn removed(call: &Call<'_>, target: &Word, is_recursive: bool, out: &mut Outcome) {
    let is_whole_unknown = target
        .text
        .chars()
        .all(|c| c == UNKNOWN || matches!(c, '/' | '*' | '.'))
        && target.dynamic
        && !target.text.starts_with('/');
    if is_whole_unknown {
        if is_recursive {
            out.judgement.approve(
                "destructive/delete",
                "deletes a folder that is only known when it runs",
            );
        }
        return;
    }
    let path = paths::normal(call.world.folder, &target.text);
    let starts_unknown = target.text.starts_with(UNKNOWN)
        && !target
            .text
            .trim_start_matches(UNKNOWN)
            .trim_matches(['/', '*'])
            .is_empty();
    if is_root_of(call, target)
        && !starts_unknown
        && (is_recursive || path.contains('*') || target.text.contains(".git"))
    {
        out.judgement
            .block("destructive/delete", "deletes the root of much");
    } else if is_recursive
        && (path.starts_with("..")
            || path.starts_with("~/") && !path.contains("cache") && !path.contains("node_modules"))
    {
        out.judgement
            .approve("destructive/delete", "deletes a folder outside of the project");
    } else if is_recursive
        && path.starts_with('/')
        && !paths::is_temporary(&path)
        && path.split('/').count() < 5
    {
        out.judgement
            .approve("destructive/delete", "deletes a folder outside of the project");
    } else if is_recursive && (path == ".github" || path == "src" || path == "migrations")
        || path.contains(UNKNOWN) && is_source(&path) && is_written(&path)
    {
        out.judgement
            .approve("destructive/delete", "deletes what the project is made of");
    }
    if path.contains("/var/log") || path.ends_with("_history") || path.ends_with("audit.log") {
        out.judgement.approve("destructive/history", "deletes records");
    }
}

fn remove(call: &Call<'_>, out: &mut Outcome) {
    let options = Options::read(call.args, "", &[]);
    let is_recursive = options.has(&["r", "R", "recursive"]) || matches!(call.name, "rimraf" | "srm");
    if options.has(&["no-preserve-root"]) {
        out.judgement
            .block("destructive/delete", "deletes the root of much");
    }
    for target in &options.operands {
        removed(call, target, is_recursive, out);
        let path = paths::normal(call.world.folder, &target.text);
        if path.starts_with("/dev/") || path.starts_with("/etc/") || path.starts_with("/boot") {
            out.judgement
                .block("destructive/delete", "deletes files of the system");
        }
        let mut ignored = super::super::judgement::Judgement::default();
        paths::write(&mut ignored, call.world.folder, target);
        if ignored
            .findings
            .iter()
            .any(|finding| finding.rule.starts_with("self-approval"))
        {
            out.judgement.approve(
                "self-approval/agent-settings",
                "deletes what decides what an agent may do",
            );
        }
        if ignored
            .findings
            .iter()
            .any(|finding| finding.rule == "persistence/startup-file")
        {
            out.judgement
                .approve("destructive/delete", "deletes settings of the user");
        }
    }
    if call.stdin.text.is_none() && call.args.is_empty() && call.stdin.has(Flow::DATA) {
        out.judgement
            .approve("destructive/delete", "deletes what comes in");
    }
}

/// Judges a client of a database.
pub(super) fn database(call: &Call<'_>, out: &mut Outcome) {
    let args = call.args;
    match call.name {
        "dropdb" => out.judgement.block("destructive/database", "drops a database"),
        "pg_dump" | "pg_dumpall" | "mysqldump" | "mongodump" => {
            out.judgement
                .approve("exfiltration/dump", "takes a copy of a database");
            out.out.add(Flow::SECRET | Flow::DATA);
        }
        "redis-cli" => {
            let upper = super::wrappers::joined(args).to_uppercase();
            if [
                "FLUSHALL",
                "FLUSHDB",
                "SHUTDOWN",
                "CONFIG SET",
                "SLAVEOF",
                "REPLICAOF",
                "MODULE LOAD",
                "DEBUG",
            ]
            .iter()
            .any(|word| upper.contains(word))
            {
                out.judgement
                    .block("destructive/database", "empties or changes a database");
            } else if upper.contains("EVAL") || upper.contains("DEL ") {
                out.judgement
                    .approve("destructive/database", "changes a database");
            }
        }
        _ => {
            let options = Options::read(
                args,
                if call.name == "sqlite3" {
                    ""
                } else {
                    "cefvhUdpPuDSQqiL"
                },
                &[
                    "command",
                    "execute",
                    "file",
                    "eval",
                    "host",
                    "user",
                    "username",
                    "dbname",
                    "database",
                    "port",
                    "query",
                    "init-command",
                    "pager",
                    "tee",
                ],
            );
            let mut texts: Vec<&Word> = options.values(&[
                "c",
                "e",
                "command",
                "execute",
                "eval",
                "Q",
                "q",
                "query",
                "init-command",
            ]);
            if call.name == "sqlite3" {
                texts.extend(options.operands.iter().skip(1).copied());
                texts.extend(args.iter().skip_while(|arg| arg.text != "-cmd").skip(1).take(1));
            }
            if call.name == "mysql" && args.iter().any(|arg| arg.text == "drop") {
                out.judgement.block("destructive/database", "drops a database");
            }
            if let Some(file) = options.operands.first().filter(|_| call.name == "sqlite3") {
                let bits = paths::read(&mut out.judgement, call.world.folder, file);
                out.out.add(bits);
            }
            for text in texts {
                sql(call, &text.text, out);
            }
            if let Some(text) = call.stdin.text.as_deref() {
                sql(call, text, out);
            }
            for value in options.values(&["pager"]) {
                super::wrappers::option_script(call, value, out);
            }
            let foreign = options.values(&["h", "host"]).into_iter().chain(
                options
                    .operands
                    .iter()
                    .copied()
                    .filter(|word| word.text.contains("://")),
            );
            if foreign.into_iter().any(|host| {
                !host.text.is_empty()
                    && !host.text.starts_with('/')
                    && super::hosts::is_foreign(call.cx, host)
            }) {
                out.judgement
                    .approve("exfiltration/connection", "a database on a host that is not ours");
            }
            out.out.add(Flow::DATA);
        }
    }
}

/// Judges SQL, and what its clients run beside it.
fn sql(call: &Call<'_>, text: &str, out: &mut Outcome) {
    let upper = text.to_uppercase();
    let words: Vec<&str> = upper
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let pair = |first: &str, second: &[&str]| {
        words
            .windows(2)
            .any(|w| matches!(w, [a, b] if *a == first && second.contains(b)))
    };
    if pair(
        "DROP",
        &[
            "DATABASE",
            "TABLE",
            "SCHEMA",
            "USER",
            "ROLE",
            "TABLESPACE",
            "OWNED",
        ],
    ) || words.contains(&"TRUNCATE")
        || upper.contains("DROPDATABASE")
        || upper.contains("DBDROP")
    {
        out.judgement
            .block("destructive/database", "drops or empties tables");
    }
    let is_unbounded = (words.contains(&"DELETE") && pair("DELETE", &["FROM"])
        || words.first() == Some(&"UPDATE"))
        && !words.contains(&"WHERE");
    if is_unbounded || upper.contains("DELETEMANY({})") || upper.contains(".DROP()") {
        out.judgement
            .block("destructive/database", "changes every row of a table");
    } else if pair("GRANT", &["ALL"])
        || pair("ALTER", &["USER", "ROLE"])
        || pair("CREATE", &["USER", "ROLE"])
        || words.contains(&"SUPERUSER")
    {
        out.judgement
            .approve("privilege/database", "changes rights of a database");
    }
    let runs = [
        "\\!",
        "PROGRAM",
        ".SHELL",
        ".SYSTEM",
        "XP_CMDSHELL",
        "SYS_EXEC",
        "INTO OUTFILE",
        "LOAD_FILE",
        "PG_READ_FILE",
        "SYSTEM ",
        "LO_EXPORT",
        "LOAD_EXTENSION",
        ".LOAD",
        "LOAD DATA",
        "INTO DUMPFILE",
        "DBLINK",
        "\\COPY",
        "\\O ",
        ".OUTPUT",
        ".ONCE",
    ];
    if runs.iter().any(|word| upper.contains(word)) {
        out.judgement.merge(code::judge(call.cx, "sql", text));
    }
}
