//! The tables, and how connections are opened.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::failure::Failure;

/// "CPGD": tells our files from other people's.
const APPLICATION_ID: i32 = 0x4350_4744;
const VERSION: i32 = 2;

/// `events` is the record; `exchanges` and its two lists of names are derived from it in the same transaction, so that
/// lists need not read it.
const SCHEMA: &str = "
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  exchange TEXT NOT NULL,
  at INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_exchange ON events (exchange, seq);
CREATE TRIGGER events_are_final BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events do not change'); END;

CREATE TABLE exchanges (
  id TEXT PRIMARY KEY,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  subject TEXT NOT NULL,
  model TEXT NOT NULL,
  decision TEXT NOT NULL,
  outcome TEXT,
  session TEXT,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX exchanges_by_time ON exchanges (started_at, id);
CREATE INDEX exchanges_by_subject ON exchanges (subject, started_at, id);
CREATE INDEX exchanges_by_session ON exchanges (session, started_at, id) WHERE session IS NOT NULL;
CREATE INDEX exchanges_open ON exchanges (id) WHERE ended_at IS NULL;
CREATE TABLE exchange_groups (
  name TEXT NOT NULL,
  exchange TEXT NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
  PRIMARY KEY (exchange, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE exchange_rules (
  name TEXT NOT NULL,
  exchange TEXT NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
  PRIMARY KEY (exchange, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE approvals (
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,
  digest TEXT NOT NULL,
  state TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX approvals_of_request ON approvals (person, digest, opened_at, id);
CREATE INDEX approvals_by_time ON approvals (opened_at, id);
CREATE INDEX approvals_by_state ON approvals (state, opened_at, id);
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  json TEXT NOT NULL
) STRICT;
";

/// What version 2 brought: device grants, by the hash of what the laptop keeps, and revocations.
const ACCESS: &str = "
CREATE TABLE grants (
  hash TEXT PRIMARY KEY,
  person TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_of_person ON grants (person, created_at);
CREATE INDEX grants_by_end ON grants (expires_at);
CREATE TABLE revocations (
  seq INTEGER PRIMARY KEY,
  ends_at INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT;
CREATE INDEX revocations_by_end ON revocations (ends_at);
";

/// Makes the file before SQLite does, readable by its owner only; SQLite gives its side files the same mode.
pub(crate) fn create_private(path: &Path) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    drop(file);
    Ok(())
}

pub(crate) fn open_writer(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Failure::message(
            "the file system does not support write-ahead logging",
        ));
    }
    // Temporary pages hold content of the record too: not into files outside of the folder.
    connection.execute_batch(
        "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(&connection)?;
    Ok(connection)
}

pub(crate) fn open_reader(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
    connection.set_prepared_statement_cache_capacity(32);
    let (application, version) = stamp(&connection)?;
    if application != APPLICATION_ID || version != VERSION {
        return Err(Failure::message(
            "not a copilot-guard database of this version; a gateway that opens one of an older version brings it up",
        ));
    }
    Ok(connection)
}

fn stamp(connection: &Connection) -> Result<(i32, i32), Failure> {
    let application = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok((application, version))
}

/// Brings the file to this version, in one transaction: two processes may start at once.
fn migrate(connection: &Connection) -> Result<(), Failure> {
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    match stamp(&transaction)? {
        (APPLICATION_ID, VERSION) => {}
        (APPLICATION_ID, 1) => {
            transaction.execute_batch(ACCESS)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        (APPLICATION_ID, _) => return Err(Failure::message("the database is of a newer version")),
        (0, 0) => {
            let tables: i64 =
                transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables > 0 {
                return Err(Failure::message("the file is another program's database"));
            }
            transaction.execute_batch(SCHEMA)?;
            transaction.execute_batch(ACCESS)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        _ => return Err(Failure::message("the file is another program's database")),
    }
    transaction.commit()?;
    Ok(())
}
