//! What cmdlets do with files, the registry and the environment.

use super::super::super::judgement::{Class, Danger};
use super::super::windows::{hosts, places};
use super::super::{delete, search};
use super::cmdlets::Call;
use super::names::{has_param, is_param, paths};
use super::script::Script;

/// Whether a variable of the environment, or a pattern of names, steers what others do.
fn steers(name: &str) -> bool {
    let name = name.trim_matches(['/', '\\']);
    let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let words = [
        "proxy",
        "path",
        "copilot",
        "claude",
        "openai",
        "anthropic",
        "guard",
        "history",
        "token",
        "ssl",
        "cert",
        "git",
        "home",
        "profile",
        "comspec",
        "system",
        "ssh",
    ];
    !is_plain
        || words.iter().any(|word| name.contains(word))
        || super::types::LOADERS
            .split_ascii_whitespace()
            .any(|loader| name.contains(loader))
}

/// Deletes files, or what is in them.
pub(super) fn remove(script: &mut Script<'_>, name: &str, call: &Call) {
    let args = &call.args;
    let has = |long: &str| has_param(args, long);
    let switch = |letters: &[&str]| {
        args.iter()
            .any(|a| letters.contains(&a.text.to_ascii_lowercase().as_str()))
    };
    let recurse = name != "remove-item" || has("recurse") || switch(&["-rf", "-fr", "-rfv", "/s", "/s/q"]);
    let whatif = args.iter().any(|a| a.text.eq_ignore_ascii_case("-whatif"));
    if whatif {
        return;
    }
    let mut worst = None;
    for arg in paths(args) {
        for path in arg.text.split(',') {
            let path = path.trim();
            if path.is_empty() || (path.starts_with('/') && path.len() == 2 && script.is_windows_switch(path))
            {
                continue;
            }
            let is_all_of_unknown = path.starts_with('$')
                && !path.to_ascii_lowercase().starts_with("$env:")
                && path
                    .find(['/', '\\'])
                    .and_then(|at| path.get(at..))
                    .is_some_and(|rest| rest.trim_matches(['/', '\\', '*', '.']).is_empty());
            let loss = if arg.dynamic && (!path.contains(['/', '\\']) || is_all_of_unknown) {
                match places::loss(path) {
                    places::Loss::Little => places::Loss::Unclear,
                    loss => loss,
                }
            } else {
                places::loss(path)
            };
            worst = worst.max(Some(loss));
            let is_setting = arg
                .text
                .to_ascii_lowercase()
                .strip_prefix("env:")
                .is_some_and(|name| arg.dynamic || steers(name));
            if is_setting || places::secret(path) == Danger::Block {
                script.found(
                    "destructive/delete-settings",
                    Class::Destructive,
                    Danger::Approve,
                    "deletes settings",
                );
            }
        }
    }
    if let Some(input) = &call.input {
        let text = input.text().to_ascii_lowercase();
        let is_source = text.contains("-r") && text.split([' ', ',', '"', '\'']).any(delete::is_source);
        if is_source {
            script.found(
                "destructive/delete",
                Class::Destructive,
                Danger::Approve,
                "deletes what people wrote",
            );
        }
        // The first word of what is not known is the command that gives it.
        let is_named = text.contains("-filter") || text.contains("-include");
        let from = text
            .split_whitespace()
            .skip(usize::from(!input.is_known()))
            .filter(|w| !w.starts_with('-'))
            // By their names, files of the project are less than all of it.
            .filter(|w| !(is_named && *w == "."))
            .map(places::loss)
            .max();
        let lists = text.starts_with("get-childitem")
            || text.starts_with("gci")
            || text.starts_with("ls")
            || text.starts_with("dir")
            || text.starts_with("get-item");
        let unclear =
            if lists && text.contains("-filter") || text.contains("-include") || lists && from.is_some() {
                places::Loss::Little
            } else {
                places::Loss::Unclear
            };
        worst = worst.max(from.max(Some(unclear)));
    }
    match worst {
        Some(places::Loss::Everything) => script.found(
            "destructive/delete",
            Class::Destructive,
            Danger::Block,
            "deletes a disk, a home or a part of the system",
        ),
        Some(places::Loss::Unclear) if recurse => {
            script.found(
                "destructive/delete",
                Class::Destructive,
                Danger::Approve,
                "deletes much, or what cannot be told",
            );
        }
        _ => {}
    }
}

