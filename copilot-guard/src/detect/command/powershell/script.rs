//! What is known of a script as a whole: findings, names it gave, and what only counts in pairs.

use std::collections::HashMap;

use super::super::super::judgement::{Class, Danger, Judgement};
use super::super::super::network::HostClass;
use super::super::windows::{self, finding, hosts, places};
use super::super::words::Cx;
use super::cmdlets::{self, Call};
use super::names::canonical;
use super::types::{LOADERS, TYPES};
use super::value::Value;
use super::{Arg, judge};

/// What only counts together with something else.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Something was fetched from a host that is not this machine's or internal.
    pub(super) download: bool,
    /// A host that is not ours is talked to.
    pub(super) foreign: bool,
    /// Data is sent.
    pub(super) upload: bool,
    /// Text that cannot be told runs as code.
    pub(super) dynamic_sink: bool,
    /// A secret was read.
    pub(super) secret: bool,
    /// Something was decoded that could not be computed.
    pub(super) decoded: bool,
    /// A name was hidden on purpose.
    pub(super) obscured: bool,
    /// Files were packed into one.
    pub(super) packed: bool,
    /// Where what was fetched went.
    saved: Vec<String>,
    /// What was run.
    ran: Vec<String>,
}

/// One script.
pub(super) struct Script<'a> {
    pub(super) cx: Cx<'a>,
    pub(super) judgement: Judgement,
    pub(super) facts: Facts,
    aliases: HashMap<String, String>,
}

impl<'a> Script<'a> {
    pub(super) fn new(cx: Cx<'a>) -> Self {
        Self {
            cx,
            judgement: Judgement::default(),
            facts: Facts::default(),
            aliases: HashMap::new(),
        }
    }

    pub(super) fn found(&mut self, rule: &'static str, class: Class, danger: Danger, reason: &str) {
        if danger > Danger::Allow {
            self.judgement.add(finding(rule, class, danger, reason));
        }
    }

