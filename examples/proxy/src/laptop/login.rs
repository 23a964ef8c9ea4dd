//! Signing in with a browser on this or another device (RFC 8628), and the swap for a device grant.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use copilot_guard::guard::LoginHint;
use copilot_guard::secret::Secret;
use http::{Request, StatusCode, Uri};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, Client, ClientId, DeviceAuthorizationUrl, DeviceCodeErrorResponseType, HttpRequest,
    HttpResponse, RequestTokenError, Scope, StandardDeviceAuthorizationResponse, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use serde::{Deserialize, Serialize};

use super::grants::Grant;
use super::http::{Gateway, Http, refused};
use crate::failure::Failure;

/// How long somebody may take to sign in.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What is asked of an issuer's discovery document.
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
}

/// What an OpenID provider adds to the answer.
#[derive(Debug, Serialize, Deserialize)]
struct OpenId {
    id_token: Option<String>,
}

impl oauth2::ExtraTokenFields for OpenId {}

type Provider = Client<
    BasicErrorResponse,
    StandardTokenResponse<OpenId, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// Signs in and brings a grant; nothing when the person, or the identity provider, said no. Says on standard error what the person is to do.
pub(super) async fn run(http: &Http, gateway: &Gateway) -> Result<Option<Grant>, Failure> {
    let hint: LoginHint = http.json(gateway.uri("/copilot-guard/login")?).await?;
    let endpoints = discover(http, &hint.issuer).await?;
    let Some(token) = sign_in(http, &hint, &endpoints).await? else {
        return Ok(None);
    };
    let response = http
        .post(
            gateway,
            "/copilot-guard/device-grants",
            Some(&token),
            Bytes::new(),
        )
        .await?;
    #[derive(Deserialize)]
    struct Reply {
        device_grant: String,
        id: String,
    }
    let reply = match response.status() {
        StatusCode::OK => serde_json::from_slice::<Reply>(response.body()).ok(),
        StatusCode::UNAUTHORIZED => {
            return Err(Failure::new(
                format!("{gateway} does not accept the token of {}", hint.issuer),
                "its audience, or what it carries, is not what the gateway is set up for",
                "ask your administrator to compare `[login]` with `[[identity.issuers]]`",
            ));
        }
        _ => None,
    };
    let reply = reply.ok_or_else(|| refused(gateway, &response))?;
    Ok(Some(Grant {
        id: reply.id,
        secret: Secret::new(reply.device_grant),
    }))
}

async fn discover(http: &Http, issuer: &str) -> Result<Discovered, Failure> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let address = format!("{base}/.well-known/openid-configuration");
    let found: Discovered = http.json(safe(&address)?).await?;
    // Another issuer's endpoints would see the password.
    if found.issuer != issuer {
        return Err(Failure::new(
            format!("{issuer} does not describe itself"),
            "its discovery document names another issuer",
            "ask your administrator to copy `issuer` exactly",
        ));
    }
    Ok(found)
}

