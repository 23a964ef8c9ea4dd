//! From configured credentials to providers.

use std::sync::Arc;

use copilot_guard::credential::{
    ClientCredentials, CopilotExchange, Credential as Header, CredentialProvider, FileCredential, PerGroup,
    SecretSource, StaticCredential, Subject, TokenEndpoint, TokenExchange,
};
use copilot_guard::outbound::HttpClient;

use crate::config::credential::{Auth, Credential, Subject as ConfiguredSubject, TokenClient};
use crate::config::secrets::SecretValue;
use crate::failure::Failure;

/// The provider of the upstream of that name at that host; nothing when the upstream is shown nothing.
pub(super) fn provider(
    credential: &Credential,
    http: &Arc<dyn HttpClient>,
    name: &str,
    host: &str,
) -> Result<Option<Arc<dyn CredentialProvider>>, Failure> {
    let provider: Arc<dyn CredentialProvider> = match credential {
        Credential::None => return Ok(None),
        Credential::Static { header, value } => {
            let credential = Header::header(header.clone(), value).map_err(|error| {
                Failure::new(
                    format!("the credential of `{name}` cannot be used"),
                    error,
                    "check where it is kept",
                )
            })?;
            Arc::new(StaticCredential::new(credential))
        }
        Credential::File { header, path, .. } => {
            Arc::new(FileCredential::new(path).with_header(header.clone()))
        }
        Credential::CopilotExchange {
            token,
            api,
            editor_version,
        } => {
            let mut exchange = CopilotExchange::new(http.clone(), api.clone(), source(token)).with_host(host);
            if let Some(version) = editor_version {
                let name = http::HeaderName::from_static("editor-version");
                exchange = exchange.with_header(name, version.clone());
            }
            Arc::new(exchange)
        }
        Credential::ClientCredentials(client) => {
            let mut provider =
                ClientCredentials::new(endpoint(client, http)).with_header(client.header.clone());
            if let Some(scope) = &client.scope {
                provider = provider.with_scope(scope);
            }
            if let Some(audience) = &client.audience {
                provider = provider.with_audience(audience);
            }
            if let Some(resource) = &client.resource {
                provider = provider.with_resource(resource);
            }
            Arc::new(provider)
        }
        Credential::TokenExchange {
            client,
            subject,
            subject_kind,
            actor,
        } => {
            let subject = match subject {
                ConfiguredSubject::Caller => Subject::Caller,
                ConfiguredSubject::File(path) => Subject::Own(SecretSource::file(path)),
            };
            let mut provider = TokenExchange::new(endpoint(client, http), subject)
                .with_subject_kind(*subject_kind)
                .with_header(client.header.clone());
            if let Some(actor) = actor {
                provider = provider.with_actor(source(actor), Default::default());
            }
            if let Some(scope) = &client.scope {
                provider = provider.with_scope(scope);
            }
            if let Some(audience) = &client.audience {
                provider = provider.with_audience(audience);
            }
            if let Some(resource) = &client.resource {
                provider = provider.with_resource(resource);
            }
            Arc::new(provider)
        }
        Credential::PerGroup { groups, default } => {
            let mut provider = PerGroup::new();
            for (group, own) in groups {
                if let Some(own) = self::provider(own, http, name, host)? {
                    provider = provider.with_group(group, own);
                }
            }
            if let Some(own) = default
                && let Some(own) = self::provider(own, http, name, host)?
            {
                provider = provider.with_default(own);
            }
            Arc::new(provider)
        }
    };
    Ok(Some(provider))
}

/// What stands in a file is read again when it changes.
pub(super) fn source(secret: &SecretValue) -> SecretSource {
    match &secret.file {
        Some(path) => SecretSource::file(path),
        None => SecretSource::fixed(secret.value.clone()),
    }
}

fn endpoint(client: &TokenClient, http: &Arc<dyn HttpClient>) -> TokenEndpoint {
    let endpoint = TokenEndpoint::new(http.clone(), client.url.clone());
    match (&client.id, &client.secret, client.auth) {
        (Some(id), Some(secret), Auth::Basic) => endpoint.with_basic(id, source(secret)),
        (Some(id), Some(secret), Auth::Post) => endpoint.with_post(id, source(secret)),
        (Some(id), None, _) => endpoint.with_client_id(id),
        (None, _, _) => endpoint,
    }
}
