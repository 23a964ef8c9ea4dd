//! `credential = { kind = … }`: what an upstream is shown.

use std::path::PathBuf;

use copilot_guard::credential::TokenKind;
use copilot_guard::outbound::Endpoint;
use copilot_guard::policy::reader::{Elsewhere, Table, Value};
use copilot_guard::secret::Secret;

use super::Context;
use super::secrets::{SecretValue, endpoint, fits_header, header, optional, secret, secret_of};

/// What the upstream is shown.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// Nothing.
    None,
    /// Always the same value, in this header; as `Bearer` when the header is `authorization`.
    Static { header: http::HeaderName, value: Secret },
    /// What a file holds, whenever it changes.
    File {
        header: http::HeaderName,
        path: PathBuf,
        /// What it holds now.
        value: Secret,
    },
    /// A Copilot token for a GitHub token.
    CopilotExchange {
        token: SecretValue,
        api: Endpoint,
        editor_version: Option<http::HeaderValue>,
    },
    /// A token for the gateway itself.
    ClientCredentials(Box<TokenClient>),
    /// A token for another one.
    TokenExchange {
        client: Box<TokenClient>,
        subject: Subject,
        subject_kind: TokenKind,
        actor: Option<SecretValue>,
    },
    /// By the caller's groups; the first of the list counts.
    PerGroup {
        groups: Vec<(String, Credential)>,
        default: Option<Box<Credential>>,
    },
}

/// What a token endpoint is asked, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct TokenClient {
    pub(crate) url: Endpoint,
    pub(crate) id: Option<String>,
    pub(crate) secret: Option<SecretValue>,
    pub(crate) auth: Auth,
    pub(crate) scope: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) header: http::HeaderName,
}

/// Where id and secret stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    Basic,
    Post,
}

/// Whose token is exchanged.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    Caller,
    File(PathBuf),
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    None,
    Static,
    CopilotExchange,
    ClientCredentials,
    TokenExchange,
    PerGroup,
    NotBuilt,
}

pub(super) const KINDS: &[(&str, Kind)] = &[
    ("static", Kind::Static),
    ("none", Kind::None),
    ("copilot-exchange", Kind::CopilotExchange),
    ("client-credentials", Kind::ClientCredentials),
    ("token-exchange", Kind::TokenExchange),
    ("per-group", Kind::PerGroup),
    ("aws", Kind::NotBuilt),
];

pub(super) const AUTHS: &[(&str, Auth)] = &[("basic", Auth::Basic), ("post", Auth::Post)];

pub(super) const TOKEN_KINDS: &[(&str, TokenKind)] = &[
    ("jwt", TokenKind::Jwt),
    ("access_token", TokenKind::AccessToken),
    ("id_token", TokenKind::IdToken),
];

const GITHUB: &str = "https://api.github.com";

// === impl Credential ===

impl Credential {
    /// Its secrets, as they were when the configuration was read: none of them may come down.
    pub(crate) fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::None => Vec::new(),
            Self::Static { value, .. } | Self::File { value, .. } => vec![value],
            Self::CopilotExchange { token, .. } => vec![&token.value],
            Self::ClientCredentials(client) => client.secret.iter().map(|s| &s.value).collect(),
            Self::TokenExchange { client, actor, .. } => {
                let both = client.secret.iter().chain(actor);
                both.map(|s| &s.value).collect()
            }
            Self::PerGroup { groups, default } => {
                let all = groups.iter().map(|(_, own)| own).chain(default.as_deref());
                all.flat_map(Self::secrets).collect()
            }
        }
    }

    /// Whether the guard must hand the caller's own token on to the provider.
    pub(crate) fn needs_caller_token(&self) -> bool {
        match self {
            Self::TokenExchange { subject, .. } => matches!(subject, Subject::Caller),
            Self::PerGroup { groups, default } => {
                let mut all = groups.iter().map(|(_, own)| own).chain(default.as_deref());
                all.any(Self::needs_caller_token)
            }
            _ => false,
        }
    }
}

pub(super) fn read(context: &Context<'_>, table: Table<'_>) -> Option<Credential> {
    read_within(context, table, false)
}

/// `grouped`: it is one of a group's, where there must be one.
fn read_within(context: &Context<'_>, mut table: Table<'_>, grouped: bool) -> Option<Credential> {
    let kind = table
        .require("kind", "write `kind = \"static\"` or `kind = \"none\"`")
        .and_then(|v| v.one_of(KINDS))?;
    match kind.value {
        Kind::None | Kind::PerGroup if grouped => {
            let why = "a group's credential is one of the other kinds";
            let mend = "write `kind = \"static\"`, or leave the group out";
            context.add(&kind.at, "this kind cannot stand here", why, mend);
            None
        }
        Kind::None => {
            table.finish();
            Some(Credential::None)
        }
        Kind::Static => fixed(context, table),
        Kind::CopilotExchange => copilot(context, table),
        Kind::ClientCredentials => {
            let at = table.at().clone();
            let client = token_client(context, &mut table);
            table.finish();
            let client = client?;
            if client.secret.is_none() {
                let why = "the gateway must prove to the token endpoint who it is";
                let mend = "write `client_id` and `client_secret = { env = \"NAME\" }`";
                context.add(&at, "`client_secret` is missing", why, mend);
                return None;
            }
            Some(Credential::ClientCredentials(Box::new(client)))
        }
        Kind::TokenExchange => exchange(context, table),
        Kind::PerGroup => per_group(context, table),
        Kind::NotBuilt => {
            context.add(
                &kind.at,
                "this kind of credential is not built in this version",
                "it would need a signature for each request",
                "write `kind = \"static\"` and give the value, or put a signing proxy on this machine behind it",
            );
            None
        }
    }
}

