//! The layer that adds the credential.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower::ServiceExt as _;
use tower_service::Service;

use super::{CallerToken, Credential, CredentialError, CredentialProvider, CredentialRequest, Scrub};
use crate::guard::BoxError;
use crate::identity::Identity;

/// What a caller could have put in: removed, even though the guard did so before.
const CALLERS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
];

/// Adds an upstream's credential to requests that go to its endpoint, and to no others.
///
/// When upstream answers 401 the provider is asked once more; if it brings another credential, the request is sent once
/// more. That is why the body must be `Clone`: a guard's `RequestBody`, `Full<Bytes>` and `Bytes` are.
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

    async fn ask(&self, who: &Who, rejected: Option<&Credential>) -> Result<Credential, CredentialError> {
        let request = CredentialRequest {
            caller: who.caller.as_ref(),
            caller_token: who.token.as_ref().map(CallerToken::token),
            rejected,
            now: self.clock.now(),
        };
        self.provider.credential(request).await
    }
}

/// What the request says of its caller.
struct Who {
    caller: Option<Identity>,
    token: Option<CallerToken>,
    scrub: Option<Scrub>,
}

impl Who {
    /// Takes out what the client must not see.
    fn of<B>(request: &mut Request<B>) -> Self {
        let extensions = request.extensions_mut();
        Self {
            token: extensions.remove(),
            caller: extensions.get().cloned(),
            scrub: extensions.get().cloned(),
        }
    }

    /// Adds the credential; from here on it may come back.
    fn inject<B>(&self, request: &mut Request<B>, credential: Credential) {
        if let Some(scrub) = &self.scrub {
            scrub.add(credential.exposed());
        }
        request.headers_mut().insert(credential.header, credential.value);
    }
}

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

