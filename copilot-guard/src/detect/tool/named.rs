//! What the name of a tool that is not known says by itself: what it takes away, which program it hands its arguments to.

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
