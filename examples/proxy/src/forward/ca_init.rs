//! `ca init`: makes a CA that can sign for a few hosts and nothing else.
//!
//! 1. Name constraints hold it to the hosts of the built-in route sets, or to those given. A stolen key is then worth
//!    those hosts, not the whole internet. Addresses are excluded unless one is given.
//! 2. It signs leaves only (path length 0), for about a year.
//! 3. Nothing is overwritten, and the key is readable by its owner alone.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use copilot_guard::clock::{Clock as _, SystemClock, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, GeneralSubtree, IsCa,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use zeroize::Zeroizing;

use super::ca::{date, serial};
use crate::config::forward::default_domains;
use crate::config::hosts::Host;
use crate::failure::Failure;

const LIFE: Duration = Duration::from_secs(397 * 86_400);
const SKEW: Duration = Duration::from_secs(86_400);

/// Where the CA was written.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// Makes a CA and says how to use it.
pub(crate) fn init(out: &Path, hosts: &[String]) -> Result<(), Failure> {
    let made = make(out, hosts, SystemClock.now())?;
    let cert = std::path::absolute(&made.cert).unwrap_or_else(|_| made.cert.clone());
    println!("{}", made.cert.display());
    println!("{}", made.key.display());
    println!();
    println!("NODE_EXTRA_CA_CERTS={}", cert.display());
    println!("HTTPS_PROXY=http://you:TOKEN@127.0.0.1:8080");
    Ok(())
}

/// Writes `guard-ca.pem` and `guard-ca.key` into a folder.
pub(crate) fn make(out: &Path, hosts: &[String], now: Timestamp) -> Result<Made, Failure> {
    let fail = |error: &dyn fmt::Display| {
        Failure::new(
            format!("the CA cannot be made in `{}`", out.display()),
            error,
            "name a folder you may write to; existing files are never overwritten",
        )
    };
    let params = params(hosts, now)?;
    let key = KeyPair::generate().map_err(|e| fail(&e))?;
    let cert = params.self_signed(&key).map_err(|e| fail(&e))?;
    let made = Made {
        cert: out.join("guard-ca.pem"),
        key: out.join("guard-ca.key"),
    };
    std::fs::create_dir_all(out).map_err(|e| fail(&e))?;
    let secret = Zeroizing::new(key.serialize_der());
    let secret = Zeroizing::new(pem("PRIVATE KEY", &secret));
    // The certificate first: when only one of the two can be made, no key is left over.
    write(&made.cert, pem("CERTIFICATE", cert.der()).as_bytes(), 0o644).map_err(|e| fail(&e))?;
    write(&made.key, secret.as_bytes(), 0o600).map_err(|e| {
        let _ = std::fs::remove_file(&made.cert);
        fail(&e)
    })?;
    Ok(made)
}

fn params(hosts: &[String], now: Timestamp) -> Result<CertificateParams, Failure> {
    let unusual = |error: &dyn fmt::Display| {
        Failure::new(
            "the CA cannot be made",
            error,
            "check the clock and the source of randomness",
        )
    };
    let serial = serial().map_err(|e| unusual(&e))?;
    // Two CAs of one name would be taken for each other.
    let mark: String = serial
        .as_ref()
        .iter()
        .take(4)
        .map(|b| format!("{b:02x}"))
        .collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("copilot-guard CA {mark}"));
    params.serial_number = Some(serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date(now.minus(SKEW)).map_err(|e| unusual(&e))?;
    params.not_after = date(now.plus(LIFE)).map_err(|e| unusual(&e))?;
    params.name_constraints = Some(constraints(hosts)?);
    Ok(params)
}

/// A kind of name without any constraint is allowed whole, so that each kind has one.
fn constraints(hosts: &[String]) -> Result<NameConstraints, Failure> {
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    for text in hosts {
        let host = Host::parse(text.strip_prefix("*.").unwrap_or(text));
        match host.or_else(|| text.parse().ok().map(Host::Ip)) {
            Some(Host::Name(name)) => names.push(name),
            Some(Host::Ip(ip)) => addresses.push(ip),
            None => {
                return Err(Failure::new(
                    format!("`{text}` is not a host"),
                    "a CA is held to names of hosts, with all below them, and to addresses",
                    "write one such as `--host example.com`",
                ));
            }
        }
    }
    if hosts.is_empty() {
        names = default_domains();
    }
    if names.is_empty() {
        // Reserved (RFC 2606): no host is below it.
        names.push("invalid".to_owned());
    }
    let whole = |ip: IpAddr| {
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
            ip,
            if ip.is_ipv4() { 32 } else { 128 },
        ))
    };
    let all = |ip: IpAddr| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(ip, 0));
    let is_open = |v4: bool| addresses.iter().any(|ip| ip.is_ipv4() == v4);
    let mut excluded = Vec::new();
    if !is_open(true) {
        excluded.push(all(Ipv4Addr::UNSPECIFIED.into()));
    }
    if !is_open(false) {
        excluded.push(all(Ipv6Addr::UNSPECIFIED.into()));
    }
    let names = names.into_iter().map(GeneralSubtree::DnsName);
    Ok(NameConstraints {
        permitted_subtrees: names.chain(addresses.iter().copied().map(whole)).collect(),
        excluded_subtrees: excluded,
    })
}

fn write(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// RFC 7468, lines of 64.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    // Made in one piece: a text that grows leaves copies of the key behind.
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body.as_str();
    while let Some((line, after)) = rest
        .split_at_checked(64.min(rest.len()))
        .filter(|_| !rest.is_empty())
    {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}
