//! Markdown on the standard output, and the same numbers as JSON.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Prints at once, and remembers the numbers.
#[derive(Default)]
pub(crate) struct Report {
    notes: Vec<String>,
    rows: Vec<Value>,
}

impl Report {
    pub(crate) fn title(&self, title: &str) {
        println!("\n## {title}\n");
    }

    pub(crate) fn line(&mut self, line: impl Into<String>) {
        let line = line.into();
        println!("{line}\n");
        self.notes.push(line);
    }

    pub(crate) fn table(&self, head: &[impl AsRef<str>], rows: &[Vec<String>]) {
        let head: Vec<&str> = head.iter().map(|h| h.as_ref()).collect();
        println!("| {} |", head.join(" | "));
        println!("|{}", "---|".repeat(head.len()));
        for row in rows {
            println!("| {} |", row.join(" | "));
        }
        println!();
    }

    /// A row for the JSON file.
    pub(crate) fn add(&mut self, row: Value) {
        self.rows.push(row);
    }

    pub(crate) fn write_json(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        let all = json!({ "notes": self.notes, "rows": self.rows });
        Ok(fs::write(file, serde_json::to_string_pretty(&all)?)?)
    }
}
