//! From claims to groups, as the configuration says; without one from the claim `groups`.

use std::collections::BTreeSet;

use copilot_guard::token::{GroupSource, Shape};
use serde_json::Value;

use crate::config::Config;
use crate::config::identity::Issuer;
use crate::failure::Failure;

/// The groups that these claims name.
pub(super) fn groups(claims: &Value, config: Option<&Config>) -> Result<BTreeSet<String>, Failure> {
    let Some(config) = config else {
        return of(claims, &[GroupSource::new("groups")]);
    };
    let iss = claims.get("iss").and_then(Value::as_str);
    let found = config
        .issuers
        .iter()
        .enumerate()
        .find(|(_, issuer)| iss.is_none() || iss == Some(issuer.config.issuer.as_str()));
    let Some((n, issuer)) = found else {
        return Err(Failure::new(
            "the claims are of no issuer of the configuration",
            "their `iss` is none of `[[identity.issuers]]`",
            "take the claims of a token that the gateway accepts, or leave `iss` out",
        ));
    };
    let namespace = namespace(issuer, n);
    let names = of(claims, &issuer.config.groups)?;
    Ok(names
        .into_iter()
        .map(|name| format!("{namespace}{name}"))
        .collect())
}

/// What stands in front of the groups of an issuer.
fn namespace(issuer: &Issuer, n: usize) -> String {
    match (&issuer.config.namespace, n) {
        (Some(namespace), _) => namespace.clone(),
        (None, 0) => String::new(),
        (None, _) => format!("{}#", issuer.config.issuer),
    }
}

/// The groups that the configuration itself names.
pub(super) fn named(config: &Config) -> Vec<String> {
    let mut named = config.approvals.reviewer_groups.clone();
    named.extend(config.audit.auditor_groups.iter().cloned());
    for (n, issuer) in config.issuers.iter().enumerate() {
        let namespace = namespace(issuer, n);
        let renamed = issuer.config.groups.iter().flat_map(|source| {
            let to = source.rename.values();
            to.map(|name| format!("{}{name}", source.prefix))
        });
        let synthetic = issuer
            .config
            .synthetic_groups
            .iter()
            .map(|group| group.group.clone());
        named.extend(renamed.chain(synthetic).map(|name| format!("{namespace}{name}")));
    }
    named
}

/// Whether an issuer of the configuration could name this group: it begins as the groups of one begin.
pub(super) fn may_name(config: &Config, group: &str) -> bool {
    config.issuers.iter().enumerate().any(|(n, issuer)| {
        let namespace = namespace(issuer, n);
        let mut sources = issuer.config.groups.iter().chain([&issuer.config.resolved]);
        sources.any(|source| group.starts_with(&format!("{namespace}{}", source.prefix)))
    })
}

fn of(claims: &Value, sources: &[GroupSource]) -> Result<BTreeSet<String>, Failure> {
    let mut groups = BTreeSet::new();
    for source in sources {
        let value = if source.claim.starts_with('/') {
            claims.pointer(&source.claim)
        } else {
            claims.get(&source.claim)
        };
        let Some(value) = value.filter(|value| !value.is_null()) else {
            continue;
        };
        let names = names(value, source.shape).ok_or_else(|| {
            Failure::new(
                format!("the claim `{}` does not name groups", source.claim),
                "its value has another shape than the configuration says",
                "correct the claims, or `shape` of the configuration's `groups`",
            )
        })?;
        let counts = names
            .into_iter()
            .filter(|name| name.starts_with(&source.require_prefix));
        groups.extend(counts.map(|name| {
            let bare = name.strip_prefix(&source.strip_prefix).unwrap_or(&name);
            let called = source.rename.get(bare).map_or(bare, String::as_str);
            format!("{}{called}", source.prefix)
        }));
    }
    Ok(groups)
}

fn names(value: &Value, shape: Shape) -> Option<Vec<String>> {
    let text = || value.as_str();
    Some(match shape {
        Shape::List => {
            let names = value
                .as_array()?
                .iter()
                .map(|name| name.as_str().map(str::to_owned));
            names.collect::<Option<_>>()?
        }
        Shape::String => vec![text()?.to_owned()],
        Shape::SpaceSeparated => text()?.split_whitespace().map(str::to_owned).collect(),
        Shape::CommaSeparated => text()?.split(',').map(str::to_owned).collect(),
        _ => return None,
    })
}
