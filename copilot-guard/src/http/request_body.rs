//! The body of a request that goes on to the gateway.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Full};

/// A request body as the guard writes it: all of it, judged and masked.
///
/// A gateway's own body type is made from it by `From<RequestBody>`; this crate has that for [`Full`], [`BoxBody`],
/// [`UnsyncBoxBody`], [`Bytes`] and, with the feature `axum`, axum's body.
#[derive(Clone)]
pub struct RequestBody {
    bytes: Option<Bytes>,
}

impl RequestBody {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes: Some(bytes) }
    }

    /// The whole body.
    pub fn into_bytes(self) -> Bytes {
        self.bytes.unwrap_or_default()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |b| b.len() as u64))
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("bytes", &self.bytes.as_ref().map_or(0, Bytes::len))
            .finish()
    }
}

impl From<RequestBody> for Bytes {
    fn from(body: RequestBody) -> Self {
        body.into_bytes()
    }
}

impl From<RequestBody> for Full<Bytes> {
    fn from(body: RequestBody) -> Self {
        Full::new(body.into_bytes())
    }
}

impl<E: 'static> From<RequestBody> for BoxBody<Bytes, E> {
    fn from(body: RequestBody) -> Self {
        Full::from(body).map_err(|never| match never {}).boxed()
    }
}

impl<E: 'static> From<RequestBody> for UnsyncBoxBody<Bytes, E> {
    fn from(body: RequestBody) -> Self {
        Full::from(body).map_err(|never| match never {}).boxed_unsync()
    }
}

#[cfg(feature = "axum")]
impl From<RequestBody> for axum_core::body::Body {
    fn from(body: RequestBody) -> Self {
        axum_core::body::Body::from(body.into_bytes())
    }
}
