//! A forward proxy as `serve` starts it, with a CA of `ca init`, and clients to try it with.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use copilot_guard::clock::{Clock as _, SystemClock};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Config;
use crate::demo::{idp::IdentityProvider, model};
use crate::forward::tunnel::Dial;
use crate::forward::{Plan, ca_init};
use crate::serve::{self, Running};

/// The intercepted host.
pub(super) const HOST: &str = "api.openai.com";
pub(super) const CREDENTIAL: &str = "credential-of-the-house-1f0a";
/// What the client's own login with the far server would be.
pub(super) const FAR: &str = "gho_far-servers-own-login";

/// Every stop of these tests is a bound, never a wait for its own sake.
pub(super) const SOON: Duration = Duration::from_secs(20);

pub(super) struct House {
    pub(super) proxy: SocketAddr,
    pub(super) folder: tempfile::TempDir,
    pub(super) idp: IdentityProvider,
    /// Heads of what reached the model.
    pub(super) seen: Arc<Mutex<Vec<HeaderMap>>>,
    pub(super) running: Running,
}

#[derive(Default)]
pub(super) struct Options {
    /// Further lines of `[server]`.
    pub(super) server: &'static str,
    /// Lines of `[forward]`.
    pub(super) forward: &'static str,
    /// The way out of blind tunnels.
    pub(super) dial: Option<Arc<dyn Dial>>,
}

impl House {
    pub(super) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(super) async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemClock.now();
        ca_init::make(folder.path(), &["openai.com".to_owned()], now).unwrap();
        let idp = IdentityProvider::start().await.unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let model = start_model(seen.clone()).await;
        let config = format!(
            r#"[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
mode = "forward"
ca = {{ cert = "guard-ca.pem", key = "guard-ca.key" }}
{}

[forward]
{}

[[identity.issuers]]
issuer = "{}"
audiences = ["copilot-guard"]
allow_http_loopback = true

[[upstreams]]
name = "model"
base_url = "{model}"
routes = ["openai"]
credential = {{ kind = "static", value = "{CREDENTIAL}" }}

[policy]
file = "policy.toml"

[store]
url = "sqlite:guard.db"

[admin]
audiences = ["copilot-guard-admin"]
"#,
            options.server, options.forward, idp.url,
        );
        let file = folder.path().join("guard.toml");
        std::fs::write(&file, config).unwrap();
        std::fs::write(
            folder.path().join("policy.toml"),
            "version = 1\ndefault = \"allow\"\n",
        )
        .unwrap();
        let config = Config::load(&file).unwrap_or_else(|e| panic!("{e}"));
        let mut plan = Plan::new(&config).unwrap().unwrap();
        if let Some(dial) = options.dial {
            plan.dial = dial;
        }
        let running = serve::start_with(config, Some(plan)).await.unwrap();
        let house = Self {
            proxy: running.data,
            folder,
            idp,
            seen,
            running,
        };
        house.ready().await;
        house
    }

    async fn ready(&self) {
        for _ in 0..200 {
            if self.admin("/readyz").await.starts_with("HTTP/1.1 200") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never ready");
    }

    /// A page of the admin listener, as it comes.
    pub(super) async fn admin(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.running.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.folder.path().join("guard-ca.pem")
    }

    /// Dana's token for some seconds.
    pub(super) fn token(&self, seconds: i64) -> String {
        let now = SystemClock.now();
        self.idp
            .token_for("dana", "copilot-guard", &[], now, seconds)
            .unwrap()
    }

    pub(super) fn basic(&self) -> String {
        basic(&self.token(3600))
    }

    pub(super) async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.proxy).await.unwrap()
    }

    /// A tunnel to a place, with these credentials.
    pub(super) async fn tunnel(&self, place: &str, credentials: &str) -> TcpStream {
        let mut stream = self.dial().await;
        let head = connect(&mut stream, place, Some(credentials)).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        stream
    }

    /// A tunnel to [`HOST`] with TLS inside, by a client that trusts the CA.
    pub(super) async fn inside(&self, credentials: &str, protocol: &str) -> TlsStream<TcpStream> {
        let stream = self.tunnel(&format!("{HOST}:443"), credentials).await;
        let stream = handshake(stream, Some(self.ca()), HOST, protocol).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        stream
    }
}

