//! Package managers: a package by its name is ordinary, one from an address or a foreign index is not.

use super::super::judgement::Judgement;
use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::words::{Cx, Note, Word};
use super::{hosts, paths};

/// Options that name where packages come from.
const INDEX: &[&str] = &[
    "index-url",
    "extra-index-url",
    "registry",
    "find-links",
    "index",
    "default-index",
    "source",
    "repository",
    "repository-url",
    "channel",
    "trusted-host",
    "proxy",
    "add-source",
    "mirror",
    "git",
    "path",
    "url",
    "target",
    "config-settings",
    "tap",
    "repo",
];

/// The registries that packages come from when nothing else is said.
const USUAL: &[&str] = &[
    "https://pypi.org/simple",
    "https://registry.npmjs.org",
    "https://registry.yarnpkg.com",
    "https://rubygems.org",
    "https://index.crates.io",
    "https://proxy.golang.org",
    "https://repo.maven.apache.org/maven2",
];

fn is_usual(address: &str) -> bool {
    USUAL.contains(&address.trim_end_matches('/'))
}

/// A package's source: its name, a version, a path of the project, or an address.
pub(super) fn source(cx: &Cx<'_>, word: &Word, out: &mut Judgement) {
    let text = word.text.as_str();
    if is_usual(text.split_once('=').map_or(text, |(_, value)| value)) {
        return;
    }
    let address = text.split_once('@').map_or(text, |(name, rest)| {
        if name.contains(':') || name.is_empty() {
            text
        } else {
            rest
        }
    });
    let is_git = text.starts_with("git+")
        || text.contains("git+")
        || text.starts_with("git@")
        || text.starts_with("git:")
        || text.starts_with("github:")
        || text.starts_with("gitlab:")
        || text.starts_with("bitbucket:")
        || text.starts_with("gist:");
    let address = Word {
        text: address
            .trim_start_matches(' ')
            .trim_start_matches("git+")
            .to_owned(),
        dynamic: word.dynamic,
    };
    if hosts::is_url(&address.text) || is_git {
        let is_ours = hosts::is_url(&address.text) && !hosts::is_foreign(cx, &address)
            || cx.network.is_own_remote(&address.text);
        if !is_ours {
            out.approve(
                "supply-chain/source",
                "a package from an address that is not ours",
            );
        }
    } else if text.starts_with("http:") || text.starts_with("//") {
        out.approve(
            "supply-chain/source",
            "a package from an address that is not ours",
        );
    }
}

