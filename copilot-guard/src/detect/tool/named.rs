//! What the name of a tool that is not known says by itself: what it takes away, which program it hands its arguments to.

use crate::json::{Document, Limits};

/// What somebody would miss.
const THINGS: &[&str] = &[
    "repository",
    "repo",
    "database",
    "db",
    "namespace",
    "bucket",
    "project",
    "org",
    "organization",
    "cluster",
    "table",
    "collection",
    "account",
    "user",
    "environment",
    "deployment",
    "instance",
    "server",
    "vm",
    "volume",
    "snapshot",
    "backup",
    "stack",
    "app",
    "application",
    "site",
    "domain",
    "zone",
    "secret",
    "key",
    "branch",
    "release",
    "workspace",
    "resource",
    "node",
    "index",
    "queue",
    "topic",
    "function",
    "service",
    "group",
    "role",
    "policy",
    "team",
    "migration",
];

/// Words of a name that take something away for good.
const ENDS: &[&str] = &[
    "delete",
    "destroy",
    "drop",
    "terminate",
    "purge",
    "wipe",
    "truncate",
    "erase",
    "uninstall",
];

/// Programs that servers of tools hand their arguments to.
const PROGRAMS: &[&str] = &[
    "kubectl",
    "helm",
    "aws",
    "terraform",
    "docker",
    "gcloud",
    "az",
    "gh",
    "git",
    "psql",
    "heroku",
    "flyctl",
    "argocd",
];

fn words(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// Whether a call takes away what is more than a file.
pub(super) fn takes_away(name: &str) -> bool {
    let has_end = words(name).any(|word| ENDS.contains(&word));
    has_end
        && words(name).any(|word| {
            let one = word.strip_suffix("ies").map(|stem| format!("{stem}y"));
            THINGS.contains(&word)
                || word.strip_suffix('s').is_some_and(|one| THINGS.contains(&one))
                || one.is_some_and(|one| THINGS.contains(&one.as_str()))
                || PROGRAMS.contains(&word)
        })
}

/// The program that the arguments are meant for: `run_kubectl`, `aws_cli`.
pub(super) fn program(name: &str) -> Option<&'static str> {
    words(name)
        .rev()
        .find_map(|word| PROGRAMS.iter().find(|program| **program == word))
        .copied()
}

/// Whether what it is given is the task of another agent, which has the same tools.
pub(super) fn is_agent(name: &str) -> bool {
    matches!(
        name.rsplit(['_', '.', '/', ':']).next().unwrap_or_default(),
        "task" | "agent" | "subagent" | "runsubagent" | "taskcreate" | "delegate"
    ) || matches!(
        name,
        "run_subagent" | "execution_subagent" | "spawn_agent" | "write_agent" | "new_task"
    )
}

/// Whether it looks for a pattern in files.
pub(super) fn is_grep(name: &str) -> bool {
    words(name).any(|word| matches!(word, "grep" | "rg" | "ripgrep" | "findtextinfiles"))
        || ["search_files", "search_in_files", "search_content"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// The code in a text for readers: between backticks, and in blocks.
pub(super) fn code_in(text: &str) -> impl Iterator<Item = &str> {
    const MOST: usize = 32;
    let blocks = text
        .split("```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').map_or(block, |(_, code)| code));
    let outside = text.split("```").step_by(2);
    let spans = outside.flat_map(|part| part.split('`').skip(1).step_by(2));
    blocks
        .chain(spans)
        .map(str::trim)
        .filter(|code| code.contains(' '))
        .take(MOST)
}

/// Whether a tool keeps words for later conversations.
pub(super) fn is_memory(name: &str) -> bool {
    [
        "memory",
        "remember",
        "user_preferences",
        "userpreferences",
        "create_entities",
        "add_observations",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Whether a text says that approval is given once and for all, or is switched off.
pub(super) fn takes_approval_away(text: &str) -> bool {
    let plain: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    let marks = [
        "autoapprovetotrue",
        "autoapprovetrue",
        "autoapproveon",
        "enableautoapprove",
        "turnonautoapprove",
        "toolsautoapprove",
        "approvedallcommands",
        "approvedeverycommand",
        "approvedalltools",
        "dangerouslyskippermissions",
        "bypasspermissions",
        "allowalltools",
        "neveraskforapproval",
        "withoutaskingforapproval",
        "skipapproval",
    ];
    marks.iter().any(|mark| plain.contains(mark))
}

/// Whether a text is a manifest of a cluster.
pub(super) fn is_manifest(text: &str) -> bool {
    text.contains("apiVersion") && text.contains("kind") && text.contains([':', '{'])
}

/// Text that is typed, with the keys that tools spell in braces.
pub(super) fn without_keys(text: &str) -> String {
    ["{enter}", "{return}", "{Enter}", "{ENTER}"]
        .iter()
        .fold(text.to_owned(), |text, key| text.replace(key, "\n"))
}

/// What a terminal of this name seems to run, when it is no shell.
pub(super) fn language_of_session(name: &str) -> Option<&'static str> {
    let word = name
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    match word {
        "psql" | "mysql" | "sqlite" | "sql" | "postgres" | "mariadb" | "duckdb" => Some("sql"),
        "node" | "nodejs" => Some("node"),
        "python" | "ipython" | "py" => Some("python"),
        "irb" | "ruby" => Some("ruby"),
        _ => None,
    }
}

/// Whether a call of an editor's command only shows, formats or saves something.
pub(super) fn is_harmless_command(tool: &str, arguments: &str) -> bool {
    /// Beginnings of commands, in lower case. What opens addresses, runs tasks or changes settings is none of them.
    const HARMLESS: &[&str] = &[
        "markdown.showpreview",
        "markdown.showlockedpreview",
        "editor.action.format",
        "editor.action.organizeimports",
        "editor.action.trimtrailingwhitespace",
        "editor.action.reveal",
        "editor.action.goto",
        "editor.action.showhover",
        "editor.action.peek",
        "editor.action.marker",
        "editor.action.fold",
        "editor.fold",
        "editor.unfold",
        "workbench.action.files.save",
        "workbench.action.focus",
        "workbench.action.closeactiveeditor",
        "workbench.action.spliteditor",
        "workbench.action.problems.focus",
        "workbench.actions.view.problems",
        "workbench.view.explorer",
        "workbench.view.scm",
        "workbench.view.search",
        "workbench.view.testing",
        "workbench.view.debug",
        "workbench.view.extension.test",
    ];
    let bare = tool.replace(['_', '-'], "");
    if !["runvscodecommand", "runeditorcommand", "executevscodecommand"]
        .iter()
        .any(|name| bare.ends_with(name))
    {
        return false;
    }
    let Ok(document) = Document::parse(arguments.trim().as_bytes(), Limits::with_bytes(1 << 16)) else {
        return false;
    };
    let root = document.root();
    let command = ["commandId", "command_id", "command", "id"]
        .iter()
        .filter_map(|name| root.get_str(name))
        .collect::<Vec<_>>();
    let [command] = command.as_slice() else {
        return false;
    };
    let command = command.to_lowercase();
    HARMLESS.iter().any(|known| command.starts_with(known))
}
