//! Clients of databases, and the SQL that they are given.

use super::argv::{Call, Outcome};
use super::flow::Flow;
use super::opts::Options;
use super::words::{Note, Word};
use super::{code, paths};

/// Judges a client of a database.
pub(super) fn judge(call: &Call<'_>, out: &mut Outcome) {
    let args = call.args;
    match call.name {
        "dropdb" => out.judgement.block("destructive/database", "drops a database"),
        "pg_dump" | "pg_dumpall" | "mysqldump" | "mongodump" => {
            out.judgement
                .approve("exfiltration/dump", "takes a copy of a database");
            out.out.add(Flow::SECRET | Flow::DATA);
        }
        "redis-cli" => {
            let upper = super::wrappers::joined(args).to_uppercase();
            if [
                "FLUSHALL",
                "FLUSHDB",
                "SHUTDOWN",
                "CONFIG SET",
                "SLAVEOF",
                "REPLICAOF",
                "MODULE LOAD",
                "DEBUG",
            ]
            .iter()
            .any(|word| upper.contains(word))
            {
                out.judgement
                    .block("destructive/database", "empties or changes a database");
            } else if upper.contains("EVAL") || upper.contains("DEL ") {
                out.judgement
                    .approve("destructive/database", "changes a database");
            }
            let options = Options::read(args, "hpasunrid", &["user", "pass"]);
            let hosts = options.values(&["h", "u"]);
            if hosts
                .iter()
                .any(|host| !host.text.starts_with('/') && super::hosts::is_foreign(call.cx, host))
            {
                if call.stdin.is_empty() {
                    out.judgement
                        .approve("exfiltration/connection", "a database on a host that is not ours");
                } else {
                    out.judgement
                        .block("exfiltration/connection", "sends data to a host that is not ours");
                }
            }
        }
        _ => {
            let options = Options::read(
                args,
                if call.name == "sqlite3" {
                    ""
                } else {
                    "cefvhUdpPuDSQqiL"
                },
                &[
                    "command",
                    "execute",
                    "file",
                    "eval",
                    "host",
                    "user",
                    "username",
                    "dbname",
                    "database",
                    "port",
                    "query",
                    "init-command",
                    "pager",
                    "tee",
                ],
            );
            let mut texts: Vec<&Word> = options.values(&[
                "c",
                "e",
                "command",
                "execute",
                "eval",
                "Q",
                "q",
                "query",
                "init-command",
            ]);
            if call.name == "sqlite3" {
                texts.extend(options.operands.iter().skip(1).copied());
                texts.extend(args.iter().skip_while(|arg| arg.text != "-cmd").skip(1).take(1));
            }
            if call.name == "mysql" && args.iter().any(|arg| arg.text == "drop") {
                out.judgement.block("destructive/database", "drops a database");
            }
            if let Some(file) = options.operands.first().filter(|_| call.name == "sqlite3") {
                let bits = super::paths::read(&mut out.judgement, call.world.folder, file);
                out.out.add(bits);
            }
            for text in texts {
                sql(call, &text.text, out);
            }
            if let Some(text) = call.stdin.text.as_deref() {
                sql(call, text, out);
            }
            for file in options.operands.iter().filter(|_| call.name == "sqlite3").take(1) {
                let bits = paths::read(&mut out.judgement, call.world.folder, file);
                out.out.add(bits);
            }
            for value in options.values(&["pager"]) {
                super::wrappers::option_script(call, value, out);
            }
            let foreign = options.values(&["h", "host"]).into_iter().chain(
                options
                    .operands
                    .iter()
                    .copied()
                    .filter(|word| word.text.contains("://")),
            );
            if foreign.into_iter().any(|host| {
                !host.text.is_empty()
                    && !host.text.starts_with('/')
                    && super::hosts::is_foreign(call.cx, host)
            }) {
                out.judgement
                    .approve("exfiltration/connection", "a database on a host that is not ours");
            }
            out.out.add(Flow::DATA);
        }
    }
}

/// Judges SQL, and what its clients run beside it.
fn sql(call: &Call<'_>, text: &str, out: &mut Outcome) {
    let whole = text.to_uppercase();
    // What stands in quotes is data, unless something runs it.
    let runs_text = ["EXEC", "PREPARE", "DBLINK", "QUERY_TO_XML", "$$", "EVAL"]
        .iter()
        .any(|word| whole.contains(word));
    let is_sql = matches!(
        call.name,
        "psql" | "mysql" | "sqlite3" | "duckdb" | "sqlcmd" | "clickhouse-client"
    );
    let upper = if is_sql && !runs_text {
        without_texts(&whole)
    } else {
        whole.clone()
    };
    let words: Vec<&str> = upper
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let pair = |first: &str, second: &[&str]| {
        words
            .windows(2)
            .any(|w| matches!(w, [a, b] if *a == first && second.contains(b)))
    };
    if pair(
        "DROP",
        &[
            "DATABASE",
            "TABLE",
            "SCHEMA",
            "USER",
            "ROLE",
            "TABLESPACE",
            "OWNED",
        ],
    ) || words.contains(&"TRUNCATE")
        || upper.contains("DROPDATABASE")
        || upper.contains("DBDROP")
    {
        out.judgement
            .block("destructive/database", "drops or empties tables");
    }
    let is_unbounded = (words.contains(&"DELETE") && pair("DELETE", &["FROM"])
        || words.first() == Some(&"UPDATE"))
        && !words.contains(&"WHERE");
    if is_unbounded || upper.contains("DELETEMANY({})") || upper.contains(".DROP()") {
        out.judgement
            .block("destructive/database", "changes every row of a table");
    } else if pair("GRANT", &["ALL"])
        || pair("ALTER", &["USER", "ROLE"])
        || pair("CREATE", &["USER", "ROLE"])
        || words.contains(&"SUPERUSER")
    {
        out.judgement
            .approve("privilege/database", "changes rights of a database");
    }
    let runs = [
        "\\!",
        "PROGRAM",
        ".SHELL",
        ".SYSTEM",
        "XP_CMDSHELL",
        "SYS_EXEC",
        "INTO OUTFILE",
        "LOAD_FILE",
        "PG_READ_FILE",
        "SYSTEM ",
        "LO_EXPORT",
        "LOAD_EXTENSION",
        ".LOAD",
        "LOAD DATA",
        "INTO DUMPFILE",
        "DBLINK",
        "\\COPY",
        "\\O ",
        ".OUTPUT",
        ".ONCE",
    ];
    if runs.iter().any(|word| whole.contains(word)) {
        out.judgement.merge(code::judge(call.cx, "sql", text));
    }
}

/// SQL with nothing between its single quotes. One that does not end takes nothing away.
fn without_texts(text: &str) -> String {
    let mut parts: Vec<&str> = text.split('\'').collect();
    if parts.len().is_multiple_of(2)
        || text.contains(['\\', '"', '`'])
        || text.contains("--")
        || text.contains("/*")
    {
        return text.to_owned();
    }
    for (at, part) in parts.iter_mut().enumerate() {
        if at % 2 == 1 {
            *part = "";
        }
    }
    parts.join("''")
}
