//! Hyperscan, if it is there: which rules it takes, and the engine over them.

#[cfg(not(libhs))]
pub(crate) use absent::{Mode, all};
#[cfg(libhs)]
pub(crate) use present::{Mode, all};

/// Without the library there is nothing to compare with.
#[cfg(not(libhs))]
mod absent {
    use super::super::engine::Engine;
    use super::super::report::Report;
    use super::super::rules::Rule;

    pub(crate) struct Mode {
        pub(crate) name: &'static str,
        pub(crate) rules: Vec<usize>,
    }

    pub(crate) fn all(_: &[Rule], report: &mut Report) -> Vec<Mode> {
        report.line(
            "**The comparison with Hyperscan was left out.** To have it: `apt-get install pkg-config \
             libhyperscan-dev`, then `--features hyperscan`.",
        );
        Vec::new()
    }

    impl Mode {
        pub(crate) fn engine(&self) -> Option<Box<dyn Engine + '_>> {
            None
        }

        pub(crate) fn finds(&self, _: usize, _: &[u8]) -> bool {
            false
        }
    }
}

#[cfg(libhs)]
mod present {
    use std::hint::black_box;

    use serde_json::{Map, Value, json};

    use super::super::clock;
    use super::super::engine::{Delta, Engine, Sample};
    use super::super::forms::{Form, Width};
    use super::super::raw::hyperscan::{self, Database, Refusal, Report as Reports, Scratch};
    use super::super::report::Report;
    use super::super::rules::Rule;

    /// What is reported, and whether the expressions are short.
    const MODES: [(Reports, bool, &str); 4] = [
        (Reports::Ends, false, "Hyperscan, ends"),
        (Reports::Ends, true, "Hyperscan, short, ends"),
        (Reports::Starts, false, "Hyperscan, starts"),
        (Reports::Starts, true, "Hyperscan, short, starts"),
    ];

    /// Hyperscan in one mode.
    pub(crate) struct Mode {
        pub(crate) name: &'static str,
        /// The rules it takes, by their place in the table.
        pub(crate) rules: Vec<usize>,
        reports: Reports,
        /// One for each of `rules`.
        expressions: Vec<String>,
        database: Database,
    }

    /// All modes that can be had.
    pub(crate) fn all(table: &[Rule], report: &mut Report) -> Vec<Mode> {
        report.line(format!("Hyperscan {}.", hyperscan::version()));
        let mut modes = Vec::new();
        let mut rows = Vec::new();
        for (reports, short, name) in MODES {
            if let Some(mode) = Mode::new(table, (reports, short, name), report, &mut rows) {
                modes.push(mode);
            }
        }
        let head = [
            "",
            "rules",
            "compile, CPU ms",
            "wall ms",
            "database B",
            "scratch B",
            "stream state B",
        ];
        report.table(&head, &rows);
        modes
    }

    impl Mode {
        fn new(
            table: &[Rule],
            (reports, short, name): (Reports, bool, &'static str),
            report: &mut Report,
            rows: &mut Vec<Vec<String>>,
        ) -> Option<Self> {
            let (mut rules, mut expressions) = (Vec::new(), Vec::new());
            for (i, rule) in table.iter().enumerate() {
                if let Some(expression) = taken(rule, (reports, short, name), report) {
                    rules.push(i);
                    expressions.push(expression);
                }
            }
            loop {
                let (cpu, wall) = (clock::cpu(), clock::wall());
                match Database::new(&expressions, reports) {
                    Ok(database) => {
                        let (cpu, wall) = (clock::cpu() - cpu, clock::wall() - wall);
                        let scratch = database.scratch().map_or(0, |s| s.size());
                        let ms = |ns: u64| format!("{:.0}", ns as f64 / 1e6);
                        rows.push(vec![
                            name.to_owned(),
                            rules.len().to_string(),
                            ms(cpu),
                            ms(wall),
                            database.size().to_string(),
                            scratch.to_string(),
                            database.stream_size().to_string(),
                        ]);
                        report.add(json!({
                            "regime": "database", "engine": name, "rules": rules.len(), "cpu_ns": cpu, "wall_ns": wall,
                            "expressions": with_ids(table, &rules, &expressions),
                            "bytes": database.size(), "scratch_bytes": scratch, "stream_bytes": database.stream_size(),
                        }));
                        return Some(Self {
                            name,
                            rules,
                            reports,
                            expressions,
                            database,
                        });
                    }
                    // All together can be too much where each alone is not.
                    Err(Refusal {
                        message,
                        expression: Some(i),
                    }) if i < rules.len() => {
                        expressions.remove(i);
                        let rule = &table[rules.remove(i)];
                        report.line(format!(
                            "{name}: refuses `{}` beside the others: {message}",
                            rule.id
                        ));
                    }
                    Err(refusal) => {
                        report.line(format!("**{name}: left out**: {}", refusal.message));
                        return None;
                    }
                }
            }
        }

        pub(crate) fn engine(&self) -> Option<Box<dyn Engine + '_>> {
            Some(Box::new(Hyperscan {
                database: &self.database,
                scratch: self.database.scratch()?,
            }))
        }

        /// Whether this one of `rules` alone finds something in this text.
        pub(crate) fn finds(&self, rule: usize, text: &[u8]) -> bool {
            let Ok(database) = Database::new(&self.expressions[rule..=rule], self.reports) else {
                return false;
            };
            let (Some(mut scratch), Some(mut stream)) = (database.scratch(), database.stream()) else {
                return false;
            };
            let mut events = 0;
            for piece in text.chunks(3) {
                stream.scan(piece, &mut scratch, &mut events);
            }
            stream.finish(&mut scratch, &mut events);
            events > 0
        }
    }

    fn with_ids(table: &[Rule], rules: &[usize], expressions: &[String]) -> Map<String, Value> {
        let ids = rules.iter().map(|i| table[*i].id.clone());
        ids.zip(expressions.iter().map(|e| json!(e))).collect()
    }

    /// The first form of the rule that the library takes.
    fn taken(
        rule: &Rule,
        (reports, short, name): (Reports, bool, &str),
        report: &mut Report,
    ) -> Option<String> {
        let mut why = String::new();
        for width in [Width::Exact, Width::Wider, Width::Widest] {
            let form = rule.expression(Form { short, width });
            match form.map(|f| (Database::new(std::slice::from_ref(&f), reports), f)) {
                Ok((Ok(_), form)) => {
                    let how = match width {
                        Width::Exact => return Some(form),
                        Width::Wider => "wider",
                        Width::Widest => "widest",
                    };
                    report.line(format!(
                        "{name}: takes `{}` only in its {how} form: {why}",
                        rule.id
                    ));
                    return Some(form);
                }
                Ok((Err(refusal), _)) => why = refusal.message,
                Err(e) => why = e.to_string(),
            }
        }
        report.line(format!(
            "{name}: **refuses `{}` in every form** ({why}); left out.",
            rule.id
        ));
        None
    }

    struct Hyperscan<'a> {
        database: &'a Database,
        scratch: Scratch,
    }

    impl Engine for Hyperscan<'_> {
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
            if fine {
                Sample { nanoseconds, events }
            } else {
                failed()
            }
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
                fine &=
                    open[usize::from(delta.stream)].scan(black_box(piece), &mut self.scratch, &mut events);
            }
            let nanoseconds = clock::cpu() - began;
            for stream in &mut open {
                fine &= stream.finish(&mut self.scratch, &mut events);
            }
            if fine {
                Sample { nanoseconds, events }
            } else {
                failed()
            }
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
