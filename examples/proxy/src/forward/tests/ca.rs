use std::path::Path;
use std::time::Duration;

use copilot_guard::clock::{Clock as _, SystemClock, Timestamp};

use crate::config::server::Tls;
use crate::forward::ca::Ca;
use crate::forward::ca_init::{self, pem};

fn files(folder: &Path) -> Tls {
    Tls {
        cert: folder.join("guard-ca.pem"),
        key: folder.join("guard-ca.key"),
    }
}

/// A CA for these hosts, made at this time.
fn made(hosts: &[&str], at: Timestamp) -> (tempfile::TempDir, Tls) {
    let folder = tempfile::tempdir().unwrap();
    let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
    ca_init::make(folder.path(), &hosts, at).unwrap();
    let files = files(folder.path());
    (folder, files)
}

const YEAR: Duration = Duration::from_secs(400 * 86_400);

#[test]
fn what_cannot_be_a_ca() {
    let now = SystemClock.now();
    let (_a, good) = made(&[], now);
    let (_b, other) = made(&[], now);
    let (_c, old) = made(&[], now.minus(YEAR));
    let (_d, early) = made(&[], now.plus(YEAR));
    let folder = tempfile::tempdir().unwrap();
    let leaf = {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(["a.example".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let cert_file = folder.path().join("leaf.pem");
        std::fs::write(&cert_file, pem("CERTIFICATE", cert.der())).unwrap();
        cert_file
    };
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let mixed = |cert: &Path, key: &Path| Tls {
        cert: cert.to_owned(),
        key: key.to_owned(),
    };
    let rows = [
        (mixed(&good.cert, &other.key), "is not the key of"),
        (mixed(&leaf, &good.key), "it is no CA"),
        (mixed(&empty, &good.key), "holds no certificate"),
        (mixed(&good.key, &good.key), "holds no certificate"),
        (mixed(&good.cert, &good.cert), "cannot be used"),
        (mixed(Path::new("/nowhere"), &good.key), "cannot be used as `ca`"),
        (mixed(&good.cert, Path::new("/nowhere")), "cannot be used"),
        (old, "renew the CA"),
        (early, "renew the CA"),
    ];
    for (files, says) in rows {
        let failure = Ca::load(&files, now).unwrap_err().to_string();
        assert!(
            failure.starts_with("error: ") && failure.contains(says),
            "{failure}"
        );
    }
    let ca = Ca::load(&good, now).unwrap();
    assert!(!format!("{ca:?}").to_lowercase().contains("key"), "{ca:?}");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, files) = made(&[], SystemClock.now());
    let mode = |mode| std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(
        std::fs::metadata(&files.key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    for open in [0o640, 0o604, 0o660, 0o644, 0o620] {
        mode(open);
        let failure = Ca::load(&files, SystemClock.now()).unwrap_err().to_string();
        assert!(
            failure.contains("others than its owner") && failure.contains("chmod 600"),
            "{failure}"
        );
    }
    mode(0o400);
    Ca::load(&files, SystemClock.now()).unwrap();
}

/// A stolen CA is worth its hosts alone.
#[test]
fn name_constraints() {
    let now = SystemClock.now();
    let rows: &[(&[&str], &[&str], &[&str])] = &[
        (
            &[],
            &[
                "api.githubcopilot.com",
                "proxy.business.githubcopilot.com",
                "api.github.com",
                "api.openai.com",
                "api.anthropic.com",
                "default.exp-tas.com",
                "copilot-proxy.githubusercontent.com",
            ],
            &[
                "github.com",
                "openai.com",
                "files.openai.com",
                "githubcopilot.com.evil.example",
                "xgithubcopilot.com",
                "example.com",
                "localhost",
            ],
        ),
        (
            &["example.com"],
            &["example.com", "a.b.example.com"],
            &["example.org", "api.openai.com", "xexample.com"],
        ),
        (
            &["*.corp.example", "localhost"],
            &["a.corp.example", "localhost"],
            &["corp2.example", "example"],
        ),
        // Only an address: no name at all.
        (
            &["127.0.0.1"],
            &[],
            &["localhost", "example.com", "api.openai.com"],
        ),
    ];
    for (hosts, inside, outside) in rows {
        let (_folder, files) = made(hosts, now);
        let ca = Ca::load(&files, now).unwrap();
        for host in *inside {
            ca.check(host, now).unwrap_or_else(|e| panic!("{host}: {e}"));
        }
        for host in *outside {
            let failure = ca.check(host, now).unwrap_err().to_string();
            assert!(
                failure.contains(host) && failure.contains("NameConstraint"),
                "{failure}"
            );
        }
    }
}

#[test]
fn addresses_are_excluded_unless_asked_for() {
    let now = SystemClock.now();
    for (hosts, says) in [(&[][..], "0.0.0.0/0"), (&["127.0.0.1"], "127.0.0.1/32")] {
        let (_folder, files) = made(hosts, now);
        let der =
            <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_file(
                &files.cert,
            )
            .unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        let constraints = parsed.name_constraints().unwrap().unwrap();
        assert!(constraints.critical);
        let trees = if hosts.is_empty() {
            constraints.value.excluded_subtrees.as_ref()
        } else {
            constraints.value.permitted_subtrees.as_ref()
        };
        let addresses = trees.unwrap().iter().filter_map(|t| match t.base {
            x509_parser::extensions::GeneralName::IPAddress([a, b, c, d, mask @ ..]) if mask.len() == 4 => {
                let bits = mask.iter().map(|b| b.count_ones()).sum::<u32>();
                Some(format!("{a}.{b}.{c}.{d}/{bits}"))
            }
            _ => None,
        });
        assert_eq!(addresses.collect::<Vec<_>>(), [says]);
        let basic = parsed.basic_constraints().unwrap().unwrap().value;
        assert!(basic.ca && basic.path_len_constraint == Some(0));
        let days = (parsed.validity().not_after.timestamp() - now.as_millis() / 1000) / 86_400;
        assert!((300..=400).contains(&days), "{days}");
    }
}

#[test]
fn ca_init_overwrites_nothing() {
    let now = SystemClock.now();
    let (folder, files) = made(&[], now);
    let before = (
        std::fs::read(&files.cert).unwrap(),
        std::fs::read(&files.key).unwrap(),
    );
    let again = || ca_init::make(folder.path(), &[], now).unwrap_err().to_string();
    assert!(again().contains("never overwritten"));
    assert_eq!(
        before,
        (
            std::fs::read(&files.cert).unwrap(),
            std::fs::read(&files.key).unwrap()
        )
    );
    std::fs::remove_file(&files.cert).unwrap();
    assert!(again().contains("never overwritten"));
    assert!(
        !files.cert.exists() && std::fs::read(&files.key).unwrap() == before.1,
        "no certificate of another key"
    );
    for bad in ["", "*", "a b", "127.1", "https://example.com", "example.com:443"] {
        let failure = ca_init::make(folder.path(), &[bad.to_owned()], now)
            .unwrap_err()
            .to_string();
        assert!(failure.contains("is not a host"), "{failure}");
    }
}

/// A subordinate CA of an organisation: what is above it goes along.
#[test]
fn a_subordinate_ca() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
    let now = SystemClock.now();
    let folder = tempfile::tempdir().unwrap();
    let root_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
    };
    let root_params = params("root");
    let root = root_params.self_signed(&root_key).unwrap();
    let sub_key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let sub = params("sub")
        .signed_by(&sub_key, &Issuer::from_params(&root_params, &root_key))
        .unwrap();
    let files = files(folder.path());
    let write_key =
        |key: &KeyPair| std::fs::write(&files.key, pem("PRIVATE KEY", key.serialized_der())).unwrap();
    write_key(&sub_key);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let (sub, root) = (pem("CERTIFICATE", sub.der()), pem("CERTIFICATE", root.der()));
    std::fs::write(&files.cert, format!("{sub}{root}")).unwrap();
    Ca::load(&files, now)
        .unwrap()
        .check("api.openai.com", now)
        .unwrap();
    // In the wrong order the first one is not the key's.
    std::fs::write(&files.cert, format!("{root}{sub}")).unwrap();
    assert!(
        Ca::load(&files, now)
            .unwrap_err()
            .to_string()
            .contains("is not the key of")
    );
}
