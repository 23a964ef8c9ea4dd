use std::time::Duration;

use super::server::Refusal;
use super::store::OnFailure;
use super::upstream::{Credential, Dialect};
use super::*;
use copilot_guard::token::{Algorithm, Expected, MachineMark, Profile, Resolve, Shape};

const GOOD: &str = r#"
[server]
listen = "127.0.0.1:8080"
admin_listen = "127.0.0.1:8081"
mode = "reverse"
refusal = "assistant-text"
max_request_bytes = "8MiB"
tls = { cert = "cert.pem", key = "/etc/key.pem" }

[[identity.issuers]]
issuer = "https://login.example.com/oauth2/default"
audiences = ["copilot-guard"]
groups = [{ claim = "groups" }, { claim = "/realm_access/roles" }]
required = { hd = "example.com" }
person = "email"

[[identity.issuers]]
issuer = "http://127.0.0.1:9000"
allow_http_loopback = true
audiences = { env = "AUDIENCE" }
jwks_file = "keys/jwks.json"
algorithms = ["ES256"]
namespace = "local:"

[[upstreams]]
name = "copilot"
base_url = "https://api.githubcopilot.com"
routes = ["copilot"]
credential = { kind = "static", value = { env = "COPILOT_TOKEN" } }

[[upstreams]]
name = "local"
base_url = "http://[::1]:9001/prefix"
routes = ["openai"]
paths = [{ path = "/openai/deployments/gpt/chat/completions", dialect = "chat" }]
credential = { kind = "none" }

[policy]
file = "policy.toml"

[store]
url = "sqlite:guard.db"

[keys]
file = "guard.keys"

[approvals]
reviewer_groups = ["security-reviewers"]
hold_streaming = "200s"
pending_ttl = "5m"

[audit]
on_failure = "best_effort"
max_undurable = { env = "UNDURABLE" }
auditor_groups = ["auditors"]
sink = "audit.jsonl"

[admin]
audiences = ["copilot-guard-admin"]
login_max_age = "8h"
"#;

const TOKEN: &str = "tid=very-secret-token-0123456789";

