//! What a judge of commands, tool calls or links says: plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How dangerous something is. Ordered: of several findings the highest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// Ordinary work.
    #[default]
    Allow,
    /// A person should look at it: what it does cannot be told, or is only sometimes right.
    Approve,
    /// It should not run.
    Block,
}

impl Danger {
    /// The name in policies and in the output of `judge`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Approve => "approve",
            Self::Block => "block",
        }
    }
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of harm is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Class {
    /// Code, secrets or data leave for a host that is not ours.
    Exfiltration,
    /// Code from elsewhere is run.
    RemoteCode,
    /// Data or systems are destroyed.
    Destructive,
    /// More rights are taken than the user has, or protections are taken down.
    Privilege,
    /// Something stays behind and runs later.
    Persistence,
    /// Stores of credentials are read.
    CredentialAccess,
    /// Secrets are looked for.
    Reconnaissance,
    /// What the project is built from comes from elsewhere.
    SupplyChain,
    /// The agent switches off its own supervision.
    SelfApproval,
    /// What it does cannot be told: dynamic, too deep, too long, not parseable.
    Unclear,
}

impl Class {
    /// Every class.
    pub const ALL: &[Self] = &[
        Self::Exfiltration,
        Self::RemoteCode,
        Self::Destructive,
        Self::Privilege,
        Self::Persistence,
        Self::CredentialAccess,
        Self::Reconnaissance,
        Self::SupplyChain,
        Self::SelfApproval,
        Self::Unclear,
    ];

    /// The name in policies and records, such as `remote-code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exfiltration => "exfiltration",
            Self::RemoteCode => "remote-code",
            Self::Destructive => "destructive",
            Self::Privilege => "privilege",
            Self::Persistence => "persistence",
            Self::CredentialAccess => "credential-access",
            Self::Reconnaissance => "reconnaissance",
            Self::SupplyChain => "supply-chain",
            Self::SelfApproval => "self-approval",
            Self::Unclear => "unclear",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason of a judgement. Holds nothing of the text that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The rule: `CLASS/NAME`, such as `remote-code/download-to-shell`.
    pub rule: &'static str,
    /// The kind of harm.
    pub class: Class,
    /// How dangerous this alone is.
    pub danger: Danger,
    /// Why, for a person: fixed words, and names of known programs at most.
    pub reason: String,
}

impl Finding {
    /// A finding.
    pub fn new(rule: &'static str, class: Class, danger: Danger, reason: impl Into<String>) -> Self {
        Self {
            rule,
            class,
            danger,
            reason: reason.into(),
        }
    }
}

/// What a judge says of one thing: every finding, without repeats. No finding means it is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Judgement {
    /// In the order in which they were found; one for each rule.
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// The highest danger of all findings.
    pub fn danger(&self) -> Danger {
        self.findings.iter().map(|f| f.danger).max().unwrap_or_default()
    }

    /// The finding that decides: the first of the highest danger.
    pub fn deciding(&self) -> Option<&Finding> {
        let highest = self.danger();
        self.findings.iter().find(|f| f.danger == highest)
    }

    /// Adds a finding; of one rule the most dangerous stays.
    pub fn add(&mut self, finding: Finding) {
        match self.findings.iter_mut().find(|f| f.rule == finding.rule) {
            Some(known) if known.danger >= finding.danger => {}
            Some(known) => *known = finding,
            None => self.findings.push(finding),
        }
    }

    /// Adds all findings of another judgement.
    pub fn merge(&mut self, other: Self) {
        other.findings.into_iter().for_each(|f| self.add(f));
    }
}
