//! Programs that edit files in their place.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::paths;
use super::words::{Note, Word};

pub(super) fn sed(call: &Call<'_>, out: &mut Outcome) {
    let options = Options::read(call.args, "ef", &["expression", "file"]);
    let mut operands = options.operands.iter();
    let mut scripts: Vec<&Word> = options.values(&["e", "expression"]);
    if scripts.is_empty() && options.values(&["f", "file"]).is_empty() {
        scripts.extend(operands.next());
    }
    for script in scripts {
        let text = script.text.as_str();
        let may_run = text == "e"
            || text.starts_with("e ")
            || text.ends_with("/e")
            || text.contains("/e;")
            || text.contains(";e")
            || text.contains("1e")
            || text.contains("\ne")
            || text.contains("/ge")
            || text.contains("$e")
            || text.ends_with("e")
                && text.rsplit(['/', '|', '#']).next().is_some_and(|flags| {
                    flags.len() < 4 && flags.chars().all(|c| "gpiIeMm0123456789".contains(c))
                });
        let may_write =
            text.contains("w /") || text.contains("/w ") || text.starts_with("w ") || text.contains("r /");
        if may_run || may_write {
            out.judgement.merge(super::code::judge(call.cx, "sed", text));
        }
    }
    let in_place = options.has(&["i", "in-place", "I"]);
    if in_place {
        let texts: Vec<&Word> = options
            .values(&["e", "expression"])
            .into_iter()
            .chain(options.operands.first().copied())
            .collect();
        emptied(&texts, out);
    }
    for file in operands {
        if in_place {
            locked(file, out);
            paths::write(&mut out.judgement, call.world.folder, file);
        }
        let bits = paths::read(&mut out.judgement, call.world.folder, file);
        out.out.add(bits | Flow::DATA);
    }
    out.out.add(call.stdin.bits());
}

/// Judges scripts that edit files in place: those that leave nothing of them.
pub(super) fn emptied(scripts: &[&Word], out: &mut Outcome) {
    let is_all = |text: &str| {
        let text = text.trim().trim_end_matches(';');
        let mut chars = text.chars();
        let parts: Vec<&str> = match (chars.next(), chars.next()) {
            (Some('s'), Some(sign)) if !sign.is_alphanumeric() => text.split(sign).collect(),
            _ => Vec::new(),
        };
        let is_any = |pattern: &str| {
            matches!(
                pattern.trim_start_matches('^').trim_end_matches('$'),
                ".*" | ".+" | ".*\\n"
            )
        };
        matches!(
            text,
            "d" | "1,$d" | "/./d" | "/.*/d" | "$_=''" | "$_=\"\"" | "undef $_"
        ) || matches!(parts.as_slice(), [_, pattern, "", ..] if is_any(pattern))
    };
    if scripts.iter().any(|script| is_all(&script.text)) {
        out.judgement
            .approve("destructive/emptied", "empties files in their place");
    }
}

/// Judges that a file is edited in place: one that says which packages are taken, and from where.
pub(super) fn locked(file: &Word, out: &mut Outcome) {
    let path = file.text.to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_lock = name.ends_with(".lock")
        || name.ends_with("-lock.json")
        || matches!(
            name,
            "pnpm-lock.yaml"
                | "go.sum"
                | "npm-shrinkwrap.json"
                | "bun.lockb"
                | "packages.lock.json"
                | "gradle.lockfile"
        );
    if is_lock {
        out.judgement.approve(
            "supply-chain/lock-file",
            "edits what says which packages are taken",
        );
    }
}
