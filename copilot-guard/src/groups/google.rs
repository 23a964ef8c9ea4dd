//! [`GoogleResolver`]: groups of Google Workspace, by its Directory API.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;

use super::ask::{ask, name_of, read};
use super::{GroupQuery, GroupResolver, ResolveError};
use crate::credential::CredentialProvider;
use crate::outbound::{Endpoint, HttpClient, percent_encode};

/// Whoever has more pages of 200 groups has more than can be judged.
const MAX_PAGES: usize = 50;

/// Asks Google's Directory API for the groups of an account: `GET {base}/admin/directory/v1/groups?userKey=…`, all pages.
/// Answers are the groups' addresses.
///
/// - The key is the claim `sub`, or an e-mail address. What is neither is never asked for.
/// - The credential is a token for the scope [`GoogleResolver::SCOPE`] of a service account that acts as an administrator:
///   see [`ServiceAccount`](crate::credential::ServiceAccount).
/// - The API names the groups that an account is a member of itself. Membership by way of another group does not count:
///   write both groups into the policy.
///
/// Put a [`CachedResolver`](super::CachedResolver) around it.
#[derive(Debug, Clone)]
pub struct GoogleResolver {
    client: Arc<dyn HttpClient>,
    base: Endpoint,
    credential: Arc<dyn CredentialProvider>,
}

impl GoogleResolver {
    /// What the credential must be for.
    pub const SCOPE: &'static str = "https://www.googleapis.com/auth/admin.directory.group.readonly";

    /// At this base: `https://admin.googleapis.com`.
    pub fn new(client: Arc<dyn HttpClient>, base: Endpoint, credential: Arc<dyn CredentialProvider>) -> Self {
        Self {
            client,
            base,
            credential,
        }
    }

    /// One page: its groups go into `groups`; the token of the next one comes back.
    async fn page(
        &self,
        query: &GroupQuery<'_>,
        token: Option<&str>,
        groups: &mut BTreeSet<String>,
    ) -> Result<Option<String>, ResolveError> {
        let key = percent_encode(query.key);
        let mut path = format!(
            "/admin/directory/v1/groups?userKey={}&maxResults=200",
            key.as_str()
        );
        if let Some(token) = token {
            path.push_str("&pageToken=");
            path.push_str(&percent_encode(token));
        }
        let request = Request::get(self.base.with(&path))
            .body(Bytes::new())
            .map_err(|_| ResolveError::message("the request could not be built"))?;
        let response = ask(&*self.client, &*self.credential, request, query.now).await?;
        read(&response, |object| {
            // A page without groups leaves the list out; something else must not pass for one.
            if object.get_str("kind").as_deref() != Some("admin#directory#groups") {
                return Err(ResolveError::message("the answer is not a page of groups"));
            }
            if let Some(list) = object.get("groups") {
                if !list.is_array() {
                    return Err(ResolveError::message("the answer has no list of groups"));
                }
                for group in list.items() {
                    groups.insert(name_of(group.get("email"))?);
                }
            }
            match object.get("nextPageToken") {
                None => Ok(None),
                Some(token) => match token.as_str().map(|token| token.into_owned()) {
                    Some(token) if token.is_empty() => Ok(None),
                    Some(token) => Ok(Some(token)),
                    None => Err(ResolveError::message("the next page has no name")),
                },
            }
        })
    }
}

#[async_trait]
impl GroupResolver for GoogleResolver {
    async fn resolve(&self, query: GroupQuery<'_>) -> Result<BTreeSet<String>, ResolveError> {
        if !is_key(query.key) {
            return Err(ResolveError::message(
                "the account's key is neither a number nor an e-mail address",
            ));
        }
        let mut groups = BTreeSet::new();
        let mut token = None;
        for _ in 0..MAX_PAGES {
            token = self.page(&query, token.as_deref(), &mut groups).await?;
            if token.is_none() {
                return Ok(groups);
            }
        }
        Err(ResolveError::message("there are more than 10,000 groups"))
    }
}

