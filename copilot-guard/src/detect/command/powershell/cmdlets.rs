//! What one command of PowerShell does.
//!
//! 1. Cmdlets that are bad whatever their arguments stand in [`TABLE`].
//! 2. Those whose arguments decide have a function each.
//! 3. Programs of Windows go to `windows`, shells to their judges, all else to the judge of simple commands.

use super::super::super::judgement::{Class, Danger};
use super::super::super::network::HostClass;
use super::super::windows::{self, hosts, places};
use super::super::words::Word;
use super::super::{cmd_exe, judge_argv};
use super::names::{canonical, has_param, is_param, operands, param_value, paths};
use super::script::Script;
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
    fn line(&self) -> String {
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
            request(script, call);
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
            if let Some(input) = &call.input {
                if args.iter().any(|a| a.text == "-") || args.is_empty() {
                    args = vec![
                        Word::known("-Command"),
                        Word {
                            text: input.text(),
                            dynamic: !input.is_known(),
                        },
                    ];
                }
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
        _ if HARMLESS.contains(&name.as_str()) => {}
        _ => program(script, call),
    }
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
    if let Some(judged) = windows::judge(&script.cx, &call.name, &words) {
        script.judgement.merge(judged);
        if matches!(call.name.as_str(), "certutil" | "bitsadmin") {
            script.fetched(host(&script.cx, &call.args), words.last().map(String::as_str));
        }
        return;
    }
    let is_cmdlet = call
        .name
        .split_once('-')
        .is_some_and(|(verb, _)| VERBS.contains(&verb))
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
    let mut argv = vec![Word::known(call.name.clone())];
    argv.extend(call.args.iter().map(Arg::word));
    script.judgement.merge(judge_argv(&script.cx, &argv));
    // `foo iex …`: an unknown program may be a wrapper.
    for arg in &call.args {
        script.seen_word(arg);
    }
}

/// Requests: where to, what is sent along, where the answer goes.
fn request(script: &mut Script<'_>, call: &Call) {
    let args = &call.args;
    let to = param_value(args, "uri")
        .or_else(|| param_value(args, "source").filter(|_| has_param(args, "source")))
        .and_then(|a| hosts::of(&script.cx, &a.text).or(a.dynamic.then_some(HostClass::Foreign)))
        .or_else(|| host(&script.cx, args));
    let to = to.unwrap_or(HostClass::Foreign);
    let dest = param_value(args, "outfile").or_else(|| param_value(args, "destination"));
    script.fetched(Some(to), dest.as_ref().map(|a| a.text.as_str()));
    if dest.as_ref().is_some_and(|d| places::runs_later(&d.text)) {
        script.found(
            "persistence/write",
            Class::Persistence,
            Danger::Block,
            "writes what runs by itself",
        );
    }
    if !hosts::is_foreign(to) {
        return;
    }
    let sends_file = args.iter().any(|a| {
        let name = a.text.to_ascii_lowercase();
        !a.quoted
            && (name.len() > 4 && "-infile".starts_with(&name)
                || name.len() > 2 && "-form".starts_with(&name))
    });
    let body = args
        .iter()
        .position(|a| is_param(a, "body") && a.text.len() > 1)
        .and_then(|at| args.get(at + 1));
    let is_get = args.iter().all(|a| {
        !matches!(
            a.text.to_ascii_lowercase().as_str(),
            "post" | "put" | "patch" | "delete"
        )
    });
    let uri_is_dynamic = args
        .iter()
        .any(|a| a.dynamic && (a.text.contains("://") || a.text.contains('?')));
    let carries_secret = args.iter().any(|a| {
        places::secret_within(&a.text) > Danger::Allow || a.text.to_ascii_lowercase().contains("$env:")
    });
    if sends_file || body.is_some_and(|b| b.dynamic) || carries_secret {
        script.facts.upload = true;
        script.found(
            "exfiltration/upload",
            Class::Exfiltration,
            Danger::Block,
            "sends data to a host that is not ours",
        );
    } else if !is_get || body.is_some() {
        script.facts.upload = true;
        script.found(
            "exfiltration/request",
            Class::Exfiltration,
            Danger::Approve,
            "sends to a host that is not ours",
        );
    } else if uri_is_dynamic {
        script.found(
            "exfiltration/dynamic-address",
            Class::Exfiltration,
            Danger::Approve,
            "puts data into an address that is not ours",
        );
    } else {
        script.found(
            "exfiltration/foreign-host",
            Class::Exfiltration,
            Danger::Approve,
            "asks a host that is not ours",
        );
    }
}

