//! What counts is what stands together: network or process, and a file, the environment or a secret place.

use super::super::judge_argv;
use super::super::words::Word;
use super::lex::Token;
use super::tables::Language;
use super::{Reader, tables};
use crate::detect::judgement::{Class, Danger, Judgement};

impl Reader<'_> {
    /// Commands that are written to where installing and building run them.
    fn scripts_of_packages(&mut self) {
        const FILES: &[&str] = &[
            "package.json",
            "Makefile",
            "composer.json",
            "deno.json",
            "tasks.json",
        ];
        let texts = |token: &Token| match token {
            Token::Text(text) => Some(text.clone()),
            _ => None,
        };
        let texts: Vec<String> = self.tokens.iter().filter_map(texts).collect();
        if !texts
            .iter()
            .any(|text| FILES.iter().any(|file| text.ends_with(file)))
        {
            return;
        }
        let commands = texts
            .iter()
            .filter(|text| text.contains(' ') && text.len() < 4096);
        let is_bad = |text: &String| {
            let argv = ["sh", "-c", text.as_str()].map(Word::known);
            judge_argv(&self.cx, &argv).danger() == Danger::Block
        };
        if commands.take(16).any(is_bad) {
            self.found(
                "supply-chain/written-command",
                Class::SupplyChain,
                Danger::Approve,
                "writes a dangerous command to where builds run it",
            );
        }
    }

    pub(super) fn finish(mut self, source: &str) -> Judgement {
        let seen = std::mem::take(&mut self.seen);
        let hidden = seen.reflects
            && self
                .tokens
                .iter()
                .any(|t| matches!(t, Token::Text(text) if tables::is_hidden_name(text)));
        // The files of PHP are addresses too.
        let by_files = self.language == Language::Php
            && seen.file
            && seen.foreign_host
            && (seen.secret || seen.env || source.matches("file_get_contents").count() > 1);
        let foreign = by_files || seen.network && (seen.foreign_host || !seen.own_host);
        let unclear_process = seen.unclear_process || hidden;
        let sink = seen.eval || unclear_process;
        if seen.socket && (seen.process || seen.shell || hidden) {
            self.found(
                "remote-code/reverse-shell",
                Class::RemoteCode,
                Danger::Block,
                "a shell for somebody else",
            );
        }
        if foreign && (seen.eval || unclear_process) {
            self.found(
                "remote-code/download-to-code",
                Class::RemoteCode,
                Danger::Block,
                "runs what it fetches",
            );
        }
        if seen.eval && seen.fetches {
            self.found(
                "remote-code/download-to-code",
                Class::RemoteCode,
                Danger::Block,
                "runs what it fetches",
            );
        }
        if seen.writes {
            self.scripts_of_packages();
            let locks = |token: &Token| matches!(token, Token::Text(text) if is_lock_file(text));
            if self.tokens.iter().any(locks) {
                self.found(
                    "supply-chain/lock-file",
                    Class::SupplyChain,
                    Danger::Approve,
                    "writes to the list of what packages are taken from where",
                );
            }
        }
        if self.loads_processes
            && self.language == Language::Node
            && self.judgement.findings.is_empty()
            && !seen.process
        {
            self.found(
                "unclear/process",
                Class::Unclear,
                Danger::Approve,
                "loads what starts processes",
            );
        }
        if seen.decode && sink {
            self.found(
                "remote-code/decoded",
                Class::RemoteCode,
                Danger::Block,
                "runs what it decodes",
            );
        }
        if foreign && (seen.file || seen.env || seen.secret) {
            self.found(
                "exfiltration/code",
                Class::Exfiltration,
                Danger::Block,
                "reads files or the environment and talks to a host that is not ours",
            );
        }
        if unclear_process && (seen.file || seen.secret) {
            self.found(
                "remote-code/file-to-process",
                Class::RemoteCode,
                Danger::Block,
                "starts a process with what it reads",
            );
        }
        if foreign {
            self.found(
                "exfiltration/foreign-host",
                Class::Exfiltration,
                Danger::Approve,
                "talks to a host that is not ours",
            );
        }
        if unclear_process {
            self.found(
                "unclear/process",
                Class::Unclear,
                Danger::Approve,
                "starts a process that cannot be told",
            );
        }
        if seen.reflects && self.language != Language::Ruby && seen.decode {
            self.found(
                "unclear/reflection",
                Class::Unclear,
                Danger::Approve,
                "calls what cannot be told",
            );
        }
        if seen.writes && seen.later {
            self.found(
                "persistence/write",
                Class::Persistence,
                Danger::Block,
                "writes what runs by itself",
            );
        }
        if seen.writes && seen.supervises {
            self.found(
                "self-approval/settings",
                Class::SelfApproval,
                Danger::Block,
                "writes what an editor or agent may do by itself",
            );
        }
        if seen.shell && seen.process && source.contains("dup2") {
            self.found(
                "remote-code/reverse-shell",
                Class::RemoteCode,
                Danger::Block,
                "a shell for somebody else",
            );
        }
        self.judgement
    }
}

/// Whether a path is that of a file that says where packages came from.
fn is_lock_file(path: &str) -> bool {
    const LOCKS: &[&str] = &[
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "Cargo.lock",
        "poetry.lock",
        "uv.lock",
        "Pipfile.lock",
        "Gemfile.lock",
        "composer.lock",
        "go.sum",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    LOCKS.contains(&name)
}
