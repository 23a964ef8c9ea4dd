//! What the tables with secrets share: the secrets, where they may be sent, and in which header.

use std::path::PathBuf;

use copilot_guard::outbound::Endpoint;
use copilot_guard::policy::reader::{At, Elsewhere, Located, Table, Value};
use copilot_guard::secret::Secret;

use super::Context;

/// A secret, and the file that it is in.
#[derive(Debug, Clone)]
pub(crate) struct SecretValue {
    /// As it was when the configuration was read.
    pub(crate) value: Secret,
    /// Read again when it changes.
    pub(crate) file: Option<PathBuf>,
}

/// A text that may be left out; the outer nothing is a problem that was reported.
pub(super) fn optional(
    context: &Context<'_>,
    table: &mut Table<'_>,
    name: &'static str,
) -> Option<Option<String>> {
    match table.take(name) {
        None => Some(None),
        Some(value) => {
            let text = value.string().filter(|text| context.filled(text))?;
            Some(Some(text.value))
        }
    }
}

/// An address that secrets may be sent to.
pub(super) fn endpoint(context: &Context<'_>, text: &Located<String>) -> Option<Endpoint> {
    context.url(text, true)?;
    // Only what was reported above could be wrong with it.
    Endpoint::parse(&text.value, true).ok()
}

/// A secret that must be there.
pub(super) fn secret(
    context: &Context<'_>,
    table: &mut Table<'_>,
    name: &'static str,
) -> Option<(At, SecretValue)> {
    let mend = format!("write `{name} = {{ env = \"NAME\" }}` or `{{ file = \"path\" }}`");
    let value = table.require(name, &mend)?;
    let at = value.at.clone();
    secret_of(context, value).map(|secret| (at, secret))
}

/// A secret where one stands.
pub(super) fn secret_of(context: &Context<'_>, value: Value<'_>) -> Option<SecretValue> {
    let text = value.secret()?;
    if text.value.expose().is_empty() {
        let why = "nobody would accept it";
        context.add(&text.at, "the secret is empty", why, "check where it is kept");
        return None;
    }
    let file = match text.from {
        Some(Elsewhere::File(path)) => Some(context.folder.join(path)),
        _ => None,
    };
    Some(SecretValue {
        value: text.value,
        file,
    })
}

/// The header that a credential goes into.
pub(super) fn header(context: &Context<'_>, table: &mut Table<'_>) -> Option<http::HeaderName> {
    match table.take("header") {
        None => Some(http::header::AUTHORIZATION),
        Some(value) => header_name(context, &value.string()?),
    }
}

fn header_name(context: &Context<'_>, text: &Located<String>) -> Option<http::HeaderName> {
    let name = text.value.parse().ok();
    if name.is_none() {
        let why = "it has characters that no header name has";
        context.add(
            &text.at,
            format!("{} is not a header", text.shown()),
            why,
            "write one such as \"x-api-key\"",
        );
    }
    name
}

/// Only visible ASCII can be sent.
pub(super) fn fits_header(context: &Context<'_>, at: &At, value: &Secret) -> Option<()> {
    if !value.expose().is_empty() && value.expose().bytes().all(|b| b.is_ascii_graphic()) {
        return Some(());
    }
    let why = "a header can carry visible ASCII only, and the value is empty or holds something else";
    let mend = "check where the value comes from";
    context.add(at, "the credential cannot be sent", why, mend);
    None
}
