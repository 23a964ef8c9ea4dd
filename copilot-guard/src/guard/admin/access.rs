//! Who may come in: revocations and device grants, for operators.

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;

use super::super::Guard;
use super::super::own::NotWithdrawn;
use super::{AdminAccess, Failure, bad, needs_login, pairs, store_down, to_json};
use crate::access::Withdrawn;
use crate::audit::Actor;
use crate::identity::Identity;

/// Longest reason, and longest name of what is withdrawn.
const LONGEST: usize = 4096;

/// What is to be withdrawn: exactly one of `token_id`, `session`, `person`, or `issuer` with `subject`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    token_id: Option<String>,
    session: Option<String>,
    person: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    reason: String,
}

impl Body {
    fn what(self) -> Option<(Withdrawn, String)> {
        let what = match (
            self.token_id,
            self.session,
            self.person,
            self.issuer,
            self.subject,
        ) {
            (Some(id), None, None, None, None) => Withdrawn::Token { id },
            (None, Some(session), None, None, None) => Withdrawn::Session { session },
            (None, None, Some(person), None, None) => Withdrawn::Person { person },
            (None, None, None, Some(issuer), Some(subject)) => Withdrawn::Account { issuer, subject },
            _ => return None,
        };
        Some((what, self.reason))
    }
}

fn needs_operator(access: &AdminAccess, who: &Identity) -> Result<(), Failure> {
    if who.groups.iter().any(|g| access.operator_groups.contains(g)) {
        return Ok(());
    }
    let message = "only members of an operator group may see and take back access";
    Err(Failure::new(StatusCode::FORBIDDEN, "not_an_operator", message))
}

impl Guard {
    pub(super) async fn list_revocations(
        &self,
        access: &AdminAccess,
        who: &Identity,
    ) -> Result<String, Failure> {
        needs_operator(access, who)?;
        let items = self.inner.revoked.store().revocations(self.now()).await;
        let items = items.map_err(|_| store_down())?;
        to_json(&serde_json::json!({ "items": items, "next_cursor": null }))
    }

    pub(super) async fn list_grants(
        &self,
        access: &AdminAccess,
        who: &Identity,
        query: &str,
    ) -> Result<String, Failure> {
        needs_operator(access, who)?;
        let mut person = None;
        for (name, value) in pairs(query)? {
            match name.as_str() {
                "person" => person = Some(value),
                _ => return Err(bad("unknown parameter; known is person")),
            }
        }
        let found = self
            .inner
            .revoked
            .store()
            .grants(person.as_deref(), self.now())
            .await;
        let items: Vec<_> = found
            .map_err(|_| store_down())?
            .into_iter()
            .map(|grant| {
                // Without the hash: nobody needs it, and it is what a grant is found by.
                serde_json::json!({
                    "id": grant.id,
                    "person": grant.identity.person,
                    "issuer": grant.identity.issuer,
                    "subject": grant.identity.subject,
                    "created_at": grant.created_at,
                    "expires_at": grant.expires_at,
                })
            })
            .collect();
        to_json(&serde_json::json!({ "items": items, "next_cursor": null }))
    }

    pub(super) async fn post_revocation(
        &self,
        access: &AdminAccess,
        who: &Identity,
        body: &Bytes,
    ) -> Result<String, Failure> {
        needs_operator(access, who)?;
        let now = self.now();
        needs_login(access, who, now)?;
        let expected = r#"expected {"reason":"…"} with one of "token_id", "session", "person", or "issuer" and "subject""#;
        let body: Body = serde_json::from_slice(body).map_err(|_| bad(expected))?;
        let (what, reason) = body.what().ok_or_else(|| bad(expected))?;
        let name = what.to_string();
        if reason.trim().is_empty() || reason.len() > LONGEST || name.is_empty() || name.len() > LONGEST {
            return Err(bad("`reason` and what is withdrawn need 1 to 4096 bytes each"));
        }
        let done = self
            .withdraw(what.clone(), now, &reason, Some(Actor::from(who)), "admin")
            .await;
        match done {
            Ok(()) => to_json(&serde_json::json!({ "revoked": what, "issued_until": now })),
            Err(NotWithdrawn::Unkept) => Err(Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "it counts on this replica, and is offered to the store again; on others it counts once the store has it",
            )),
            Err(NotWithdrawn::Unrecorded) => Err(Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "audit_unavailable",
                "it is in force, and is offered to the record again",
            )),
        }
    }
}