pub(super) fn basic(token: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("you:{token}"));
    format!("Basic {pair}")
}

/// Sends a `CONNECT` and reads the reply: head, and body when it says how long that is.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    place: &str,
    credentials: Option<&str>,
) -> String {
    let credentials = credentials.map_or_else(String::new, |c| format!("proxy-authorization: {c}\r\n"));
    let request = format!("CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n{credentials}\r\n");
    exchange(stream, &request).await
}

pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\n") {
        reply.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(reply).unwrap();
    let length = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length: "))
        .map_or(0, |l| l.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

/// A handshake by a client that trusts one CA, or none.
pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    trusted: Option<PathBuf>,
    name: &str,
    protocol: &str,
) -> io::Result<TlsStream<S>> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = trusted {
        roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A chat request for a host.
pub(super) fn chat(host: &str, stream: bool) -> Request<Full<Bytes>> {
    let body =
        format!(r#"{{"model":"m","stream":{stream},"messages":[{{"role":"user","content":"hello"}}]}}"#);
    Request::post(format!("https://{host}/v1/chat/completions"))
        .header("authorization", format!("Bearer {FAR}"))
        .header("x-api-key", FAR)
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap()
}

/// One connection inside of a tunnel, of either protocol.
pub(super) enum Inner {
    H1(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    H2(hyper::client::conn::http2::SendRequest<Full<Bytes>>),
}

impl Inner {
    /// With a task that says when the connection is over.
    pub(super) async fn new(
        stream: TlsStream<TcpStream>,
        protocol: &str,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let io = TokioIo::new(stream);
        if protocol == "h2" {
            let (send, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                .await
                .unwrap();
            (
                Self::H2(send),
                tokio::spawn(async move { drop(connection.await) }),
            )
        } else {
            let (send, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            (
                Self::H1(send),
                tokio::spawn(async move { drop(connection.await) }),
            )
        }
    }

    /// Up to the head of the answer.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::H1(send) => {
                let host = request.uri().authority().unwrap().to_string();
                *request.uri_mut() = request.uri().path().parse().unwrap();
                request.headers_mut().insert("host", host.parse().unwrap());
                send.send_request(request).await
            }
            Self::H2(send) => send.send_request(request).await,
        }
    }

    pub(super) async fn ask(&mut self, request: Request<Full<Bytes>>) -> (u16, HeaderMap, String) {
        let (head, body) = self.send(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (
            head.status.as_u16(),
            head.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }
}

const PLAIN: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

/// Answers plain requests at once, and streamed ones over four seconds.
async fn start_model(seen: Arc<Mutex<Vec<HeaderMap>>>) -> String {
    let answer = move |request: Request<Incoming>| {
        let seen = seen.clone();
        async move {
            let (head, body) = request.into_parts();
            seen.lock().unwrap().push(head.headers);
            let body = body.collect().await.unwrap().to_bytes();
            let is_stream = std::str::from_utf8(&body).unwrap().contains(r#""stream":true"#);
            let kind = if is_stream {
                "text/event-stream"
            } else {
                "application/json"
            };
            let body = if is_stream {
                slow().boxed_unsync()
            } else {
                Full::new(Bytes::from(PLAIN)).boxed_unsync()
            };
            let response = Response::builder().header("content-type", kind).body(body);
            Ok(response.unwrap())
        }
    };
    model::listen(move |_| answer).await.unwrap()
}

fn slow() -> impl Body<Data = Bytes, Error = std::convert::Infallible> {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let chunk = |delta: &str, end: &str| {
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{end}}}]}}\n\n")
        };
        for n in 0..8 {
            let piece = chunk(&format!("{{\"content\":\"word{n} \"}}"), "null");
            if send.send(piece).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let _ = send.send(chunk("{}", "\"stop\"") + "data: [DONE]\n\n").await;
    });
    let frames = futures(receive);
    StreamBody::new(frames)
}

fn futures(
    mut receive: tokio::sync::mpsc::Receiver<String>,
) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, std::convert::Infallible>> {
    futures_util::stream::poll_fn(move |cx| {
        receive
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(Frame::data(Bytes::from(piece)))))
    })
}
