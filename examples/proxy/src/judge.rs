//! `judge`: says of commands, one JSON line each, what the gateway would say of them.

use std::io::{self, BufRead as _, Write as _};
use std::path::PathBuf;

use clap::Args;
use copilot_guard::detect::Judgement;
use copilot_guard::detect::command::{CommandJudge, Shell};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::serve;

/// Longest line that is read.
const LONGEST: usize = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct JudgeArgs {
    /// The policy whose `[network]` says which hosts and remotes are ours.
    #[arg(long)]
    policy: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Value,
    shell: Shell,
    command: String,
    /// Of test sets: read over.
    #[serde(default, rename = "verdict")]
    _verdict: Option<String>,
    #[serde(default, rename = "why")]
    _why: Option<String>,
}

pub(crate) fn run(args: &JudgeArgs) -> Result<(), Failure> {
    let judge = match &args.policy {
        Some(file) => serve::load_policy(file, &[], Vec::new())?.commands().clone(),
        None => CommandJudge::default(),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let lines = io::stdin().lock().lines();
    for (number, line) in lines.enumerate() {
        let fail = |why: &dyn std::fmt::Display| {
            Failure::new(
                format!("line {} of standard input cannot be judged", number + 1),
                why,
                "write one JSON object a line: {\"id\",\"shell\":\"bash\"|\"powershell\",\"command\"}",
            )
        };
        let line = line.map_err(|e| fail(&e))?;
        if line.trim().is_empty() {
            continue;
        }
        if line.len() > LONGEST {
            return Err(fail(&"it is longer than 1 MiB"));
        }
        let line: Line = serde_json::from_str(&line).map_err(|e| fail(&e))?;
        let judgement = judge.judge(line.shell, &line.command);
        let written = writeln!(out, "{}", answer(&line.id, &judgement));
        match written {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written
                .map_err(|e| Failure::new("the answer cannot be written", e, "look at where it goes"))?,
        }
    }
    out.flush()
        .map_err(|e| Failure::new("the answer cannot be written", e, "look at where it goes"))
}

fn answer(id: &Value, judgement: &Judgement) -> Value {
    let deciding = judgement.deciding();
    json!({
        "id": id,
        "verdict": judgement.danger().as_str(),
        "rule": deciding.map(|f| f.rule),
        "reason": deciding.map(|f| f.reason.as_str()),
    })
}
