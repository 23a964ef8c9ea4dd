//! `[[identity.issuers]]`: whose tokens count, and what they say.

pub(super) mod claims;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use copilot_guard::policy::reader::{At, Located, Table, Value};
use copilot_guard::token::{Algorithm, GroupSource, IssuerConfig, MachineMark, Profile, Resolve};

use super::Context;
use super::resolver::{Resolver, resolver_of};

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    /// For the data plane; the admin plane has other audiences. Keys of a file are not yet in it.
    pub(crate) config: IssuerConfig,
    /// The file of the keys, for closed networks.
    pub(crate) jwks_file: Option<PathBuf>,
    /// The directory that knows groups which tokens do not carry.
    pub(crate) resolver: Option<Resolver>,
}

/// What happens to tokens whose list of groups is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overage {
    /// They are refused.
    Deny,
    /// The directory is asked.
    Resolver,
}

/// Whose verifiable tokens are ID tokens, all of them.
const GOOGLE: &str = "https://accounts.google.com";

pub(super) const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("RS256", Algorithm::Rs256),
    ("PS256", Algorithm::Ps256),
    ("ES256", Algorithm::Es256),
    ("ES384", Algorithm::Es384),
    ("EdDSA", Algorithm::EdDsa),
];

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
        .enumerate()
        .filter_map(|(n, table)| issuer(context, table, n, &mut seen))
        .collect()
}

