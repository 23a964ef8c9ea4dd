//! The keys of `match` as they are written, and the stages at which each of them can hold.

use super::{Listed, listed};
use crate::decision::Stage;
use crate::detect::Danger;
use crate::policy::reader::{At, Located, Problems, Table, Value};

/// What stands in `match`.
#[derive(Debug, Default)]
pub(in crate::policy) struct MatchConfig {
    pub(in crate::policy) at: Option<At>,
    pub(in crate::policy) regex: Option<Listed>,
    pub(in crate::policy) words: Option<Listed>,
    pub(in crate::policy) secrets: Option<Listed>,
    pub(in crate::policy) encoded: Option<Located<bool>>,
    pub(in crate::policy) hidden: Option<Located<bool>>,
    pub(in crate::policy) intents: Option<Listed>,
    pub(in crate::policy) links: Option<Located<()>>,
    pub(in crate::policy) commands: Option<Located<Danger>>,
    pub(in crate::policy) classes: Option<Listed>,
    pub(in crate::policy) tools: Option<Listed>,
    pub(in crate::policy) parameters: Option<Listed>,
    pub(in crate::policy) routes: Option<Listed>,
    pub(in crate::policy) size_over: Option<Located<u64>>,
    pub(in crate::policy) code_over: Option<Located<u64>>,
}

/// One key of `match`: where it can hold, and what it is to other parts of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::policy) enum Key {
    Regex,
    Words,
    Secrets,
    Encoded,
    Hidden,
    Intents,
    Links,
    Commands,
    Classes,
    Tools,
    Parameters,
    Routes,
    SizeOver,
    CodeOver,
}

/// Words of `links`.
const LINKS: &[(&str, ())] = &[("foreign", ())];

/// Words of `commands`.
pub(in crate::policy) const COMMANDS: &[(&str, Danger)] =
    &[("approve", Danger::Approve), ("block", Danger::Block)];

/// Reads the keys of `match`.
pub(super) fn read(problems: &Problems, mut table: Table<'_>) -> MatchConfig {
    let at = Some(table.at().clone());
    let mut list = |key: Key| table.take(key.name()).and_then(|v| listed(problems, v));
    let regex = list(Key::Regex);
    let words = list(Key::Words);
    let secrets = list(Key::Secrets);
    let intents = list(Key::Intents);
    let classes = list(Key::Classes);
    let tools = list(Key::Tools);
    let parameters = list(Key::Parameters);
    let routes = list(Key::Routes);
    let mut only_true = |key: Key| {
        let flag = table.take(key.name()).and_then(Value::boolean)?;
        if !flag.value {
            problems.add(
                &flag.at,
                format!("`{} = false` says nothing", key.name()),
                "a key of `match` says what must be there, never what must not",
                format!("write `{} = true`, or leave it out", key.name()),
            );
        }
        Some(flag)
    };
    let encoded = only_true(Key::Encoded);
    let hidden = only_true(Key::Hidden);
    let links = table.take(Key::Links.name()).and_then(|v| v.one_of(LINKS));
    let commands = table.take(Key::Commands.name()).and_then(|v| v.one_of(COMMANDS));
    let size_over = table.take(Key::SizeOver.name()).and_then(Value::bytes);
    let code_over = table.take(Key::CodeOver.name()).and_then(Value::bytes);
    table.finish();
    MatchConfig {
        at,
        regex,
        words,
        secrets,
        encoded,
        hidden,
        intents,
        links,
        commands,
        classes,
        tools,
        parameters,
        routes,
        size_over,
        code_over,
    }
}

// === impl MatchConfig ===

