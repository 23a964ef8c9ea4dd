//! What the texts of code name: places, hosts, variables.

use super::super::windows::{hosts, places};
use super::super::words::Word;
use super::lex::Token;
use super::tables::Language;
use super::{Reader, is_shell, tables};
use crate::detect::judgement::{Class, Danger};

impl Reader<'_> {
    pub(super) fn text(&mut self, at: usize, text: &str) {
        let secret = places::secret(text);
        if secret > Danger::Allow && !text.contains(' ') {
            self.seen.secret = true;
            self.found(
                "credential-access/read",
                Class::CredentialAccess,
                secret,
                "names where credentials are kept",
            );
        }
        if text.contains("://") || text.starts_with("//") {
            if let Some(class) = hosts::within(&self.cx, text) {
                if hosts::is_foreign(class) {
                    self.seen.foreign_host = true;
                } else {
                    self.seen.own_host = true;
                }
            }
        } else if matches!(text, "localhost" | "127.0.0.1" | "::1" | "0.0.0.0") {
            self.seen.own_host = true;
        } else if text.len() > 3
            && !text.contains([' ', '/', '\\'])
            && text.contains('.')
            && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && text.matches('.').count() == 3
        {
            self.seen.foreign_host = true;
        }
        self.seen.shell |= is_shell(text);
        if self.language == Language::Node && self.is_module(at) {
            match text.trim_start_matches("node:") {
                "net" | "tls" | "dgram" => {
                    self.seen.network = true;
                    self.seen.socket = true;
                }
                "http" | "https" | "http2" | "dns" | "dns/promises" | "axios" | "node-fetch" | "got"
                | "undici" | "ws" | "request" | "superagent" | "nodemailer" => self.seen.network = true,
                _ => {}
            }
        }
        if self.language == Language::Node && self.is_module(at) && text.starts_with("data:") {
            self.seen.eval = true;
            self.seen.decode = true;
        }
        self.pieces(at, text);
        if text.starts_with("/inet/") {
            self.seen.network = true;
            self.seen.socket = true;
        }
        self.seen.later |= places::runs_later(text);
        self.seen.supervises |= places::supervises(text);
    }

    /// Texts with a comma between are parts of a path as often as not, and a text with stars stands for many paths.
    fn pieces(&mut self, at: usize, text: &str) {
        let next = match (self.tokens.get(at + 1), self.tokens.get(at + 2)) {
            (Some(Token::Sign(',')), Some(Token::Text(next))) => next,
            _ => "",
        };
        if !next.is_empty() && text.len() + next.len() < 256 && !text.contains(' ') {
            let path = format!("{}/{next}", text.trim_end_matches('/'));
            self.seen.later |= places::runs_later(&path);
            self.seen.supervises |= places::supervises(&path);
            if places::secret(&path) == Danger::Block {
                self.seen.secret = true;
                self.found(
                    "credential-access/read",
                    Class::CredentialAccess,
                    Danger::Approve,
                    "names where credentials are kept",
                );
            }
        }
        let is_pattern = text.contains('*') && text.contains('/') && !text.contains(' ') && text.len() < 256;
        if is_pattern && super::super::paths::is_secret("", &Word::known(text)) {
            self.seen.secret = true;
            self.found(
                "credential-access/read",
                Class::CredentialAccess,
                Danger::Approve,
                "looks for where credentials are kept",
            );
        }
    }

    pub(super) fn environment(&mut self, at: usize, name: &str) {
        // One variable by name is ordinary, unless its name says that it is secret.
        let near: Vec<&str> = (at + 1..at + 5)
            .filter_map(|i| match self.tokens.get(i) {
                Some(Token::Text(text) | Token::Name(text)) => Some(text.as_str()),
                _ => None,
            })
            .take(2)
            .collect();
        let member = name.rsplit('.').next().unwrap_or_default();
        let is_one = near
            .first()
            .is_some_and(|_| matches!(self.tokens.get(at + 1), Some(Token::Sign('[' | '(' | '{'))))
            || !matches!(
                member,
                "environ" | "env" | "ENV" | "_ENV" | "environb" | "ENVIRON" | "getenv" | "toObject" | "items"
            );
        let variable = if is_one {
            near.first().copied().unwrap_or_default().to_owned() + member
        } else {
            String::new()
        };
        if !is_one || tables::is_secret_variable(&variable) {
            self.seen.env = true;
            self.seen.secret = true;
            self.found(
                "reconnaissance/environment",
                Class::Reconnaissance,
                Danger::Approve,
                "reads secrets from the environment",
            );
        } else {
            self.seen.env = true;
        }
    }

    /// Whether a string is the name of a module that is loaded: `require("net")`, `from "net"`.
    fn is_module(&self, at: usize) -> bool {
        let token = |back: usize| at.checked_sub(back).and_then(|i| self.tokens.get(i));
        let loads = |t: Option<&Token>| matches!(t, Some(Token::Name(n)) if n.ends_with("require") || n == "import" || n == "from");
        loads(token(1)) || (matches!(token(1), Some(Token::Sign('('))) && loads(token(2)))
    }
}
