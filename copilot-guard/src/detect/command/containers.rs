//! Containers and clusters: what runs inside, and what of the outside it sees.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::words::{Note, Word};
use super::wrappers::Peel;
use super::{hosts, paths};

const RUN_VALUES: &[&str] = &[
    "volume",
    "mount",
    "env",
    "env-file",
    "name",
    "network",
    "net",
    "user",
    "workdir",
    "publish",
    "entrypoint",
    "cap-add",
    "cap-drop",
    "device",
    "security-opt",
    "pid",
    "ipc",
    "uts",
    "userns",
    "memory",
    "cpus",
    "platform",
    "label",
    "hostname",
    "add-host",
    "dns",
    "restart",
    "log-driver",
    "log-opt",
    "gpus",
    "ulimit",
    "tmpfs",
    "shm-size",
    "runtime",
    "cgroupns",
    "volumes-from",
    "expose",
    "link",
    "pull",
    "index",
    "stop-signal",
    "cidfile",
    "group-add",
];

const KUBECTL_VALUES: &[&str] = &[
    "namespace",
    "container",
    "context",
    "kubeconfig",
    "cluster",
    "user",
    "server",
    "token",
    "selector",
    "filename",
    "output",
    "image",
    "overrides",
    "restart",
    "as",
    "as-group",
    "certificate-authority",
];

/// The command inside of `exec` and `run`.
pub(super) fn peel<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let Some(at) = call
        .args
        .iter()
        .position(|arg| matches!(arg.text.as_str(), "exec" | "run" | "create" | "debug"))
    else {
        return Peel::Not;
    };
    let before = call.args.get(..at).unwrap_or_default();
    if before.iter().any(|arg| {
        matches!(
            arg.text.as_str(),
            "build" | "buildx" | "apply" | "get" | "delete" | "rollout" | "logs" | "describe"
        )
    }) {
        return Peel::Not;
    }
    judge(call, out);
    let args = call.args.get(at + 1..).unwrap_or_default();
    if call.name == "kubectl" {
        let cut = args.iter().position(|arg| arg.text == "--");
        let rest = match cut {
            Some(cut) => args.get(cut + 1..).unwrap_or_default(),
            None => operands_from(args, "cnfo", KUBECTL_VALUES, 1),
        };
        if rest
            .iter()
            .all(|arg| super::programs::SHELLS.contains(&arg.text.rsplit('/').next().unwrap_or_default()))
        {
            out.judgement
                .approve("privilege/container-shell", "a shell in another container");
        }
        return Peel::Inner(rest);
    }
    let options = Options::read(args, "vepuwhlmac", RUN_VALUES);
    let rest = operands_from(args, "vepuwhlmac", RUN_VALUES, 1);
    let entrypoint = options.values(&["entrypoint"]);
    match entrypoint.first().filter(|word| !word.text.is_empty()) {
        Some(program) => {
            let mut argv = vec![(*program).clone()];
            argv.extend(rest.iter().cloned());
            Peel::Owned(argv, 0)
        }
        None => Peel::Inner(rest),
    }
}

/// What stands behind options and so many operands.
fn operands_from<'a>(args: &'a [Word], short: &str, long: &[&str], skip: usize) -> &'a [Word] {
    let mut left = skip;
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let text = arg.text.as_str();
        if let Some(name) = text.strip_prefix("--") {
            at += 1 + usize::from(long.contains(&name));
        } else if text.starts_with('-') && text.len() > 1 {
            let last = text.chars().last().unwrap_or('-');
            let first_value = text.chars().skip(1).position(|c| short.contains(c));
            let takes = short.contains(last) && first_value == Some(text.chars().count() - 2);
            at += 1 + usize::from(takes);
        } else if left > 0 {
            left -= 1;
            at += 1;
        } else {
            break;
        }
    }
    args.get(at..).unwrap_or_default()
}

/// Judges containers and clusters.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    out.out.add(Flow::DATA);
    if call.name == "kubectl" {
        kubectl(call, out)
    } else {
        docker(call, out)
    }
}

