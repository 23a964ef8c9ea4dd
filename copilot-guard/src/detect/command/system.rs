//! What destroys, what takes rights, what stays behind: programs of the system.

use super::argv::{Call, Outcome};
use super::delete::{is_root_of, remove};
use super::flow::Flow;
use super::words::{Note, Word};
use super::{files, paths};

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
            if call.name != "hdparm" || any(&|t| t.contains("secur")) {
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
        "pgrep" | "pidof" if any(&is_guard) => {
            j.approve("self-approval/guard", "looks for what supervises");
        }
        "add-apt-repository" | "apt-key" | "apt-add-repository" | "rpmkeys" => {
            j.approve("supply-chain/index", "packages from another place");
        }
        "enable" if has(&["-f"]) => j.block("remote-code/loaded-file", "loads a library into the shell"),
        "hash" if has(&["-p"]) => j.approve("persistence/path", "a program under another name"),
        "compgen" | "complete" | "mapfile" | "readarray" | "bind" => {
            let at = args
                .iter()
                .position(|arg| matches!(arg.text.as_str(), "-C" | "-x" | "-F"));
            if let Some(text) = at.and_then(|at| args.get(at + 1)) {
                let script = text
                    .text
                    .split_once("\":")
                    .map_or(text.text.as_str(), |(_, script)| script);
                out.script(call, script);
                out.judgement
                    .approve("persistence/hook-variable", "a command that runs with others");
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
        "strace" | "ltrace" => {
            if any(&|t| t.starts_with("-p") || t == "--attach") {
                j.approve("credential-access/memory", "watches another process");
            }
        }
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