fn env(name: &str) -> Option<String> {
    match name {
        "COPILOT_TOKEN" => Some(TOKEN.to_owned()),
        "AUDIENCE" => Some("from-env".to_owned()),
        "UNDURABLE" => Some("4KiB".to_owned()),
        "BROKEN" => Some("very secret, and not usable".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, PolicyError> {
    Config::parse(text, "guard.toml", Path::new("/etc/guard"), env)
}

#[test]
fn a_good_file() {
    let config = parse(GOOD).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.server.refusal, Refusal::AssistantText);
    assert_eq!(config.server.max_request_bytes, 8 << 20);
    let tls = config.server.tls.as_ref().unwrap();
    assert_eq!(
        (tls.cert.as_path(), tls.key.as_path()),
        (Path::new("/etc/guard/cert.pem"), Path::new("/etc/key.pem"))
    );
    let [one, other] = config.issuers.as_slice() else {
        panic!("two issuers")
    };
    let claims = |issuer: &super::identity::Issuer| -> Vec<String> {
        issuer.config.groups.iter().map(|g| g.claim.clone()).collect()
    };
    assert_eq!(claims(one), ["groups", "/realm_access/roles"]);
    assert_eq!(one.config.required["hd"], "example.com".into());
    assert_eq!(one.config.person.as_deref(), Some("email"));
    assert_eq!(one.config.subject, ["sub"]);
    assert_eq!((&one.jwks_file, &one.config.jwks_uri), (&None, &None));
    assert_eq!(one.config.algorithms, Algorithm::DEFAULT);
    assert_eq!(other.config.audiences, ["from-env"]);
    assert_eq!(
        other.jwks_file.as_deref(),
        Some(Path::new("/etc/guard/keys/jwks.json"))
    );
    assert_eq!(claims(other), ["groups"]);
    assert_eq!(config.upstreams[1].base_url.path(), "/prefix");
    assert_eq!(config.upstreams[1].paths[0].dialect, Dialect::Chat);
    let Credential::Static { header, value } = &config.upstreams[0].credential else {
        panic!("static")
    };
    assert_eq!((header.as_str(), value.expose()), ("authorization", TOKEN));
    assert_eq!(config.policy.file, Path::new("/etc/guard/policy.toml"));
    assert_eq!(config.store, Store::Sqlite("/etc/guard/guard.db".into()));
    assert_eq!(config.approvals.hold_streaming, Duration::from_secs(200));
    assert_eq!(config.approvals.hold_plain, Duration::from_secs(100));
    assert_eq!(
        (config.audit.on_failure, config.audit.max_undurable),
        (OnFailure::BestEffort, 4096)
    );
    assert_eq!(config.admin.login_max_age, Duration::from_secs(8 * 3600));
    assert_eq!(config.keys.as_deref(), Some(Path::new("/etc/guard/guard.keys")));
    assert_eq!(config.warnings.len(), 0);
    assert!(!format!("{config:?}").contains("very-secret"));
}

/// Each row: what to replace in the good file, by what, and the one problem that follows: key, what, mend.
#[test]
fn bad_files() {
    let rows = [
        (
            "listen = \"127.0.0.1:8080\"",
            "listen = \"here\"",
            "server.listen",
            "not a place",
            "127.0.0.1:8080",
        ),
        (
            "admin_listen = \"127.0.0.1:8081\"",
            "admin_listen = \"0.0.0.0:8080\"",
            "server.admin_listen",
            "data plane",
            "port",
        ),
        (
            "admin_listen = \"127.0.0.1:8081\"",
            "",
            "server.admin_listen",
            "missing",
            "admin_listen =",
        ),
        ("\"reverse\"", "\"forward\"", "server.ca", "missing", "ca init"),
        (
            "\"assistant-text\"",
            "\"assistant_text\"",
            "server.refusal",
            "unknown value",
            "\"assistant-text\"",
        ),
        (
            "\"8MiB\"",
            "\"8 megs\"",
            "server.max_request_bytes",
            "not a size",
            "32MiB",
        ),
        (
            "refusal =",
            "refusals =",
            "server.refusals",
            "unknown key",
            "`refusal`",
        ),
        (
            "https://login",
            "http://login",
            "identity.issuers[0].issuer",
            "only for loopback",
            "https://",
        ),
        (
            "[\"copilot-guard\"]",
            "[]",
            "identity.issuers[0].audiences",
            "empty",
            "aud",
        ),
        (
            "[\"ES256\"]",
            "[\"HS256\"]",
            "identity.issuers[1].algorithms[0]",
            "`HS256`",
            "",
        ),
        (
            "[\"ES256\"]",
            "[]",
            "identity.issuers[1].algorithms",
            "empty",
            "leave",
        ),
        (
            "jwks_file = \"keys/jwks.json\"",
            "jwks_file = \"f\"\njwks_uri = \"https://x/k\"",
            "identity.issuers[1].jwks_file",
            "two places",
            "keep one",
        ),
        (
            "{ env = \"AUDIENCE\" }",
            "{ env = \"UNSET\" }",
            "identity.issuers[1].audiences",
            "`UNSET` cannot be had",
            "set it",
        ),
        (
            "https://api.githubcopilot.com",
            "http://api.githubcopilot.com",
            "upstreams[0].base_url",
            "only for loopback",
            "https://",
        ),
        (
            "https://api.githubcopilot.com",
            "https://u:p@x",
            "upstreams[0].base_url",
            "password",
            "leave it out",
        ),
        (
            "https://api.githubcopilot.com",
            "api.githubcopilot.com",
            "upstreams[0].base_url",
            "not an address",
            "https://",
        ),
        (
            "[\"openai\"]",
            "[\"opnai\"]",
            "upstreams[1].routes[0]",
            "unknown value",
            "\"openai\"",
        ),
        (
            "[\"openai\"]",
            "[\"copilot\"]",
            "upstreams[1].routes[0]",
            "taken",
            "one of them",
        ),
        (
            "name = \"local\"",
            "name = \"copilot\"",
            "upstreams[1].name",
            "taken",
            "one of them",
        ),
        (
            "routes = [\"copilot\"]",
            "",
            "upstreams[0]",
            "nothing leads",
            "routes",
        ),
        (
            "path = \"/openai",
            "path = \"openai",
            "upstreams[1].paths[0].path",
            "not a path",
            "write",
        ),
        (
            "dialect = \"chat\"",
            "dialect = \"chats\"",
            "upstreams[1].paths[0].dialect",
            "unknown value",
            "\"chat\"",
        ),
        (
            "{ kind = \"none\" }",
            "{ kind = \"aws\" }",
            "upstreams[1].credential.kind",
            "not built in this version",
            "static",
        ),
        (
            "{ kind = \"none\" }",
            "{ kind = \"none\", value = \"x\" }",
            "upstreams[1].credential.value",
            "unknown key",
            "",
        ),
        (
            "\"COPILOT_TOKEN\"",
            "\"BROKEN\"",
            "upstreams[0].credential.value",
            "cannot be sent",
            "check",
        ),
        (
            "file = \"policy.toml\"",
            "",
            "policy.file",
            "missing",
            "name the file",
        ),
        (
            "sqlite:guard.db",
            "postgres://u:very-secret@h/d",
            "store.url",
            "not built in this version",
            "sqlite:",
        ),
        (
            "sqlite:guard.db",
            "sqlite::memory:",
            "store.url",
            "no file",
            "sqlite:",
        ),
        (
            "sqlite:guard.db",
            "mysql://very-secret",
            "store.url",
            "unknown kind",
            "sqlite:",
        ),
        (
            "\"200s\"",
            "\"200\"",
            "approvals.hold_streaming",
            "not a time span",
            "240s",
        ),
        ("\"200s\"", "\"0s\"", "approvals.hold_streaming", "zero", "240s"),
        (
            "pending_ttl = \"5m\"",
            "pending_ttl = \"1m\"",
            "approvals.pending_ttl",
            "shorter",
            "longest",
        ),
        (
            "best_effort",
            "best-effort",
            "audit.on_failure",
            "unknown value",
            "\"best_effort\"",
        ),
        (
            "{ env = \"UNDURABLE\" }",
            "{ env = \"BROKEN\" }",
            "audit.max_undurable",
            "env `BROKEN` is not a size",
            "KiB",
        ),
        (
            "[\"copilot-guard-admin\"]",
            "[\"copilot-guard-admin\", \"copilot-guard\"]",
            "admin.audiences[1]",
            "data plane",
            "client of its own",
        ),
        (
            "[\"copilot-guard-admin\"]",
            "\"from-env\"",
            "admin.audiences",
            "data plane",
            "client of its own",
        ),
        ("[admin]", "[admim]", "admim", "unknown key", "`admin`"),
    ];
    let mut failures = Vec::new();
    for (good, bad, key, what, mend) in rows {
        assert_eq!(GOOD.matches(good).count(), 1, "{good}");
        let text = GOOD.replace(good, bad);
        let problems = parse(&text).err().map(|e| e.problems).unwrap_or_default();
        let fits = |p: &Problem| p.key == key && p.what.contains(what) && p.mend.contains(mend) && p.line > 1;
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let count = if key == "admim" { 2 } else { 1 };
        if problems.len() != count || !problems.iter().any(fits) {
            failures.push(format!("{bad}: {shown:#?}"));
        }
        assert!(
            !shown.concat().contains("very secret") && !shown.concat().contains("very-secret"),
            "{shown:?}"
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// [`GOOD`] as a forward proxy.
fn forward() -> String {
    GOOD.replace(
        "mode = \"reverse\"",
        "mode = \"forward\"\nca = { cert = \"guard-ca.pem\", key = \"guard-ca.key\" }",
    )
    .replace("[policy]", "[forward]\ntunnel = [\"github.com:443\", \"*.example.com\", \"ssh.github.com:22\"]\nown_hosts = [\"guard.example.com\"]\nmax_tunnels = 5\nidle_timeout = \"2m\"\n\n[policy]")
    .replace("routes = [\"openai\"]", "routes = [\"openai\"]\nhosts = [\"*.models.example.com\", \"api.openai.com:8443\"]")
}

#[test]
fn a_forward_proxy() {
    let config = parse(&forward()).unwrap_or_else(|e| panic!("{e}"));
    let forward = config.forward.unwrap();
    assert_eq!(forward.ca.key, Path::new("/etc/guard/guard-ca.key"));
    assert_eq!(forward.tunnel.len(), 3);
    assert_eq!(
        (forward.max_tunnels, forward.idle_timeout),
        (5, Duration::from_secs(120))
    );
    let hosts = |n: usize| {
        config.upstreams[n]
            .hosts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let copilot = hosts(0);
    assert_eq!(
        copilot.len(),
        17,
        "the defaults, and the upstream's own is one of them"
    );
    for host in [
        "api.githubcopilot.com",
        "proxy.business.githubcopilot.com",
        "telemetry.enterprise.githubcopilot.com",
        "origin-tracker.individual.githubcopilot.com",
        "api.github.com",
        "default.exp-tas.com",
    ] {
        assert!(copilot.contains(&host.to_owned()), "{host}: {copilot:?}");
    }
    // What is named stands in place of the defaults; an address of loopback is nobody's host.
    assert_eq!(hosts(1), ["*.models.example.com", "api.openai.com:8443"]);
    assert_eq!(config.warnings.len(), 0);

    let short = GOOD.replace("\"reverse\"", "\"forward\"\nca = { cert = \"c\", key = \"k\" }");
    let short = short.replace(
        "https://api.githubcopilot.com",
        "https://copilot.acme.example:8443/x",
    );
    let config = parse(&short).unwrap_or_else(|e| panic!("{e}"));
    let forward = config.forward.unwrap();
    assert_eq!(
        (forward.max_tunnels, forward.idle_timeout),
        (1024, Duration::from_secs(600))
    );
    assert!(forward.tunnel.is_empty());
    let own = config.upstreams[0].hosts.last().map(ToString::to_string);
    assert_eq!(own.as_deref(), Some("copilot.acme.example:8443"));
    assert_eq!(config.upstreams[1].hosts.len(), 1);
}

/// Each row as in [`bad_files`], of the forward proxy.
#[test]
fn bad_forward_proxies() {
    let rows = [
        ("\"127.0.0.1:8080\"", "\"127.0.0.1:8080\" # not bad", "", ""),
        (
            "[\"github.com:443\"",
            "[\"https://github.com\"",
            "forward.tunnel[0]",
            "not a host",
        ),
        (
            "[\"github.com:443\"",
            "[\"github.com:0\"",
            "forward.tunnel[0]",
            "not a host",
        ),
        ("[\"github.com:443\"", "[\"*\"", "forward.tunnel[0]", "not a host"),
        (
            "[\"github.com:443\"",
            "[\"api.githubcopilot.com\"",
            "forward.tunnel[0]",
            "is intercepted",
        ),
        (
            "[\"github.com:443\"",
            "[\"a.models.example.com\"",
            "forward.tunnel[0]",
            "is intercepted",
        ),
        (
            "[\"github.com:443\"",
            "[\"*.models.example.com\"",
            "forward.tunnel[0]",
            "is intercepted",
        ),
        // Wider than what is intercepted: the rest is tunnelled.
        ("[\"github.com:443\"", "[\"*.githubcopilot.com\"", "", ""),
        ("[\"github.com:443\"", "[\"api.openai.com\"", "", ""),
        (
            "[\"guard.example.com\"]",
            "[\"guard.example.com:8080\"]",
            "forward.own_hosts[0]",
            "not a host",
        ),
        (
            "max_tunnels = 5",
            "max_tunnels = 0",
            "forward.max_tunnels",
            "no such number",
        ),
        (
            "idle_timeout = \"2m\"",
            "idle_timeout = \"1ms\"",
            "forward.idle_timeout",
            "too short",
        ),
        ("idle_timeout", "idle_time", "forward.idle_time", "unknown key"),
        (
            "\"*.models.example.com\"",
            "\"10.0.0.1\"",
            "upstreams[1].hosts[0]",
            "cannot be intercepted",
        ),
        (
            "\"*.models.example.com\"",
            "\"*.com\"",
            "upstreams[1].hosts[0]",
            "not a host",
        ),
        ("key = \"guard-ca.key\"", "key = \"\"", "server.ca.key", "empty"),
    ];
    for (good, bad, key, what) in rows {
        let good_text = forward();
        assert_eq!(good_text.matches(good).count(), 1, "{good}");
        let found = parse(&good_text.replace(good, bad))
            .err()
            .map(|e| e.problems)
            .unwrap_or_default();
        let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), usize::from(!key.is_empty()), "{bad}: {shown:#?}");
        assert!(
            found.iter().all(|p| p.key == key && p.what.contains(what)),
            "{bad}: {shown:#?}"
        );
    }
    // Tokens in the clear.
    let open = forward().replace("\"127.0.0.1:8080\"", "\"0.0.0.0:8080\"");
    parse(&open).unwrap();
    let clear = open.replace("tls = { cert = \"cert.pem\", key = \"/etc/key.pem\" }", "");
    let problems = parse(&clear).unwrap_err().problems;
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].key == "server.listen" && problems[0].why.contains("token"),
        "{}",
        problems[0]
    );
    parse(&clear.replace("0.0.0.0", "127.0.0.1")).unwrap();
}

#[test]
fn what_is_of_the_forward_mode_is_not_used_in_reverse_mode() {
    let config = parse(&forward().replace("\"forward\"", "\"reverse\"")).unwrap_or_else(|e| panic!("{e}"));
    assert!(config.forward.is_none());
    let keys: Vec<_> = config.warnings.iter().map(|w| w.key.as_str()).collect();
    assert_eq!(keys, ["server.ca", "upstreams[1].hosts", "forward"]);
}

#[test]
fn finds_all_problems_with_their_lines() {
    let text = GOOD
        .replace("\"8MiB\"", "true")
        .replace("sqlite:", "sqllite:")
        .replace("\"8h\"", "8");
    let problems = parse(&text).unwrap_err().problems;
    let line = |needle: &str| text.lines().position(|l| l.contains(needle)).unwrap() + 1;
    let found: Vec<_> = problems.iter().map(|p| (p.line, p.key.as_str())).collect();
    assert_eq!(
        found,
        [
            (line("max_request_bytes"), "server.max_request_bytes"),
            (line("sqllite"), "store.url"),
            (line("login_max_age"), "admin.login_max_age"),
        ]
    );
}

#[test]
fn reads_values_from_files_beside_it() {
    let folder = std::env::temp_dir().join(format!("guard-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("token"), "from-a-file\n").unwrap();
    std::fs::write(folder.join("audience"), "from-another\r\n").unwrap();
    let text = GOOD
        .replace("{ env = \"COPILOT_TOKEN\" }", "{ file = \"token\" }")
        .replace("{ env = \"AUDIENCE\" }", "[{ file = \"audience\" }]")
        .replace("{ env = \"UNDURABLE\" }", "0");
    let path = folder.join("guard.toml");
    std::fs::write(&path, text).unwrap();
    let config = Config::load(&path).unwrap_or_else(|e| panic!("{e}"));
    let Credential::File { value, .. } = &config.upstreams[0].credential else {
        panic!("file")
    };
    assert_eq!(value.expose(), "from-a-file");
    assert_eq!(config.issuers[1].config.audiences, ["from-another"]);
    assert_eq!(config.policy.file, folder.join("policy.toml"));
    std::fs::remove_file(folder.join("token")).unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("upstreams[0].credential.value: the content of file `token` cannot be had"),
        "{error}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("guard.toml:1: the file cannot be read"), "{error}");
}

/// The good file with more said of its first issuer.
fn with_issuer(more: &str) -> Result<Config, PolicyError> {
    parse(&GOOD.replacen(
        "person = \"email\"\n",
        &format!("person = \"email\"\n{more}\n"),
        1,
    ))
}

#[test]
fn everything_that_can_be_said_of_an_issuer() {
    let config = with_issuer(
        r#"
profile = "okta"
clients = ["vscode", "cli"]
scopes = "models.use"
rfc9068 = true
id_tokens = false
audience_claim = "client_id"
subject = ["tid", "oid"]
subject_prefix = "a"
namespace = "corp:"
max_lifetime = "10h"
leeway = "10s"
machine = { gty = "client-credentials" }
directory_key = "oid"
resolve = "always"
resolved = { require_prefix = "dev-", rename = { dev-a = "a" } }
overage = "resolver"
resolver = { kind = "graph", tenant = "0f7a0c1e-1111-4222-8333-444455556666", client_id = "reader", client_secret = "a-secret-of-a-reader" }
synthetic_groups = [{ group = "ci", when = { repository_owner_id = "123", event_name = "push" } }]"#,
    )
    .unwrap_or_else(|e| panic!("{e}"));
    let issuer = &config.issuers[0];
    let c = &issuer.config;
    assert_eq!((c.profile, c.cut_at), (Profile::Okta, Some(100)));
    assert_eq!((c.clients.len(), c.scopes.len()), (2, 1));
    assert_eq!((c.rfc9068, c.id_tokens), (true, false));
    assert_eq!(c.audience_claim, "client_id");
    assert_eq!(c.subject, ["tid", "oid"]);
    assert_eq!(
        (c.subject_prefix.as_deref(), c.namespace.as_deref()),
        (Some("a"), Some("corp:"))
    );
    assert_eq!(
        (c.max_lifetime, c.leeway),
        (Duration::from_secs(36_000), Duration::from_secs(10))
    );
    let when = MachineMark::When([("gty".to_owned(), "client-credentials".into())].into());
    assert_eq!(
        c.machine,
        [MachineMark::SubjectIsClient, when],
        "beside the profile's"
    );
    assert_eq!(
        (c.directory_key.as_deref(), c.resolve),
        (Some("oid"), Resolve::Always)
    );
    assert_eq!(
        (c.resolved.claim.as_str(), c.resolved.rename["dev-a"].as_str()),
        ("groups", "a")
    );
    assert!(matches!(
        issuer.resolver,
        Some(super::resolver::Resolver::Graph { .. })
    ));
    assert_eq!(c.synthetic_groups[0].when["event_name"], "push".into());
    assert!(c.resolver.is_none() && c.jwks_path.is_none());
}

#[test]
fn claims_have_types_and_groups_have_steps() {
    let text = GOOD
        .replace(
            "{ hd = \"example.com\" }",
            "{ hd = \"example.com\", email_verified = true, level = -2, org = { env = \"AUDIENCE\" } }",
        )
        .replace(
            "{ claim = \"groups\" }",
            "{ claim = \"scp\", shape = \"space_separated\", prefix = \"p\", strip_prefix = \"/a/\", \
             require_prefix = \"/a/\", rename = { x = \"y\" } }",
        );
    let config = parse(&text).unwrap_or_else(|e| panic!("{e}"));
    let c = &config.issuers[0].config;
    assert_eq!(c.required["email_verified"], Expected::Flag(true));
    assert_eq!(c.required["level"], Expected::Integer(-2));
    assert_eq!(c.required["org"], "from-env".into());
    let source = &c.groups[0];
    assert_eq!(
        (source.shape, source.prefix.as_str()),
        (Shape::SpaceSeparated, "p")
    );
    assert_eq!(
        (source.strip_prefix.as_str(), source.require_prefix.as_str()),
        ("/a/", "/a/")
    );
    assert_eq!(source.rename["x"], "y");
    for (machine, marks) in [("true", 1), ("false", 0)] {
        let config = with_issuer(&format!("profile = \"auth0\"\nmachine = {machine}")).unwrap();
        assert_eq!(config.issuers[0].config.machine.len(), marks, "{machine}");
    }
}

/// Each row: what is said of the first issuer, the key of the one problem, and a part of why.
#[test]
fn mistakes_of_an_issuer() {
    let rows = [
        ("profile = \"octa\"", "profile", "no meaning"),
        (
            "profile = \"github-actions\"",
            "required",
            "every workflow in the world",
        ),
        ("profile = \"gitlab-ci\"", "required", "namespace_id"),
        ("profile = \"spiffe\"", "subject_prefix", "trust domain"),
        ("profile = \"entra\"", "issuer", "tenant"),
        (
            "tenants = [\"3f2a4c1e-0000-4000-8000-00000000000a\"]",
            "tenants",
            "{tenantid}",
        ),
        ("namespace = \"a\\n\"", "namespace", "control"),
        ("subject = []", "subject", "nothing"),
        ("subject = \"/~\"", "subject", "Pointer"),
        ("leeway = \"10m\"", "leeway", "300 s"),
        ("max_lifetime = \"0s\"", "max_lifetime", "zero"),
        ("machine = {}", "machine", "at least one"),
        ("machine = 3", "machine", "number"),
        ("clients = [\"a b\"]", "clients", "blanks"),
        ("overage = \"allow\"", "overage", "no meaning"),
        (
            "synthetic_groups = [{ group = \"ci\", when = {} }]",
            "synthetic_groups",
            "at least one",
        ),
        (
            "synthetic_groups = [{ group = \"ci\" }]",
            "synthetic_groups[0].when",
            "required",
        ),
        ("overage = \"resolver\"", "overage", "needs one"),
        (
            "overage = \"deny\"\nresolver = { kind = \"google\", key = \"k-0123456789\", admin = \"a@example.com\" }",
            "overage",
            "cut off",
        ),
        (
            "resolve = \"always\"\ndirectory_key = \"sub\"\noverage = \"deny\"\n\
             resolver = { kind = \"google\", key = \"k-0123456789\", admin = \"a@example.com\" }",
            "overage",
            "cut off",
        ),
        ("scope = \"x\"", "scope", "no such key"),
    ];
    for (more, key, why) in rows {
        let problems = with_issuer(more).err().map(|e| e.problems).unwrap_or_default();
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 1, "{more}: {shown:#?}");
        let problem = &problems[0];
        assert_eq!(problem.key, format!("identity.issuers[0].{key}"), "{more}");
        assert!(problem.why.contains(why), "{more}: {problem}");
        assert!(problem.line >= 10, "{more}: {problem}");
    }
}

#[test]
fn what_is_said_of_groups_and_issuers() {
    let warned = |text: &str| -> Vec<String> {
        let config = parse(text).unwrap_or_else(|e| panic!("{e}"));
        config.warnings.iter().map(ToString::to_string).collect()
    };
    let second = warned(&GOOD.replace("namespace = \"local:\"\n", ""));
    assert_eq!(second.len(), 1, "{second:?}");
    assert!(second[0].contains("`http://127.0.0.1:9000#GROUP`"), "{second:?}");
    let org = warned(&GOOD.replace(
        "https://login.example.com/oauth2/default",
        "https://example.okta.com",
    ));
    assert!(org.len() == 1 && org[0].contains("org server"), "{org:?}");
    let account = warned(&GOOD.replacen("[\"copilot-guard\"]", "[\"account\"]", 1));
    assert!(
        account.len() == 1 && account[0].contains("Keycloak"),
        "{account:?}"
    );
    let tenants = warned(
        &GOOD
            .replace(
                "https://login.example.com/oauth2/default\"",
                "https://login.microsoftonline.com/{tenantid}/v2.0\"\nprofile = \"entra\"\ntenants = \
                 [\"3f2a4c1e-0000-4000-8000-00000000000a\", \"3f2a4c1e-0000-4000-8000-00000000000b\"]",
            )
            .replace("required = { hd = \"example.com\" }\n", ""),
    );
    assert!(
        tenants.len() == 1 && tenants[0].contains("each further tenant"),
        "{tenants:?}"
    );
}

#[test]
fn google_has_only_id_tokens() {
    let google = GOOD.replace(
        "https://login.example.com/oauth2/default",
        "https://accounts.google.com",
    );
    let id_tokens = |text: &str| {
        let config = parse(text).unwrap_or_else(|e| panic!("{e}"));
        config.issuers[0].config.id_tokens
    };
    assert!(id_tokens(&google));
    assert!(!id_tokens(GOOD));
    let said = |more: &str| google.replacen("person = \"email\"\n", &format!("{more}\n"), 1);
    assert!(!id_tokens(&said("id_tokens = false")));
    assert!(!id_tokens(&said("profile = \"generic\"")));
    // Its tokens mark nothing as cut off, so `deny` says nothing wrong.
    let resolver = "resolver = { kind = \"google\", key = \"k-0123456789\", admin = \"a@example.com\" }";
    let both = said(&format!("profile = \"google\"\noverage = \"deny\"\n{resolver}"));
    let config = parse(&both).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.issuers[0].config.resolve, Resolve::Always);
}

#[test]
fn an_issuer_is_an_address_only_where_it_is_asked() {
    let named = |name: &str, keys: &str| {
        parse(&GOOD.replacen(
            "https://login.example.com/oauth2/default\"\n",
            &format!("{name}\"\n{keys}\n"),
            1,
        ))
    };
    for name in [
        "accounts.google.com",
        "spiffe://td",
        "http://adfs.corp/adfs/services/trust",
    ] {
        for keys in ["jwks_file = \"k.json\"", "jwks_uri = \"https://keys.example/k\""] {
            let config = named(name, keys).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(config.issuers[0].config.issuer, name);
        }
        let problems = named(name, "").unwrap_err().problems;
        assert_eq!(problems[0].key, "identity.issuers[0].issuer", "{name}");
    }
    for name in ["", "a\\u0001"] {
        let problems = named(name, "jwks_file = \"k.json\"").unwrap_err().problems;
        assert_eq!(problems.len(), 1, "{name}");
        assert_eq!(problems[0].key, "identity.issuers[0].issuer", "{name}");
    }
}

#[test]
fn a_login_gets_tokens_that_are_accepted() {
    let login = |issuer: &str, more: &str| {
        let text = format!("{GOOD}\n[login]\nissuer = \"{issuer}\"\nclient_id = \"cli\"\n{more}\n");
        text.replace(
            "http://127.0.0.1:9000\"\nallow_http_loopback = true",
            "spiffe://td\"",
        )
    };
    let okta = "https://login.example.com/oauth2/default";
    let keys = |text: &str| -> Vec<String> {
        let problems = parse(text).err().map(|e| e.problems).unwrap_or_default();
        problems.into_iter().map(|p| p.key).collect()
    };
    let id = login(okta, "token = \"id\"");
    assert_eq!(keys(&id), ["login.token"]);
    let accepted = id.replacen("person = \"email\"\n", "id_tokens = true\n", 1);
    assert_eq!(keys(&accepted), [""; 0]);
    assert_eq!(keys(&login(okta, "token = \"access\"")), [""; 0]);
    assert_eq!(
        keys(&login("spiffe://td", "")),
        ["login.issuer"],
        "nothing to ask"
    );
}
