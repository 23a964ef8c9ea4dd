//! An audit sink of one's own: JSON lines to standard output. See the README beside this file.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use copilot_guard::audit::{AuditError, AuditEvent, AuditSink, Durable};
use copilot_guard::clock::{Clock, SystemClock};
use copilot_guard::dialect::{RouteSet, RouteTable};
use copilot_guard::guard::Guard;
use copilot_guard::identity::Identity;
use copilot_guard::policy::{Policy, PolicyOptions};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

/// Writes each event as one line. `Durable` says that the line was handed over: what standard output is connected to
/// must keep it. An `Err` refuses the exchange.
struct JsonLines<W>(Mutex<W>);

#[async_trait::async_trait]
impl<W: Write + Send + 'static> AuditSink for JsonLines<W> {
    async fn append(&self, events: &[AuditEvent]) -> Result<Durable, AuditError> {
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, event)
                .map_err(|e| AuditError::new("not writable as JSON", e))?;
            lines.push(b'\n');
        }
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = out.write_all(&lines).and_then(|()| out.flush());
        written.map_err(|e| AuditError::new("cannot write", e))?;
        Ok(Durable::acknowledged())
    }
}

impl<W> fmt::Debug for JsonLines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonLines")
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (status, answer) = one_exchange(JsonLines(Mutex::new(std::io::stdout()))).await?;
    eprintln!("{status}: {answer}");
    Ok(())
}

/// Sends one request through a guard with this sink.
async fn one_exchange(sink: impl AuditSink) -> Result<(StatusCode, String), Box<dyn Error>> {
    let now = SystemClock.now();
    let mut routes = RouteTable::new();
    routes.add_set("model", RouteSet::OpenAi);
    let guard = Guard::builder()
        // DEMO ONLY: nobody is asked who they are. Real callers need `with_verifier(OidcVerifier…)`.
        .dangerous()
        .without_identity(Identity::new("demo", "everybody", now))
        .with_policy(Policy::allow_all(&PolicyOptions::new(now))?)
        .with_audit(sink)
        .with_routes(routes)
        .build()?;
    let service = guard.layer().layer(service_fn(gateway));
    let prompt = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let request = Request::post("/v1/chat/completions").body(Full::<Bytes>::from(prompt))?;
    let reply = service.oneshot(request).await?;
    let status = reply.status();
    let body = reply.into_body().collect().await?.to_bytes();
    guard.drain().await;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Stands in for the call to the model.
async fn gateway(_request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
    let mut response = Response::new(Full::from(answer));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct FullDisk;

    impl Write for FullDisk {
        fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_exchange_is_lines() {
        let lines = Lines::default();
        let (status, answer) = one_exchange(JsonLines(Mutex::new(lines.clone()))).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        assert!(answer.contains("hello"), "{answer}");
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let events: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert!(
            events.len() >= 2 && events.iter().all(|e| e["exchange"] == events[0]["exchange"]),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_sink_that_fails_refuses() {
        let (status, answer) = one_exchange(JsonLines(Mutex::new(FullDisk))).await.unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!answer.contains("hello"), "{answer}");
    }
}
