//! What is written into files: settings that switch off supervision, rules with hidden characters, commands that run later.

use std::sync::LazyLock;

use serde::Deserialize;

use super::super::command::Shell;
use super::super::judgement::{Class, Danger};
use super::call::Call;
use super::extract::{self, Found};
use super::files::{Act, Kind};
use super::{code, extract_json, path};

/// Longest script that is judged as a whole, in bytes.
const MAX_SCRIPT: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    block: Vec<String>,
}

/// Nothing when the table is broken, which a test would notice; then every settings file is refused.
static SETTINGS: LazyLock<Option<Vec<String>>> = LazyLock::new(|| {
    let settings: Settings = toml::from_str(include_str!("settings.toml")).ok()?;
    Some(settings.block)
});

/// Judges that `text` is written into each of `files`.
pub(super) fn judge(call: &mut Call<'_>, files: &[String], text: &str) {
    for file in files {
        let kind = call.file(file, Act::Write);
        if let Some(kind) = kind.or_else(|| by_text(text)) {
            by_kind(call, kind, text);
        }
    }
    if files.is_empty()
        && let Some(kind) = by_text(text)
    {
        by_kind(call, kind, text);
    }
}

/// A script is one under any name.
fn by_text(text: &str) -> Option<Kind> {
    let first = text.lines().next()?.strip_prefix("#!")?;
    let program = first.trim().rsplit(['/', ' ']).next()?;
    match program {
        "sh" | "bash" | "dash" | "zsh" | "ksh" => Some(Kind::Script),
        "pwsh" => Some(Kind::Powershell),
        "make" => Some(Kind::Makefile),
        _ => None,
    }
}

fn by_kind(call: &mut Call<'_>, kind: Kind, text: &str) {
    match kind {
        Kind::Settings => {
            settings(call, text);
            found(call, extract_json::json_commands(text), false);
        }
        Kind::JsonCommands => {
            settings(call, text);
            found(call, extract_json::json_commands(text), false);
        }
        Kind::Rules => rules(call, text),
        Kind::Script => match by_text(text) {
            // A hook in another language.
            None if text.starts_with("#!") => {}
            _ => script(call, Shell::Bash, text),
        },
        Kind::Powershell => script(call, Shell::PowerShell, text),
        Kind::Package => found(call, extract_json::package(text), false),
        Kind::Workflow | Kind::YamlCommands => found(call, extract::yaml(text), false),
        Kind::Dockerfile => found(call, extract::dockerfile(text), true),
        Kind::Makefile => found(call, extract::makefile(text), false),
        Kind::Code => code::judge(call, text),
        Kind::Python => code::in_file(call, "python", text),
        Kind::Build => code::literals_in_file(call, text),
    }
}

/// Judges the commands in YAML.
pub(super) fn commands_of_yaml(call: &mut Call<'_>, text: &str) {
    found(call, extract::yaml(text), false);
}

fn found(call: &mut Call<'_>, commands: Vec<Found>, is_image: bool) {
    for command in commands {
        match command {
            Found::Shell(shell, text) if text.len() <= MAX_SCRIPT => {
                call.run_in_file(shell, &text, is_image);
            }
            Found::Shell(..) => too_long(call),
            Found::Argv(argv) => call.run_argv_in_file(&argv, is_image),
        }
    }
}

fn too_long(call: &mut Call<'_>) {
    call.add(
        "unclear/long-script",
        Class::Unclear,
        Danger::Approve,
        "writes a script that is too long to be judged",
    );
}

fn script(call: &mut Call<'_>, shell: Shell, text: &str) {
    if text.len() > MAX_SCRIPT {
        return too_long(call);
    }
    call.run_script(shell, text);
}

fn settings(call: &mut Call<'_>, text: &str) {
    let plain = plain_settings(text);
    let is_open = SETTINGS
        .as_ref()
        .is_none_or(|all| all.iter().any(|mark| plain.contains(mark.as_str())));
    if is_open {
        call.add(
            "self-approval/settings",
            Class::SelfApproval,
            Danger::Block,
            "lets an agent work without being asked",
        );
    }
}

/// Lower case, without blanks, quotes and comments; `=` is `:`, and escapes of letters are letters.
fn plain_settings(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('/', Some('*')) => {
                chars.next();
                let mut last = ' ';
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            ('\\', Some('u')) => {
                chars.next();
                let digits: String = chars.by_ref().take(4).collect();
                let letter = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.extend(letter.into_iter().flat_map(char::to_lowercase));
            }
            ('"' | '\'' | '\\', _) => {}
            ('=', _) => plain.push(':'),
            _ if c.is_whitespace() || path::is_hidden(c) => {}
            _ => plain.extend(c.to_lowercase()),
        }
    }
    plain
}

/// Text that only a model reads.
fn rules(call: &mut Call<'_>, text: &str) {
    if has_hidden_text(text) {
        call.add(
            "self-approval/hidden-rules",
            Class::SelfApproval,
            Danger::Block,
            "hides characters in what agents are told",
        );
    }
}

/// Letters of the tag block outside of a flag, signs that turn text around, or runs of characters without a width.
fn has_hidden_text(text: &str) -> bool {
    let mut run = 0;
    let mut in_flag = false;
    for c in text.chars() {
        match c {
            '\u{1f3f4}' => in_flag = true,
            '\u{e0020}'..='\u{e007f}' if in_flag => in_flag = c != '\u{e007f}',
            '\u{e0000}'..='\u{e007f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => return true,
            _ => in_flag = false,
        }
        // Joiners stand one by one between letters or pictures.
        let has_no_width = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
        run = if has_no_width { run + 1 } else { 0 };
        if run >= 3 {
            return true;
        }
    }
    false
}

#[cfg(test)]
pub(super) fn is_read() -> bool {
    SETTINGS.as_ref().is_some_and(|s| s.len() > 30)
}
