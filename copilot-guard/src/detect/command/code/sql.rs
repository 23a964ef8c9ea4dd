//! Judges SQL.

use super::{Class, Danger, Judgement, finding};

type Row = (&'static [&'static str], Class, Danger, &'static str, &'static str);

/// Words that must all stand in one statement, in this order.
const ROWS: &[Row] = &[
    (
        &["xp_cmdshell"],
        Class::RemoteCode,
        Danger::Block,
        "remote-code/sql-shell",
        "runs a command on the server",
    ),
    (
        &["sp_oacreate"],
        Class::RemoteCode,
        Danger::Block,
        "remote-code/sql-shell",
        "runs code on the server",
    ),
    (
        &["copy", "program"],
        Class::RemoteCode,
        Danger::Block,
        "remote-code/sql-shell",
        "runs a command on the server",
    ),
    (
        &["sys_exec"],
        Class::RemoteCode,
        Danger::Block,
        "remote-code/sql-shell",
        "runs a command on the server",
    ),
    (
        &["load_extension"],
        Class::RemoteCode,
        Danger::Block,
        "remote-code/sql-library",
        "loads a library",
    ),
    (
        &["create", "function", "language", "c"],
        Class::RemoteCode,
        Danger::Block,
        "remote-code/sql-library",
        "loads a library",
    ),
    (
        &["create", "function", "soname"],
        Class::RemoteCode,
        Danger::Block,
        "remote-code/sql-library",
        "loads a library",
    ),
    (
        &["plpythonu"],
        Class::RemoteCode,
        Danger::Block,
        "remote-code/sql-library",
        "runs code on the server",
    ),
    (
        &["into", "outfile"],
        Class::Exfiltration,
        Danger::Block,
        "exfiltration/sql-file",
        "writes a file on the server",
    ),
    (
        &["into", "dumpfile"],
        Class::Exfiltration,
        Danger::Block,
        "exfiltration/sql-file",
        "writes a file on the server",
    ),
    (
        &["load_file"],
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/sql-file",
        "reads a file on the server",
    ),
    (
        &["load", "data", "infile"],
        Class::CredentialAccess,
        Danger::Approve,
        "credential-access/sql-file",
        "reads a file on the server",
    ),
    (
        &["pg_read_file"],
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/sql-file",
        "reads a file on the server",
    ),
    (
        &["pg_read_binary_file"],
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/sql-file",
        "reads a file on the server",
    ),
    (
        &["pg_ls_dir"],
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/sql-file",
        "reads a file on the server",
    ),
    (
        &["lo_import"],
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/sql-file",
        "reads a file on the server",
    ),
    (
        &["lo_export"],
        Class::Exfiltration,
        Danger::Block,
        "exfiltration/sql-file",
        "writes a file on the server",
    ),
    (
        &["openrowset"],
        Class::Exfiltration,
        Danger::Block,
        "exfiltration/sql-link",
        "reads or talks to another server",
    ),
    (
        &["dblink"],
        Class::Exfiltration,
        Danger::Approve,
        "exfiltration/sql-link",
        "talks to another server",
    ),
    (
        &["xp_dirtree"],
        Class::Exfiltration,
        Danger::Block,
        "exfiltration/sql-link",
        "talks to another server",
    ),
    (
        &["utl_http"],
        Class::Exfiltration,
        Danger::Block,
        "exfiltration/sql-link",
        "talks to another server",
    ),
    (
        &["attach"],
        Class::Exfiltration,
        Danger::Approve,
        "exfiltration/sql-attach",
        "opens another database file",
    ),
    (
        &["copy", "to"],
        Class::Exfiltration,
        Danger::Approve,
        "exfiltration/sql-copy",
        "writes a table out",
    ),
    (
        &["copy", "from"],
        Class::Unclear,
        Danger::Approve,
        "unclear/sql-copy",
        "reads a table in",
    ),
    (
        &["drop", "database"],
        Class::Destructive,
        Danger::Block,
        "destructive/sql",
        "deletes a database",
    ),
    (
        &["drop", "schema"],
        Class::Destructive,
        Danger::Block,
        "destructive/sql",
        "deletes a schema",
    ),
    (
        &["drop", "table"],
        Class::Destructive,
        Danger::Block,
        "destructive/sql",
        "deletes a table",
    ),
    (
        &["drop"],
        Class::Destructive,
        Danger::Approve,
        "destructive/sql-object",
        "deletes something",
    ),
    (
        &["truncate"],
        Class::Destructive,
        Danger::Block,
        "destructive/sql",
        "empties a table",
    ),
    (
        &["alter", "drop"],
        Class::Destructive,
        Danger::Approve,
        "destructive/sql-object",
        "deletes something",
    ),
    (
        &["grant"],
        Class::Privilege,
        Danger::Approve,
        "privilege/sql",
        "gives rights",
    ),
    (
        &["create", "user"],
        Class::Privilege,
        Danger::Approve,
        "privilege/sql",
        "makes an account",
    ),
    (
        &["create", "role"],
        Class::Privilege,
        Danger::Approve,
        "privilege/sql",
        "makes an account",
    ),
    (
        &["alter", "user"],
        Class::Privilege,
        Danger::Approve,
        "privilege/sql",
        "changes an account",
    ),
    (
        &["alter", "role"],
        Class::Privilege,
        Danger::Approve,
        "privilege/sql",
        "changes an account",
    ),
    (
        &["alter", "system"],
        Class::Privilege,
        Danger::Block,
        "privilege/sql",
        "changes the server",
    ),
    (
        &["pg_shadow"],
        Class::CredentialAccess,
        Danger::Block,
        "credential-access/sql",
        "reads accounts of the server",
    ),
    (
        &["mysql", "user"],
        Class::CredentialAccess,
        Danger::Approve,
        "credential-access/sql",
        "reads accounts of the server",
    ),
    (
        &["shutdown"],
        Class::Destructive,
        Danger::Block,
        "destructive/sql",
        "stops the server",
    ),
    (
        &["execute", "immediate"],
        Class::Unclear,
        Danger::Approve,
        "unclear/sql",
        "runs text as a statement",
    ),
    (
        &["sp_executesql"],
        Class::Unclear,
        Danger::Approve,
        "unclear/sql",
        "runs text as a statement",
    ),
];

