//! The upstream credential: who provides it, and the layer next to the HTTP client that adds it.
//!
//! A guard opens no connections and cannot pin them. [`CredentialLayer`] sits right before the client, checks scheme
//! and authority of the final URI, and only then adds the header. Register the value for scrubbing too
//! ([`PolicyOptions::with_exact`](crate::policy::PolicyOptions::with_exact)), so that it cannot come down.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::clock::Timestamp;
use crate::secret::Secret;

/// A header that authenticates the gateway upstream. `{:?}` shows the header's name alone.
#[derive(Clone)]
pub struct Credential {
    header: HeaderName,
    value: HeaderValue,
}

impl Credential {
    /// `Authorization: Bearer VALUE`.
    ///
    /// # Errors
    /// The value has characters that no header may hold.
    pub fn bearer(value: &Secret) -> Result<Self, CredentialError> {
        let text = zeroize::Zeroizing::new(format!("Bearer {}", value.expose()));
        Self::build(AUTHORIZATION, &text)
    }

    /// `HEADER: VALUE`, such as `x-api-key`. For `authorization` the value gets `Bearer` before it.
    ///
    /// # Errors
    /// The value has characters that no header may hold.
    pub fn header(header: HeaderName, value: &Secret) -> Result<Self, CredentialError> {
        if header == AUTHORIZATION {
            Self::bearer(value)
        } else {
            Self::build(header, value.expose())
        }
    }

    fn build(header: HeaderName, text: &str) -> Result<Self, CredentialError> {
        let mut value = HeaderValue::from_str(text).map_err(|_| CredentialError::Unusable)?;
        // Keeps it out of HPACK's table and of `{:?}`.
        value.set_sensitive(true);
        Ok(Self { header, value })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// Why no credential was added. The request is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The value cannot stand in a header.
    #[error("the credential has characters that no header may hold: store it without line breaks")]
    Unusable,
    /// The provider has none right now.
    #[error("no upstream credential is available")]
    Unavailable,
    /// The request goes somewhere else than the credential is for.
    #[error("the request does not go to the endpoint that its credential is for")]
    Misdirected,
}

/// Provides the credential of one upstream.
///
/// # When it is called
/// Once per forwarded request, right before it is sent.
///
/// # If this fails
/// An `Err` is a recorded 502; nothing is sent. A wrong value makes upstream refuse, which is a 502 too. Blocking
/// blocks the request. Whatever it returns must be registered for scrubbing, or an answer could carry it down.
#[async_trait]
pub trait CredentialProvider: fmt::Debug + Send + Sync + 'static {
    /// The credential to use at `now`.
    async fn credential(&self, now: Timestamp) -> Result<Credential, CredentialError>;
}

/// Always the same credential.
#[derive(Debug, Clone)]
pub struct StaticCredential(Credential);

impl StaticCredential {
    /// This credential.
    pub fn new(credential: Credential) -> Self {
        Self(credential)
    }
}

#[async_trait]
impl CredentialProvider for StaticCredential {
    async fn credential(&self, _now: Timestamp) -> Result<Credential, CredentialError> {
        Ok(self.0.clone())
    }
}

/// Adds an upstream's credential to requests that go to its endpoint, and to no others.
#[derive(Debug, Clone)]
pub struct CredentialLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    provider: Arc<dyn CredentialProvider>,
    clock: Arc<dyn crate::clock::Clock>,
    scheme: String,
    authority: String,
}

impl CredentialLayer {
    /// For requests to this scheme and authority (host and, when it is not the scheme's own, port).
    pub fn new(
        provider: Arc<dyn CredentialProvider>,
        clock: Arc<dyn crate::clock::Clock>,
        scheme: impl Into<String>,
        authority: impl Into<String>,
    ) -> Self {
        let (scheme, authority) = (scheme.into(), authority.into().to_ascii_lowercase());
        Self {
            shared: Arc::new(Shared {
                provider,
                clock,
                scheme,
                authority,
            }),
        }
    }
}

impl Shared {
    /// Whether a request may carry the credential.
    fn is_for(&self, uri: &http::Uri) -> bool {
        uri.scheme_str() == Some(self.scheme.as_str())
            && uri
                .authority()
                .is_some_and(|a| a.as_str().eq_ignore_ascii_case(&self.authority))
    }
}

mod service {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http::Request;
    use tower::ServiceExt;
    use tower_service::Service;

    use super::{Arc, CredentialError, CredentialLayer, Shared};
    use crate::guard::BoxError;

    /// An HTTP client behind a [`CredentialLayer`].
    #[derive(Debug, Clone)]
    pub struct CredentialService<S> {
        shared: Arc<Shared>,
        inner: S,
    }

    impl<S> tower_layer::Layer<S> for CredentialLayer {
        type Service = CredentialService<S>;

        fn layer(&self, inner: S) -> Self::Service {
            CredentialService {
                shared: self.shared.clone(),
                inner,
            }
        }
    }

    impl<S, B> Service<Request<B>> for CredentialService<S>
    where
        S: Service<Request<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Send + 'static,
    {
        type Response = S::Response;
        type Error = BoxError;
        type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, mut request: Request<B>) -> Self::Future {
            let inner = self.inner.clone();
            let shared = self.shared.clone();
            Box::pin(async move {
                if !shared.is_for(request.uri()) {
                    return Err(CredentialError::Misdirected.into());
                }
                let credential = shared.provider.credential(shared.clock.now()).await?;
                request.headers_mut().insert(credential.header, credential.value);
                inner.oneshot(request).await.map_err(Into::into)
            })
        }
    }
}

pub use service::CredentialService;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use http::{Request, Response};
    use tower::{Layer, ServiceExt, service_fn};

    #[tokio::test]
    async fn goes_to_its_endpoint_and_nowhere_else() {
        let secret = Secret::new("canary-value");
        let credential = Credential::bearer(&secret).unwrap();
        assert!(!format!("{credential:?}").contains("canary"));
        let provider = Arc::new(StaticCredential::new(credential));
        let layer = CredentialLayer::new(provider, Arc::new(SystemClock), "https", "API.example.com");
        let client = layer.layer(service_fn(|request: Request<()>| async move {
            Ok::<_, std::convert::Infallible>(Response::new(request.headers().get(AUTHORIZATION).cloned()))
        }));
        let sent = |uri: &'static str| {
            let client = client.clone();
            async move { client.oneshot(Request::get(uri).body(()).unwrap()).await }
        };
        let value = sent("https://api.example.com/v1")
            .await
            .unwrap()
            .into_body()
            .unwrap();
        assert_eq!(value, "Bearer canary-value");
        assert!(value.is_sensitive());
        for elsewhere in [
            "http://api.example.com/",
            "https://api.example.com:444/",
            "https://api.example.com.evil.test/",
            "/v1",
        ] {
            assert!(sent(elsewhere).await.is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn refuses_what_would_split_a_header() {
        assert_eq!(
            Credential::bearer(&Secret::new("a\r\nb: c")).unwrap_err(),
            CredentialError::Unusable
        );
    }
}
