//! Programs that read and write files: what is read may be a secret, what is written may run later.

use super::argv::{Call, Outcome};
use super::delete::is_root_of;
use super::flow::Flow;
use super::opts::Options;
use super::words::{Note, Word};
use super::{paths, programs};

/// Programs that read the files among their arguments.
const READERS: &[&str] = &[
    "cat",
    "head",
    "tail",
    "less",
    "more",
    "bat",
    "nl",
    "tac",
    "rev",
    "sort",
    "uniq",
    "cut",
    "paste",
    "join",
    "comm",
    "diff",
    "cmp",
    "od",
    "xxd",
    "hexdump",
    "strings",
    "base64",
    "base32",
    "basenc",
    "uuencode",
    "gzip",
    "bzip2",
    "xz",
    "zstd",
    "tar",
    "zip",
    "7z",
    "jq",
    "yq",
    "column",
    "fold",
    "fmt",
    "pr",
    "iconv",
    "split",
    "csplit",
    "openssl",
    "gpg",
    "age",
    "wc",
    "shuf",
    "expand",
    "unexpand",
    "view",
    "vim",
    "nano",
    "emacs",
    "ed",
    "code",
    "most",
    "pg",
    "sed",
    "cpio",
    "pax",
    "ar",
    "xargs",
    "look",
    "ul",
    "tsort",
    "ptx",
    "dos2unix",
    "install",
    "rsync",
    "jless",
    "fx",
    "glow",
    "pygmentize",
    "highlight",
    "source-highlight",
    "ssh-keygen",
    "qrencode",
    "aspell",
    "file2",
    "envsubst",
    "dasel",
    "mlr",
    "csvcut",
    "zcat",
    "bzcat",
    "xzcat",
    "zless",
    "lz4",
    "brotli",
    "ccrypt",
    "sops",
    "unzip",
    "dd",
    "tee",
    "cp",
    "mv",
    "ln",
    "date",
    "wall",
    "read",
];

/// Judges reading and writing.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    match call.name {
        "cp" | "mv" | "ln" | "install" => copy(call, out),
        "tee" | "sponge" => {
            for file in call.args.iter().filter(|arg| !arg.text.starts_with('-')) {
                written(call, file, call.stdin.clone(), out);
            }
            out.out.join(call.stdin.clone());
        }
        "sed" => super::edits::sed(call, out),
        "touch" | "truncate" | "mkfifo" | "rm" | "unlink" | "rmdir" => {
            call.args
                .iter()
                .filter(|arg| !arg.text.starts_with('-'))
                .for_each(|file| paths::write(&mut out.judgement, call.world.folder, file));
        }
        "vim" | "nano" | "emacs" | "ed" | "patch" | "code" | "sort" | "split" | "unzip" | "tar" | "cpio"
        | "crudini" | "yq" | "jq" => {
            outputs(call, out);
            if call.name == "tar" && call.args.iter().any(|arg| paths::is_device(&arg.text)) {
                out.judgement.block("destructive/device", "writes to a device");
            }
            if call.args.iter().any(|arg| arg.text == "--remove-files") && call.name == "tar" {
                out.judgement
                    .approve("destructive/delete", "deletes what it puts away");
                for file in call.args.iter().filter(|arg| !arg.text.starts_with('-')) {
                    super::delete::removed(call, file, true, out);
                }
            }
            read(call, out);
        }
        "dd" => dd(call, out),
        "chmod" => {
            let is_executable = call.args.iter().any(|arg| {
                arg.text.contains('x')
                    || matches!(arg.text.trim_start_matches('0'), "755" | "777" | "700" | "775")
            });
            for file in call.args.iter().skip(1).filter(|_| is_executable) {
                let flow = call.world.file(&file.text);
                if flow.is_some_and(|flow| flow.has(Flow::DOWNLOAD)) {
                    out.judgement.block(
                        "remote-code/download-made-executable",
                        "what was downloaded is made a program",
                    );
                }
            }
        }
        "echo" | "printf" | "test" | "[" | ":" | "true" | "ls" | "stat" | "file" | "chown" | "mkdir" => {
            if call.name == "ls"
                && call
                    .args
                    .iter()
                    .any(|arg| paths::normal(call.world.folder, &arg.text).contains("/.password-store"))
            {
                out.judgement
                    .approve("credential-access/likely", "lists a store of credentials");
            }
        }
        "gpg"
            if call
                .args
                .iter()
                .any(|arg| arg.text.starts_with("--export-secret")) =>
        {
            out.judgement
                .block("credential-access/store", "reads a store of credentials");
            out.out.add(Flow::SECRET);
        }
        // What shows certificates shows no keys.
        "openssl"
            if call
                .args
                .first()
                .is_some_and(|arg| matches!(arg.text.as_str(), "x509" | "verify" | "crl"))
                && !call.args.iter().any(|arg| arg.text.contains("key")) =>
        {
            out.out.add(Flow::DATA);
        }
        "openssl" | "gpg" | "age" | "ccrypt" if encrypts(call) => {
            out.judgement.approve(
                "destructive/encrypt",
                "encrypts files that are only known when it runs",
            );
            read(call, out);
        }
        name if READERS.contains(&name) => {
            outputs(call, out);
            read(call, out);
        }
        _ => out.out.add(Flow::DATA | call.stdin.bits()),
    }
}

