use std::fs;

use super::*;

fn rules() -> RuleSet {
    RuleSet::builder().builtin().build().unwrap()
}

fn token() -> String {
    format!("{}p_7YSH0VJY4edqxYZQtU7VpVQi5w9tLt000001", "gh")
}

fn look(rules: &RuleSet, paths: &[PathBuf], chunk: usize, as_spans: bool) -> (String, Outcome) {
    let search = Search {
        rules,
        options: &ScanOptions::default(),
        chunk,
        as_spans,
    };
    let mut out = Vec::new();
    let outcome = search.run(paths, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), outcome)
}

/// A folder with files of several kinds, some longer than what is read at once.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let token = token();
    write("b/plain.rs", b"fn main() {}\n");
    write(
        "b/two.txt",
        format!("Gr\u{fc}\u{df}e {token}\r\n\n  {token} {token}").as_bytes(),
    );
    write("a.log", token.as_bytes());
    write("c/.env", format!("\nTOKEN={token}\n").as_bytes());
    write("c/.git/config", token.as_bytes());
    write("c/image", format!("\u{89}PNG\0{token}").as_bytes());
    write("empty", b"");
    // Over the edge between two readings, and a NUL byte that comes too late to tell.
    let mut long = "a line of text\n".repeat(READ / 15).into_bytes();
    long.resize(READ - 20, b'.');
    long.push(b'\n');
    long.extend_from_slice(token.as_bytes());
    long.extend_from_slice(b"\0\n\n");
    long.extend_from_slice(token.as_bytes());
    write("z.log", &long);
    #[cfg(unix)]
    std::os::unix::fs::symlink("../a.log", folder.path().join("b/link")).unwrap();
    folder
}

#[test]
fn each_secret_is_a_line_in_the_order_of_the_walk() {
    let (rules, folder) = (rules(), folder());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let lines = READ / 15;
    let expected = [
        format!("{}:1:1: github-pat", at("a.log")),
        format!("{}:1:9: github-pat", at("b/two.txt")),
        format!("{}:3:3: github-pat", at("b/two.txt")),
        format!("{}:3:{}: github-pat", at("b/two.txt"), 3 + token().len() + 1),
        format!("{}:2:7: github-pat", at("c/.env")),
        format!("{}:{}:1: github-pat", at("z.log"), lines),
        format!("{}:{}:1: github-pat", at("z.log"), lines + 2),
    ];
    let paths = [folder.path().to_owned()];
    for chunk in [1, 2, 3, 5, 7, 16, 64, usize::MAX] {
        let (out, outcome) = look(&rules, &paths, chunk, false);
        assert_eq!(out.lines().collect::<Vec<_>>(), expected, "chunk {chunk}");
        assert!(outcome.unread.is_empty());
        assert!(!out.contains(&token()[4..12]), "a line shows what it found");
        let skipped = outcome.skipped().unwrap();
        assert!(
            skipped.starts_with("skipped: not text: 1, hidden folders: 1"),
            "{skipped}"
        );
        assert_eq!(outcome.links, usize::from(cfg!(unix)));
    }
}

#[test]
fn spans_are_those_of_the_text() {
    let (rules, folder) = (rules(), folder());
    let paths = [folder.path().to_owned()];
    let (whole, _) = look(&rules, &paths, usize::MAX, true);
    for chunk in [1, 2, 3, 5, 7, 16, 64] {
        assert_eq!(look(&rules, &paths, chunk, true).0, whole, "chunk {chunk}");
    }
    let lines: Vec<serde_json::Value> = whole.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 7);
    for line in lines {
        let text = fs::read(line["path"].as_str().unwrap()).unwrap();
        let offset = |key: &str| line[key].as_u64().unwrap() as usize;
        assert_eq!(text[offset("start")..offset("end")], *token().as_bytes());
        assert_eq!(line["rule"], "github-pat");
    }
}

/// The control of both: an engine that saw each piece alone would find something else.
#[test]
fn a_search_that_forgets_between_pieces_would_be_noticed() {
    let (rules, token) = (rules(), token());
    for chunk in [1, 2, 3, 5, 7, 16] {
        let alone = token
            .as_bytes()
            .chunks(chunk)
            .map(|piece| rules.scan(&rules.all(), piece).len());
        assert_eq!(alone.sum::<usize>(), 0, "chunk {chunk}");
    }
}

#[test]
fn what_cannot_be_read_is_said_after_the_rest() {
    let (rules, folder) = (rules(), folder());
    let paths = ["missing", "a.log", "c/.git", "c/image"].map(|name| folder.path().join(name));
    let (out, outcome) = look(&rules, &paths, usize::MAX, false);
    // A hidden folder that is named itself is looked at.
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!((outcome.not_text, outcome.hidden), (1, 0));
    let failure = Failure::all(&outcome.unread).unwrap().to_string();
    assert!(
        failure.starts_with("error: `") && failure.contains("missing` cannot be read: "),
        "{failure}"
    );
    assert!(
        failure.ends_with(": check the path and its permissions"),
        "{failure}"
    );
    assert_eq!(failure.lines().count(), 1);
    assert!(Failure::all(&[]).is_none());
}

#[cfg(unix)]
#[test]
fn a_name_makes_no_line_and_a_named_link_is_followed() {
    let (rules, folder) = (rules(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("a\nb: 1"), token()).unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("itself")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    let (out, outcome) = look(&rules, &[folder.path().join("itself")], usize::MAX, false);
    assert!(
        out.ends_with("a\\nb: 1:1:1: github-pat\n") && out.lines().count() == 1,
        "{out}"
    );
    assert_eq!((outcome.links, outcome.unread.len()), (2, 0));
    let (_, outcome) = look(&rules, &[folder.path().join("dangling")], usize::MAX, false);
    assert_eq!(outcome.unread.len(), 1);
}

struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_is_gone_ends_the_search() {
    let (rules, folder) = (rules(), folder());
    let search = Search {
        rules: &rules,
        options: &ScanOptions::default(),
        chunk: usize::MAX,
        as_spans: false,
    };
    let error = search.run(&[folder.path().to_owned()], &mut Gone).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
