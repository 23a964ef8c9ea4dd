//! Groups that come from a directory.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::kit::{ISSUER, alone, now, plain, token_with};
use crate::groups::{GroupQuery, GroupResolver, ResolveError};
use crate::token::{
    GroupSource, IssuerConfig, MachineMark, OidcVerifier, Resolve, SyntheticGroup, TokenError,
    TokenVerifier as _,
};

#[derive(Debug, Clone)]
enum Answer {
    Groups(&'static [&'static str]),
    Fails,
    Panics,
    Never,
}

#[derive(Debug)]
struct Directory {
    answer: Mutex<Answer>,
    calls: AtomicUsize,
    asked: Mutex<Vec<(String, String)>>,
}

impl Directory {
    fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(answer),
            calls: AtomicUsize::new(0),
            asked: Mutex::default(),
        })
    }

    fn now_says(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl GroupResolver for Directory {
    async fn resolve(&self, query: GroupQuery<'_>) -> Result<BTreeSet<String>, ResolveError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let asked = (query.issuer.to_owned(), query.key.to_owned());
        self.asked.lock().unwrap().push(asked);
        let answer = self.answer.lock().unwrap().clone();
        match answer {
            Answer::Groups(groups) => Ok(groups.iter().map(|g| (*g).to_owned()).collect()),
            Answer::Fails => Err(ResolveError::message("scripted")),
            Answer::Panics => panic!("scripted"),
            Answer::Never => std::future::pending().await,
        }
    }
}

fn config(directory: &Arc<Directory>) -> IssuerConfig {
    let mut config = plain();
    config.resolver = Some(Arc::clone(directory) as _);
    config.directory_key = Some("oid".into());
    config.groups = vec![
        GroupSource::new("groups"),
        GroupSource::new("roles").with_prefix("role:"),
    ];
    config.resolved = GroupSource::new("groups").with_rename("g1", "developers");
    config.synthetic_groups = vec![SyntheticGroup::new("synthetic", [("x", "y")])];
    config.namespace = Some("corp:".into());
    config
}

fn cut_off() -> String {
    token_with([
        ("groups", Value::Null),
        ("_claim_names", json!({ "groups": "src1" })),
        (
            "_claim_sources",
            json!({ "src1": { "endpoint": "https://169.254.169.254/" } }),
        ),
        ("oid", json!("o1")),
        ("roles", json!(["admin"])),
        ("x", json!("y")),
    ])
}

async fn groups(verifier: &OidcVerifier, token: &str) -> Result<Vec<String>, &'static str> {
    let identity = verifier.verify(token, now()).await.map_err(|e| e.code())?;
    Ok(identity.groups.into_iter().collect())
}

#[tokio::test]
async fn a_list_that_is_cut_off_is_completed() {
    let directory = Directory::new(Answer::Groups(&["g1", "g2"]));
    let verifier = alone(config(&directory));
    let all = ["corp:developers", "corp:g2", "corp:role:admin", "corp:synthetic"];
    assert_eq!(groups(&verifier, &cut_off()).await.unwrap(), all);
    let asked = directory.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        [(ISSUER.to_owned(), "o1".to_owned())],
        "nothing of the token's link"
    );
    // What is kept is what the token says; the directory answers for itself each time.
    directory.now_says(Answer::Groups(&["g3"]));
    let fresh = groups(&verifier, &cut_off()).await.unwrap();
    assert!(fresh.contains(&"corp:g3".to_owned()) && !fresh.contains(&"corp:g2".to_owned()));
    // Other spellings of the mark.
    for (claim, value) in [("hasgroups", json!(true)), ("groups", json!("src1"))] {
        let token = token_with([("groups", Value::Null), ("oid", json!("o1")), (claim, value)]);
        assert_eq!(groups(&verifier, &token).await.unwrap(), ["corp:g3"], "{claim}");
    }
    assert_eq!(directory.calls(), 4);
    // A token that has its list needs nobody.
    let whole = token_with([("oid", json!("o1"))]);
    assert_eq!(groups(&verifier, &whole).await.unwrap(), ["corp:dev"]);
    assert_eq!(directory.calls(), 4);
}

