//! The admin routes.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, Scope, web};
use copilot_guard::guard::Guard;
use copilot_guard::guard::admin::MAX_ADMIN_BODY;
use http::Request;

use crate::body::{GuardBody, read};
use crate::convert;

/// `/api/…` of the [admin API](copilot_guard::guard::admin): approvals for reviewers, the record for auditors.
///
/// Put it on a listener of its own, never next to the gateway's routes. Every request is checked anew against the
/// guard's [`AdminAccess`](copilot_guard::guard::admin::AdminAccess); a guard without one refuses them all.
pub fn admin_scope(guard: Guard) -> Scope {
    web::scope("/api").default_service(web::to(move |request: HttpRequest, payload: web::Payload| {
        let guard = guard.clone();
        async move { answer(&guard, &request, payload).await }
    }))
}

async fn answer(guard: &Guard, request: &HttpRequest, payload: web::Payload) -> HttpResponse<GuardBody> {
    let parts = convert::head(request);
    match read(
        payload,
        &parts.headers,
        MAX_ADMIN_BODY,
        guard.settings().body_silence,
    )
    .await
    {
        Ok(body) => {
            let (head, body) = guard.admin(Request::from_parts(parts, body)).await.into_parts();
            convert::response(&head, GuardBody::full(body))
        }
        Err(_) => {
            let text = format!(
                r#"{{"error":{{"code":"request_too_large","message":"the body is longer than {MAX_ADMIN_BODY} bytes, or broke off"}}}}"#
            );
            HttpResponse::PayloadTooLarge()
                .insert_header((CONTENT_TYPE, "application/json"))
                .insert_header((CACHE_CONTROL, "no-store"))
                .finish()
                .set_body(GuardBody::full(text.into()))
        }
    }
}
