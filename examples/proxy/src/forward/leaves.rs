//! What intercepted clients are shown: one TLS configuration for each host, made when it is first asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use copilot_guard::clock::Timestamp;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ca::{Ca, NoLeaf};

/// How many are kept. Patterns let clients ask for any number of hosts.
const MOST: usize = 256;
/// When one is made anew, from when it was made: well before its end.
const RENEW: Duration = Duration::from_secs(2 * 86_400);

/// Certificates by host.
pub(super) struct Leaves {
    ca: Ca,
    kept: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    config: Arc<ServerConfig>,
    renew_at: Timestamp,
    used_at: Timestamp,
}

impl Leaves {
    pub(super) fn new(ca: Ca) -> Self {
        Self {
            ca,
            kept: Mutex::default(),
        }
    }

    /// The configuration that answers for this host (in lower case), and for no other.
    pub(super) fn config(&self, host: &str, now: Timestamp) -> Result<Arc<ServerConfig>, NoLeaf> {
        if let Some(kept) = self.kept().get_mut(host).filter(|k| now < k.renew_at) {
            kept.used_at = now;
            return Ok(kept.config.clone());
        }
        // Signed without the lock: others must not wait for it. Two at once do no harm.
        let leaf = self.ca.leaf(host, now)?;
        let config = server_config(host, leaf.certified)?;
        let mut kept = self.kept();
        if kept.len() >= MOST && !kept.contains_key(host) {
            let oldest = kept
                .iter()
                .min_by_key(|(_, k)| k.used_at)
                .map(|(host, _)| host.clone());
            if let Some(oldest) = oldest {
                kept.remove(&oldest);
            }
        }
        kept.insert(
            host.to_owned(),
            Kept {
                config: config.clone(),
                renew_at: now.plus(RENEW).min(leaf.not_after),
                used_at: now,
            },
        );
        Ok(config)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn server_config(host: &str, certified: Arc<CertifiedKey>) -> Result<Arc<ServerConfig>, NoLeaf> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let resolver = OneHost {
        host: host.to_owned(),
        certified,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| NoLeaf::new(&e))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Answers a handshake for one host. Any other name, or none, ends it.
#[derive(Debug)]
struct OneHost {
    host: String,
    certified: Arc<CertifiedKey>,
}

impl ResolvesServerCert for OneHost {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name()?;
        asked
            .eq_ignore_ascii_case(&self.host)
            .then(|| self.certified.clone())
    }
}

#[cfg(test)]
mod tests {
    use copilot_guard::clock::{Clock as _, SystemClock};

    use super::*;
    use crate::config::server::Tls;
    use crate::forward::ca_init;

    #[test]
    fn kept_for_days_and_in_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemClock.now();
        let made = ca_init::make(folder.path(), &["example.com".to_owned()], now).unwrap();
        let files = Tls {
            cert: made.cert,
            key: made.key,
        };
        let leaves = Leaves::new(Ca::load(&files, now).unwrap());
        let first = leaves.config("a.example.com", now).unwrap();
        let again = |at| Arc::ptr_eq(&first, &leaves.config("a.example.com", at).unwrap());
        assert!(again(now) && again(now.plus(RENEW / 2)));
        assert!(!again(now.plus(RENEW)), "renewed well before its end");
        for n in 0..MOST + 10 {
            let at = now.plus(RENEW + Duration::from_secs(1 + n as u64));
            let _config = leaves.config(&format!("h{n}.example.com"), at).unwrap();
        }
        assert_eq!(leaves.kept().len(), MOST);
        assert!(
            !leaves.kept().contains_key("h0.example.com"),
            "the longest unused went"
        );
        let year = Duration::from_secs(400 * 86_400);
        assert!(
            leaves.config("b.example.com", now.plus(year)).is_err(),
            "the CA is over"
        );
    }
}
