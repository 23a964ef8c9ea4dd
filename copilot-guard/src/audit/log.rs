//! Events in memory, by exchange: behind the memory store, and behind the reader of JSON lines.

use std::collections::{HashMap, HashSet};

use super::{AuditEvent, Cursor, ExchangeFilter, ExchangeRecord, Page, ReadError};
use crate::id::ExchangeId;

#[derive(Debug, Default)]
pub(crate) struct EventLog {
    ids: HashSet<String>,
    exchanges: HashMap<ExchangeId, Vec<AuditEvent>>,
}

impl EventLog {
    /// Adds an event, unless it is there already. A second last event of an exchange is dropped: the first one counts.
    pub(crate) fn push(&mut self, event: AuditEvent) {
        let events = self.exchanges.entry(event.exchange).or_default();
        if self.ids.contains(&event.id) {
            return;
        }
        if event.kind.is_final() && events.iter().any(|e| e.kind.is_final()) {
            tracing::warn!(exchange = %event.exchange, "a second closing event was dropped");
            return;
        }
        self.ids.insert(event.id.clone());
        events.push(event);
    }

    pub(crate) fn events(&self, exchange: ExchangeId) -> Result<Vec<AuditEvent>, ReadError> {
        self.exchanges.get(&exchange).cloned().ok_or(ReadError::NotFound)
    }

    pub(crate) fn list(&self, filter: &ExchangeFilter) -> Result<Page<ExchangeRecord>, ReadError> {
        let cursor = Cursor::from_filter(filter)?;
        let mut records: Vec<_> = self
            .exchanges
            .values()
            .filter_map(|events| ExchangeRecord::from_events(events))
            .filter(|record| cursor.is_none_or(|c| Cursor::of(record) < c) && filter.matches(record))
            .map(ExchangeRecord::without_content)
            .collect();
        records.sort_by_key(|record| std::cmp::Reverse(Cursor::of(record)));
        Ok(Page::cut(records, filter.page_size()))
    }
}
