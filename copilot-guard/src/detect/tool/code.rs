//! Code that an interpreter or a browser runs: notebook cells, snippets, scripts for pages.

use super::super::command::Shell;
use super::super::judgement::{Class, Danger};
use super::call::Call;

const NETWORK: &[&str] = &[
    "requests.",
    "urllib",
    "httpx",
    "http.client",
    "socket.",
    "aiohttp",
    "fetch(",
    "xmlhttprequest",
    "sendbeacon",
    "websocket(",
    "eventsource(",
    "net.connect",
    "https.request",
    "http.request",
    "https.get",
    "http.get",
    "axios",
    "smtplib",
    "ftplib",
    "paramiko",
    "new image(",
    "open-uri",
    "net::http",
    "tcpsocket",
    "curl_exec",
    "dns.resolve",
    "gethostbyname",
    "dns.lookup",
];

const SECRETS: &[&str] = &[
    "os.environ",
    "process.env",
    "getenv",
    "document.cookie",
    "localstorage",
    "sessionstorage",
    ".ssh/",
    "id_rsa",
    ".aws/",
    ".env",
    ".netrc",
    "/etc/passwd",
    "/etc/shadow",
    "credentials",
    "keyring",
    "getpass",
    "indexeddb",
    ".git-credentials",
    "login data",
];

const READS: &[&str] = &[
    " open(",
    "(open(",
    "=open(",
    "\nopen(",
    "read_text(",
    "read_bytes(",
    "readfile",
    "glob(",
    "os.walk",
    "rglob(",
];

const RUNS: &[&str] = &[
    "os.system",
    "subprocess",
    "os.popen",
    "pty.spawn",
    "child_process",
    "execsync",
    "spawnsync",
    "exec(base64",
    "eval(compile",
    "eval(atob",
    "exec(bytes",
    "marshal.loads",
    "eval(base64",
    "exec(zlib",
];

/// Judges code that stands in a file that building or testing runs: what would be blocked is.
pub(super) fn in_file(call: &mut Call<'_>, language: &str, text: &str) {
    literals_in_file(call, text);
    blocked(call, language, text);
}

/// Judges the commands that stand in a file's texts.
pub(super) fn literals_in_file(call: &mut Call<'_>, text: &str) {
    for literal in literals(text) {
        call.run_in_file(Shell::Bash, &literal, false);
    }
}

/// What the judge of an interpreter's code would block.
fn blocked(call: &mut Call<'_>, language: &str, text: &str) {
    let flag = if language == "python" { "-c" } else { "-e" };
    let argv = [language, flag, text].map(str::to_owned);
    let judgement = call.commands.judge_argv(&argv);
    for finding in judgement.findings {
        if finding.danger == Danger::Block {
            call.judgement.add(finding);
        }
    }
}

/// The language of a tool's code, as its name tells.
fn language(name: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["python", "jupyter", "pylance", "notebook", "mcp__ide__"]) {
        Some("python")
    } else if has(&["javascript", "js_repl", "node", "deno"]) {
        Some("node")
    } else {
        None
    }
}

/// Judges code by the words that stand in it together; commands in it are judged as such.
pub(super) fn judge(call: &mut Call<'_>, text: &str) {
    if let Some(language) = language(call.tool_name()) {
        blocked(call, language, text);
    }
    for line in text.lines() {
        let line = line.trim_start();
        let shell = line
            .strip_prefix("!!")
            .or_else(|| line.strip_prefix('!'))
            .or_else(|| line.strip_prefix("%sx "))
            .or_else(|| line.strip_prefix("%system "));
        if let Some(command) = shell.filter(|c| !c.starts_with('=')) {
            // Names in braces are the notebook's own.
            call.run(Shell::Bash, command, false);
        }
        if let Some(rest) = line
            .strip_prefix("%pip ")
            .or_else(|| line.strip_prefix("%conda "))
        {
            call.run(Shell::Bash, &format!("pip {rest}"), false);
        }
    }
    let first = text.trim_start().lines().next().unwrap_or_default();
    if ["%%bash", "%%sh", "%%script", "%%!"]
        .iter()
        .any(|m| first.starts_with(m))
    {
        let body = text.trim_start().split_once('\n').map_or("", |(_, body)| body);
        call.run(Shell::Bash, body, false);
        return;
    }
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let (network, secrets, runs) = (has(NETWORK), has(SECRETS), has(RUNS));
    if network && secrets {
        call.add(
            "exfiltration/code-sends-secrets",
            Class::Exfiltration,
            Danger::Block,
            "code that reads secrets and uses the network",
        );
    } else if network && has(READS) {
        call.add(
            "exfiltration/code-sends-files",
            Class::Exfiltration,
            Danger::Approve,
            "code that reads files and uses the network",
        );
    } else if network {
        call.add(
            "exfiltration/code-uses-network",
            Class::Exfiltration,
            Danger::Approve,
            "code that uses the network",
        );
    } else if lower.contains("document.cookie") {
        call.add(
            "credential-access/code-reads-cookies",
            Class::CredentialAccess,
            Danger::Approve,
            "code that reads a page's cookies",
        );
    }
    if runs {
        call.add(
            "unclear/code-runs-programs",
            Class::Unclear,
            Danger::Approve,
            "code that runs programs",
        );
        for literal in literals(text) {
            call.run(Shell::Bash, &literal, true);
        }
    }
}

/// Texts in quotes that look like commands.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = text.chars();
    while let Some(quote) = chars.by_ref().find(|c| matches!(c, '"' | '\'' | '`')) {
        let mut literal = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => literal.extend(chars.next()),
                '\n' if quote != '`' => break,
                _ if c == quote => break,
                _ => literal.push(c),
            }
        }
        if super::guess::is_command(&literal) {
            found.push(literal);
        }
    }
    found
}
