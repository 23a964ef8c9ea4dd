//! A helper on loopback for clients that cannot run a command for their token, or read their proxy setting once: it adds
//! a fresh token to each request and speaks TLS to the gateway.
//!
//! - A request with a path goes to the gateway as it is, with the token in place of the key.
//! - `CONNECT` goes to a gateway in forward mode, with the token in `Proxy-Authorization`.
//!
//! Whoever has the key speaks as its owner, so that every request must bring it: other users of the machine can reach
//! loopback, too, and so can web pages.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use copilot_guard::clock::{Clock as _, SystemClock, Timestamp};
use copilot_guard::secret::Secret;
use copilot_guard::token::{exchange_credential, proxy_credential};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, PROXY_AUTHORIZATION,
};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::Place;
use super::grants::{Grant, Grants};
use super::http::{Fresh, Gateway, Http, bearer, connector, is_loopback};
use crate::failure::Failure;

/// A token is renewed so long before its end.
const AHEAD: Duration = Duration::from_secs(60);
/// How long a connection to the gateway may take, and a request's head.
const PATIENCE: Duration = Duration::from_secs(15);

/// What `agent` is told.
#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    pub(super) place: Place,
    /// Where to listen, on loopback.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A file for the key, made when it is not there. Left out: a new key at each start.
    #[arg(long)]
    key_file: Option<PathBuf>,
}

struct Agent {
    gateway: Gateway,
    grant: tokio::sync::Mutex<Grant>,
    grants: Grants,
    http: Http,
    key: Secret,
    client: Client<HttpsConnector<HttpConnector>, Incoming>,
    /// One at a time renews; the others wait for it.
    token: tokio::sync::Mutex<Option<(Secret, Timestamp)>>,
}

/// Runs until SIGTERM or SIGINT. Prints one line of JSON once it accepts.
pub(super) async fn run(
    args: &AgentArgs,
    http: Http,
    gateway: Gateway,
    grant: Grant,
) -> Result<bool, Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::new(
            format!("the agent does not listen on {}", args.listen),
            "whoever reaches it speaks as you",
            "write `--listen 127.0.0.1:PORT`",
        ));
    }
    let key = match &args.key_file {
        Some(path) => kept_key(path)?,
        None => new_key()?,
    };
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::new(
            format!("the agent cannot listen on {}", args.listen),
            error,
            "choose another port with `--listen`",
        )
    })?;
    let address = listener
        .local_addr()
        .map_err(|e| Failure::new("the agent has no address", e, "choose another port"))?;
    let mut shown = serde_json::json!({ "listen": format!("http://{address}") });
    if args.key_file.is_none() {
        // A key that lies in a file is to be read there, and not in whatever keeps what programs print.
        shown["key"] = key.expose().into();
        shown["proxy"] = format!("http://agent:{}@{address}", key.expose()).into();
    }
    println!("{shown}");
    let client = Client::builder(TokioExecutor::new()).build(connector(http.tls()));
    let agent = Arc::new(Agent {
        gateway,
        grant: tokio::sync::Mutex::new(grant),
        grants: args.place.grants()?,
        http,
        key,
        client,
        token: tokio::sync::Mutex::default(),
    });
    tokio::select! {
        () = agent.serve(listener) => Ok(true),
        told = told_to_stop() => told.map(|()| true),
    }
}

async fn told_to_stop() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let fail = |e| Failure::new("signals cannot be received", e, "report this as a bug");
    let mut terminate = signal(SignalKind::terminate()).map_err(fail)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

type Body = BoxBody<Bytes, hyper::Error>;

