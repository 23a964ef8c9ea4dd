//! Programs that come with Windows, whichever shell calls them.
//!
//! 1. [`RULES`] is a table: a program, words that must all stand among its arguments, and what that is.
//! 2. The first rule of a program whose words stand there counts. A rule without words is for the rest.
//! 3. What is not in the table is not a program of Windows: another judge looks at it.

pub(super) mod hosts;
pub(super) mod places;
mod table;

use self::table::RULES;
use super::super::judgement::{Class, Danger, Finding, Judgement};
use super::words::Cx;

/// Judges a program by its lower-case name without path and extension, and its arguments. `None` if it is none of
/// Windows'.
pub(super) fn judge(cx: &Cx<'_>, program: &str, args: &[String]) -> Option<Judgement> {
    let from = RULES.partition_point(|rule| rule.program < program);
    let rules: Vec<&table::Rule> = RULES
        .iter()
        .skip(from)
        .take_while(|rule| rule.program == program)
        .collect();
    if rules.is_empty() {
        return None;
    }
    let line = line_of(args);
    let mut judgement = Judgement::default();
    if let Some(rule) = rules
        .iter()
        .find(|rule| rule.words.iter().all(|word| holds(&line, word)))
    {
        let is_ours = rule.fetches
            && args.iter().any(|a| hosts::of(cx, a).is_some())
            && !args
                .iter()
                .any(|a| a.contains("://") && hosts::of(cx, a).is_some_and(hosts::is_foreign));
        let danger = if is_ours {
            Danger::Approve.min(rule.danger)
        } else {
            rule.danger
        };
        if danger > Danger::Allow {
            judgement.add(Finding::new(
                rule.id,
                rule.class,
                danger,
                format!("`{program}`: {}", rule.reason),
            ));
        }
    }
    Some(judgement)
}

/// All arguments in lower case between blanks, slashes one way, as switches may begin with either.
fn line_of(args: &[String]) -> String {
    let mut line = String::from(" ");
    for arg in args {
        line.extend(
            arg.chars()
                .filter(|c| !matches!(c, '"' | '^' | '\''))
                .map(|c| c.to_ascii_lowercase()),
        );
        line.push(' ');
    }
    line
}

/// Whether a word of a rule stands in a line. `/x` and `-x` are one; `a|b` is either.
fn holds(line: &str, word: &str) -> bool {
    word.split('|').any(|word| match word.strip_prefix('/') {
        Some(name) => [" /", " -"].iter().any(|start| {
            line.match_indices(start).any(|(at, start)| {
                line.get(at + start.len()..)
                    .is_some_and(|rest| rest.starts_with(name))
            })
        }),
        None => line.contains(word),
    })
}

/// A shorthand for the rooms beside this one.
pub(super) fn finding(rule: &'static str, class: Class, danger: Danger, reason: &str) -> Finding {
    Finding::new(rule, class, danger, reason)
}

/// The name of a program without path and extension, in lower case.
pub(super) fn base(program: &str) -> String {
    let plain: String = program
        .chars()
        .filter(|c| !matches!(c, '"' | '\'' | '^' | '`'))
        .collect();
    let plain = plain.trim().to_ascii_lowercase();
    let name = plain.rsplit(['\\', '/']).next().unwrap_or_default();
    for end in [".exe", ".cmd", ".bat", ".com", ".ps1", ".msc"] {
        if let Some(name) = name.strip_suffix(end) {
            return name.to_owned();
        }
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::super::network::Network;
    use super::*;

    fn danger(line: &str) -> Option<Danger> {
        let network = Network::default();
        let cx = Cx {
            network: &network,
            depth: 0,
            folder: "",
            is_rebound: false,
        };
        let mut words = line.split(' ').map(str::to_owned);
        let program = words.next().unwrap();
        judge(&cx, &program, &words.collect::<Vec<_>>()).map(|j| j.danger())
    }

    #[test]
    fn the_table_is_sorted_by_program() {
        assert!(RULES.is_sorted_by(|a, b| a.program <= b.program));
    }

    #[test]
    fn switches_are_told_from_their_likes() {
        assert_eq!(
            danger("certutil -urlcache -f http://x.example/a a"),
            Some(Danger::Block)
        );
        assert_eq!(
            danger("certutil /URLCACHE /f http://x.example/a a"),
            Some(Danger::Block)
        );
        assert_eq!(danger("certutil -hashfile a.zip SHA256"), Some(Danger::Allow));
        assert_eq!(danger("reg query HKCU\\Software\\Node"), Some(Danger::Allow));
        assert_eq!(
            danger("reg add HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run /v x /d y"),
            Some(Danger::Block)
        );
        assert_eq!(danger("npm run x"), None);
    }
}
