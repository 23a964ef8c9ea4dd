use super::*;
use crate::token::{Expected, GroupSource, SyntheticGroup};
use bytes::Bytes;

const GUID: &str = "3f2a4c1e-0000-4000-8000-00000000000a";
const TEMPLATE: &str = "https://login.example/{tenantid}/v2.0";

#[derive(Debug)]
struct Nobody;

#[async_trait::async_trait]
impl GroupResolver for Nobody {
    async fn resolve(
        &self,
        _: crate::groups::GroupQuery<'_>,
    ) -> Result<std::collections::BTreeSet<String>, crate::groups::ResolveError> {
        Err(crate::groups::ResolveError::message("nobody"))
    }
}

#[test]
fn a_template_is_one_issuer_for_each_tenant() {
    let mut config = IssuerConfig::new(TEMPLATE, ["api"]);
    let other = GUID.replace('a', "b");
    config.tenants = vec![GUID.into(), other.clone()];
    config.namespace = Some("{tenantid}:".into());
    let compiled = config.compile().unwrap();
    let issuers: Vec<_> = compiled.iter().map(|c| c.rules.issuer.as_str()).collect();
    let expected = [GUID, &other].map(|tenant| TEMPLATE.replace(TENANT, tenant));
    assert_eq!(issuers, expected);
    assert_eq!(
        compiled[1].namespace.as_deref(),
        Some(format!("{other}:").as_str())
    );
    assert!(
        matches!(&compiled[0].source, KeySource::Discovery(url) if url.starts_with(&expected[0])),
        "each has its own keys"
    );
}

#[test]
fn mistakes_name_the_key() {
    type Change = fn(&mut IssuerConfig);
    let rows: &[(&str, &str, Change)] = &[
        ("empty issuer", "issuer", |c| c.issuer.clear()),
        ("no scheme to discover from", "issuer", |c| {
            c.issuer = "accounts.google.com".into()
        }),
        ("http issuer", "issuer", |c| {
            c.issuer = "http://idp.example".into()
        }),
        ("http loopback without the flag", "issuer", |c| {
            c.issuer = "http://127.0.0.1:9".into()
        }),
        ("http elsewhere with the flag", "issuer", |c| {
            c.issuer = "http://idp.example".into();
            c.allow_http_loopback = true;
        }),
        ("loopback look-alike", "issuer", |c| {
            c.issuer = "http://127.0.0.1.example".into();
            c.allow_http_loopback = true;
        }),
        ("user info", "issuer", |c| {
            c.issuer = "https://a@idp.example".into()
        }),
        ("template", "issuer", |c| {
            c.issuer = "https://login.example/{tenantid}/v2.0".into()
        }),
        ("multi-tenant", "issuer", |c| {
            c.issuer = "https://login.example/common/v2.0".into()
        }),
        ("query", "issuer", |c| {
            c.issuer = "https://idp.example/?a=b".into()
        }),
        ("no audience", "audiences", |c| c.audiences.clear()),
        ("empty audience", "audiences", |c| {
            c.audiences = vec![String::new()]
        }),
        ("no algorithm", "algorithms", |c| c.algorithms.clear()),
        ("http jwks_uri", "jwks_uri", |c| {
            c.jwks_uri = Some("http://idp.example/k".into())
        }),
        ("file jwks_uri", "jwks_uri", |c| {
            c.jwks_uri = Some("file:///etc/passwd".into())
        }),
        ("both key sources", "jwks", |c| {
            c.jwks_uri = Some("https://idp.example/k".into());
            c.jwks = Some(Bytes::new());
        }),
        ("bad key set", "jwks", |c| {
            c.jwks = Some(Bytes::from_static(b"{}"))
        }),
        ("empty claim", "groups", |c| c.groups = vec![GroupSource::new("")]),
        ("bad pointer", "person", |c| c.person = Some("/~".into())),
        ("empty subject", "subject", |c| c.subject = vec![String::new()]),
        ("no subject", "subject", |c| c.subject.clear()),
        ("empty subject prefix", "subject_prefix", |c| {
            c.subject_prefix = Some(String::new())
        }),
        ("empty audience claim", "audience_claim", |c| {
            c.audience_claim.clear()
        }),
        ("empty client", "clients", |c| c.clients = vec![String::new()]),
        ("two scopes in one", "scopes", |c| c.scopes = vec!["a b".into()]),
        ("namespace with a newline", "namespace", |c| {
            c.namespace = Some("a\n".into())
        }),
        ("tenants without a template", "tenants", |c| {
            c.tenants = vec![GUID.into()]
        }),
        ("tenant by name", "tenants", |c| {
            c.issuer = TEMPLATE.into();
            c.tenants = vec!["contoso.example".into()];
        }),
        ("tenant in upper case", "tenants", |c| {
            c.issuer = TEMPLATE.into();
            c.tenants = vec![GUID.to_uppercase()];
        }),
        ("tenant twice", "tenants", |c| {
            c.issuer = TEMPLATE.into();
            c.tenants = vec![GUID.into(), GUID.into()];
        }),
        ("one namespace for two tenants", "namespace", |c| {
            c.issuer = TEMPLATE.into();
            c.tenants = vec![GUID.into(), GUID.replace('a', "b")];
            c.namespace = Some("corp:".into());
        }),
        ("synthetic group for everybody", "synthetic_groups", |c| {
            c.synthetic_groups = vec![SyntheticGroup::new("ci", [] as [(&str, Expected); 0])]
        }),
        ("synthetic group without a name", "synthetic_groups", |c| {
            c.synthetic_groups = vec![SyntheticGroup::new("", [("a", "b")])]
        }),
        ("machine without a claim", "machine", |c| {
            c.machine = vec![MachineMark::When([].into())]
        }),
        ("key set and file", "jwks", |c| {
            c.jwks_path = Some("keys.json".into());
            c.jwks = Some(Bytes::new());
        }),
        ("resolver without a key", "directory_key", |c| {
            c.resolver = Some(Arc::new(Nobody))
        }),
        ("resolver that is never asked", "resolve", |c| {
            c.resolver = Some(Arc::new(Nobody));
            c.directory_key = Some("oid".into());
            c.groups.clear();
        }),
        ("bad required", "required", |c| {
            c.required = [("/~9".into(), "x".into())].into()
        }),
        ("leeway", "leeway", |c| c.leeway = Duration::from_secs(301)),
        ("lifetime", "max_lifetime", |c| c.max_lifetime = Duration::ZERO),
    ];
    for (name, key, change) in rows {
        let mut config = IssuerConfig::new("https://idp.example", ["api"]);
        assert_eq!(config.validate(), Ok(()));
        change(&mut config);
        assert_eq!(config.validate().map_err(|e| e.key()), Err(*key), "{name}");
    }
}

#[test]
fn discovery_leaves_one_slash_out() {
    let address = |issuer: &str| match IssuerConfig::new(issuer, ["a"])
        .compile()
        .unwrap()
        .remove(0)
        .source
    {
        KeySource::Discovery(url) => url,
        _ => panic!("discovery"),
    };
    let expected = "https://t.example/.well-known/openid-configuration";
    assert_eq!(address("https://t.example"), expected);
    assert_eq!(address("https://t.example/"), expected);
    assert_eq!(
        address("https://t.example/a/v2.0"),
        "https://t.example/a/v2.0/.well-known/openid-configuration"
    );
}