/// Judges a package manager.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    let mut verbs = call.args.iter().filter(|arg| !arg.text.starts_with('-'));
    let verb = verbs.next().map_or("", |arg| arg.text.as_str());
    let second = verbs.next().map_or("", |arg| arg.text.as_str());
    out.out.add(Flow::DATA);
    for arg in call.args {
        source(call.cx, arg, &mut out.judgement);
    }
    for file in call.args {
        // A list that this script writes.
        let written = call.world.file(&file.text).and_then(|flow| flow.text.as_deref());
        for line in written.into_iter().flat_map(str::lines) {
            for part in line.split_whitespace() {
                source(call.cx, &Word::known(part), &mut out.judgement);
            }
        }
    }
    let short = if call.name == "pip" || call.name == "uv" {
        "irfcte"
    } else {
        ""
    };
    let options = Options::read(call.args, short, INDEX);
    let indexes = [
        "index-url",
        "extra-index-url",
        "registry",
        "find-links",
        "index",
        "default-index",
        "source",
        "repository-url",
        "channel",
        "trusted-host",
        "proxy",
        "add-source",
        "mirror",
    ];
    let mut names: Vec<&str> = indexes.to_vec();
    if call.name == "pip" || call.name == "uv" {
        names.extend(["i", "f"]);
    }
    for index in options.values(&names) {
        let is_name = !index.text.contains(['.', '/', ':']);
        if !is_name
            && !is_usual(&index.text)
            && !index.text.starts_with('.')
            && hosts::is_foreign(call.cx, index)
        {
            out.judgement
                .approve("supply-chain/index", "packages from another place");
        }
    }
    match (call.name, verb) {
        ("npm" | "pnpm" | "yarn" | "bun", "publish")
        | ("cargo", "publish")
        | ("twine", "upload")
        | ("gem", "push")
        | ("poetry" | "uv" | "pdm" | "hatch", "publish")
        | ("dotnet", "nuget")
        | ("nuget", "push")
        | ("luarocks", "upload") => {
            if !options.has(&["dry-run"]) {
                out.judgement.block("exfiltration/publish", "publishes this code");
            }
        }
        ("mvn", "deploy") => out
            .judgement
            .approve("exfiltration/publish", "publishes this code"),
        ("npm" | "pnpm" | "yarn", "config" | "c") | ("npm" | "pnpm", "set")
            if matches!(second, "set") || verb == "set" =>
        {
            let text = super::wrappers::joined(call.args);
            if [
                "registry",
                "proxy",
                "script-shell",
                "//",
                "ca",
                "strict-ssl",
                "node-options",
                "git",
                "editor",
                "shell",
                "prefix",
                "onload",
            ]
            .iter()
            .any(|key| text.contains(key))
            {
                out.judgement.approve(
                    "supply-chain/configuration",
                    "changes where packages come from, or what they run",
                );
            }
        }
        (
            "npm" | "pnpm" | "yarn",
            "token" | "adduser" | "login" | "owner" | "access" | "profile" | "logout",
        ) => {
            out.judgement
                .approve("credential-access/registry", "uses the account of a registry");
        }
        ("npm" | "pnpm", "unpublish" | "deprecate") | ("cargo", "yank") | ("gem", "yank") => {
            out.judgement
                .block("destructive/unpublish", "takes a published package back");
        }
        ("npm" | "pnpm" | "yarn" | "bun", "pkg") if second == "set" => {
            let is_plain = call.args.iter().skip(2).all(|arg| is_plain_setting(call, arg));
            if !is_plain {
                out.judgement
                    .approve("persistence/build-file", "changes the scripts of the project");
            }
        }
        ("npm" | "pnpm" | "yarn", "run" | "run-script" | "explore" | "init" | "create") => {
            if options.has(&["script-shell"]) {
                out.judgement
                    .block("remote-code/command-option", "an option that runs a command");
            }
        }
        ("pip", "config") if second == "set" => {
            out.judgement
                .approve("supply-chain/configuration", "changes where packages come from");
        }
        ("pip", _) if options.has(&["break-system-packages"]) => {
            out.judgement
                .approve("privilege/system-packages", "changes the system's own packages");
        }
        ("poetry" | "uv", "source")
        | ("conda" | "mamba", "config")
        | ("gem", "sources")
        | ("brew", "tap")
        | ("helm", "repo")
            if call
                .args
                .iter()
                .any(|a| matches!(a.text.as_str(), "add" | "-a" | "--add"))
                || verb == "tap" && !second.is_empty() =>
        {
            out.judgement
                .approve("supply-chain/index", "packages from another place");
        }
        ("go", "env") if call.args.iter().any(|arg| arg.text == "-w") => {
            for (name, value) in call.args.iter().filter_map(|arg| arg.text.split_once('=')) {
                super::assign::judge(call.cx, name, &Word::known(value), &mut out.judgement);
                if matches!(name, "CC" | "CXX" | "GOTOOLCHAIN" | "GOTOOLDIR" | "GOEXE") {
                    out.judgement
                        .approve("persistence/build-file", "changes what builds run");
                }
            }
        }
        ("go", _) => {
            for value in Options::read(call.args, "", &[]).values(&["toolexec"]) {
                super::wrappers::option_script(call, value, out);
            }
            let runs = call
                .args
                .iter()
                .position(|arg| matches!(arg.text.as_str(), "-toolexec" | "-exec" | "-vettool"));
            if let Some(value) = runs.and_then(|at| call.args.get(at + 1)) {
                super::wrappers::option_script(call, value, out);
            }
            if call.args.iter().any(|arg| {
                arg.text.starts_with("-toolexec=")
                    || arg.text.starts_with("-exec=")
                    || arg.text.starts_with("-vettool=")
            }) {
                out.judgement
                    .approve("remote-code/command-option", "an option that runs a command");
            }
            let module = call
                .args
                .iter()
                .skip(1)
                .find(|arg| arg.text.contains('@') && arg.text.contains('.'));
            if verb == "run"
                && module.is_some_and(|module| {
                    hosts::is_foreign(call.cx, module) && !is_known_module(&module.text)
                })
            {
                out.judgement
                    .approve("supply-chain/source", "runs a module that is not ours");
            }
        }
        ("cargo", _) => {
            for value in call.args.iter().filter(|arg| {
                arg.text.contains("runner=")
                    || arg.text.contains("rustc-wrapper")
                    || arg.text.contains("linker=")
                    || arg.text.contains(".rustc=")
            }) {
                let _ = value;
                out.judgement
                    .approve("remote-code/command-option", "configuration that runs a command");
            }
            for git in options.values(&["git", "index", "registry"]) {
                if hosts::is_url(&git.text)
                    && hosts::is_foreign(call.cx, git)
                    && !call.cx.network.is_own_remote(&git.text)
                {
                    out.judgement.approve(
                        "supply-chain/source",
                        "a package from an address that is not ours",
                    );
                }
            }
            if matches!(verb, "login" | "owner") {
                out.judgement
                    .approve("credential-access/registry", "uses the account of a registry");
            }
        }
        ("apt" | "yum" | "dnf" | "apk" | "pacman" | "zypper" | "dpkg" | "rpm", _) => {
            system_packages(call, verb, out)
        }
        ("brew", "services") => out
            .judgement
            .approve("persistence/service", "a service that starts by itself"),
        ("gradle" | "gradlew" | "mvn", _) => {
            if call.args.iter().any(|arg| {
                arg.text.contains("exec:exec")
                    || arg.text.starts_with("-Dexec.executable")
                    || arg.text == "-I"
                    || arg.text == "--init-script"
            }) {
                out.judgement
                    .approve("remote-code/command-option", "an option that runs a command");
            }
        }
        _ => {}
    }
    for file in call.args.iter().filter(|arg| paths::is_temporary(&arg.text)) {
        let known = call.world.file(&file.text);
        if known.is_some_and(|flow| flow.has(Flow::DOWNLOAD)) {
            out.judgement.block(
                "supply-chain/source",
                "a package that was downloaded from a host that is not ours",
            );
        }
    }
}

