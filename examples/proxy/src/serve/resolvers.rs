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