impl MatchConfig {
    /// The keys that are there, and where.
    pub(in crate::policy) fn keys(&self) -> Vec<(Key, &At)> {
        let lists = [
            (Key::Regex, &self.regex),
            (Key::Words, &self.words),
            (Key::Secrets, &self.secrets),
            (Key::Intents, &self.intents),
            (Key::Classes, &self.classes),
            (Key::Tools, &self.tools),
            (Key::Parameters, &self.parameters),
            (Key::Routes, &self.routes),
        ];
        let lists = lists
            .into_iter()
            .filter_map(|(key, list)| Some((key, &list.as_ref()?.at)));
        let others = [
            (Key::Encoded, self.encoded.as_ref().map(|v| &v.at)),
            (Key::Hidden, self.hidden.as_ref().map(|v| &v.at)),
            (Key::Links, self.links.as_ref().map(|v| &v.at)),
            (Key::Commands, self.commands.as_ref().map(|v| &v.at)),
            (Key::SizeOver, self.size_over.as_ref().map(|v| &v.at)),
            (Key::CodeOver, self.code_over.as_ref().map(|v| &v.at)),
        ];
        let others = others.into_iter().filter_map(|(key, at)| Some((key, at?)));
        let mut keys: Vec<_> = lists.chain(others).collect();
        keys.sort_by_key(|(key, _)| *key);
        keys
    }

    /// Whether this key is there.
    pub(in crate::policy) fn has(&self, key: Key) -> bool {
        self.keys().iter().any(|(known, _)| *known == key)
    }

    /// The list of this key.
    pub(in crate::policy) fn list(&self, key: Key) -> Option<&Listed> {
        match key {
            Key::Regex => self.regex.as_ref(),
            Key::Words => self.words.as_ref(),
            Key::Secrets => self.secrets.as_ref(),
            Key::Intents => self.intents.as_ref(),
            Key::Classes => self.classes.as_ref(),
            Key::Tools => self.tools.as_ref(),
            Key::Parameters => self.parameters.as_ref(),
            Key::Routes => self.routes.as_ref(),
            Key::Encoded | Key::Hidden | Key::Links | Key::Commands | Key::SizeOver | Key::CodeOver => None,
        }
    }
}

// === impl Key ===

impl Key {
    /// Every key.
    pub(in crate::policy) const ALL: &[Self] = &[
        Self::Regex,
        Self::Words,
        Self::Secrets,
        Self::Encoded,
        Self::Hidden,
        Self::Intents,
        Self::Links,
        Self::Commands,
        Self::Classes,
        Self::Tools,
        Self::Parameters,
        Self::Routes,
        Self::SizeOver,
        Self::CodeOver,
    ];

    /// As it is written.
    pub(in crate::policy) const fn name(self) -> &'static str {
        match self {
            Self::Regex => "regex",
            Self::Words => "words",
            Self::Secrets => "secrets",
            Self::Encoded => "encoded",
            Self::Hidden => "hidden",
            Self::Intents => "intents",
            Self::Links => "links",
            Self::Commands => "commands",
            Self::Classes => "classes",
            Self::Tools => "tools",
            Self::Parameters => "parameters",
            Self::Routes => "routes",
            Self::SizeOver => "size_over",
            Self::CodeOver => "code_over",
        }
    }

    /// Where it can hold.
    pub(in crate::policy) const fn stages(self) -> &'static [Stage] {
        use Stage::{Output, Prompt, Request, ToolCall, ToolResult};
        match self {
            Self::Regex | Self::Words | Self::Secrets | Self::Encoded => {
                &[Prompt, ToolResult, Output, ToolCall]
            }
            Self::Hidden => &[Prompt, ToolResult, ToolCall],
            Self::Intents | Self::CodeOver => &[Prompt, ToolResult],
            Self::Links => &[Prompt, ToolResult, Output],
            Self::Commands | Self::Classes => &[ToolCall, Output],
            Self::Tools => &[ToolCall],
            Self::Parameters | Self::Routes => &[Request],
            Self::SizeOver => &[Prompt, ToolResult, ToolCall, Request],
        }
    }

    /// Whether it finds pieces of a text, which a mask can take the place of.
    pub(in crate::policy) const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Regex
                | Self::Words
                | Self::Secrets
                | Self::Encoded
                | Self::Hidden
                | Self::Intents
                | Self::Links
        )
    }
}
