//! Between actix-web's `http` 0.2 and the guard's `http` 1.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode as ActixStatus;
use actix_web::http::header as actix_header;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use bytes::Bytes;
use copilot_guard::guard::{BoxError, ClientAddress, UpstreamName};
use copilot_guard::id::ExchangeId;
use copilot_guard::identity::Identity;
use futures_core::Stream;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};

type BoxedPayloadStream = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// The head for the guard. One that `http` 1 cannot express becomes one that has no route, so that it is refused and
/// recorded like any other.
pub(crate) fn head(request: &HttpRequest) -> Parts {
    let mut head = Request::new(());
    match try_head(request) {
        Some((method, uri, headers)) => {
            *head.method_mut() = method;
            *head.uri_mut() = uri;
            *head.headers_mut() = headers;
        }
        // Only `POST` has routes.
        None => *head.method_mut() = Method::OPTIONS,
    }
    if let Some(peer) = request.peer_addr() {
        head.extensions_mut().insert(ClientAddress(peer.ip()));
    }
    head.into_parts().0
}

fn try_head(request: &HttpRequest) -> Option<(Method, Uri, HeaderMap)> {
    let method = Method::from_bytes(request.method().as_str().as_bytes()).ok()?;
    let uri: Uri = request.uri().to_string().parse().ok()?;
    Some((method, uri, headers_from(request.headers())?))
}

fn headers_from(headers: &actix_header::HeaderMap) -> Option<HeaderMap> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        map.try_append(name, value).ok()?;
    }
    Some(map)
}

fn headers_to(headers: &HeaderMap) -> Option<actix_header::HeaderMap> {
    let mut map = actix_header::HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = actix_header::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        let value = actix_header::HeaderValue::from_bytes(value.as_bytes()).ok()?;
        map.append(name, value);
    }
    Some(map)
}

/// The request for the inner service: headers, body and extensions are the permitted ones. Method and URI stay as the
/// guard has judged them; it changes neither.
pub(crate) fn permitted(request: HttpRequest, permitted: Request<Bytes>) -> Result<ServiceRequest, BoxError> {
    let (parts, body) = permitted.into_parts();
    let headers = headers_to(&parts.headers).ok_or("a header cannot be carried over")?;
    let once = futures_util::stream::once(std::future::ready(Ok::<_, PayloadError>(body)));
    let payload: BoxedPayloadStream = Box::pin(once);
    let mut request = ServiceRequest::from_parts(request, payload.into());
    // It panics while somebody else holds a clone.
    catch_unwind(AssertUnwindSafe(|| request.head_mut().headers = headers))
        .map_err(|_| "middleware outside the guard keeps a clone of the request")?;
    let mut extensions = request.extensions_mut();
    if let Some(identity) = parts.extensions.get::<Identity>() {
        extensions.insert(identity.clone());
    }
    if let Some(exchange) = parts.extensions.get::<ExchangeId>() {
        extensions.insert(*exchange);
    }
    if let Some(upstream) = parts.extensions.get::<UpstreamName>() {
        extensions.insert(upstream.clone());
    }
    drop(extensions);
    Ok(request)
}

/// What the guard needs of the inner service's answer.
pub(crate) fn reply_head<B>(response: &HttpResponse<B>) -> Result<(StatusCode, HeaderMap), BoxError> {
    let status = StatusCode::from_u16(response.status().as_u16())?;
    let headers = headers_from(response.headers()).ok_or("a header cannot be carried over")?;
    Ok((status, headers))
}

/// The reply for the client.
pub(crate) fn response<B>(head: &http::response::Parts, body: B) -> HttpResponse<B> {
    let status = ActixStatus::from_u16(head.status.as_u16()).unwrap_or(ActixStatus::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::<BoxBody>::new(status).set_body(body);
    for (name, value) in headers_to(&head.headers).into_iter().flatten() {
        response.headers_mut().append(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn heads_survive_both_ways() {
        let request = TestRequest::post()
            .uri("/v1/chat/completions?a=%2F&b")
            .append_header(("x-many", "1"))
            .append_header(("x-many", "2"))
            .append_header(("x-bytes", &b"\xff\xfe"[..]))
            .to_http_request();
        let parts = head(&request);
        assert_eq!(
            (parts.method.as_str(), parts.uri.to_string().as_str()),
            ("POST", "/v1/chat/completions?a=%2F&b")
        );
        let many: Vec<_> = parts.headers.get_all("x-many").iter().collect();
        assert_eq!(many, ["1", "2"]);
        assert_eq!(parts.headers["x-bytes"].as_bytes(), b"\xff\xfe");
        let back = headers_to(&parts.headers).unwrap();
        assert_eq!(back.get_all("x-many").count(), 2);
    }

    #[test]
    fn a_request_that_somebody_keeps_is_an_error() {
        let request = TestRequest::post().to_http_request();
        let kept = request.clone();
        assert!(permitted(request, Request::new(Bytes::new())).is_err());
        drop(kept);
    }
}
