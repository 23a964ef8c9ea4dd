//! The one error inside this crate. Cloneable, because one failed commit fails every job of its batch.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rusqlite::types::Type;

#[derive(Debug, Clone)]
pub(crate) struct Failure {
    what: &'static str,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Failure {
    pub(crate) const fn message(what: &'static str) -> Self {
        Self { what, source: None }
    }

    pub(crate) fn new(what: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            what,
            source: Some(Arc::new(source)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SQLite's own words hold names of tables and the like, never content of a row.
        match &self.source {
            Some(source) => write!(f, "{}: {source}", self.what),
            None => f.write_str(self.what),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::new("sqlite", error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new("file", error)
    }
}

/// A stored text that is not what it should be.
pub(crate) fn unreadable(error: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
}
