//! `xargs` and `parallel`: what comes in becomes arguments, or a script.
//!
//! Items are cut as the program cuts them, and each is judged in a command of its own where it may be one.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::words::{Note, UNKNOWN, Word};
use super::wrappers::{Peel, inner, joined};
use super::{literal, paths, programs};

/// Most items that are looked at.
const MOST_ITEMS: usize = 512;
/// Most commands that are judged, one for each item.
const MOST_COMMANDS: usize = 24;

const XARGS: (&str, &[&str]) = (
    "aEIJLnPRSsd",
    &[
        "max-args",
        "max-procs",
        "max-chars",
        "arg-file",
        "delimiter",
        "process-slot-var",
    ],
);
const PARALLEL: (&str, &[&str]) = (
    "jNnIaSLdCP",
    &[
        "max-args",
        "max-procs",
        "max-replace-args",
        "replace",
        "arg-file",
        "delimiter",
        "jobs",
        "joblog",
        "sshlogin",
        "colsep",
        "results",
        "timeout",
        "retries",
        "delay",
        "halt",
        "tmpdir",
        "workdir",
    ],
);

/// What comes in becomes arguments.
pub(super) fn xargs<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let is_parallel = call.name == "parallel";
    let (short, long) = if is_parallel { PARALLEL } else { XARGS };
    let words = inner(call.args, short, long, 0);
    let own = call.args.get(..call.args.len() - words.len()).unwrap_or_default();
    let options = Options::read(own, short, long);
    let cut = words
        .iter()
        .position(|word| word.text.starts_with(":::") && word.text.len() <= 5);
    let (command, listed) = words.split_at(cut.unwrap_or(words.len()));
    let (place, is_by_line) = place_of(own, &options, is_parallel);
    let file = options.values(&["a", "arg-file"]);
    for file in &file {
        paths::read(&mut out.judgement, call.world.folder, file);
    }
    let text = match file.first() {
        Some(file) => call.world.file(&file.text).and_then(|flow| flow.text.as_deref()),
        None => call.stdin.text.as_deref(),
    };
    let incoming = match text {
        _ if !listed.is_empty() => {
            let is_mark = |word: &&Word| word.text.starts_with(":::") && word.text.len() <= 5;
            listed.iter().filter(|word| !is_mark(word)).cloned().collect()
        }
        Some(text) => items(text, own, &options, is_by_line || is_parallel),
        None if !call.stdin.paths.is_empty() && file.is_empty() => call.stdin.paths.clone(),
        None => vec![unknown()],
    };
    if incoming.len() > MOST_ITEMS {
        out.judgement
            .approve("unclear/xargs", "a command with very many arguments");
    }
    if command.is_empty() {
        // Without a command `xargs` echoes, and `parallel` runs what comes in.
        if is_parallel && incoming.iter().any(|word| word.dynamic) {
            out.judgement
                .approve("unclear/xargs", "runs commands that come in");
        }
        for word in incoming.iter().take(MOST_ITEMS).filter(|_| is_parallel) {
            out.script(call, &word.text);
        }
        return Peel::Done;
    }
    let runs_input = command.len() == 1
        && command.first().is_some_and(|word| {
            let name = programs::canonical(&word.text);
            programs::SHELLS.contains(&name.as_str()) || name == "env"
        });
    if runs_input && call.stdin.has(Flow::DOWNLOAD | Flow::DECODED) {
        out.judgement
            .block("remote-code/download-to-shell", "what comes in is run");
    }
    let holders: Vec<&str> = match is_parallel {
        true => vec![place.as_str(), "{.}", "{/}", "{//}", "{/.}"],
        false => vec![place.as_str()],
    };
    let has_place = |word: &Word| holders.iter().any(|place| word.text.contains(place));
    let fills = command.iter().any(has_place);
    let is_shell = command
        .first()
        .is_some_and(|w| programs::SHELLS.contains(&programs::canonical(&w.text).as_str()));
    let takes_script = command.iter().take(3).any(|word| {
        let text = word.text.as_str();
        text.starts_with('-') && !text.starts_with("--") && text.ends_with('c')
    });
    let has_unknown = incoming.iter().any(|w| w.dynamic);
    if is_shell && takes_script && has_unknown && (fills || command.len() < 3) {
        if call.stdin.has(Flow::DOWNLOAD | Flow::DECODED) {
            out.judgement
                .block("remote-code/download-to-shell", "what comes in is run");
        } else {
            out.judgement
                .approve("unclear/xargs", "what comes in becomes part of a script");
        }
    }
    // `{1}` and `{2}` take from several lists.
    let has_numbers = command
        .iter()
        .any(|word| word.text.contains('{') && (1..=9).any(|n| word.text.contains(&format!("{{{n}"))));
    if is_parallel && has_numbers && first_is_placed(command) {
        out.judgement
            .approve("unclear/xargs", "a program that comes in among arguments");
    }
    let commands = if fills {
        each(command, &incoming, &holders, out)
    } else {
        // Each item alone as well: where they are cut decides what the first of them is.
        let mut all = vec![[command, incoming.as_slice()].concat()];
        let is_cut = is_parallel || is_by_line || options.has(&["n", "L", "max-args", "max-lines", "l"]);
        if (is_shell || is_cut) && incoming.len() > 1 {
            all.extend(
                incoming
                    .iter()
                    .take(MOST_COMMANDS)
                    .map(|item| [command, std::slice::from_ref(item)].concat()),
            );
        }
        all
    };
    if is_parallel {
        // It hands one line to a shell.
        for words in &commands {
            out.script(call, &joined(words));
        }
        return Peel::Done;
    }
    let mut commands = commands;
    let last = commands.pop();
    for words in &commands {
        out.command(call, words);
    }
    match last {
        Some(words) => Peel::Owned(words, call.stdin.bits()),
        None => Peel::Done,
    }
}

