//! Who opens a tunnel: a forward proxy asks once for the tunnel, and once more for each request inside.
//!
//! 1. [`Guard::identify_tunnel`] looks at the head of a `CONNECT`. Its refusals are recorded as those of
//!    [`Guard::identify`] are.
//! 2. The proxy puts the [`TunnelToken`] into the extensions of every request of that tunnel. Then
//!    [`Guard::identify`] verifies it again, and the request's own headers identify nobody.
//! 3. The proxy ends the tunnel at [`Tunnel::expires_at`].

use std::fmt;
use std::future::Future;
use std::net::IpAddr;

use http::StatusCode;
use http::header::HeaderMap;

use super::revoked::Welcome;
use super::{Denial, Guard, entropy};
use crate::audit::Stranger;
use crate::clock::Timestamp;
use crate::dialect::Dialect;
use crate::id::ExchangeId;
use crate::secret::Secret;
use crate::token::{TokenError, proxy_credential};

/// A tunnel whose caller is known.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tunnel {
    /// For the extensions of every request inside.
    pub token: TunnelToken,
    /// When the token ends, and with it the tunnel.
    pub expires_at: Timestamp,
    welcome: Welcome,
}

impl Tunnel {
    /// Returns once the caller's access is withdrawn: then the tunnel ends.
    pub fn withdrawn(&self) -> impl Future<Output = ()> + Send + use<> {
        self.welcome.clone().over()
    }
}

/// The token that opened a tunnel. Only [`Guard::identify_tunnel`] makes one. `{:?}` shows nothing of it.
#[derive(Clone)]
pub struct TunnelToken(Secret);

impl TunnelToken {
    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for TunnelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TunnelToken(..)")
    }
}

impl Guard {
    /// Looks at the head of a `CONNECT`: who asks? Only `Proxy-Authorization` tells.
    ///
    /// # Errors
    /// 407 without an acceptable token, 400 when its list of groups is cut off, 503 when tokens cannot be checked.
    /// The refusal is recorded, and its body is plain text.
    pub async fn identify_tunnel(
        &self,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<Tunnel, Denial> {
        let now = self.now();
        let verifier = &self.inner.verifier;
        let token = match proxy_credential(headers) {
            Ok(token) => token,
            Err(_) if !verifier.needs_token() => Secret::new(""),
            Err(error) => return Err(self.refuse_tunnel(&error, address, now)),
        };
        match self.verify(token.expose(), now).await {
            // Within the leeway of a request, and yet over: such a tunnel would end as it begins.
            Ok(identity) if identity.expires_at <= now && verifier.needs_token() => {
                Err(self.refuse_tunnel(&TokenError::Invalid("expired"), address, now))
            }
            Ok(identity) => Ok(Tunnel {
                token: TunnelToken(token),
                expires_at: identity.expires_at,
                welcome: self.welcome(identity),
            }),
            Err(error) => Err(self.refuse_tunnel(&error, address, now)),
        }
    }

    fn refuse_tunnel(&self, error: &TokenError, address: Option<IpAddr>, now: Timestamp) -> Denial {
        let (status, message) = match error {
            error if error.is_unavailable() => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Identity cannot be checked right now. Try again in a moment.",
            ),
            TokenError::GroupsOverage => (
                StatusCode::BAD_REQUEST,
                "Your token's group list is cut off by the identity provider. Ask your administrator to limit the groups it carries.",
            ),
            _ => (
                StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                "This proxy needs a valid token of your organisation. Sign in again and put the fresh token into the proxy address as its password: http://you:TOKEN@host:port",
            ),
        };
        let exchange = ExchangeId::new(now, entropy());
        // No dialect is known yet: the body is for the person who looks for the reason.
        let mut denial = self.refuse(
            exchange,
            Dialect::Chat,
            status,
            error.code(),
            message,
            Stranger {
                address: address.map(|address| address.to_string()),
                request: Some("CONNECT".to_owned()),
                user_agent: None,
            },
        );
        denial.body = Some(("text/plain; charset=utf-8", format!("{message}\n")));
        denial
    }
}
