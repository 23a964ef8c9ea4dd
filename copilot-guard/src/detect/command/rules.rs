//! Which rules look at which program.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::words::Note;
use super::{
    builtins, cloud, containers, curl, database, files, git, gtfo, hosts, literal, net, packages, paths,
    programs, search, system,
};

/// Judges a command without wrappers.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    for arg in call.args.iter().filter(|_| !is_data(call.name)) {
        if paths::is_socket(&arg.text) {
            out.judgement.block(
                "exfiltration/shell-socket",
                "a connection that the shell itself opens",
            );
        }
        let may_be = ["://", "169.254", "metadata", "fd00:"]
            .iter()
            .any(|part| arg.text.contains(part));
        if may_be && arg.text.len() < 512 && hosts::is_metadata(&arg.text) {
            out.judgement.block(
                "credential-access/metadata",
                "asks the cloud for credentials of this machine",
            );
        }
    }
    builtins::judge(call.cx, call.name, call.args, &mut out.judgement);
    gtfo::judge(call, out);
    match call.name {
        "curl" => curl::judge(call, out),
        "wget" | "aria2c" | "axel" | "lwp-download" | "fetch" => net::wget(call, out),
        "httpie" => net::httpie(call, out),
        "nc" | "socat" | "telnet" | "ftp" | "lftp" | "ncftp" | "ncftpput" | "tftp" | "websocat" | "wscat"
        | "smbclient" | "busybox-nc" => {
            net::socket(call, out);
        }
        "scp" | "rsync" | "sftp" | "rclone" | "unison" | "croc" | "wormhole" | "magic-wormhole"
        | "lsyncd" | "restic" | "borg" | "kopia" | "duplicity" => net::copy(call, out),
        "dig" | "nslookup" | "host" | "ping" | "ping6" | "traceroute" | "tracepath" | "mtr" | "drill"
        | "kdig" | "resolvectl" | "getent" | "whois" | "finger" | "dog" | "doggo" => {
            net::name(call, out);
        }
        "mail" | "sendmail" | "mutt" | "swaks" | "msmtp" | "ssmtp" | "exim" => net::mail(call, out),
        "ngrok" | "cloudflared" | "localtunnel" | "lt" | "bore" | "frpc" | "chisel" | "tailscale"
        | "zrok" | "serveo" => {
            net::tunnel(call, out);
        }
        "lynx" | "links" | "w3m" | "elinks" | "chromium" | "google-chrome" | "xdg-open" | "open"
        | "start" => net::browser(call, out),
        "git" => git::judge(call, out),
        "gh" | "hub" | "glab" => cloud::forge(call, out),
        "aws" | "gcloud" | "gsutil" | "az" | "doctl" | "s3cmd" | "s5cmd" | "mc" | "vault" | "op" | "bw"
        | "pass" | "security" | "secret-tool" | "keyctl" | "heroku" | "vercel" | "netlify" | "fly"
        | "flyctl" | "wrangler" | "firebase" | "supabase" => {
            cloud::judge(call, out);
        }
        "terraform" | "terragrunt" | "pulumi" | "cdk" | "helm" | "ansible" | "ansible-playbook" => {
            cloud::infrastructure(call, out)
        }
        "docker" | "compose" | "kubectl" => containers::judge(call, out),
        "npm" | "pnpm" | "yarn" | "bun" | "pip" | "uv" | "poetry" | "pipx" | "pdm" | "conda" | "mamba"
        | "gem" | "bundle" | "cargo" | "go" | "composer" | "dotnet" | "nuget" | "brew" | "apt" | "yum"
        | "dnf" | "apk" | "pacman" | "zypper" | "snap" | "dpkg" | "rpm" | "twine" | "choco" | "winget"
        | "easy_install" | "mvn" | "gradle" | "gradlew" | "nix" | "nix-env" | "luarocks" | "cpan"
        | "cpanm" => {
            packages::judge(call, out);
        }
        "psql" | "mysql" | "sqlite3" | "duckdb" | "mongo" | "mongosh" | "redis-cli" | "sqlcmd"
        | "sqlplus" | "clickhouse-client" | "cqlsh" | "dropdb" | "mysqldump" | "pg_dump" | "pg_dumpall"
        | "mongodump" => database::judge(call, out),
        "grep" | "rg" | "find" | "fd" | "locate" | "trufflehog" | "gitleaks" | "detect-secrets"
        | "mimikatz" | "lazagne" | "linpeas" | "linpeas.sh" => {
            search::judge(call, out);
        }
        "printenv" | "set" if call.args.is_empty() => {
            out.judgement
                .approve("credential-access/environment", "prints the whole environment");
            out.out.add(Flow::SECRET | Flow::MACHINE);
        }
        "printenv" => {
            let is_secret = call.args.iter().any(|arg| files::is_secret_name(&arg.text));
            if is_secret {
                out.judgement.approve(
                    "credential-access/environment",
                    "prints a secret of the environment",
                );
                out.out.add(Flow::SECRET);
            }
        }
        "unset" => call
            .args
            .iter()
            .for_each(|arg| super::assign::unset(&arg.text, &mut out.judgement)),
        "whoami" | "hostname" | "id" | "uname" | "ifconfig" | "ip" | "ps" | "w" | "who" | "last"
        | "netstat" | "ss" => {
            out.out.add(Flow::MACHINE | Flow::DATA);
            system::judge(call, out);
        }
        _ => {
            system::judge(call, out);
            files::judge(call, out);
        }
    }
    if out.out.is_empty()
        && !matches!(
            call.name,
            "true" | "false" | ":" | "test" | "[" | "sleep" | "mkdir" | "rm" | "touch" | "exit"
        )
    {
        out.out.add(Flow::DATA | call.stdin.bits());
    }
    if matches!(call.name, "echo" | "printf")
        && call.world.tainted & Flow::SECRET != 0
        && call.stdin.is_empty()
    {
        out.judgement
            .approve("credential-access/environment", "prints a secret");
    }
    if matches!(
        call.name,
        "grep"
            | "rg"
            | "head"
            | "tail"
            | "sort"
            | "uniq"
            | "tr"
            | "sed"
            | "tee"
            | "cat"
            | "shuf"
            | "tac"
            | "cut"
    ) && out.out.paths.is_empty()
        && out.out.text.is_none()
    {
        out.out.paths.clone_from(&call.stdin.paths);
    }
    compiled(call, out);
    unknown(call, out);
    // What secrets were put into goes where it goes.
    out.out.add(call.world.tainted & (Flow::SECRET | Flow::DOWNLOAD));
}

