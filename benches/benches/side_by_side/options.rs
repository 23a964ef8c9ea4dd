//! The command line.

use std::error::Error;
use std::path::PathBuf;

const HELP: &str = "\
cargo bench -p copilot-guard-benches --features hyperscan --bench side_by_side -- [OPTIONS]

  --quick          less text, fewer rounds
  --rounds N       how often each measurement is taken (default 5, quick 3)
  --only REGIME    chunks, streams, floods, deltas, state or ready; may stand more than once
  --corpus DIR     takes the text from the files below DIR
  --json FILE      writes the numbers there too
";

/// One kind of measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Regime {
    Chunks,
    Streams,
    Floods,
    Deltas,
    State,
    Ready,
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) corpus: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
    /// This process was started by the bench to measure a fresh one.
    pub(crate) child: bool,
    only: Vec<Regime>,
}

impl Options {
    /// `None` when there is nothing to do.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, Box<dyn Error>> {
        let mut options = Self {
            quick: false,
            rounds: 0,
            corpus: None,
            json: None,
            child: false,
            only: Vec::new(),
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("`{arg}` needs a value"));
            match arg.as_str() {
                // Cargo says so to every bench.
                "--bench" => {}
                // And so to every bench that is run as a test: that it starts is all there is to see.
                "--test" => return Ok(None),
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = value()?.parse()?,
                "--corpus" => options.corpus = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                "--only" => options.only.push(regime(&value()?)?),
                "--measure-ready" => options.child = true,
                "--help" | "-h" => {
                    print!("{HELP}");
                    return Ok(None);
                }
                other => return Err(format!("unknown option `{other}`\n\n{HELP}").into()),
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 3 } else { 5 };
        }
        Ok(Some(options))
    }

    pub(crate) fn wants(&self, regime: Regime) -> bool {
        self.only.is_empty() || self.only.contains(&regime)
    }
}

fn regime(name: &str) -> Result<Regime, String> {
    match name {
        "chunks" => Ok(Regime::Chunks),
        "streams" => Ok(Regime::Streams),
        "floods" => Ok(Regime::Floods),
        "deltas" => Ok(Regime::Deltas),
        "state" => Ok(Regime::State),
        "ready" => Ok(Regime::Ready),
        other => Err(format!("there is no regime `{other}`\n\n{HELP}")),
    }
}
