//! [`GraphResolver`]: groups of Entra ID, by Microsoft Graph.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::ask::{ask, name_of, read};
use super::{GroupQuery, GroupResolver, ResolveError};
use crate::credential::CredentialProvider;
use crate::outbound::{Endpoint, HttpClient};

/// Asks Microsoft Graph for the groups of an account, direct and nested: `POST {base}/v1.0/users/{oid}/getMemberObjects`.
/// Answers are ids, as Entra ID's own `groups` claim has them.
///
/// - The key is the claim `oid`. What is not a GUID is never asked for.
/// - The credential is a token for the scope `https://graph.microsoft.com/.default` of an app that may read members
///   (`GroupMember.Read.All` and `User.ReadBasic.All`, or `Directory.Read.All`): see
///   [`ClientCredentials`](crate::credential::ClientCredentials).
/// - Graph refuses to answer for accounts with more than 11,000 groups; that is a failure here.
///
/// Put a [`CachedResolver`](super::CachedResolver) around it.
#[derive(Debug, Clone)]
pub struct GraphResolver {
    client: Arc<dyn HttpClient>,
    base: Endpoint,
    credential: Arc<dyn CredentialProvider>,
    security_enabled_only: bool,
}

impl GraphResolver {
    /// At this base: `https://graph.microsoft.com`, or that of a national cloud.
    pub fn new(client: Arc<dyn HttpClient>, base: Endpoint, credential: Arc<dyn CredentialProvider>) -> Self {
        Self {
            client,
            base,
            credential,
            security_enabled_only: true,
        }
    }

    /// Also groups that only distribute mail, and directory roles.
    #[must_use]
    pub fn with_all_groups(mut self) -> Self {
        self.security_enabled_only = false;
        self
    }
}

#[async_trait]
impl GroupResolver for GraphResolver {
    async fn resolve(&self, query: GroupQuery<'_>) -> Result<BTreeSet<String>, ResolveError> {
        if !is_guid(query.key) {
            return Err(ResolveError::message("the account's key is not a GUID"));
        }
        let path = format!("/v1.0/users/{}/getMemberObjects", query.key);
        let body = format!(r#"{{"securityEnabledOnly":{}}}"#, self.security_enabled_only);
        let mut request = Request::post(self.base.with(&path))
            .body(Bytes::from(body))
            .map_err(|_| ResolveError::message("the request could not be built"))?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        let response = ask(&*self.client, &*self.credential, request, query.now).await?;
        read(&response, |object| {
            if object.get("@odata.nextLink").is_some() {
                return Err(ResolveError::message("the list is cut off"));
            }
            let list = object.get("value").filter(|list| list.is_array());
            let list = list.ok_or(ResolveError::message("the answer has no list of groups"))?;
            list.items().map(|item| name_of(Some(item))).collect()
        })
    }
}

/// `8-4-4-4-12` hexadecimal digits: nothing that could lead to another address.
fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::clock::Timestamp;
    use crate::credential::StaticCredential;
    use crate::secret::Secret;
    use crate::testing::ScriptedClient;

    const OID: &str = "0f7a0c1e-1111-4222-8333-444455556666";
    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn resolver(client: Arc<dyn HttpClient>, base: &str) -> GraphResolver {
        let credential = Arc::new(StaticCredential::bearer(&Secret::new("graph-token")).unwrap());
        GraphResolver::new(client, Endpoint::parse(base, true).unwrap(), credential)
    }