impl<S, B, R> Service<Request<B>> for CredentialService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Clone + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, BoxError>> + Send>>;

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
            let who = Who::of(&mut request);
            for name in CALLERS {
                request.headers_mut().remove(name);
            }
            let credential = shared.ask(&who, None).await?;
            let spare = request.clone();
            who.inject(&mut request, credential.clone());
            let response = inner.clone().oneshot(request).await.map_err(Into::into)?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            // Another one, or upstream's answer stands.
            let another = shared.ask(&who, Some(&credential)).await;
            let Some(another) = another.ok().filter(|another| !another.is_same(&credential)) else {
                return Ok(response);
            };
            drop(response);
            let mut request = spare;
            who.inject(&mut request, another);
            inner.oneshot(request).await.map_err(Into::into)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Mutex;

    use http::HeaderMap;
    use http::header::AUTHORIZATION;
    use tower::{Layer as _, service_fn};

    use super::super::StaticCredential;
    use super::*;
    use crate::clock::{SystemClock, Timestamp};
    use crate::secret::Secret;

    #[tokio::test]
    async fn goes_to_its_endpoint_and_nowhere_else() {
        let secret = Secret::new("canary-value");
        let credential = Credential::bearer(&secret).unwrap();
        assert!(!format!("{credential:?}").contains("canary"));
        let provider = Arc::new(StaticCredential::new(credential));
        let layer = CredentialLayer::new(provider, Arc::new(SystemClock), "https", "API.example.com");
        let client = layer.layer(service_fn(|request: Request<()>| async move {
            Ok::<_, Infallible>(Response::new(request.headers().get(AUTHORIZATION).cloned()))
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
            "https://user@api.example.com/",
            "https://api.example.com.evil.test/",
            "/v1",
        ] {
            assert!(sent(elsewhere).await.is_err(), "{elsewhere}");
        }
    }

    /// Brings its values one after the other, and notes what it was asked.
    #[derive(Debug, Default)]
    struct Listed {
        values: Mutex<Vec<&'static str>>,
        asked: Mutex<Vec<String>>,
    }

    #[async_trait::async_trait]
    impl CredentialProvider for Listed {
        async fn credential(&self, request: CredentialRequest<'_>) -> Result<Credential, CredentialError> {
            let note = format!(
                "{:?} {:?} {:?}",
                request.caller.map(|c| c.subject.as_str()),
                request.caller_token.map(Secret::expose),
                request.rejected.map(|c| c.exposed().expose().to_owned()),
            );
            self.asked.lock().unwrap().push(note);
            let mut values = self.values.lock().unwrap();
            if values.is_empty() {
                return Err(CredentialError::Unavailable);
            }
            Credential::bearer(&Secret::new(values.remove(0)))
        }
    }

    struct Sent {
        status: Result<u16, String>,
        heads: Vec<HeaderMap>,
        asked: Vec<String>,
        scrubbed: Vec<String>,
    }

    async fn send(values: &[&'static str], statuses: &[u16]) -> Sent {
        let provider = Arc::new(Listed::default());
        *provider.values.lock().unwrap() = values.to_vec();
        let layer = CredentialLayer::new(provider.clone(), Arc::new(SystemClock), "https", "h");
        let statuses = Arc::new(Mutex::new(statuses.to_vec()));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let record = heads.clone();
        let client = layer.layer(service_fn(move |request: Request<&'static str>| {
            assert_eq!(*request.body(), "body");
            assert!(request.extensions().get::<CallerToken>().is_none());
            let scrub = request.extensions().get::<Scrub>().unwrap().values();
            let value = request.headers()[AUTHORIZATION].to_str().unwrap()[7..].to_owned();
            assert!(
                scrub.iter().any(|s| s.expose() == value),
                "added before it is sent"
            );
            record.lock().unwrap().push(request.headers().clone());
            let status = statuses.lock().unwrap().remove(0);
            async move { Ok::<_, Infallible>(Response::builder().status(status).body(()).unwrap()) }
        }));
        let scrub = Scrub::new();
        let mut request = Request::post("https://h/v1").body("body").unwrap();
        for name in CALLERS {
            request
                .headers_mut()
                .insert(name, "of-the-caller".parse().unwrap());
        }
        request.extensions_mut().insert(scrub.clone());
        request
            .extensions_mut()
            .insert(Identity::new("i", "ann", Timestamp::from_secs(1)));
        request
            .extensions_mut()
            .insert(CallerToken::new(Secret::new("own-token")));
        let status = client.oneshot(request).await;
        let scrubbed = scrub.values().iter().map(|s| s.expose().to_owned()).collect();
        Sent {
            status: status.map(|r| r.status().as_u16()).map_err(|e| e.to_string()),
            heads: std::mem::take(&mut heads.lock().unwrap()),
            asked: std::mem::take(&mut provider.asked.lock().unwrap()),
            scrubbed,
        }
    }

    #[tokio::test]
    async fn a_401_brings_one_more_try_with_another_credential() {
        let sent = send(&["one", "two"], &[401, 200]).await;
        assert_eq!(sent.status, Ok(200));
        assert_eq!(sent.scrubbed, ["one", "two"]);
        assert_eq!(
            sent.asked,
            [
                "Some(\"ann\") Some(\"own-token\") None",
                "Some(\"ann\") Some(\"own-token\") Some(\"one\")"
            ]
        );
        for (head, value) in sent.heads.iter().zip(["Bearer one", "Bearer two"]) {
            assert_eq!(head[AUTHORIZATION], value);
            assert_eq!(head.len(), 1, "nothing of the caller's: {head:?}");
        }
        // No more than once; not with the same; not for other answers.
        let rows: [(&[&str], &[u16], u16, usize); 5] = [
            (&["one", "two", "three"], &[401, 401], 401, 2),
            (&["one", "one"], &[401], 401, 1),
            (&["one"], &[401], 401, 1),
            (&["one", "two"], &[403], 403, 1),
            (&["one", "two"], &[500], 500, 1),
        ];
        for (values, statuses, status, times) in rows {
            let sent = send(values, statuses).await;
            assert_eq!((sent.status, sent.heads.len()), (Ok(status), times), "{values:?}");
        }
        let none = send(&[], &[]).await;
        assert_eq!(none.status, Err(CredentialError::Unavailable.to_string()));
        assert_eq!((none.heads.len(), none.scrubbed.len()), (0, 0));
    }
}
