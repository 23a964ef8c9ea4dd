//! Judges the addresses of one answer, and remembers what it has shown so far.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::judgement::{Class, Danger, Finding};
use super::super::network::{Address, Host, HostClass, Network, is_data_label, is_payload, percent_decode};
use super::address::{Target, browser_form, read};
use super::{Form, Found};

/// Longest query and fragment of what loads by itself, in bytes.
const MAX_LOADED: usize = 128;
/// Longest query and fragment of a link.
const MAX_LINKED: usize = 512;
/// Most addresses in one answer that load by themselves.
const MAX_LOADS: usize = 8;
/// Most of them on one host that differ in a short part only.
const MAX_ALIKE: usize = 3;
/// Longest such part, in bytes.
const SHORT: usize = 16;
/// Longest subject of a mail that says nothing yet, and most words of it.
const MAX_SUBJECT: usize = 64;
const MAX_WORDS: usize = 6;
/// Most addresses of one host that are remembered, and most bytes of each.
const MAX_KEPT: usize = 8;
const MAX_KEPT_BYTES: usize = 256;

/// Remembers what an answer has shown so far: how many images, and of which hosts. Its size is bounded.
#[derive(Debug, Clone)]
pub struct LinkWatch {
    network: Arc<Network>,
    loads: usize,
    /// By host, what was loaded from it. No more than [`MAX_LOADS`] are counted, so it stays small.
    seen: HashMap<Host, Vec<String>>,
    has_images: bool,
}

impl LinkWatch {
    /// For one answer.
    pub fn new(network: Arc<Network>) -> Self {
        Self {
            network,
            loads: 0,
            seen: HashMap::new(),
            has_images: false,
        }
    }

    /// Judges an address that [`super::find`] found in this text. Nothing if it is ours.
    pub fn judge(&mut self, text: &str, found: &Found) -> Option<Finding> {
        let Some(raw) = text.get(found.range.clone()) else {
            return Some(block(
                "unclear/odd-link",
                Class::Unclear,
                "an address that stands nowhere",
            ));
        };
        self.has_images |= found.form == Form::Image
            || found.form == Form::Reference && uses_images(text, found.range.start);
        match read(raw, found.form) {
            Target::Inner => self.mail(raw, found.form),
            Target::Placeholder if !found.loads => None,
            Target::Placeholder => Some(block(
                "exfiltration/odd-image",
                Class::Exfiltration,
                "an image whose host cannot be told",
            )),
            Target::Runs => Some(block(
                "remote-code/link",
                Class::RemoteCode,
                "a link that runs something when it is opened",
            )),
            Target::File { is_remote: true } => Some(block(
                "exfiltration/share",
                Class::Exfiltration,
                "a link to a share of another machine",
            )),
            Target::File { is_remote: false } if !found.loads => None,
            Target::File { .. } => Some(Finding::new(
                "credential-access/file-image",
                Class::CredentialAccess,
                Danger::Approve,
                "loads a file of this machine",
            )),
            Target::Odd => Some(block(
                "exfiltration/odd-address",
                Class::Exfiltration,
                "an address that is not read alike by all programs",
            )),
            Target::Unknown => Some(Finding::new(
                "unclear/unknown-scheme",
                Class::Unclear,
                Danger::Approve,
                "an address of a kind that is not known",
            )),
            Target::At(address) => self.address(&address, found),
        }
    }

    fn address(&mut self, address: &Address, found: &Found) -> Option<Finding> {
        let class = self.network.address(address);
        let query = address.query().unwrap_or_default();
        let fragment = address.fragment().unwrap_or_default();
        let carried = query.len() + fragment.len();
        let labels = address.host().name().unwrap_or_default();
        let has_data = labels.split('.').any(is_data_label);
        match class {
            HostClass::Metadata => {
                return Some(block(
                    "credential-access/metadata-link",
                    Class::CredentialAccess,
                    "leads to the service that hands out a machine's credentials",
                ));
            }
            HostClass::Foreign if found.loads => {
                return Some(block(
                    "exfiltration/foreign-image",
                    Class::Exfiltration,
                    "loads from a host that is not ours",
                ));
            }
            HostClass::Foreign => {
                let is_example = address.host().name().is_some_and(is_documentation);
                let carries = carried > MAX_LINKED
                    || has_data
                    || is_payload(query)
                    || is_payload(fragment)
                    || address.has_userinfo();
                if is_example && carried <= MAX_LINKED {
                    return None;
                }
                return Some(if carries {
                    block(
                        "exfiltration/data-in-link",
                        Class::Exfiltration,
                        "a link that carries data to a host that is not ours",
                    )
                } else {
                    Finding::new(
                        "exfiltration/foreign-link",
                        Class::Exfiltration,
                        Danger::Approve,
                        "a link to a host that is not ours",
                    )
                });
            }
            HostClass::Loopback => return None,
            HostClass::Internal | HostClass::Allowed => {}
        }
        let most = if found.loads { MAX_LOADED } else { MAX_LINKED };
        if carried > most {
            return Some(block(
                "exfiltration/long-query",
                Class::Exfiltration,
                "an address with a long query",
            ));
        }
        if has_data {
            return Some(block(
                "exfiltration/data-in-host",
                Class::Exfiltration,
                "a host's name that carries data",
            ));
        }
        if found.loads && address.is_relay() {
            return Some(block(
                "exfiltration/relay-image",
                Class::Exfiltration,
                "loads from a host that passes it on",
            ));
        }
        if class == HostClass::Allowed && self.leads_on(query) {
            return Some(Finding::new(
                "exfiltration/redirect",
                Class::Exfiltration,
                Danger::Approve,
                "an address that holds that of a host that is not ours",
            ));
        }
        if !found.loads {
            return None;
        }
        if is_payload(query) || is_payload(fragment) {
            return Some(block(
                "exfiltration/data-in-image",
                Class::Exfiltration,
                "loads an address that carries data",
            ));
        }
        // A reference is loaded where an image uses it.
        if found.form == Form::Reference && !self.has_images {
            return None;
        }
        self.count(address)
    }

