//! Groups that the token does not carry, asked for in the issuer's directory.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::TokenError;
use super::issuer::Issuer;
use super::mapping::Mapping;
use super::rules::Admitted;
use crate::clock::Timestamp;
use crate::groups::GroupQuery;
use crate::identity::Identity;

/// A request waits for this long at most.
const TIMEOUT: Duration = Duration::from_secs(2);

impl Issuer {
    /// The caller with all their groups.
    pub(super) async fn complete(&self, admitted: Admitted, now: Timestamp) -> Result<Identity, TokenError> {
        let mut identity = admitted.identity;
        if admitted.directory {
            identity.groups.extend(self.ask(&identity, now).await?);
            Mapping::bound(&identity.groups)?;
        }
        Ok(identity)
    }

    /// The same caller, with the directory's groups as they are now.
    pub(super) async fn renew(&self, mut identity: Identity, now: Timestamp) -> Result<Identity, TokenError> {
        if self.resolver.is_some() {
            let fresh = self.ask(&identity, now).await?;
            identity.groups = self.rules().groups.without_directory(&identity.groups);
            identity.groups.extend(fresh);
            Mapping::bound(&identity.groups)?;
        }
        Ok(identity)
    }

    /// In a task of its own: a panic ends only the task, and a client that hangs up does not cancel an answer that others
    /// may wait for.
    async fn ask(&self, identity: &Identity, now: Timestamp) -> Result<BTreeSet<String>, TokenError> {
        let (Some(resolver), Some(key)) = (&self.resolver, &identity.directory_key) else {
            return Err(TokenError::GroupsUnavailable);
        };
        let (resolver, issuer, key) = (Arc::clone(resolver), identity.issuer.clone(), key.clone());
        let expires_at = identity.expires_at;
        let task = tokio::spawn(async move {
            let query = GroupQuery::new(&issuer, &key, expires_at, now);
            tokio::time::timeout(TIMEOUT, resolver.resolve(query)).await
        });
        let failed = |why: &str| {
            tracing::warn!(issuer = %self.rules().issuer, why, "the directory did not tell a caller's groups");
            TokenError::GroupsUnavailable
        };
        let names = match task.await {
            Ok(Ok(Ok(names))) => names,
            Ok(Ok(Err(error))) => {
                let why: &dyn std::error::Error = &error;
                tracing::warn!(
                    issuer = %self.rules().issuer,
                    error = why,
                    "the directory did not tell a caller's groups"
                );
                return Err(TokenError::GroupsUnavailable);
            }
            Ok(Err(_)) => return Err(failed("no answer within 2 s")),
            Err(_) => return Err(failed("the resolver panicked")),
        };
        // Names that cannot be groups are the directory's fault, not the token's.
        let groups = &self.rules().groups;
        groups.resolved(&names).map_err(|error| failed(error.code()))
    }
}
