//! The approvals' half of the store: each change is read, decided and written in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use copilot_guard::approval::{
    Approval, ApprovalStore, Claim, ClaimError, Joined, ListFilter, StoreError, Vote, VoteError,
};
use copilot_guard::audit::AuditEvent;
use copilot_guard::clock::Timestamp;
use copilot_guard::id::{ApprovalId, ExchangeId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use crate::SqliteStore;
use crate::audit::insert;
use crate::failure::{Failure, unreadable};

/// How soon a vote is seen that another process counted.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

fn failed(failure: Failure) -> StoreError {
    StoreError::new("sqlite", failure)
}

impl SqliteStore {
    async fn change<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        self.writer()
            .map_err(failed)?
            .run(true, work)
            .await
            .map_err(failed)
    }
}

#[async_trait]
impl ApprovalStore for SqliteStore {
    async fn open(&self, proposal: Approval, by: ExchangeId, now: Timestamp) -> Result<Joined, StoreError> {
        let outbox = self.outbox;
        self.change(move |connection| {
            if let Some(same) = find(connection, proposal.id)? {
                // The same call again, after an answer that got lost.
                return Ok(Joined {
                    approval: same,
                    joined: false,
                });
            }
            let same = of_request(connection, &proposal)?
                .into_iter()
                .find(|a| a.can_join(&proposal, now));
            let older = match same {
                Some(same) => Some(same),
                None => pending_of(connection, &proposal.requester.person)?
                    .into_iter()
                    .find(|a| a.can_widen(&proposal, now)),
            };
            let ((approval, step), joined) = match older {
                Some(older) => (older.join(by, &proposal), true),
                None => (proposal.opened(), false),
            };
            let events = [approval.event(now, step)];
            save(connection, &approval, &events, outbox)?;
            Ok(Joined { approval, joined })
        })
        .await
    }

    async fn vote(&self, id: ApprovalId, vote: Vote) -> Result<Approval, VoteError> {
        let outbox = self.outbox;
        self.change(move |connection| {
            let Some(approval) = find(connection, id)? else {
                return Ok(Err(VoteError::NotFound));
            };
            let change = approval.on_vote(vote);
            save(connection, &change.approval, &change.events, outbox)?;
            Ok(change.refused.map_or(Ok(change.approval), Err))
        })
        .await?
    }

    async fn claim(&self, id: ApprovalId, claim: &Claim) -> Result<Approval, ClaimError> {
        let (outbox, claim) = (self.outbox, claim.clone());
        self.change(move |connection| {
            let Some(approval) = find(connection, id)? else {
                return Ok(Err(ClaimError::NotFound));
            };
            let change = approval.on_claim(&claim);
            save(connection, &change.approval, &change.events, outbox)?;
            Ok(change.refused.map_or(Ok(change.approval), Err))
        })
        .await?
    }

    async fn get(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        self.inner
            .readers
            .read(move |connection| find(connection, id))
            .await
            .map_err(failed)
    }

    async fn list(&self, filter: &ListFilter) -> Result<Vec<Approval>, StoreError> {
        let mut sql = "SELECT json FROM approvals WHERE 1".to_owned();
        let mut values = Vec::new();
        if let Some(state) = filter.state {
            sql.push_str(" AND state = ?");
            values.push(Value::Text(state.as_str().to_owned()));
        }
        if let Some(person) = &filter.person {
            sql.push_str(" AND person = ?");
            values.push(Value::Text(person.clone()));
        }
        sql.push_str(" ORDER BY opened_at DESC, id DESC LIMIT ?");
        values.push(Value::Integer(
            i64::try_from(filter.limit.unwrap_or(100)).unwrap_or(i64::MAX),
        ));
        self.inner
            .readers
            .read(move |connection| approvals(connection, &sql, values))
            .await
            .map_err(failed)
    }