fn docker(call: &Call<'_>, out: &mut Outcome) {
    let args = call.args;
    let has = |words: &[&str]| args.iter().any(|arg| words.contains(&arg.text.as_str()));
    let options = Options::read(args, "vepuwhlmacHf", RUN_VALUES);
    let is_privileged = args
        .iter()
        .any(|arg| arg.text.starts_with("--privileged") && arg.text != "--privileged=false");
    let caps = options.values(&[
        "cap-add",
        "security-opt",
        "pid",
        "ipc",
        "uts",
        "userns",
        "net",
        "network",
        "device",
    ]);
    if is_privileged {
        out.judgement
            .block("privilege/container", "a container with all rights");
    }
    for value in caps {
        let lower = value.text.to_ascii_lowercase();
        if lower.contains("sys_admin")
            || lower.contains("sys_ptrace")
            || lower.contains("sys_module")
            || lower == "all"
            || lower.contains("unconfined")
            || lower.contains("label=disable")
            || lower.contains("label:disable")
            || lower.contains("dac_")
            || lower.starts_with("/dev/")
        {
            out.judgement
                .block("privilege/container", "a container with more rights");
        } else if lower == "host" {
            out.judgement
                .approve("privilege/container", "a container in the host's own namespace");
        }
    }
    for mount in options.values(&["v", "volume", "mount"]) {
        volume(call, mount, out);
    }
    for host in options.values(&["H", "host"]) {
        if hosts::is_foreign(call.cx, host) {
            out.judgement
                .approve("exfiltration/connection", "another machine's containers");
        }
    }
    let verbs: Vec<&str> = args
        .iter()
        .filter(|arg| !arg.text.starts_with('-'))
        .map(|arg| arg.text.as_str())
        .collect();
    match verbs.as_slice() {
        ["push", image, ..] | ["image", "push", image, ..] => {
            let host = image.split('/').next().unwrap_or_default();
            let is_named = host.contains(['.', ':']) && image.contains('/');
            if !is_named || hosts::is_foreign(call.cx, &Word::known(host)) {
                out.judgement.block(
                    "exfiltration/publish",
                    "sends an image to a registry that is not ours",
                );
            }
        }
        ["login", ..] => out
            .judgement
            .approve("credential-access/registry", "uses the account of a registry"),
        [
            "system" | "volume" | "image" | "container" | "builder" | "buildx" | "network",
            "prune",
            ..,
        ] => {
            out.judgement
                .approve("destructive/containers", "deletes what is not in use");
        }
        ["volume", "rm", ..] => out.judgement.approve("destructive/containers", "deletes volumes"),
        ["rm" | "rmi" | "kill" | "stop", ..] => {
            if args.iter().any(|arg| arg.dynamic) {
                out.judgement
                    .approve("destructive/containers", "deletes containers or images");
            }
        }
        ["cp", from, to, ..] => {
            let bits = paths::read(
                &mut out.judgement,
                call.world.folder,
                &Word::known(from.rsplit(':').next().unwrap_or_default()),
            );
            out.out.add(bits);
            if !to.contains(':') {
                paths::write(&mut out.judgement, call.world.folder, &Word::known(*to));
            }
        }
        ["save" | "export" | "commit", ..] => out
            .judgement
            .approve("exfiltration/image", "takes a copy of an image"),
        ["swarm" | "plugin" | "context" | "trust", ..]
            if has(&["init", "join", "install", "create", "use", "import"]) =>
        {
            out.judgement
                .approve("privilege/container", "changes how containers run");
        }
        ["down", ..] if has(&["-v", "--volumes", "--rmi"]) => {
            out.judgement.approve("destructive/containers", "deletes volumes")
        }
        ["compose", rest @ ..] if rest.contains(&"down") && has(&["-v", "--volumes", "--rmi"]) => {
            out.judgement.approve("destructive/containers", "deletes volumes")
        }
        ["inspect", ..] | ["container" | "image", "inspect", ..] => {
            if args.iter().any(|arg| arg.text.contains("Env")) {
                out.judgement.approve(
                    "credential-access/environment",
                    "prints the environment of a container",
                );
                out.out.add(Flow::SECRET);
            }
        }
        ["build", rest @ ..] | ["buildx", "build", rest @ ..] => {
            for context in rest {
                if hosts::is_url(context) && hosts::is_foreign(call.cx, &Word::known(*context)) {
                    out.judgement
                        .approve("supply-chain/source", "builds from an address that is not ours");
                }
            }
            if args.iter().any(|arg| arg.text == "--push") {
                out.judgement
                    .approve("exfiltration/publish", "sends an image to a registry");
            }
        }
        _ => {}
    }
    for value in options.values(&["env-file"]) {
        let _ = value;
    }
}