fn fixed(context: &Context<'_>, mut table: Table<'_>) -> Option<Credential> {
    let value = secret(context, &mut table, "value");
    let header = header(context, &mut table);
    table.finish();
    let (header, (at, value)) = (header?, value?);
    fits_header(context, &at, &value.value)?;
    let SecretValue { value, file } = value;
    Some(match file {
        Some(path) => Credential::File { header, path, value },
        None => Credential::Static { header, value },
    })
}

fn copilot(context: &Context<'_>, mut table: Table<'_>) -> Option<Credential> {
    let token = secret(context, &mut table, "token");
    let api = match table.take("api_url").map(Value::string) {
        None => Endpoint::parse(GITHUB, false).ok(),
        Some(text) => text.and_then(|text| endpoint(context, &text)),
    };
    let editor = table.take("editor_version").map(|value| {
        let text = value.string()?;
        let value = http::HeaderValue::from_str(&text.value).ok();
        if value.is_none() || text.value.is_empty() {
            let why = "a header cannot carry it";
            let mend = "write one such as \"vscode/1.110.0\"";
            context.add(&text.at, format!("{} is no version", text.shown()), why, mend);
            return None;
        }
        value
    });
    table.finish();
    let (at, token) = token?;
    fits_header(context, &at, &token.value)?;
    let editor_version = match editor {
        Some(editor) => Some(editor?),
        None => None,
    };
    Some(Credential::CopilotExchange {
        token,
        api: api?,
        editor_version,
    })
}

fn exchange(context: &Context<'_>, mut table: Table<'_>) -> Option<Credential> {
    let client = token_client(context, &mut table);
    let mend = "write `subject = \"caller\"`, or `subject = { file = \"…\" }` for a workload's token";
    let subject = table.require("subject", mend).and_then(Value::secret);
    let subject = subject.and_then(|text| match &text.from {
        Some(Elsewhere::File(path)) => Some(Subject::File(context.folder.join(path))),
        None if text.value.expose() == "caller" => Some(Subject::Caller),
        _ => {
            let why = "it is neither \"caller\" nor a file";
            context.add(&text.at, "unknown subject", why, mend);
            None
        }
    });
    let kind = table
        .take("subject_token_type")
        .map(|value| value.one_of(TOKEN_KINDS).map(|kind| kind.value));
    let actor = table.take("actor").map(|value| secret_of(context, value));
    table.finish();
    Some(Credential::TokenExchange {
        client: Box::new(client?),
        subject: subject?,
        subject_kind: kind.unwrap_or(Some(TokenKind::default()))?,
        actor: match actor {
            Some(actor) => Some(actor?),
            None => None,
        },
    })
}

fn per_group(context: &Context<'_>, mut table: Table<'_>) -> Option<Credential> {
    let mend = "write `groups = [{ group = \"…\", credential = { … } }]`";
    let list = table.require("groups", mend);
    let default = table
        .take("default")
        .map(|value| value.table().and_then(|t| read_within(context, t, true)));
    table.finish();
    let list = list?;
    let at = list.at.clone();
    let mut groups: Vec<(String, Credential)> = Vec::new();
    let mut is_whole = true;
    for mut table in list.tables() {
        let group = context.text(&mut table, "group", "name the group");
        let own = table
            .require("credential", "write the group's `credential = { … }`")
            .and_then(Value::table)
            .and_then(|t| read_within(context, t, true));
        table.finish();
        let (Some(group), Some(own)) = (group, own) else {
            is_whole = false;
            continue;
        };
        if groups.iter().any(|(name, _)| *name == group.value) {
            let what = format!("the group {} has two credentials", group.shown());
            context.add(
                &group.at,
                what,
                "only the first could ever be used",
                "leave one out",
            );
            is_whole = false;
        }
        groups.push((group.value, own));
    }
    if groups.is_empty() && is_whole {
        context.add(&at, "the list is empty", "no group would have a credential", mend);
        is_whole = false;
    }
    let default = match default {
        Some(default) => Some(Box::new(default?)),
        None => None,
    };
    is_whole.then_some(Credential::PerGroup { groups, default })
}

fn token_client(context: &Context<'_>, table: &mut Table<'_>) -> Option<TokenClient> {
    let url = context
        .text(table, "token_url", "write the address of the token endpoint")
        .and_then(|text| endpoint(context, &text));
    let id_at = table.at_key("client_id");
    let id = optional(context, table, "client_id");
    let client_secret = table.take("client_secret").map(|value| secret_of(context, value));
    let auth = table.take("auth").map(|value| value.one_of(AUTHS));
    let scope = optional(context, table, "scope");
    let audience = optional(context, table, "audience");
    let resource = optional(context, table, "resource");
    let header = header(context, table);
    let id = id?;
    let secret = match client_secret {
        Some(secret) => Some(secret?),
        None => None,
    };
    if secret.is_some() && id.is_none() {
        let why = "a secret without an id says nothing";
        context.add(&id_at, "`client_id` is missing", why, "write the client's id");
        return None;
    }
    Some(TokenClient {
        url: url?,
        id,
        secret,
        auth: match auth {
            Some(auth) => auth?.value,
            None => Auth::Basic,
        },
        scope: scope?,
        audience: audience?,
        resource: resource?,
        header: header?,
    })
}
