//! Credentials and directories in the configuration.

use copilot_guard::credential::TokenKind;

use super::credential::{Auth, Credential, Subject};
use super::resolver::{Resolver, resolver_of};
use super::*;

const SECRET: &str = "very-secret-0123456789";

fn env(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some(SECRET.to_owned()),
        "OTHER" => Some(format!("{SECRET}-other")),
        "EMPTY" => Some(String::new()),
        "BROKEN" => Some(format!("{SECRET} and a blank")),
        _ => None,
    }
}

/// A file with this credential, in a folder with a file `secret`.
fn parse(credential: &str) -> Result<(Config, tempfile::TempDir), PolicyError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:8080"
admin_listen = "127.0.0.1:8081"

[[identity.issuers]]
issuer = "https://login.example.com"
audiences = ["copilot-guard"]

[policy]
file = "policy.toml"

[store]
url = "sqlite:guard.db"

[keys]
file = "guard.keys"

[admin]
audiences = ["copilot-guard-admin"]

[[upstreams]]
name = "one"
base_url = "https://api.example.com"
routes = ["openai"]
credential = {credential}
"#
    );
    let config = Config::parse(&text, "guard.toml", folder.path(), env)?;
    Ok((config, folder))
}

fn good(credential: &str) -> (Credential, tempfile::TempDir) {
    let (config, folder) = parse(credential).unwrap_or_else(|e| panic!("{e}"));
    assert!(!format!("{config:?}").contains("very-secret"));
    let [upstream] = <[_; 1]>::try_from(config.upstreams).unwrap();
    (upstream.credential, folder)
}

fn secrets(credential: &Credential) -> Vec<&str> {
    credential.secrets().into_iter().map(Secret::expose).collect()
}

#[test]
fn a_value_in_a_file_is_read_again() {
    let (credential, folder) =
        good(r#"{ kind = "static", value = { file = "secret" }, header = "x-api-key" }"#);
    assert_eq!(secrets(&credential), [SECRET]);
    let Credential::File { header, path, .. } = credential else {
        panic!("{credential:?}")
    };
    assert_eq!(
        (header.as_str(), path),
        ("x-api-key", folder.path().join("secret"))
    );
    let (credential, _) = good(r#"{ kind = "static", value = { env = "SECRET" } }"#);
    assert!(matches!(credential, Credential::Static { .. }), "{credential:?}");
}

#[test]
fn copilot_exchange() {
    let (credential, folder) = good(r#"{ kind = "copilot-exchange", token = { file = "secret" } }"#);
    assert_eq!(secrets(&credential), [SECRET]);
    let Credential::CopilotExchange { token, api, .. } = credential else {
        panic!("{credential:?}")
    };
    assert_eq!(api.as_str(), "https://api.github.com");
    assert_eq!(token.file, Some(folder.path().join("secret")));
    let (credential, _) = good(
        r#"{ kind = "copilot-exchange", token = { env = "SECRET" }, api_url = "https://api.acme.ghe.com", editor_version = "vscode/1.110.0" }"#,
    );
    let Credential::CopilotExchange {
        token,
        api,
        editor_version,
    } = credential
    else {
        panic!("{credential:?}")
    };
    assert_eq!((api.as_str(), token.file), ("https://api.acme.ghe.com", None));
    assert_eq!(editor_version.unwrap(), "vscode/1.110.0");
}

#[test]
fn tokens_of_endpoints() {
    let (credential, _) = good(
        r#"{ kind = "client-credentials", token_url = "https://login.example.com/token/", client_id = "me", client_secret = { env = "SECRET" }, scope = "a b", audience = "aud", resource = "https://r.example", auth = "post", header = "api-key" }"#,
    );
    assert_eq!(secrets(&credential), [SECRET]);
    let Credential::ClientCredentials(client) = credential else {
        panic!("{credential:?}")
    };
    assert_eq!(client.url.as_str(), "https://login.example.com/token/");
    assert_eq!((client.auth, client.header.as_str()), (Auth::Post, "api-key"));
    assert_eq!(client.scope.as_deref(), Some("a b"));

    let (credential, _) = good(
        r#"{ kind = "token-exchange", token_url = "http://127.0.0.1:9/token", subject = "caller", subject_token_type = "id_token", actor = { env = "OTHER" }, client_id = "me", client_secret = { env = "SECRET" } }"#,
    );
    assert_eq!(secrets(&credential), [SECRET, &format!("{SECRET}-other")]);
    assert!(credential.needs_caller_token());
    let Credential::TokenExchange {
        subject,
        subject_kind,
        client,
        ..
    } = credential
    else {
        panic!("{credential:?}")
    };
    assert!(matches!(subject, Subject::Caller));
    assert_eq!((subject_kind, client.auth), (TokenKind::IdToken, Auth::Basic));

    let (credential, folder) = good(
        r#"{ kind = "token-exchange", token_url = "https://sts.example.com/token", subject = { file = "secret" } }"#,
    );
    assert!(!credential.needs_caller_token());
    let Credential::TokenExchange {
        subject: Subject::File(path),
        ..
    } = credential
    else {
        panic!("{credential:?}")
    };
    assert_eq!(path, folder.path().join("secret"));
}

#[test]
fn by_group() {
    let (credential, _) = good(
        r#"{ kind = "per-group", groups = [
            { group = "team-a", credential = { kind = "static", value = { env = "SECRET" } } },
            { group = "team-b", credential = { kind = "token-exchange", token_url = "https://h/t", subject = "caller" } },
        ], default = { kind = "static", value = { env = "OTHER" } } }"#,
    );
    assert_eq!(secrets(&credential), [SECRET, &format!("{SECRET}-other")]);
    assert!(credential.needs_caller_token());
    let Credential::PerGroup { groups, default } = credential else {
        panic!("{credential:?}")
    };
    let names: Vec<_> = groups.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, default.is_some()), (vec!["team-a", "team-b"], true));
}

