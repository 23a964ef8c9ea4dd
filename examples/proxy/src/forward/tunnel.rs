//! Tunnels that nobody looks into: for hosts that the configuration lists.
//!
//! A name is resolved once, every address it has is checked, and a checked address is what is connected to: a name that
//! resolves to this machine or to a private network leads nowhere.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::address;
use super::connect::{Refusal, Target};
use super::life::{Activity, End, Life, quiet};
use crate::config::hosts::Host;

/// How long an address may take to be found, and each of the first few to answer.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_TRIES: usize = 4;
/// When draining, a tunnel is over once nothing has moved for this long.
const STILL: Duration = Duration::from_secs(1);

/// The way out. Another one stands in for it in tests.
#[async_trait]
pub(super) trait Dial: Send + Sync + 'static {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// The system's resolver and network.
#[derive(Debug)]
pub(super) struct System;

#[async_trait]
impl Dial for System {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        if is_this_machine(address) {
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "the address is this machine's",
            ));
        }
        TcpStream::connect(address).await
    }
}

/// Whether an address is one of this machine's: the system would then go there from the same address. Sends nothing.
fn is_this_machine(address: SocketAddr) -> bool {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0; 8], 0).into(),
    };
    let probe = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(address)?;
        socket.local_addr()
    });
    probe.is_ok_and(|local| local.ip() == address.ip())
}

/// Connects to a listed place.
pub(super) async fn open(
    dial: &Arc<dyn Dial>,
    target: &Target,
    own: &[SocketAddr],
) -> Result<TcpStream, Refusal> {
    let unreachable = || {
        let message = format!(
            "{} cannot be reached from this proxy. Try again later.",
            target.host
        );
        Refusal::new(StatusCode::BAD_GATEWAY, "unreachable", message)
    };
    let addresses = match &target.host {
        Host::Ip(ip) => vec![SocketAddr::new(*ip, target.port)],
        Host::Name(name) => match tokio::time::timeout(PATIENCE, dial.resolve(name, target.port)).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => addresses,
            _ => return Err(unreachable()),
        },
    };
    // One bad address among good ones is enough: whoever answers for that name is not to be trusted.
    for address in &addresses {
        let why = address::refused(address.ip()).or(own.contains(address).then_some("this proxy"));
        if let Some(why) = why {
            let message = format!(
                "{} resolves to an address this proxy does not connect to ({why}). Leave it out of the proxy with NO_PROXY={}.",
                target.host, target.host
            );
            return Err(Refusal::new(StatusCode::FORBIDDEN, "private_address", message));
        }
    }
    for address in addresses.into_iter().take(MOST_TRIES) {
        if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, dial.connect(address)).await {
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(unreachable())
}

/// Moves bytes until one side is done or the tunnel's life is over. `drain` bounds what a drain waits for.
pub(super) async fn pump<S>(client: S, mut server: TcpStream, life: Life, drain: Duration) -> Option<End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity::default();
    let mut client = Noted {
        inner: client,
        activity: activity.clone(),
    };
    let mut copy = std::pin::pin!(tokio::io::copy_bidirectional(&mut client, &mut server));
    let end = tokio::select! {
        _ = &mut copy => return None,
        end = life.over(&activity) => end,
    };
    if end == End::Drain {
        tokio::select! {
            _ = &mut copy => {}
            () = quiet(&activity, STILL) => {}
            () = tokio::time::sleep(drain) => {}
        }
    }
    Some(end)
}

/// Notes that bytes moved.
struct Noted<S> {
    inner: S,
    activity: Activity,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        if result.is_ready() {
            self.activity.note();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        if result.is_ready() {
            self.activity.note();
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
