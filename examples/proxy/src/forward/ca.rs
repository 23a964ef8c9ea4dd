//! The organisation's CA: reads it, checks it, and signs leaf certificates with it.
//!
//! 1. What cannot work is an error at the start: no CA, expired, another key, a key file that others can read, a host
//!    that its name constraints do not allow. The last is tried: a leaf is made and verified as a client would.
//! 2. A leaf names one host and nothing else, and lives for a few days.
//! 3. The key never leaves this room: no message and no `{:?}` shows it, and its memory is wiped.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use copilot_guard::clock::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm, SigningKey,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{RootCertStore, sign::CertifiedKey};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::config::server::Tls;
use crate::failure::Failure;

/// How long a leaf is good for, and how much of that lies in the past, for clients whose clocks are behind.
const LIFE: Duration = Duration::from_secs(5 * 86_400);
const SKEW: Duration = Duration::from_secs(86_400);

/// A CA that may be used.
pub(super) struct Ca {
    issuer: Issuer<'static, CaKey>,
    /// Its own certificate first, then those above it.
    chain: Vec<CertificateDer<'static>>,
    not_after: Timestamp,
    /// One key for all leaves of this process.
    leaf_key: KeyPair,
}

/// A certificate for one host, and until when it is good.
pub(super) struct Leaf {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) not_after: Timestamp,
}

/// The CA's key, wiped when it is dropped.
struct CaKey(Zeroizing<KeyPair>);

/// Why no leaf can be made. Shows nothing of the key.
#[derive(Debug)]
pub(super) struct NoLeaf(String);

impl fmt::Display for NoLeaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NoLeaf {
    pub(super) fn new(error: &dyn fmt::Display) -> Self {
        Self(error.to_string())
    }
}