fn volume(call: &Call<'_>, mount: &Word, out: &mut Outcome) {
    let text = mount.text.as_str();
    let source = text
        .split(',')
        .find_map(|part| part.strip_prefix("source=").or_else(|| part.strip_prefix("src=")))
        .unwrap_or_else(|| text.split(':').next().unwrap_or_default());
    let path = paths::normal(call.world.folder, source);
    let bare = path.trim_end_matches('/');
    if bare.is_empty() && source.starts_with('/')
        || matches!(
            bare,
            "/etc"
                | "/root"
                | "/var"
                | "/proc"
                | "/sys"
                | "/boot"
                | "/dev"
                | "/home"
                | "/usr"
                | "/var/run"
                | "/run"
                | "/lib"
                | "~"
        )
        || bare.ends_with("docker.sock")
        || bare.starts_with("/etc/")
        || bare.ends_with("containerd.sock")
    {
        out.judgement.block(
            "privilege/container-mount",
            "a container that sees the host's own files",
        );
    } else if paths::is_secret(call.world.folder, &Word::known(source)) {
        out.judgement
            .approve("privilege/container-mount", "a container that sees secrets");
    }
}

fn kubectl(call: &Call<'_>, out: &mut Outcome) {
    let args = call.args;
    let operands: Vec<&str> = Options::read(args, "ncfol", KUBECTL_VALUES)
        .operands
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    let has = |words: &[&str]| args.iter().any(|arg| words.contains(&arg.text.as_str()));
    let is_dry = args.iter().any(|arg| {
        matches!(
            arg.text.as_str(),
            "--dry-run" | "--dry-run=client" | "--dry-run=server"
        )
    });
    let is_secret = operands.iter().skip(1).any(|kind| kind.starts_with("secret"));
    match operands.as_slice() {
        ["delete", kind, ..] => {
            let is_wide = matches!(
                *kind,
                "ns" | "namespace" | "namespaces" | "pv" | "pvc" | "node" | "nodes" | "crd" | "all"
            ) || has(&["--all", "-A", "--all-namespaces"]);
            if is_wide {
                out.judgement
                    .block("destructive/cluster", "deletes much of a cluster");
            } else {
                out.judgement
                    .approve("destructive/cluster", "deletes objects of a cluster");
            }
        }
        ["delete"] => out
            .judgement
            .approve("destructive/cluster", "deletes objects of a cluster"),
        ["get" | "describe" | "edit", ..] if is_secret => {
            out.judgement
                .approve("credential-access/cluster", "reads secrets of a cluster");
            out.out.add(Flow::SECRET);
        }
        ["config", "view", ..] if has(&["--raw"]) => {
            out.judgement
                .block("credential-access/cluster", "reads credentials of a cluster");
            out.out.add(Flow::SECRET);
        }
        ["create", "token", ..] => {
            out.judgement
                .block("credential-access/cluster", "makes a credential of a cluster");
            out.out.add(Flow::SECRET);
        }
        ["drain" | "cordon" | "taint", ..] => out
            .judgement
            .approve("destructive/cluster", "takes a machine out of a cluster"),
        [
            "apply" | "create" | "replace" | "patch" | "scale" | "set" | "edit" | "rollout" | "label"
            | "annotate",
            ..,
        ] => {
            let is_remote = args.iter().any(|arg| hosts::is_foreign_url(call.cx, arg));
            let is_role = operands
                .iter()
                .any(|word| word.contains("clusterrole") || word.contains("rolebinding"));
            if is_remote {
                out.judgement
                    .block("supply-chain/manifest", "runs what an address gives in a cluster");
            } else if is_role {
                out.judgement
                    .block("privilege/cluster", "changes rights of a cluster");
            } else if !is_dry && (!matches!(operands.first(), Some(&"rollout")) || has(&["undo", "restart"]))
            {
                out.judgement.approve("destructive/cluster", "changes a cluster");
            }
        }
        ["cp", from, to, ..] => {
            let local = if from.contains(':') { to } else { from };
            let bits = paths::read(&mut out.judgement, call.world.folder, &Word::known(*local));
            if bits & Flow::SECRET != 0 {
                out.judgement
                    .block("exfiltration/secret", "sends a file with secrets");
            }
            out.judgement
                .approve("exfiltration/cluster", "copies files from or to a container");
        }
        ["exec" | "debug" | "attach", ..] => out
            .judgement
            .approve("privilege/container-shell", "runs in a container of a cluster"),
        ["run", ..]
            if has(&["--privileged"])
                || args
                    .iter()
                    .any(|arg| arg.text.contains("hostPID") || arg.text.contains("privileged")) =>
        {
            out.judgement
                .block("privilege/container", "a container with all rights");
        }
        ["proxy" | "port-forward", ..] => {
            if args.iter().any(|arg| arg.text.contains("0.0.0.0")) {
                out.judgement
                    .block("exfiltration/tunnel", "opens a cluster to the network");
            }
        }
        _ => {}
    }
}
