//! Turns a value into what is needed, or reports why it is not that.

use toml::Spanned;
use toml::de::DeValue;

use super::{At, Located, Node, Table, Value};
use crate::policy::problem::nearest;
use crate::secret::Secret;

/// A plain value whose type matters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scalar {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Flag(bool),
}

impl<'p> Value<'p> {
    /// A plain value may stand elsewhere; a table that looks like it may be wanted as a table.
    fn fetched(mut self) -> Self {
        self.node = self.problems.fetch(&self.at, self.node);
        self
    }

    /// A string.
    pub fn string(self) -> Option<Located<String>> {
        let this = self.fetched();
        match this.node {
            Node::Toml(DeValue::String(text)) => Some(Located {
                value: text.into_owned(),
                at: this.at,
                from: None,
            }),
            Node::Fetched(from, text) => Some(Located {
                value: text.expose().to_owned(),
                at: this.at,
                from: Some(from),
            }),
            _ => this.wrong("a string"),
        }
    }

    /// A string that must not be seen: no message of the reader quotes it.
    pub fn secret(self) -> Option<Located<Secret>> {
        self.string().map(|s| Located {
            value: Secret::new(s.value),
            at: s.at,
            from: s.from,
        })
    }

    /// A string, or a date or time as TOML writes them without quotes.
    pub fn string_or_date(self) -> Option<Located<String>> {
        match self.node {
            Node::Toml(DeValue::Datetime(date)) => Some(Located {
                value: date.to_string(),
                at: self.at,
                from: None,
            }),
            _ => self.string(),
        }
    }

    /// `true` or `false`.
    pub fn boolean(self) -> Option<Located<bool>> {
        let this = self.fetched();
        match &this.node {
            Node::Toml(DeValue::Boolean(value)) => Some(Located {
                value: *value,
                at: this.at,
                from: None,
            }),
            Node::Fetched(from, text) => match text.expose().trim().parse() {
                Ok(value) => Some(Located {
                    value,
                    at: this.at,
                    from: Some(from.clone()),
                }),
                Err(_) => this.wrong("true or false"),
            },
            _ => this.wrong("true or false"),
        }
    }

    /// A whole number that is not negative.
    pub fn number(self) -> Option<Located<u64>> {
        let this = self.fetched();
        match &this.node {
            Node::Toml(DeValue::Integer(n)) => match u64::from_str_radix(n.as_str(), n.radix()) {
                Ok(value) => Some(Located {
                    value,
                    at: this.at,
                    from: None,
                }),
                Err(_) => this.wrong("a whole number that is not negative"),
            },
            Node::Fetched(from, text) => match text.expose().trim().parse() {
                Ok(value) => Some(Located {
                    value,
                    at: this.at,
                    from: Some(from.clone()),
                }),
                Err(_) => this.wrong("a whole number"),
            },
            _ => this.wrong("a whole number"),
        }
    }

    /// A number of bytes: `65536` or `"64KiB"`.
    pub fn bytes(self) -> Option<Located<u64>> {
        if matches!(self.node, Node::Toml(DeValue::Integer(_))) {
            return self.number();
        }
        let problems = self.problems;
        let text = self.string()?;
        match parse_bytes(&text.value) {
            Some(value) => Some(Located {
                value,
                at: text.at,
                from: text.from,
            }),
            None => {
                problems.add(
                    &text.at,
                    format!("{} is not a size", text.shown()),
                    "a size is a whole number and a unit",
                    "write bytes, or a text such as \"64KiB\" or \"32MiB\"",
                );
                None
            }
        }
    }

    /// A time span: `"240s"`, `"5m"`, `"12h"`, `"30d"`, `"500ms"`.
    pub fn duration(self) -> Option<Located<std::time::Duration>> {
        let problems = self.problems;
        let text = self.string()?;
        match parse_duration(&text.value) {
            Some(value) => Some(Located {
                value,
                at: text.at,
                from: text.from,
            }),
            None => {
                problems.add(
                    &text.at,
                    format!("{} is not a time span", text.shown()),
                    "a time span is a whole number and a unit",
                    "write a text such as \"240s\", \"5m\" or \"12h\"",
                );
                None
            }
        }
    }

