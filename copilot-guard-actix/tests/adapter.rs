//! The actix-web adapter over real sockets; what is tested stands in `tests/adapters/scenarios.rs`.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "../../tests/adapters/mod.rs"]
mod adapters;

use std::net::TcpListener;

use actix_web::error::ErrorInternalServerError;
use actix_web::middleware::Logger;
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, rt, web};
use copilot_guard::audit::Outcome;
use copilot_guard::guard::Guard;
use copilot_guard::id::ExchangeId;
use copilot_guard::identity::Identity;
use copilot_guard_actix::{GuardMiddleware, admin_scope};

use adapters::{Answer, Script, Server, scenarios};

async fn forward(
    script: web::Data<Script>,
    caller: web::ReqData<Identity>,
    exchange: web::ReqData<ExchangeId>,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let many: Vec<_> = request
        .headers()
        .get_all("x-many")
        .map(|v| v.to_str().unwrap())
        .collect();
    let exchange = exchange.into_inner();
    let saw = format!(
        "{} {exchange} {} {:?}",
        caller.subject,
        many.join(","),
        request.headers()
    );
    match script.call(saw).await {
        Some((content_type, body)) => Ok(HttpResponse::Ok().content_type(content_type).streaming(body)),
        None => Err(ErrorInternalServerError("scripted")),
    }
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn serve_admin(guard: Guard) -> u16 {
    let (listener, port) = listen();
    let server = HttpServer::new(move || App::new().service(admin_scope(guard.clone())));
    rt::spawn(
        server
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run(),
    );
    port
}

fn serve(answer: Answer) -> Server {
    serve_script(Script::new(answer))
}

fn serve_script(script: Script) -> Server {
    let (guard, store) = adapters::guard();
    let (listener, data) = listen();
    let (behind, model) = (guard.clone(), script.clone());
    // Routes and a default service that are added after the guard are inside, and not known to it.
    let server = HttpServer::new(move || {
        App::new()
            .wrap(GuardMiddleware::new(behind.clone()))
            .wrap(Logger::default())
            .app_data(web::Data::new(model.clone()))
            .service(web::resource("/extra").to(forward))
            .service(web::scope("/v1").default_service(web::to(forward)))
            .default_service(web::to(forward))
    });
    rt::spawn(
        server
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run(),
    );
    Server::new(data, serve_admin(guard), store, script)
}

#[actix_web::test]
async fn masks_chat_content() {
    scenarios::masks_chat_content(&serve(scenarios::chat_content())).await;
}

#[actix_web::test]
async fn masks_chat_arguments() {
    scenarios::masks_chat_arguments(&serve(scenarios::chat_arguments())).await;
}

#[actix_web::test]
async fn masks_messages_text() {
    scenarios::masks_messages_text(&serve(scenarios::messages_text())).await;
}

#[actix_web::test]
async fn masks_plain() {
    scenarios::masks_plain(&serve(scenarios::plain())).await;
}

#[actix_web::test]
async fn strangers_and_unknown_routes_stay_out() {
    scenarios::strangers_stay_out(&serve(scenarios::plain())).await;
}

#[actix_web::test]
async fn leaving_ends_the_exchange() {
    scenarios::leaving_ends_the_exchange(&serve(scenarios::endless())).await;
}

#[actix_web::test]
async fn leaving_a_hold_ends_the_exchange() {
    scenarios::leaving_a_hold_ends_the_exchange(&serve(scenarios::endless())).await;
}

/// The difference to hyper that the crate's documentation names: a pending call runs to its end.
#[actix_web::test]
async fn leaving_a_pending_call_does_not_end_it() {
    let server = serve_script(Script::new(scenarios::plain()).closed());
    scenarios::leave_a_pending_call(&server).await;
    server.script.open();
    server.ended(Outcome::Completed).await;
}

#[actix_web::test]
async fn failure_is_recorded() {
    scenarios::failure_is_recorded(&serve(Answer::Fail)).await;
}

#[actix_web::test]
async fn a_panic_is_recorded() {
    scenarios::failure_is_recorded(&serve(Answer::Panic)).await;
}

#[actix_web::test]
async fn approval_releases_one_streamed_call() {
    scenarios::approval_releases_one_call(&serve(scenarios::chat_content_whole()), true).await;
}

#[actix_web::test]
async fn approval_releases_one_plain_call() {
    scenarios::approval_releases_one_call(&serve(scenarios::plain()), false).await;
}

/// An `Err` of the inner service is a recorded 502, and the client learns nothing of it.
#[actix_web::test]
async fn inner_errors_are_recorded() {
    let (guard, store) = adapters::guard();
    let (listener, data) = listen();
    let behind = guard.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap_fn(|_request, _inner| async {
                Err::<actix_web::dev::ServiceResponse, _>(ErrorInternalServerError("scripted"))
            })
            .wrap(GuardMiddleware::new(behind.clone()))
            .wrap(Logger::default())
    });
    rt::spawn(
        server
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run(),
    );
    let server = Server::new(data, serve_admin(guard), store, Script::new(Answer::Fail));
    scenarios::failure_is_recorded(&server).await;
}

#[actix_web::test]
async fn without_the_guard_it_leaks() {
    let (listener, port) = listen();
    let server = HttpServer::new(move || {
        let script = Script::new(scenarios::chat_content());
        App::new().default_service(web::to(move || {
            let script = script.clone();
            async move {
                let (content_type, body) = script.call(String::new()).await.unwrap();
                HttpResponse::Ok().content_type(content_type).streaming(body)
            }
        }))
    });
    rt::spawn(
        server
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run(),
    );
    scenarios::leaks_without_a_guard(&adapters::Client::new(port)).await;
}
