//! Rules on text: for what the parser does not understand, and for words that are bad wherever they stand.

use super::super::super::judgement::{Class, Danger};
use super::super::windows::{hosts, places};
use super::Arg;
use super::script::Script;

/// Words that no ordinary script has, even in its strings.
const ANYWHERE: &[(&str, Class, &str)] = &[
    ("amsiutils", Class::Privilege, "privilege/amsi"),
    ("amsiinitfailed", Class::Privilege, "privilege/amsi"),
    ("amsiscanbuffer", Class::Privilege, "privilege/amsi"),
    ("amsicontext", Class::Privilege, "privilege/amsi"),
    (
        "invoke-mimikatz",
        Class::CredentialAccess,
        "credential-access/tool",
    ),
    ("sekurlsa::", Class::CredentialAccess, "credential-access/tool"),
    ("virtualalloc", Class::RemoteCode, "remote-code/native-code"),
    ("createremotethread", Class::RemoteCode, "remote-code/native-code"),
    ("writeprocessmemory", Class::RemoteCode, "remote-code/native-code"),
    (
        "minidumpwritedump",
        Class::CredentialAccess,
        "credential-access/memory",
    ),
    ("etweventwrite", Class::Privilege, "privilege/audit-off"),
];

/// The words of [`ANYWHERE`], with concatenation taken out.
pub(super) fn anywhere(script: &mut Script<'_>, source: &str) {
    let mut flat = source.to_ascii_lowercase();
    if flat.contains('+') || flat.contains('`') {
        flat.retain(|c| !matches!(c, '\'' | '"' | '+' | '`' | ' '));
    }
    for (word, class, rule) in ANYWHERE {
        if flat.contains(word) {
            script.found(rule, *class, Danger::Block, "a word of attacks");
        }
    }
    if flat.contains("shadowcopy") && flat.contains("delete") {
        script.found(
            "destructive/shadow-copies",
            Class::Destructive,
            Danger::Block,
            "deletes copies that would save the data",
        );
    }
}

/// Judges text that could not be parsed: each piece between operators as a command, each name behind a dot as a member.
/// It finds too much rather than too little, and is only asked when the answer is not "allow" anyway.
pub(super) fn judge(script: &mut Script<'_>, source: &str) {
    let host = hosts::within(&script.cx, source);
    let mut quote = None;
    let mut piece = String::new();
    let mut pieces: Vec<String> = Vec::new();
    for c in source.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => {
                quote = None;
                piece.push(c);
            }
            (None, '"' | '\'') => {
                quote = Some(c);
                piece.push(c);
            }
            (None, ';' | '|' | '&' | '\n' | '(' | ')' | '{' | '}' | '=') => {
                pieces.push(std::mem::take(&mut piece))
            }
            (_, c) => piece.push(c),
        }
    }
    pieces.push(piece);
    for piece in pieces.iter().take(2048) {
        let piece = piece.trim();
        if let Some(member) = piece
            .strip_prefix('.')
            .filter(|m| !m.starts_with(['\\', '/', ' ']))
        {
            let name: String = member.chars().take_while(|c| c.is_alphanumeric()).collect();
            script.member_at(&name.to_ascii_lowercase(), piece, host);
        }
        let mut words = piece.split_whitespace().map(|w| Arg {
            text: w.trim_matches(['"', '\'']).to_owned(),
            dynamic: w.contains('$'),
            quoted: w.starts_with(['"', '\'']),
            block: false,
        });
        match words.next() {
            Some(command) if command.text.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                if let Some((_, member)) = command.text.rsplit_once('.') {
                    script.member_at(&member.to_ascii_lowercase(), piece, host);
                }
                script.command(&command.text, false, words.take(64).collect(), None);
            }
            _ => {}
        }
    }
    script.type_named(&source.to_ascii_lowercase());
    script.secret(places::secret_within(source));
    if host.is_some_and(hosts::is_foreign) {
        script.facts.foreign = true;
    }
    script.found(
        "unclear/not-parsed",
        Class::Unclear,
        Danger::Approve,
        "cannot be parsed",
    );
}
