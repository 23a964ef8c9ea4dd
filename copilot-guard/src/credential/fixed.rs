//! Credentials that are somewhere at hand: in memory, or in a file.

use std::path::PathBuf;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderName};

use super::{Credential, CredentialError, CredentialProvider, CredentialRequest, SecretSource};
use crate::secret::Secret;

/// Always the same credential. There is no other, so one that upstream turned down comes again and is not sent again.
#[derive(Debug, Clone)]
pub struct StaticCredential(Credential);

impl StaticCredential {
    /// This credential.
    pub fn new(credential: Credential) -> Self {
        Self(credential)
    }

    /// `Authorization: Bearer VALUE`.
    ///
    /// # Errors
    /// The value has characters that no header may hold.
    pub fn bearer(value: &Secret) -> Result<Self, CredentialError> {
        Credential::bearer(value).map(Self)
    }
}

#[async_trait]
impl CredentialProvider for StaticCredential {
    async fn credential(&self, _request: CredentialRequest<'_>) -> Result<Credential, CredentialError> {
        Ok(self.0.clone())
    }
}

/// What a file holds, such as a mounted secret. It is read again when it changes; see [`SecretSource`] for when there is
/// none.
#[derive(Debug, Clone)]
pub struct FileCredential {
    source: SecretSource,
    header: HeaderName,
}

impl FileCredential {
    /// `Authorization: Bearer`, and what this file holds.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            source: SecretSource::file(path),
            header: AUTHORIZATION,
        }
    }

    /// In this header. For `authorization` the value gets `Bearer` before it.
    #[must_use]
    pub fn with_header(mut self, header: HeaderName) -> Self {
        self.header = header;
        self
    }
}

#[async_trait]
impl CredentialProvider for FileCredential {
    async fn credential(&self, request: CredentialRequest<'_>) -> Result<Credential, CredentialError> {
        // Turned down: it may have been replaced within the last second.
        let value = match request.rejected {
            Some(_) => self.source.read_anew(request.now).await?,
            None => self.source.read(request.now).await?,
        };
        Credential::header(self.header.clone(), &value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[tokio::test]
    async fn a_file_that_was_replaced_is_read_at_once_when_upstream_turns_the_old_one_down() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "one").unwrap();
        let provider = FileCredential::new(&path).with_header(HeaderName::from_static("x-api-key"));
        let request = CredentialRequest::new(Timestamp::from_secs(5));
        let one = provider.credential(request).await.unwrap();
        std::fs::write(&path, "two").unwrap();
        assert!(provider.credential(request).await.unwrap().is_same(&one));
        let two = provider.credential(request.with_rejected(&one)).await.unwrap();
        assert_eq!(
            (two.exposed().expose(), two.header.as_str()),
            ("two", "x-api-key")
        );
        std::fs::write(&path, "t\u{1}o").unwrap();
        let broken = provider.credential(request.with_rejected(&two)).await;
        assert_eq!(broken.unwrap_err(), CredentialError::Unusable);
    }
}
