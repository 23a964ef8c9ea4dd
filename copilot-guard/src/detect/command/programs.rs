//! Names of programs: what they are called elsewhere, which are known, and which are dangerous in other hands.

use unicode_normalization::UnicodeNormalization;

use super::program_table::{ALIASES, DANGEROUS, KNOWN, SHADOWED};
pub(super) use super::program_table::{INTERPRETERS, SHELLS};

/// The name that rules go by: lower case, without version and extension.
pub(super) fn canonical(base: &str) -> String {
    let folded: String = if base.is_ascii() {
        base.to_ascii_lowercase()
    } else {
        base.nfkc()
            .map(fold)
            .filter(|c| *c != super::words::UNKNOWN)
            .flat_map(char::to_lowercase)
            .collect()
    };
    let name = folded.trim_start_matches('\\');
    let name = [".exe", ".cmd", ".bat", ".com"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    let unversioned = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    let name = if SHELLS.contains(&unversioned) || INTERPRETERS.contains(&unversioned) || unversioned == "pip"
    {
        unversioned
    } else {
        variant(name).unwrap_or(name)
    };
    let alias = ALIASES.iter().find(|(other, _)| *other == name);
    alias.map_or(name, |(_, known)| known).to_owned()
}

/// The interpreter that a name with a version or kind behind it stands for: `python3.13t`, `bash-static`.
fn variant(name: &str) -> Option<&'static str> {
    let end = name.find(|c: char| !c.is_ascii_alphabetic())?;
    let (base, suffix) = (name.get(..end)?, name.get(end..)?);
    let version = suffix.trim_start_matches(['-', '.', '_']);
    let is_variant = version.starts_with(|c: char| c.is_ascii_digit())
        || matches!(
            version,
            "static" | "dbg" | "debug" | "real" | "wrapped" | "nightly"
        );
    let is_runner = |known: &&&str| **known == base && known.len() > 1;
    let mut all = SHELLS.iter().chain(INTERPRETERS);
    let found = all.find(is_runner).copied().or_else(|| {
        let (_, known) = ALIASES.iter().find(|(other, _)| *other == base)?;
        INTERPRETERS.contains(known).then_some(*known)
    });
    found.filter(|_| is_variant)
}

/// Letters of other scripts that look like Latin ones.
pub(super) const fn fold(c: char) -> char {
    match c {
        'а' | 'α' | 'ɑ' => 'a',
        'в' | 'ь' => 'b',
        'с' | 'ϲ' | 'ᴄ' => 'c',
        'ԁ' | 'ɗ' => 'd',
        'е' | 'ε' | 'ҽ' => 'e',
        'ғ' => 'f',
        'ɡ' => 'g',
        'һ' | 'հ' => 'h',
        'і' | 'ι' | 'ı' | 'ӏ' => 'i',
        'ј' | 'ϳ' => 'j',
        'к' | 'κ' => 'k',
        'ⅼ' | 'ǀ' => 'l',
        'м' | 'ⅿ' => 'm',
        'п' | 'ո' => 'n',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' | 'ᴦ' => 'r',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' | 'ц' => 'u',
        'ѵ' | 'ν' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        other => other,
    }
}

/// Whether this program has rules, or arguments that are data.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || SHELLS.contains(&name) || INTERPRETERS.contains(&name)
}

/// Whether a word names a program that does harm.
pub(super) fn is_dangerous(word: &str) -> bool {
    if word.len() > 64 || word.is_empty() {
        return false;
    }
    let name = canonical(word.rsplit('/').next().unwrap_or(word));
    DANGEROUS.contains(&name.as_str())
        || SHELLS.contains(&name.as_str())
        || INTERPRETERS.contains(&name.as_str()) && name.len() > 1
}

/// A dangerous program that a pattern matches.
pub(super) fn matching(pattern: &str) -> Option<String> {
    let all = SHELLS.iter().chain(DANGEROUS).chain(INTERPRETERS);
    let mut found = all.filter(|name| super::glob::glob(pattern, name));
    found.next().map(|name| (*name).to_owned())
}

/// Whether an alias of this name would hide a program.
pub(super) fn is_shadowed(name: &str) -> bool {
    SHADOWED.contains(&name)
}