/// Starts something: a program, a script block, a job, elsewhere.
fn start(script: &mut Script<'_>, name: &str, call: &Call) {
    let args = &call.args;
    if name == "invoke-command"
        && has_param(args, "computername")
        && args.iter().any(|a| {
            is_param(a, "computername") && a.text.len() > 2 || is_param(a, "session") && a.text.len() > 3
        })
    {
        script.found(
            "remote-code/other-machine",
            Class::RemoteCode,
            Danger::Block,
            "runs something on another machine",
        );
    }
    if matches!(name, "start-process")
        && param_value(args, "verb").is_some_and(|v| v.text.to_ascii_lowercase().starts_with("runas"))
    {
        script.found(
            "privilege/elevate",
            Class::Privilege,
            Danger::Block,
            "asks for more rights",
        );
    }
    if param_value(args, "credential").is_some()
        && name == "start-process"
        && args.iter().any(|a| is_param(a, "credential") && a.text.len() > 3)
    {
        script.found(
            "privilege/other-user",
            Class::Privilege,
            Danger::Block,
            "runs something as somebody else",
        );
    }
    if matches!(name, "start-process" | "invoke-item") {
        let mut words: Vec<&Arg> = Vec::new();
        let skip = [
            "workingdirectory",
            "windowstyle",
            "verb",
            "redirectstandardoutput",
            "redirectstandarderror",
            "redirectstandardinput",
            "credential",
        ];
        let mut skips = false;
        for arg in args {
            if skips {
                skips = false;
                continue;
            }
            if !arg.quoted && arg.text.starts_with('-') && words.is_empty()
                || skip
                    .iter()
                    .any(|s| is_param(arg, s) && arg.text.len() > 1 && !is_param(arg, "wait"))
            {
                skips = skip.iter().any(|s| is_param(arg, s)) && !is_param(arg, "wait");
                continue;
            }
            if [
                "argumentlist",
                "filepath",
                "args",
                "wait",
                "nonewwindow",
                "passthru",
            ]
            .iter()
            .any(|s| is_param(arg, s) && arg.text.len() > 1)
            {
                continue;
            }
            words.push(arg);
        }
        let Some((program, rest)) = words.split_first() else {
            script.found(
                "unclear/dynamic-command",
                Class::Unclear,
                Danger::Approve,
                "starts what cannot be told",
            );
            return;
        };
        // Files are opened and addresses shown; programs are run.
        if let Some(class) = hosts::of(&script.cx, &program.text).filter(|_| program.text.contains("://")) {
            if hosts::is_foreign(class) {
                script.found(
                    "exfiltration/open-address",
                    Class::Exfiltration,
                    Danger::Approve,
                    "opens an address that is not ours",
                );
            }
            return;
        }
        let mut split = Vec::new();
        for arg in rest {
            // `-ArgumentList "a b"` is taken apart again by the program.
            let texts: Vec<&str> = if arg.text.contains(' ') && rest.len() == 1 {
                arg.text.splitn(3, ' ').collect()
            } else {
                arg.text.split(',').collect()
            };
            split.extend(texts.into_iter().map(|t| Arg {
                text: t.trim().trim_matches(['"', '\'']).to_owned(),
                ..(*arg).clone()
            }));
        }
        let split = split.into_iter().map(|mut a| {
            a.quoted = a.quoted && !a.text.starts_with('-');
            a
        });
        script.command(&program.text, program.dynamic, split.collect(), None);
        return;
    }
    if !args.iter().any(|a| a.block) {
        script.found(
            "unclear/dynamic-command",
            Class::Unclear,
            Danger::Approve,
            "starts what cannot be told",
        );
    }
}

