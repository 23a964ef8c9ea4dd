//! Reading the record back.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{AuditEvent, ExchangeRecord, Outcome};
use crate::clock::Timestamp;
use crate::decision::Action;
use crate::id::ExchangeId;

/// Which exchanges to list. Conditions are joined by AND; the newest come first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeFilter {
    /// The subject, exactly.
    pub user: Option<String>,
    /// A group the caller was in.
    pub group: Option<String>,
    /// The requested model, exactly.
    pub model: Option<String>,
    /// The final decision.
    pub decision: Option<Action>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// A rule that matched.
    pub rule: Option<String>,
    /// The client's session id.
    pub session: Option<String>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// A text that occurs in the request or the delivered answer (case-sensitive).
    pub text: Option<String>,
    /// At most so many; default 50, at most 500.
    pub limit: Option<usize>,
    /// Where the last page ended ([`Page::next_cursor`]).
    pub cursor: Option<String>,
}

impl ExchangeFilter {
    /// The page size in force.
    pub fn page_size(&self) -> usize {
        self.limit.unwrap_or(50).clamp(1, 500)
    }

    /// Whether `record` fulfils all conditions (not the cursor). `record` must carry request and response for `text`.
    pub fn matches(&self, record: &ExchangeRecord) -> bool {
        fn is<T: PartialEq>(want: &Option<T>, have: Option<&T>) -> bool {
            want.as_ref().is_none_or(|w| have == Some(w))
        }
        is(&self.user, Some(&record.subject))
            && self.group.as_ref().is_none_or(|g| record.groups.contains(g))
            && is(&self.model, Some(&record.model))
            && is(&self.decision, Some(&record.decision))
            && is(&self.outcome, record.outcome.as_ref())
            && self
                .rule
                .as_ref()
                .is_none_or(|r| record.rules.iter().any(|x| &x.id == r))
            && is(&self.session, record.session.as_ref())
            && self.since.is_none_or(|t| record.started_at >= t)
            && self.until.is_none_or(|t| record.started_at < t)
            && self.text.as_ref().is_none_or(|t| {
                record.request.as_ref().is_some_and(|r| r.contains(t.as_str()))
                    || record.response.as_ref().is_some_and(|r| r.contains(t.as_str()))
            })
    }
}

/// A place in a list of exchanges that is ordered by start, then id, newest first. Its text is
/// [`ExchangeFilter::cursor`]; store authors use it, callers need not look inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the last exchange of the page began.
    pub started_at: Timestamp,
    /// Its id.
    pub id: ExchangeId,
}

impl Cursor {
    /// The place of `record`.
    pub const fn of(record: &ExchangeRecord) -> Self {
        Self {
            started_at: record.started_at,
            id: record.id,
        }
    }

    /// The place that `filter` names, if any.
    pub fn from_filter(filter: &ExchangeFilter) -> Result<Option<Self>, ReadError> {
        filter.cursor.as_deref().map(str::parse).transpose()
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.started_at.as_millis(), self.id)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ReadError;

    fn from_str(text: &str) -> Result<Self, ReadError> {
        let bad = || ReadError::BadArgument("cursor");
        let (millis, id) = text.split_once('_').ok_or_else(bad)?;
        let started_at = Timestamp::from_millis(millis.parse().map_err(|_| bad())?);
        Ok(Self {
            started_at,
            id: id.parse().map_err(|_| bad())?,
        })
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Hand it to the next call; `None` on the last page.
    pub next_cursor: Option<String>,
}

impl Page<ExchangeRecord> {
    /// The first `size` of `items`, with a cursor when there are more. For stores: read one more than the page holds.
    pub fn cut(mut items: Vec<ExchangeRecord>, size: usize) -> Self {
        let more = items.len() > size;
        items.truncate(size);
        let next_cursor = items
            .last()
            .filter(|_| more)
            .map(|last| Cursor::of(last).to_string());
        Self { items, next_cursor }
    }
}

/// Why the record could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// No such exchange.
    #[error("no such exchange")]
    NotFound,
    /// The cursor or another argument is not usable.
    #[error("bad argument: {0}")]
    BadArgument(&'static str),
    /// The store failed.
    #[error("the audit store cannot be read")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Reads the record: what `audit list|show|replay` and the admin API stand on.
///
/// # If this fails
/// Auditors get an error; no exchange is affected.
#[async_trait]
pub trait AuditReader: std::fmt::Debug + Send + Sync + 'static {
    /// Exchanges that fulfil `filter`, newest first, without `request` and `response`.
    async fn list(&self, filter: &ExchangeFilter) -> Result<Page<ExchangeRecord>, ReadError>;

    /// All events of one exchange in order, approval steps among them.
    async fn events(&self, exchange: ExchangeId) -> Result<Vec<AuditEvent>, ReadError>;
}
