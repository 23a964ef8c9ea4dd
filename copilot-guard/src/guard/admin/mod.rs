//! The admin API, without a framework: approvals for reviewers, the record for auditors. JSON in and out.
//!
//! Who may do what is taken from a token of the admin audience, verified anew for each request. A vote needs a recent
//! login besides: an agent on a reviewer's laptop holds tokens too.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

mod access;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::catch::catch_async;
use super::{Guard, entropy, form, stranger_of};
use crate::approval::{Approval, ApprovalState, ListFilter, Vote, VoteError};
use crate::audit::{Actor, AuditReader, ExchangeFilter, ExchangeRecord, ReadError};
use crate::clock::Timestamp;
use crate::dialect::Dialect;
use crate::id::{ApprovalId, ExchangeId};
use crate::identity::{CallerKind, Identity};
use crate::token::{TokenVerifier, credential};

/// Longest body of an admin request.
pub const MAX_ADMIN_BODY: usize = 64 << 10;

/// Who may use the admin API.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AdminAccess {
    /// Checks tokens of the admin audience. Must not accept tokens of the data plane.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Members see every approval; others see those whose requirement names a group of theirs. A vote counts only
    /// where the approval's own requirement names a group of the voter.
    pub reviewer_groups: BTreeSet<String>,
    /// Members read the record.
    pub auditor_groups: BTreeSet<String>,
    /// Members take access back and see who has device grants.
    pub operator_groups: BTreeSet<String>,
    /// How long after the login a vote is accepted, and a revocation. `None` accepts tokens that name no login time.
    pub login_max_age: Option<Duration>,
}

impl AdminAccess {
    /// No groups yet; votes need a login of the last twelve hours.
    pub fn new(verifier: Arc<dyn TokenVerifier>) -> Self {
        Self {
            verifier,
            reviewer_groups: BTreeSet::new(),
            auditor_groups: BTreeSet::new(),
            operator_groups: BTreeSet::new(),
            login_max_age: Some(Duration::from_secs(12 * 3600)),
        }
    }

    /// The same with these reviewer groups.
    #[must_use]
    pub fn with_reviewers<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.reviewer_groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// The same with these auditor groups.
    #[must_use]
    pub fn with_auditors<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.auditor_groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// The same with these operator groups.
    #[must_use]
    pub fn with_operators<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.operator_groups = groups.into_iter().map(Into::into).collect();
        self
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoteBody {
    vote: VoteWord,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum VoteWord {
    Approve,
    Deny,
}

/// An error of the admin API: status, stable code, message.
struct Failure(StatusCode, &'static str, String);

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(status, code, message.into())
    }
}

impl Guard {
    /// Answers one request of the admin API. `request` carries the path from `/api/` on and its whole body
    /// (at most [`MAX_ADMIN_BODY`]).
    pub async fn admin(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.admin_route(&request).await {
            Ok(body) => json(StatusCode::OK, body),
            Err(Failure(status, code, message)) => {
                let body = serde_json::json!({ "error": { "code": code, "message": message } });
                json(status, body.to_string())
            }
        }
    }

    async fn admin_route(&self, request: &Request<Bytes>) -> Result<String, Failure> {
        let unknown = || {
            Failure::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is nothing at this path",
            )
        };
        let access = self.inner.admin.as_ref().ok_or_else(unknown)?;
        let who = self.admin_identity(access, request).await?;
        let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let query = request.uri().query().unwrap_or_default();
        match (request.method(), path.as_slice()) {
            (&Method::GET, ["api", "approvals"]) => self.list_approvals(access, &who, query).await,
            (&Method::GET, ["api", "approvals", id]) => {
                let id: ApprovalId = id.parse().map_err(|_| unknown())?;
                let found = self.inner.approvals.get(id).await.map_err(|_| store_down())?;
                // Who may not see it cannot tell it from one that does not exist.
                to_json(&found.filter(|a| may_see(access, &who, a)).ok_or_else(unknown)?)
            }
            (&Method::POST, ["api", "approvals", id, "votes"]) => {
                self.vote(access, &who, id.parse().map_err(|_| unknown())?, request.body())
                    .await
            }
            (&Method::GET, ["api", "exchanges"]) => {
                let reader = self.may_audit(access, &who)?;
                let filter = filter(query)?;
                to_json(&reader.list(&filter).await.map_err(read_failure)?)
            }
            (&Method::GET, ["api", "exchanges", id]) => {
                let reader = self.may_audit(access, &who)?;
                let id: ExchangeId = id.parse().map_err(|_| unknown())?;
                let events = reader.events(id).await.map_err(read_failure)?;
                to_json(&ExchangeRecord::from_events(&events).ok_or_else(unknown)?)
            }
            (&Method::GET, ["api", "exchanges", id, "events"]) => {
                let reader = self.may_audit(access, &who)?;
                let id: ExchangeId = id.parse().map_err(|_| unknown())?;
                let events = reader.events(id).await.map_err(read_failure)?;
                to_json(&serde_json::json!({ "items": events }))
            }
            (&Method::GET, ["api", "revocations"]) => self.list_revocations(access, &who).await,
            (&Method::POST, ["api", "revocations"]) => {
                self.post_revocation(access, &who, request.body()).await
            }
            (&Method::GET, ["api", "device-grants"]) => self.list_grants(access, &who, query).await,
            _ => Err(unknown()),
        }
    }