/// Each row: the credential, and key, what and mend of the one problem.
#[test]
fn bad_credentials() {
    let a = r#"{ group = "a", credential = { kind = "static", value = { env = "SECRET" } } }"#;
    let twice = format!(r#"{{ kind = "per-group", groups = [{a}, {a}] }}"#);
    let rows = [
        (
            r#"{ kind = "static", value = { env = "EMPTY" } }"#,
            "value",
            "empty",
            "check",
        ),
        (
            r#"{ kind = "static", value = { env = "BROKEN" } }"#,
            "value",
            "cannot be sent",
            "check",
        ),
        (
            r#"{ kind = "static", value = { file = "missing" } }"#,
            "value",
            "cannot be had",
            "set it",
        ),
        (
            r#"{ kind = "static", value = "x", header = "a b" }"#,
            "header",
            "not a header",
            "x-api-key",
        ),
        (r#"{ kind = "aws" }"#, "kind", "not built", "static"),
        (r#"{ kind = "copilot-exchange" }"#, "token", "missing", "env"),
        (
            r#"{ kind = "copilot-exchange", token = { env = "SECRET" }, api_url = "http://api.example.com" }"#,
            "api_url",
            "only for loopback",
            "https://",
        ),
        (
            r#"{ kind = "client-credentials", token_url = "https://h/t", client_id = "me" }"#,
            "",
            "`client_secret` is missing",
            "env",
        ),
        (
            r#"{ kind = "client-credentials", client_id = "me", client_secret = { env = "SECRET" } }"#,
            "token_url",
            "missing",
            "address",
        ),
        (
            r#"{ kind = "client-credentials", token_url = "http://h/t", client_id = "me", client_secret = { env = "SECRET" } }"#,
            "token_url",
            "only for loopback",
            "https://",
        ),
        (
            r#"{ kind = "client-credentials", token_url = "https://h/t?a=b", client_id = "me", client_secret = { env = "SECRET" } }"#,
            "token_url",
            "query",
            "leave it out",
        ),
        (
            r#"{ kind = "client-credentials", token_url = "https://h/t", client_id = "me", client_secret = { env = "SECRET" }, auth = "jwt" }"#,
            "auth",
            "unknown value",
            "basic",
        ),
        (
            r#"{ kind = "client-credentials", token_url = "https://h/t", client_id = "me", client_secret = { env = "SECRET" }, scopes = "x" }"#,
            "scopes",
            "unknown key",
            "`scope`",
        ),
        (
            r#"{ kind = "token-exchange", token_url = "https://h/t" }"#,
            "subject",
            "missing",
            "caller",
        ),
        (
            r#"{ kind = "token-exchange", token_url = "https://h/t", subject = "very-secret" }"#,
            "subject",
            "unknown subject",
            "caller",
        ),
        (
            r#"{ kind = "token-exchange", token_url = "https://h/t", subject = { env = "SECRET" } }"#,
            "subject",
            "unknown subject",
            "caller",
        ),
        (
            r#"{ kind = "token-exchange", token_url = "https://h/t", subject = "caller", client_secret = { env = "SECRET" } }"#,
            "client_id",
            "missing",
            "id",
        ),
        (
            r#"{ kind = "token-exchange", token_url = "https://h/t", subject = "caller", subject_token_type = "saml" }"#,
            "subject_token_type",
            "unknown value",
            "jwt",
        ),
        (
            r#"{ kind = "per-group", groups = [] }"#,
            "groups",
            "empty",
            "group",
        ),
        (&twice, "groups[1].group", "two credentials", "leave one out"),
        (
            r#"{ kind = "per-group", groups = [{ group = "a", credential = { kind = "none" } }] }"#,
            "groups[0].credential.kind",
            "cannot stand here",
            "leave the group out",
        ),
        (
            r#"{ kind = "per-group", groups = [{ group = "a", credential = { kind = "static", value = { env = "BROKEN" } } }] }"#,
            "groups[0].credential.value",
            "cannot be sent",
            "check",
        ),
    ];
    let mut failures = Vec::new();
    for (credential, key, what, mend) in rows {
        let problems = parse(credential).err().map(|e| e.problems).unwrap_or_default();
        let dot = if key.is_empty() { "" } else { "." };
        let key = format!("upstreams[0].credential{dot}{key}");
        let fits = |p: &Problem| p.key == key && p.what.contains(what) && p.mend.contains(mend) && p.line > 1;
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        if problems.len() != 1 || !problems.iter().any(fits) {
            failures.push(format!("{credential}: {shown:#?}"));
        }
        assert!(!shown.concat().contains(SECRET), "{shown:?}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn resolver(text: &str) -> Result<Option<Resolver>, PolicyError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key.json"), SECRET).unwrap();
    let text = format!("resolver = {text}\n");
    let problems = Problems::new("guard.toml", &text).with_elsewhere(|place| match place {
        Elsewhere::Env(name) => env(name).map(Secret::new).ok_or_else(|| "not set".to_owned()),
        Elsewhere::File(_) => Err("no files here".to_owned()),
    });
    let resolver = problems.parse(&text).and_then(|mut table| {
        let context = Context {
            problems: &problems,
            folder: folder.path(),
            warnings: RefCell::default(),
        };
        let table = table.take("resolver").and_then(Value::table)?;
        resolver_of(&context, table)
    });
    problems.finish()?;
    Ok(resolver)
}

#[test]
fn directories() {
    let graph = r#"{ kind = "graph", tenant = "0f7a0c1e-1111-4222-8333-444455556666", client_id = "app", client_secret = { env = "SECRET" } }"#;
    let Ok(Some(Resolver::Graph {
        base,
        token_url,
        security_only,
        ..
    })) = resolver(graph)
    else {
        panic!("graph")
    };
    assert_eq!(base.as_str(), "https://graph.microsoft.com");
    assert_eq!(
        token_url.as_str(),
        "https://login.microsoftonline.com/0f7a0c1e-1111-4222-8333-444455556666/oauth2/v2.0/token"
    );
    assert!(security_only);
    let google = r#"{ kind = "google", key_file = "key.json", admin = "admin@example.com", base_url = "http://127.0.0.1:9" }"#;
    let read = resolver(google).unwrap().unwrap();
    assert!(!format!("{read:?}").contains("very-secret"));
    assert_eq!(read.secrets().len(), 0);
    let Resolver::Google { key, base, admin, .. } = read else {
        panic!("google")
    };
    assert_eq!(key.value.expose(), SECRET);
    assert_eq!(
        (base.as_str(), admin.as_str()),
        ("http://127.0.0.1:9", "admin@example.com")
    );
    for (text, what) in [
        (graph.replace("0f7a0c1e-1111", "../x"), "not one tenant"),
        (
            graph.replace("0f7a0c1e-1111-4222-8333-444455556666", "common"),
            "not one tenant",
        ),
        (graph.replace("\"SECRET\"", "\"EMPTY\""), "empty"),
        (graph.replace("client_id", "client"), "`client_id` is missing"),
        (google.replace("key.json", "missing.json"), "cannot be read"),
        (google.replace("key_file", "key_fil"), "`key_file` is missing"),
        (google.replace("127.0.0.1:9", "evil.example"), "only for loopback"),
        ("{ kind = \"ldap\" }".to_owned(), "unknown value"),
    ] {
        let problems = resolver(&text).unwrap_err().problems;
        assert!(
            problems.iter().any(|p| p.what.contains(what)),
            "{text}: {problems:?}"
        );
    }
}
