//! `resolver = { kind = … }`: the directory that knows groups which an issuer's tokens do not carry.

use copilot_guard::outbound::Endpoint;
use copilot_guard::policy::reader::{Located, Table, Value};

use super::Context;
use super::secrets::{SecretValue, endpoint, secret};

/// A directory.
#[derive(Debug, Clone)]
pub(crate) enum Resolver {
    /// Microsoft Graph, for Entra ID.
    Graph {
        base: Endpoint,
        token_url: Endpoint,
        client_id: String,
        client_secret: SecretValue,
        /// Only groups that may be used for access.
        security_only: bool,
    },
    /// The Directory API of Google Workspace.
    Google {
        base: Endpoint,
        token_url: Endpoint,
        /// The key file of a service account.
        key: SecretValue,
        /// The administrator that it acts as.
        admin: String,
    },
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Graph,
    Google,
}

pub(super) const KINDS: &[(&str, Kind)] = &[("graph", Kind::Graph), ("google", Kind::Google)];

const GRAPH: &str = "https://graph.microsoft.com";
const ENTRA: &str = "https://login.microsoftonline.com";
const GOOGLE: &str = "https://admin.googleapis.com";
const GOOGLE_TOKENS: &str = "https://oauth2.googleapis.com/token";

// === impl Resolver ===

impl Resolver {
    /// Its secrets, as they were when the configuration was read.
    pub(crate) fn secrets(&self) -> Vec<&copilot_guard::secret::Secret> {
        match self {
            Self::Graph { client_secret, .. } => vec![&client_secret.value],
            // A whole file never comes back, and its key alone is not text of one line.
            Self::Google { .. } => Vec::new(),
        }
    }
}

/// Reads the table of a resolver.
pub(super) fn resolver_of(context: &Context<'_>, mut table: Table<'_>) -> Option<Resolver> {
    let kind = table
        .require("kind", "write `kind = \"graph\"` or `kind = \"google\"`")
        .and_then(|v| v.one_of(KINDS))?;
    match kind.value {
        Kind::Graph => graph(context, table),
        Kind::Google => google(context, table),
    }
}

fn graph(context: &Context<'_>, mut table: Table<'_>) -> Option<Resolver> {
    let tenant = context
        .text(&mut table, "tenant", "write the tenant's id, a GUID")
        .and_then(|text| tenant(context, &text));
    let client_id = context.text(
        &mut table,
        "client_id",
        "write the id of the app that may read members",
    );
    let client_secret = secret(context, &mut table, "client_secret");
    let base = address(context, &mut table, "base_url", GRAPH);
    let own_tokens = table
        .take("token_url")
        .map(|value| value.string().and_then(|text| endpoint(context, &text)));
    let security_only = match table.take("security_enabled_only") {
        None => Some(true),
        Some(value) => value.boolean().map(|only| only.value),
    };
    table.finish();
    let tenant = tenant?;
    Some(Resolver::Graph {
        base: base?,
        token_url: match own_tokens {
            Some(own) => own?,
            None => Endpoint::parse(&format!("{ENTRA}/{tenant}/oauth2/v2.0/token"), false).ok()?,
        },
        client_id: client_id?.value,
        client_secret: client_secret?.1,
        security_only: security_only?,
    })
}

fn google(context: &Context<'_>, mut table: Table<'_>) -> Option<Resolver> {
    let mend = "name the service account's key file, or write `key = { env = \"NAME\" }`";
    let key = match table.take("key_file") {
        Some(value) => value.string().and_then(|text| key_file(context, text)),
        None => match table.take("key") {
            Some(value) => value.secret().map(|text| SecretValue {
                value: text.value,
                file: None,
            }),
            None => {
                let at = table.at_key("key_file");
                context.add(&at, "`key_file` is missing", "it is required here", mend);
                None
            }
        },
    };
    let admin = context.text(
        &mut table,
        "admin",
        "write the address of the administrator that the account acts as",
    );
    let base = address(context, &mut table, "base_url", GOOGLE);
    let token_url = address(context, &mut table, "token_url", GOOGLE_TOKENS);
    table.finish();
    Some(Resolver::Google {
        base: base?,
        token_url: token_url?,
        key: key?,
        admin: admin?.value,
    })
}

fn key_file(context: &Context<'_>, text: Located<String>) -> Option<SecretValue> {
    let at = text.at.clone();
    let path = context.path(text)?;
    match std::fs::read_to_string(&path) {
        Ok(content) => Some(SecretValue {
            value: copilot_guard::secret::Secret::new(content),
            file: Some(path),
        }),
        Err(error) => {
            let what = format!("the key file `{}` cannot be read", path.display());
            context.add(&at, what, error.to_string(), "check the path and its permissions");
            None
        }
    }
}

fn address(
    context: &Context<'_>,
    table: &mut Table<'_>,
    name: &'static str,
    default: &str,
) -> Option<Endpoint> {
    match table.take(name).map(Value::string) {
        None => Endpoint::parse(default, false).ok(),
        Some(text) => text.and_then(|text| endpoint(context, &text)),
    }
}

/// A GUID or a domain's name: it becomes a part of an address.
fn tenant(context: &Context<'_>, text: &Located<String>) -> Option<String> {
    let is_plain = text
        .value
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    let is_one = !["common", "organizations", "consumers"].contains(&text.value.as_str());
    if is_plain && is_one && text.value.bytes().any(|b| b.is_ascii_alphanumeric()) {
        return Some(text.value.clone());
    }
    let what = format!("{} is not one tenant", text.shown());
    let why = "accounts are looked up in the directory of one organisation";
    context.add(&text.at, what, why, "write the tenant's id, a GUID");
    None
}
