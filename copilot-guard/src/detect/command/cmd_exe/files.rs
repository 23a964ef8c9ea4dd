//! What built-in commands do with variables and files.

use super::super::windows::{hosts, places};
use super::{Batch, MAX_VARS};
use crate::detect::judgement::{Class, Danger};

impl Batch<'_> {
    pub(super) fn set(&mut self, args: &[String]) {
        let line = args.join(" ");
        let line = line
            .trim_start_matches("/a ")
            .trim_start_matches("/A ")
            .trim_matches('"');
        if line.is_empty() {
            self.secret = true;
            self.found(
                "reconnaissance/environment",
                Class::Reconnaissance,
                Danger::Approve,
                "reads the whole environment",
            );
        } else if let Some((name, value)) = line.split_once('=') {
            let name = name.trim_matches('"').to_ascii_lowercase();
            if [
                "http_proxy",
                "https_proxy",
                "comspec",
                "node_options",
                "git_ssh",
                "psmodulepath",
                "cor_profiler",
            ]
            .iter()
            .any(|n| name.contains(n))
                && !value.contains("max-old-space")
            {
                self.found(
                    "persistence/environment",
                    Class::Persistence,
                    Danger::Approve,
                    "makes other programs load or ask something",
                );
            }
            if value.len() >= 1024 {
                self.vars.remove(&name);
            } else if self.vars.len() < MAX_VARS || self.vars.contains_key(&name) {
                self.vars.insert(name, value.to_owned());
            } else {
                self.found(
                    "unclear/out-of-bounds",
                    Class::Unclear,
                    Danger::Approve,
                    "a script with very many variables",
                );
            }
        } else if !line.starts_with("/p") && !line.starts_with("/P") && line.len() > 2 {
            // `set NAME` shows what begins so.
            let shows_secret = ["token", "secret", "pass", "key", "aws", "github", "npm", "azure"]
                .iter()
                .any(|w| line.to_ascii_lowercase().contains(w));
            if shows_secret {
                self.secret = true;
                self.found(
                    "reconnaissance/secret-variable",
                    Class::Reconnaissance,
                    Danger::Approve,
                    "reads a secret from the environment",
                );
            }
        }
    }

    pub(super) fn deletes(&mut self, args: &[String]) {
        let is_deep = args.iter().any(|a| a.to_ascii_lowercase().contains("/s"));
        for arg in args.iter().filter(|a| !a.starts_with('/') || a.len() > 3) {
            let danger = match places::loss(arg) {
                places::Loss::Everything => Danger::Block,
                places::Loss::Unclear if is_deep => Danger::Approve,
                _ if arg.contains('%') && !arg.contains('\\') => Danger::Approve,
                _ => Danger::Allow,
            };
            self.found(
                "destructive/delete",
                Class::Destructive,
                danger,
                "deletes much, or what cannot be told",
            );
        }
    }

    pub(super) fn files(&mut self, name: &str, args: &[String]) {
        for arg in args.iter().filter(|a| !a.starts_with('/')) {
            let secret = places::secret(arg);
            self.secret |= secret > Danger::Allow;
            self.found(
                "credential-access/read",
                Class::CredentialAccess,
                secret,
                "reads where credentials are kept",
            );
            if arg.starts_with(r"\\") && hosts::of(&self.cx, arg).is_some_and(hosts::is_foreign) {
                self.found(
                    "exfiltration/share",
                    Class::Exfiltration,
                    Danger::Block,
                    "copies to or from a share that is not ours",
                );
            }
        }
        if matches!(name, "copy" | "xcopy" | "move" | "robocopy" | "replace") {
            if let Some(to) = args.iter().rev().find(|a| !a.starts_with('/')).cloned() {
                self.writes(&to);
            }
            if name == "robocopy"
                && args
                    .iter()
                    .any(|a| matches!(a.to_ascii_lowercase().as_str(), "/mir" | "/purge" | "/move"))
            {
                self.found(
                    "destructive/mirror",
                    Class::Destructive,
                    Danger::Approve,
                    "deletes what is not in its source",
                );
            }
        }
    }

    pub(super) fn writes(&mut self, path: &str) {
        if places::runs_later(path) {
            self.found(
                "persistence/write",
                Class::Persistence,
                Danger::Block,
                "writes what runs by itself",
            );
        }
        if places::supervises(path) {
            self.found(
                "self-approval/settings",
                Class::SelfApproval,
                Danger::Block,
                "writes what an editor or agent may do by itself",
            );
        }
        let plain = places::plain(path);
        if ["c:/windows", "%windir%", "%systemroot%", "//./physicaldrive"]
            .iter()
            .any(|p| plain.starts_with(p))
        {
            self.found(
                "privilege/system-file",
                Class::Privilege,
                Danger::Block,
                "writes to the system",
            );
        }
        let name = plain.rsplit('/').next().unwrap_or_default();
        let is_script = [".bat", ".cmd", ".ps1", ".vbs", ".js", ".hta"]
            .iter()
            .any(|end| name.ends_with(end));
        if is_script && self.ran.iter().any(|r| r.contains(name)) {
            self.found(
                "unclear/written-script",
                Class::Unclear,
                Danger::Approve,
                "writes a script that it runs",
            );
        }
    }
}
