//! The admin routes.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use copilot_guard::guard::Guard;
use copilot_guard::guard::admin::MAX_ADMIN_BODY;

/// `/api/…` of the [admin API](copilot_guard::guard::admin): approvals for reviewers, the record for auditors.
///
/// Put it on a listener of its own, never next to the gateway's routes. Every request is checked anew against the
/// guard's [`AdminAccess`](copilot_guard::guard::admin::AdminAccess); a guard without one refuses them all. Merge it at
/// the root: the guard looks at the path from `/api/` on, which `Router::nest` would cut.
pub fn admin_router(guard: Guard) -> Router {
    Router::new().route("/api/{*rest}", any(answer)).with_state(guard)
}

async fn answer(State(guard): State<Guard>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, MAX_ADMIN_BODY).await {
        Ok(body) => guard
            .admin(Request::from_parts(parts, body))
            .await
            .map(Body::from),
        Err(_) => unreadable(),
    }
}

fn unreadable() -> Response {
    let body = format!(
        r#"{{"error":{{"code":"request_too_large","message":"the body is longer than {MAX_ADMIN_BODY} bytes, or broke off"}}}}"#
    );
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (StatusCode::PAYLOAD_TOO_LARGE, headers, body).into_response()
}
