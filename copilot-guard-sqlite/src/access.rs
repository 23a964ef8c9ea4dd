//! Device grants and revocations.

use async_trait::async_trait;
use copilot_guard::access::{AccessStore, DeviceGrant, GrantHash, Revocation, StoreError};
use copilot_guard::clock::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::de::DeserializeOwned;

use crate::SqliteStore;
use crate::failure::{Failure, unreadable};

/// Most grants that are listed.
const MOST: i64 = 1000;

fn failed(failure: Failure) -> StoreError {
    StoreError::new("sqlite", failure)
}

#[async_trait]
impl AccessStore for SqliteStore {
    async fn put_grant(&self, grant: &DeviceGrant) -> Result<(), StoreError> {
        let grant = grant.clone();
        self.write(move |connection| {
            let json = serde_json::to_string(&grant).map_err(unreadable)?;
            // Whoever adds also tidies up: nothing else would.
            connection
                .prepare_cached("DELETE FROM grants WHERE expires_at <= ?1")?
                .execute([grant.created_at.as_millis()])?;
            connection
                .prepare_cached(
                    "INSERT INTO grants (hash, person, created_at, expires_at, json) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (hash) DO UPDATE SET json = ?5",
                )?
                .execute(params![
                    grant.hash.as_str(),
                    grant.identity.person,
                    grant.created_at.as_millis(),
                    grant.expires_at.as_millis(),
                    json,
                ])
                .map(drop)
        })
        .await
    }

    async fn find_grant(&self, hash: &GrantHash, now: Timestamp) -> Result<Option<DeviceGrant>, StoreError> {
        let (hash, now) = (hash.as_str().to_owned(), now.as_millis());
        let find = move |connection: &Connection| {
            connection
                .prepare_cached("SELECT json FROM grants WHERE hash = ?1 AND expires_at > ?2")?
                .query_row(params![hash, now], |row| row.get::<_, String>(0))
                .optional()?
                .map(|json| serde_json::from_str(&json).map_err(unreadable))
                .transpose()
        };
        self.inner.readers.read(find).await.map_err(failed)
    }

    async fn grants(&self, person: Option<&str>, now: Timestamp) -> Result<Vec<DeviceGrant>, StoreError> {
        let (person, now) = (person.map(str::to_owned), now.as_millis());
        let list = move |connection: &Connection| {
            let sql = "SELECT json FROM grants WHERE expires_at > ?1 AND (?2 IS NULL OR person = ?2)
                       ORDER BY created_at DESC, hash LIMIT ?3";
            rows(connection, sql, params![now, person, MOST])
        };
        self.inner.readers.read(list).await.map_err(failed)
    }

    async fn remove_grant(&self, hash: &GrantHash) -> Result<bool, StoreError> {
        let hash = hash.as_str().to_owned();
        self.write(move |connection| {
            let removed = connection
                .prepare_cached("DELETE FROM grants WHERE hash = ?1")?
                .execute([hash])?;
            Ok(removed > 0)
        })
        .await
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let revocation = revocation.clone();
        self.write(move |connection| {
            // What had ended when the new one was made. Nobody else tidies up.
            let now = revocation.issued_until.as_millis();
            connection
                .prepare_cached("DELETE FROM revocations WHERE ends_at <= ?1")?
                .execute([now])?;
            let json = serde_json::to_string(&revocation).map_err(unreadable)?;
            connection
                .prepare_cached("INSERT INTO revocations (ends_at, json) VALUES (?1, ?2)")?
                .execute(params![revocation.ends_at.as_millis(), json])
                .map(drop)
        })
        .await
    }

    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, StoreError> {
        let now = now.as_millis();
        let list = move |connection: &Connection| {
            let sql = "SELECT json FROM revocations WHERE ends_at > ?1 ORDER BY seq";
            rows(connection, sql, params![now])
        };
        self.inner.readers.read(list).await.map_err(failed)
    }
}

impl SqliteStore {
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        self.writer()
            .map_err(failed)?
            .run(false, work)
            .await
            .map_err(failed)
    }
}

fn rows<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<T>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| row.get::<_, String>(0))?;
    rows.map(|json| serde_json::from_str(&json?).map_err(unreadable))
        .collect()
}
