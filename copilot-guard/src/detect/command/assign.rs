//! Variables that programs run, load or obey.

use super::super::judgement::Judgement;
use super::flow::Flow;
use super::words::{Cx, Note, UNKNOWN, Word};
use super::{hosts, programs, script};

/// Their value is run when something else is.
const HOOKS: &[&str] = &[
    "PROMPT_COMMAND",
    "BASH_ENV",
    "ENV",
    "PYTHONSTARTUP",
    "PERL5DB",
    "ZDOTDIR",
    "BASH_FUNC",
    "PYTHONINSPECT",
];
/// Their value is loaded into programs.
const LOADS: &[&str] = &[
    "LD_PRELOAD",
    "LD_AUDIT",
    "DYLD_INSERT_LIBRARIES",
    "PERL5OPT",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "NODE_OPTIONS",
    "BUN_OPTIONS",
    "PYTHONHOME",
    "GCONV_PATH",
    "OPENSSL_CONF",
    "GIT_EXEC_PATH",
    "GIT_TEMPLATE_DIR",
];
/// Their value is a command.
const COMMANDS: &[&str] = &[
    "PAGER",
    "GIT_PAGER",
    "MANPAGER",
    "EDITOR",
    "VISUAL",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
    "SHELL",
    "RSYNC_RSH",
    "GIT_PROXY_COMMAND",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "RUSTC_WRAPPER",
    "MAKESHELL",
    "FCEDIT",
    "SVN_SSH",
    "CVS_RSH",
    "HGMERGE",
    "PSQL_PAGER",
    "AWS_PAGER",
    "GH_PAGER",
];
/// They say where the answers of the model come from.
const GATEWAYS: &[&str] = &[
    "ANTHROPIC_BASE_URL",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "ANTHROPIC_API_URL",
    "COPILOT_API_URL",
    "GH_COPILOT_OVERRIDE_PROXY_URL",
    "GITHUB_COPILOT_PROXY_URL",
    "CODEX_BASE_URL",
    "ANTHROPIC_BEDROCK_BASE_URL",
    "AZURE_OPENAI_ENDPOINT",
    "GEMINI_BASE_URL",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CONFIG_DIR",
    "COPILOT_ALLOW_ALL",
    "CLAUDE_CODE_SKIP_PERMISSIONS",
];
/// They say where packages come from.
const INDEXES: &[&str] = &[
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "NPM_CONFIG_REGISTRY",
    "YARN_REGISTRY",
    "GOPROXY",
    "GONOSUMDB",
    "GONOSUMCHECK",
    "GOINSECURE",
    "GOFLAGS",
    "CARGO_REGISTRY_DEFAULT",
    "GEM_SOURCE",
    "BUNDLE_MIRROR__ALL",
    "HOMEBREW_BOTTLE_DOMAIN",
    "PIP_TRUSTED_HOST",
    "PIP_FIND_LINKS",
];
/// Set like this, certificates are not checked.
const UNCHECKED: &[(&str, &[&str])] = &[
    ("GIT_SSL_NO_VERIFY", &["1", "true", "yes", "on"]),
    ("NODE_TLS_REJECT_UNAUTHORIZED", &["0"]),
    ("PYTHONHTTPSVERIFY", &["0"]),
    ("CURL_INSECURE", &["1"]),
    ("HTTPS_PROXY_INSECURE", &["1"]),
    ("GOSUMDB", &["off"]),
];

fn is_proxy(name: &str) -> bool {
    matches!(
        name,
        "HTTP_PROXY" | "HTTPS_PROXY" | "ALL_PROXY" | "FTP_PROXY" | "SOCKS_PROXY" | "NO_PROXY"
    )
}