    /// The context of a script within this one.
    pub(super) fn inner(&self) -> Cx<'a> {
        Cx {
            depth: self.cx.depth.saturating_add(1),
            ..self.cx
        }
    }

    pub(super) fn alias(&self, name: &str) -> Option<String> {
        self.aliases.get(name).cloned()
    }

    pub(super) fn set_alias(&mut self, name: String, means: String) {
        self.aliases.insert(name, means);
    }

    /// Judges a command by the words it consists of.
    pub(super) fn command(&mut self, path: &str, dynamic: bool, args: Vec<Arg>, input: Option<Value>) {
        let name = windows::base(path);
        // The last part of a path tells the program, whatever stands before it.
        let is_known =
            !dynamic || (path.contains(['/', '\\']) && !name.is_empty() && !name.contains(['$', '?']));
        if !is_known {
            self.dynamic_command(path, &args);
            self.ran(path);
            return;
        }
        if path.starts_with(r"\\") && hosts::of(&self.cx, path).is_some_and(hosts::is_foreign) {
            self.found(
                "remote-code/share",
                Class::RemoteCode,
                Danger::Block,
                "runs a program from a share",
            );
        }
        let call = Call {
            name,
            path: path.to_ascii_lowercase(),
            args,
            input,
        };
        if call.path.contains("_profile.ps1") || call.path == "$profile" {
            self.found(
                "unclear/profile",
                Class::Unclear,
                Danger::Approve,
                "runs a profile",
            );
        }
        cmdlets::judge(self, &call);
    }

    /// The command itself is not known.
    fn dynamic_command(&mut self, path: &str, args: &[Arg]) {
        let text: String = args.iter().map(|a| a.text.as_str()).collect::<Vec<_>>().join(" ");
        let is_bad = hosts::within(&self.cx, &text).is_some_and(hosts::is_foreign)
            || places::secret_within(&text) == Danger::Block;
        let is_obscured = [
            ")[",
            "-join",
            "-f ",
            "-replace",
            "[char",
            "comspec",
            "pshome",
            "shellid",
            "verbosepreference",
            "gcm ",
            "get-command",
            "*",
        ]
        .iter()
        .any(|s| path.to_ascii_lowercase().contains(s));
        self.facts.obscured |= is_obscured;
        self.facts.dynamic_sink = true;
        let danger = if is_bad || is_obscured {
            Danger::Block
        } else {
            Danger::Approve
        };
        self.found(
            "unclear/dynamic-command",
            Class::Unclear,
            danger,
            "runs a command that cannot be told",
        );
    }

    /// `Invoke-Expression` and all that does the same.
    pub(super) fn expression(&mut self, call: &Call) {
        let args: Vec<&Arg> = call
            .args
            .iter()
            .filter(|a| a.quoted || !"-command".starts_with(&a.text.to_ascii_lowercase()))
            .collect();
        let text = args.iter().map(|a| a.text.as_str()).collect::<Vec<_>>().join(" ");
        let value = match (&call.input, args.is_empty()) {
            (Some(input), true) => Value::of(input.joined("\n"), input.is_known()),
            _ => Value::of(text, !args.is_empty() && args.iter().all(|a| !a.dynamic)),
        };
        self.code(&value);
    }

    /// Text runs as code.
    pub(super) fn code(&mut self, value: &Value) {
        let text = value.text();
        if value.is_known() {
            self.judgement.merge(judge(&self.inner(), &text));
        } else {
            self.facts.dynamic_sink = true;
            self.found(
                "remote-code/expression",
                Class::RemoteCode,
                Danger::Approve,
                "runs text that cannot be told as code",
            );
            if text.contains(' ') && self.cx.depth < 2 {
                let judged = judge(&self.inner(), &text);
                for finding in &judged.findings {
                    let is_fetch = matches!(
                        finding.rule,
                        "exfiltration/foreign-host" | "exfiltration/dynamic-address" | "remote-code/download"
                    );
                    self.facts.download |= is_fetch;
                    self.facts.foreign |= is_fetch;
                    self.facts.secret |= finding.class == Class::CredentialAccess
                        || finding.rule == "reconnaissance/environment";
                }
                self.judgement.merge(judged);
            }
        }
    }

    /// Something is fetched.
    pub(super) fn fetched(&mut self, from: Option<HostClass>, to: Option<&str>) {
        let own = matches!(from, Some(HostClass::Loopback | HostClass::Internal));
        self.facts.download |= !own;
        self.facts.foreign |= from.is_none_or(hosts::is_foreign);
        if let Some(to) = to.filter(|_| !own) {
            let name = places::plain(to)
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            if name.contains('.') || name.len() >= 3 {
                self.facts.saved.push(name);
            }
        }
    }

    /// Something is run.
    pub(super) fn ran(&mut self, what: &str) {
        self.facts.ran.push(what.to_ascii_lowercase());
    }

    /// A secret place is read.
    pub(super) fn secret(&mut self, danger: Danger) {
        if danger > Danger::Allow {
            self.facts.secret = true;
            self.found(
                "credential-access/read",
                Class::CredentialAccess,
                danger,
                "reads where credentials are kept",
            );
        }
    }

    /// All of the environment is read.
    pub(super) fn environment(&mut self) {
        self.facts.secret = true;
        self.found(
            "reconnaissance/environment",
            Class::Reconnaissance,
            Danger::Approve,
            "reads the whole environment",
        );
    }

    /// A variable of the environment is set: name and value in one text.
    pub(super) fn set_environment(&mut self, text: &str) {
        let text = text.to_ascii_lowercase();
        let is_loader = ["node_options", "pythonstartup"].iter().any(|n| text.contains(n));
        let loads = ["require", "import", "loader", "inspect", "eval"]
            .iter()
            .any(|n| text.contains(n))
            || text.contains("pythonstartup");
        if (is_loader && loads) || LOADERS.split_ascii_whitespace().any(|n| text.contains(n)) {
            self.found(
                "persistence/environment",
                Class::Persistence,
                Danger::Approve,
                "makes other programs load or ask something",
            );
        }
        if text.contains("userinitmprlogonscript") || text.contains("cor_profiler") {
            self.found(
                "persistence/environment",
                Class::Persistence,
                Danger::Block,
                "makes other programs load something",
            );
        }
    }

    /// A type is named.
    pub(super) fn type_named(&mut self, text: &str) {
        for (part, class, danger, rule, reason) in TYPES {
            if text.contains(part) {
                self.found(rule, *class, *danger, reason);
            }
        }
        if text.contains("xmlhttp") || text.contains("winhttp") {
            self.fetched(None, None);
        }
        if text.contains("deflatestream")
            || text.contains("gzipstream")
            || text.contains("aescryptoserviceprovider")
            || text.contains("rijndael")
        {
            self.facts.decoded = true;
        }
    }

    /// A member is called or named; `text` is the expression around it.
    pub(super) fn member(&mut self, name: &str, text: &str) {
        let own = hosts::within(&self.cx, text);
        self.member_at(name, text, own);
    }

    /// The same, where the host is known already.
    pub(super) fn member_at(&mut self, name: &str, text: &str, own: Option<HostClass>) {
        let name = name.trim_matches(['"', '\'']);
        match name {
            "downloadstring"
            | "downloaddata"
            | "openread"
            | "downloadstringasync"
            | "downloaddataasync"
            | "downloadstringtaskasync"
            | "getstringasync"
            | "getasync"
            | "getbytearrayasync"
            | "getstreamasync"
            | "responsetext"
            | "responsebody"
            | "getresponse" => {
                self.fetched(own, None);
                if own.is_none_or(hosts::is_foreign) {
                    self.found(
                        "exfiltration/foreign-host",
                        Class::Exfiltration,
                        Danger::Approve,
                        "asks a host that is not ours",
                    );
                }
            }
            "downloadfile" | "downloadfileasync" | "downloadfiletaskasync" => {
                self.fetched(
                    own,
                    text.rsplit([',', '('])
                        .next()
                        .map(|t| t.trim_matches([')', '\'', '"', ' ', ';'])),
                );
                if own.is_none_or(hosts::is_foreign) {
                    self.found(
                        "remote-code/download",
                        Class::RemoteCode,
                        Danger::Approve,
                        "fetches a file from a host that is not ours",
                    );
                }
            }
            "uploadstring" | "uploadfile" | "uploaddata" | "uploadvalues" | "postasync" | "putasync"
            | "uploadfileasync" | "getrequeststream" => {
                self.facts.upload = true;
                if own.is_none_or(hosts::is_foreign) {
                    self.facts.foreign = true;
                    self.found(
                        "exfiltration/upload",
                        Class::Exfiltration,
                        Danger::Block,
                        "sends data to a host that is not ours",
                    );
                }
            }
            "invoke" | "invokereturnasis" | "dynamicinvoke" | "begininvoke" | "invokemember"
                if !text.starts_with('{') =>
            {
                self.facts.dynamic_sink = true;
                self.found(
                    "remote-code/expression",
                    Class::RemoteCode,
                    Danger::Approve,
                    "runs what cannot be told",
                );
            }
            "getdelegateforfunctionpointer"
            | "definedynamicassembly"
            | "virtualalloc"
            | "definepinvokemethod" => {
                self.found(
                    "remote-code/native-code",
                    Class::RemoteCode,
                    Danger::Block,
                    "calls into the system",
                );
            }
            "ptrtostringauto"
            | "ptrtostringbstr"
            | "ptrtostringuni"
            | "securestringtobstr"
            | "getnetworkcredential" => {
                self.found(
                    "credential-access/secure-string",
                    Class::CredentialAccess,
                    Danger::Block,
                    "shows a stored secret",
                );
            }
            "setvalue" if text.contains("nonpublic") => {
                self.found(
                    "privilege/reflection",
                    Class::Privilege,
                    Danger::Block,
                    "changes what is hidden in the shell",
                );
            }
            "getenvironmentvariables" => self.environment(),
            "shellexecute" | "exec" => {
                self.facts.dynamic_sink = true;
                self.found(
                    "remote-code/indirect",
                    Class::RemoteCode,
                    Danger::Approve,
                    "runs a program for another",
                );
            }
            "frombase64string" => self.facts.decoded = true,
            "?" => self.found(
                "unclear/dynamic-member",
                Class::Unclear,
                Danger::Approve,
                "calls a member that cannot be told",
            ),
            _ => {}
        }
    }

    /// A word that may be a command of its own, behind a program that is not known.
    pub(super) fn seen_word(&mut self, arg: &Arg) {
        if !arg.quoted
            && matches!(
                canonical(&windows::base(&arg.text)),
                "invoke-expression" | "mshta" | "invoke-mimikatz"
            )
        {
            self.found(
                "unclear/wrapped",
                Class::Unclear,
                Danger::Approve,
                "a command behind a program that is not known",
            );
        }
    }

    /// Whether `/x` is a switch rather than a directory.
    pub(super) fn is_windows_switch(&self, text: &str) -> bool {
        text.len() == 2 && text.starts_with('/')
    }

    /// Judges the pairs.
    pub(super) fn finish(mut self) -> Judgement {
        let facts = std::mem::take(&mut self.facts);
        if facts.download && facts.dynamic_sink {
            self.found(
                "remote-code/download-to-shell",
                Class::RemoteCode,
                Danger::Block,
                "runs what it fetches",
            );
        }
        if (facts.decoded || facts.obscured) && facts.dynamic_sink {
            self.found(
                "remote-code/decoded",
                Class::RemoteCode,
                Danger::Block,
                "runs what it decodes",
            );
        }
        if facts
            .saved
            .iter()
            .any(|saved| facts.ran.iter().any(|ran| ran.contains(saved.as_str())))
        {
            self.found(
                "remote-code/download-and-run",
                Class::RemoteCode,
                Danger::Block,
                "runs what it fetches",
            );
        }
        if facts.secret && (facts.foreign || facts.upload) {
            self.found(
                "exfiltration/secret-to-network",
                Class::Exfiltration,
                Danger::Block,
                "reads secrets and talks to a host that is not ours",
            );
        }
        if facts.packed && (facts.foreign || facts.upload) {
            self.found(
                "exfiltration/pack-and-send",
                Class::Exfiltration,
                Danger::Block,
                "packs files and talks to a host that is not ours",
            );
        }
        self.judgement
    }
}
