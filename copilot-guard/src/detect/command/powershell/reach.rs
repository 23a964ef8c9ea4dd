//! What cmdlets ask of the network, and what they start.

use super::super::super::judgement::{Class, Danger};
use super::super::super::network::HostClass;
use super::super::windows::{hosts, places};
use super::cmdlets::Call;
use super::names::{has_param, is_param, param_value};
use super::script::Script;
use super::{Arg, host};

/// Requests: where to, what is sent along, where the answer goes.
pub(super) fn request(script: &mut Script<'_>, call: &Call) {
    let args = &call.args;
    let to = param_value(args, "uri")
        .or_else(|| param_value(args, "source").filter(|_| has_param(args, "source")))
        .and_then(|a| hosts::of(&script.cx, &a.text).or(a.dynamic.then_some(HostClass::Foreign)))
        .or_else(|| host(&script.cx, args));
    let to = to.unwrap_or(HostClass::Foreign);
    let dest = param_value(args, "outfile").or_else(|| param_value(args, "destination"));
    script.fetched(Some(to), dest.as_ref().map(|a| a.text.as_str()));
    if dest.as_ref().is_some_and(|d| places::runs_later(&d.text)) {
        script.found(
            "persistence/write",
            Class::Persistence,
            Danger::Block,
            "writes what runs by itself",
        );
    }
    if !hosts::is_foreign(to) {
        return;
    }
    let sends_file = args.iter().any(|a| {
        let name = a.text.to_ascii_lowercase();
        !a.quoted
            && (name.len() > 4 && "-infile".starts_with(&name)
                || name.len() > 2 && "-form".starts_with(&name))
    });
    let body = args
        .iter()
        .position(|a| is_param(a, "body") && a.text.len() > 1)
        .and_then(|at| args.get(at + 1));
    let is_get = args.iter().all(|a| {
        !matches!(
            a.text.to_ascii_lowercase().as_str(),
            "post" | "put" | "patch" | "delete"
        )
    });
    let uri_is_dynamic = args
        .iter()
        .any(|a| a.dynamic && (a.text.contains("://") || a.text.contains('?')));
    let carries_secret = args.iter().any(|a| {
        places::secret_within(&a.text) > Danger::Allow || a.text.to_ascii_lowercase().contains("$env:")
    });
    if sends_file || body.is_some_and(|b| b.dynamic) || carries_secret {
        script.facts.upload = true;
        script.found(
            "exfiltration/upload",
            Class::Exfiltration,
            Danger::Block,
            "sends data to a host that is not ours",
        );
    } else if !is_get || body.is_some() {
        script.facts.upload = true;
        script.found(
            "exfiltration/request",
            Class::Exfiltration,
            Danger::Approve,
            "sends to a host that is not ours",
        );
    } else if uri_is_dynamic {
        script.found(
            "exfiltration/dynamic-address",
            Class::Exfiltration,
            Danger::Approve,
            "puts data into an address that is not ours",
        );
    } else {
        script.found(
            "exfiltration/foreign-host",
            Class::Exfiltration,
            Danger::Approve,
            "asks a host that is not ours",
        );
    }
}

/// Starts something: a program, a script block, a job, elsewhere.
pub(super) fn start(script: &mut Script<'_>, name: &str, call: &Call) {
    let args = &call.args;
    if name == "invoke-command"
        && has_param(args, "computername")
        && args.iter().any(|a| {
            is_param(a, "computername") && a.text.len() > 2 || is_param(a, "session") && a.text.len() > 3
        })
    {
        script.found(
            "remote-code/other-machine",
            Class::RemoteCode,
            Danger::Block,
            "runs something on another machine",
        );
    }
    if matches!(name, "start-process")
        && param_value(args, "verb").is_some_and(|v| v.text.to_ascii_lowercase().starts_with("runas"))
    {
        script.found(
            "privilege/elevate",
            Class::Privilege,
            Danger::Block,
            "asks for more rights",
        );
    }
    if param_value(args, "credential").is_some()
        && name == "start-process"
        && args.iter().any(|a| is_param(a, "credential") && a.text.len() > 3)
    {
        script.found(
            "privilege/other-user",
            Class::Privilege,
            Danger::Block,
            "runs something as somebody else",
        );
    }
    if matches!(name, "start-process" | "invoke-item") {
        let mut words: Vec<&Arg> = Vec::new();
        let skip = [
            "workingdirectory",
            "windowstyle",
            "verb",
            "redirectstandardoutput",
            "redirectstandarderror",
            "redirectstandardinput",
            "credential",
        ];
        let mut skips = false;
        for arg in args {
            if skips {
                skips = false;
                continue;
            }
            if !arg.quoted && arg.text.starts_with('-') && words.is_empty()
                || skip
                    .iter()
                    .any(|s| is_param(arg, s) && arg.text.len() > 1 && !is_param(arg, "wait"))
            {
                skips = skip.iter().any(|s| is_param(arg, s)) && !is_param(arg, "wait");
                continue;
            }
            if [
                "argumentlist",
                "filepath",
                "args",
                "wait",
                "nonewwindow",
                "passthru",
            ]
            .iter()
            .any(|s| is_param(arg, s) && arg.text.len() > 1)
            {
                continue;
            }
            words.push(arg);
        }
        let Some((program, rest)) = words.split_first() else {
            script.found(
                "unclear/dynamic-command",
                Class::Unclear,
                Danger::Approve,
                "starts what cannot be told",
            );
            return;
        };
        // Files are opened and addresses shown; programs are run.
        if let Some(class) = hosts::of(&script.cx, &program.text).filter(|_| program.text.contains("://")) {
            if hosts::is_foreign(class) {
                script.found(
                    "exfiltration/open-address",
                    Class::Exfiltration,
                    Danger::Approve,
                    "opens an address that is not ours",
                );
            }
            return;
        }
        let mut split = Vec::new();
        for arg in rest {
            // `-ArgumentList "a b"` is taken apart again by the program.
            let texts: Vec<&str> = if arg.text.contains(' ') && rest.len() == 1 {
                arg.text.splitn(3, ' ').collect()
            } else {
                arg.text.split(',').collect()
            };
            split.extend(texts.into_iter().map(|t| Arg {
                text: t.trim().trim_matches(['"', '\'']).to_owned(),
                ..(*arg).clone()
            }));
        }
        let split = split.into_iter().map(|mut a| {
            a.quoted = a.quoted && !a.text.starts_with('-');
            a
        });
        script.command(&program.text, program.dynamic, split.collect(), None);
        return;
    }
    if !args.iter().any(|a| a.block) {
        script.found(
            "unclear/dynamic-command",
            Class::Unclear,
            Danger::Approve,
            "starts what cannot be told",
        );
    }
}
