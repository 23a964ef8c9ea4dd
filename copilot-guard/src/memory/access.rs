//! The device grants and revocations of the memory store.

use async_trait::async_trait;

use super::MemoryStore;
use crate::access::{AccessStore, DeviceGrant, GrantHash, Revocation, StoreError};
use crate::clock::Timestamp;

/// Most grants that are listed.
const MOST: usize = 1000;

#[async_trait]
impl AccessStore for MemoryStore {
    async fn put_grant(&self, grant: &DeviceGrant) -> Result<(), StoreError> {
        self.lock().grants.insert(grant.hash.clone(), grant.clone());
        Ok(())
    }

    async fn find_grant(&self, hash: &GrantHash, now: Timestamp) -> Result<Option<DeviceGrant>, StoreError> {
        let found = self.lock().grants.get(hash).cloned();
        Ok(found.filter(|grant| now < grant.expires_at))
    }

    async fn grants(&self, person: Option<&str>, now: Timestamp) -> Result<Vec<DeviceGrant>, StoreError> {
        let content = self.lock();
        let mut found: Vec<_> = content
            .grants
            .values()
            .filter(|grant| now < grant.expires_at && person.is_none_or(|p| grant.identity.person == p))
            .cloned()
            .collect();
        found.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        found.truncate(MOST);
        Ok(found)
    }

    async fn remove_grant(&self, hash: &GrantHash) -> Result<bool, StoreError> {
        Ok(self.lock().grants.remove(hash).is_some())
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        self.lock().revocations.push(revocation.clone());
        Ok(())
    }

    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, StoreError> {
        let mut content = self.lock();
        content.revocations.retain(|revocation| now < revocation.ends_at);
        content.grants.retain(|_, grant| now < grant.expires_at);
        Ok(content.revocations.clone())
    }
}
