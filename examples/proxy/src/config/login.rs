//! `[login]`: where the command `login` signs in, and how long what it gets may last.

use std::time::Duration;

use copilot_guard::access::MAX_GRANT_LIFETIME;
use copilot_guard::guard::LoginHint;
use copilot_guard::policy::reader::{Table, Value};

use super::Context;
use super::identity::{Issuer, values};
use super::store::span;

/// How laptops sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// What the command is told; nothing where the file has no `[login]`.
    pub(crate) hint: Option<LoginHint>,
    /// How long a device grant lasts.
    pub(crate) grant_lifetime: Duration,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            hint: None,
            // Nobody can sign in from the command line, so nobody needs what it would bring.
            grant_lifetime: Duration::ZERO,
        }
    }
}

pub(super) fn read(context: &Context<'_>, mut table: Table<'_>, issuers: &[Issuer]) -> Option<Login> {
    let issuer = context.text(&mut table, "issuer", "write one of `[[identity.issuers]]`");
    let client = context.text(
        &mut table,
        "client_id",
        "register a public client with the device grant (RFC 8628), and write its id",
    );
    let scopes = table.take("scopes").and_then(Value::strings).unwrap_or_default();
    let resource = table.take("resource").and_then(Value::string);
    let audience = table.take("audience").and_then(Value::string);
    let tokens = [("access", false), ("id", true)];
    let token = table.take("token").and_then(|v| v.one_of(&tokens));
    let lifetime_at = table.at_key("grant_lifetime");
    let default = copilot_guard::guard::Settings::default().grant_lifetime;
    let grant_lifetime = span(context, &mut table, "grant_lifetime", default);
    table.finish();
    if grant_lifetime > MAX_GRANT_LIFETIME {
        context.add(
            &lifetime_at,
            "a device grant would last too long",
            "it lies on a disk, and nobody looks at it for as long as it works",
            "write 30d or less",
        );
    }
    let issuer = issuer?;
    let known = issuers.iter().find(|known| known.config.issuer == issuer.value);
    if let Some(known) = known {
        if let Some(token) = token.as_ref().filter(|t| t.value && !known.config.id_tokens) {
            context.add(
                &token.at,
                "ID tokens of this issuer are refused here",
                "every login would end with a token that does not work",
                "write `token = \"access\"`, or `id_tokens = true` at the issuer",
            );
        }
        // With keys of its own, an issuer may have any name; the command asks it for its addresses.
        if known.jwks_file.is_some() || known.config.jwks_uri.is_some() {
            let _ = context.url(&issuer, known.config.allow_http_loopback);
        }
    } else {
        context.add(
            &issuer.at,
            format!("{} is none of `[[identity.issuers]]`", issuer.shown()),
            "its tokens would be refused here",
            "copy the issuer byte for byte",
        );
    }
    let mut hint = LoginHint::new(issuer.value, client?.value);
    hint.scopes = values(scopes);
    hint.resource = resource.map(|r| r.value);
    hint.audience = audience.map(|a| a.value);
    hint.id_token = token.is_some_and(|t| t.value);
    Some(Login {
        hint: Some(hint),
        grant_lifetime,
    })
}
