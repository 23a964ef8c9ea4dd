//! A request that waits for a person holds nothing that others need.

use std::task::{Context, Poll, Waker};

use copilot_guard::http::GuardService;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service};

use crate::support::*;

type Body = http_body_util::Full<bytes::Bytes>;
type BoxService = tower::util::BoxService<
    http::Request<Body>,
    http::Response<copilot_guard::http::ResponseBody>,
    std::convert::Infallible,
>;

const HELLO: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

#[tokio::test(start_paused = true)]
async fn a_held_request_does_not_sit_on_the_models_slot() {
    let house = House::new(Model::new([Answer::json(HELLO), Answer::json(HELLO)]));
    let inner = ConcurrencyLimitLayer::new(1).layer(house.model.clone());
    let shell = GuardService::<_, http_body_util::Full<bytes::Bytes>>::new(house.guard.clone(), inner);

    let held_plain = tokio::spawn(oneshot(
        shell.clone(),
        post(CHAT, prompt("drop the production database", false)),
    ));
    let mut held = oneshot(shell.clone(), streamed(CHAT, "production again")).await;
    assert!(one_piece(held.body_mut()).await.is_some(), "a first event");
    until("both are held", || {
        let list = house.sink.events();
        list.iter()
            .filter(|e| matches!(e.kind, copilot_guard::audit::EventKind::Opened(_)))
            .count()
            == 2
    })
    .await;
    assert_eq!(house.model.calls(), 0);

    let allowed = read(oneshot(shell.clone(), post(CHAT, prompt("hello", false))).await).await;
    assert_eq!(allowed.status, 200, "{allowed:?}");
    assert!(allowed.body.contains("hello"));
    assert!(!held_plain.is_finished());
    held_plain.abort();
    drop(held);
}

/// The negative control: the limit around the guard starves the second request.
#[tokio::test(start_paused = true)]
async fn with_the_limit_outside_the_second_request_waits() {
    let house = House::new(Model::new([]));
    let limited = ConcurrencyLimitLayer::new(1).layer(house.shell.clone());
    let mut limited: BoxService = tower::util::BoxService::new(limited);
    std::future::poll_fn(|cx| limited.poll_ready(cx))
        .await
        .expect("ready");
    let held = tokio::spawn(limited.call(post(CHAT, prompt("production", false))));
    tokio::task::yield_now().await;
    let mut cx = Context::from_waker(Waker::noop());
    assert!(limited.poll_ready(&mut cx).is_pending());
    held.abort();
}

#[tokio::test]
async fn it_is_always_ready() {
    #[derive(Clone)]
    struct Never;
    impl Service<http::Request<http_body_util::Full<bytes::Bytes>>> for Never {
        type Response = http::Response<http_body_util::Full<bytes::Bytes>>;
        type Error = std::io::Error;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Pending
        }
        fn call(&mut self, _request: http::Request<http_body_util::Full<bytes::Bytes>>) -> Self::Future {
            unreachable!("called without being ready")
        }
    }
    let house = House::new(Model::new([]));
    let mut shell = GuardService::<_, http_body_util::Full<bytes::Bytes>>::new(house.guard.clone(), Never);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        let ready =
            Service::<http::Request<http_body_util::Full<bytes::Bytes>>>::poll_ready(&mut shell, &mut cx);
        assert!(ready.is_ready());
    }
    // The inner service's own readiness is awaited: not called while it is not ready.
    let mut call = shell.call(post(CHAT, prompt("hi", false)));
    for _ in 0..50 {
        assert!(poll_once(&mut call).await.is_pending());
        tokio::task::yield_now().await;
    }
}
