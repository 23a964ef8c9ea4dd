//! Statements to databases: what they destroy, run or give away.

use super::super::judgement::{Class, Danger, Finding};

/// Most statements that are looked at.
const MAX_STATEMENTS: usize = 512;

/// Whether the text begins as a statement that changes something.
pub(super) fn is_statement(text: &str) -> bool {
    let words = words(text);
    let has = |at: usize, any: &[&str]| words.get(at).is_some_and(|w| any.contains(&w.as_str()));
    has(0, &["drop", "truncate"])
        && has(
            1,
            &["table", "database", "schema", "view", "index", "user", "role"],
        )
        || has(0, &["delete"]) && has(1, &["from"])
        || has(0, &["copy"]) && words.iter().any(|w| w == "program")
        || has(0, &["grant", "revoke"])
            && words.iter().any(|w| w == "to" || w == "from")
            && words.iter().any(|w| w == "on")
}

/// The findings of all statements in the text.
pub(super) fn judge(text: &str) -> Vec<Finding> {
    let words = words(text);
    let mut findings = Vec::new();
    let mut count = 0;
    for statement in words.split(|w| w == ";") {
        count += 1;
        if count > MAX_STATEMENTS {
            findings.push(Finding::new(
                "unclear/too-many-statements",
                Class::Unclear,
                Danger::Block,
                "too many statements to be judged",
            ));
            break;
        }
        findings.extend(one(statement));
    }
    findings
}

fn one(statement: &[String]) -> Option<Finding> {
    let word = |at: usize| statement.get(at).map(String::as_str).unwrap_or_default();
    let has = |w: &str| statement.iter().any(|s| s == w);
    let found = |rule, class, danger, why: &str| Some(Finding::new(rule, class, danger, why));
    const RUNS: [&str; 8] = [
        "xp_cmdshell",
        "sp_oacreate",
        "sys_exec",
        "sys_eval",
        "lo_export",
        "load_extension",
        "pg_execute_server_program",
        "dbms_scheduler",
    ];
    const READS: [&str; 8] = [
        "load_file",
        "pg_read_file",
        "pg_read_binary_file",
        "lo_import",
        "pg_ls_dir",
        "readfile",
        "openrowset",
        "utl_file",
    ];
    const SECRETS: [&str; 5] = [
        "pg_shadow",
        "pg_authid",
        "pg_user_mapping",
        "sys.sql_logins",
        "mysql.user",
    ];
    if statement.iter().any(|w| RUNS.contains(&w.as_str())) || word(0) == "copy" && has("program") {
        return found(
            "remote-code/database-program",
            Class::RemoteCode,
            Danger::Block,
            "runs a program on the database's machine",
        );
    }
    if has("outfile")
        || has("dumpfile")
        || statement.iter().any(|w| READS.contains(&w.as_str()))
        || has("dblink")
        || has("dblink_connect")
        || has("utl_http")
    {
        return found(
            "exfiltration/database-files",
            Class::Exfiltration,
            Danger::Block,
            "reads or writes files, or connects, from within a database",
        );
    }
    if statement.iter().any(|w| SECRETS.contains(&w.as_str())) {
        return found(
            "credential-access/database-accounts",
            Class::CredentialAccess,
            Danger::Block,
            "reads the accounts of a database",
        );
    }
    // What stands behind a `with` is one statement; its words tell.
    let is_unbound = |verb: &str| {
        statement
            .iter()
            .position(|w| w == verb)
            .is_some_and(|at| !statement.iter().skip(at).any(|w| w == "where"))
    };
    match word(0) {
        "drop" if matches!(word(1), "index" | "trigger" | "constraint") => found(
            "destructive/drop-part",
            Class::Destructive,
            Danger::Approve,
            "drops a part of a schema",
        ),
        "drop" => found(
            "destructive/drop",
            Class::Destructive,
            Danger::Block,
            "drops tables, schemas or databases",
        ),
        "truncate" => found(
            "destructive/truncate",
            Class::Destructive,
            Danger::Block,
            "empties a table",
        ),
        "delete" | "with" if is_unbound("delete") => found(
            "destructive/delete-all",
            Class::Destructive,
            Danger::Block,
            "deletes all rows of a table",
        ),
        "update" if !has("where") => found(
            "destructive/update-all",
            Class::Destructive,
            Danger::Approve,
            "changes all rows of a table",
        ),
        "alter" if has("drop") => found(
            "destructive/alter-drop",
            Class::Destructive,
            Danger::Approve,
            "drops a part of a table",
        ),
        "alter" | "create" if matches!(word(1), "user" | "role" | "login" | "system") => found(
            "privilege/database-account",
            Class::Privilege,
            Danger::Approve,
            "makes or changes an account of a database",
        ),
        "grant" => found(
            "privilege/database-grant",
            Class::Privilege,
            Danger::Approve,
            "gives rights on a database",
        ),
        "attach" => found(
            "exfiltration/attach",
            Class::Exfiltration,
            Danger::Approve,
            "opens another database file",
        ),
        "exec" | "execute" | "prepare" | "do" if has("immediate") || word(1) == "(" || word(0) == "do" => {
            found(
                "unclear/dynamic-statement",
                Class::Unclear,
                Danger::Approve,
                "runs a statement that cannot be told",
            )
        }
        _ => None,
    }
}

/// Words in lower case, and `;`. Comments and texts are left out, but for the versions of MySQL that run comments.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars().peekable();
    let flush = |word: &mut String, words: &mut Vec<String>| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        match (c, next) {
            ('-', Some('-')) => {
                flush(&mut word, &mut words);
                while chars.next().is_some_and(|c| c != '\n') {}
            }
            ('/', Some('*')) => {
                flush(&mut word, &mut words);
                chars.next();
                if chars.peek() != Some(&'!') {
                    let mut last = ' ';
                    for c in chars.by_ref() {
                        if last == '*' && c == '/' {
                            break;
                        }
                        last = c;
                    }
                }
            }
            ('\'', _) => {
                flush(&mut word, &mut words);
                while chars.next().is_some_and(|c| c != '\'') {}
            }
            (';' | '(', _) => {
                flush(&mut word, &mut words);
                words.push(c.to_string());
            }
            ('"' | '`' | '[' | ']', _) => {}
            _ if c.is_alphanumeric() || matches!(c, '_' | '.') => word.extend(c.to_lowercase()),
            _ => flush(&mut word, &mut words),
        }
    }
    flush(&mut word, &mut words);
    words
}