impl Agent {
    async fn serve(self: &Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, mostly: others may close some.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let agent = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let agent = agent.clone();
                    async move { Ok::<_, Infallible>(agent.answer(request).await) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                // How a client's connection ends is its own business.
                let _ = connection.await;
            });
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let is_connect = request.method() == Method::CONNECT;
        if !is_connect && !is_ours(request.headers()) {
            return told(
                StatusCode::BAD_REQUEST,
                "This agent answers to its own address alone.",
            );
        }
        if !self.has_key(request.headers(), is_connect) {
            let status = if is_connect {
                StatusCode::PROXY_AUTHENTICATION_REQUIRED
            } else {
                StatusCode::UNAUTHORIZED
            };
            return told(
                status,
                "This agent needs its key: use the one that it printed at its start as API key.",
            );
        }
        let token = match self.token().await {
            Ok(Some(token)) => token,
            Ok(None) => {
                return told(
                    StatusCode::UNAUTHORIZED,
                    "Your login has ended: use `login` again.",
                );
            }
            Err(failure) => {
                eprintln!("{failure}");
                return told(StatusCode::BAD_GATEWAY, "The gateway gives no token right now.");
            }
        };
        let answered = if is_connect {
            self.tunnel(request, &token).await
        } else {
            self.forward(request, &token).await
        };
        answered.unwrap_or_else(|failure| {
            eprintln!("{failure}");
            told(StatusCode::BAD_GATEWAY, "The gateway cannot be reached.")
        })
    }

    fn has_key(&self, headers: &HeaderMap, is_connect: bool) -> bool {
        let same = |text: &str| {
            aws_lc_rs::constant_time::verify_slices_are_equal(text.as_bytes(), self.key.expose().as_bytes())
                .is_ok()
        };
        if is_connect {
            return proxy_credential(headers).is_ok_and(|found| same(found.expose()));
        }
        exchange_credential(headers).is_ok_and(same)
    }

    /// A token that lasts for another minute at least, or as long as the gateway gives one.
    async fn token(&self) -> Result<Option<Secret>, Failure> {
        let mut kept = self.token.lock().await;
        // The wall clock: the other one stands still while a laptop sleeps.
        if let Some((token, until)) = &*kept
            && SystemClock.now() < *until
        {
            return Ok(Some(token.clone()));
        }
        *kept = None;
        let Some(Fresh { token, lasts }) = self.redeem().await? else {
            return Ok(None);
        };
        let until = SystemClock.now().plus(lasts.saturating_sub(AHEAD));
        *kept = Some((token.clone(), until));
        Ok(Some(token))
    }

    /// A token for the grant; where that has ended, for the one that another `login` may have brought since.
    async fn redeem(&self) -> Result<Option<Fresh>, Failure> {
        let mut grant = self.grant.lock().await;
        if let Some(fresh) = self.http.fresh_token(&self.gateway, &grant).await? {
            return Ok(Some(fresh));
        }
        match self.grants.read(&self.gateway) {
            Ok(other) if other.id != grant.id => {
                *grant = other;
                self.http.fresh_token(&self.gateway, &grant).await
            }
            _ => Ok(None),
        }
    }

    async fn forward(&self, request: Request<Incoming>, token: &Secret) -> Result<Response<Body>, Failure> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
        head.uri = self.gateway.uri(path)?;
        head.version = Version::HTTP_11;
        drop_hop_by_hop(&mut head.headers);
        head.headers.remove(HOST);
        head.headers.insert(AUTHORIZATION, bearer(token)?);
        let response = self.client.request(Request::from_parts(head, body)).await;
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        if response.status() == StatusCode::UNAUTHORIZED {
            // Withdrawn, perhaps: the next request asks anew.
            *self.token.lock().await = None;
        }
        response.headers_mut().remove(CONNECTION);
        Ok(response.map(BodyExt::boxed))
    }

    async fn tunnel(
        &self,
        mut request: Request<Incoming>,
        token: &Secret,
    ) -> Result<Response<Body>, Failure> {
        let target = request
            .uri()
            .authority()
            .map(|a| a.as_str().to_owned())
            .unwrap_or_default();
        let stream = tokio::time::timeout(PATIENCE, self.connect()).await;
        let stream = stream.map_err(|_| self.unreachable(&"no connection within 15 s"))??;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
                .await
                .map_err(|error| self.unreachable(&error))?;
        tokio::spawn(connection.with_upgrades());
        let mut ask = Request::new(Empty::new());
        *ask.method_mut() = Method::CONNECT;
        *ask.uri_mut() = Uri::builder()
            .authority(target.as_str())
            .build()
            .map_err(|error| self.unreachable(&error))?;
        let host = HeaderValue::from_str(&target).map_err(|error| self.unreachable(&error))?;
        ask.headers_mut().insert(HOST, host);
        ask.headers_mut().insert(PROXY_AUTHORIZATION, bearer(token)?);
        let answer = tokio::time::timeout(PATIENCE, sender.send_request(ask)).await;
        let answer = answer.map_err(|_| self.unreachable(&"no answer within 15 s"))?;
        let mut response = answer.map_err(|error| self.unreachable(&error))?;
        if response.status() != StatusCode::OK {
            if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
                *self.token.lock().await = None;
            }
            return Ok(response.map(BodyExt::boxed));
        }
        let (near, far) = (
            hyper::upgrade::on(&mut request),
            hyper::upgrade::on(&mut response),
        );
        tokio::spawn(async move {
            if let (Ok(far), Ok(near)) = (far.await, near.await) {
                let (mut near, mut far) = (TokioIo::new(near), TokioIo::new(far));
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            }
        });
        Ok(Response::new(
            Empty::new().map_err(|never| match never {}).boxed(),
        ))
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let host = self
            .gateway
            .authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let stream = TcpStream::connect((host.as_str(), self.gateway.port()))
            .await
            .map_err(|error| self.unreachable(&error))?;
        let _ = stream.set_nodelay(true);
        if !self.gateway.is_tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host).map_err(|error| self.unreachable(&error))?;
        let stream = tokio_rustls::TlsConnector::from(self.http.tls().clone())
            .connect(name, stream)
            .await
            .map_err(|error| self.unreachable(&error))?;
        Ok(Box::new(stream))
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::new(
            format!("{} cannot be reached", self.gateway),
            error,
            "check the network; for a private authority write `--ca FILE`",
        )
    }
}