    /// A mail whose text is written already: to send it to somebody else is one click.
    fn mail(&self, raw: &str, form: Form) -> Option<Finding> {
        let is_markdown = matches!(form, Form::Image | Form::Link | Form::Reference);
        let plain = browser_form(raw, is_markdown);
        let (scheme, rest) = plain.split_once(':')?;
        if !scheme.eq_ignore_ascii_case("mailto") {
            return None;
        }
        let (to, query) = rest.split_once('?').unwrap_or((rest, ""));
        let to = percent_decode(to).unwrap_or_else(|| to.to_owned());
        let (mut people, mut is_written) = (to, false);
        for (name, value) in pairs(query) {
            match name.as_str() {
                "to" | "cc" | "bcc" => {
                    people.push(',');
                    people.push_str(&value);
                }
                "subject" => is_written |= is_more_than_words(&value),
                _ => is_written |= !value.trim().is_empty(),
            }
        }
        let is_foreign = |person: &str| {
            let host = person.trim().trim_end_matches('>').rsplit_once('@');
            host.is_some_and(|(_, host)| !self.network.host(host).is_ours())
        };
        let leaves = is_written && people.split([',', ';']).any(is_foreign);
        (leaves || raw.len() > MAX_LINKED).then(|| {
            Finding::new(
                "exfiltration/written-mail",
                Class::Exfiltration,
                Danger::Approve,
                "a link to a mail whose text is written already",
            )
        })
    }

    /// Whether a query names an address of a host that is not ours: many hosts send on whoever comes with one.
    fn leads_on(&self, query: &str) -> bool {
        let is_foreign = |value: &str| {
            let value = value.split_whitespace().next().unwrap_or_default();
            let scheme = value.split_once(':').map(|(scheme, _)| scheme);
            let behind = match scheme {
                Some(s) if ["http", "https"].iter().any(|h| s.eq_ignore_ascii_case(h)) => {
                    value.get(s.len() + 1..).unwrap_or_default()
                }
                _ if value.starts_with("//") || value.starts_with("/\\") => value,
                _ => return false,
            };
            let behind = behind.trim_start_matches(['/', '\\']);
            Address::parse(&format!("https://{behind}")).is_some_and(|address| {
                let is_example = address.host().name().is_some_and(is_documentation);
                !self.network.address(&address).is_ours() && !is_example
            })
        };
        pairs(query).any(|(_, value)| {
            is_foreign(&value) || percent_decode(&value).is_some_and(|value| is_foreign(&value))
        })
    }

    /// Several images spell what one cannot.
    fn count(&mut self, address: &Address) -> Option<Finding> {
        let tail = format!(
            "{}?{}#{}",
            address.path(),
            address.query().unwrap_or_default(),
            address.fragment().unwrap_or_default()
        );
        let tail: String = tail.chars().take(MAX_KEPT_BYTES).collect();
        let seen = self.seen.entry(address.host().clone()).or_default();
        // A text may come twice, and the same image says nothing more.
        if tail.len() < MAX_KEPT_BYTES && seen.contains(&tail) {
            return None;
        }
        self.loads += 1;
        if self.loads > MAX_LOADS {
            return Some(block(
                "exfiltration/many-images",
                Class::Exfiltration,
                "more images than an answer needs",
            ));
        }
        let alike = seen.iter().filter(|other| differ_little(other, &tail)).count();
        // What is not shown is not remembered.
        if alike < MAX_ALIKE && seen.len() < MAX_KEPT {
            seen.push(tail);
        }
        (alike >= MAX_ALIKE).then(|| {
            block(
                "exfiltration/spelling-images",
                Class::Exfiltration,
                "images that differ in a letter or two, as if they spelled something",
            )
        })
    }
}

/// Whether two addresses differ, and in a short part only.
fn differ_little(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let shorter = a.len().min(b.len());
    let front = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let back = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count()
        .min(shorter - front);
    let middle = a.len().max(b.len()) - front - back;
    a != b && middle <= SHORT
}

/// Whether an image by reference stands in the text before this place, or near behind it.
fn uses_images(text: &str, at: usize) -> bool {
    let low = (0..=at.saturating_sub(4096))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0);
    text.get(low..at).is_some_and(|before| before.contains("!["))
}

/// Hosts that stand for any in documentation (RFC 2606, section 3), below which anybody's name could stand; and those of
/// names of vocabularies, which nobody opens.
fn is_documentation(host: &str) -> bool {
    matches!(
        host.strip_prefix("www.").unwrap_or(host),
        "example.com" | "example.net" | "example.org" | "w3.org" | "json-schema.org" | "schemas.xmlsoap.org"
    )
}

/// Whether a text is more than a heading: few words of few letters.
fn is_more_than_words(text: &str) -> bool {
    text.len() > MAX_SUBJECT || text.split([' ', '+']).count() > MAX_WORDS
}

/// The names and values of a query, decoded.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let decoded = |text: &str| percent_decode(text).unwrap_or_else(|| text.to_owned());
    query
        .split(['&', ';'])
        .filter_map(|pair| pair.split_once('='))
        .map(move |(name, value)| (decoded(name).to_ascii_lowercase(), decoded(value)))
}

fn block(rule: &'static str, class: Class, why: &str) -> Finding {
    Finding::new(rule, class, Danger::Block, why)
}