/// Whether files are encrypted whose names are not known: all of a folder, as often as not.
fn encrypts(call: &Call<'_>) -> bool {
    let has = |words: &[&str]| call.args.iter().any(|arg| words.contains(&arg.text.as_str()));
    let is_encrypting = match call.name {
        "openssl" => has(&["enc", "smime", "cms"]) && !has(&["-d", "-decrypt", "-verify", "-a", "-base64"]),
        "gpg" => has(&["-c", "-e", "--symmetric", "--encrypt"]),
        _ => !has(&["-d", "--decrypt"]),
    };
    is_encrypting
        && call
            .args
            .iter()
            .any(|arg| arg.dynamic && !arg.text.contains("pass"))
}

/// Reads every file among the arguments.
fn read(call: &Call<'_>, out: &mut Outcome) {
    out.out.add(call.stdin.bits());
    let filter = filter_of(call);
    for (_, arg) in call.args.iter().enumerate().filter(|(at, _)| Some(*at) != filter) {
        let text = arg.text.as_str();
        let word = match text.split_once('=') {
            Some((_, value)) if text.starts_with('-') => Word {
                text: value.to_owned(),
                dynamic: arg.dynamic,
            },
            _ => arg.clone(),
        };
        let known = call.world.file(&word.text);
        let bits = paths::read(&mut out.judgement, call.world.folder, &word);
        out.out.add(bits | known.map_or(0, Flow::bits));
    }
    let operands: Vec<&Word> = call
        .args
        .iter()
        .enumerate()
        .filter(|(at, arg)| !arg.text.starts_with('-') && Some(*at) != filter)
        .map(|(_, arg)| arg)
        .collect();
    if let (true, [file]) = (matches!(call.name, "cat" | "tac"), operands.as_slice())
        && let Some(flow) = call.world.file(&file.text)
    {
        out.out.join(flow.clone());
        return;
    }
    out.out.text = out.out.text.take().filter(|_| operands.is_empty());
    if !operands.is_empty() {
        out.out.add(Flow::DATA);
    }
}

/// The place of an argument that is no file: the filter of `jq`, the command of `openssl`.
fn filter_of(call: &Call<'_>) -> Option<usize> {
    let first = call.args.iter().position(|arg| !arg.text.starts_with('-'));
    let operands = call.args.iter().filter(|arg| !arg.text.starts_with('-')).count();
    let has_file = call
        .args
        .iter()
        .any(|arg| arg.text.starts_with("-f") || arg.text == "--from-file");
    match call.name {
        "jq" | "yq" if !has_file && (operands > 1 || !call.stdin.is_empty()) => first,
        "openssl" if call.stdin.text.is_some() => first,
        _ => None,
    }
}

/// Files that are written by options such as `-o`.
fn outputs(call: &Call<'_>, out: &mut Outcome) {
    let options = Options::read(call.args, "oCd", &["output", "output-file", "directory"]);
    for file in options.values(&["o", "output", "output-file"]) {
        paths::write(&mut out.judgement, call.world.folder, file);
    }
    if matches!(call.name, "tar" | "unzip" | "cpio") {
        for folder in options.values(&["C", "d", "directory"]) {
            let path = paths::normal(call.world.folder, &folder.text);
            if paths::is_system(&path) || path == "/" || path == "~" {
                out.judgement
                    .approve("persistence/unpacked", "unpacks over folders of the system");
            }
        }
    }
    let in_place = call.name != "yq" || options.has(&["i", "inplace", "w"]);
    if in_place && matches!(call.name, "vim" | "ed" | "nano" | "patch" | "yq" | "crudini") {
        call.args
            .iter()
            .filter(|arg| !arg.text.starts_with('-'))
            .for_each(|file| paths::write(&mut out.judgement, call.world.folder, file));
    }
}

