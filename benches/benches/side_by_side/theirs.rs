//! Hyperscan, if it is there: which rules it takes, and the engines over them.

use super::engine::Engine;
use super::report::Report;
use super::rules::Rule;

#[cfg(libhs)]
pub(crate) use present::Theirs;

/// Without the library there is nothing to compare with, and every rule stays.
#[cfg(not(libhs))]
pub(crate) struct Theirs {
    /// The rules that both sides run.
    pub(crate) common: Vec<usize>,
}

#[cfg(not(libhs))]
impl Theirs {
    pub(crate) fn new(table: &[Rule], report: &mut Report) -> Self {
        report.line(
            "**The comparison with Hyperscan was left out.** To have it: `apt-get install pkg-config \
             libhyperscan-dev`, then `--features hyperscan`.",
        );
        Self {
            common: (0..table.len()).collect(),
        }
    }

    pub(crate) fn engines(&self) -> Vec<Box<dyn Engine + '_>> {
        Vec::new()
    }

    pub(crate) fn finds(&self, _: usize, _: &[u8]) -> Vec<(&'static str, bool)> {
        Vec::new()
    }
}

#[cfg(libhs)]
mod present {
    use std::hint::black_box;

    use serde_json::json;

    use super::super::clock;
    use super::super::engine::{Delta, Engine, Sample};
    use super::super::raw::hyperscan::{self, Database, Refusal, Report as Reports, Scratch};
    use super::super::report::Report;
    use super::super::rules::Rule;

    const MODES: [(Reports, &str); 2] = [(Reports::Ends, "Hyperscan, ends"), (Reports::Starts, "Hyperscan, starts")];

    /// The compiled databases.
    pub(crate) struct Theirs {
        /// The rules that both sides run.
        pub(crate) common: Vec<usize>,
        expressions: Vec<String>,
        databases: Vec<(Reports, &'static str, Database)>,
    }

    impl Theirs {
        pub(crate) fn new(table: &[Rule], report: &mut Report) -> Self {
            report.line(format!("Hyperscan {}.", hyperscan::version()));
            let mut common = Vec::new();
            for (i, rule) in table.iter().enumerate() {
                let mut taken = true;
                for (mode, name) in MODES {
                    if let Err(refusal) = Database::new(&[&rule.expression], mode) {
                        report.line(format!("Left out: `{}` ({name}): {}", rule.id, refusal.message));
                        taken = false;
                    }
                }
                if taken {
                    common.push(i);
                }
            }
            let mut databases = Vec::new();
            let mut rows = Vec::new();
            let mut next = MODES.into_iter();
            let mut mode = next.next();
            while let Some((reports, name)) = mode {
                let expressions: Vec<&str> = common.iter().map(|i| table[*i].expression.as_str()).collect();
                let (cpu, wall) = (clock::cpu(), clock::wall());
                match Database::new(&expressions, reports) {
                    Ok(database) => {
                        let (cpu, wall) = (clock::cpu() - cpu, clock::wall() - wall);
                        let scratch = database.scratch().map_or(0, |s| s.size());
                        let ms = |ns: u64| format!("{:.0}", ns as f64 / 1e6);
                        rows.push(vec![
                            name.to_owned(),
                            ms(cpu),
                            ms(wall),
                            database.size().to_string(),
                            scratch.to_string(),
                            database.stream_size().to_string(),
                        ]);
                        report.add(json!({
                            "regime": "database", "engine": name, "cpu_ns": cpu, "wall_ns": wall, "rules": expressions.len(),
                            "bytes": database.size(), "scratch_bytes": scratch, "stream_bytes": database.stream_size(),
                        }));
                        databases.push((reports, name, database));
                        mode = next.next();
                    }
                    // All together can be too much where each alone is not.
                    Err(Refusal {
                        message,
                        expression: Some(i),
                    }) if i < common.len() => {
                        let rule = common.remove(i);
                        report.line(format!("Left out: `{}` ({name}, together): {message}", table[rule].id));
                        databases.clear();
                        rows.clear();
                        next = MODES.into_iter();
                        mode = next.next();
                    }
                    Err(refusal) => {
                        report.line(format!("**{name} was left out**: {}", refusal.message));
                        mode = next.next();
                    }
                }
            }
            let head = ["", "compile, CPU ms", "wall ms", "database B", "scratch B", "stream state B"];
            report.table(&head, &rows);
            Self {
                common,
                expressions: table.iter().map(|rule| rule.expression.clone()).collect(),
                databases,
            }
        }

        pub(crate) fn engines(&self) -> Vec<Box<dyn Engine + '_>> {
            let mut engines: Vec<Box<dyn Engine>> = Vec::new();
            for (_, name, database) in &self.databases {
                if let Some(scratch) = database.scratch() {
                    engines.push(Box::new(Hyperscan {
                        name,
                        database,
                        scratch,
                    }));
                }
            }
            engines
        }

        /// Whether this rule alone finds something in this text, for each mode.
        pub(crate) fn finds(&self, rule: usize, text: &[u8]) -> Vec<(&'static str, bool)> {
            let expression = self.expressions[rule].as_str();
            let found = |mode: Reports| {
                let database = Database::new(&[expression], mode).ok()?;
                let mut scratch = database.scratch()?;
                let mut stream = database.stream()?;
                let mut events = 0;
                for piece in text.chunks(3) {
                    stream.scan(piece, &mut scratch, &mut events);
                }
                stream.finish(&mut scratch, &mut events);
                (events > 0).then_some(())
            };
            let modes = self.databases.iter();
            modes.map(|(mode, name, _)| (*name, found(*mode).is_some())).collect()
        }
    }

    struct Hyperscan<'a> {
        name: &'static str,
        database: &'a Database,
        scratch: Scratch,
    }

    impl Engine for Hyperscan<'_> {
        fn name(&self) -> &'static str {
            self.name
        }

        fn pieces(&mut self, text: &[u8], size: usize) -> Sample {
            let mut events = 0;
            let Some(mut stream) = self.database.stream() else {
                return failed();
            };
            let mut fine = true;
            let began = clock::cpu();
            for piece in text.chunks(size) {
                fine &= stream.scan(black_box(piece), &mut self.scratch, &mut events);
            }
            fine &= stream.finish(&mut self.scratch, &mut events);
            let nanoseconds = clock::cpu() - began;
            if fine { Sample { nanoseconds, events } } else { failed() }
        }

        fn streams(&mut self, text: &[u8], streams: usize, deltas: &[Delta]) -> Sample {
            let mut events = 0;
            let mut open: Vec<_> = (0..streams).map_while(|_| self.database.stream()).collect();
            if open.len() < streams {
                return failed();
            }
            let mut fine = true;
            let began = clock::cpu();
            for delta in deltas {
                let start = delta.start as usize;
                let piece = &text[start..start + usize::from(delta.len)];
                fine &= open[usize::from(delta.stream)].scan(black_box(piece), &mut self.scratch, &mut events);
            }
            let nanoseconds = clock::cpu() - began;
            for stream in &mut open {
                fine &= stream.finish(&mut self.scratch, &mut events);
            }
            if fine { Sample { nanoseconds, events } } else { failed() }
        }
    }

    /// Stands out in every table.
    fn failed() -> Sample {
        Sample {
            nanoseconds: u64::MAX,
            events: 0,
        }
    }
}