    async fn admin_identity(
        &self,
        access: &AdminAccess,
        request: &Request<Bytes>,
    ) -> Result<Identity, Failure> {
        // Recorded as those of the data plane are: somebody may be guessing.
        let refused = |code: &'static str| {
            let now = self.now();
            let from = stranger_of(
                request.method(),
                request.uri(),
                request.headers(),
                request.extensions(),
            );
            let status = StatusCode::UNAUTHORIZED;
            let _ = self.refuse(
                ExchangeId::new(now, entropy()),
                Dialect::Chat,
                status,
                code,
                "",
                from,
            );
            let message = "a valid token of the admin audience is needed";
            Failure::new(status, "invalid_token", message)
        };
        let token = credential(request.headers()).or_else(|error| {
            if access.verifier.needs_token() {
                Err(error)
            } else {
                Ok("")
            }
        });
        let token = token.map_err(|error| refused(error.code()))?;
        let verified = access.verifier.verify(token, self.now());
        match catch_async(std::panic::AssertUnwindSafe(verified)).await {
            Some(Ok(identity)) => match self.inner.revoked.check(&identity, self.now()).await {
                Ok(()) => Ok(identity),
                Err(error) if error.is_unavailable() => Err(keys_down()),
                Err(error) => Err(refused(error.code())),
            },
            Some(Err(error)) if error.is_unavailable() => Err(keys_down()),
            None => Err(keys_down()),
            Some(Err(error)) => Err(refused(error.code())),
        }
    }

    fn may_audit(&self, access: &AdminAccess, who: &Identity) -> Result<Arc<dyn AuditReader>, Failure> {
        if !who.groups.iter().any(|g| access.auditor_groups.contains(g)) {
            let message = "only members of an auditor group may read the record";
            return Err(Failure::new(StatusCode::FORBIDDEN, "not_an_auditor", message));
        }
        self.inner.reader.clone().ok_or_else(|| {
            let message =
                "this gateway writes its record to a sink that it cannot read: use the sink's own tools";
            Failure::new(StatusCode::NOT_FOUND, "no_reader", message)
        })
    }

    async fn list_approvals(
        &self,
        access: &AdminAccess,
        who: &Identity,
        query: &str,
    ) -> Result<String, Failure> {
        let mut filter = ListFilter::default();
        for (name, value) in pairs(query)? {
            match name.as_str() {
                "state" => {
                    let state = serde_json::from_value(serde_json::Value::String(value))
                        .map_err(|_| bad("`state` is one of pending, approved, denied, expired, consumed"))?;
                    filter.state = Some(state);
                }
                "limit" => filter.limit = Some(value.parse().map_err(|_| bad("`limit` is not a number"))?),
                _ => return Err(bad("unknown parameter; known are state, limit")),
            }
        }
        // What has run out must not look open.
        if filter.state == Some(ApprovalState::Pending) {
            self.inner
                .approvals
                .expire(self.now())
                .await
                .map_err(|_| store_down())?;
        }
        let mut items = self
            .inner
            .approvals
            .list(&filter)
            .await
            .map_err(|_| store_down())?;
        items.retain(|approval| may_see(access, who, approval));
        to_json(&serde_json::json!({ "items": items, "next_cursor": null }))
    }

    async fn vote(
        &self,
        access: &AdminAccess,
        who: &Identity,
        id: ApprovalId,
        body: &Bytes,
    ) -> Result<String, Failure> {
        let now = self.now();
        needs_login(access, who, now)?;
        let body: VoteBody = serde_json::from_slice(body)
            .map_err(|_| bad(r#"expected {"vote":"approve"|"deny","reason":"…"}"#))?;
        if body.reason.len() > 4096 {
            return Err(bad("`reason` is longer than 4096 bytes"));
        }
        let approve = matches!(body.vote, VoteWord::Approve);
        let vote = Vote {
            reviewer: Actor::from(who),
            approve,
            reason: body.reason,
            at: now,
        };
        let result = self.inner.approvals.vote(id, vote).await;
        // The vote is committed with its event; a sink that is down holds back the release, not the vote.
        if self.drain_outbox().await.is_err() {
            tracing::error!(approval = %id, "a vote is committed but not yet in the audit sink");
        }
        match result {
            Ok(approval) => to_json::<Approval>(&approval),
            Err(error) => Err(vote_failure(&error)),
        }
    }
}

/// What changes something needs a human who has signed in of late.
fn needs_login(access: &AdminAccess, who: &Identity, now: Timestamp) -> Result<(), Failure> {
    if who.kind == CallerKind::Machine {
        let message = "a program cannot do this: a person must sign in";
        return Err(Failure::new(StatusCode::FORBIDDEN, "not_a_person", message));
    }
    let Some(max_age) = access.login_max_age else {
        return Ok(());
    };
    let recent = who
        .authenticated_at
        .is_some_and(|at| now.since(at) <= max_age && at <= now.plus(LEEWAY));
    if recent {
        return Ok(());
    }
    let message = "this needs a recent login: sign in again and use the fresh token (claim `auth_time`)";
    Err(Failure::new(StatusCode::FORBIDDEN, "login_too_old", message))
}

/// Reviewers of the configuration and auditors see every approval; others those that name a group of theirs.
fn may_see(access: &AdminAccess, who: &Identity, approval: &Approval) -> bool {
    who.groups
        .iter()
        .any(|g| access.reviewer_groups.contains(g) || access.auditor_groups.contains(g))
        || approval.requirement.names(&who.groups)
}

/// How far ahead another clock may be.
const LEEWAY: Duration = Duration::from_secs(60);

fn vote_failure(error: &VoteError) -> Failure {
    let status = match error {
        VoteError::NotFound => StatusCode::NOT_FOUND,
        VoteError::OwnRequest | VoteError::NotAReviewer => StatusCode::FORBIDDEN,
        VoteError::Store(_) => return store_down(),
        _ => StatusCode::CONFLICT,
    };
    Failure::new(status, error.code(), error.to_string())
}

fn keys_down() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "keys_unavailable",
        "identity cannot be checked right now",
    )
}

