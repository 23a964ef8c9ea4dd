//! What one command of PowerShell does.
//!
//! 1. Cmdlets that are bad whatever their arguments stand in [`TABLE`].
//! 2. Those whose arguments decide have a function each.
//! 3. Programs of Windows go to `windows`, shells to their judges, all else to the judge of simple commands.

use super::super::super::judgement::{Class, Danger};
use super::super::hosts::is_vote;
use super::super::windows::{self, hosts, places};
use super::super::words::Word;
use super::super::{cmd_exe, judge_argv};
use super::files::{list, read, remove, write};
use super::names::{canonical, has_param, operands};
use super::reach::{request, start};
use super::script::Script;
use super::table::{TABLE, is_harmless, is_sink, is_verb};
use super::value::Value;
use super::{Arg, host};

/// A command with its arguments.
pub(super) struct Call {
    /// In lower case, without path and extension.
    pub(super) name: String,
    /// As it was written.
    pub(super) path: String,
    pub(super) args: Vec<Arg>,
    /// What stands before it in its pipeline.
    pub(super) input: Option<Value>,
}

impl Call {
    fn words(&self) -> Vec<String> {
        self.args.iter().map(|a| a.text.clone()).collect()
    }

    /// All arguments in one line of lower case, and what is piped in.
    pub(super) fn line(&self) -> String {
        let mut line = self.words().join(" ").to_ascii_lowercase();
        if let Some(input) = &self.input {
            line.push(' ');
            line.push_str(&input.text().to_ascii_lowercase());
        }
        line
    }

    fn is_dynamic(&self) -> bool {
        self.args.iter().any(|a| a.dynamic) || self.input.as_ref().is_some_and(|i| !i.is_known())
    }
}

