use super::super::super::network::Network;
use super::super::powershell::fits;
use super::*;

#[derive(serde::Deserialize)]
struct Case {
    id: String,
    command: String,
    verdict: String,
}

fn judged(language: &str, text: &str) -> Judgement {
    let network = Network::default();
    judge(
        &Cx {
            network: &network,
            depth: 0,
            folder: "",
            is_rebound: false,
        },
        language,
        text,
    )
}

#[test]
fn the_table_of_code() {
    let mut wrong = Vec::new();
    for line in include_str!("../../../../tests/commands/code.jsonl").lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let language = case.command.split(' ').next().unwrap();
        let (from, to) = (
            case.command.find('\'').unwrap(),
            case.command.rfind('\'').unwrap(),
        );
        let judgement = judged(language, &case.command[from + 1..to]);
        if !fits(&case.verdict, judgement.danger()) {
            let rules: Vec<_> = judgement.findings.iter().map(|f| f.rule).collect();
            wrong.push(format!(
                "{}: {} wanted, {} {rules:?}",
                case.id,
                case.verdict,
                judgement.danger()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn statements() {
    for text in [
        "SELECT * FROM t",
        "select 'drop table x'",
        "DELETE FROM t WHERE id = 1",
        "UPDATE t SET a = 1 WHERE id = 2",
        "-- drop table x\nselect 1",
        "INSERT INTO t VALUES ('x')",
        ".tables",
        "create table t (a int)",
    ] {
        assert_eq!(judged("sql", text).danger(), Danger::Allow, "{text}");
    }
    for text in [
        "DROP TABLE t",
        "drop/**/database x",
        "DELETE FROM t",
        "update t set a = 1",
        "TRUNCATE TABLE t",
        "select 1; drop table t",
        "COPY t TO PROGRAM 'sh'",
        "EXEC xp_cmdshell 'dir'",
        "SELECT * INTO OUTFILE '/tmp/x' FROM t",
        "select load_file('/etc/passwd')",
        "SELECT pg_read_file('/etc/passwd')",
        "/*!50000 drop table t */",
        "delete from t where 1=1",
        ".shell rm -rf /",
    ] {
        assert_eq!(judged("sql", text).danger(), Danger::Block, "{text}");
    }
    assert_eq!(
        judged("sql", "ATTACH DATABASE 'x' AS y").danger(),
        Danger::Approve
    );
}

#[test]
fn what_is_not_known_or_out_of_bounds_is_asked_about() {
    assert_eq!(judged("cobol", "x").danger(), Danger::Approve);
    assert_eq!(judged("python", &"x".repeat(100_000)).danger(), Danger::Approve);
    for opener in [
        "(",
        "\"",
        "'",
        "'''",
        "f\"{",
        "`",
        "qx{",
        "q(",
        "/*",
        "exec('",
        "eval(eval(",
        "a.",
        "::",
        "\\",
    ] {
        for language in ["python", "node", "perl", "ruby", "php", "awk", "lua", "sql"] {
            let _ = judged(language, &opener.repeat(60_000 / opener.len()));
        }
    }
}
