//! One question to a directory, with the gateway's own credential.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};

use super::ResolveError;
use crate::clock::Timestamp;
use crate::credential::{CredentialProvider, CredentialRequest};
use crate::json::{Document, Limits, Value};
use crate::outbound::{HttpClient, MAX_ANSWER, send_within};

/// For each question; [`CachedResolver`](super::CachedResolver) bounds all of them together.
const ASK: Duration = Duration::from_secs(5);
/// The longest name of a group.
const MAX_NAME: usize = 1024;

/// Sends with the directory's credential; once more with another one when it is turned down.
pub(super) async fn ask(
    client: &dyn HttpClient,
    provider: &dyn CredentialProvider,
    mut request: Request<Bytes>,
    now: Timestamp,
) -> Result<Response<Bytes>, ResolveError> {
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(ACCEPT, json);
    let of = |source| ResolveError::new("there is no credential for the directory", source);
    let first = provider
        .credential(CredentialRequest::new(now))
        .await
        .map_err(of)?;
    let send = async |credential: &crate::credential::Credential| {
        let mut request = request.clone();
        credential.insert_into(request.headers_mut());
        send_within(client, request, ASK)
            .await
            .map_err(|source| ResolveError::new("the directory cannot be reached", source))
    };
    let response = send(&first).await?;
    if response.status() != StatusCode::UNAUTHORIZED {
        return Ok(response);
    }
    let again = CredentialRequest::new(now).with_rejected(&first);
    send(&provider.credential(again).await.map_err(of)?).await
}

/// Reads the object of a 200. What a directory says when it refuses is not passed on.
pub(super) fn read<T>(
    response: &Response<Bytes>,
    read: impl FnOnce(Value<'_>) -> Result<T, ResolveError>,
) -> Result<T, ResolveError> {
    if response.status() != StatusCode::OK {
        let status = format!("status {}", response.status().as_u16());
        return Err(ResolveError::new("the directory refuses", status));
    }
    let is_json = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let malformed = ResolveError::message("the directory's answer is not one strict JSON object");
    let Ok(document) = Document::parse(response.body(), Limits::with_bytes(MAX_ANSWER)) else {
        return Err(malformed);
    };
    if is_json && document.root().is_object() {
        read(document.root())
    } else {
        Err(malformed)
    }
}

/// A group's name or id.
pub(super) fn name_of(value: Option<Value<'_>>) -> Result<String, ResolveError> {
    value
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control))
        .map(std::borrow::Cow::into_owned)
        .ok_or(ResolveError::message("the directory names a group that is none"))
}
