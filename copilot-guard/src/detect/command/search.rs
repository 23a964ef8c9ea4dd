//! Looking for secrets, and `find`, which can also run and delete.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::words::{Note, Word};
use super::wrappers::Peel;
use super::{argv, delete, paths};

/// Words that name secrets when they are all that is looked for.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "tokens",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "secret_key",
    "private_key",
    "credential",
    "credentials",
    "bearer",
    "client_secret",
    "aws_secret",
    "auth_token",
    "access_token",
    "pwd",
];

/// Beginnings of secrets, which nobody looks for otherwise.
const SHAPES: &[&str] = &[
    "private key",
    "akia",
    "ghp_",
    "github_pat_",
    "xox[",
    "xoxb",
    "sk_live",
    "sk-ant",
    "sk-[",
    "aiza",
    "eyj",
    "-----begin",
    "asia[",
    "glpat",
    "npm_[",
    "aws_secret_access_key",
    "aws_access_key_id",
];

/// `find … -exec`, `fd -x`: the commands in it.
pub(super) fn peel<'a>(call: &Call<'a>, out: &mut Outcome) -> Peel<'a> {
    let is_start = |arg: &Word| match call.name {
        "find" => matches!(arg.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir"),
        _ => matches!(arg.text.as_str(), "-x" | "-X" | "--exec" | "--exec-batch"),
    };
    let listed = listed(call);
    let mut at = 0;
    let mut runs = 0;
    while let Some(place) = call
        .args
        .get(at..)
        .and_then(|rest| rest.iter().position(is_start))
    {
        let from = at + place + 1;
        let rest = call.args.get(from..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|arg| matches!(arg.text.as_str(), ";" | "+"))
            .unwrap_or(rest.len());
        let words = rest.get(..length).unwrap_or_default();
        let mut inner: Vec<Word> = words.iter().flat_map(|arg| found(arg, &listed)).collect();
        if call.name == "fd" && !words.iter().any(|arg| arg.text.contains("{}")) {
            inner.extend(listed.iter().cloned());
        }
        runs += 1;
        if runs > 8 {
            out.judgement
                .block("unclear/too-deep", "too many commands in one search");
            break;
        }
        let cx = super::words::Cx {
            depth: call.cx.depth + 1,
            ..*call.cx
        };
        let outcome = argv::run(&cx, call.world, &Flow::default(), &inner);
        out.judgement.merge(outcome.judgement);
        out.out.join(outcome.out);
        at = from + length;
    }
    Peel::Not
}

/// `{}` stands for what is found.
fn found(arg: &Word, listed: &[Word]) -> Vec<Word> {
    if !arg.text.contains("{}") {
        return vec![arg.clone()];
    }
    let filled = |path: &Word| Word {
        text: arg.text.replace("{}", &path.text),
        dynamic: true,
    };
    // A script that is long is filled once.
    let most = if arg.text.len() > 1024 { 1 } else { listed.len() };
    listed.iter().take(most).map(filled).collect()
}

/// What the paths look like that a search prints: a folder, what is not known, and the names that are asked for.
fn listed(call: &Call<'_>) -> Vec<Word> {
    const MOST: usize = 8;
    const LONGEST_PART: usize = 200;
    let is_name = |text: &str| {
        matches!(text, "-name" | "-iname" | "-path" | "-ipath" | "-wholename")
            || call.name == "fd" && matches!(text, "-e" | "--extension")
    };
    let is_short = |text: &str| text.len() <= LONGEST_PART;
    let mut is_inner = false;
    let mut names: Vec<String> = Vec::new();
    let mut has_test = call.name != "find";
    for (at, arg) in call.args.iter().enumerate() {
        let text = arg.text.as_str();
        if is_inner || !text.starts_with('-') {
            is_inner &= !matches!(text, ";" | "+");
            continue;
        }
        is_inner = matches!(text, "-exec" | "-execdir" | "-ok" | "-okdir");
        let is_not = at
            .checked_sub(1)
            .and_then(|at| call.args.get(at))
            .is_some_and(|before| matches!(before.text.as_str(), "!" | "-not"));
        let value = call
            .args
            .get(at + 1)
            .filter(|value| is_name(text) && !is_not && is_short(&value.text));
        has_test |= !matches!(
            text,
            "-type"
                | "-print"
                | "-print0"
                | "-delete"
                | "-exec"
                | "-execdir"
                | "-ok"
                | "-okdir"
                | "-maxdepth"
                | "-mindepth"
                | "-depth"
                | "-xdev"
                | "-mount"
                | "-follow"
                | "-P"
                | "-L"
                | "-H"
        ) && text.len() > 2;
        names.extend(value.map(|name| {
            match text {
                "-e" | "--extension" => format!("*.{}", name.text.trim_start_matches('.')),
                _ => name
                    .text
                    .trim_start_matches("./")
                    .trim_start_matches("*/")
                    .to_owned(),
            }
        }));
    }
    names.truncate(MOST);
    let mut roots: Vec<&str> = call
        .args
        .iter()
        .take_while(|arg| call.name == "find" && !arg.text.starts_with(['-', '(', '!']))
        .map(|arg| arg.text.as_str())
        .filter(|root| is_short(root))
        .take(MOST)
        .collect();
    if roots.is_empty() {
        roots.push(".");
    }
    let below = |root: &&str| {
        let root = root.trim_end_matches('/');
        let unknown = super::words::UNKNOWN;
        if names.is_empty() {
            // All of it, unless something else is asked for.
            let last = if has_test { unknown } else { '*' };
            return vec![format!("{root}/{last}")];
        }
        names
            .iter()
            .map(|name| format!("{root}/{unknown}/{name}"))
            .collect()
    };
    let words = roots.iter().flat_map(below);
    words.map(|text| Word { text, dynamic: true }).collect()
}

