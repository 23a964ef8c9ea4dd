//! Error bodies in the caller's dialect.

use super::Dialect;
use crate::json::quote;

/// The JSON body of a refusal: what every client of the dialect shows to its user.
///
/// `code` is stable (`blocked_by_policy`, `malformed_request`, …); `exchange` lets a person find the record.
pub fn error_body(dialect: Dialect, status: u16, code: &str, message: &str, exchange: &str) -> String {
    let text = quote(&format!("{message} (exchange {exchange})"));
    let code = quote(code);
    match dialect {
        Dialect::Mcp => {
            // JSON-RPC 2.0, section 5.1: a server's own code, and no id, since the request's was not taken.
            format!(
                r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":-32000,"message":{text},"data":{{"code":{code}}}}}}}"#
            )
        }
        Dialect::Chat
        | Dialect::Completions
        | Dialect::GhostText
        | Dialect::Responses
        | Dialect::Embeddings => {
            let kind = match status {
                401 => "authentication_error",
                404 => "not_found_error",
                400..=499 => "invalid_request_error",
                _ => "api_error",
            };
            format!(r#"{{"error":{{"message":{text},"type":"{kind}","code":{code},"param":null}}}}"#)
        }
        Dialect::Messages => {
            let kind = match status {
                401 => "authentication_error",
                404 => "not_found_error",
                413 => "request_too_large",
                429 => "rate_limit_error",
                400..=499 => "invalid_request_error",
                529 => "overloaded_error",
                _ => "api_error",
            };
            let id = quote(exchange);
            format!(
                r#"{{"type":"error","error":{{"type":"{kind}","message":{text},"code":{code}}},"request_id":{id}}}"#
            )
        }
    }
}
