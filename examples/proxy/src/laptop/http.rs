//! The way from a laptop to the gateway and to the identity provider.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use copilot_guard::secret::Secret;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::uri::Authority;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::grants::Grant;
use crate::failure::Failure;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read.
const LARGEST: usize = 1 << 20;

/// A gateway's address: scheme and authority, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gateway {
    pub(super) is_tls: bool,
    pub(super) authority: Authority,
}

impl Gateway {
    /// `https`, or `http` on this machine.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let bad = |why: &str| {
            Failure::new(
                "the gateway's address cannot be used",
                why,
                "write one such as https://copilot.example.com",
            )
        };
        let uri: Uri = text.parse().map_err(|_| bad("it is no address"))?;
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@')
            || uri.path() != "/"
            || uri.query().is_some()
            || text.contains('#')
        {
            return Err(bad("it holds more than scheme, host and port"));
        }
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(authority.host()) => false,
            Some("http") => return Err(bad("your token would go over the network in the clear")),
            _ => return Err(bad("it begins with neither https:// nor http://")),
        };
        Ok(Self {
            is_tls,
            authority: authority.clone(),
        })
    }

    pub(super) fn uri(&self, path: &str) -> Result<Uri, Failure> {
        format!("{self}{path}")
            .parse()
            .map_err(|e| Failure::new("an address cannot be made", e, "report this as a bug"))
    }

    pub(super) fn port(&self) -> u16 {
        self.authority
            .port_u16()
            .unwrap_or(if self.is_tls { 443 } else { 80 })
    }

    /// Letters that every file system takes.
    pub(super) fn file_name(&self) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                c
            } else {
                '_'
            }
        };
        self.authority
            .as_str()
            .to_ascii_lowercase()
            .chars()
            .map(plain)
            .collect()
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

/// Names and addresses of this machine, as written.
pub(super) fn is_loopback(host: &str) -> bool {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || plain.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A token of the gateway's, for some minutes.
#[derive(Debug, Clone)]
pub(super) struct Fresh {
    pub(super) token: Secret,
    pub(super) lasts: Duration,
}

/// An HTTP client that trusts the system's authorities and those of a file. It follows no redirect.
#[derive(Clone)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    tls: Arc<ClientConfig>,
}

impl Http {
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, Failure> {
        let tls = Arc::new(trust(ca)?);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector(&tls)),
            tls,
        })
    }

    /// How TLS is spoken, for connections of another kind.
    pub(super) fn tls(&self) -> &Arc<ClientConfig> {
        &self.tls
    }

    /// The whole answer, whatever its status.
    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let fail = |why: &dyn fmt::Display| {
            Failure::new(
                format!("{host} does not answer"),
                why,
                "check the address and the network; for a private authority write `--ca FILE`",
            )
        };
        let answer = async {
            let response = self.client.request(request.map(Full::new)).await;
            let response = response.map_err(|e| fail(&root_cause(&e)))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, LARGEST).collect().await;
            let body = body.map_err(|_| fail(&"the answer broke off or is too long"))?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap_or_else(|_| Err(fail(&"no answer within 30 s")))
    }

    /// A document of JSON from a 200.
    pub(super) async fn json<T: serde::de::DeserializeOwned>(&self, uri: Uri) -> Result<T, Failure> {
        let shown = format!("{}{}", uri.host().unwrap_or_default(), uri.path());
        let fail = |why: &dyn fmt::Display| {
            Failure::new(
                format!("{shown} cannot be read"),
                why,
                "check the address with your administrator",
            )
        };
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = uri;
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(fail(&format_args!("status {}", response.status().as_u16())));
        }
        serde_json::from_slice(response.body()).map_err(|_| fail(&"it is not the JSON that was expected"))
    }

    /// A fresh token for a grant. `None`: the gateway does not take the grant.
    pub(super) async fn fresh_token(
        &self,
        gateway: &Gateway,
        grant: &Grant,
    ) -> Result<Option<Fresh>, Failure> {
        let response = self
            .post(gateway, "/copilot-guard/token", Some(&grant.secret), Bytes::new())
            .await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Ok(None);
        }
        let refused = || refused(gateway, &response);
        if response.status() != StatusCode::OK {
            return Err(refused());
        }
        #[derive(serde::Deserialize)]
        struct Reply {
            access_token: String,
            expires_in: u64,
        }
        let reply: Reply = serde_json::from_slice(response.body()).map_err(|_| refused())?;
        Ok(Some(Fresh {
            token: Secret::new(reply.access_token),
            lasts: Duration::from_secs(reply.expires_in),
        }))
    }

    /// Gives a grant back (RFC 7009).
    pub(super) async fn give_back(&self, gateway: &Gateway, grant: &Grant) -> Result<(), Failure> {
        // A grant is letters, digits and `_`: nothing to encode.
        let body = Bytes::from(format!("token={}", grant.secret.expose()));
        let response = self.post(gateway, "/copilot-guard/revoke", None, body).await?;
        match response.status() {
            StatusCode::OK => Ok(()),
            _ => Err(refused(gateway, &response)),
        }
    }

    /// A POST to the gateway, with this token.
    pub(super) async fn post(
        &self,
        gateway: &Gateway,
        path: &str,
        token: Option<&Secret>,
        body: Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        let mut request = Request::post(gateway.uri(path)?)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .map_err(|e| Failure::new("a request cannot be made", e, "report this as a bug"))?;
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, bearer(token)?);
        }
        self.send(request).await
    }
}

