//! `xargs` and `parallel`: what comes in becomes arguments, or a script.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::words::{Note, UNKNOWN, Word};
use super::wrappers::{Peel, inner, joined};
use super::{paths, programs};

/// What comes in becomes arguments.
pub(super) fn xargs<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let short = if call.name == "xargs" {
        "aEIJLnPRSsd"
    } else {
        "jNnIaSL"
    };
    let long = [
        "max-args",
        "max-procs",
        "max-lines",
        "replace",
        "arg-file",
        "delimiter",
        "jobs",
        "joblog",
        "sshlogin",
        "arg",
    ];
    let words = inner(call.args, short, &long, 0);
    let file = call
        .args
        .iter()
        .position(|arg| matches!(arg.text.as_str(), "-a" | "--arg-file"));
    if let Some(file) = file
        .and_then(|at| call.args.get(at + 1))
        .filter(|_| call.name == "xargs")
    {
        paths::read(&mut out.judgement, call.world.folder, file);
    }
    let cut = words
        .iter()
        .position(|word| matches!(word.text.as_str(), ":::" | "::::"));
    let (command, listed) = words.split_at(cut.unwrap_or(words.len()));
    let replaced = call
        .args
        .iter()
        .position(|arg| arg.text == "-I")
        .and_then(|at| call.args.get(at + 1));
    let place = replaced.map_or("{}", |word| word.text.as_str());
    let incoming: Vec<Word> = match (&call.stdin.text, listed.get(1..)) {
        (_, Some(listed)) => listed.to_vec(),
        (Some(text), None) => text.split_whitespace().take(64).map(Word::known).collect(),
        (None, None) if !call.stdin.paths.is_empty() => call.stdin.paths.clone(),
        (None, None) => {
            let unknown = Word {
                text: UNKNOWN.to_string(),
                dynamic: true,
            };
            vec![unknown]
        }
    };
    if command.is_empty() {
        // Without a command `xargs` echoes, and `parallel` runs what comes in.
        if call.name == "parallel" {
            match &call.stdin.text {
                Some(text) => out.script(call, text),
                None if listed.is_empty() => out
                    .judgement
                    .approve("unclear/xargs", "runs commands that come in"),
                None => out.script(
                    call,
                    &incoming
                        .iter()
                        .map(|w| w.text.as_str())
                        .collect::<Vec<_>>()
                        .join("\n"),
                ),
            }
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
    let fills = command.iter().any(|word| word.text.contains(place));
    let mut owned: Vec<Word> = Vec::new();
    for word in command {
        if fills && word.text.contains(place) {
            let text = joined(&incoming);
            owned.push(Word {
                text: word.text.replace(place, &text),
                dynamic: word.dynamic || incoming.iter().any(|w| w.dynamic),
            });
        } else {
            owned.push(word.clone());
        }
    }
    let takes_script = owned.iter().take(3).any(|word| {
        let text = word.text.as_str();
        text.starts_with('-') && !text.starts_with("--") && text.ends_with('c')
    });
    let is_shell = owned
        .first()
        .is_some_and(|w| programs::SHELLS.contains(&programs::canonical(&w.text).as_str()));
    if is_shell && takes_script && incoming.iter().any(|w| w.dynamic) && (fills || owned.len() < 3) {
        if call.stdin.has(Flow::DOWNLOAD | Flow::DECODED) {
            out.judgement
                .block("remote-code/download-to-shell", "what comes in is run");
        } else {
            out.judgement
                .approve("unclear/xargs", "what comes in becomes part of a script");
        }
    }
    if !fills {
        owned.extend(incoming);
    }
    if call.name == "parallel" {
        // It hands one line to a shell.
        out.script(call, &joined(&owned));
        return Peel::Done;
    }
    Peel::Owned(owned, call.stdin.bits())
}
