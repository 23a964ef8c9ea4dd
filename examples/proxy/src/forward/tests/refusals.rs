use tokio::io::AsyncReadExt as _;

use super::kit::*;

fn status(reply: &str) -> &str {
    reply.get(9..12).unwrap_or_default()
}

#[tokio::test]
async fn places() {
    let house = House::with(Options {
        forward: "tunnel = [\"github.com\"]\nown_hosts = [\"guard.example.com\"]",
        ..Options::default()
    })
    .await;
    let own = house.proxy.to_string();
    let rows = [
        ("example.com:443", "403", "does not connect to example.com"),
        ("api.openai.com:8443", "403", "port 443 alone"),
        ("guard.example.com:443", "403", "this proxy itself"),
        (own.as_str(), "403", "this proxy itself"),
        ("127.0.0.1:11434", "403", "NO_PROXY=127.0.0.1"),
        ("169.254.169.254:80", "403", "private networks"),
        ("localhost:443", "403", "NO_PROXY=localhost"),
        ("api.openai.com.:443", "400", "host name and a port"),
    ];
    let credentials = house.basic();
    for (place, wanted, says) in rows {
        let reply = connect(&mut house.dial().await, place, Some(&credentials)).await;
        assert_eq!(status(&reply), wanted, "{place}: {reply}");
        assert!(
            reply.contains("content-type: text/plain") && reply.contains(says),
            "{place}: {reply}"
        );
    }
    let metrics = house.admin("/metrics").await;
    assert!(
        metrics.contains(r#"tunnels_refused_total{reason="private_address"} 3"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"tunnels_refused_total{reason="own_address"} 2"#),
        "{metrics}"
    );
    assert!(!metrics.contains("tunnels_opened_total{"), "{metrics}");
}

#[tokio::test]
async fn what_is_no_connect() {
    let house = House::start().await;
    let rows = [
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "400", "forward proxy"),
        ("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", "400", "forward proxy"),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
            "400",
            "HTTPS_PROXY",
        ),
        (
            "GET http://example.com/ HTTP/1.1\r\nhost: example.com\r\n\r\n",
            "403",
            "https alone",
        ),
    ];
    for (request, wanted, says) in rows {
        let mut stream = house.dial().await;
        let reply = exchange(&mut stream, request).await;
        assert_eq!(status(&reply), wanted, "{reply}");
        assert!(reply.contains(says), "{reply}");
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the connection ends");
    }
}

#[tokio::test]
async fn credentials() {
    let house = House::start().await;
    let good = house.token(3600);
    let place = format!("{HOST}:443");
    let now = copilot_guard::clock::Clock::now(&copilot_guard::clock::SystemClock);
    let foreign = house
        .idp
        .token_for("dana", "copilot-guard-admin", &[], now, 3600)
        .unwrap();
    let rows = [
        None,
        Some("Basic !".to_owned()),
        Some("Digest x".to_owned()),
        Some(basic("no.such.token")),
        Some(basic(&foreign)),
        Some(basic(&house.token(-3600))),
        // Within the leeway of a request.
        Some(basic(&house.token(-5))),
        Some(format!(
            "{}\r\nproxy-authorization: {}",
            basic(&good),
            basic(&good)
        )),
    ];
    for row in rows {
        let reply = connect(&mut house.dial().await, &place, row.as_deref()).await;
        assert_eq!(status(&reply), "407", "{row:?}: {reply}");
        assert!(
            reply.contains("proxy-authenticate: Basic realm=\"copilot-guard\""),
            "{reply}"
        );
        assert!(
            reply.contains("http://you:TOKEN@host:port") && reply.contains("x-copilot-guard-exchange"),
            "{reply}"
        );
    }
    // In another field, which is meant for the far server.
    let request =
        format!("CONNECT {place} HTTP/1.1\r\nhost: {place}\r\nauthorization: Bearer {good}\r\n\r\n");
    assert_eq!(status(&exchange(&mut house.dial().await, &request).await), "407");

    // Asked first, as curl does: the same connection becomes the tunnel.
    let mut stream = house.dial().await;
    assert_eq!(status(&connect(&mut stream, &place, None).await), "407");
    assert_eq!(
        status(&connect(&mut stream, &place, Some(&basic(&good))).await),
        "200"
    );
    let inner = handshake(stream, Some(house.ca()), HOST, "h2").await.unwrap();
    let (mut inner, _task) = Inner::new(inner, "h2").await;
    assert_eq!(inner.ask(chat(HOST, false)).await.0, 200);

    // Strangers are not told which hosts are listed.
    assert_eq!(
        status(&connect(&mut house.dial().await, "example.com:443", None).await),
        "407"
    );
    // Counted once they are on record, which a reply does not wait for.
    let mut metrics = String::new();
    for _ in 0..200 {
        metrics = house.admin("/metrics").await;
        let missing = metrics.contains(r#"copilot_guard_refused_total{code="credential_missing"} 4"#);
        let expired = metrics.contains(r#"copilot_guard_refused_total{code="expired"} 2"#);
        if missing && expired {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{metrics}");
}

#[tokio::test]
async fn as_many_as_may_be() {
    let house = House::with(Options {
        forward: "max_tunnels = 1",
        ..Options::default()
    })
    .await;
    let place = format!("{HOST}:443");
    let credentials = house.basic();
    let first = house.inside(&credentials, "h2").await;
    let reply = connect(&mut house.dial().await, &place, Some(&credentials)).await;
    assert_eq!(status(&reply), "503", "{reply}");
    drop(first);
    for _ in 0..200 {
        if status(&connect(&mut house.dial().await, &place, Some(&credentials)).await) == "200" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the slot was not given back");
}

#[tokio::test]
async fn a_tunnel_without_requests_ends() {
    let house = House::with(Options {
        forward: "idle_timeout = \"1s\"",
        ..Options::default()
    })
    .await;
    let (mut inner, over) = Inner::new(house.inside(&house.basic(), "h2").await, "h2").await;
    // Four seconds of answering are no idleness.
    let (status, _, body) = inner.ask(chat(HOST, true)).await;
    assert!(status == 200 && body.contains("[DONE]"), "{body}");
    tokio::time::timeout(SOON, over).await.unwrap().unwrap();
}
