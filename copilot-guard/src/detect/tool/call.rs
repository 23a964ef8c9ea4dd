//! One call: its arguments walked, each judged as what it is.

use super::super::command::{CommandJudge, Shell, looks_for_secret};
use super::super::judgement::{Class, Danger, Finding, Judgement};
use super::files::{self, Act};
use super::table::{Does, Part, Tool};
use super::{code, content, fetch, guess, named, patch, sql};
use crate::json::{Document, Limits, Value};

/// Longest arguments that are judged, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Most strings in them.
const MAX_STRINGS: usize = 4096;
/// Deepest nesting; also of JSON within strings.
const MAX_DEPTH: u32 = 24;
/// Most files in one patch.
const MAX_CHANGES: usize = 512;

pub(super) fn judge(commands: &CommandJudge, name: &str, arguments: &str) -> Judgement {
    let mut call = Call {
        commands,
        tool: Tool::new(name),
        judgement: Judgement::default(),
        strings: 0,
        judged: 0,
        lines: 0,
        host_is_told: false,
    };
    if arguments.len() > MAX_BYTES {
        call.too_large("the arguments are too long to be judged");
        return call.judgement;
    }
    if !named::is_harmless_command(&call.tool.name, arguments) {
        call.by_name();
    }
    call.text(arguments);
    call.sends();
    call.judgement
}

pub(super) struct Call<'a> {
    pub(super) commands: &'a CommandJudge,
    tool: Tool,
    pub(super) judgement: Judgement,
    strings: usize,
    /// Commands that were judged, and lines of scripts.
    pub(super) judged: usize,
    pub(super) lines: usize,
    /// Where it goes stood in the arguments, and was judged.
    host_is_told: bool,
}

/// What is known at an object of the arguments.
#[derive(Clone, Default)]
struct Scope {
    /// The files that are meant there.
    files: Vec<String>,
    shell: Option<Shell>,
    /// The name of the terminal that is typed into.
    session: Option<String>,
}