async fn sign_in(http: &Http, hint: &LoginHint, endpoints: &Discovered) -> Result<Option<Secret>, Failure> {
    let device = endpoints
        .device_authorization_endpoint
        .as_deref()
        .ok_or_else(|| {
            Failure::new(
                format!("{} has no device login", hint.issuer),
                "its discovery document names no `device_authorization_endpoint`",
                "ask your administrator to switch the device grant (RFC 8628) on",
            )
        })?;
    let bad = |why: &dyn fmt::Display| {
        Failure::new(
            "the issuer's endpoints cannot be used",
            why,
            "ask your administrator",
        )
    };
    for address in [device, endpoints.token_endpoint.as_str()] {
        safe(address)?;
    }
    let client = Provider::new(ClientId::new(hint.client_id.clone()))
        .set_device_authorization_url(DeviceAuthorizationUrl::new(device.to_owned()).map_err(|e| bad(&e))?)
        .set_token_uri(TokenUrl::new(endpoints.token_endpoint.clone()).map_err(|e| bad(&e))?)
        .set_auth_type(AuthType::RequestBody);
    let link = Link {
        http,
        broken: Mutex::new(None),
    };
    let call = |request: HttpRequest| link.call(request);
    let mut ask = client
        .exchange_device_code()
        .add_scopes(hint.scopes.iter().cloned().map(Scope::new));
    for (name, value) in extra(hint) {
        ask = ask.add_extra_param(name, value);
    }
    let details: StandardDeviceAuthorizationResponse = match ask.request_async(&call).await {
        Ok(details) => details,
        Err(error) => return Err(link.failure("the device login did not begin", &error)),
    };
    eprintln!("To sign in, open {}", details.verification_uri().as_str());
    eprintln!("and enter the code {}", details.user_code().secret());
    if let Some(whole) = details.verification_uri_complete() {
        eprintln!("or open {}", whole.secret());
    }
    let mut wait = client.exchange_device_access_token(&details);
    for (name, value) in extra(hint) {
        wait = wait.add_extra_param(name, value);
    }
    match wait
        .request_async(&call, tokio::time::sleep, Some(PATIENCE))
        .await
    {
        Ok(token) if !hint.id_token => Ok(Some(Secret::new(token.access_token().secret().as_str()))),
        Ok(token) => match &token.extra_fields().id_token {
            Some(id_token) => Ok(Some(Secret::new(id_token.as_str()))),
            None => Err(Failure::new(
                format!("{} gave no ID token", hint.issuer),
                "it was not asked for `openid`",
                "ask your administrator to add the scope `openid` to `[login]`",
            )),
        },
        Err(RequestTokenError::ServerResponse(said))
            if matches!(
                said.error(),
                DeviceCodeErrorResponseType::AccessDenied | DeviceCodeErrorResponseType::ExpiredToken
            ) =>
        {
            let why = format!("the identity provider says `{}`", said.error().as_ref());
            eprintln!(
                "{}",
                Failure::new("you are not signed in", why, "use `login` again")
            );
            Ok(None)
        }
        Err(error) => Err(link.failure("you are not signed in", &error)),
    }
}

fn extra(hint: &LoginHint) -> impl Iterator<Item = (&'static str, String)> {
    let resource = hint.resource.clone().map(|value| ("resource", value));
    let audience = hint.audience.clone().map(|value| ("audience", value));
    resource.into_iter().chain(audience)
}

/// The client, as `oauth2` calls it.
struct Link<'h> {
    http: &'h Http,
    /// Why the last call brought nothing.
    broken: Mutex<Option<Failure>>,
}

/// A call that brought nothing; [`Link`] keeps why.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
struct Broken;

impl Link<'_> {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, Broken> {
        let request: Request<Bytes> = request.map(Bytes::from);
        match self.http.send(request).await {
            Ok(response) => Ok(response.map(Vec::from)),
            Err(failure) => {
                if let Ok(mut broken) = self.broken.lock() {
                    *broken = Some(failure);
                }
                Err(Broken)
            }
        }
    }

    /// What to say: our own words where the network failed, the issuer's where it refused.
    fn failure<T: oauth2::ErrorResponse>(&self, what: &str, error: &RequestTokenError<Broken, T>) -> Failure {
        let broken = self.broken.lock().ok().and_then(|mut broken| broken.take());
        match error {
            RequestTokenError::Request(_) => {
                broken.unwrap_or_else(|| Failure::new(what, "the network failed", "try again"))
            }
            RequestTokenError::ServerResponse(said) => Failure::new(
                what,
                format_args!("the identity provider says {said:?}"),
                "try again, or ask your administrator",
            ),
            _ => Failure::new(
                what,
                "the identity provider's answer is not that of a device login",
                "ask your administrator",
            ),
        }
    }
}

/// An address of an identity provider: `https`, or `http` on this machine.
fn safe(address: &str) -> Result<Uri, Failure> {
    let bad = |why: &str| {
        Failure::new(
            format!("`{address}` cannot be used"),
            why,
            "ask your administrator",
        )
    };
    let uri: Uri = address.parse().map_err(|_| bad("it is no address"))?;
    let origin = format!(
        "{}://{}",
        uri.scheme_str().unwrap_or_default(),
        uri.authority().map_or("", |a| a.as_str())
    );
    Gateway::parse(&origin)
        .map_err(|_| bad("it begins with neither https:// nor http:// on this machine"))?;
    Ok(uri)
}