/// Judges statements.
pub(super) fn judge(text: &str) -> Judgement {
    let mut judgement = Judgement::default();
    for statement in statements(text) {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        if first.starts_with(['\\', '.']) {
            // Commands of the client: `.tables` and `\d` show; `.shell` and `\!` run.
            let is_bad = [
                "\\!", ".shell", ".system", ".load", ".import", ".output", ".once", ".dump", "\\copy", "\\o",
                ".backup", ".excel",
            ]
            .contains(first);
            let danger = if matches!(*first, "\\!" | ".shell" | ".system" | ".load") {
                Danger::Block
            } else if is_bad {
                Danger::Approve
            } else {
                Danger::Allow
            };
            if danger > Danger::Allow {
                judgement.add(finding(
                    "remote-code/sql-client",
                    Class::RemoteCode,
                    danger,
                    "a command of the client",
                ));
            }
            continue;
        }
        let is_query = matches!(
            *first,
            "select" | "with" | "explain" | "show" | "describe" | "desc" | "pragma" | "values" | "insert"
        );
        for (row, class, danger, rule, reason) in ROWS {
            // What begins a statement counts there only; names of functions count anywhere.
            let starts = matches!(
                row.first(),
                Some(
                    &("drop"
                        | "truncate"
                        | "alter"
                        | "grant"
                        | "create"
                        | "attach"
                        | "copy"
                        | "shutdown"
                        | "load"
                        | "execute")
                )
            );
            if starts && (is_query || !matches!(row.first(), Some(r) if r == first)) {
                continue;
            }
            let mut rest = words.iter();
            if row.iter().all(|w| rest.any(|word| word == w)) {
                judgement.add(finding(rule, *class, *danger, reason));
            }
        }
        let has = |word: &str| words.contains(&word);
        let deletes = *first == "delete" || (*first == "with" && has("delete"));
        let updates = *first == "update" || (*first == "with" && has("update") && has("set"));
        if (deletes || updates) && !has("where") {
            judgement.add(finding(
                "destructive/sql",
                Class::Destructive,
                Danger::Block,
                "changes all rows of a table",
            ));
        } else if deletes || updates {
            let at = words.iter().position(|w| *w == "where").unwrap_or(0);
            let condition: Vec<&str> = words.iter().skip(at + 1).copied().collect();
            if matches!(condition.as_slice(), ["1", "=", "1"] | ["true"] | ["1"]) {
                judgement.add(finding(
                    "destructive/sql",
                    Class::Destructive,
                    Danger::Block,
                    "changes all rows of a table",
                ));
            }
        }
        if matches!(*first, "exec" | "call" | "do" | "begin" | "declare" | "execute") {
            judgement.add(finding(
                "unclear/sql",
                Class::Unclear,
                Danger::Approve,
                "runs what cannot be told",
            ));
        }
    }
    judgement
}

/// The statements without comments and without what their strings say, in lower case, with blanks around signs.
fn statements(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut statement = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                while let Some(n) = chars.next() {
                    match n {
                        '\\' => {
                            chars.next();
                        }
                        '\'' if chars.next_if_eq(&'\'').is_none() => break,
                        _ => {}
                    }
                }
                statement.push_str(" ? ");
            }
            // MySQL runs what stands in `/*! … */`.
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                if chars.next_if_eq(&'!').is_some() {
                    while chars.next_if(char::is_ascii_digit).is_some() {}
                    statement.push(' ');
                    continue;
                }
                let mut before = ' ';
                for n in chars.by_ref() {
                    if before == '*' && n == '/' {
                        break;
                    }
                    before = n;
                }
                statement.push(' ');
            }
            '*' if chars.peek() == Some(&'/') => {
                chars.next();
            }
            '-' if chars.peek() == Some(&'-') => while chars.next_if(|n| *n != '\n').is_some() {},
            ';' => out.push(std::mem::take(&mut statement)),
            '"' | '`' | '[' | ']' => statement.push(' '),
            '(' | ')' | ',' | '=' | '<' | '>' => {
                statement.push(' ');
                statement.push(c);
                statement.push(' ');
            }
            '.' if !statement.trim().is_empty() => statement.push(' '),
            c => statement.extend(c.to_lowercase()),
        }
    }
    out.push(statement);
    out
}