/// Judges one command.
pub(super) fn judge(script: &mut Script<'_>, call: &Call) {
    let is_curl = matches!(call.name.as_str(), "curl" | "wget");
    let name = script
        .alias(&call.name)
        .unwrap_or_else(|| canonical(&call.name).to_owned());
    if let Ok(at) = TABLE.binary_search_by(|row| row.0.cmp(name.as_str())) {
        if let Some((cmdlet, class, danger, rule)) = TABLE.get(at) {
            script.found(rule, *class, *danger, &format!("`{cmdlet}`"));
        }
        return;
    }
    match name.as_str() {
        "invoke-expression" => script.expression(call),
        "invoke-webrequest" | "invoke-restmethod" => {
            if is_curl
                && call
                    .args
                    .iter()
                    .any(|a| !a.quoted && (a.text.starts_with("--") || is_short(&a.text)))
            {
                program(script, call);
            }
            if call
                .args
                .iter()
                .any(|arg| super::super::hosts::is_metadata(&arg.text))
            {
                script.found(
                    "credential-access/metadata",
                    Class::CredentialAccess,
                    Danger::Block,
                    "asks the cloud for credentials of this machine",
                );
            }
            let sends = ["method", "body", "infile", "form"]
                .iter()
                .any(|name| has_param(&call.args, name));
            if sends && call.args.iter().any(|arg| is_vote(&arg.text)) {
                script.found(
                    "self-approval/vote",
                    Class::SelfApproval,
                    Danger::Block,
                    "answers what people are asked",
                );
            }
            request(script, call);
        }
        name if name.starts_with("remove-az") || name.starts_with("clear-az") => script.found(
            "destructive/cloud",
            Class::Destructive,
            Danger::Approve,
            "deletes resources of a cloud",
        ),
        "get-azkeyvaultsecret" | "get-azaccesstoken" | "get-secsecretvalue" | "get-ssmparametervalue" => {
            script.found(
                "credential-access/store",
                Class::CredentialAccess,
                Danger::Approve,
                "reads a store of credentials",
            )
        }
        "start-bitstransfer" => {
            request(script, call);
            script.found(
                "remote-code/bits",
                Class::RemoteCode,
                Danger::Approve,
                "fetches or sends files in the background",
            );
        }
        "invoke-item" if opens_program(call) => {
            script.found(
                "remote-code/opened-file",
                Class::RemoteCode,
                Danger::Approve,
                "opens a file that may be a program",
            );
            start(script, &name, call);
        }
        "start-process" | "invoke-item" | "start-job" | "start-threadjob" | "invoke-command"
        | "debug-job" => start(script, &name, call),
        "remove-item" | "clear-content" | "clear-item" | "remove-itemproperty" | "clear-itemproperty" => {
            remove(script, &name, call)
        }
        "get-content" | "select-string" | "import-csv" | "copy-item" | "move-item" | "get-item"
        | "import-clixml" | "get-filehash" | "format-hex" | "resolve-path" | "rename-item" => {
            read(script, &name, call)
        }
        "set-content" | "add-content" | "out-file" | "tee-object" | "new-item" | "set-item"
        | "set-itemproperty" | "new-itemproperty" | "export-csv" | "copy-itemproperty" | "export-clixml" => {
            write(script, &name, call)
        }
        "get-childitem" | "get-variable" | "get-itemproperty" | "get-itempropertyvalue" => list(script, call),
        "set-alias" | "new-alias" => alias(script, call),
        "new-object" => {
            let line = call.line();
            script.type_named(&line);
        }
        "add-type" => {
            let line = call.line();
            let is_assembly = has_param(&call.args, "assemblyname") && !call.is_dynamic();
            if line.contains("dllimport") || line.contains("unsafe") || line.contains("marshal") {
                script.found(
                    "remote-code/native-code",
                    Class::RemoteCode,
                    Danger::Block,
                    "calls into the system",
                );
            } else if !is_assembly {
                script.found(
                    "remote-code/add-type",
                    Class::RemoteCode,
                    Danger::Approve,
                    "compiles or loads code",
                );
            }
        }
        "import-module" => {
            for arg in operands(&call.args) {
                if hosts::of(&script.cx, &arg.text).is_some_and(hosts::is_foreign) && arg.text.contains(r"\\")
                {
                    script.found(
                        "remote-code/module",
                        Class::RemoteCode,
                        Danger::Block,
                        "loads a module from elsewhere",
                    );
                } else if arg.dynamic && !arg.text.contains(['/', '\\']) {
                    script.found(
                        "remote-code/module",
                        Class::RemoteCode,
                        Danger::Approve,
                        "loads a module that cannot be told",
                    );
                }
            }
            script.ran(&call.line());
        }
        "set-executionpolicy" => {
            let line = call.line();
            let is_process = line.contains("process");
            let danger = if is_process
                || line.contains("remotesigned")
                || line.contains("restricted") && !line.contains("unrestricted")
            {
                Danger::Approve
            } else {
                Danger::Block
            };
            script.found(
                "privilege/execution-policy",
                Class::Privilege,
                danger,
                "lets unsigned scripts run",
            );
        }
        "install-module"
        | "install-package"
        | "install-script"
        | "register-psrepository"
        | "save-module"
        | "update-module"
        | "install-psresource"
        | "register-packagesource" => {
            let danger = if name.starts_with("register") {
                Danger::Block
            } else {
                Danger::Approve
            };
            script.found(
                "supply-chain/install",
                Class::SupplyChain,
                danger,
                "installs code",
            );
        }
        "convertto-securestring" | "convertfrom-securestring" => {
            if has_param(&call.args, "asplaintext") && name == "convertfrom-securestring" {
                script.found(
                    "credential-access/secure-string",
                    Class::CredentialAccess,
                    Danger::Approve,
                    "shows a stored secret",
                );
            }
        }
        "compress-archive" => {
            script.facts.packed = true;
            read(script, &name, call);
        }
        "foreach-object" | "where-object" => {
            // `% Invoke` and `% DownloadString` call a member of what is piped in.
            for arg in &call.args {
                if !arg.block && !arg.text.starts_with('-') {
                    script.member(&arg.text.to_ascii_lowercase(), "");
                }
            }
        }
        "set-variable" | "new-variable" => {}
        "get-command" => {
            if call.args.iter().any(|a| a.text.contains('*')) && call.line().len() < 12 {
                script.facts.obscured = true;
            }
        }
        "stop-process" => {
            let line = call.line();
            if line.contains("copilot-guard") {
                script.found(
                    "self-approval/guard",
                    Class::SelfApproval,
                    Danger::Block,
                    "ends what supervises",
                );
            }
            if [
                "msmpeng", "lsass", "csrss", "winlogon", "explorer", "wininit", "mssense",
            ]
            .iter()
            .any(|p| line.contains(p))
            {
                script.found(
                    "destructive/system-process",
                    Class::Destructive,
                    Danger::Block,
                    "ends a process of the system",
                );
            }
        }
        "stop-service" | "set-service" => {
            let line = call.line();
            let is_protection = ["windefend", "mpssvc", "wscsvc", "eventlog", "sense", "wuauserv"]
                .iter()
                .any(|p| line.contains(p));
            let danger = if is_protection {
                Danger::Block
            } else {
                Danger::Approve
            };
            script.found(
                "privilege/service",
                Class::Privilege,
                danger,
                "stops or changes a service",
            );
        }
        "get-ciminstance" | "get-wmiobject" => {
            let line = call.line();
            if line.contains("shadowcopy") || line.contains("antivirus") {
                script.found(
                    "reconnaissance/protections",
                    Class::Reconnaissance,
                    Danger::Approve,
                    "asks what protects the machine",
                );
            }
        }
        "invoke-cimmethod"
        | "invoke-wmimethod"
        | "set-wmiinstance"
        | "new-ciminstance"
        | "set-ciminstance"
        | "remove-ciminstance"
        | "remove-wmiobject"
        | "register-wmievent"
        | "register-cimindicationevent" => {
            let line = call.line();
            let is_start = line.contains("create")
                || line.contains("eventfilter")
                || line.contains("consumer")
                || name.starts_with("register")
                || name.starts_with("remove");
            let danger = if is_start { Danger::Block } else { Danger::Approve };
            script.found(
                "remote-code/wmi",
                Class::RemoteCode,
                danger,
                "starts or changes something through WMI",
            );
        }
        "set-acl" => {
            let danger = if call
                .args
                .iter()
                .any(|a| places::loss(&a.text) == places::Loss::Everything)
            {
                Danger::Block
            } else {
                Danger::Approve
            };
            script.found(
                "privilege/file-rights",
                Class::Privilege,
                danger,
                "changes who may do what with files",
            );
        }
        "test-netconnection" | "test-connection" | "resolve-dnsname" => {
            let to = call
                .args
                .iter()
                .any(|a| a.dynamic && a.text.contains('.') && !a.text.starts_with('.'));
            if to {
                script.found(
                    "exfiltration/name-lookup",
                    Class::Exfiltration,
                    Danger::Block,
                    "puts data into a name that is looked up",
                );
            } else if call.is_dynamic() {
                script.found(
                    "exfiltration/name-lookup",
                    Class::Exfiltration,
                    Danger::Approve,
                    "asks for a name that cannot be told",
                );
            }
        }
        "send-mailmessage" => {
            script.facts.upload = true;
            script.found(
                "exfiltration/mail",
                Class::Exfiltration,
                Danger::Block,
                "sends mail",
            );
        }
        "get-clipboard" => {
            script.facts.secret = true;
            script.found(
                "reconnaissance/clipboard",
                Class::Reconnaissance,
                Danger::Approve,
                "reads the clipboard",
            );
        }
        "get-history" => script.found(
            "reconnaissance/history",
            Class::Reconnaissance,
            Danger::Approve,
            "reads what was typed",
        ),
        "powershell" | "pwsh" | "powershell_ise" => {
            let mut args: Vec<Word> = call.args.iter().map(Arg::word).collect();
            let reads_input = args.is_empty() || args.iter().any(|a| a.text == "-");
            if let Some(input) = call.input.as_ref().filter(|_| reads_input) {
                let script = Word {
                    text: input.text(),
                    dynamic: !input.is_known(),
                };
                args = vec![Word::known("-Command"), script];
            }
            let judged = super::judge_call(&script.cx, &args);
            if judged.findings.iter().any(|f| f.rule == "unclear/dynamic-script") {
                script.facts.dynamic_sink = true;
            }
            script.judgement.merge(judged);
            script.ran(&call.line());
        }
        "cmd" => {
            let args: Vec<Word> = call.args.iter().map(Arg::word).collect();
            script.judgement.merge(cmd_exe::judge_call(&script.cx, &args));
            if call.input.is_some() {
                script.found(
                    "unclear/piped-script",
                    Class::Unclear,
                    Danger::Approve,
                    "pipes text into a shell",
                );
            }
        }
        // The old name of `Set-Content`, and the program that manages services.
        "sc" => {
            if !call.path.ends_with(".exe") {
                write(script, "set-content", call);
            }
            program(script, call);
        }
        _ if is_harmless(&name) => {}
        _ => program(script, call),
    }
}