/// `Bearer TOKEN`, out of logs and header tables.
pub(super) fn bearer(token: &Secret) -> Result<HeaderValue, Failure> {
    let text = zeroize::Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Failure::new(
            "the token cannot be sent",
            "it holds characters that no header may hold",
            "sign in again",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What the gateway said, in its own words: they hold no secret.
pub(super) fn refused(gateway: &Gateway, response: &Response<Bytes>) -> Failure {
    let said: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let message = said
        .pointer("/error/message")
        .or_else(|| said.get("error_description"))
        .and_then(serde_json::Value::as_str)
        .unwrap_or("it does not say why");
    Failure::new(
        format!("{gateway} answered with status {}", response.status().as_u16()),
        message.trim_end_matches('.'),
        "ask your administrator if it stays so",
    )
}

pub(super) fn connector(tls: &Arc<ClientConfig>) -> HttpsConnector<HttpConnector> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(Duration::from_secs(10)));
    hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config((**tls).clone())
        // Plain HTTP goes to this machine alone: `Gateway::parse` and the login see to it.
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp)
}

fn trust(ca: Option<&Path>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    // What cannot be read of the system's is missed when it is needed.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        let bad = |why: &dyn fmt::Display| {
            Failure::new(
                format!("`{}` cannot be used as an authority", path.display()),
                why,
                "name a PEM file with certificates",
            )
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|e| bad(&e))?;
        let mut count = 0;
        for certificate in certificates {
            let certificate = certificate.map_err(|e| bad(&e))?;
            roots.add(certificate).map_err(|e| bad(&e))?;
            count += 1;
        }
        if count == 0 {
            return Err(bad(&"it holds no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::new("TLS cannot be set up", e, "report this as a bug"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The innermost reason: the outer ones say "client error (Connect)".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_scheme_host_and_port() {
        for good in [
            "https://a.example",
            "https://a.example:8443/",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
        ] {
            let gateway = Gateway::parse(good).unwrap();
            assert_eq!(gateway.to_string(), good.trim_end_matches('/'));
        }
        for bad in [
            "a.example",
            "http://a.example",
            "http://127.0.0.1.example",
            "https://u:p@a.example",
            "https://a.example/v1",
            "https://a.example/?x",
            "ftp://a.example",
            "",
        ] {
            assert!(Gateway::parse(bad).is_err(), "{bad}");
        }
        let name = Gateway::parse("https://A.example:8443").unwrap().file_name();
        assert_eq!(name, "a.example_8443");
    }
}