impl Call<'_> {
    /// The tool's name in lower case.
    pub(super) fn tool_name(&self) -> &str {
        &self.tool.name
    }

    pub(super) fn add(&mut self, rule: &'static str, class: Class, danger: Danger, why: &str) {
        self.judgement.add(Finding::new(rule, class, danger, why));
    }

    pub(super) fn too_large(&mut self, why: &str) {
        self.add("unclear/too-large", Class::Unclear, Danger::Block, why);
    }

    /// What the name alone says.
    fn by_name(&mut self) {
        let is_file = ["delete_file", "delete_directory"]
            .iter()
            .any(|end| self.tool.name.ends_with(end));
        let is_told = self.tool.row().is_some_and(|row| row.does != Does::Write);
        if !is_file && !is_told && named::takes_away(&self.tool.name) {
            self.add(
                "destructive/tool",
                Class::Destructive,
                Danger::Approve,
                "takes away what is more than a file",
            );
        }
        let Some(row) = self.tool.row() else { return };
        if row.does == Does::Approve {
            let class = row.class.unwrap_or(Class::Unclear);
            let why = row
                .reason
                .as_deref()
                .unwrap_or("a person looks at every call of this tool");
            self.add("unclear/tool-to-approve", class, Danger::Approve, why);
        }
    }

    /// The arguments as the model wrote them.
    fn text(&mut self, arguments: &str) {
        let text = arguments.trim_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            return;
        }
        match Document::parse(text.as_bytes(), limits()) {
            Ok(document) => {
                let root = document.root();
                match root.as_str() {
                    Some(free) => self.free(&free),
                    None => self.walk(root, &mut String::new(), &Scope::default(), 0),
                }
            }
            Err(_) if text.starts_with(['{', '[', '"']) => self.add(
                "unclear/malformed-arguments",
                Class::Unclear,
                Danger::Block,
                "the arguments are no proper JSON, or name something twice",
            ),
            Err(_) => self.free(arguments),
        }
    }

    /// Text that is no JSON: a patch, a command, or words.
    fn free(&mut self, text: &str) {
        let part = match self.tool.does() {
            _ if patch::is_patch(text) => Part::Patch,
            Does::Run => match self.tool.part("code") {
                Part::Code => Part::Code,
                _ => self.tool.part("command"),
            },
            Does::Write => Part::Patch,
            Does::Fetch => Part::Address,
            _ => Part::Unknown,
        };
        self.string(part, text, &Scope::default(), 0);
    }

    fn walk(&mut self, value: Value<'_>, path: &mut String, scope: &Scope, depth: u32) {
        if depth > MAX_DEPTH {
            return self.too_large("the arguments are nested too deep to be judged");
        }
        if let Some(text) = value.as_str() {
            return self.string(self.tool.part(path), &text, scope, depth);
        }
        let length = path.len();
        if value.is_array() {
            path.push_str(if length == 0 { "[]" } else { ".[]" });
            if self.tool.part(path) == Part::Argv || length == 0 && self.tool.does() == Does::Run {
                self.argv(value);
            } else {
                for item in value.items() {
                    self.walk(item, path, scope, depth + 1);
                }
            }
        } else if value.is_object() {
            let scope = self.scope(value, path, scope);
            self.object(value);
            for (name, member) in value.entries() {
                path.truncate(length);
                if length > 0 {
                    path.push('.');
                }
                path.push_str(&name);
                self.walk(member, path, &scope, depth + 1);
            }
        }
        path.truncate(length);
    }

    /// The files and the shell that an object's own members name, or else those around it.
    fn scope(&self, object: Value<'_>, path: &str, outer: &Scope) -> Scope {
        let mut scope = outer.clone();
        let mut own = Vec::new();
        for (name, member) in object.entries() {
            let full = if path.is_empty() {
                name.to_string()
            } else {
                format!("{path}.{name}")
            };
            if matches!(self.tool.part(&full), Part::Path | Part::Place) {
                own.extend(member.as_str().map(|s| s.into_owned()));
            }
        }
        if !own.is_empty() {
            scope.files = own;
        }
        for name in [
            "shellId",
            "shell_id",
            "sessionId",
            "session_id",
            "terminalId",
            "id",
        ] {
            if let Some(session) = object.get_str(name) {
                scope.session = Some(session.to_lowercase());
                break;
            }
        }
        if let Some(shell) = object.get_str("shell") {
            let shell = shell.to_lowercase();
            scope.shell = Some(if shell.contains("pwsh") || shell.contains("powershell") {
                Shell::PowerShell
            } else {
                Shell::Bash
            });
        }
        scope
    }

    /// What members say together.
    fn object(&mut self, object: Value<'_>) {
        let flag = |name: &str| object.get(name).and_then(Value::as_bool) == Some(true);
        let leaves = flag("dangerouslyDisableSandbox")
            || flag("with_escalated_permissions")
            || object
                .get_str("sandbox_permissions")
                .is_some_and(|s| s == "require_escalated");
        if leaves {
            self.add(
                "self-approval/leaves-sandbox",
                Class::SelfApproval,
                Danger::Approve,
                "asks to run outside of the sandbox",
            );
        }
        if self.tool.does() == Does::Repository {
            self.repository(object);
        }
        let is_past = ["admin", "bypass", "bypass_rules", "force", "skip_checks"]
            .iter()
            .any(|name| flag(name));
        if is_past && self.tool.name.contains("merge") {
            self.add(
                "self-approval/merge",
                Class::SelfApproval,
                Danger::Approve,
                "merges past what others have to say",
            );
        }
        self.variables(object);
        self.arguments(object);
        let (Some(program), Some(arguments)) = (
            object.get_str("command"),
            object.get("args").filter(|v| v.is_array()),
        ) else {
            return;
        };
        let is_command = self.tool.part("command") == Part::Command
            || !self.tool.is_known()
            || self.tool.part("task.command") == Part::Command;
        if is_command {
            let mut argv = vec![program.into_owned()];
            argv.extend(
                arguments
                    .items()
                    .filter_map(|v| v.as_str().map(|s| s.into_owned())),
            );
            self.run_argv(&argv, false);
        }
    }

    /// Variables that a command is given beside it.
    fn variables(&mut self, object: Value<'_>) {
        let has_command = ["command", "cmd", "commands", "argv"]
            .iter()
            .any(|name| object.get(name).is_some());
        if !has_command || self.tool.does() != Does::Run && self.tool.is_known() {
            return;
        }
        for name in ["env", "environment"] {
            let Some(variables) = object.get(name).filter(|value| value.is_object()) else {
                continue;
            };
            let mut argv = vec!["env".to_owned()];
            for (name, value) in variables.entries() {
                if let Some(value) = value.as_str() {
                    argv.push(format!("{name}={value}"));
                }
            }
            if argv.len() > 1 {
                argv.push("true".to_owned());
                self.run_argv(&argv, false);
            }
        }
    }

    /// Arguments of the program that a tool is named for: `run_kubectl` with `delete …`.
    fn arguments(&mut self, object: Value<'_>) {
        let Some(program) = named::program(&self.tool.name) else {
            return;
        };
        if self.tool.is_known() && self.tool.does() != Does::Run {
            return;
        }
        for name in ["args", "arguments", "command", "cmd", "subcommand"] {
            let Some(value) = object.get(name) else { continue };
            if let Some(text) = value.as_str() {
                if text.split_whitespace().next() != Some(program) {
                    self.run(Shell::Bash, &format!("{program} {text}"), false);
                }
            } else if value.is_array() && object.get_str("command").is_none() {
                let mut argv = vec![program.to_owned()];
                argv.extend(value.items().filter_map(|v| v.as_str().map(|s| s.into_owned())));
                if argv.get(1).is_some_and(|first| first != program) {
                    self.run_argv(&argv, false);
                }
            }
        }
    }

    /// What people and models read. Another agent does what stands in its task.
    fn prose(&mut self, text: &str) {
        if named::is_grep(&self.tool.name) && looks_for_secret(text) {
            self.add(
                "reconnaissance/secret-search",
                Class::Reconnaissance,
                Danger::Approve,
                "looks for secrets",
            );
        }
        if named::is_memory(&self.tool.name) {
            self.remembered(text);
        }
        if !named::is_agent(&self.tool.name) {
            return;
        }
        for code in named::code_in(text) {
            let judgement = self.commands.judge(Shell::Bash, code);
            if let Some(finding) = judgement
                .deciding()
                .filter(|finding| finding.danger == Danger::Block)
            {
                let class = finding.class;
                self.add(
                    "self-approval/told-to-others",
                    class,
                    Danger::Approve,
                    "tells another agent to run something dangerous",
                );
            }
        }
    }

    /// Writes into the repository `owner`/`repo`: ours, or a person looks.
    fn repository(&mut self, object: Value<'_>) {
        let (owner, repo) = (
            object.get_str("owner"),
            object.get_str("repo").or_else(|| object.get_str("repository")),
        );
        let remote = match (owner, repo) {
            (Some(owner), Some(repo)) => format!("github.com/{owner}/{repo}"),
            (None, Some(repo)) if repo.contains("://") || repo.contains('@') => repo.into_owned(),
            (None, Some(repo)) if repo.contains('/') => format!("github.com/{repo}"),
            // The repository that is open.
            _ => return,
        };
        if !self.commands.network().is_own_remote(&remote) {
            self.add(
                "exfiltration/foreign-repository",
                Class::Exfiltration,
                Danger::Approve,
                "writes into a repository that is not ours",
            );
        }
    }

    fn argv(&mut self, array: Value<'_>) {
        let mut argv = Vec::new();
        for item in array.items() {
            match item.as_str() {
                Some(text) => argv.push(text.into_owned()),
                None => {
                    return self.add(
                        "unclear/odd-argv",
                        Class::Unclear,
                        Danger::Block,
                        "an argument of a program is no text",
                    );
                }
            }
        }
        if !argv.is_empty() {
            self.run_argv(&argv, false);
        }
    }

    fn string(&mut self, part: Part, text: &str, scope: &Scope, depth: u32) {
        self.strings += 1;
        if self.strings > MAX_STRINGS {
            return self.too_large("there are too many arguments to be judged");
        }
        match part {
            Part::Command => self.command(text, scope.shell),
            Part::Bash => self.run(Shell::Bash, text, false),
            Part::Powershell => self.run(Shell::PowerShell, text, false),
            Part::Argv => self.run_argv(&[text.to_owned()], false),
            Part::Input => self.input(text, scope),
            Part::Path => self.path(text),
            Part::Content => {
                if named::is_memory(&self.tool.name) {
                    self.remembered(text);
                }
                content::judge(self, &scope.files, text);
            }
            Part::Patch => self.patch(text, scope),
            Part::Code => {
                content::judge(self, &scope.files, text);
                code::judge(self, text);
                if !self.tool.is_known() {
                    self.unknown(text, scope, depth);
                }
            }
            Part::Address => self.address(text),
            Part::Sql => sql::judge(text).into_iter().for_each(|f| self.judgement.add(f)),
            Part::Prose => self.prose(text),
            Part::Place | Part::Option => {}
            Part::Unknown => self.unknown(text, scope, depth),
        }
    }

    fn command(&mut self, text: &str, shell: Option<Shell>) {
        if let Some(body) = patch::from_command(text) {
            return self.patch_alone(body);
        }
        let is_powershell = shell == Some(Shell::PowerShell) || self.tool.is_powershell;
        if is_powershell {
            self.run(Shell::PowerShell, text, false);
        } else if shell.is_none() && guess::is_powershell(text) {
            // Which shell a terminal has is not told: what is dangerous to either counts.
            self.run(Shell::PowerShell, text, false);
            self.run(Shell::Bash, text, true);
        } else {
            self.run(Shell::Bash, text, false);
        }
    }

    /// What is typed into a program that runs: a command, unless it is an answer or a key.
    fn input(&mut self, text: &str, scope: &Scope) {
        let text = &named::without_keys(text);
        if guess::is_answer(text) {
            return;
        }
        let Some(language) = scope.session.as_deref().and_then(named::language_of_session) else {
            return self.command(text, None);
        };
        // The name of a terminal is only a name: what is surely a command to a shell counts as well.
        self.run(Shell::Bash, text, true);
        match language {
            "sql" => sql::judge(text).into_iter().for_each(|f| self.judgement.add(f)),
            _ => {
                let flag = if language == "python" { "-c" } else { "-e" };
                self.run_argv(&[language, flag, text].map(str::to_owned), false);
            }
        }
    }

    /// What is kept for later conversations: nothing that runs what is downloaded, or takes approval away.
    fn remembered(&mut self, text: &str) {
        for code in named::code_in(text) {
            let judgement = self.commands.judge(Shell::Bash, code);
            if let Some(finding) = judgement.deciding().filter(|f| f.danger == Danger::Block) {
                let class = finding.class;
                self.add(
                    "self-approval/remembered",
                    class,
                    Danger::Block,
                    "is told for later to run something dangerous",
                );
            }
        }
        if named::takes_approval_away(text) {
            self.add(
                "self-approval/remembered",
                Class::SelfApproval,
                Danger::Block,
                "is told for later that nobody has to be asked",
            );
        }
    }

    fn path(&mut self, text: &str) {
        let act = match self.tool.does() {
            Does::Write | Does::Repository => Act::Write,
            _ => Act::Read,
        };
        self.file(text, act);
    }

    pub(super) fn file(&mut self, text: &str, act: Act) -> Option<files::Kind> {
        let (judgement, kind) = files::judge(text, act);
        self.judgement.merge(judgement);
        kind
    }

    pub(super) fn patch_alone(&mut self, text: &str) {
        self.patch(text, &Scope::default());
    }

    fn patch(&mut self, text: &str, scope: &Scope) {
        let Some(changes) = patch::parse(text) else {
            // A replacement, or a difference of one file whose path stands beside it.
            if scope.files.is_empty() {
                self.add(
                    "unclear/odd-patch",
                    Class::Unclear,
                    Danger::Approve,
                    "a patch cannot be read",
                );
            }
            return content::judge(self, &scope.files, text);
        };
        if changes.len() > MAX_CHANGES {
            return self.too_large("a patch of too many files to be judged");
        }
        for change in changes {
            content::judge(self, &change.paths, &change.added);
        }
    }

    fn address(&mut self, text: &str) {
        let is_certain = self.tool.is_known() || guess::is_address(text);
        if is_certain && !text.is_empty() {
            self.host_is_told = true;
            let finding = fetch::judge(self.commands.network(), text);
            finding.into_iter().for_each(|f| self.judgement.add(f));
        }
    }

    /// A string that nothing is known of.
    fn unknown(&mut self, text: &str, scope: &Scope, depth: u32) {
        let trimmed = text.trim();
        if trimmed.starts_with(['{', '[']) && depth < MAX_DEPTH {
            let inner = Document::parse(trimmed.as_bytes(), limits());
            if let Ok(document) = inner {
                return self.walk(document.root(), &mut String::new(), scope, depth + MAX_DEPTH / 3);
            }
        }
        if named::is_manifest(text) {
            self.manifest(text);
        } else if patch::is_patch(text) {
            self.patch(text, scope);
        } else if guess::is_powershell(text) {
            self.run(Shell::PowerShell, text, true);
        } else if guess::is_command(text) {
            self.run(Shell::Bash, text, true);
        } else if trimmed.contains("://") && guess::is_address(trimmed) {
            self.address(trimmed);
        } else if sql::is_statement(text) {
            sql::judge(text).into_iter().for_each(|f| self.judgement.add(f));
        } else if guess::is_path(trimmed) {
            let act = if self.tool.does() == Does::Write {
                Act::Write
            } else {
                Act::Read
            };
            self.file(trimmed, act);
        }
    }

    /// What a cluster is told to run.
    fn manifest(&mut self, text: &str) {
        let plain: String = text
            .to_lowercase()
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\''))
            .collect();
        let marks = [
            "privileged:true",
            "hostpid:true",
            "hostipc:true",
            "hostnetwork:true",
            "hostpath:",
            "cluster-admin",
            "allowprivilegeescalation:true",
            "docker.sock",
        ];
        if marks.iter().any(|mark| plain.contains(mark)) {
            self.add(
                "privilege/host",
                Class::Privilege,
                Danger::Block,
                "a container with the rights of its machine",
            );
        }
        content::commands_of_yaml(self, text);
    }

    /// What leaves for people or services, when nothing said where to.
    fn sends(&mut self) {
        if self.tool.does() == Does::Send && !self.host_is_told {
            self.add(
                "exfiltration/sends",
                Class::Exfiltration,
                Danger::Approve,
                "sends something to people or services",
            );
        }
    }
}

fn limits() -> Limits {
    Limits::with_bytes(MAX_BYTES)
}
