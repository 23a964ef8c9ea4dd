//! What is deleted, and how much that is.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::paths;
use super::words::{Note, UNKNOWN, Word};

/// Whether a path is the root of much: `/`, a home, the project, its history.
pub(super) fn is_root_of(call: &Call<'_>, word: &Word) -> bool {
    if matches!(word.text.as_str(), "." | "./" | "./." | "~+" | "~+/") {
        return true;
    }
    // What is not known may be empty.
    let text = word.text.trim_end_matches(UNKNOWN);
    let text = if matches!(text, "/" | "~/") {
        text
    } else {
        word.text.as_str()
    };
    let path = paths::normal(call.world.folder, text);
    let bare = path.trim_end_matches(['*', '/', '.']);
    let bare = bare.trim_end_matches(".[!");
    let depth = bare.split('/').filter(|part| !part.is_empty()).count();
    (bare.is_empty() && !path.is_empty())
        || matches!(bare, "~" | "~/" | "c:" | ".git")
        || bare.starts_with("..") && bare.trim_matches(['.', '/']).is_empty()
        || (bare.starts_with('/') && depth <= 1 && bare != "/tmp")
        || (paths::is_system(bare)
            && !bare.starts_with("/opt/")
            && !bare.starts_with("/usr/local/")
            && !bare.starts_with("/usr/src"))
        || bare.ends_with("/.git")
        || bare.starts_with("~/")
            && matches!(
                bare,
                "~/documents"
                    | "~/desktop"
                    | "~/.ssh"
                    | "~/.config"
                    | "~/.aws"
                    | "~/.kube"
                    | "~/.gnupg"
                    | "~/downloads"
                    | "~/pictures"
            )
}

/// Whether a pattern behind a search takes what people wrote, not what was built from it.
pub(super) fn is_source(path: &str) -> bool {
    const SOURCES: &[&str] = &[
        "*", "rs", "py", "js", "ts", "tsx", "jsx", "mjs", "cjs", "go", "java", "kt", "kts", "scala", "c",
        "h", "cc", "cpp", "hpp", "cs", "fs", "vb", "rb", "php", "swift", "m", "ex", "exs", "erl", "hs",
        "lua", "r", "jl", "dart", "vue", "svelte", "sql", "sh", "ps1", "md", "rst", "tex", "html", "css",
        "scss", "json", "yaml", "yml", "toml", "ipynb", "proto", "tf", "csproj", "sln",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    name.strip_prefix("*.").is_some_and(|end| SOURCES.contains(&end)) || matches!(name, "*.[ch]" | "*.[ch]pp")
}

/// Whether a path begins where people write, or anywhere in the project.
fn is_written(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let is_far = matches!(first, "" | "~") && !paths::is_temporary(path);
    is_far
        || matches!(
            first,
            "src" | "lib" | "app" | "tests" | "test" | "docs" | "crates" | "packages"
        )
        || first.starts_with(UNKNOWN)
}

/// Judges that a folder or file is moved: from its place it is gone.
pub(super) fn moved(call: &Call<'_>, source: &Word, target: Option<&Word>, out: &mut Outcome) {
    let path = paths::normal(call.world.folder, &source.text);
    let to = target.map_or(String::new(), |to| paths::normal(call.world.folder, &to.text));
    if is_root_of(call, source) && (path.starts_with(['~', '/']) || path.contains(".git")) {
        out.judgement
            .block("destructive/move", "moves the root of much away");
    } else if to == "/dev/null" {
        out.judgement
            .approve("destructive/move", "moves files to nowhere");
    } else if paths::is_temporary(&to)
        && matches!(
            path.trim_end_matches('/'),
            "src" | "lib" | "app" | ".github" | "migrations" | "tests"
        )
    {
        out.judgement
            .approve("destructive/move", "moves what the project is made of away");
    }
}

/// Judges what is deleted.
pub(super) fn removed(call: &Call<'_>, target: &Word, is_recursive: bool, out: &mut Outcome) {
    let is_whole_unknown = target
        .text
        .chars()
        .all(|c| c == UNKNOWN || matches!(c, '/' | '*' | '.'))
        && target.dynamic
        && !target.text.starts_with('/');
    if is_whole_unknown {
        if is_recursive {
            out.judgement.approve(
                "destructive/delete",
                "deletes a folder that is only known when it runs",
            );
        }
        return;
    }
    let path = paths::normal(call.world.folder, &target.text);
    if target.text.starts_with('~') && path.starts_with(UNKNOWN) {
        out.judgement.approve(
            "destructive/delete",
            "deletes a folder that is only known when it runs",
        );
    }
    let starts_unknown = target.text.starts_with(UNKNOWN)
        && !target
            .text
            .trim_start_matches(UNKNOWN)
            .trim_matches(['/', '*'])
            .is_empty();
    if is_root_of(call, target)
        && !starts_unknown
        && (is_recursive || path.contains('*') || target.text.contains(".git"))
    {
        out.judgement
            .block("destructive/delete", "deletes the root of much");
    } else if is_recursive && is_outside(&path) {
        out.judgement
            .approve("destructive/delete", "deletes a folder outside of the project");
    } else if is_recursive && (path == ".github" || path == "src" || path == "migrations")
        || path.contains(UNKNOWN) && is_source(&path) && is_written(&path)
    {
        out.judgement
            .approve("destructive/delete", "deletes what the project is made of");
    }
    if path.contains("/var/log") || path.ends_with("_history") || path.ends_with("audit.log") {
        out.judgement.approve("destructive/history", "deletes records");
    }
}

/// Whether a folder is outside of the project, and none that is filled again by itself.
fn is_outside(path: &str) -> bool {
    let is_cache = path.contains("cache") || path.contains("node_modules");
    path.starts_with("..")
        || path.starts_with("~/") && !is_cache
        || path.starts_with('/') && !paths::is_temporary(path) && path.split('/').count() < 5
}

/// Judges `rm` and its like.
pub(super) fn remove(call: &Call<'_>, out: &mut Outcome) {
    let options = Options::read(call.args, "", &[]);
    let is_recursive = options.has(&["r", "R", "recursive"]) || matches!(call.name, "rimraf" | "srm");
    if options.has(&["no-preserve-root"]) {
        out.judgement
            .block("destructive/delete", "deletes the root of much");
    }
    for target in &options.operands {
        removed(call, target, is_recursive, out);
        let path = paths::normal(call.world.folder, &target.text);
        if path.starts_with("/dev/") || path.starts_with("/etc/") || path.starts_with("/boot") {
            out.judgement
                .block("destructive/delete", "deletes files of the system");
        }
        let mut ignored = super::super::judgement::Judgement::default();
        paths::write(&mut ignored, call.world.folder, target);
        if ignored
            .findings
            .iter()
            .any(|finding| finding.rule.starts_with("self-approval"))
        {
            out.judgement.approve(
                "self-approval/agent-settings",
                "deletes what decides what an agent may do",
            );
        }
        if ignored
            .findings
            .iter()
            .any(|finding| finding.rule == "persistence/startup-file")
        {
            out.judgement
                .approve("destructive/delete", "deletes settings of the user");
        }
    }
    if call.stdin.text.is_none() && call.args.is_empty() && call.stdin.has(Flow::DATA) {
        out.judgement
            .approve("destructive/delete", "deletes what comes in");
    }
}
