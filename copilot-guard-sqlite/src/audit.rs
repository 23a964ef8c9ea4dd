//! The record's half of the store.

use async_trait::async_trait;
use copilot_guard::audit::{
    AuditError, AuditEvent, AuditReader, AuditSink, Cursor, Durable, EventKind, ExchangeFilter,
    ExchangeRecord, Page, ReadError,
};
use copilot_guard::id::ExchangeId;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use crate::SqliteStore;
use crate::failure::{Failure, unreadable};

#[async_trait]
impl AuditSink for SqliteStore {
    async fn append(&self, events: &[AuditEvent]) -> Result<Durable, AuditError> {
        let failed = |e| AuditError::new("the events were not stored", e);
        // Serialised here, on the caller's thread: the writer's time is what everybody waits for.
        let rows: Result<Vec<_>, _> = events
            .iter()
            .map(|event| serde_json::to_string(event).map(|json| (event.clone(), json)))
            .collect();
        let rows = rows.map_err(|e| AuditError::new("an event cannot be serialised", e))?;
        let work = move |connection: &Connection| {
            rows.iter()
                .try_for_each(|(event, json)| insert(connection, event, json))
        };
        self.writer()
            .map_err(failed)?
            .run(false, work)
            .await
            .map_err(failed)?;
        Ok(Durable::acknowledged())
    }
}

#[async_trait]
impl AuditReader for SqliteStore {
    async fn list(&self, filter: &ExchangeFilter) -> Result<Page<ExchangeRecord>, ReadError> {
        let (filter, mut cursor) = (filter.clone(), Cursor::from_filter(filter)?);
        let work = move |connection: &Connection| {
            let size = filter.page_size();
            let mut found = Vec::new();
            loop {
                let batch = select(connection, &filter, cursor, size + 1)?;
                let last = batch.last().map(Cursor::of);
                let more = batch.len() > size;
                for record in batch {
                    if filter.text.is_none() || has_text(connection, &filter, &record)? {
                        found.push(record);
                    }
                }
                // Only a text is searched for outside of SQL, so only then one batch may not fill the page.
                if !more || found.len() > size {
                    return Ok(Page::cut(found, size));
                }
                cursor = last;
            }
        };
        self.inner.readers.read(work).await.map_err(unread)
    }

    async fn events(&self, exchange: ExchangeId) -> Result<Vec<AuditEvent>, ReadError> {
        let id = exchange.to_string();
        let events = self
            .inner
            .readers
            .read(move |connection| events_of(connection, &id))
            .await
            .map_err(unread)?;
        if events.is_empty() {
            Err(ReadError::NotFound)
        } else {
            Ok(events)
        }
    }
}

fn unread(failure: Failure) -> ReadError {
    ReadError::Store(Box::new(failure))
}

// === Writing ===

/// Adds an event, unless it is there already, and folds it into its exchange. A second last event of an exchange is
/// dropped: the first one counts.
pub(crate) fn insert(connection: &Connection, event: &AuditEvent, json: &str) -> Result<(), rusqlite::Error> {
    let exchange = event.exchange.to_string();
    let ended: Option<bool> = connection
        .prepare_cached("SELECT ended_at IS NOT NULL FROM exchanges WHERE id = ?1")?
        .query_row([&exchange], |row| row.get(0))
        .optional()?;
    if ended == Some(true) && event.kind.is_final() {
        let repeated = connection
            .prepare_cached("SELECT 1 FROM events WHERE id = ?1")?
            .exists([&event.id])?;
        if !repeated {
            tracing::warn!(exchange, "a second closing event was dropped");
        }
        return Ok(());
    }
    let added = connection
        .prepare_cached(
            "INSERT INTO events (id, exchange, at, json) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![event.id, exchange, event.at.as_millis(), json])?;
    // Delivered text is not part of the row, and there is much of it.
    let unchanged = ended.is_some() && matches!(event.kind, EventKind::Delivered { .. });
    if added == 0 || unchanged {
        return Ok(());
    }
    let mut record = match ended {
        Some(_) => record_of(connection, &exchange)?,
        None => ExchangeRecord::starting_with(event),
    };
    record.apply(event);
    put_record(connection, &exchange, &record.without_content())
}

fn record_of(connection: &Connection, exchange: &str) -> Result<ExchangeRecord, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT record FROM exchanges WHERE id = ?1")?;
    let json: String = statement.query_row([exchange], |row| row.get(0))?;
    serde_json::from_str(&json).map_err(unreadable)
}

