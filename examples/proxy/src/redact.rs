//! `redact`: the same engine as a filter, and as a search through files.

mod paths;

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::PathBuf;

use clap::Args;
use copilot_guard::clock::{Clock as _, SystemClock};
use copilot_guard::detect::views::Screen;
use copilot_guard::detect::{Mark, Redactor, RuleSet, Sink, Span};
use copilot_guard::policy::{Policy, PolicyOptions, Query};

use crate::failure::Failure;
use crate::serve::load_policy;

use self::paths::Search;

#[derive(Debug, Args)]
pub(crate) struct RedactArgs {
    /// Say where secrets stand in these files, and in all files of these folders, as `path:line:column: rule`.
    ///
    /// Never the text itself. Passed over and counted are, within folders, hidden folders, symbolic links and what is no
    /// file; and files that are not text (a NUL byte in the first 8 KiB).
    #[arg(value_name = "PATH", conflicts_with = "jsonl")]
    paths: Vec<PathBuf>,
    /// A policy: its patterns, fields and values are masked too, its marks are written, and what it allows everybody
    /// is let through.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// Feed the engine so many bytes at a time. The output is the same for every number.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    chunk: Option<u32>,
    /// Print where secrets are, as JSON lines `{start,end,rule}`, instead of the text; with `path`, where paths are given.
    #[arg(long)]
    spans: bool,
    /// Look only for what stands openly, not for what is encoded or disguised. Files are always searched so.
    #[arg(long)]
    no_views: bool,
    /// Each line is `{"id","text"}` and gives `{"id","text","spans"}`.
    #[arg(long, conflicts_with = "spans")]
    jsonl: bool,
}

/// What looks at a text.
enum Engine {
    Open(Redactor),
    Views(Screen),
}

impl Engine {
    fn push(&mut self, text: &[u8], sink: &mut impl Sink) {
        match self {
            Self::Open(redactor) => redactor.push(text, sink),
            Self::Views(screen) => screen.push(text, sink),
        }
    }

    fn finish(&mut self, sink: &mut impl Sink) {
        match self {
            Self::Open(redactor) => redactor.finish(sink),
            Self::Views(screen) => screen.finish(sink),
        }
    }
}

/// Runs the filter over standard input, or the search over files.
pub(crate) fn run(args: &RedactArgs) -> Result<(), Failure> {
    let policy = match &args.policy {
        Some(file) => load_policy(file, &[], Vec::new())?,
        None => Policy::allow_all(&PolicyOptions::new(SystemClock.now()))?,
    };
    let rules = policy.rule_set();
    let chunk = args.chunk.map_or(usize::MAX, |c| c as usize);
    let everybody = policy.for_caller(&Query::new(&BTreeSet::new(), "", SystemClock.now()));
    if !args.paths.is_empty() {
        return search(
            &args.paths,
            &Search {
                rules,
                options: everybody.scan_options(),
                chunk,
                as_spans: args.spans,
            },
        );
    }
    let engine = || match args.no_views {
        true => Engine::Open(rules.redactor_with(&rules.all(), everybody.scan_options())),
        false => Engine::Views(Screen::new(rules, &rules.all(), everybody.scan_options())),
    };
    let result = if args.jsonl {
        lines(rules, engine, chunk)
    } else {
        filter(rules, engine(), chunk, args.spans)
    };
    match result {
        // Whoever reads our output has had enough.
        Err(Stop::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Stop::Io(error)) => Err(Failure::new(
            "the text cannot be passed through",
            error,
            "check both ends of the pipe",
        )),
        Err(Stop::Line(number)) => Err(Failure::new(
            format!("line {number} is not usable"),
            "it is not an object with the strings `id` and `text`",
            r#"write each line as {"id":"…","text":"…"}"#,
        )),
        Ok(()) => Ok(()),
    }
}

fn search(paths: &[PathBuf], search: &Search<'_>) -> Result<(), Failure> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    let outcome = search
        .run(paths, &mut output)
        .and_then(|outcome| output.flush().map(|()| outcome));
    match outcome {
        // Whoever reads our output has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(
            "what was found cannot be written",
            error,
            "check where the output goes",
        )),
        Ok(outcome) => {
            if let Some(skipped) = outcome.skipped() {
                eprintln!("{skipped}");
            }
            Failure::all(&outcome.unread).map_or(Ok(()), Err)
        }
    }
}

enum Stop {
    Io(io::Error),
    Line(usize),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

struct Out<'a> {
    rules: &'a RuleSet,
    text: Vec<u8>,
    spans: Vec<Span>,
}

impl Sink for Out<'_> {
    fn text(&mut self, released: &[u8]) {
        self.text.extend_from_slice(released);
    }

    fn mark(&mut self, mark: Mark) {
        self.text.extend_from_slice(self.rules.mark_text(mark).as_bytes());
    }

    fn span(&mut self, span: Span) {
        self.spans.push(span);
    }
}

fn filter(rules: &RuleSet, mut redactor: Engine, chunk: usize, only_spans: bool) -> Result<(), Stop> {
    let mut input = io::stdin().lock();
    let mut output = io::BufWriter::new(io::stdout().lock());
    let mut out = Out {
        rules,
        text: Vec::new(),
        spans: Vec::new(),
    };
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = input.read(&mut buffer)?;
        if read == 0 {
            redactor.finish(&mut out);
        }
        for piece in buffer.get(..read).unwrap_or_default().chunks(chunk) {
            redactor.push(piece, &mut out);
        }
        if only_spans {
            for span in out.spans.drain(..) {
                writeln!(output, "{}", span_json(rules, &span))?;
            }
        } else {
            output.write_all(&out.text)?;
        }
        out.text.clear();
        out.spans.clear();
        if read == 0 {
            output.flush()?;
            return Ok(());
        }
    }
}

fn lines(rules: &RuleSet, engine: impl Fn() -> Engine, chunk: usize) -> Result<(), Stop> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let bad = || Stop::Line(number + 1);
        let value: serde_json::Value = serde_json::from_str(&line).map_err(|_| bad())?;
        let text = value.get("text").and_then(|t| t.as_str()).ok_or_else(bad)?;
        let id = value.get("id").ok_or_else(bad)?;
        let mut redactor = engine();
        let mut out = Out {
            rules,
            text: Vec::new(),
            spans: Vec::new(),
        };
        for piece in text.as_bytes().chunks(chunk) {
            redactor.push(piece, &mut out);
        }
        redactor.finish(&mut out);
        let spans: Vec<_> = out.spans.iter().map(|s| span_json(rules, s)).collect();
        let masked = String::from_utf8_lossy(&out.text);
        writeln!(
            output,
            "{}",
            serde_json::json!({ "id": id, "text": masked, "spans": spans })
        )?;
    }
    output.flush()?;
    Ok(())
}

fn span_json(rules: &RuleSet, span: &Span) -> serde_json::Value {
    serde_json::json!({ "start": span.start, "end": span.end, "rule": rule_id(rules, span) })
}

fn rule_id<'r>(rules: &'r RuleSet, span: &Span) -> &'r str {
    rules.info(span.rule).map_or("secret", |info| info.id.as_str())
}
