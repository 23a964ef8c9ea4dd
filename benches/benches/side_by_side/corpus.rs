//! The text: source and documentation that Cargo has on this machine anyway, shuffled with a fixed seed.
//!
//! 1. The crates are those of this workspace's lock file, as far as Cargo has them here: the same file, the same text.
//! 2. Files of up to 256 KiB, and 1.5 MB at most of each crate: no generated table may rule the numbers.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use super::options::Options;
use super::report::Report;

const WANTED: usize = 32_000_000;
const QUICK: usize = 4_000_000;
/// With less the numbers say little.
const TOO_LITTLE: usize = 4_000_000;
const LONGEST_FILE: u64 = 256 << 10;
const MOST_OF_A_CRATE: u64 = 1_500_000;
const KINDS: [&str; 13] = [
    "rs", "md", "toml", "py", "js", "ts", "c", "h", "go", "sh", "yml", "html", "txt",
];

pub(crate) fn gather(options: &Options, report: &mut Report) -> Result<Vec<u8>, Box<dyn Error>> {
    let wanted = if options.quick { QUICK } else { WANTED };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut own, mut files) = (Vec::new(), Vec::new());
    match &options.corpus {
        Some(dir) => below(dir, &KINDS, &mut files),
        None => {
            below(&workspace, &["md"], &mut own);
            own.sort();
            for dir in crates(&workspace)? {
                let mut of_crate = Vec::new();
                below(&dir, &KINDS, &mut of_crate);
                of_crate.sort();
                shuffle(&mut of_crate);
                let mut left = MOST_OF_A_CRATE;
                of_crate.retain(|(_, size)| {
                    let fits = *size <= left;
                    left = left.saturating_sub(*size);
                    fits
                });
                files.append(&mut of_crate);
            }
        }
    }
    files.sort();
    shuffle(&mut files);
    // In front, where its paths and edits change nothing about the rest.
    files.splice(0..0, own);
    let mut text = Vec::with_capacity(wanted + (LONGEST_FILE as usize));
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut taken = 0;
    for (file, _) in &files {
        if text.len() >= wanted {
            break;
        }
        // What is no text, or went away meanwhile, is left out.
        let Ok(content) = fs::read_to_string(file) else {
            continue;
        };
        text.extend_from_slice(content.as_bytes());
        text.push(b'\n');
        taken += 1;
        *kinds.entry(kind(file)).or_default() += content.len();
    }
    text.truncate(wanted);
    if text.is_empty() {
        return Err("no text was found; give a folder with `--corpus DIR`".into());
    }
    let mut largest: Vec<_> = kinds.iter().filter(|(_, size)| **size >= 100_000).collect();
    largest.sort_by_key(|(_, size)| std::cmp::Reverse(**size));
    let kinds: Vec<String> = largest
        .iter()
        .map(|(kind, size)| format!("{kind} {:.1}", **size as f64 / 1e6))
        .collect();
    report.line(format!(
        "Text: {:.1} MB of {taken} files ({}).",
        text.len() as f64 / 1e6,
        kinds.join(", ")
    ));
    if text.len() < TOO_LITTLE.min(wanted) {
        report.line(
            "**Too little text was found: these numbers say little.** Give a folder with `--corpus DIR`.",
        );
    }
    Ok(text)
}

/// Where Cargo keeps the sources of the packages in the lock file.
fn crates(workspace: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .ok_or("no folder of Cargo's")?;
    let lock: toml::Table = fs::read_to_string(workspace.join("Cargo.lock"))?.parse()?;
    let mut registries: Vec<PathBuf> = fs::read_dir(home.join("registry/src"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    registries.sort();
    let mut found = Vec::new();
    for package in lock
        .get("package")
        .and_then(|p| p.as_array())
        .into_iter()
        .flatten()
    {
        let text = |key: &str| package.get(key).and_then(|v| v.as_str());
        if let Some((name, version)) = text("name").zip(text("version")) {
            let dirs = registries.iter().map(|r| r.join(format!("{name}-{version}")));
            found.extend(dirs.filter(|dir| dir.is_dir()).take(1));
        }
    }
    Ok(found)
}

fn below(dir: &Path, kinds: &[&str], files: &mut Vec<(PathBuf, u64)>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(data) = entry.metadata() else { continue };
        let hidden = name.to_string_lossy().starts_with('.');
        if data.is_dir() && !hidden && name != "target" {
            below(&path, kinds, files);
        } else if data.is_file() && data.len() <= LONGEST_FILE && kinds.contains(&kind(&path).as_str()) {
            files.push((path, data.len()));
        }
    }
}

fn kind(file: &Path) -> String {
    file.extension()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn shuffle<T>(items: &mut [T]) {
    let mut random = Random(0x5eed);
    for i in (1..items.len()).rev() {
        items.swap(i, random.below(i + 1));
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}
