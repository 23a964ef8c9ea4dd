//! OpenAI Responses.

use super::{Envelope, Flow, Inspector, Malformed, Place, Plain, StreamRewriter};
use crate::sse::Event;

pub(super) struct ResponsesStream;

impl ResponsesStream {
    pub(super) fn new(_envelope: Envelope) -> Self {
        Self
    }
}

impl StreamRewriter for ResponsesStream {
    fn event(
        &mut self,
        _event: Event<'_>,
        _inspector: &mut dyn Inspector,
        _out: &mut Vec<u8>,
    ) -> Result<Flow, Malformed> {
        Err(Malformed::new("not built"))
    }

    fn resume(&mut self, _inspector: &mut dyn Inspector, _out: &mut Vec<u8>) -> Result<Flow, Malformed> {
        Err(Malformed::new("not built"))
    }

    fn keep_alive(&self, _out: &mut Vec<u8>) {}

    fn place(&self) -> Place {
        Place::default()
    }

    fn end_at(&mut self, _place: &Place, _notice: &str, _out: &mut Vec<u8>) {}
}

pub(super) fn plain(_body: &[u8], _inspector: &mut dyn Inspector) -> Result<Plain, Malformed> {
    Err(Malformed::new("not built"))
}

pub(super) fn plain_notice(_envelope: &Envelope, _text: &str) -> String {
    String::new()
}