/// Judges a search.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    match call.name {
        "grep" | "rg" => grep(call, out),
        "find" | "fd" | "locate" => find(call, out),
        "gitleaks" | "detect-secrets" | "trufflehog" => {
            out.judgement
                .approve("reconnaissance/secret-scanner", "looks for secrets");
            out.out.add(Flow::SECRET);
        }
        _ => out.judgement.block(
            "reconnaissance/secret-scanner",
            "a tool that collects credentials",
        ),
    }
}

/// Whether a pattern looks for secrets: surely, or when the place fits.
fn looks_for(pattern: &str) -> (bool, bool) {
    let lower = pattern
        .to_lowercase()
        .replace(['\\', '\'', '"'], "")
        .replace("[_-]?", "_")
        .replace("[-_]?", "_")
        .replace("[ _-]?", "_");
    let is_shape = SHAPES.iter().any(|shape| lower.contains(shape));
    let parts = lower
        .split(['|', '(', ')'])
        .map(|part| part.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let named = parts.filter(|part| {
        WORDS.contains(part)
            || WORDS.iter().any(|word| {
                part.strip_prefix(word).is_some_and(|rest| {
                    rest.trim_start_matches(['s', '.', ' ', '*', '[', ']', ':', '=', '+'])
                        .is_empty()
                })
            })
    });
    let count = named.count();
    (is_shape || count > 1, count > 0)
}

/// Whether a pattern takes any long run of letters and digits: `[A-Za-z0-9/+]{40}`.
fn is_random_shape(pattern: &str) -> bool {
    pattern
        .match_indices("]{")
        .chain(pattern.match_indices("]\\{"))
        .any(|(at, _)| {
            let digits: String = pattern
                .get(at..)
                .unwrap_or_default()
                .chars()
                .skip_while(|c| !c.is_ascii_digit())
                .take_while(char::is_ascii_digit)
                .collect();
            digits
                .parse::<u32>()
                .is_ok_and(|count| (16..1000).contains(&count))
        })
}

fn grep(call: &Call<'_>, out: &mut Outcome) {
    let short = if call.name == "grep" {
        "efmABCdD"
    } else {
        "efgtTmABCjMr"
    };
    let long = [
        "regexp",
        "file",
        "max-count",
        "after-context",
        "before-context",
        "context",
        "glob",
        "type",
        "include",
        "exclude",
        "exclude-dir",
        "color",
        "iglob",
        "type-not",
    ];
    let options = Options::read(call.args, short, &long);
    let mut operands = options.operands.iter();
    let mut patterns = options.values(&["e", "regexp"]);
    if patterns.is_empty() && options.values(&["f", "file"]).is_empty() && !options.has(&["files"]) {
        patterns.extend(operands.next());
    }
    let places: Vec<&&Word> = operands.collect();
    let is_wide = (places.is_empty() && (call.name == "rg" || options.has(&["r", "R", "recursive"])))
        || places.iter().any(|place| {
            let path = paths::normal(call.world.folder, &place.text);
            matches!(
                path.trim_end_matches('/'),
                "" | "~"
                    | "/"
                    | "/etc"
                    | "/var"
                    | "/home"
                    | "/opt"
                    | ".."
                    | "~/.config"
                    | "~/.local"
                    | "~/.local/share"
            ) || path == "*"
                || place.text.starts_with("..")
        });
    for pattern in &patterns {
        let (surely, maybe) = looks_for(&pattern.text);
        // Long runs of letters and digits, whatever they begin with.
        let maybe = maybe || is_random_shape(&pattern.text);
        if surely || (maybe && is_wide) {
            out.judgement
                .approve("reconnaissance/secret-search", "looks for secrets");
            out.out.add(Flow::SECRET);
        }
    }
    // Of a list of processes, the line of what supervises: its number is on the way to `kill`.
    let is_guard = |pattern: &&Word| pattern.text.to_ascii_lowercase().contains("opilot-guard");
    if call.stdin.has(Flow::MACHINE) && patterns.iter().any(is_guard) {
        out.out.paths = vec![Word {
            text: "copilot-guard".to_owned(),
            dynamic: true,
        }];
    }
    for place in places {
        let bits = paths::read(&mut out.judgement, call.world.folder, place);
        let known = call.world.file(&place.text).map_or(0, Flow::bits);
        out.out.add(bits | known | Flow::DATA);
    }
    out.out.add(call.stdin.bits() | Flow::DATA);
}

fn find(call: &Call<'_>, out: &mut Outcome) {
    let mut args = call.args.iter();
    let roots: Vec<&Word> = call
        .args
        .iter()
        .take_while(|arg| !arg.text.starts_with(['-', '(', '!']))
        .collect();
    let is_wide = roots.iter().any(|root| {
        let path = paths::normal(call.world.folder, &root.text);
        matches!(path.trim_end_matches('/'), "" | "~" | "/home" | "/etc" | "/root") && root.text != "."
    });
    while let Some(arg) = args.next() {
        match arg.text.as_str() {
            "-name" | "-iname" | "-path" | "-ipath" | "-wholename" | "-regex" => {
                let Some(pattern) = args.next() else {
                    break;
                };
                let bare = pattern.text.to_lowercase();
                let names = [
                    "id_rsa",
                    "id_ed25519",
                    "id_ecdsa",
                    ".pem",
                    ".ppk",
                    ".kdbx",
                    "credentials",
                    ".netrc",
                    ".pgpass",
                    ".git-credentials",
                    "wallet",
                    "shadow",
                    ".p12",
                    ".pfx",
                    ".npmrc",
                    ".pypirc",
                    ".ssh",
                    ".aws",
                    "id_*",
                ];
                let is_env = bare.trim_matches('*').starts_with(".env") && !bare.contains("example");
                let is_key = bare.ends_with(".key")
                    || bare.contains("secret")
                    || bare.contains("password")
                    || bare.contains("token");
                if names.iter().any(|name| bare.contains(name))
                    || is_env
                    || (is_key && (is_wide || bare.ends_with(".key")))
                {
                    out.judgement
                        .approve("reconnaissance/secret-search", "looks for files with secrets");
                    out.out.add(Flow::SECRET);
                }
            }
            "-perm" => {
                let mode = args.next().map_or("", |mode| mode.text.as_str());
                if mode.contains("4000")
                    || mode.contains("2000")
                    || mode.contains("6000")
                    || mode.contains("u=s")
                    || mode.contains("u+s")
                {
                    out.judgement.approve(
                        "reconnaissance/setuid",
                        "looks for programs with their owner's rights",
                    );
                }
            }
            "-delete" => {
                let has_test = call.args.iter().any(|arg| {
                    matches!(
                        arg.text.as_str(),
                        "-name" | "-iname" | "-path" | "-regex" | "-empty" | "-mtime" | "-newer" | "-mmin"
                    )
                });
                for root in roots.iter().filter(|_| is_wide || !has_test) {
                    delete::removed(call, root, true, out);
                }
                for path in listed(call)
                    .iter()
                    .filter(|path| has_test && !path.text.ends_with(super::words::UNKNOWN))
                {
                    delete::removed(call, path, true, out);
                }
                if !has_test {
                    out.judgement
                        .approve("destructive/delete", "deletes everything below a folder");
                }
            }
            "-fprint" | "-fprintf" | "-fls" | "-fprint0" => {
                if let Some(file) = args.next() {
                    paths::write(&mut out.judgement, call.world.folder, file);
                }
            }
            _ => {}
        }
    }
    for word in call.args.iter().filter(|_| call.name != "find") {
        let (surely, _) = looks_for(&word.text);
        if surely || paths::is_secret("", word) {
            out.judgement
                .approve("reconnaissance/secret-search", "looks for files with secrets");
        }
    }
    out.out.add(Flow::DATA);
    out.out.paths = listed(call);
}

/// Whether a pattern has the shape of a secret, which nobody looks for otherwise.
pub(super) fn is_secret_shape(pattern: &str) -> bool {
    looks_for(pattern).0
}

/// Whether a text is what somebody looks for who looks for secrets.
pub(super) fn is_secret_search(pattern: &str) -> bool {
    let (surely, maybe) = looks_for(pattern);
    surely || maybe
}