fn store_down() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "store_unavailable",
        "approvals cannot be read or changed right now",
    )
}

fn read_failure(error: ReadError) -> Failure {
    match error {
        ReadError::NotFound => Failure::new(StatusCode::NOT_FOUND, "not_found", "no such exchange"),
        ReadError::BadArgument(what) => bad(what),
        ReadError::Store(_) => Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_unavailable",
            "the record cannot be read right now",
        ),
    }
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, Failure> {
    form::pairs(query).ok_or_else(|| bad("the query is not valid percent-encoding"))
}

fn bad(message: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "bad_argument", message)
}

/// The filter of a query string.
fn filter(query: &str) -> Result<ExchangeFilter, Failure> {
    let mut map = serde_json::Map::new();
    for (name, value) in pairs(query)? {
        let value = if name == "limit" {
            value
                .parse::<usize>()
                .map_err(|_| bad("`limit` is not a number"))?
                .into()
        } else {
            value.into()
        };
        map.insert(name, value);
    }
    serde_json::from_value(map.into()).map_err(|error| bad(&error.to_string()))
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|_| {
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the answer cannot be written",
        )
    })
}

fn json(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_queries() {
        let f = filter("user=a%40b&limit=3&decision=block&text=a+b").ok().unwrap();
        assert_eq!(
            (f.user.as_deref(), f.limit, f.text.as_deref()),
            (Some("a@b"), Some(3), Some("a b"))
        );
        assert!(filter("nope=1").is_err() && filter("limit=x").is_err() && filter("user=%zz").is_err());
    }
}
