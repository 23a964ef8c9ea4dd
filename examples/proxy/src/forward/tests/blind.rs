use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::kit::*;
use crate::forward::tunnel::{Dial, System};

/// Resolves by a table, and leads every connection to one server on loopback.
struct Table {
    names: Vec<(&'static str, Vec<&'static str>)>,
    server: SocketAddr,
    asked: Mutex<Vec<SocketAddr>>,
}

#[async_trait]
impl Dial for Table {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = self.names.iter().find(|(name, _)| *name == host);
        let (_, addresses) = found.ok_or(io::ErrorKind::NotFound)?;
        Ok(addresses
            .iter()
            .map(|a| SocketAddr::new(a.parse().unwrap(), port))
            .collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.asked.lock().unwrap().push(address);
        if address.ip().to_string() == "140.82.112.99" {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        TcpStream::connect(self.server).await
    }
}

const NAMES: &[(&str, &[&str])] = &[
    ("github.com", &["140.82.112.99", "140.82.112.3"]),
    ("loop.example.com", &["127.0.0.1"]),
    ("six.example.com", &["::1"]),
    ("mapped.example.com", &["::ffff:10.0.0.1"]),
    ("mixed.example.com", &["140.82.112.3", "192.168.0.7"]),
    ("meta.example.com", &["169.254.169.254"]),
    ("down.example.com", &["140.82.112.99"]),
    ("empty.example.com", &[]),
];

async fn house() -> (House, Arc<Table>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let table = Arc::new(Table {
        names: NAMES.iter().map(|(name, to)| (*name, to.to_vec())).collect(),
        server: listener.local_addr().unwrap(),
        asked: Mutex::default(),
    });
    // Greets, and says everything back.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(b"hello ").await.unwrap();
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    let house = House::with(Options {
        forward: "tunnel = [\"github.com\", \"*.example.com\", \"ssh.github.com:22\"]",
        dial: Some(table.clone()),
        ..Options::default()
    })
    .await;
    (house, table)
}

#[tokio::test]
async fn bytes_go_through_untouched() {
    let (house, table) = house().await;
    let mut stream = house.tunnel("github.com:443", &house.basic()).await;
    stream.write_all(b"no TLS at all").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "hello no TLS at all");
    let asked = table.asked.lock().unwrap().clone();
    let wanted: Vec<SocketAddr> = vec![
        "140.82.112.99:443".parse().unwrap(),
        "140.82.112.3:443".parse().unwrap(),
    ];
    assert_eq!(
        asked, wanted,
        "the next address when one does not answer, and no second look-up"
    );
    let reply = connect(&mut house.dial().await, "github.com:443", None).await;
    assert!(reply.starts_with("HTTP/1.1 407 "), "{reply}");
}

#[tokio::test]
async fn names_that_lead_inwards() {
    let (house, table) = house().await;
    let rows = [
        ("loop.example.com", "403", "loopback"),
        ("six.example.com", "403", "loopback"),
        ("mapped.example.com", "403", "private"),
        ("mixed.example.com", "403", "private"),
        ("meta.example.com", "403", "link-local"),
        ("down.example.com", "502", "cannot be reached"),
        ("empty.example.com", "502", "cannot be reached"),
        ("unknown.example.com", "502", "cannot be reached"),
    ];
    for (name, status, says) in rows {
        let reply = connect(
            &mut house.dial().await,
            &format!("{name}:443"),
            Some(&house.basic()),
        )
        .await;
        assert!(
            reply.contains(says) && reply.get(9..12) == Some(status),
            "{name}: {reply}"
        );
    }
    let asked = table.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        ["140.82.112.99:443".parse().unwrap()],
        "only `down` was tried"
    );
}

/// A tunnel that nobody looks into ends with its token too.
#[tokio::test]
async fn ends_with_its_token() {
    let (house, _table) = house().await;
    let mut stream = house.tunnel("github.com:443", &basic(&house.token(2))).await;
    let mut all = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut all))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(all, "hello ");
}

#[tokio::test]
async fn a_resting_tunnel_does_not_keep_the_gateway_from_stopping() {
    let (house, _table) = house().await;
    let _stream = house.tunnel("github.com:443", &house.basic()).await;
    tokio::time::timeout(SOON, house.running.stop()).await.unwrap();
}

/// The system's way out does not lead to this machine, by whichever of its addresses.
#[tokio::test]
async fn not_to_this_machine() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = System.connect(([127, 0, 0, 1], port).into()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
}
