//! The table of known tools, and how arguments of others are told by their names.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::super::judgement::Class;

/// What an argument is, in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Part {
    Command,
    Bash,
    Powershell,
    Argv,
    Path,
    Place,
    Content,
    Address,
    Prose,
    Sql,
    Input,
    Patch,
    Code,
    Option,
    Unknown,
}

/// What a tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Does {
    Run,
    Write,
    Read,
    Fetch,
    Ask,
    Send,
    Repository,
    Approve,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    tool: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) does: Does,
    pub(super) class: Option<Class>,
    pub(super) reason: Option<String>,
    names: Vec<String>,
    args: HashMap<String, Part>,
}

struct Tools {
    rows: Vec<Row>,
    by_name: HashMap<String, usize>,
}

/// Nothing when the table is broken, which a test would notice; then every tool is unknown.
static TOOLS: LazyLock<Option<Tools>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("tools.toml")).ok()?;
    let mut rows = table.tool;
    let mut by_name = HashMap::new();
    for (index, row) in rows.iter_mut().enumerate() {
        for name in &row.names {
            by_name.entry(name.to_lowercase()).or_insert(index);
        }
        row.args = row
            .args
            .drain()
            .map(|(path, part)| (plain(&path), part))
            .collect();
    }
    Some(Tools { rows, by_name })
});

/// A tool, as far as it is known.
pub(super) struct Tool {
    row: Option<&'static Row>,
    /// The name is known as it is, not only its end.
    is_exact: bool,
    does: Does,
    pub(super) is_powershell: bool,
    /// In lower case.
    pub(super) name: String,
}

impl Tool {
    pub(super) fn new(name: &str) -> Self {
        // No client knows longer names; what is longer is unknown.
        let name: String = name.chars().take(256).flat_map(char::to_lowercase).collect();
        let bare = name.strip_prefix("functions.").unwrap_or(&name);
        let (row, is_exact) = find(bare);
        Self {
            row,
            is_exact,
            does: row.map_or_else(|| guess_does(bare), |r| r.does),
            is_powershell: bare.contains("powershell") || bare.contains("pwsh"),
            name: bare.to_owned(),
        }
    }

    pub(super) fn row(&self) -> Option<&'static Row> {
        self.row
    }

    pub(super) fn is_known(&self) -> bool {
        self.row.is_some()
    }

    pub(super) fn does(&self) -> Does {
        self.does
    }

    /// What the argument at this path is. `path` has names and `[]`, joined by dots.
    pub(super) fn part(&self, path: &str) -> Part {
        let path = plain(path);
        let known = self
            .row
            .and_then(|row| row.args.get(&path).or_else(|| row.args.get("*")))
            .copied();
        match known {
            // Of a tool that only ends like a known one, a name that says more counts.
            Some(part @ (Part::Prose | Part::Option)) if !self.is_exact => match guess(&path) {
                Part::Unknown if part == Part::Prose && !self.is_any(&path) => Part::Prose,
                guessed => guessed,
            },
            Some(part) => part,
            None => guess(&path),
        }
    }

    /// The table says nothing of this argument by name.
    fn is_any(&self, path: &str) -> bool {
        self.row.is_some_and(|row| !row.args.contains_key(path))
    }
}

fn find(name: &str) -> (Option<&'static Row>, bool) {
    let Some(tools) = TOOLS.as_ref() else {
        return (None, false);
    };
    let row = |name: &str| tools.by_name.get(name).and_then(|at| tools.rows.get(*at));
    if let Some(row) = row(name) {
        return (Some(row), true);
    }
    // Behind the name of a server, however it is joined: the longest known end.
    let ends = name
        .match_indices(['_', '-', '.', '/', ':'])
        .map(|(at, _)| at + 1);
    let found = ends.filter_map(|at| name.get(at..)).find_map(row);
    (found, false)
}

/// A path of arguments without case, `_` and `-`.
fn plain(path: &str) -> String {
    path.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// What an argument is, told by its name.
fn guess(path: &str) -> Part {
    let is_item = path.ends_with(".[]");
    let name = path
        .trim_end_matches(".[]")
        .rsplit('.')
        .next()
        .unwrap_or_default();
    match name {
        "command" | "cmd" if is_item => Part::Argv,
        "argv" => Part::Argv,
        "command" | "cmd" | "commandline" | "shellcommand" | "bashcommand" | "commands" | "shellscript"
        | "bash" => Part::Command,
        "powershell" | "pscommand" => Part::Powershell,
        "path"
        | "paths"
        | "filepath"
        | "filepaths"
        | "file"
        | "files"
        | "filename"
        | "targetfile"
        | "targetpath"
        | "absolutepath"
        | "relativepath"
        | "sourcepath"
        | "destinationpath"
        | "destination"
        | "dest"
        | "outputpath"
        | "inputpath"
        | "notebookpath"
        | "relativeworkspacepath"
        | "outputfile"
        | "inputfile"
        | "dirpath"
        | "fileuri"
        | "localpath" => Part::Path,
        "content" | "contents" | "filetext" | "newstring" | "newstr" | "newcode" | "codeedit" | "newtext"
        | "newcontent" | "newsource" | "inserttext" => Part::Content,
        "url" | "urls" | "uri" | "href" | "link" | "endpoint" | "webhook" | "webhookurl" | "baseurl"
        | "targeturl" | "imageurl" | "callbackurl" | "address" | "host" | "hostname" | "domain" => {
            Part::Address
        }
        "sql" | "statement" | "sqlquery" => Part::Sql,
        "code" | "sourcecode" | "snippet" | "codesnippet" => Part::Code,
        "patch" | "diff" => Part::Patch,
        "input" | "keys" | "stdin" => Part::Unknown,
        _ => Part::Unknown,
    }
}

/// What an unknown tool does, told by the words of its name.
fn guess_does(name: &str) -> Does {
    let has = |words: &[&str]| {
        name.split(|c: char| !c.is_ascii_alphanumeric())
            .any(|w| words.contains(&w.strip_suffix('s').unwrap_or(w)) || words.contains(&w))
    };
    let looks = has(&[
        "list", "get", "search", "read", "find", "view", "show", "query", "count", "describe", "check",
        "lookup",
    ]);
    if has(&["send", "upload", "publish"])
        || !looks
            && has(&[
                "post", "email", "mail", "share", "notify", "tweet", "forward", "sms",
            ])
    {
        Does::Send
    } else if has(&[
        "write", "create", "edit", "update", "save", "put", "append", "delete", "remove", "move", "rename",
        "replace", "insert", "patch", "copy", "modify",
    ]) {
        Does::Write
    } else if has(&[
        "fetch", "navigate", "browse", "crawl", "scrape", "http", "download", "request",
    ]) {
        Does::Fetch
    } else if has(&["run", "exec", "shell", "terminal", "bash", "command", "spawn"]) {
        Does::Run
    } else {
        Does::Read
    }
}

#[cfg(test)]
pub(super) fn names() -> usize {
    TOOLS.as_ref().map_or(0, |t| t.by_name.len())
}
