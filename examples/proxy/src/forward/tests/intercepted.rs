use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::io::AsyncReadExt as _;

use super::kit::*;

/// Basic and Bearer, h1 and h2: the model answers, and sees the house's credential instead of the client's.
#[tokio::test]
async fn answers_inside() {
    let house = House::start().await;
    for (protocol, credentials) in [
        ("http/1.1", house.basic()),
        ("h2", house.basic()),
        ("h2", format!("Bearer {}", house.token(3600))),
    ] {
        let (mut inner, _task) = Inner::new(house.inside(&credentials, protocol).await, protocol).await;
        // Several requests share the tunnel.
        for _ in 0..2 {
            let (status, headers, body) = inner.ask(chat(HOST, false)).await;
            assert_eq!(status, 200, "{protocol}: {body}");
            assert!(body.contains("hello"), "{body}");
            assert!(headers.contains_key("x-copilot-guard-exchange"));
        }
    }
    let seen = std::mem::take(&mut *house.seen.lock().unwrap());
    assert_eq!(seen.len(), 6);
    for headers in seen {
        assert_eq!(headers["authorization"], format!("Bearer {CREDENTIAL}"));
        let all = format!("{headers:?}");
        assert!(
            !all.contains(FAR) && !all.contains("proxy-authorization"),
            "{all}"
        );
    }
    let metrics = house.admin("/metrics").await;
    assert!(
        metrics.contains(r#"tunnels_opened_total{kind="intercepted"} 3"#),
        "{metrics}"
    );
    house.running.stop().await;
}

/// Negative control: without the CA the interception is found out.
#[tokio::test]
async fn who_does_not_trust_the_ca_is_not_fooled() {
    let house = House::start().await;
    let stream = house.tunnel(&format!("{HOST}:443"), &house.basic()).await;
    let error = handshake(stream, None, HOST, "h2").await.unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    // The CA's own constraints hold without the proxy's help, too: it cannot speak for another host.
    let other = tempfile::tempdir().unwrap();
    let now = copilot_guard::clock::Clock::now(&copilot_guard::clock::SystemClock);
    let made = crate::forward::ca_init::make(other.path(), &[], now).unwrap();
    let stream = house.tunnel(&format!("{HOST}:443"), &house.basic()).await;
    let error = handshake(stream, Some(made.cert), HOST, "h2").await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    assert!(house.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_names_must_agree() {
    let house = House::start().await;
    // In the handshake: another name, and none.
    for name in ["api.anthropic.com", "files.openai.com", "127.0.0.1"] {
        let stream = house.tunnel(&format!("{HOST}:443"), &house.basic()).await;
        let error = handshake(stream, Some(house.ca()), name, "h2").await.unwrap_err();
        assert!(error.to_string().contains("AccessDenied"), "{name}: {error}");
    }
    // In the request.
    for protocol in ["http/1.1", "h2"] {
        let (mut inner, _task) = Inner::new(house.inside(&house.basic(), protocol).await, protocol).await;
        for host in ["api.anthropic.com", "api.openai.com:8443", "files.openai.com"] {
            let (status, _, body) = inner.ask(chat(host, false)).await;
            assert_eq!(status, 421, "{protocol} {host}: {body}");
        }
        let (status, ..) = inner.ask(chat("API.OpenAI.com:443", false)).await;
        assert_eq!(status, 200, "{protocol}");
    }
    assert_eq!(house.seen.lock().unwrap().len(), 2);
    let metrics = house.admin("/metrics").await;
    assert!(
        metrics.contains(r#"tunnels_refused_total{reason="misdirected"} 6"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"tunnels_refused_total{reason="handshake"} 3"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_the_guard_refuses_is_refused_inside() {
    let house = House::start().await;
    let (mut inner, _task) = Inner::new(house.inside(&house.basic(), "http/1.1").await, "http/1.1").await;
    let request = Request::get(format!("https://{HOST}/v1/files"))
        .body(Full::<Bytes>::default())
        .unwrap();
    assert_eq!(inner.ask(request).await.0, 404);
    let mut request = chat(HOST, false);
    request
        .headers_mut()
        .insert("upgrade", "websocket".parse().unwrap());
    request
        .headers_mut()
        .insert("connection", "upgrade".parse().unwrap());
    assert_eq!(inner.ask(request).await.0, 400);
    assert!(house.seen.lock().unwrap().is_empty());
}

/// A tunnel ends when its token does: at once when nothing runs, after the running answer otherwise.
#[tokio::test]
async fn the_tunnel_ends_with_its_token() {
    let house = House::start().await;
    for protocol in ["http/1.1", "h2"] {
        let credentials = basic(&house.token(3));
        let (mut inner, over) = Inner::new(house.inside(&credentials, protocol).await, protocol).await;
        let (mut resting, rest_over) = Inner::new(house.inside(&credentials, protocol).await, protocol).await;
        assert_eq!(resting.ask(chat(HOST, false)).await.0, 200);
        let (status, _, body) = tokio::time::timeout(SOON, inner.ask(chat(HOST, true)))
            .await
            .unwrap();
        assert_eq!(status, 200);
        assert!(
            body.contains("7 ") && body.contains("[DONE]"),
            "{protocol}: cut off: {body}"
        );
        tokio::time::timeout(SOON, over).await.unwrap().unwrap();
        tokio::time::timeout(SOON, rest_over).await.unwrap().unwrap();
        assert!(
            inner.send(chat(HOST, false)).await.is_err(),
            "{protocol}: a request after the end"
        );
        assert!(
            resting.send(chat(HOST, false)).await.is_err(),
            "{protocol}: a request after the end"
        );
    }
}

/// Stopping does not wait for tunnels in which nothing runs, and cuts off no answer that does.
#[tokio::test]
async fn stops_in_good_order() {
    let house = House::start().await;
    let (mut resting, _task) = Inner::new(house.inside(&house.basic(), "h2").await, "h2").await;
    assert_eq!(resting.ask(chat(HOST, false)).await.0, 200);
    let mut silent = house.inside(&house.basic(), "http/1.1").await;
    let (mut inner, _task) = Inner::new(house.inside(&house.basic(), "http/1.1").await, "http/1.1").await;
    let answer = inner.send(chat(HOST, true)).await.unwrap();
    let stop = tokio::spawn(house.running.stop());
    let body = http_body_util::BodyExt::collect(answer.into_body())
        .await
        .unwrap()
        .to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    tokio::time::timeout(SOON, stop).await.unwrap().unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
}

/// The proxy itself behind TLS.
#[tokio::test]
async fn over_https() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["proxy.example.com".to_owned()]).unwrap();
    let cert = params.self_signed(&key).unwrap();
    let files = crate::config::server::Tls {
        cert: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    };
    std::fs::write(
        &files.cert,
        crate::forward::ca_init::pem("CERTIFICATE", cert.der()),
    )
    .unwrap();
    std::fs::write(
        &files.key,
        crate::forward::ca_init::pem("PRIVATE KEY", key.serialized_der()),
    )
    .unwrap();
    let server = format!("tls = {{ cert = {:?}, key = {:?} }}", files.cert, files.key);
    let house = House::with(Options {
        server: server.leak(),
        ..Options::default()
    })
    .await;
    let mut outer = handshake(
        house.dial().await,
        Some(files.cert),
        "proxy.example.com",
        "http/1.1",
    )
    .await
    .unwrap();
    let head = connect(&mut outer, &format!("{HOST}:443"), Some(&house.basic())).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let inner = handshake(outer, Some(house.ca()), HOST, "h2").await.unwrap();
    let io = hyper_util::rt::TokioIo::new(inner);
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io)
            .await
            .unwrap();
    let _task = tokio::spawn(connection);
    assert_eq!(send.send_request(chat(HOST, false)).await.unwrap().status(), 200);
}
