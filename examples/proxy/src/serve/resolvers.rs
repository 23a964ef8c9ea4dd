//! From configured directories to resolvers.

use std::sync::Arc;

use copilot_guard::credential::{ClientCredentials, ServiceAccount, TokenEndpoint};
use copilot_guard::groups::{CachedResolver, GoogleResolver, GraphResolver, GroupResolver};
use copilot_guard::outbound::HttpClient;

use super::credentials::source;
use crate::config::resolver::Resolver;
use crate::failure::Failure;

/// The scope for all that an administrator granted the app.
const GRAPH_SCOPE: &str = "https://graph.microsoft.com/.default";

/// The resolver of an issuer. Answers are kept.
pub(super) fn resolver(
    config: &Resolver,
    http: &Arc<dyn HttpClient>,
) -> Result<Arc<dyn GroupResolver>, Failure> {
    Ok(match config {
        Resolver::Graph {
            base,
            token_url,
            client_id,
            client_secret,
            security_only,
        } => {
            let endpoint = TokenEndpoint::new(http.clone(), token_url.clone())
                .with_post(client_id, source(client_secret));
            let credential = ClientCredentials::new(endpoint).with_scope(GRAPH_SCOPE);
            let resolver = GraphResolver::new(http.clone(), base.clone(), Arc::new(credential));
            let resolver = if *security_only {
                resolver
            } else {
                resolver.with_all_groups()
            };
            Arc::new(CachedResolver::new(resolver))
        }
        Resolver::Google {
            base,
            token_url,
            key,
            admin,
        } => {
            let endpoint = TokenEndpoint::new(http.clone(), token_url.clone());
            let account = ServiceAccount::new(endpoint, &key.value, GoogleResolver::SCOPE)
                .map_err(|error| {
                    Failure::new(
                        "the directory cannot be asked",
                        error,
                        "make a key of the service account, in JSON, and name it in `key_file`",
                    )
                })?
                .on_behalf_of(admin);
            Arc::new(CachedResolver::new(GoogleResolver::new(
                http.clone(),
                base.clone(),
                Arc::new(account),
            )))
        }
    })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use base64::Engine as _;
    use copilot_guard::clock::Timestamp;
    use copilot_guard::groups::GroupQuery;
    use copilot_guard::outbound::{Endpoint, HyperClient};
    use copilot_guard::secret::Secret;

    use super::super::test_server::Server;
    use super::*;
    use crate::config::secrets::SecretValue;

    const OID: &str = "0f7a0c1e-1111-4222-8333-444455556666";

    /// A token endpoint and both directories.
    fn server() -> Server {
        Server::start(|request| {
            let body = if request.starts_with("POST /token ") {
                r#"{"access_token":"of-the-directory","token_type":"Bearer","expires_in":600}"#
            } else if !request.contains("authorization: Bearer of-the-directory\r\n") {
                return ("401 Unauthorized", "{}".to_owned());
            } else if request.contains("pageToken=next") {
                r#"{"kind":"admin#directory#groups","groups":[{"email":"b@example.com"}]}"#
            } else if request.starts_with("GET /admin/directory/v1/groups?userKey=1234&") {
                r#"{"kind":"admin#directory#groups","groups":[{"email":"a@example.com"}],"nextPageToken":"next"}"#
            } else {
                r#"{"value":["group-1","group-2"]}"#
            };
            ("200 OK", body.to_owned())
        })
    }

    fn at(server: &Server, path: &str) -> Endpoint {
        Endpoint::parse(&format!("http://{}{path}", server.address), true).unwrap()
    }

    fn value(text: impl Into<String>) -> SecretValue {
        SecretValue {
            value: Secret::new(text),
            file: None,
        }
    }

    async fn groups(config: &Resolver, key: &str) -> Vec<String> {
        let http: Arc<dyn HttpClient> = Arc::new(HyperClient::new().unwrap());
        let resolver = resolver(config, &http).unwrap_or_else(|e| panic!("{e}"));
        let now = Timestamp::from_secs(1_800_000_000);
        let ends = Timestamp::from_secs(1_800_000_600);
        for _ in 0..2 {
            let groups = resolver.resolve(GroupQuery::new("i", key, ends, now)).await;
            assert_eq!(groups.unwrap().len(), 2);
        }
        let groups = resolver.resolve(GroupQuery::new("i", key, ends, now)).await;
        groups.unwrap().into_iter().collect()
    }

    #[tokio::test]
    async fn graph_over_real_connections() {
        let server = server();
        let config = Resolver::Graph {
            base: at(&server, ""),
            token_url: at(&server, "/token"),
            client_id: "app".to_owned(),
            client_secret: value("s"),
            security_only: true,
        };
        assert_eq!(groups(&config, OID).await, ["group-1", "group-2"]);
        let seen = server.seen();
        assert_eq!(seen.len(), 2, "kept: {seen:?}");
        assert!(seen[0].contains("scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"));
        assert!(seen[1].starts_with(&format!("POST /v1.0/users/{OID}/getMemberObjects ")));
    }

    #[tokio::test]
    async fn google_over_real_connections() {
        let server = server();
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let body = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        let label = ["PRIVATE", "KEY"].join(" ");
        let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let key = serde_json::json!({
            "type": "service_account", "client_email": "guard@project.example", "private_key": pem,
        });
        let config = Resolver::Google {
            base: at(&server, ""),
            token_url: at(&server, "/token"),
            key: value(key.to_string()),
            admin: "admin@example.com".to_owned(),
        };
        assert_eq!(groups(&config, "1234").await, ["a@example.com", "b@example.com"]);
        assert_eq!(server.seen().len(), 3, "a token and two pages");
        let Resolver::Google { base, token_url, .. } = config else {
            panic!("google")
        };
        let broken = Resolver::Google {
            base,
            token_url,
            key: value("very-secret"),
            admin: "admin@example.com".to_owned(),
        };
        let http: Arc<dyn HttpClient> = Arc::new(HyperClient::new().unwrap());
        let failure = resolver(&broken, &http).err().unwrap().to_string();
        assert!(!failure.contains("very-secret"), "{failure}");
    }
}
