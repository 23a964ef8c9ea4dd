//! Bodies: the request's read whole, the inner answer's as a stream, and the reply's.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use copilot_guard::guard::{BoxError, Driver, ReplyBody, UpstreamReply};
use futures_core::Stream;
use futures_util::StreamExt;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request};

/// Why a body was not read.
pub(crate) enum Unread {
    TooLarge,
    Broken,
}

/// Reads a whole body, within the limits of size and patience.
pub(crate) async fn read<S>(
    mut body: S,
    headers: &HeaderMap,
    limit: usize,
    silence: Duration,
) -> Result<Bytes, Unread>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) {
        return Err(Unread::TooLarge);
    }
    let mut all = BytesMut::new();
    loop {
        let piece = match tokio::time::timeout(silence, body.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(None) => return Ok(all.freeze()),
            Ok(Some(Err(_))) | Err(_) => return Err(Unread::Broken),
        };
        if all.len() + piece.len() > limit {
            return Err(Unread::TooLarge);
        }
        all.extend_from_slice(&piece);
    }
}

/// The body of a reply. Never fails: what goes wrong ends the message in its own format. Dropping it before its end
/// cancels upstream and closes the exchange as `client_gone`.
pub struct GuardBody {
    kind: Kind,
}

enum Kind {
    Full(Bytes),
    Stream(Pin<Box<dyn Stream<Item = Bytes>>>),
}

impl GuardBody {
    pub(crate) fn full(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Full(bytes),
        }
    }

    pub(crate) fn new<C, F, S>(body: ReplyBody<Driver<C, F, S>>) -> Self
    where
        C: FnOnce(Request<Bytes>) -> F + 'static,
        F: Future<Output = Result<UpstreamReply<S>, BoxError>> + 'static,
        S: Stream<Item = Result<Bytes, BoxError>> + 'static,
    {
        match body {
            ReplyBody::Full(bytes) => Self::full(bytes),
            ReplyBody::Stream(driver) => {
                let pieces = futures_util::stream::unfold(driver, |mut driver| async move {
                    let piece = driver.next().await?;
                    Some((piece, driver))
                });
                Self {
                    kind: Kind::Stream(Box::pin(pieces)),
                }
            }
        }
    }
}

impl MessageBody for GuardBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        match &self.kind {
            Kind::Full(bytes) => BodySize::Sized(bytes.len() as u64),
            Kind::Stream(_) => BodySize::Stream,
        }
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let piece = match &mut self.kind {
            Kind::Full(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Kind::Stream(pieces) => ready!(pieces.as_mut().poll_next(cx)),
        };
        Poll::Ready(piece.map(Ok))
    }
}

impl fmt::Debug for GuardBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardBody").finish_non_exhaustive()
    }
}

/// The inner answer's body.
pub(crate) struct DataStream<B> {
    body: Pin<Box<B>>,
}

impl<B> DataStream<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body: Box::pin(body) }
    }
}

impl<B: MessageBody> Stream for DataStream<B> {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = ready!(self.body.as_mut().poll_next(cx));
        Poll::Ready(piece.map(|piece| {
            piece.map_err(|error| {
                let error: Box<dyn std::error::Error> = error.into();
                error.to_string().into()
            })
        }))
    }
}