fn remove(script: &mut Script<'_>, name: &str, call: &Call) {
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
            let loss = if arg.dynamic && path.starts_with('$') && !path.contains(['/', '\\']) {
                match places::loss(path) {
                    places::Loss::Little => places::Loss::Unclear,
                    loss => loss,
                }
            } else {
                places::loss(path)
            };
            worst = worst.max(Some(loss));
            if arg.text.to_ascii_lowercase().starts_with("env:") || places::secret(path) == Danger::Block {
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
        let from = text
            .split_whitespace()
            .skip(1)
            .filter(|w| !w.starts_with('-'))
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
fn read(script: &mut Script<'_>, name: &str, call: &Call) {
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
    for arg in paths(&call.args) {
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
    if let Some(input) = &call.input {
        if name == "get-content" {
            script.secret(places::secret_within(&input.text()));
        }
    }
}

/// Writes files, values of the registry, variables of the environment.
fn write(script: &mut Script<'_>, name: &str, call: &Call) {
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

fn list(script: &mut Script<'_>, call: &Call) {
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
    } else if SINKS.contains(&means.as_str())
        || canonical(&name.text.to_ascii_lowercase()) != name.text.to_ascii_lowercase()
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

/// What runs text, fetches or deletes: another name for one is not ordinary.
const SINKS: &[&str] = &[
    "invoke-expression",
    "invoke-webrequest",
    "invoke-restmethod",
    "invoke-command",
    "start-process",
    "powershell",
    "pwsh",
    "cmd",
    "remove-item",
    "certutil",
    "bitsadmin",
    "mshta",
    "rundll32",
    "regsvr32",
    "wmic",
    "curl",
    "bash",
    "wsl",
];

type Row = (&'static str, Class, Danger, &'static str);

/// Sorted by cmdlet.
const TABLE: &[Row] = &[
    (
        "add-localgroupmember",
        Class::Privilege,
        Danger::Block,
        "privilege/accounts",
    ),
    (
        "add-mppreference",
        Class::Privilege,
        Danger::Block,
        "privilege/defender-off",
    ),
    (
        "checkpoint-computer",
        Class::Unclear,
        Danger::Approve,
        "unclear/system",
    ),
    (
        "clear-disk",
        Class::Destructive,
        Danger::Block,
        "destructive/disk",
    ),
    (
        "clear-eventlog",
        Class::Privilege,
        Danger::Block,
        "privilege/audit-off",
    ),
    (
        "clear-history",
        Class::Privilege,
        Danger::Approve,
        "privilege/audit-off",
    ),
    (
        "clear-recyclebin",
        Class::Destructive,
        Danger::Approve,
        "destructive/recycle-bin",
    ),
    (
        "disable-computerrestore",
        Class::Destructive,
        Danger::Block,
        "destructive/backups",
    ),
    (
        "disable-localuser",
        Class::Privilege,
        Danger::Block,
        "privilege/accounts",
    ),
    (
        "disable-netfirewallrule",
        Class::Privilege,
        Danger::Block,
        "privilege/firewall",
    ),
    (
        "disable-psremoting",
        Class::Privilege,
        Danger::Approve,
        "privilege/remote-management",
    ),
    (
        "disable-scheduledtask",
        Class::Persistence,
        Danger::Approve,
        "persistence/scheduled-task",
    ),
    (
        "disable-windowsoptionalfeature",
        Class::Privilege,
        Danger::Block,
        "privilege/system-feature",
    ),
    (
        "dismount-diskimage",
        Class::Unclear,
        Danger::Approve,
        "unclear/disk-image",
    ),
    (
        "enable-localuser",
        Class::Privilege,
        Danger::Block,
        "privilege/accounts",
    ),
    (
        "enable-psremoting",
        Class::Privilege,
        Danger::Block,
        "privilege/remote-management",
    ),
    (
        "enable-windowsoptionalfeature",
        Class::Privilege,
        Danger::Approve,
        "privilege/system-feature",
    ),
    (
        "enter-pssession",
        Class::RemoteCode,
        Danger::Block,
        "remote-code/other-machine",
    ),
    (
        "export-pfxcertificate",
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/certificates",
    ),
    (
        "format-volume",
        Class::Destructive,
        Danger::Block,
        "destructive/disk",
    ),
    (
        "get-aduser",
        Class::Reconnaissance,
        Danger::Approve,
        "reconnaissance/directory",
    ),
    (
        "get-credential",
        Class::CredentialAccess,
        Danger::Approve,
        "credential-access/prompt",
    ),
    (
        "get-localgroupmember",
        Class::Reconnaissance,
        Danger::Approve,
        "reconnaissance/accounts",
    ),
    (
        "get-mpcomputerstatus",
        Class::Reconnaissance,
        Danger::Approve,
        "reconnaissance/protections",
    ),
    (
        "get-mppreference",
        Class::Reconnaissance,
        Danger::Approve,
        "reconnaissance/protections",
    ),
    (
        "get-secret",
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/vault",
    ),
    (
        "get-storedcredential",
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/credential-manager",
    ),
    (
        "import-certificate",
        Class::Privilege,
        Danger::Block,
        "privilege/trust",
    ),
    (
        "import-pfxcertificate",
        Class::Privilege,
        Danger::Block,
        "privilege/trust",
    ),
    (
        "initialize-disk",
        Class::Destructive,
        Danger::Block,
        "destructive/disk",
    ),
    (
        "install-windowsfeature",
        Class::Privilege,
        Danger::Approve,
        "privilege/system-feature",
    ),
    (
        "invoke-bloodhound",
        Class::Reconnaissance,
        Danger::Block,
        "reconnaissance/tool",
    ),
    (
        "invoke-kerberoast",
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/tool",
    ),
    (
        "invoke-mimikatz",
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/tool",
    ),
    (
        "invoke-reflectivepeinjection",
        Class::RemoteCode,
        Danger::Block,
        "remote-code/inject",
    ),
    (
        "invoke-shellcode",
        Class::RemoteCode,
        Danger::Block,
        "remote-code/inject",
    ),
    (
        "mount-diskimage",
        Class::RemoteCode,
        Danger::Approve,
        "remote-code/disk-image",
    ),
    (
        "new-localuser",
        Class::Privilege,
        Danger::Block,
        "privilege/accounts",
    ),
    (
        "new-netfirewallrule",
        Class::Privilege,
        Danger::Block,
        "privilege/firewall",
    ),
    (
        "new-psdrive",
        Class::Exfiltration,
        Danger::Approve,
        "exfiltration/share",
    ),
    (
        "new-pssession",
        Class::RemoteCode,
        Danger::Block,
        "remote-code/other-machine",
    ),
    (
        "new-scheduledtask",
        Class::Persistence,
        Danger::Block,
        "persistence/scheduled-task",
    ),
    (
        "new-scheduledtaskaction",
        Class::Persistence,
        Danger::Block,
        "persistence/scheduled-task",
    ),
    (
        "new-service",
        Class::Persistence,
        Danger::Block,
        "persistence/service",
    ),
    (
        "new-smbmapping",
        Class::Exfiltration,
        Danger::Approve,
        "exfiltration/share",
    ),
    (
        "new-smbshare",
        Class::Exfiltration,
        Danger::Block,
        "exfiltration/share",
    ),
    (
        "out-minidump",
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/memory",
    ),
    (
        "register-engineevent",
        Class::Persistence,
        Danger::Approve,
        "persistence/event",
    ),
    (
        "register-scheduledjob",
        Class::Persistence,
        Danger::Block,
        "persistence/scheduled-task",
    ),
    (
        "register-scheduledtask",
        Class::Persistence,
        Danger::Block,
        "persistence/scheduled-task",
    ),
    (
        "remove-computer",
        Class::Destructive,
        Danger::Block,
        "destructive/system",
    ),
    (
        "remove-eventlog",
        Class::Privilege,
        Danger::Block,
        "privilege/audit-off",
    ),
    (
        "remove-localuser",
        Class::Privilege,
        Danger::Block,
        "privilege/accounts",
    ),
    (
        "remove-mppreference",
        Class::Privilege,
        Danger::Block,
        "privilege/defender-off",
    ),
    (
        "remove-netfirewallrule",
        Class::Privilege,
        Danger::Block,
        "privilege/firewall",
    ),
    (
        "remove-partition",
        Class::Destructive,
        Danger::Block,
        "destructive/disk",
    ),
    (
        "remove-service",
        Class::Destructive,
        Danger::Block,
        "destructive/service",
    ),
    (
        "remove-vm",
        Class::Destructive,
        Danger::Block,
        "destructive/machine",
    ),
    (
        "rename-computer",
        Class::Privilege,
        Danger::Block,
        "privilege/system",
    ),
    (
        "restart-computer",
        Class::Destructive,
        Danger::Block,
        "destructive/shutdown",
    ),
    (
        "set-aduser",
        Class::Privilege,
        Danger::Block,
        "privilege/accounts",
    ),
    (
        "set-dnsclientserveraddress",
        Class::Privilege,
        Danger::Block,
        "privilege/network",
    ),
    (
        "set-localuser",
        Class::Privilege,
        Danger::Block,
        "privilege/accounts",
    ),
    (
        "set-mppreference",
        Class::Privilege,
        Danger::Block,
        "privilege/defender-off",
    ),
    (
        "set-netfirewallprofile",
        Class::Privilege,
        Danger::Block,
        "privilege/firewall",
    ),
    (
        "set-netfirewallrule",
        Class::Privilege,
        Danger::Block,
        "privilege/firewall",
    ),
    (
        "set-scheduledtask",
        Class::Persistence,
        Danger::Block,
        "persistence/scheduled-task",
    ),
    (
        "start-scheduledtask",
        Class::Persistence,
        Danger::Approve,
        "persistence/scheduled-task",
    ),
    (
        "stop-computer",
        Class::Destructive,
        Danger::Block,
        "destructive/shutdown",
    ),
    (
        "uninstall-package",
        Class::Destructive,
        Danger::Approve,
        "destructive/uninstall",
    ),
    (
        "unregister-scheduledtask",
        Class::Persistence,
        Danger::Approve,
        "persistence/scheduled-task",
    ),
];

/// Verbs of cmdlets: `Get-Foo` that is in no table is a cmdlet of some module.
const VERBS: &[&str] = &[
    "add",
    "clear",
    "compare",
    "complete",
    "convert",
    "convertfrom",
    "convertto",
    "copy",
    "disable",
    "enable",
    "enter",
    "exit",
    "expand",
    "export",
    "find",
    "format",
    "get",
    "group",
    "hide",
    "import",
    "initialize",
    "install",
    "invoke",
    "join",
    "limit",
    "lock",
    "measure",
    "merge",
    "mount",
    "move",
    "new",
    "open",
    "out",
    "ping",
    "pop",
    "protect",
    "publish",
    "push",
    "read",
    "receive",
    "register",
    "remove",
    "rename",
    "reset",
    "resolve",
    "restart",
    "restore",
    "resume",
    "save",
    "search",
    "select",
    "send",
    "set",
    "show",
    "sort",
    "split",
    "start",
    "step",
    "stop",
    "submit",
    "suspend",
    "switch",
    "sync",
    "tee",
    "test",
    "trace",
    "unblock",
    "uninstall",
    "unlock",
    "unregister",
    "update",
    "use",
    "wait",
    "watch",
    "where",
    "write",
];

/// Whose arguments are data.
const HARMLESS: &[&str] = &[
    "write-output",
    "write-host",
    "write-error",
    "write-warning",
    "write-verbose",
    "write-debug",
    "write-information",
    "set-location",
    "push-location",
    "pop-location",
    "get-location",
    "clear-host",
    "start-sleep",
    "select-object",
    "sort-object",
    "group-object",
    "measure-object",
    "format-table",
    "format-list",
    "format-wide",
    "ft",
    "fl",
    "out-null",
    "out-string",
    "out-host",
    "out-default",
    "test-path",
    "split-path",
    "join-path",
    "get-process",
    "get-date",
    "get-help",
    "get-member",
    "convertto-json",
    "convertfrom-json",
    "get-alias",
    "get-service",
    "compare-object",
    "get-random",
    "convertto-html",
    "convertto-csv",
    "convertfrom-csv",
    "expand-archive",
    "wait-job",
    "receive-job",
    "get-job",
    "set-strictmode",
    "read-host",
    "get-unique",
    "new-guid",
    "get-host",
    "get-module",
    "get-psdrive",
    "get-computerinfo",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
    }
}