/// Judges a variable that is set.
pub(super) fn judge(cx: &Cx<'_>, name: &str, value: &Word, out: &mut Judgement) {
    let upper = name.to_ascii_uppercase();
    let name = upper.as_str();
    let text = value.text.as_str();
    if HOOKS.contains(&name) || name.starts_with("BASH_FUNC_") {
        let (judgement, _) = script::nested(cx, text, &Flow::default());
        out.merge(judgement);
        out.approve(
            "persistence/hook-variable",
            "a variable whose value runs with other commands",
        );
    } else if LOADS.contains(&name) {
        let is_tuning = matches!(
            name,
            "NODE_OPTIONS" | "JAVA_TOOL_OPTIONS" | "_JAVA_OPTIONS" | "JDK_JAVA_OPTIONS"
        ) && !value.dynamic
            && text.split_whitespace().all(|option| {
                [
                    "--max",
                    "--trace",
                    "--no-warnings",
                    "--enable-source-maps",
                    "--experimental-vm",
                    "--unhandled",
                    "--stack",
                    "-Xm",
                    "-XX",
                    "-Xs",
                    "-Dfile",
                    "-Duser",
                    "--openssl-legacy",
                ]
                .iter()
                .any(|known| option.starts_with(known))
            });
        if !is_tuning && !text.is_empty() {
            out.block(
                "persistence/load-variable",
                "a variable that loads code into programs",
            );
        }
    } else if COMMANDS.contains(&name) {
        command(cx, value, out);
    } else if GATEWAYS.contains(&name) {
        if hosts::is_url(text) && !hosts::is_foreign(cx, value) {
            out.approve(
                "self-approval/gateway",
                "changes where answers of the model come from",
            );
        } else {
            out.block(
                "self-approval/gateway",
                "changes where answers of the model come from",
            );
        }
    } else if name == "NO_PROXY" {
        if text.split(',').any(|host| host.trim() == "*") || value.dynamic {
            out.block("self-approval/proxy", "goes past the proxy");
        }
    } else if is_proxy(name) {
        if text.is_empty() {
            out.block("self-approval/proxy", "goes past the proxy");
        } else if hosts::is_foreign(cx, value) {
            out.block("exfiltration/proxy", "sends traffic by a host that is not ours");
        }
    } else if INDEXES.contains(&name) {
        let is_usual = matches!(
            text,
            "direct" | "off" | "https://proxy.golang.org,direct" | "https://proxy.golang.org" | ""
        );
        let is_flag = name == "GOFLAGS" && !text.contains("insecure") && !text.contains("toolexec");
        if !is_usual && !is_flag && (!hosts::is_url(text) || hosts::is_foreign(cx, value)) {
            out.approve("supply-chain/index", "packages from another place");
        }
    } else if UNCHECKED
        .iter()
        .any(|(known, values)| *known == name && values.contains(&text.to_ascii_lowercase().as_str()))
    {
        out.approve("privilege/unchecked-tls", "certificates are not checked");
    } else if matches!(name, "HISTFILE" | "HISTSIZE" | "HISTFILESIZE" | "HISTCONTROL") {
        if matches!(text, "/dev/null" | "0" | "") {
            out.approve("destructive/history", "keeps no history of commands");
        }
    } else if name == "PATH" {
        let is_odd = |folder: &str| {
            folder.is_empty()
                || folder.starts_with('.')
                || ["/tmp", "/var/tmp", "/dev/shm"]
                    .iter()
                    .any(|t| folder.starts_with(t))
        };
        let first = text.split(':').next().unwrap_or_default();
        if is_odd(first)
            && !text.trim_matches(UNKNOWN).is_empty()
            && !first.starts_with("./node_modules/.bin")
        {
            out.approve(
                "persistence/path",
                "programs are looked for in a folder that anybody writes to",
            );
        }
    } else if name.starts_with("GIT_CONFIG") && !matches!(text, "/dev/null") && name != "GIT_CONFIG_NOSYSTEM"
    {
        out.approve(
            "persistence/git-config",
            "configuration of git from the environment",
        );
    } else if matches!(name, "PS1" | "PS2" | "PS4") && (text.contains("$(") || text.contains('`')) {
        let (judgement, _) = script::nested(cx, &format!(": \"{text}\""), &Flow::default());
        out.merge(judgement);
        out.approve("persistence/hook-variable", "a prompt that runs commands");
    }
}

fn command(cx: &Cx<'_>, value: &Word, out: &mut Judgement) {
    const HARMLESS: &[&str] = &[
        "cat", "less", "more", "vim", "nano", "emacs", "code", "true", ":", "", "ssh", "delta", "bat", "hx",
        "micro", "sccache", "bash", "zsh", "sh", "firefox",
    ];
    let (judgement, _) = script::nested(cx, &value.text, &Flow::default());
    let is_clean = judgement
        .findings
        .iter()
        .all(|finding| finding.rule == "remote-code/ssh");
    out.merge(judgement);
    let first = value.text.split_whitespace().next().unwrap_or_default();
    let name = programs::canonical(first.rsplit('/').next().unwrap_or_default());
    let is_shell = programs::SHELLS.contains(&name.as_str()) && value.text.contains(' ');
    if !is_clean
        || is_shell
        || value.dynamic
        || !HARMLESS.contains(&name.as_str())
        || first.starts_with("./")
        || first.starts_with("/tmp")
    {
        out.approve(
            "persistence/command-variable",
            "a variable whose value is run by other programs",
        );
    }
}

/// Judges a variable that is taken away.
pub(super) fn unset(name: &str, out: &mut Judgement) {
    let name = name.to_ascii_uppercase();
    if is_proxy(&name) || GATEWAYS.contains(&name.as_str()) {
        out.block("self-approval/proxy", "goes past the proxy");
    } else if matches!(name.as_str(), "HISTFILE" | "PROMPT_COMMAND") {
        out.approve("destructive/history", "keeps no history of commands");
    }
}