/// Takes out what belongs to this connection (RFC 9110, section 7.6.1), and every credential.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    let fixed = [
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "upgrade",
    ];
    for name in named.iter().map(String::as_str).chain(fixed) {
        headers.remove(name);
    }
}

/// Whether a request was meant for this machine: a page of the web may have given its own name our address.
fn is_ours(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter().filter_map(|host| host.to_str().ok());
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.parse::<http::uri::Authority>(),
        _ => return false,
    };
    host.is_ok_and(|host| is_loopback(host.host()))
}

/// A connection to the gateway, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

fn told(status: StatusCode, message: &str) -> Response<Body> {
    let body = serde_json::json!({ "error": { "message": message, "code": "agent", "type": "invalid_request_error" } });
    let body = Full::from(body.to_string()).map_err(|never| match never {});
    let mut response = Response::new(body.boxed());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        let challenge = HeaderValue::from_static("Basic realm=\"copilot-guard agent\"");
        headers.insert(http::header::PROXY_AUTHENTICATE, challenge);
    }
    response
}

fn new_key() -> Result<Secret, Failure> {
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| {
        Failure::new(
            "no key can be made",
            "the system has no randomness",
            "mend its source",
        )
    })?;
    let hex = bytes.iter().map(|byte| format!("{byte:02x}"));
    Ok(Secret::new(format!("agent-{}", hex.collect::<String>())))
}

/// The key of a file, which is made when it is not there.
fn kept_key(path: &Path) -> Result<Secret, Failure> {
    use std::io::Write as _;
    let fail = |why: &dyn std::fmt::Display| {
        Failure::new(
            format!("the key file `{}` cannot be used", path.display()),
            why,
            "name a file that you alone may read, or one that is not there yet",
        )
    };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    match options.open(path) {
        Ok(mut file) => {
            let key = new_key()?;
            let written = file
                .write_all(key.expose().as_bytes())
                .and_then(|()| file.sync_all());
            written.map_err(|e| fail(&e))?;
            Ok(key)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = std::fs::metadata(path)
                    .map_err(|e| fail(&e))?
                    .permissions()
                    .mode();
                if mode & 0o077 != 0 {
                    return Err(fail(&"others may read it"));
                }
            }
            let text = std::fs::read_to_string(path).map_err(|e| fail(&e))?;
            let text = text.trim();
            let plain = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if plain {
                Ok(Secret::new(text))
            } else {
                Err(fail(&"it holds no key"))
            }
        }
        Err(error) => Err(fail(&error)),
    }
}