fn first_is_placed(command: &[Word]) -> bool {
    command.first().is_some_and(|word| word.text.starts_with('{'))
}

/// A command for each item, with the item in its places.
fn each(command: &[Word], items: &[Word], holders: &[&str], out: &mut Outcome) -> Vec<Vec<Word>> {
    if items.len() > MOST_COMMANDS {
        out.judgement.approve(
            "unclear/xargs",
            "a command that runs for very many arguments in turn",
        );
    }
    let filled = |item: &Word| {
        let fill = |word: &Word| {
            let has_place = holders.iter().any(|place| word.text.contains(place));
            let text = holders
                .iter()
                .fold(word.text.clone(), |text, place| text.replace(place, &item.text));
            Word {
                text,
                dynamic: word.dynamic || has_place && item.dynamic,
            }
        };
        command.iter().map(fill).collect()
    };
    items.iter().take(MOST_COMMANDS).map(filled).collect()
}

/// What stands for an item, and whether each line is one.
fn place_of(own: &[Word], options: &Options<'_>, is_parallel: bool) -> (String, bool) {
    if let Some(place) = options.values(&["I", "J"]).last() {
        return (place.text.clone(), true);
    }
    for arg in own {
        let text = arg.text.as_str();
        let optional = text
            .strip_prefix("--replace")
            .map(|rest| rest.strip_prefix('=').unwrap_or(rest))
            .or_else(|| text.strip_prefix("-i").filter(|_| !is_parallel));
        match optional {
            Some("") => return ("{}".to_owned(), true),
            Some(place) => return (place.to_owned(), true),
            None => {}
        }
    }
    // Without an option, only `parallel` fills places.
    (if is_parallel { "{}" } else { "\u{0}" }.to_owned(), false)
}

/// The items that a text is cut into. Where quotes and backslashes count, what they make of it is not known.
fn items(text: &str, own: &[Word], options: &Options<'_>, is_by_line: bool) -> Vec<Word> {
    let delimiter = options.values(&["d", "delimiter"]).last().map(|word| &word.text);
    if let Some(delimiter) = delimiter {
        let delimiter = literal::unescape(delimiter, literal::Escapes::Format);
        let Some(delimiter) = delimiter.filter(|d| d.chars().count() == 1) else {
            return text.split_whitespace().map(loose).chain([unknown()]).collect();
        };
        return text
            .split(delimiter.as_str())
            .filter(|item| !item.is_empty())
            .map(Word::known)
            .collect();
    }
    if options.has(&["0", "null"]) || own.iter().any(|arg| arg.text == "-print0") {
        return vec![Word::known(text)];
    }
    let is_quoted = text.contains(['\'', '"', '\\']);
    let word = |item: &str| match is_quoted {
        true => loose(item),
        false => Word::known(item),
    };
    if is_by_line {
        text.lines()
            .map(str::trim_start)
            .filter(|line| !line.is_empty())
            .map(word)
            .collect()
    } else {
        text.split_whitespace().map(word).collect()
    }
}

/// A word without its quotes, of which nobody is sure.
fn loose(item: &str) -> Word {
    Word {
        text: item.replace(['\'', '"', '\\'], ""),
        dynamic: true,
    }
}

fn unknown() -> Word {
    Word {
        text: UNKNOWN.to_string(),
        dynamic: true,
    }
}