fn written(call: &Call<'_>, file: &Word, flow: Flow, out: &mut Outcome) {
    paths::write(&mut out.judgement, call.world.folder, file);
    if let Some(text) = flow.text.as_deref().filter(|_| paths::is_script(&file.text)) {
        let (judgement, _) = super::script::nested(call.cx, text, &Flow::default());
        out.judgement.merge(judgement);
    }
    out.files.push((file.text.clone(), flow));
}

fn copy(call: &Call<'_>, out: &mut Outcome) {
    let options = Options::read(
        call.args,
        "tSmog",
        &["target-directory", "suffix", "mode", "owner", "group"],
    );
    let folders = options.values(&["t", "target-directory"]);
    let (sources, target) = match (folders.first(), options.operands.split_last()) {
        (Some(folder), _) => (options.operands.as_slice(), Some(*folder)),
        (None, Some((target, sources))) if !sources.is_empty() => (sources, Some(*target)),
        (None, _) => (options.operands.as_slice(), None),
    };
    let mut flow = Flow::default();
    for source in sources {
        if call.name != "mv" || paths::is_secret(call.world.folder, source) {
            let bits = paths::read(&mut out.judgement, call.world.folder, source);
            flow.add(bits);
        }
        if call.name == "ln" && matches!(source.text.as_str(), "/" | "~" | "~/") {
            out.judgement
                .approve("destructive/link", "a link to the root of much");
        }
        if call.name == "mv" {
            super::delete::moved(call, source, target, out);
            paths::write(&mut out.judgement, call.world.folder, source);
            if is_root_of(call, source) {
                out.judgement
                    .block("destructive/delete", "moves the root of much away");
            }
        }
        let base = source.text.rsplit_once("bin/").map_or("", |(_, base)| base);
        if programs::is_dangerous(base) && call.name != "install" {
            out.judgement
                .approve("remote-code/renamed-program", "a program under another name");
        }
        if let Some(known) = call.world.file(&source.text) {
            flow.join(known.clone());
        }
        if call.name == "ln" {
            // What is written by the new name is written there.
            let mut there = super::super::judgement::Judgement::default();
            paths::write(&mut there, call.world.folder, source);
            let rules = ["self-approval/agent-settings", "persistence/startup-file"];
            if there.findings.iter().any(|finding| rules.contains(&finding.rule)) {
                out.judgement.approve(
                    "self-approval/link",
                    "another name for what decides what runs, or what an agent may do",
                );
            }
        }
    }
    if let Some(target) = target {
        // A folder is a target too: what is put into it has the name of its source.
        written(call, target, flow.clone(), out);
        for source in sources {
            let name = source.text.rsplit('/').next().unwrap_or_default();
            let inner = Word {
                text: format!("{}/{name}", target.text.trim_end_matches('/')),
                dynamic: target.dynamic || source.dynamic,
            };
            if inner.text.len() < 4096 {
                paths::write(&mut out.judgement, call.world.folder, &inner);
            }
        }
    }
    if call.name == "install"
        && options
            .values(&["m", "mode"])
            .iter()
            .any(|mode| is_setuid(&mode.text))
    {
        out.judgement
            .block("privilege/setuid", "a program that runs with its owner's rights");
    }
}

/// Whether a mode sets the user or group of a program's process.
pub(super) fn is_setuid(mode: &str) -> bool {
    let is_number =
        mode.len() == 4 && mode.bytes().all(|b| b.is_ascii_digit()) && mode.starts_with(['2', '4', '6', '7']);
    is_number || (mode.contains('s') && mode.contains('+')) || mode.contains("=s") || mode.ends_with("xs")
}

fn dd(call: &Call<'_>, out: &mut Outcome) {
    for arg in call.args {
        let part = |text: &str| Word {
            text: text.to_owned(),
            dynamic: arg.dynamic,
        };
        if let Some(file) = arg.text.strip_prefix("if=") {
            let bits = paths::read(&mut out.judgement, call.world.folder, &part(file));
            out.out.add(bits | Flow::DATA);
        } else if let Some(file) = arg.text.strip_prefix("of=") {
            written(call, &part(file), call.stdin.clone(), out);
        }
    }
    out.out.add(call.stdin.bits());
}

/// Whether a variable's name says that it holds a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "API_KEY",
        "APIKEY",
        "ACCESS_KEY",
        "PRIVATE_KEY",
        "CREDENTIAL",
    ]
    .iter()
    .any(|part| name.contains(part))
}