/// Programs whose arguments are text that they print or keep.
fn is_data(name: &str) -> bool {
    matches!(
        name,
        "echo" | "printf" | "grep" | "rg" | "git" | "gh" | ":" | "true" | "test" | "[" | "expr" | "jq"
    )
}

/// A program that is built here from sources that are known is one of the project's, wherever it lies.
fn compiled(call: &Call<'_>, out: &mut Outcome) {
    const COMPILERS: &[&str] = &[
        "gcc", "g++", "cc", "c++", "clang", "clang++", "rustc", "tcc", "gfortran", "ldc2", "dmd",
    ];
    if !COMPILERS.contains(&call.name) || !out.judgement.findings.is_empty() {
        return;
    }
    let options =
        super::opts::Options::read(call.args, "oILlDxWfmgOU", &["out-dir", "edition", "crate-type"]);
    let mut flow = Flow::default();
    for source in &options.operands {
        match call.world.file(&source.text) {
            Some(known) => flow.add(known.bits()),
            None if paths::is_temporary(&source.text) || source.dynamic => return,
            None => {}
        }
    }
    if options.operands.is_empty() || !call.stdin.is_empty() {
        return;
    }
    for target in options
        .values(&["o"])
        .into_iter()
        .filter(|target| !target.dynamic)
    {
        out.files.push((target.text.clone(), flow.clone()));
    }
}

/// A program without rules, or one of the project: paths and addresses among its arguments.
fn unknown(call: &Call<'_>, out: &mut Outcome) {
    let own_path = call.name.contains('/');
    if programs::is_known(call.name) || literal::output(call.name, &[], call.stdin).is_some() || own_path {
        return;
    }
    for arg in call.args {
        let value = arg
            .text
            .split_once('=')
            .map_or(arg.text.as_str(), |(_, value)| value);
        let word = super::words::Word {
            text: value.to_owned(),
            dynamic: arg.dynamic,
        };
        if hosts::is_foreign_url(call.cx, &word) {
            out.judgement.approve(
                "unclear/address",
                "an unknown program with an address that is not ours",
            );
        }
        let is_secret = paths::is_secret(call.world.folder, &word);
        if is_secret {
            out.judgement.approve(
                "credential-access/unknown-reader",
                "an unknown program with a file that may hold credentials",
            );
            out.out.add(Flow::SECRET);
        }
    }
}
