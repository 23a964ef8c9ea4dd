//! A credential by the caller's groups.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Credential, CredentialError, CredentialProvider, CredentialRequest};

/// Asks the provider of the first group in the list that the caller is in, else the default one. Without either there is
/// no credential.
///
/// Groups are those of the verified [`Identity`](crate::identity::Identity), compared byte for byte.
#[derive(Debug, Clone, Default)]
pub struct PerGroup {
    groups: Vec<(String, Arc<dyn CredentialProvider>)>,
    default: Option<Arc<dyn CredentialProvider>>,
}

impl PerGroup {
    /// No group, no default.
    pub fn new() -> Self {
        Self::default()
    }

    /// For this group, unless one that was added before has the caller.
    #[must_use]
    pub fn with_group(mut self, group: impl Into<String>, provider: Arc<dyn CredentialProvider>) -> Self {
        self.groups.push((group.into(), provider));
        self
    }

    /// For everybody else.
    #[must_use]
    pub fn with_default(mut self, provider: Arc<dyn CredentialProvider>) -> Self {
        self.default = Some(provider);
        self
    }
}

#[async_trait]
impl CredentialProvider for PerGroup {
    async fn credential(&self, request: CredentialRequest<'_>) -> Result<Credential, CredentialError> {
        let groups = request.caller.map(|caller| &caller.groups);
        let own = self
            .groups
            .iter()
            .find(|(group, _)| groups.is_some_and(|groups| groups.contains(group)))
            .map(|(_, provider)| provider);
        match own.or(self.default.as_ref()) {
            Some(provider) => provider.credential(request).await,
            None => {
                tracing::warn!(
                    code = "no_credential_for_groups",
                    "the caller has no group with a credential"
                );
                Err(CredentialError::Unavailable)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::StaticCredential;
    use super::*;
    use crate::clock::Timestamp;
    use crate::identity::Identity;
    use crate::secret::Secret;

    #[tokio::test]
    async fn the_first_of_the_list_wins() {
        let of = |value: &str| Arc::new(StaticCredential::bearer(&Secret::new(value)).unwrap());
        let listed = PerGroup::new()
            .with_group("a", of("of-a"))
            .with_group("b", of("of-b"));
        let now = Timestamp::from_secs(1);
        let got = |provider: PerGroup, groups: Option<&'static [&'static str]>| async move {
            let caller = groups.map(|g| Identity::new("i", "s", now).with_groups(g.iter().copied()));
            let mut request = CredentialRequest::new(now);
            request.caller = caller.as_ref();
            let credential = provider.credential(request).await;
            credential.map(|c| c.exposed().expose().to_owned())
        };
        for (groups, value) in [(&["b", "a"][..], "of-a"), (&["z", "b"], "of-b")] {
            assert_eq!(got(listed.clone(), Some(groups)).await.unwrap(), value);
        }
        for groups in [Some(&["A", "a "][..]), Some(&[]), None] {
            let none = got(listed.clone(), groups).await;
            assert_eq!(none, Err(CredentialError::Unavailable));
            let with_default = listed.clone().with_default(of("of-all"));
            assert_eq!(got(with_default, groups).await.unwrap(), "of-all");
        }
    }
}