    async fn expire(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        let outbox = self.outbox;
        let sql = "SELECT json FROM approvals WHERE state IN ('pending', 'approved') AND expires_at <= ?";
        let due = vec![Value::Integer(now.as_millis())];
        // Looked for without the writer first: mostly nothing is due, and then nothing is written.
        let look = due.clone();
        let nothing = self
            .inner
            .readers
            .read(move |connection| Ok(approvals(connection, sql, look)?.is_empty()));
        if nothing.await.map_err(failed)? {
            return Ok(Vec::new());
        }
        self.change(move |connection| {
            let mut ended = Vec::new();
            for (approval, step) in approvals(connection, sql, due)?
                .iter()
                .filter_map(|a| a.expire(now))
            {
                let events = [approval.event(now, step)];
                save(connection, &approval, &events, outbox)?;
                ended.push(approval);
            }
            Ok(ended)
        })
        .await
    }

    async fn changed(&self, id: ApprovalId, seen: u64) -> Result<Approval, StoreError> {
        // Subscribed before the look, so that no change falls between the two.
        let mut changes = self.inner.changes.subscribe();
        loop {
            let approval = self
                .get(id)
                .await?
                .ok_or_else(|| StoreError::message("no such approval"))?;
            if approval.revision > seen {
                return Ok(approval);
            }
            // A timeout is no error: it is how changes by other processes are noticed.
            let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
        }
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<AuditEvent>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let work = move |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT json FROM outbox ORDER BY seq LIMIT ?1")?;
            let rows = statement.query_map([limit], |row| row.get::<_, String>(0))?;
            rows.map(|json| serde_json::from_str(&json?).map_err(unreadable))
                .collect()
        };
        self.inner.readers.read(work).await.map_err(failed)
    }

    async fn outbox_done(&self, ids: &[String]) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        let work = move |connection: &Connection| {
            let mut statement = connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?;
            ids.iter().try_for_each(|id| statement.execute([id]).map(drop))
        };
        self.writer()
            .map_err(failed)?
            .run(false, work)
            .await
            .map_err(failed)
    }
}

fn save(
    connection: &Connection,
    approval: &Approval,
    events: &[AuditEvent],
    outbox: bool,
) -> Result<(), rusqlite::Error> {
    if events.is_empty() {
        return Ok(());
    }
    let json = serde_json::to_string(approval).map_err(unreadable)?;
    connection
        .prepare_cached(
            "INSERT INTO approvals (id, person, digest, state, opened_at, expires_at, revision, json)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET state = ?4, revision = ?7, json = ?8",
        )?
        .execute(params![
            approval.id.to_string(),
            approval.requester.person,
            approval.digest.as_str(),
            approval.state.as_str(),
            approval.opened_at.as_millis(),
            approval.expires_at.as_millis(),
            i64::try_from(approval.revision).unwrap_or(i64::MAX),
            json,
        ])?;
    for event in events {
        let json = serde_json::to_string(event).map_err(unreadable)?;
        if outbox {
            connection
                .prepare_cached("INSERT INTO outbox (id, json) VALUES (?1, ?2)")?
                .execute(params![event.id, json])?;
        } else {
            insert(connection, event, &json)?;
        }
    }
    Ok(())
}

fn find(connection: &Connection, id: ApprovalId) -> Result<Option<Approval>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT json FROM approvals WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get::<_, String>(0))
        .optional()?
        .map(|json| serde_json::from_str(&json).map_err(unreadable))
        .transpose()
}

/// Approvals of the same person and digest, newest first.
fn of_request(connection: &Connection, proposal: &Approval) -> Result<Vec<Approval>, rusqlite::Error> {
    let sql = "SELECT json FROM approvals WHERE person = ? AND digest = ? ORDER BY opened_at DESC, id DESC LIMIT 20";
    let person = Value::Text(proposal.requester.person.clone());
    approvals(
        connection,
        sql,
        vec![person, Value::Text(proposal.digest.to_string())],
    )
}

fn pending_of(connection: &Connection, person: &str) -> Result<Vec<Approval>, rusqlite::Error> {
    let sql = "SELECT json FROM approvals WHERE person = ? AND state = 'pending' ORDER BY opened_at DESC, id DESC LIMIT 20";
    approvals(connection, sql, vec![Value::Text(person.to_owned())])
}

fn approvals(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Approval>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(0))?;
    rows.map(|json| serde_json::from_str(&json?).map_err(unreadable))
        .collect()
}