/// A number of at most 32 digits, or an address of plain characters.
fn is_key(text: &str) -> bool {
    let is_number = !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_digit());
    let plain = |part: &str, more: &[u8]| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    let is_address = text.len() <= 254
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| plain(local, b"._%+-'") && plain(domain, b".-"));
    is_number || is_address
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::AUTHORIZATION;

    use super::*;
    use crate::clock::Timestamp;
    use crate::credential::service_account_tests::{account, key_file};
    use crate::groups::CachedResolver;
    use crate::testing::ScriptedClient;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn page(groups: &[&str], next: &str) -> String {
        let groups: Vec<_> = groups
            .iter()
            .map(|email| serde_json::json!({"kind": "admin#directory#group", "email": email}))
            .collect();
        let mut page = serde_json::json!({"kind": "admin#directory#groups", "groups": groups});
        if !next.is_empty() {
            page["nextPageToken"] = next.into();
        }
        page.to_string()
    }

    /// With a service account whose token endpoint answers `google-token-0`, then `google-token-1`.
    fn resolver(client: &ScriptedClient) -> GoogleResolver {
        let count = std::sync::atomic::AtomicU32::new(0);
        let issuer = ScriptedClient::answering(move |_| {
            let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let token =
                format!(r#"{{"access_token":"google-token-{n}","token_type":"Bearer","expires_in":3599}}"#);
            Ok(ScriptedClient::json(200, token))
        });
        let credential = Arc::new(account(&issuer, &key_file().0).on_behalf_of("admin@example.com"));
        let base = Endpoint::parse("https://admin.example", false).unwrap();
        GoogleResolver::new(Arc::new(client.clone()), base, credential)
    }

    fn query(key: &str) -> GroupQuery<'_> {
        GroupQuery::new(
            "https://accounts.google.com",
            key,
            NOW.plus(Duration::from_secs(600)),
            NOW,
        )
    }

    #[tokio::test]
    async fn reads_all_pages() {
        let client = ScriptedClient::new();
        client.answer(200, page(&["a@example.com", "b@example.com"], "p/2&x=y"));
        client.answer(
            200,
            r#"{"kind":"admin#directory#groups","etag":"x","nextPageToken":"p3"}"#,
        );
        client.answer(200, page(&["c@example.com"], ""));
        let resolver = CachedResolver::new(resolver(&client));
        for _ in 0..2 {
            let groups = resolver.resolve(query("ann+x@example.com")).await.unwrap();
            assert_eq!(groups.len(), 3);
        }
        let base =
            "https://admin.example/admin/directory/v1/groups?userKey=ann%2Bx%40example.com&maxResults=200";
        let seen = client.seen();
        let addresses: Vec<_> = seen.iter().map(|r| r.uri().to_string()).collect();
        assert_eq!(
            addresses,
            [
                base.to_owned(),
                format!("{base}&pageToken=p%2F2%26x%3Dy"),
                format!("{base}&pageToken=p3")
            ]
        );
        for request in seen {
            assert_eq!(request.headers()[AUTHORIZATION], "Bearer google-token-0");
        }
    }

    #[tokio::test]
    async fn anything_but_all_pages_is_a_failure() {
        let first = || page(&["a@example.com"], "next");
        let rows = [
            (200, "{}"),
            (200, r#"{"kind":"admin#directory#users"}"#),
            (200, r#"{"kind":"admin#directory#groups","groups":{}}"#),
            (200, r#"{"kind":"admin#directory#groups","groups":[{}]}"#),
            (200, r#"{"kind":"admin#directory#groups","groups":["a"]}"#),
            (200, r#"{"kind":"admin#directory#groups","nextPageToken":7}"#),
            (200, "<html>"),
            (404, "{}"),
            (403, "{}"),
            (500, "{}"),
        ];
        for (status, body) in rows {
            let client = ScriptedClient::new();
            client.answer(200, first());
            client.answer(status, body);
            assert!(
                resolver(&client).resolve(query("123")).await.is_err(),
                "{status} {body}"
            );
        }
        // Pages without end.
        let client =
            ScriptedClient::answering(|_| Ok(ScriptedClient::json(200, page(&["a@example.com"], "again"))));
        assert!(resolver(&client).resolve(query("123")).await.is_err());
        assert_eq!(client.seen().len(), MAX_PAGES);
    }

    #[tokio::test]
    async fn a_token_that_was_turned_down_is_renewed_once() {
        let client = ScriptedClient::new();
        for _ in 0..2 {
            client.answer(401, "{}");
        }
        assert!(resolver(&client).resolve(query("123")).await.is_err());
        let seen = client.seen();
        let tokens: Vec<_> = seen.iter().map(|r| &r.headers()[AUTHORIZATION]).collect();
        assert_eq!(tokens, ["Bearer google-token-0", "Bearer google-token-1"]);
    }

    #[tokio::test]
    async fn no_key_leads_elsewhere() {
        let client = ScriptedClient::new();
        let resolver = resolver(&client);
        let long = "1".repeat(33);
        for key in [
            "",
            "me",
            "a b",
            "123&domain=x",
            "../1",
            "a@b@c",
            "@b",
            "a@",
            "a@b/c",
            "\u{e9}@b",
            &long,
        ] {
            assert!(resolver.resolve(query(key)).await.is_err(), "{key}");
        }
        assert_eq!(client.seen().len(), 0);
    }
}