fn no_leaf(error: impl fmt::Display) -> NoLeaf {
    NoLeaf::new(&error)
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        PublicKeyData::algorithm(&*self.0)
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

impl Ca {
    /// Reads certificate and key, and checks that they are a CA that is good now.
    pub(super) fn load(files: &Tls, now: Timestamp) -> Result<Self, Failure> {
        let bad_cert = |why: &dyn fmt::Display, mend: &str| {
            let what = format!("`{}` cannot be used as `ca`", files.cert.display());
            Failure::new(what, why, mend)
        };
        let chain = CertificateDer::pem_file_iter(&files.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| bad_cert(&e, "give the CA's certificate as a PEM file"))?;
        let Some(own) = chain.first().cloned() else {
            return Err(bad_cert(
                &"it holds no certificate",
                "give the CA's certificate as a PEM file",
            ));
        };
        let (_, parsed) = x509_parser::parse_x509_certificate(&own)
            .map_err(|e| bad_cert(&e, "give an X.509 certificate"))?;
        let is_ca = matches!(parsed.basic_constraints(), Ok(Some(c)) if c.value.ca);
        let may_sign = match parsed.key_usage() {
            Ok(usage) => usage.is_none_or(|u| u.value.key_cert_sign()),
            Err(_) => false,
        };
        if !is_ca || !may_sign {
            let why = "it is no CA: it may not sign certificates";
            return Err(bad_cert(
                &why,
                "make one with `ca init`, or have your PKI issue a subordinate CA",
            ));
        }
        let validity = parsed.validity();
        let not_before = Timestamp::from_secs(validity.not_before.timestamp());
        let not_after = Timestamp::from_secs(validity.not_after.timestamp());
        if now < not_before || not_after <= now {
            let why = format!("it is good from {not_before} until {not_after}, and now is {now}");
            return Err(bad_cert(&why, "renew the CA, or set the clock"));
        }
        let key = read_key(&files.key)?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.0.der_bytes() {
            return Err(Failure::new(
                format!(
                    "`{}` is not the key of `{}`",
                    files.key.display(),
                    files.cert.display()
                ),
                "the certificate names another public key",
                "give the key that the CA was made with",
            ));
        }
        let issuer = Issuer::from_ca_cert_der(&own, key)
            .map_err(|e| bad_cert(&e, "have the CA issued again with a plain subject name"))?;
        let leaf_key = KeyPair::generate()
            .map_err(|e| Failure::new("no key can be made", e, "check the system's source of randomness"))?;
        Ok(Self {
            issuer,
            chain,
            not_after,
            leaf_key,
        })
    }

    /// When it ends.
    pub(super) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// A certificate for this host alone.
    pub(super) fn leaf(&self, host: &str, now: Timestamp) -> Result<Leaf, NoLeaf> {
        let not_after = now.plus(LIFE).min(self.not_after);
        if not_after <= now {
            return Err(no_leaf("the CA has expired"));
        }
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::DnsName(host.try_into().map_err(no_leaf)?)];
        // Clients go by the alternative name. This one is for the person who looks at the certificate.
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "copilot-guard");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial().map_err(no_leaf)?);
        params.not_before = date(now.minus(SKEW)).map_err(no_leaf)?;
        params.not_after = date(not_after).map_err(no_leaf)?;
        let leaf = params.signed_by(&self.leaf_key, &self.issuer).map_err(no_leaf)?;
        let mut chain = vec![CertificateDer::from(leaf)];
        chain.extend(self.chain.iter().cloned());
        let key = PrivateKeyDer::Pkcs8(self.leaf_key.serialized_der().to_vec().into());
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).map_err(no_leaf)?;
        Ok(Leaf {
            certified: Arc::new(CertifiedKey::new(chain, key)),
            not_after,
        })
    }

    /// Whether a client that trusts the CA would take its certificate for this host.
    pub(super) fn check(&self, host: &str, now: Timestamp) -> Result<(), Failure> {
        self.verify(host, now).map_err(|error| {
            Failure::new(
                format!("clients would refuse this CA's certificate for `{host}`"),
                error,
                "intercept only hosts that its name constraints allow, put the certificates above it in order behind it, or make another: `ca init --host …`",
            )
        })
    }

    fn verify(&self, host: &str, now: Timestamp) -> Result<(), NoLeaf> {
        let leaf = self.leaf(host, now)?;
        let (leaf, above) = leaf
            .certified
            .cert
            .split_first()
            .ok_or_else(|| no_leaf("no certificate"))?;
        let (anchor, between) = above.split_last().ok_or_else(|| no_leaf("no CA"))?;
        let mut roots = RootCertStore::empty();
        roots.add(anchor.clone()).map_err(no_leaf)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(no_leaf)?;
        let name = ServerName::try_from(host.to_owned()).map_err(no_leaf)?;
        let now = UnixTime::since_unix_epoch(now.since(Timestamp::from_millis(0)));
        verifier
            .verify_server_cert(leaf, between, &name, &[], now)
            .map(|_| ())
            .map_err(no_leaf)
    }
}

/// The key, if nobody but its owner can read its file.
fn read_key(path: &Path) -> Result<CaKey, Failure> {
    let what = || format!("the CA's key `{}` cannot be used", path.display());
    let fail = |why: &dyn fmt::Display| Failure::new(what(), why, "give its private key as a PEM file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path)
            .map_err(|e| fail(&e))?
            .permissions()
            .mode()
            & 0o777;
        if mode & 0o077 != 0 {
            let why = format!(
                "others than its owner may use the file (mode {mode:03o}), and could pose as any host"
            );
            let mend = format!("chmod 600 {}", path.display());
            return Err(Failure::new(what(), why, mend));
        }
    }
    let text = std::fs::read(path).map(Zeroizing::new).map_err(|e| fail(&e))?;
    // The errors of the readers say what is missing, and quote nothing.
    let mut key = PrivateKeyDer::from_pem_slice(&text).map_err(|e| fail(&e))?;
    let pair = KeyPair::try_from(&key);
    zeroize::Zeroize::zeroize(&mut key);
    pair.map(|pair| CaKey(Zeroizing::new(pair))).map_err(|e| fail(&e))
}

/// Random and positive: two certificates of one CA must not share one.
pub(super) fn serial() -> Result<SerialNumber, &'static str> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system has no randomness")?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

pub(super) fn date(at: Timestamp) -> Result<OffsetDateTime, time::error::ComponentRange> {
    OffsetDateTime::from_unix_timestamp(at.as_millis().div_euclid(1000))
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}
