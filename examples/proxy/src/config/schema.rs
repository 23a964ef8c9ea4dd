//! The JSON Schema of the configuration file. Words come from the readers; a test holds the keys against them.

use copilot_guard::policy::reader::Schema;
use copilot_guard::token::Profile;

use super::credential::{AUTHS, KINDS, TOKEN_KINDS};
use super::identity::ALGORITHMS;
use super::identity::claims::SHAPES;
use super::resolver;
use super::upstream::{DIALECTS, ROUTES};

/// The schema of a configuration file, as a JSON text (draft 2020-12).
pub(crate) fn schema() -> String {
    config().document("copilot-guard configuration", true)
}

fn words<T>(list: &[(&'static str, T)]) -> Vec<&'static str> {
    list.iter().map(|(word, _)| *word).collect()
}

fn names(about: &str) -> Schema {
    Schema::one_or_list(about, Schema::text(""))
}

fn config() -> Schema {
    let only_file =
        |about: &str| Schema::table(about).required("file", Schema::text("A path, from this file's folder."));
    Schema::table("The gateway's configuration.")
        .required("server", server())
        .required(
            "identity",
            Schema::table("Who people are.").required("issuers", Schema::list("", issuer())),
        )
        .required("upstreams", Schema::list("", upstream()))
        .required(
            "policy",
            only_file("What is allowed to whom.")
                .key("approved", names("SHA-256 of the versions that were signed off.")),
        )
        .required(
            "store",
            Schema::table("Where approvals and record are kept.")
                .required("url", Schema::text("Such as `sqlite:guard.db`.")),
        )
        .key("keys", only_file("Made by `keys init`; shared by replicas."))
        .key("approvals", approvals())
        .key("audit", audit())
        .required("admin", admin())
        .key("login", login())
        .key("forward", forward())
}

fn server() -> Schema {
    let pair = |about: &str| {
        Schema::table(about)
            .required("cert", Schema::text("A PEM file."))
            .required("key", Schema::text("A PEM file."))
    };
    Schema::table("The listeners.")
        .required("listen", Schema::text("The data plane: `127.0.0.1:8080`."))
        .required(
            "admin_listen",
            Schema::text("Approvals, record, metrics, health."),
        )
        .key(
            "mode",
            Schema::one_of(
                "In front of an upstream, or as a proxy of clients.",
                ["reverse", "forward"],
            ),
        )
        .key("ca", pair("Signs for intercepted hosts, in forward mode."))
        .key("tls", pair("The data plane's certificate."))
        .key(
            "refusal",
            Schema::one_of(
                "What a refusal by policy looks like.",
                ["error", "assistant-text"],
            ),
        )
        .key("public_url", Schema::text("What clients call the gateway."))
        .key("max_request_bytes", Schema::bytes("Larger requests are refused."))
}

fn issuer() -> Schema {
    let conditions = |about: &str| Schema::table(about).any_key(Schema::scalar(""));
    let machine =
        Schema::flag("Whether all callers are programs.").or(conditions("Claims that only programs have."));
    let synthetic = Schema::table("A group for tokens with certain claims.")
        .required("group", Schema::text(""))
        .required("when", conditions("Claims and their values."));
    Schema::table("An issuer whose tokens are accepted.")
        .key(
            "profile",
            Schema::one_of("A known kind of provider.", words(&Profile::ALL)),
        )
        .required("issuer", Schema::text("As its tokens name it (`iss`)."))
        .required("audiences", names("Of this gateway (`aud`)."))
        .key("allow_http_loopback", Schema::flag("For tests only."))
        .key(
            "jwks_uri",
            Schema::text("Where its keys are; left out: discovered."),
        )
        .key(
            "jwks_file",
            Schema::text("A file with its keys, for closed networks."),
        )
        .key(
            "algorithms",
            Schema::list("", Schema::one_of("", words(ALGORITHMS))),
        )
        .key("tenants", names("Of a provider with many."))
        .key("clients", names("Clients whose tokens count."))
        .key("scopes", names("Scopes that a token must have."))
        .key(
            "audience_claim",
            Schema::text("Where the audience stands, instead of `aud`."),
        )
        .key(
            "rfc9068",
            Schema::flag("Tokens must say that they are access tokens."),
        )
        .key("id_tokens", Schema::flag("ID tokens count."))
        .key("leeway", Schema::duration("How far clocks may be apart."))
        .key("max_lifetime", Schema::duration("Longer tokens are refused."))
        .key(
            "required",
            conditions("Claims and the values that they must have."),
        )
        .key("subject", names("Claims that name the account."))
        .key("subject_prefix", Schema::text(""))
        .key("person", Schema::text("A claim that joins one human's accounts."))
        .key("groups", Schema::list("Claims that name groups.", groups(true)))
        .key("synthetic_groups", Schema::list("", synthetic))
        .key(
            "namespace",
            Schema::any_text("Stands in front of each of its groups."),
        )
        .key("machine", machine)
        .key(
            "directory_key",
            Schema::text("The claim by which a directory knows the account."),
        )
        .key(
            "resolve",
            Schema::one_of("When the directory is asked.", ["on_overage", "always"]),
        )
        .key("resolved", groups(false))
        .key(
            "overage",
            Schema::one_of("When a token's list of groups is cut off.", ["deny", "resolver"]),
        )
        .key("resolver", directory())
}

fn groups(claim: bool) -> Schema {
    let table = Schema::table("How a claim names groups.");
    let named = Schema::text("Its exact name, or a JSON Pointer.");
    let table = if claim {
        table.required("claim", named)
    } else {
        table.key("claim", named)
    };
    table
        .key(
            "shape",
            Schema::one_of("What its value looks like.", words(SHAPES)),
        )
        .key("prefix", Schema::any_text("Put in front of each name."))
        .key("strip_prefix", Schema::any_text("Taken off the front."))
        .key("require_prefix", Schema::any_text("Only such names count."))
        .key(
            "rename",
            Schema::table("What some names are called here.").any_key(Schema::text("")),
        )
}

fn directory() -> Schema {
    Schema::table("Where groups are asked for that the token does not carry.")
        .required("kind", Schema::one_of("", words(resolver::KINDS)))
        .key("tenant", Schema::text(""))
        .key("client_id", Schema::text(""))
        .key("client_secret", Schema::text(""))
        .key("base_url", Schema::text(""))
        .key("token_url", Schema::text(""))
        .key("security_enabled_only", Schema::flag(""))
        .key("key_file", Schema::text("The service account's key file."))
        .key("key", Schema::text(""))
        .key(
            "admin",
            Schema::text("The administrator that the account acts as."),
        )
}

fn upstream() -> Schema {
    let path = Schema::table("A path of your own.")
        .required("path", Schema::text(""))
        .required("dialect", Schema::one_of("", words(DIALECTS)));
    Schema::table("Where requests go.")
        .required("name", Schema::text(""))
        .required("base_url", Schema::text("A path in it is kept as a prefix."))
        .key(
            "routes",
            Schema::list("Built-in routes.", Schema::one_of("", words(ROUTES))),
        )
        .key("paths", Schema::list("", path))
        .key("hosts", names("What clients of the forward mode ask for."))
        .required("credential", credential(true))
}

fn credential(outer: bool) -> Schema {
    // Known, and refused in this version.
    let kinds = words(KINDS).into_iter().filter(|kind| *kind != "aws");
    let table = Schema::table("What the upstream asks for. It never reaches a client.")
        .required("kind", Schema::one_of("", kinds))
        .key(
            "value",
            Schema::text("Best `{ env = \"NAME\" }` or `{ file = \"path\" }`."),
        )
        .key("header", Schema::text("Left out: `authorization`."))
        .key("token", Schema::text(""))
        .key("api_url", Schema::text(""))
        .key("editor_version", Schema::text(""))
        .key("token_url", Schema::text(""))
        .key("client_id", Schema::text(""))
        .key("client_secret", Schema::text(""))
        .key("auth", Schema::one_of("", words(AUTHS)))
        .key("scope", Schema::text(""))
        .key("audience", Schema::text(""))
        .key("resource", Schema::text(""))
        .key("subject", Schema::text("`caller`, or `{ file = \"path\" }`."))
        .key("subject_token_type", Schema::one_of("", words(TOKEN_KINDS)))
        .key("actor", Schema::text(""));
    if !outer {
        return table;
    }
    let group = Schema::table("A group's own credential.")
        .required("group", Schema::text(""))
        .required("credential", credential(false));
    table
        .key("groups", Schema::list("", group))
        .key("default", credential(false))
}

fn approvals() -> Schema {
    Schema::table("How approvals go.")
        .key(
            "reviewer_groups",
            names("One person of any of these may approve."),
        )
        .key(
            "hold_streaming",
            Schema::duration("How long a streaming request is held."),
        )
        .key(
            "hold_plain",
            Schema::duration("How long a plain request is held."),
        )
        .key(
            "pending_ttl",
            Schema::duration("How long an approval waits for votes."),
        )
        .key(
            "ride_window",
            Schema::duration("How long covered requests may ride on a used approval."),
        )
        .key("ride_uses", Schema::number("How many may.", 0))
}

fn audit() -> Schema {
    Schema::table("How the record is kept.")
        .key(
            "on_failure",
            Schema::one_of("When it cannot be written.", ["deny", "best_effort"]),
        )
        .key(
            "max_undurable",
            Schema::bytes("What may be delivered before it is durable."),
        )
        .key("auditor_groups", names("Who may read it."))
        .key("sink", Schema::text("A file that gets a copy of every event."))
}

fn admin() -> Schema {
    Schema::table("Who may sign in to the admin plane.")
        .required("audiences", names("Never one of the data plane."))
        .key("operator_groups", names("Who may take access back."))
        .key(
            "login_max_age",
            Schema::duration("Votes need a login that is no older."),
        )
}

fn login() -> Schema {
    Schema::table("Where the login command signs in.")
        .required("issuer", Schema::text("One of `[[identity.issuers]]`."))
        .required(
            "client_id",
            Schema::text("A public client with the device grant."),
        )
        .key("scopes", Schema::list("", Schema::text("")))
        .key("resource", Schema::text(""))
        .key("audience", Schema::text(""))
        .key("token", Schema::one_of("", ["access", "id"]))
        .key("grant_lifetime", Schema::duration("At most 30 days."))
}

fn forward() -> Schema {
    Schema::table("The forward mode.")
        .key("tunnel", names("Hosts that are let through without a look."))
        .key("own_hosts", names("The proxy's own names."))
        .key("max_tunnels", Schema::number("", 1))
        .key("idle_timeout", Schema::duration(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use copilot_guard::policy::reader::{Elsewhere, Problems};
    use copilot_guard::secret::Secret;

    /// Every table of a configuration once, and each kind of those that differ by kind.
    const EVERY_TABLE: &str = r#"
        keys = { file = "guard.keys" }
        policy = {}
        store = {}
        approvals = {}
        audit = {}
        admin = {}
        login = {}
        [server]
        ca = {}
        tls = {}
        [forward]
        [[identity.issuers]]
        required = { a = "b" }
        groups = [{ claim = "a", rename = { a = "b" } }]
        synthetic_groups = [{ when = { a = "b" } }]
        machine = { a = "b" }
        resolved = { rename = { a = "b" } }
        resolver = { kind = "graph" }
        [[identity.issuers]]
        resolved = { claim = "a" }
        resolver = { kind = "google" }
        [[upstreams]]
        paths = [{}]
        [upstreams.credential]
        kind = "per-group"
        default = { kind = "static" }
        [[upstreams.credential.groups]]
        credential = { kind = "static" }
        [[upstreams.credential.groups]]
        credential = { kind = "copilot-exchange" }
        [[upstreams.credential.groups]]
        credential = { kind = "client-credentials" }
        [[upstreams.credential.groups]]
        credential = { kind = "token-exchange" }
    "#;

    /// What the last table of a credential says, for each kind and each place where one may stand.
    fn every_file() -> Vec<String> {
        let kinds = [
            "static",
            "copilot-exchange",
            "client-credentials",
            "token-exchange",
        ];
        let alone = |kind| format!("[[upstreams]]\ncredential = {{ kind = \"{kind}\" }}\n");
        let default = |kind| {
            format!(
                "[[upstreams]]\ncredential = {{ kind = \"per-group\", default = {{ kind = \"{kind}\" }} }}\n"
            )
        };
        let more = kinds.iter().flat_map(|kind| [alone(kind), default(kind)]);
        std::iter::once(EVERY_TABLE.to_owned()).chain(more).collect()
    }

    #[test]
    fn the_schema_has_the_keys_that_are_read() {
        let mut keys = std::collections::BTreeSet::new();
        for text in every_file() {
            let problems = Problems::new("guard.toml", &text)
                .with_elsewhere(|_: &Elsewhere| Ok(Secret::new("not-needed")));
            let mended = forward_too(&text);
            super::super::keys_of(&problems, &text);
            keys.extend(problems.keys());
            let problems = Problems::new("guard.toml", &mended);
            super::super::keys_of(&problems, &mended);
            keys.extend(problems.keys());
        }
        assert_eq!(keys, config().keys());
    }

    /// The same with a CA, without which the forward mode is not read.
    fn forward_too(text: &str) -> String {
        text.replace(
            "ca = {}",
            "listen = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\nmode = \"forward\"\nca = { cert = \"a\", key = \"b\" }",
        )
        .replace("tls = {}", "")
    }

    #[test]
    fn the_committed_schema_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guard.schema.json");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == schema(),
            "write it anew: copilot-guard-proxy schema config > docs/guard.schema.json"
        );
    }
}