/// Whether a setting of a package says what it is, or is a harmless script that only runs when somebody asks for it.
fn is_plain_setting(call: &Call<'_>, arg: &Word) -> bool {
    const TELLS: &[&str] = &[
        "version",
        "description",
        "license",
        "author",
        "type",
        "private",
        "name",
        "keywords",
        "homepage",
    ];
    let Some((key, value)) = arg.text.split_once('=') else {
        return false;
    };
    if arg.dynamic {
        return false;
    }
    match key.strip_prefix("scripts.") {
        Some(name) => {
            let runs_alone = name.starts_with("pre")
                || name.starts_with("post")
                || matches!(name, "install" | "dependencies" | "uninstall");
            !runs_alone
                && super::script::nested(call.cx, value, &Flow::default())
                    .0
                    .findings
                    .is_empty()
        }
        None => TELLS.contains(&key),
    }
}

/// Hosts that Go modules are usually named by.
fn is_known_module(text: &str) -> bool {
    [
        "golang.org/",
        "google.golang.org/",
        "honnef.co/",
        "github.com/golang",
        "mvdan.cc/",
        "github.com/golangci",
    ]
    .iter()
    .any(|known| text.starts_with(known))
}

fn system_packages(call: &Call<'_>, verb: &str, out: &mut Outcome) {
    let text = super::wrappers::joined(call.args);
    let lower = text.to_ascii_lowercase();
    if lower.contains("::pre-invoke")
        || lower.contains("::post-invoke")
        || lower.contains("pre-install-pkgs")
        || lower.contains("--eval")
        || lower.contains("--pipe")
        || lower.contains("dpkg::options") && lower.contains("exec")
    {
        out.judgement
            .block("remote-code/command-option", "an option that runs a command");
    }
    if lower.contains("allow-unauthenticated")
        || lower.contains("--nogpgcheck")
        || lower.contains("--allow-untrusted")
        || lower.contains("no-gpg-checks")
    {
        out.judgement.approve(
            "supply-chain/unchecked",
            "packages whose signatures are not checked",
        );
    }
    let removes = matches!(verb, "remove" | "purge" | "autoremove" | "erase" | "del")
        || call
            .args
            .iter()
            .any(|arg| matches!(arg.text.as_str(), "-r" | "-R" | "-Rns" | "-e" | "--purge" | "-P"));
    let guards = [
        "auditd",
        "apparmor",
        "selinux",
        "clamav",
        "falcon",
        "ossec",
        "wazuh",
        "osquery",
        "crowdstrike",
        "sentinelone",
        "fail2ban",
        "ufw",
        "openssh-server",
        "sudo",
        "systemd",
        "linux-image",
    ];
    if removes {
        if guards.iter().any(|guard| lower.contains(guard)) {
            out.judgement.block(
                "privilege/protection-off",
                "takes a protection of the system away",
            );
        } else {
            out.judgement
                .approve("destructive/packages", "removes packages of the system");
        }
    }
    let is_local =
        call.args.iter().skip(1).any(|arg| {
            arg.text.ends_with(".deb") || arg.text.ends_with(".rpm") || arg.text.ends_with(".apk")
        });
    if is_local
        || matches!(call.name, "dpkg" | "rpm")
            && call
                .args
                .iter()
                .any(|arg| matches!(arg.text.as_str(), "-i" | "--install" | "-U" | "-Uvh" | "-ivh"))
    {
        out.judgement
            .approve("supply-chain/source", "a package from a file");
    }
}
