//! The axum adapter over real sockets; what is tested stands in `tests/adapters/scenarios.rs`.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "../../tests/adapters/mod.rs"]
mod adapters;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use copilot_guard::audit::Outcome;
use copilot_guard_axum::{CallerIdentity, Exchange, WrapRouter, admin_router};
use tokio::net::TcpListener;

use adapters::{Answer, Script, Server, scenarios};

async fn forward(
    State(script): State<Script>,
    CallerIdentity(caller): CallerIdentity,
    Exchange(exchange): Exchange,
    headers: HeaderMap,
) -> Response {
    let many: Vec<_> = headers
        .get_all("x-many")
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect();
    let saw = format!("{} {exchange} {} {headers:?}", caller.subject, many.join(","));
    match script.call(saw).await {
        Some((content_type, body)) => {
            ([(header::CONTENT_TYPE, content_type)], Body::from_stream(body)).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn serve(answer: Answer) -> Server {
    serve_script(Script::new(answer)).await
}

async fn serve_script(script: Script) -> Server {
    let (guard, store) = adapters::guard();
    // A route and a fallback that the guard does not know.
    let router = Router::new()
        .route("/v1/{*rest}", any(forward))
        .route("/extra", post(forward))
        .fallback(forward)
        .with_state(script.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let data = listener.local_addr().unwrap().port();
    let app = guard.wrap(router).into_make_service();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, admin_router(guard)).await });
    Server::new(data, admin, store, script)
}

#[tokio::test]
async fn masks_chat_content() {
    scenarios::masks_chat_content(&serve(scenarios::chat_content()).await).await;
}

#[tokio::test]
async fn masks_chat_arguments() {
    scenarios::masks_chat_arguments(&serve(scenarios::chat_arguments()).await).await;
}

#[tokio::test]
async fn masks_messages_text() {
    scenarios::masks_messages_text(&serve(scenarios::messages_text()).await).await;
}

#[tokio::test]
async fn masks_plain() {
    scenarios::masks_plain(&serve(scenarios::plain()).await).await;
}

#[tokio::test]
async fn strangers_and_unknown_routes_stay_out() {
    scenarios::strangers_stay_out(&serve(scenarios::plain()).await).await;
}

#[tokio::test]
async fn leaving_ends_the_exchange() {
    scenarios::leaving_ends_the_exchange(&serve(scenarios::endless()).await).await;
}

#[tokio::test]
async fn leaving_a_hold_ends_the_exchange() {
    scenarios::leaving_a_hold_ends_the_exchange(&serve(scenarios::endless()).await).await;
}

/// hyper drops the pending call at once.
#[tokio::test]
async fn leaving_a_pending_call_ends_it() {
    let server = serve_script(Script::new(scenarios::plain()).closed()).await;
    scenarios::leave_a_pending_call(&server).await;
    server.ended(Outcome::ClientGone).await;
    assert_eq!(server.script.dropped(), 1);
    // The control: who stays gets the answer.
    server.script.open();
    scenarios::masks_plain(&server).await;
}

#[tokio::test]
async fn failure_is_recorded() {
    scenarios::failure_is_recorded(&serve(Answer::Fail).await).await;
}

#[tokio::test]
async fn a_panic_is_recorded() {
    scenarios::failure_is_recorded(&serve(Answer::Panic).await).await;
}

#[tokio::test]
async fn approval_releases_one_streamed_call() {
    scenarios::approval_releases_one_call(&serve(scenarios::chat_content_whole()).await, true).await;
}

#[tokio::test]
async fn approval_releases_one_plain_call() {
    scenarios::approval_releases_one_call(&serve(scenarios::plain()).await, false).await;
}

#[tokio::test]
async fn without_the_guard_it_leaks() {
    let script = Script::new(scenarios::chat_content());
    let router = Router::new().fallback(async move || {
        let (content_type, body) = script.call(String::new()).await.unwrap();
        ([(header::CONTENT_TYPE, content_type)], Body::from_stream(body))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = adapters::Client::new(listener.local_addr().unwrap().port());
    tokio::spawn(async move { axum::serve(listener, router).await });
    scenarios::leaks_without_a_guard(&client).await;
}

/// The control to `strangers_and_unknown_routes_stay_out`: without the guard the same handler is reached, and its
/// extractor says what is wrong.
#[tokio::test]
async fn a_handler_outside_says_so() {
    let script = Script::new(scenarios::plain());
    let router = Router::new().fallback(forward).with_state(script.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let reply = adapters::Client::new(port).post("/extra", "dev-bob", "{}").await;
    assert_eq!(reply.status, 500);
    assert!(reply.body.contains("not behind the guard"), "{}", reply.body);
    assert_eq!(script.calls(), 0);
}