fn issuer(
    context: &Context<'_>,
    mut table: Table<'_>,
    n: usize,
    seen: &mut BTreeSet<String>,
) -> Option<Issuer> {
    let places = Places::of(&table);
    let profile = table.take("profile").and_then(|v| v.one_of(&Profile::ALL));
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
    let allow_http = flag(&mut table, "allow_http_loopback").unwrap_or_default();
    let is_google = profile.is_none() && issuer.as_ref().is_some_and(|i| i.value == GOOGLE);
    let profile = profile.map(|p| p.value).unwrap_or_default();
    let mut config = IssuerConfig::of(profile, "", [""; 0]);
    config.id_tokens |= is_google;
    config.allow_http_loopback = allow_http;
    let keys = keys(context, &mut table, allow_http);
    tokens(context, &mut table, &mut config);
    callers(context, &mut table, &mut config);
    let overage_at = table.at_key("overage");
    let overage = directory(context, &mut table, &mut config);
    let resolver = table
        .take("resolver")
        .map(|v| v.table().and_then(|t| resolver_of(context, t)));
    table.finish();

    if let Some(issuer) = &issuer {
        // Elsewhere it is a name that is compared, and never asked.
        if matches!(keys, Some((None, None))) {
            let _ = context.url(issuer, allow_http);
        }
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
    let resolver = match resolver {
        Some(given) => Some(given?),
        None => None,
    };
    // Google's tokens name no groups, and mark nothing as cut off.
    if profile == Profile::Google && resolver.is_some() {
        config.resolve = Resolve::Always;
    }
    let overage = overage.unwrap_or(match resolver {
        Some(_) => Overage::Resolver,
        None => Overage::Deny,
    });
    if overage == Overage::Resolver && resolver.is_none() {
        context.add(
            &overage_at,
            "there is no directory to ask",
            "`overage = \"resolver\"` needs one",
            "add `resolver = { kind = \"graph\", … }`, or write `overage = \"deny\"`",
        );
    }
    if overage == Overage::Deny && resolver.is_some() && profile != Profile::Google {
        context.add(
            &overage_at,
            "`deny` and a directory contradict each other",
            "a list that is cut off would be completed by the directory, not refused",
            "write `overage = \"resolver\"`, or leave one of the two out",
        );
    }
    let (jwks_uri, jwks_file) = keys?;
    config.issuer = issuer?.value;
    config.audiences = values(audiences?);
    config.jwks_uri = jwks_uri;
    // The file is looked at later; that there is one is enough to check the rest.
    config.jwks_path.clone_from(&jwks_file);
    if !context.problems.has_below(&places.at) {
        places.check(context, &config, n);
    }
    config.jwks_path = None;
    Some(Issuer {
        config,
        jwks_file,
        resolver,
    })
}

/// Where things stand, for what is wrong with the whole.
struct Places {
    at: At,
    keys: Vec<(String, At)>,
}

impl Places {
    fn of(table: &Table<'_>) -> Self {
        let keys = [
            "issuer",
            "tenants",
            "namespace",
            "required",
            "groups",
            "synthetic_groups",
            "machine",
            "subject",
            "subject_prefix",
            "audience_claim",
            "clients",
            "scopes",
            "person",
            "directory_key",
            "leeway",
            "max_lifetime",
        ];
        Self {
            at: table.at().clone(),
            keys: keys.map(|key| (key.to_owned(), table.at_key(key))).into(),
        }
    }

    fn key(&self, name: &str) -> &At {
        self.keys
            .iter()
            .find(|(key, _)| key == name)
            .map_or(&self.at, |(_, at)| at)
    }

    /// The library's own checks, said where the cause stands.
    fn check(&self, context: &Context<'_>, config: &IssuerConfig, n: usize) {
        if let Err(error) = config.validate() {
            let what = format!("`{}` cannot work", error.key());
            let mend = "correct it as said";
            context.add(self.key(error.key()), what, error.mistake(), mend);
            return;
        }
        for warning in config.warnings() {
            let mend = "leave it, if it is meant";
            context.warn(self.key("issuer"), "worth a look", warning, mend);
        }
        if n > 0 && config.namespace.as_deref() == Some("") {
            context.warn(
                self.key("namespace"),
                "groups of this issuer count as those of the first",
                "its `namespace` is empty",
                "leave it so only where both name the same groups",
            );
        }
        let is_first = n == 0 && config.tenants.len() < 2;
        if config.namespace.is_none() && !is_first {
            let (whose, issuer) = match (n, config.tenants.first()) {
                (0, _) => ("each further tenant", config.issuer.clone()),
                _ => ("this issuer", config.issuer.clone()),
            };
            context.warn(
                self.key("namespace"),
                &format!("groups of {whose} are known here as `{issuer}#GROUP`"),
                "a group of one issuer is not that of another, though it may have its name",
                "write policies and reviewer groups so, or choose a `namespace`",
            );
        }
    }
}

type Keys = (Option<String>, Option<PathBuf>);

fn keys(context: &Context<'_>, table: &mut Table<'_>, allow_http: bool) -> Option<Keys> {
    let jwks_uri = table.take("jwks_uri").and_then(Value::string);
    let jwks_file = table.take("jwks_file").and_then(Value::string);
    if let (Some(_), Some(file)) = (&jwks_uri, &jwks_file) {
        let why = "`jwks_uri` names them already";
        context.add(
            &file.at,
            "two places for the keys",
            why,
            "keep one of `jwks_uri` and `jwks_file`",
        );
        return None;
    }
    let file = match jwks_file {
        Some(file) => Some(context.path(file)?),
        None => None,
    };
    if let Some(uri) = &jwks_uri {
        context.url(uri, allow_http)?;
    }
    Some((jwks_uri.map(|uri| uri.value), file))
}

/// Which tokens are accepted.
fn tokens(context: &Context<'_>, table: &mut Table<'_>, config: &mut IssuerConfig) {
    if let Some(algorithms) = table.take("algorithms").map(|v| algorithms(context, v)) {
        config.algorithms = algorithms;
    }
    for (name, to) in [
        ("tenants", &mut config.tenants),
        ("clients", &mut config.clients),
        ("scopes", &mut config.scopes),
    ] {
        set(to, list(context, table, name));
    }
    set(&mut config.audience_claim, text(context, table, "audience_claim"));
    set(&mut config.rfc9068, flag(table, "rfc9068"));
    set(&mut config.id_tokens, flag(table, "id_tokens"));
    set(&mut config.leeway, span(table, "leeway"));
    set(&mut config.max_lifetime, span(table, "max_lifetime"));
    if let Some(required) = table.take("required").and_then(Value::table) {
        config.required.extend(claims::conditions(required));
    }
}

/// Whom they name.
fn callers(context: &Context<'_>, table: &mut Table<'_>, config: &mut IssuerConfig) {
    set(&mut config.subject, list(context, table, "subject"));
    if let Some(prefix) = text(context, table, "subject_prefix") {
        config.subject_prefix = Some(prefix);
    }
    if let Some(person) = text(context, table, "person") {
        config.person = Some(person);
    }
    if let Some(groups) = table.take("groups") {
        config.groups = claims::sources(context, groups);
    }
    if let Some(groups) = table.take("synthetic_groups") {
        config.synthetic_groups = claims::synthetic(context, groups);
    }
    // Empty is a namespace, too: the one that the first issuer has.
    if let Some(namespace) = table.take("namespace").and_then(Value::string) {
        config.namespace = Some(namespace.value);
    }
    match table.take("machine") {
        None => {}
        Some(value) if value.is_table() => {
            let claims = value.table().map(claims::conditions).unwrap_or_default();
            config.machine.push(MachineMark::When(claims));
        }
        Some(value) => match value.boolean().map(|b| b.value) {
            Some(true) => config.machine = vec![MachineMark::Always],
            Some(false) => config.machine.clear(),
            None => {}
        },
    }
}

/// Where groups are asked for that the token does not carry.
fn directory(context: &Context<'_>, table: &mut Table<'_>, config: &mut IssuerConfig) -> Option<Overage> {
    if let Some(key) = text(context, table, "directory_key") {
        config.directory_key = Some(key);
    }
    if let Some(resolve) = table
        .take("resolve")
        .and_then(|v| v.one_of(&[("on_overage", Resolve::OnOverage), ("always", Resolve::Always)]))
    {
        config.resolve = resolve.value;
    }
    // What the directory says is read as the claim would be, unless something else is said.
    if let Some(like_claim) = config.groups.iter().find(|source| source.claim == "groups") {
        config.resolved = like_claim.clone();
    }
    if let Some(resolved) = table.take("resolved").and_then(Value::table) {
        config.resolved = claims::source(context, resolved, Some(GroupSource::new("groups")))
            .unwrap_or_else(|| GroupSource::new("groups"));
    }
    let overage = table
        .take("overage")
        .and_then(|v| v.one_of(&[("deny", Overage::Deny), ("resolver", Overage::Resolver)]));
    overage.map(|o| o.value)
}

fn set<T>(to: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *to = value;
    }
}

fn flag(table: &mut Table<'_>, name: &'static str) -> Option<bool> {
    Some(table.take(name)?.boolean()?.value)
}

fn span(table: &mut Table<'_>, name: &'static str) -> Option<Duration> {
    Some(table.take(name)?.duration()?.value)
}

fn text(context: &Context<'_>, table: &mut Table<'_>, name: &'static str) -> Option<String> {
    let text = table.take(name)?.string()?;
    context.filled(&text).then_some(text.value)
}

/// One text, or several.
fn list(context: &Context<'_>, table: &mut Table<'_>, name: &'static str) -> Option<Vec<String>> {
    let value = table.take(name)?;
    if value.is_empty_list() {
        context.add(
            &value.at,
            "the list is empty",
            "it would say nothing",
            "name one, or leave the key out",
        );
        return None;
    }
    let items = value.string_or_list()?;
    Some(values(
        items.into_iter().filter(|item| context.filled(item)).collect(),
    ))
}

pub(super) fn values(list: Vec<Located<String>>) -> Vec<String> {
    list.into_iter().map(|item| item.value).collect()
}

fn algorithms(context: &Context<'_>, value: Value<'_>) -> Vec<Algorithm> {
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
        .map(|a| a.value)
        .collect()
}
