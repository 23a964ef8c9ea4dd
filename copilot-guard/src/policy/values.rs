//! Values of an installation that must never leave: fetched by whoever reads the policy, checked here.

use std::fmt;
use std::sync::Arc;

use super::masking::ValuesConfig;
use super::reader::{Elsewhere, Located, Problems};
use crate::secret::Secret;

/// Fetches what a policy names and does not hold: files and variables of the environment.
#[derive(Clone)]
pub(super) struct Resolver(Arc<Fetch>);

/// The error says why it could not, without the value.
type Fetch = dyn Fn(&Elsewhere) -> Result<Secret, String> + Send + Sync;

/// Shorter values would mask pieces of ordinary text.
const SHORTEST: usize = 8;
/// What is waited for.
const LONGEST: usize = 4096;
/// In all files and variables of one policy.
const MOST: usize = 10_000;

impl Resolver {
    pub(super) fn new(fetch: impl Fn(&Elsewhere) -> Result<Secret, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(fetch))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver(..)")
    }
}

/// The values of each `[[values]]`, in order. No message holds one.
pub(super) fn fetch(
    problems: &Problems,
    configs: &[ValuesConfig],
    resolver: Option<&Resolver>,
) -> Vec<Vec<Secret>> {
    let mut count = 0;
    configs
        .iter()
        .map(|config| {
            let values = one(problems, config, resolver);
            let before = count;
            count += values.len();
            if before <= MOST && count > MOST {
                problems.add(
                    &config.from.at,
                    format!("there are more than {MOST} values"),
                    "each must be looked for at every place of every text",
                    "leave out what no text can hold, or write a pattern that finds them all",
                );
            }
            values
        })
        .collect()
}

fn one(problems: &Problems, config: &ValuesConfig, resolver: Option<&Resolver>) -> Vec<Secret> {
    let Located { value: from, at, .. } = &config.from;
    let Some(Resolver(fetch)) = resolver else {
        problems.add(
            at,
            format!("{from} cannot be had"),
            "whoever reads this policy gives it no files and no environment",
            "use `PolicyOptions::with_elsewhere`",
        );
        return Vec::new();
    };
    let text = match fetch(from) {
        Ok(text) => text,
        Err(why) => {
            problems.add(
                at,
                format!("{from} cannot be had"),
                why,
                "set it, or leave these values out",
            );
            return Vec::new();
        }
    };
    let lines: Vec<(usize, &str)> = match from {
        Elsewhere::Env(_) => vec![(1, text.expose().trim())],
        Elsewhere::File(_) => {
            let lines = text.expose().lines().enumerate();
            let lines = lines.map(|(n, line)| (n + 1, line.trim()));
            lines
                .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
                .collect()
        }
    };
    let fits = |value: &str| (SHORTEST..=LONGEST).contains(&value.len());
    let misfits: Vec<_> = lines
        .iter()
        .filter(|(_, line)| !fits(line))
        .map(|(n, _)| n.to_string())
        .collect();
    if lines.is_empty() {
        let mend = "write one value on each line, or leave it out";
        problems.add(
            at,
            format!("{from} has no value"),
            "nothing could be masked",
            mend,
        );
    }
    if let Some((first, further)) = misfits.split_first() {
        let what = match (from, further.len()) {
            (Elsewhere::Env(_), _) => format!("{from} is too short or too long"),
            (Elsewhere::File(_), 0) => format!("line {first} of {from} is too short or too long"),
            (Elsewhere::File(_), more) => {
                format!("line {first} of {from}, and {more} more, are too short or too long")
            }
        };
        let why = format!("a value has {SHORTEST} to {LONGEST} bytes: a shorter one stands in ordinary text");
        problems.add(
            at,
            what,
            why,
            "take it out, or write a pattern that names what stands around it",
        );
    }
    lines
        .iter()
        .filter(|(_, line)| fits(line))
        .map(|(_, line)| Secret::new(*line))
        .collect()
}
