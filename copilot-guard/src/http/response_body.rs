//! The body of a reply.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::Request;
use http_body::{Body, Frame, SizeHint};

use crate::guard::{BoxError, Driver, ReplyBody, UpstreamReply};

/// The body of a reply. Never fails: what goes wrong ends the message in its own format. Dropping it before its end
/// cancels upstream and closes the exchange as `client_gone`.
pub struct ResponseBody {
    kind: Kind,
}

enum Kind {
    Full(Option<Bytes>),
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

impl ResponseBody {
    pub(super) fn full(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Full(Some(bytes)),
        }
    }

    pub(super) fn new<C, F, S>(body: ReplyBody<Driver<C, F, S>>) -> Self
    where
        C: FnOnce(Request<Bytes>) -> F + Send + 'static,
        F: Future<Output = Result<UpstreamReply<S>, BoxError>> + Send + 'static,
        S: Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
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

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.kind {
            Kind::Full(bytes) => bytes.take(),
            Kind::Stream(pieces) => ready!(pieces.as_mut().poll_next(cx)),
        };
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Kind::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

/// The data frames of a gateway's response body. Trailers are dropped: nothing could look at them.
pub(super) struct DataStream<B> {
    body: Pin<Box<B>>,
}

impl<B> DataStream<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body: Box::pin(body) }
    }
}

impl<B> Stream for DataStream<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.body.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => {
                    if let Ok(mut data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data.copy_to_bytes(data.remaining()))));
                    }
                }
            }
        }
    }
}
