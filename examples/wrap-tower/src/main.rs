//! The guard as a tower layer around a gateway, served by hyper. See the README beside this file.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use copilot_guard::clock::{Clock, SystemClock, Timestamp};
use copilot_guard::dialect::{RouteSet, RouteTable};
use copilot_guard::guard::Guard;
use copilot_guard::identity::Identity;
use copilot_guard::memory::MemoryStore;
use copilot_guard::policy::{Policy, PolicyOptions};
use copilot_guard::token::{TokenError, TokenVerifier};
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, guard()?).await
}

async fn serve(listener: TcpListener, guard: Guard) -> Result<(), Box<dyn Error>> {
    let service = ServiceBuilder::new()
        .layer(guard.layer())
        .service(service_fn(gateway));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                eprintln!("connection: {error}");
            }
        });
    }
}

/// Your gateway: what it gets is masked and allowed, and holds no credential of the caller.
async fn gateway(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let Ok(body) = request.into_body().collect().await;
    let mut response = Response::new(Full::from(echo(&body.to_bytes())));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// Stands in for the call to the model: says what reached it.
fn echo(request: &[u8]) -> String {
    let text = format!("this reached the model: {}", String::from_utf8_lossy(request));
    let message = serde_json::json!({ "role": "assistant", "content": text });
    serde_json::json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] })
        .to_string()
}

fn guard() -> Result<Guard, Box<dyn Error>> {
    let mut routes = RouteTable::new();
    routes.add_set("model", RouteSet::OpenAi);
    let guard = Guard::builder()
        .with_verifier(DemoVerifier)
        .with_policy(Policy::allow_all(&PolicyOptions::new(SystemClock.now()))?)
        .with_store(Arc::new(MemoryStore::new()))
        .with_routes(routes)
        .build()?;
    Ok(guard)
}

/// DEMO ONLY, NOT FOR PEOPLE: whoever says `demo` is let in. Real callers need
/// [`OidcVerifier`](copilot_guard::token::OidcVerifier), which checks tokens of your identity provider.
#[derive(Debug)]
struct DemoVerifier;

#[async_trait::async_trait]
impl TokenVerifier for DemoVerifier {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        match token {
            "demo" => Ok(Identity::new("demo", "dev", now.plus(Duration::from_secs(60)))),
            _ => Err(TokenError::Invalid("not_the_demo_token")),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn ask(port: u16, token: &str) -> String {
        // Made here, so that nobody takes it for a leaked one.
        let secret = format!("ghp_{}", "R7kQ2mZx9LpV4tYc".repeat(3));
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"use {secret}"}}]}}"#);
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(!reply.contains(&secret), "{reply}");
        reply
    }

    #[tokio::test]
    async fn one_exchange_passes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let guard = guard().unwrap();
        tokio::spawn(async move { serve(listener, guard).await.map_err(|e| e.to_string()) });
        let reply = ask(port, "demo").await;
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        assert!(reply.contains("[REDACTED:github-pat:"), "{reply}");
        assert!(ask(port, "stranger").await.starts_with("HTTP/1.1 401"));
    }
}