    /// One of these words.
    pub fn one_of<T: Copy>(self, words: &[(&'static str, T)]) -> Option<Located<T>> {
        let problems = self.problems;
        let text = self.string()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(Located {
                value: *value,
                at: text.at,
                from: text.from,
            });
        }
        let names = || words.iter().map(|(word, _)| *word);
        let mend = match nearest(&text.value, names()).filter(|_| text.from.is_none()) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => format!("write one of {}", names().collect::<Vec<_>>().join(", ")),
        };
        problems.add(
            &text.at,
            format!("unknown value {}", text.shown()),
            "it has no meaning here",
            mend,
        );
        None
    }

    /// A plain value of a claim: a string, a whole number, or `true` or `false`. What stands elsewhere is a string.
    pub fn scalar(self) -> Option<Located<Scalar>> {
        let this = self.fetched();
        let value = match &this.node {
            Node::Toml(DeValue::Boolean(flag)) => Scalar::Flag(*flag),
            Node::Toml(DeValue::Integer(n)) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(number) => Scalar::Integer(number),
                Err(_) => return this.wrong("a whole number of 64 bits"),
            },
            Node::Toml(DeValue::String(_)) | Node::Fetched(..) => {
                return this.string().map(|text| Located {
                    value: Scalar::Text(text.value),
                    at: text.at,
                    from: text.from,
                });
            }
            _ => return this.wrong("a string, a whole number, true or false"),
        };
        Some(Located {
            value,
            at: this.at,
            from: None,
        })
    }

    /// Whether it is a table, and none that says where a plain value stands.
    pub fn is_table(&self) -> bool {
        let Node::Toml(DeValue::Table(table)) = &self.node else {
            return false;
        };
        !(table.len() == 1
            && table
                .keys()
                .all(|key| matches!(key.get_ref().as_ref(), "env" | "file")))
    }

    /// A table.
    pub fn table(self) -> Option<Table<'p>> {
        match self.node {
            Node::Toml(DeValue::Table(table)) => Some(self.problems.table(self.at, table)),
            _ => self.wrong("a table"),
        }
    }

    /// The items of a list.
    pub fn list(self) -> Option<Vec<Value<'p>>> {
        let Node::Toml(DeValue::Array(items)) = self.node else {
            return self.wrong("a list");
        };
        let item = |(n, item): (usize, Spanned<DeValue<'p>>)| {
            let line = self.problems.line(item.span().start);
            let at = At {
                line,
                key: format!("{}[{n}]", self.at.key),
            };
            self.problems.value(at, item.into_inner())
        };
        Some(items.into_iter().enumerate().map(item).collect())
    }

    /// A list of strings; items of another type are reported and left out.
    pub fn strings(self) -> Option<Vec<Located<String>>> {
        Some(self.list()?.into_iter().filter_map(Value::string).collect())
    }

    /// Whether it is a list without items.
    pub fn is_empty_list(&self) -> bool {
        matches!(&self.node, Node::Toml(DeValue::Array(items)) if items.is_empty())
    }

    /// A list of strings, or one string.
    pub fn string_or_list(self) -> Option<Vec<Located<String>>> {
        let this = self.fetched();
        match &this.node {
            Node::Toml(DeValue::Array(_)) => this.strings(),
            Node::Toml(DeValue::String(_)) | Node::Fetched(..) => this.string().map(|s| vec![s]),
            _ => this.wrong("a string or a list of strings"),
        }
    }

    /// A list of tables (`[[name]]`).
    pub fn tables(self) -> Vec<Table<'p>> {
        self.list()
            .unwrap_or_default()
            .into_iter()
            .filter_map(Value::table)
            .collect()
    }

    fn wrong<T>(self, wanted: &str) -> Option<T> {
        let found = match &self.node {
            Node::Toml(DeValue::Datetime(_)) => "a date or time".to_owned(),
            Node::Toml(DeValue::Boolean(_)) => "true or false".to_owned(),
            Node::Toml(DeValue::Array(_)) => "a list".to_owned(),
            Node::Toml(DeValue::Integer(_)) => "a number".to_owned(),
            Node::Toml(value) => format!("a {}", value.type_str()),
            Node::Fetched(from, _) => from.to_string(),
            Node::Failed => return None,
        };
        self.problems.add(
            &self.at,
            "wrong type of value",
            format!("found {found}"),
            format!("write {wanted}"),
        );
        None
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text.trim())?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn parse_duration(text: &str) -> Option<std::time::Duration> {
    let (number, unit) = split_unit(text.trim())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(std::time::Duration::from_millis)
}
