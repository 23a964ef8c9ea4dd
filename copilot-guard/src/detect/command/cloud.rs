//! Clients of clouds, forges and stores of secrets.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::words::{Note, Word};
use super::{hosts, paths};

fn operands<'a>(call: &Call<'a>) -> Vec<&'a str> {
    call.args
        .iter()
        .filter(|arg| !arg.text.starts_with('-'))
        .map(|arg| arg.text.as_str())
        .collect()
}

fn secret(out: &mut Outcome, danger_is_sure: bool) {
    if danger_is_sure {
        out.judgement
            .block("credential-access/token", "prints a credential");
    } else {
        out.judgement.approve("credential-access/token", "reads secrets");
    }
    out.out.add(Flow::SECRET);
}

/// Whether an address is of an object store.
fn is_bucket(text: &str) -> bool {
    ["s3://", "gs://", "azure://", "r2://", "oss://", "b2://", "cos://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

/// Judges clients of clouds and of stores of secrets.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    out.out.add(Flow::DATA);
    let words = operands(call);
    let text = super::wrappers::joined(call.args);
    let has = |part: &str| text.contains(part);
    match (call.name, words.as_slice()) {
        ("aws", ["s3" | "s3api", ..])
        | ("gsutil" | "s3cmd" | "s5cmd" | "mc", _)
        | ("gcloud", ["storage", ..])
        | ("az", ["storage", ..]) => bucket(call, &words, out),
        (
            "aws",
            [
                "sts",
                "get-session-token"
                | "assume-role"
                | "get-federation-token"
                | "assume-role-with-web-identity",
                ..,
            ],
        )
        | ("aws", ["configure", "get" | "export-credentials", ..])
        | ("aws", ["ecr", "get-login-password", ..])
        | (
            "aws",
            [
                "secretsmanager",
                "get-secret-value" | "batch-get-secret-value",
                ..,
            ],
        )
        | ("aws", ["sso", "get-role-credentials", ..])
        | ("aws", ["iam", "create-access-key", ..])
        | ("gcloud", ["auth", "print-access-token" | "print-identity-token", ..])
        | ("gcloud", ["auth", "application-default", "print-access-token", ..])
        | ("gcloud", ["secrets", "versions", "access", ..])
        | ("az", ["account", "get-access-token", ..])
        | ("az", ["keyvault", "secret", "show" | "download" | "list", ..])
        | ("vault", ["read" | "kv" | "token" | "print", ..])
        | ("heroku", ["auth:token" | "config" | "config:get", ..])
        | ("fly" | "flyctl", ["auth", "token", ..])
        | (
            "security",
            [
                "find-generic-password" | "find-internet-password" | "dump-keychain" | "export",
                ..,
            ],
        )
        | ("secret-tool", ["lookup" | "search", ..])
        | ("keyctl", ["read" | "print" | "pipe", ..])
        | ("pass", ["show", ..])
        | ("op", ["read" | "item", ..])
        | ("bw", ["get" | "list" | "export", ..]) => secret(out, true),
        ("aws", ["ssm", ..]) if has("--with-decryption") => secret(out, true),
        ("aws", ["configure" | "ssm" | "sso", ..])
        | ("gcloud", ["auth", ..])
        | ("az", ["login" | "ad", ..])
        | ("pass" | "vault" | "op" | "bw" | "security" | "secret-tool" | "keyctl", _) => {
            secret(out, false);
        }
        ("aws", ["iam" | "organizations" | "kms", action, ..]) if !is_reading(action) => {
            out.judgement
                .block("privilege/cloud", "changes rights in a cloud");
        }
        ("aws", ["ec2", "authorize-security-group-ingress", ..]) => out
            .judgement
            .block("privilege/cloud", "opens a cloud to the network"),
        ("aws", [_, action, ..]) => cloud_action(action, out),
        (
            "gcloud" | "az" | "doctl" | "supabase" | "heroku" | "fly" | "flyctl" | "vercel" | "netlify"
            | "wrangler" | "firebase",
            words,
        ) => {
            let is_rights =
                has("add-iam-policy-binding") || has("role assignment create") || has("set-iam-policy");
            if is_rights {
                out.judgement
                    .block("privilege/cloud", "changes rights in a cloud");
            }
            if words.iter().any(|word| {
                matches!(
                    *word,
                    "delete" | "destroy" | "purge" | "apps:destroy" | "pg:reset" | "rm" | "remove" | "reset"
                )
            }) {
                out.judgement.block("destructive/cloud", "deletes in a cloud");
            } else if words.iter().any(|word| {
                matches!(
                    *word,
                    "deploy"
                        | "publish"
                        | "secret"
                        | "env"
                        | "create"
                        | "update"
                        | "ssh"
                        | "start"
                        | "stop"
                        | "--prod"
                )
            }) || call.args.is_empty()
            {
                out.judgement
                    .approve("exfiltration/cloud", "sends code to, or changes, a cloud");
            }
        }
        _ => {}
    }
}

fn is_reading(action: &str) -> bool {
    [
        "list", "get", "describe", "ls", "head", "show", "wait", "help", "tail", "lookup",
    ]
    .iter()
    .any(|verb| action.starts_with(verb))
}

fn cloud_action(action: &str, out: &mut Outcome) {
    let destroys = [
        "delete",
        "terminate",
        "remove",
        "purge",
        "disable",
        "deregister",
        "stop",
        "detach",
        "revoke",
        "cancel",
        "reset",
    ];
    if destroys.iter().any(|verb| action.starts_with(verb)) {
        out.judgement.block("destructive/cloud", "deletes in a cloud");
    } else if !is_reading(action) {
        out.judgement.approve("destructive/cloud", "changes a cloud");
    }
}

fn bucket(call: &Call<'_>, words: &[&str], out: &mut Outcome) {
    let has_verb = |verbs: &[&str]| words.iter().any(|word| verbs.contains(word));
    if has_verb(&[
        "rb",
        "delete-bucket",
        "delete-object",
        "delete-objects",
        "delete-batch",
        "delete",
        "del",
    ]) || (has_verb(&["rm"])
        && call
            .args
            .iter()
            .any(|arg| matches!(arg.text.as_str(), "--recursive" | "-r" | "-rf" | "--all")))
    {
        out.judgement.block("destructive/cloud", "deletes in a store");
    } else if has_verb(&["rm"]) || call.args.iter().any(|arg| arg.text == "--delete") {
        out.judgement.approve("destructive/cloud", "deletes in a store");
    }
    if has_verb(&[
        "put-bucket-policy",
        "put-bucket-acl",
        "put-object-acl",
        "acl",
        "iam",
        "setacl",
    ]) || call.args.iter().any(|arg| arg.text.contains("public-read"))
    {
        out.judgement
            .block("exfiltration/public-store", "opens a store to the public");
    }
    let is_endpoint_foreign = call.args.windows(2).any(|pair| matches!(pair, [flag, url] if flag.text == "--endpoint-url" && hosts::is_foreign(call.cx, url)))
        || call.args.iter().any(|arg| arg.text.strip_prefix("--endpoint-url=").is_some_and(|url| hosts::is_foreign(call.cx, &Word::known(url))));
    let copies = has_verb(&[
        "cp",
        "sync",
        "mv",
        "put",
        "rsync",
        "upload",
        "upload-batch",
        "put-object",
        "copy",
        "pipe",
        "mirror",
    ]);
    if copies {
        let target = words
            .iter()
            .rev()
            .find(|word| is_bucket(word) || word.starts_with(['.', '/']) || word.contains('/'))
            .copied()
            .unwrap_or_default();
        let is_upload = is_bucket(target)
            || has_verb(&["put", "upload", "upload-batch", "put-object", "pipe", "mirror"])
            || call.name == "mc";
        for word in words {
            if !is_bucket(word) {
                let bits = paths::read(&mut out.judgement, call.world.folder, &Word::known(*word));
                out.out.add(bits);
            }
        }
        if is_upload {
            let name = target
                .split("://")
                .nth(1)
                .unwrap_or_default()
                .split('/')
                .next()
                .unwrap_or_default();
            if is_endpoint_foreign || name.is_empty() || hosts::is_foreign(call.cx, &Word::known(name)) {
                out.judgement.block(
                    "exfiltration/upload",
                    "copies to a store that is not known to be ours",
                );
            }
        } else {
            out.judgement
                .approve("exfiltration/request", "copies from a store");
            let file = words.last().copied().unwrap_or_default();
            out.files.push((file.to_owned(), Flow::of(Flow::DOWNLOAD)));
            if file == "-" {
                out.out.add(Flow::DOWNLOAD);
            }
        }
    }
    if has_verb(&["presign", "signurl", "generate-sas"]) {
        out.judgement
            .block("exfiltration/public-store", "an address that anybody can read");
    }
}

/// Judges clients of forges: `gh`, `glab`.
pub(super) fn forge(call: &Call<'_>, out: &mut Outcome) {
    out.out.add(Flow::DATA);
    let words = operands(call);
    let has = |names: &[&str]| call.args.iter().any(|arg| names.contains(&arg.text.as_str()));
    match words.as_slice() {
        ["auth", "token" | "status", ..] => {
            if words.get(1) == Some(&"token") || has(&["-t", "--show-token"]) {
                secret(out, true);
            }
        }
        ["auth" | "config" | "ssh-key" | "gpg-key", verb, ..] if !matches!(*verb, "list" | "get") => {
            out.judgement
                .approve("credential-access/token", "changes the account of a forge");
        }
        ["gist" | "snippet", "create" | "edit", ..] | ["gist"] => {
            out.judgement.block("exfiltration/publish", "publishes files")
        }
        ["release", "create" | "upload", ..] => {
            out.judgement.block("exfiltration/publish", "publishes files")
        }
        ["release", "download", ..] => {
            out.judgement
                .approve("exfiltration/request", "asks a host that is not ours");
            out.out.add(Flow::DOWNLOAD);
        }
        ["repo", "delete" | "archive", ..] | ["release", "delete", ..] => out
            .judgement
            .block("destructive/forge", "deletes a repository or release"),
        [
            "repo",
            "create" | "edit" | "fork" | "rename" | "sync" | "deploy-key",
            ..,
        ] => {
            if has(&["--public"])
                || has(&["--push"])
                || call.args.iter().any(|arg| arg.text.contains("public"))
            {
                out.judgement.block("exfiltration/publish", "makes code public");
            } else {
                out.judgement
                    .approve("exfiltration/publish", "makes or changes repositories");
            }
        }
        ["secret" | "variable", verb, ..] => {
            if *verb != "list" {
                out.judgement.approve(
                    "credential-access/forge-secrets",
                    "changes secrets of a repository",
                );
            }
        }
        ["workflow" | "run", verb, ..]
            if matches!(*verb, "run" | "enable" | "disable" | "delete" | "cancel") =>
        {
            out.judgement
                .approve("remote-code/workflow", "starts or changes workflows");
        }
        ["extension", "install" | "exec" | "upgrade", ..] => out
            .judgement
            .approve("supply-chain/source", "an extension from elsewhere"),
        ["alias", "set", _, script, ..] => {
            out.script(call, script.trim_start_matches('!'));
            out.judgement
                .approve("persistence/alias", "an alias that runs a command");
        }
        ["pr", "merge", ..] => {
            if has(&["--admin"]) {
                out.judgement
                    .block("self-approval/merge", "merges past the rules of the repository");
            } else {
                out.judgement.approve("self-approval/merge", "merges a change");
            }
        }
        ["pr", "review", ..] if has(&["--approve", "-a"]) => {
            out.judgement.approve("self-approval/merge", "approves a change")
        }
        ["api", ..] => api(call, out),
        ["repo", "clone", ..] => out.judgement.approve(
            "supply-chain/git-source",
            "code from a remote that may not be ours",
        ),
        ["codespace", "ssh" | "cp" | "create", ..] => out
            .judgement
            .approve("remote-code/ssh", "runs on another machine"),
        _ => {}
    }
    for (at, arg) in call.args.iter().enumerate() {
        if matches!(
            arg.text.as_str(),
            "--body-file" | "-F" | "--notes-file" | "--input"
        ) && let Some(file) = call.args.get(at + 1)
        {
            let bits = paths::read(&mut out.judgement, call.world.folder, file);
            if bits & Flow::SECRET != 0 {
                out.judgement
                    .block("exfiltration/secret", "sends a file with secrets");
            }
        }
    }
    let posts = matches!(
        words.as_slice(),
        ["issue" | "pr", "create" | "comment" | "edit" | "review", ..]
    );
    if posts && (call.world.tainted | call.stdin.bits()) & Flow::SECRET != 0 {
        out.judgement.block("exfiltration/secret", "publishes secrets");
    }
}

fn api(call: &Call<'_>, out: &mut Outcome) {
    let text = super::wrappers::joined(call.args).to_ascii_lowercase();
    let method = call.args.windows(2).find_map(|pair| {
        matches!(pair, [flag, _] if matches!(flag.text.as_str(), "-X" | "--method"))
            .then(|| pair.get(1))
            .flatten()
    });
    let method = method.map_or(String::new(), |word| word.text.to_uppercase());
    let has_fields = call.args.iter().any(|arg| {
        matches!(
            arg.text.as_str(),
            "-f" | "-F" | "--field" | "--raw-field" | "--input"
        )
    });
    if method == "DELETE" {
        out.judgement.block("destructive/forge", "deletes at a forge");
    } else if text.contains("gists") && (has_fields || method == "POST")
        || text.contains("graphql") && text.contains("mutation")
    {
        out.judgement
            .block("exfiltration/publish", "publishes or changes at a forge");
    } else if has_fields && method != "GET" && !text.contains("graphql")
        || matches!(method.as_str(), "POST" | "PUT" | "PATCH")
    {
        out.judgement.approve("exfiltration/forge", "changes at a forge");
    }
}

/// Judges what builds and destroys infrastructure.
pub(super) fn infrastructure(call: &Call<'_>, out: &mut Outcome) {
    out.out.add(Flow::DATA);
    let words = operands(call);
    let has = |names: &[&str]| call.args.iter().any(|arg| names.contains(&arg.text.as_str()));
    let first = words.first().copied().unwrap_or_default();
    let second = words.get(1).copied().unwrap_or_default();
    match (call.name, first) {
        ("terraform" | "terragrunt" | "pulumi" | "cdk", "destroy" | "down") => out
            .judgement
            .block("destructive/infrastructure", "destroys infrastructure"),
        ("terragrunt", "run-all") if second == "destroy" => out
            .judgement
            .block("destructive/infrastructure", "destroys infrastructure"),
        ("terraform" | "terragrunt", "apply") => {
            if has(&["-destroy", "--destroy", "-auto-approve", "--auto-approve"]) {
                out.judgement.block(
                    "destructive/infrastructure",
                    "changes infrastructure without asking",
                );
            } else {
                out.judgement
                    .approve("destructive/infrastructure", "changes infrastructure");
            }
        }
        ("terraform", "state" | "import" | "taint" | "force-unlock" | "workspace")
            if matches!(second, "rm" | "push" | "mv" | "delete") || first == "force-unlock" =>
        {
            out.judgement.block(
                "destructive/infrastructure",
                "changes the state of infrastructure",
            );
        }
        ("terraform", "state") if second == "pull" => secret(out, false),
        ("terraform", "output") if has(&["-raw", "-json"]) => secret(out, false),
        ("pulumi", "up" | "stack" | "config") | ("cdk", "deploy") => out
            .judgement
            .approve("destructive/infrastructure", "changes infrastructure"),
        ("helm", "uninstall" | "delete" | "rollback") => out
            .judgement
            .block("destructive/cluster", "takes a release out of a cluster"),
        ("helm", "install" | "upgrade") => out.judgement.approve("destructive/cluster", "changes a cluster"),
        ("helm", "repo" | "plugin") if matches!(second, "add" | "install") => out
            .judgement
            .approve("supply-chain/index", "packages from another place"),
        ("helm", _) => {
            if call
                .args
                .iter()
                .any(|arg| arg.text.starts_with("--post-renderer"))
            {
                out.judgement
                    .approve("remote-code/command-option", "an option that runs a command");
            }
        }
        ("ansible" | "ansible-playbook", _) => {
            if !has(&[
                "--check",
                "-C",
                "--syntax-check",
                "--list-hosts",
                "--list-tasks",
                "--version",
            ]) {
                out.judgement.approve("remote-code/ssh", "runs on other machines");
            }
            let module = call
                .args
                .windows(2)
                .find(|pair| matches!(pair, [flag, _] if flag.text == "-a"));
            if let Some(script) = module.and_then(|pair| pair.get(1)) {
                out.script(call, &script.text);
            }
        }
        _ => {}
    }
}