fn put_record(connection: &Connection, id: &str, record: &ExchangeRecord) -> Result<(), rusqlite::Error> {
    let json = serde_json::to_string(record).map_err(unreadable)?;
    connection
        .prepare_cached(
            "INSERT INTO exchanges (id, started_at, ended_at, subject, model, decision, outcome, session, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (id) DO UPDATE SET started_at = ?2, ended_at = ?3, subject = ?4, model = ?5, decision = ?6,
               outcome = ?7, session = ?8, record = ?9",
        )?
        .execute(params![
            id,
            record.started_at.as_millis(),
            record.ended_at.map(|t| t.as_millis()),
            record.subject,
            record.model,
            record.decision.as_str(),
            record.outcome.map(|o| o.as_str()),
            record.session,
            json,
        ])?;
    for group in &record.groups {
        connection
            .prepare_cached(
                "INSERT INTO exchange_groups (exchange, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![id, group])?;
    }
    for rule in &record.rules {
        connection
            .prepare_cached(
                "INSERT INTO exchange_rules (exchange, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![id, rule.id])?;
    }
    Ok(())
}

// === Reading ===

pub(crate) fn events_of(connection: &Connection, exchange: &str) -> Result<Vec<AuditEvent>, rusqlite::Error> {
    let mut statement =
        connection.prepare_cached("SELECT json FROM events WHERE exchange = ?1 ORDER BY seq")?;
    let rows = statement.query_map([exchange], |row| row.get::<_, String>(0))?;
    rows.map(|json| serde_json::from_str(&json?).map_err(unreadable))
        .collect()
}

/// The next exchanges after `cursor`, newest first, by every condition but the text.
fn select(
    connection: &Connection,
    filter: &ExchangeFilter,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<Vec<ExchangeRecord>, rusqlite::Error> {
    let mut sql = "SELECT record FROM exchanges WHERE 1".to_owned();
    let mut values: Vec<Value> = Vec::new();
    let mut add = |condition: &str, value: Value| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    let texts = [
        ("subject = ?", filter.user.as_deref()),
        ("model = ?", filter.model.as_deref()),
        ("session = ?", filter.session.as_deref()),
        ("decision = ?", filter.decision.map(|d| d.as_str())),
        ("outcome = ?", filter.outcome.map(|o| o.as_str())),
        (
            "EXISTS (SELECT 1 FROM exchange_groups WHERE exchange = id AND name = ?)",
            filter.group.as_deref(),
        ),
        (
            "EXISTS (SELECT 1 FROM exchange_rules WHERE exchange = id AND name = ?)",
            filter.rule.as_deref(),
        ),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            add(condition, Value::Text(value.to_owned()));
        }
    }
    if let Some(since) = filter.since {
        add("started_at >= ?", Value::Integer(since.as_millis()));
    }
    if let Some(until) = filter.until {
        add("started_at < ?", Value::Integer(until.as_millis()));
    }
    if let Some(cursor) = cursor {
        add(
            "(started_at, id) < (?, ",
            Value::Integer(cursor.started_at.as_millis()),
        );
        sql.push_str("?)");
        values.push(Value::Text(cursor.id.to_string()));
    }
    sql.push_str(" ORDER BY started_at DESC, id DESC LIMIT ?");
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(0))?;
    rows.map(|json| serde_json::from_str(&json?).map_err(unreadable))
        .collect()
}

fn has_text(
    connection: &Connection,
    filter: &ExchangeFilter,
    record: &ExchangeRecord,
) -> Result<bool, rusqlite::Error> {
    let events = events_of(connection, &record.id.to_string())?;
    Ok(ExchangeRecord::from_events(&events).is_some_and(|whole| filter.matches(&whole)))
}
