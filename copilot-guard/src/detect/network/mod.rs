//! What counts as ours: hosts and git remotes, compared by label and segment, never by a part of a string.
//!
//! 1. A host is read once into a [`Host`]: lower case, punycode, without one trailing dot, numbers of any spelling as
//!    addresses. What is no proper host is [`HostClass::Foreign`].
//! 2. `name` means that host, `*.name` what is below it and not itself, `*` every host. `name:port` means one port.
//! 3. An address whose host browsers and `curl` read differently is nobody's.
//! 4. Services of the machine that hand out credentials ([`HostClass::Metadata`]) are never ours, whatever a list says.

mod address;
mod entry;
mod host;
mod payload;
mod relay;
mod remote;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use entry::{BadEntry, NetworkError};
pub use host::Host;
pub(in crate::detect) use payload::{is_data_label, is_payload};
pub use relay::{RelayKind, is_relay, relay};
pub(in crate::detect) use remote::decode as percent_decode;

use entry::{HostEntry, RemoteEntry};

/// The hosts and remotes of a policy's `[network]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    allowed: Vec<HostEntry>,
    internal: Vec<HostEntry>,
    remotes: Vec<RemoteEntry>,
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
    /// What hands out the credentials of a machine in a cloud, such as `169.254.169.254`. Not ours.
    Metadata,
    /// Anybody's.
    Foreign,
}

impl HostClass {
    /// Whether what goes there stays with us.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Loopback | Self::Internal | Self::Allowed)
    }
}

impl Network {
    /// From the three lists of a policy. Hosts are names, addresses, ranges (`10.0.0.0/8`), `*.name` or `*`, with or
    /// without a port; remotes are `host/path`, where `*` is one segment, or all that follow at the end.
    ///
    /// # Errors
    /// Names every entry that can mean nothing, why, and what to write instead.
    pub fn new<S: Into<String>>(
        allowed: impl IntoIterator<Item = S>,
        internal: impl IntoIterator<Item = S>,
        remotes: impl IntoIterator<Item = S>,
    ) -> Result<Self, NetworkError> {
        let mut bad = Vec::new();
        let network = Self {
            allowed: entry::compile("allowed_hosts", allowed, HostEntry::parse, &mut bad),
            internal: entry::compile("internal_hosts", internal, HostEntry::parse, &mut bad),
            remotes: entry::compile("own_remotes", remotes, RemoteEntry::parse, &mut bad),
        };
        if bad.is_empty() {
            Ok(network)
        } else {
            Err(NetworkError { entries: bad })
        }
    }

    /// Whose this host is: a name or an address, perhaps with a port. What is no proper host is [`HostClass::Foreign`].
    pub fn host(&self, host: &str) -> HostClass {
        match host::with_port(host) {
            Some((host, port)) => self.class(&host, port),
            None => HostClass::Foreign,
        }
    }

    /// Whose the host of this address is.
    pub fn address(&self, address: &Address) -> HostClass {
        self.class(address.host(), address.port())
    }

    /// Whose the host of this text is: a URL, or a host and path without a scheme. What cannot be read, or is read
    /// differently by browsers and `curl`, is [`HostClass::Foreign`].
    pub fn url(&self, text: &str) -> HostClass {
        Address::parse(text).map_or(HostClass::Foreign, |a| self.address(&a))
    }

    /// Whether this git remote (an address of any form that git takes) is one of ours: on one of `own_remotes` or of
    /// `internal_hosts`, or a path or a name on this machine.
    pub fn is_own_remote(&self, remote: &str) -> bool {
        match remote::Target::parse(remote) {
            remote::Target::Local => true,
            remote::Target::At { host, port, segments } => {
                self.class(&host, port) == HostClass::Internal
                    || self.remotes.iter().any(|r| r.matches(&host, port, &segments))
            }
            remote::Target::Unclear => false,
        }
    }

    fn class(&self, host: &Host, port: Option<u16>) -> HostClass {
        if host.is_metadata() {
            HostClass::Metadata
        } else if host.is_loopback() {
            HostClass::Loopback
        } else if self.internal.iter().any(|e| e.matches(host, port)) {
            HostClass::Internal
        } else if self.allowed.iter().any(|e| e.matches(host, port)) {
            HostClass::Allowed
        } else {
            HostClass::Foreign
        }
    }
}
