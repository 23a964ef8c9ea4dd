//! `[[identity.issuers]]`: whose tokens count, and what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use copilot_guard::policy::reader::{Located, Table, Value};

use super::Context;

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    /// Byte for byte as the tokens name it.
    pub(crate) issuer: String,
    /// A token must be for one of these.
    pub(crate) audiences: Vec<String>,
    pub(crate) keys: KeySource,
    /// JWS algorithm names.
    pub(crate) algorithms: Vec<String>,
    /// For tests: this issuer may be reached by http on loopback.
    pub(crate) allow_http_loopback: bool,
    /// Claims that name groups: a name, or a JSON Pointer that begins with `/`.
    pub(crate) groups: Vec<String>,
    /// Claims that must have these values.
    pub(crate) required: BTreeMap<String, String>,
    /// The claim that names the subject.
    pub(crate) subject: String,
    /// The claim that joins one human's accounts.
    pub(crate) person: Option<String>,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// From the issuer's discovery document.
    Discovered,
    /// From this address.
    Address(String),
    /// From this file, for air-gapped use.
    File(PathBuf),
}

const ALGORITHMS: &[(&str, &str)] = &[
    ("RS256", "RS256"),
    ("RS384", "RS384"),
    ("RS512", "RS512"),
    ("PS256", "PS256"),
    ("PS384", "PS384"),
    ("PS512", "PS512"),
    ("ES256", "ES256"),
    ("ES384", "ES384"),
    ("EdDSA", "EdDSA"),
];

const DEFAULT_ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

pub(super) fn read(context: &Context<'_>, mut table: Table<'_>) -> Vec<Issuer> {
    let mend = "write `[[identity.issuers]]` with issuer and audiences";
    let list = table.require("issuers", mend);
    table.finish();
    if let Some(list) = list.as_ref().filter(|l| l.is_empty_list()) {
        context.add(&list.at, "there is no issuer", "nobody could ever sign in", mend);
    }
    let mut seen = BTreeSet::new();
    let tables = list.map(Value::tables).unwrap_or_default();
    tables
        .into_iter()
        .filter_map(|t| issuer(context, t, &mut seen))
        .collect()
}

fn issuer(context: &Context<'_>, mut table: Table<'_>, seen: &mut BTreeSet<String>) -> Option<Issuer> {
    let issuer = context.text(
        &mut table,
        "issuer",
        "write the issuer as its tokens name it (`iss`)",
    );
    let audiences = context.names(
        &mut table,
        "audiences",
        "name the audience of this gateway (`aud`)",
    );
    let allow_http = table
        .take("allow_http_loopback")
        .and_then(Value::boolean)
        .is_some_and(|b| b.value);
    let jwks_uri = table.take("jwks_uri").and_then(Value::string);
    let jwks_file = table.take("jwks_file").and_then(Value::string);
    let algorithms = table.take("algorithms").map(|v| algorithms(context, v));
    let groups = table.take("groups").map(|v| groups(context, v));
    let required = table
        .take("required")
        .and_then(Value::table)
        .map(required)
        .unwrap_or_default();
    let subject = table
        .take("subject")
        .and_then(Value::string)
        .filter(|t| context.filled(t));
    let person = table
        .take("person")
        .and_then(Value::string)
        .filter(|t| context.filled(t));
    table.finish();

    if let Some(issuer) = &issuer {
        let _ = context.url(issuer, allow_http);
        if !seen.insert(issuer.value.clone()) {
            let why = "two readings of one token could differ";
            context.add(
                &issuer.at,
                "the issuer is given twice",
                why,
                "join both into one, with all audiences",
            );
        }
    }
    if let (Some(_), Some(file)) = (&jwks_uri, &jwks_file) {
        let why = "`jwks_uri` names them already";
        context.add(
            &file.at,
            "two places for the keys",
            why,
            "keep one of `jwks_uri` and `jwks_file`",
        );
    }
    let keys = match (jwks_uri, jwks_file) {
        (_, Some(file)) => KeySource::File(context.path(file)?),
        (Some(uri), None) => {
            context.url(&uri, allow_http)?;
            KeySource::Address(uri.value)
        }
        (None, None) => KeySource::Discovered,
    };
    Some(Issuer {
        issuer: issuer?.value,
        audiences: values(audiences?),
        keys,
        algorithms: algorithms.unwrap_or_else(|| DEFAULT_ALGORITHMS.map(str::to_owned).to_vec()),
        allow_http_loopback: allow_http,
        groups: groups.unwrap_or_else(|| vec!["groups".to_owned()]),
        required,
        subject: subject.map_or_else(|| "sub".to_owned(), |s| s.value),
        person: person.map(|p| p.value),
    })
}

pub(super) fn values(list: Vec<Located<String>>) -> Vec<String> {
    list.into_iter().map(|item| item.value).collect()
}

fn algorithms(context: &Context<'_>, value: Value<'_>) -> Vec<String> {
    if value.is_empty_list() {
        context.add(
            &value.at,
            "the list is empty",
            "no token could ever be accepted",
            "name one, or leave the key out",
        );
    }
    let items = value.list().unwrap_or_default();
    items
        .into_iter()
        .filter_map(|v| v.one_of(ALGORITHMS))
        .map(|a| a.value.to_owned())
        .collect()
}

fn groups(context: &Context<'_>, value: Value<'_>) -> Vec<String> {
    let claim = |mut table: Table<'_>| {
        let claim = context.text(&mut table, "claim", "name the claim that holds the groups");
        table.finish();
        claim.map(|c| c.value)
    };
    value.tables().into_iter().filter_map(claim).collect()
}

fn required(mut table: Table<'_>) -> BTreeMap<String, String> {
    let claims = table.take_all().into_iter();
    claims
        .filter_map(|(name, value)| Some((name, value.string()?.value)))
        .collect()
}
