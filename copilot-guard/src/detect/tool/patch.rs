//! Patches: the format of `apply_patch`, and unified differences.

/// What a patch does to one file.
pub(super) struct Change {
    /// The file, and what it is renamed to.
    pub(super) paths: Vec<String>,
    /// The lines that are new, and those around them.
    pub(super) added: String,
}

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";

/// Whether the text is a patch in the format of `apply_patch`.
pub(super) fn is_patch(text: &str) -> bool {
    text.trim_start().starts_with(BEGIN)
}

/// The patch of a shell command that does nothing but apply it: `apply_patch <<'EOF'`, the patch, `EOF`. The delimiter is
/// quoted, so that nothing in the patch is expanded.
pub(super) fn from_command(command: &str) -> Option<&str> {
    let rest = command.trim().strip_prefix("apply_patch")?.trim_start();
    let rest = rest.strip_prefix("<<")?;
    let (first, body) = rest.split_once('\n')?;
    let first = first.trim();
    let quote = first.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mark = first.strip_prefix(quote)?.strip_suffix(quote)?;
    let is_mark = !mark.is_empty() && mark.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let (patch, last) = body.rsplit_once('\n')?;
    // The first line that is the delimiter ends the document; what follows would be commands.
    let is_whole = last == mark && patch.lines().all(|line| line != mark);
    (is_mark && is_whole && is_patch(patch)).then_some(patch)
}

/// The changes of a patch. Nothing if it is none, or names no file.
pub(super) fn parse(text: &str) -> Option<Vec<Change>> {
    if is_patch(text) {
        of_apply_patch(text)
    } else {
        of_diff(text)
    }
}

fn of_apply_patch(text: &str) -> Option<Vec<Change>> {
    let mut changes: Vec<Change> = Vec::new();
    let mut has_end = false;
    for line in text.trim().lines() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if has_end {
            return None;
        }
        let file = ["*** Add File:", "*** Update File:", "*** Delete File:"]
            .iter()
            .find_map(|mark| line.trim_start().strip_prefix(mark));
        if let Some(path) = file {
            changes.push(Change {
                paths: vec![path.trim().to_owned()],
                added: String::new(),
            });
        } else if let Some(path) = line.trim_start().strip_prefix("*** Move to:") {
            changes.last_mut()?.paths.push(path.trim().to_owned());
        } else if line.trim() == END {
            has_end = true;
        } else if let (Some(change), Some(added)) = (changes.last_mut(), line.strip_prefix(['+', ' '])) {
            change.added.push_str(added);
            change.added.push('\n');
        }
    }
    // Some readers do without the end; none without a file.
    (!changes.is_empty()).then_some(changes)
}

fn of_diff(text: &str) -> Option<Vec<Change>> {
    let mut changes: Vec<Change> = Vec::new();
    for line in text.lines() {
        if let Some(path) = line
            .strip_prefix("+++ ")
            .or_else(|| line.strip_prefix("rename to "))
        {
            let path = path.split('\t').next().unwrap_or_default().trim();
            let path = path.strip_prefix("b/").unwrap_or(path);
            changes.push(Change {
                paths: vec![path.to_owned()],
                added: String::new(),
            });
        } else if let (Some(change), Some(added)) = (changes.last_mut(), line.strip_prefix(['+', ' '])) {
            change.added.push_str(added);
            change.added.push('\n');
        }
    }
    (!changes.is_empty()).then_some(changes)
}
