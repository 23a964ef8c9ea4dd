//! Files that are more than files: the table `paths.toml`, and what reading or writing one means.

use std::sync::LazyLock;

use serde::Deserialize;

use super::super::judgement::{Class, Danger, Finding, Judgement};
use super::path::{self, Place, Root};

/// How what is written into a file is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Settings,
    Rules,
    Script,
    Powershell,
    JsonCommands,
    Package,
    Workflow,
    YamlCommands,
    Dockerfile,
    Makefile,
    Code,
    Python,
    Build,
}

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Read,
    Write,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    path: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    rule: String,
    class: Class,
    reason: String,
    #[serde(default)]
    write: Danger,
    #[serde(default)]
    read: Danger,
    content: Option<Kind>,
    #[serde(default)]
    stop: bool,
    globs: Vec<String>,
    #[serde(skip)]
    patterns: Vec<Pattern>,
}

enum Anchor {
    Anywhere,
    Home,
    Root,
}

struct Pattern {
    anchor: Anchor,
    segments: Vec<String>,
    /// All below counts too.
    is_folder: bool,
}

/// Nothing when the table is broken, which a test would notice; then every file needs a look.
static ROWS: LazyLock<Option<Vec<Row>>> = LazyLock::new(|| {
    let mut table: Table = toml::from_str(include_str!("paths.toml")).ok()?;
    for row in &mut table.path {
        row.patterns = row.globs.iter().map(|g| Pattern::new(g)).collect();
    }
    Some(table.path)
});

impl Pattern {
    fn new(glob: &str) -> Self {
        let (anchor, rest) = match (glob.strip_prefix("~/"), glob.strip_prefix('/')) {
            (Some(rest), _) => (Anchor::Home, rest),
            (_, Some(rest)) => (Anchor::Root, rest),
            _ => (Anchor::Anywhere, glob),
        };
        let (rest, is_folder) = rest.strip_suffix("/**").map_or((rest, false), |r| (r, true));
        Self {
            anchor,
            segments: rest.split('/').map(str::to_owned).collect(),
            is_folder,
        }
    }

    fn matches(&self, place: &Place) -> bool {
        let all = place.segments.as_slice();
        let fits = |part: &[String]| {
            part.len() >= self.segments.len()
                && (self.is_folder || part.len() == self.segments.len())
                && self
                    .segments
                    .iter()
                    .zip(part)
                    .all(|(glob, name)| path::glob(glob, name))
        };
        let from = |at: usize| all.get(at..).is_some_and(fits);
        match self.anchor {
            Anchor::Home => place.home.is_some_and(from),
            // A path that climbs above the workspace may end anywhere.
            Anchor::Root => (place.is_absolute || place.root == Root::Above) && from(0),
            Anchor::Anywhere if self.is_folder => (0..all.len()).any(from),
            Anchor::Anywhere => all.len().checked_sub(self.segments.len()).is_some_and(from),
        }
    }
}

/// Judges that a file is read or written, by its path alone.
pub(super) fn judge(text: &str, act: Act) -> (Judgement, Option<Kind>) {
    let mut judgement = Judgement::default();
    let place = match path::parse(text) {
        Ok(place) => place,
        Err(odd) => {
            judgement.add(Finding::new(
                "unclear/odd-path",
                Class::Unclear,
                Danger::Block,
                format!("a path {}", odd.0),
            ));
            return (judgement, None);
        }
    };
    let Some(rows) = ROWS.as_ref() else {
        judgement.add(Finding::new(
            "unclear/no-table",
            Class::Unclear,
            Danger::Approve,
            "the table of paths is broken",
        ));
        return (judgement, None);
    };
    let mut kind = None;
    for row in rows
        .iter()
        .filter(|row| row.patterns.iter().any(|p| p.matches(&place)))
    {
        let danger = match act {
            Act::Read => row.read,
            Act::Write => row.write,
        };
        if danger > Danger::Allow && judgement.findings.is_empty() {
            judgement.add(Finding::new(&row.rule, row.class, danger, row.reason.as_str()));
        }
        kind = kind.or(row.content);
        if row.stop {
            break;
        }
    }
    if act == Act::Write {
        let outside = match place.root {
            Root::Here => None,
            Root::Above => Some(("privilege/outside-workspace", "writes above the workspace")),
            Root::Home => Some((
                "privilege/outside-workspace",
                "writes into a home, outside of the workspace",
            )),
            Root::System => Some(("privilege/system-folder", "writes into a folder of the system")),
            Root::Variable => Some(("unclear/variable-path", "writes where a variable says")),
        };
        if let Some((rule, why)) = outside {
            let class = if place.root == Root::Variable {
                Class::Unclear
            } else {
                Class::Privilege
            };
            judgement.add(Finding::new(rule, class, Danger::Approve, why));
        }
    }
    (judgement, kind)
}

#[cfg(test)]
pub(super) fn rows() -> usize {
    ROWS.as_ref().map_or(0, Vec::len)
}
