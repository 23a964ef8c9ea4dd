//! What every store of device grants and revocations must do.

use std::time::Duration;

use super::samples::NOW;
use crate::access::{AccessStore, DeviceGrant, Revocation, Withdrawn, new_grant};
use crate::clock::Timestamp;
use crate::identity::Identity;

const HOUR: Duration = Duration::from_secs(3600);

/// Checks that what `make` makes, a new empty store each time, keeps the promises of [`AccessStore`].
///
/// # Panics
/// When it does not.
pub async fn access_store_contract<S, F, Fut>(make: F)
where
    S: AccessStore,
    F: Fn() -> Fut,
    Fut: Future<Output = S>,
{
    keeps_grants_until_their_end(&make().await).await;
    forgets_what_is_removed(&make().await).await;
    keeps_revocations_until_their_end(&make().await).await;
}

fn grant(who: &str, n: u8, at: Timestamp) -> DeviceGrant {
    let identity = Identity::new("https://idp.example", who, at.plus(HOUR)).with_groups(["developers"]);
    new_grant(&identity, &[n; 32], HOUR, at).grant
}

async fn keeps_grants_until_their_end(store: &impl AccessStore) {
    let (ann, bob) = (
        grant("ann", 1, NOW),
        grant("bob", 2, NOW.plus(Duration::from_secs(1))),
    );
    for grant in [&ann, &bob] {
        store.put_grant(grant).await.expect("it is kept");
    }
    let find = async |grant: &DeviceGrant, now| store.find_grant(&grant.hash, now).await.expect("it answers");
    assert_eq!(find(&ann, NOW).await.as_ref(), Some(&ann));
    assert_eq!(find(&grant("ann", 3, NOW), NOW).await, None, "another hash");
    let end = NOW.plus(HOUR);
    assert_eq!(find(&ann, end).await, None, "it has ended");
    assert_eq!(find(&bob, end).await.as_ref(), Some(&bob));
    let list = async |person: Option<&str>, now| store.grants(person, now).await.expect("it answers");
    assert_eq!(list(None, NOW).await, [bob.clone(), ann.clone()], "newest first");
    assert_eq!(list(Some(&ann.identity.person), NOW).await, [ann]);
    assert_eq!(list(Some("ann"), NOW).await, []);
    assert_eq!(list(None, end).await, [bob]);
}

async fn forgets_what_is_removed(store: &impl AccessStore) {
    let ann = grant("ann", 1, NOW);
    store.put_grant(&ann).await.expect("it is kept");
    assert!(store.remove_grant(&ann.hash).await.expect("it answers"));
    assert!(!store.remove_grant(&ann.hash).await.expect("it answers"));
    assert_eq!(store.find_grant(&ann.hash, NOW).await.expect("it answers"), None);
}

async fn keeps_revocations_until_their_end(store: &impl AccessStore) {
    assert_eq!(store.revocations(NOW).await.expect("it answers"), []);
    let token = Revocation::new(Withdrawn::Token { id: "t1".into() }, NOW, NOW);
    let later = NOW.plus(Duration::from_secs(60));
    let person = Revocation::new(
        Withdrawn::Person {
            person: "ann ü".into(),
        },
        later,
        later,
    );
    for revocation in [&token, &person, &token] {
        store.revoke(revocation).await.expect("it is kept");
    }
    let all = store.revocations(later).await.expect("it answers");
    assert!(all.contains(&token) && all.contains(&person));
    assert_eq!(
        store.revocations(token.ends_at).await.expect("it answers"),
        [person]
    );
}