    fn query(key: &str) -> GroupQuery<'_> {
        GroupQuery::new("https://issuer.example", key, NOW, NOW)
    }

    #[tokio::test]
    async fn asks_for_the_members_objects() {
        let client = ScriptedClient::new();
        client.answer(
            200,
            r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#x","value":["g1","g2","g1"]}"#,
        );
        client.answer(200, r#"{"value":[]}"#);
        let resolver = resolver(Arc::new(client.clone()), "https://graph.example");
        let groups = resolver.resolve(query(OID)).await.unwrap();
        assert_eq!(groups, BTreeSet::from(["g1".to_owned(), "g2".to_owned()]));
        let all = resolver.with_all_groups();
        assert_eq!(all.resolve(query(OID)).await.unwrap().len(), 0);
        let seen = client.seen();
        let address = format!("https://graph.example/v1.0/users/{OID}/getMemberObjects");
        for (request, body) in seen.iter().zip(["true", "false"]) {
            assert_eq!(
                (request.uri().to_string(), request.method().as_str()),
                (address.clone(), "POST")
            );
            assert_eq!(request.headers()[AUTHORIZATION], "Bearer graph-token");
            assert_eq!(request.body(), &format!(r#"{{"securityEnabledOnly":{body}}}"#));
        }
    }

    #[tokio::test]
    async fn no_key_leads_elsewhere() {
        let client = ScriptedClient::new();
        let resolver = resolver(Arc::new(client.clone()), "https://graph.example");
        for key in [
            "",
            "me",
            "../me",
            "0f7a0c1e-1111-4222-8333-44445555666",
            "0f7a0c1e-1111-4222-8333-4444555566667",
            "0f7a0c1e-1111-4222-8333-44445555666/",
            "0f7a0c1e-1111-4222-8333-44445555666g",
            "0f7a0c1e/1111-4222-8333-444455556666",
            "{0f7a0c1e-1111-4222-8333-4444555566}",
            "ann@example.com",
        ] {
            assert!(resolver.resolve(query(key)).await.is_err(), "{key}");
        }
        assert_eq!(client.seen().len(), 0);
    }

    #[tokio::test]
    async fn anything_but_a_whole_list_is_a_failure() {
        let rows = [
            (400, r#"{"error":{"code":"Directory_ResultSizeLimitExceeded"}}"#),
            (401, "{}"),
            (403, "{}"),
            (404, r#"{"error":{"code":"Request_ResourceNotFound"}}"#),
            (429, "{}"),
            (500, "{}"),
            (200, "{}"),
            (200, ""),
            (200, "[]"),
            (200, r#"{"value":null}"#),
            (200, r#"{"value":"g1"}"#),
            (200, r#"{"value":["g1",7]}"#),
            (200, r#"{"value":["g1",""]}"#),
            (200, r#"{"value":["g\u0000"]}"#),
            (200, r#"{"value":["g1"],"value":["g2"]}"#),
            (
                200,
                r#"{"value":["g1"],"@odata.nextLink":"https://evil.example/"}"#,
            ),
        ];
        for (status, body) in rows {
            let client = ScriptedClient::new();
            client.answer(status, body);
            let resolver = resolver(Arc::new(client), "https://graph.example");
            assert!(resolver.resolve(query(OID)).await.is_err(), "{status} {body}");
        }
        let client = ScriptedClient::new();
        let resolver = resolver(Arc::new(client), "https://graph.example");
        assert!(resolver.resolve(query(OID)).await.is_err(), "not reached");
    }

    #[cfg(feature = "fetch")]
    #[tokio::test]
    async fn over_real_http() {
        use crate::outbound::HyperClient;
        use crate::outbound::test_server::{Server, answer};
        let server = Server::start([
            answer("200 OK", br#"{"value":["g1"]}"#),
            answer("302 Found\r\nlocation: http://127.0.0.1:1/", b""),
        ]);
        let resolver = resolver(Arc::new(HyperClient::new().unwrap()), &server.url(""));
        assert_eq!(resolver.resolve(query(OID)).await.unwrap().len(), 1);
        assert!(resolver.resolve(query(OID)).await.is_err());
        let head = format!("POST /v1.0/users/{OID}/getMemberObjects HTTP/1.1\r\n");
        assert!(server.seen()[0].starts_with(&head), "{:?}", server.seen());
    }
}