/// Whether what is opened may run, or is not known.
fn opens_program(call: &Call) -> bool {
    const ENDS: &[&str] = &[
        ".lnk", ".exe", ".com", ".scr", ".bat", ".cmd", ".ps1", ".vbs", ".js", ".hta", ".msi", ".url",
        ".jar", ".cpl",
    ];
    operands(&call.args).any(|arg| {
        let path = arg.text.to_ascii_lowercase();
        ENDS.iter().any(|end| path.ends_with(end)) || path.contains("temp") && arg.dynamic
    })
}

/// Whether this is a short switch as `curl` takes them.
fn is_short(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('-') && chars.next().is_some_and(char::is_alphabetic) && text.len() <= 4
}

/// What is no cmdlet that is known here.
fn program(script: &mut Script<'_>, call: &Call) {
    script.ran(&call.path);
    let words = call.words();
    // What is built is run; other programs may only read what lies there.
    let is_elsewhere =
        |word: &String| word.starts_with(r"\\") && hosts::of(&script.cx, word).is_some_and(hosts::is_foreign);
    if words.iter().any(is_elsewhere) {
        let (danger, reason) = match call.name.as_str() {
            "msbuild" | "dotnet" | "regsvr32" | "rundll32" | "mshta" | "wscript" | "cscript" => {
                (Danger::Block, "runs what lies on another machine")
            }
            _ => (Danger::Approve, "a file on another machine"),
        };
        script.found("remote-code/script-elsewhere", Class::RemoteCode, danger, reason);
    }
    // A script of the project may be called as a program of Windows is.
    let is_own_script = call.path.to_ascii_lowercase().ends_with(".ps1") && call.path.contains(['/', '\\']);
    if let Some(judged) = windows::judge(&script.cx, &call.name, &words).filter(|_| !is_own_script) {
        script.judgement.merge(judged);
        if matches!(call.name.as_str(), "certutil" | "bitsadmin") {
            script.fetched(host(&script.cx, &call.args), words.last().map(String::as_str));
        }
        return;
    }
    let is_cmdlet = call.name.split_once('-').is_some_and(|(verb, _)| is_verb(verb))
        && !call.path.contains(['/', '\\', '.']);
    if is_cmdlet {
        return;
    }
    if matches!(
        call.name.as_str(),
        "curl" | "wget" | "aria2c" | "ssh" | "scp" | "nc" | "ncat" | "ftp"
    ) {
        let to = host(&script.cx, &call.args);
        script.fetched(to, None);
        let line = call.line();
        if ["-d ", "-t ", "-f ", "--data", "--form", "--upload", "@", "--post"]
            .iter()
            .any(|s| line.contains(s))
            && to.is_none_or(hosts::is_foreign)
        {
            script.facts.upload = true;
        }
    }
    if matches!(
        call.name.as_str(),
        "python" | "python3" | "py" | "node" | "bash" | "sh" | "wsl" | "perl" | "ruby"
    ) && call.input.is_some()
    {
        script.found(
            "unclear/piped-script",
            Class::Unclear,
            Danger::Approve,
            "pipes text into an interpreter",
        );
        script.facts.dynamic_sink = true;
    }
    let name = if is_own_script { &call.path } else { &call.name };
    let mut argv = vec![Word::known(name.clone())];
    argv.extend(call.args.iter().map(Arg::word));
    script.judgement.merge(judge_argv(&script.cx, &argv));
    // `foo iex …`: an unknown program may be a wrapper.
    for arg in &call.args {
        script.seen_word(arg);
    }
}

fn alias(script: &mut Script<'_>, call: &Call) {
    let mut words = operands(&call.args).filter(|a| {
        !matches!(
            a.text.to_ascii_lowercase().as_str(),
            "global" | "script" | "allscope"
        )
    });
    let (Some(name), Some(value)) = (words.next(), words.next()) else {
        return;
    };
    let means = canonical(&windows::base(&value.text)).to_owned();
    if value.dynamic || name.dynamic {
        script.found(
            "unclear/redefines",
            Class::Unclear,
            Danger::Approve,
            "gives a command another meaning",
        );
    } else if is_sink(&means) || canonical(&name.text.to_ascii_lowercase()) != name.text.to_ascii_lowercase()
    {
        script.found(
            "unclear/redefines",
            Class::Unclear,
            Danger::Approve,
            "gives a command another name",
        );
    }
    script.set_alias(name.text.to_ascii_lowercase(), means);
}