/// Reads or copies files.
pub(super) fn read(script: &mut Script<'_>, name: &str, call: &Call) {
    let pattern_at = (name == "select-string").then(|| {
        let line = call.line();
        [
            "password",
            "secret",
            "token",
            "api_key",
            "apikey",
            "private key",
            "credential",
        ]
        .iter()
        .any(|w| line.contains(w))
            && (has_param(&call.args, "recurse") || line.contains('*') || line.contains("-recurse"))
    });
    if pattern_at == Some(true) && call.line().contains("c:") {
        script.found(
            "reconnaissance/search-secrets",
            Class::Reconnaissance,
            Danger::Block,
            "looks for secrets everywhere",
        );
    }
    if name == "select-string" && call.args.iter().any(|arg| search::is_secret_shape(&arg.text)) {
        script.found(
            "reconnaissance/search-secrets",
            Class::Reconnaissance,
            Danger::Approve,
            "looks for secrets",
        );
    }
    let all = paths(&call.args);
    let is_plain = !call.args.iter().any(|arg| {
        !arg.quoted
            && arg.text.starts_with('-')
            && !matches!(arg.text.to_ascii_lowercase().as_str(), "-force" | "-recurse")
    });
    for (at, arg) in all.iter().enumerate() {
        // Where it is copied to is not read.
        if name == "copy-item" && is_plain && at == 1 && all.len() == 2 {
            write_to(script, &arg.text);
            if !arg.text.starts_with(r"\\") {
                continue;
            }
        }
        // A pattern is data.
        if name == "select-string" && arg.text.len() > 200 {
            continue;
        }
        for path in arg.text.split(',') {
            script.secret(places::secret(path));
        }
        if arg.text.to_ascii_lowercase().starts_with("env:") {
            script.environment();
        }
        if matches!(name, "copy-item" | "move-item") {
            write_to(script, &arg.text);
            if arg.text.starts_with(r"\\") && hosts::of(&script.cx, &arg.text).is_some_and(hosts::is_foreign)
            {
                script.facts.upload = true;
                script.found(
                    "exfiltration/share",
                    Class::Exfiltration,
                    Danger::Block,
                    "copies to or from a share that is not ours",
                );
            }
        }
    }
    if matches!(name, "copy-item" | "move-item")
        && has_param(&call.args, "tosession")
        && call
            .args
            .iter()
            .any(|a| is_param(a, "tosession") && a.text.len() > 3)
    {
        script.found(
            "exfiltration/other-machine",
            Class::Exfiltration,
            Danger::Block,
            "copies to another machine",
        );
    }
    if let Some(input) = call.input.as_ref().filter(|_| name == "get-content") {
        script.secret(places::secret_within(&input.text()));
    }
}

/// Writes files, values of the registry, variables of the environment.
pub(super) fn write(script: &mut Script<'_>, name: &str, call: &Call) {
    for arg in paths(&call.args) {
        if arg.text.len() < 300 {
            write_to(script, &arg.text);
            if matches!(name, "out-file" | "set-content" | "add-content" | "tee-object")
                && arg.text.starts_with(r"\\")
            {
                script.facts.upload = true;
                script.found(
                    "exfiltration/share",
                    Class::Exfiltration,
                    Danger::Block,
                    "writes to a share",
                );
            }
        }
    }
    let line = call.line();
    if line.contains("hklm:") || line.contains("hkcu:") || line.contains("registry::") {
        let rule = "persistence/registry-write";
        if !places::runs_later(&line) {
            script.found(rule, Class::Persistence, Danger::Approve, "changes the registry");
        }
    }
    if line.starts_with("env:") || line.contains(" env:") {
        script.set_environment(&line);
    }
    if name == "set-item" && (line.contains("function:") || line.contains("alias:")) {
        script.found(
            "unclear/redefines",
            Class::Unclear,
            Danger::Approve,
            "gives a command another meaning",
        );
    }
}

/// What writing to a path may do.
pub(super) fn write_to(script: &mut Script<'_>, path: &str) {
    if places::runs_later(path) {
        script.found(
            "persistence/write",
            Class::Persistence,
            Danger::Block,
            "writes what runs by itself",
        );
    }
    if places::supervises(path) {
        script.found(
            "self-approval/settings",
            Class::SelfApproval,
            Danger::Block,
            "writes what an editor or agent may do by itself",
        );
    }
    let plain = places::plain(path);
    if [
        "c:/windows",
        "/etc/",
        "$env:windir",
        "$env:systemroot",
        "//./physicaldrive",
        "/dev/sd",
        "/dev/nvme",
    ]
    .iter()
    .any(|p| plain.starts_with(p))
    {
        script.found(
            "privilege/system-file",
            Class::Privilege,
            Danger::Block,
            "writes to the system",
        );
    }
}

/// Lists files, variables, the registry.
pub(super) fn list(script: &mut Script<'_>, call: &Call) {
    for arg in paths(&call.args) {
        let path = arg.text.to_ascii_lowercase();
        if path.starts_with("env:")
            || path == "env"
                && call.name != "ls"
                && call.name != "dir"
                && call.name != "gci"
                && call.name != "get-childitem"
        {
            script.environment();
        }
        if path.starts_with("cert:") {
            script.found(
                "credential-access/certificates",
                Class::CredentialAccess,
                Danger::Approve,
                "looks at certificates and keys",
            );
        }
        if places::secret(&arg.text) == Danger::Block
            || path.contains("winlogon")
            || path.contains("simontatham")
        {
            script.found(
                "reconnaissance/secret-places",
                Class::Reconnaissance,
                Danger::Approve,
                "looks where secrets lie",
            );
        }
    }
    let line = call.line();
    if line.contains("-recurse") || has_param(&call.args, "recurse") {
        let names = [
            "*.pfx",
            "*.kdbx",
            "*.pem",
            "*password*",
            "*secret*",
            "*credential*",
            "id_rsa",
            "*.ppk",
            "*.key",
            ".env",
            "*.p12",
        ];
        let is_far = paths(&call.args)
            .iter()
            .any(|a| places::loss(&a.text) == places::Loss::Everything);
        if names.iter().any(|n| line.contains(n)) {
            let danger = if is_far { Danger::Block } else { Danger::Approve };
            script.found(
                "reconnaissance/search-secrets",
                Class::Reconnaissance,
                danger,
                "looks for secrets",
            );
        }
    }
}