#[tokio::test]
async fn what_the_directory_cannot_mend() {
    let directory = Directory::new(Answer::Groups(&["g1"]));
    let verifier = alone(config(&directory));
    let mark = ("_claim_names", json!({ "groups": "src1" }));
    let oid = ("oid", json!("o1"));
    let rows = [
        (
            "list and mark",
            "groups_contradiction",
            token_with([mark.clone(), oid.clone()]),
        ),
        (
            "empty list and mark",
            "groups_contradiction",
            token_with([mark.clone(), oid.clone(), ("groups", json!([]))]),
        ),
        (
            "another claim is cut off",
            "groups_overage",
            token_with([("_claim_names", json!({ "roles": "src1" })), oid]),
        ),
        (
            "no key",
            "directory_key_missing",
            token_with([mark.clone(), ("groups", Value::Null)]),
        ),
        (
            "a key that is none",
            "directory_key_malformed",
            token_with([mark, ("groups", Value::Null), ("oid", json!(["o1"]))]),
        ),
    ];
    for (name, code, token) in rows {
        assert_eq!(groups(&verifier, &token).await.err(), Some(code), "{name}");
    }
    assert_eq!(directory.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_never_no_groups() {
    let answers = [
        Answer::Fails,
        Answer::Panics,
        Answer::Never,
        Answer::Groups(&["a\nb"]),
        Answer::Groups(&[""]),
    ];
    for answer in answers {
        let directory = Directory::new(answer.clone());
        let verifier = alone(config(&directory));
        let verdict = verifier.verify(&cut_off(), now()).await.map(|i| i.groups);
        assert_eq!(verdict, Err(TokenError::GroupsUnavailable), "{answer:?}");
        directory.now_says(Answer::Groups(&[]));
        assert!(verifier.verify(&cut_off(), now()).await.is_ok(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_directory_may_be_asked_always() {
    let directory = Directory::new(Answer::Groups(&["g1", "other"]));
    let mut config = config(&directory);
    config.resolve = Resolve::Always;
    config.groups.clear();
    config.resolved = config.resolved.with_require_prefix("g").with_prefix("dir:");
    let verifier = alone(config);
    let token = token_with([("groups", Value::Null), ("oid", json!("o1"))]);
    assert_eq!(groups(&verifier, &token).await.unwrap(), ["corp:dir:developers"]);
    let without = token_with([]);
    assert_eq!(
        groups(&verifier, &without).await.err(),
        Some("directory_key_missing")
    );
}

#[tokio::test]
async fn a_program_is_asked_for_only_where_its_list_is_cut_off() {
    let directory = Directory::new(Answer::Groups(&["g1"]));
    let mut config = config(&directory);
    config.resolve = Resolve::Always;
    config.machine = vec![MachineMark::Always];
    let verifier = alone(config);
    assert_eq!(groups(&verifier, &token_with([])).await.unwrap(), ["corp:dev"]);
    assert_eq!(directory.calls(), 0);
    let all = groups(&verifier, &cut_off()).await.unwrap();
    assert!(all.contains(&"corp:developers".to_owned()), "{all:?}");
    assert_eq!(directory.calls(), 1);
}

#[tokio::test]
async fn a_login_of_days_ago_is_renewed() {
    let directory = Directory::new(Answer::Groups(&["g1", "old"]));
    let verifier = alone(config(&directory));
    let before = verifier.verify(&cut_off(), now()).await.unwrap();
    directory.now_says(Answer::Groups(&["g1", "new"]));
    let after = verifier.renew(before.clone(), now()).await.unwrap();
    let names: Vec<&str> = after.groups.iter().map(String::as_str).collect();
    assert_eq!(
        names,
        ["corp:developers", "corp:new", "corp:role:admin", "corp:synthetic"]
    );
    let mut unchanged = after.clone();
    unchanged.groups = before.groups.clone();
    assert_eq!(unchanged, before, "but for the groups");
    directory.now_says(Answer::Fails);
    assert_eq!(
        verifier.renew(before.clone(), now()).await,
        Err(TokenError::GroupsUnavailable)
    );
    let mut nobody = before.clone();
    nobody.directory_key = None;
    assert_eq!(
        verifier.renew(nobody, now()).await,
        Err(TokenError::GroupsUnavailable)
    );
    let mut stranger = before.clone();
    stranger.issuer = "https://gone.example".into();
    assert_eq!(
        verifier.renew(stranger, now()).await,
        Err(TokenError::Invalid("unknown_issuer"))
    );
    let without = alone(plain());
    assert_eq!(without.renew(before.clone(), now()).await, Ok(before));
}
