//! What a rule looks at. What costs more than one rule is worth is found once, when the first rule asks for it.

use std::cell::OnceCell;

use super::code;
use super::compile::Compiled;
use super::kinds::Name;
use super::matcher::Range;
use crate::detect::{Judgement, RuleMask, ScanOptions, hidden, intent, link, tool};

/// With what rules look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'p> {
    pub(super) policy: &'p Compiled,
    pub(super) options: &'p ScanOptions,
    /// The kinds that any rule of the stage looks for; where none of them is, no rule need look.
    pub(super) plain: Option<&'p RuleMask>,
    /// The same for kinds in encoded form.
    pub(super) encoded: Option<&'p RuleMask>,
}

/// One part, one tool call or one request.
#[derive(Debug, Default)]
pub(super) struct Subject<'t> {
    pub(super) size: usize,
    /// The first is the one that masks refer to.
    pub(super) texts: Vec<Looked<'t>>,
    pub(super) call: Option<Call<'t>>,
    pub(super) asked: Option<&'t Asked>,
}

/// A text to look at.
#[derive(Debug, Default)]
pub(super) struct Looked<'t> {
    pub(super) text: &'t str,
    has_secrets: OnceCell<bool>,
    has_encoded: OnceCell<bool>,
    hidden: OnceCell<Vec<Range>>,
    intents: OnceCell<Vec<(&'static str, Range)>>,
    links: OnceCell<Vec<Range>>,
}

/// A complete tool call.
#[derive(Debug)]
pub(super) struct Call<'t> {
    pub(super) name: &'t str,
    arguments: &'t str,
    judgement: OnceCell<Judgement>,
}

/// What a request asks for beside its texts.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The path.
    pub(super) route: String,
    pub(super) parameters: Vec<String>,
}

// === impl Subject ===

impl<'t> Subject<'t> {
    /// A whole text.
    pub(super) fn text(looked: Looked<'t>) -> Self {
        Self {
            size: looked.text.len(),
            texts: vec![looked],
            ..Self::default()
        }
    }

    /// A request of this size.
    pub(super) fn request(size: usize, asked: Option<&'t Asked>) -> Self {
        Self {
            size,
            asked,
            ..Self::default()
        }
    }

    /// A tool call: its arguments as they stand, its name, and each string within the arguments.
    pub(super) fn call(name: &'t str, arguments: &'t str, strings: &'t [String]) -> Self {
        let texts = [arguments, name]
            .into_iter()
            .chain(strings.iter().map(String::as_str));
        Self {
            size: arguments.len(),
            texts: texts.map(Looked::new).collect(),
            call: Some(Call {
                name,
                arguments,
                judgement: OnceCell::new(),
            }),
            asked: None,
        }
    }

    /// Bytes of code in the first text.
    pub(super) fn code_bytes(&self) -> usize {
        self.texts.first().map_or(0, |looked| code::bytes(looked.text))
    }
}

// === impl Looked ===

impl<'t> Looked<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    /// The same, when it is known already whether secrets are in it.
    pub(super) fn with_secrets(self, plain: bool) -> Self {
        Self {
            has_secrets: plain.into(),
            ..self
        }
    }

    /// The secrets of these kinds.
    pub(super) fn secrets(&self, sight: &Sight<'_>, mask: &RuleMask) -> Vec<(Range, Name)> {
        let kinds = &sight.policy.kinds;
        let has = self.has_secrets.get_or_init(|| {
            sight
                .plain
                .is_some_and(|any| !kinds.scan(any, sight.options, self.text).is_empty())
        });
        if *has {
            kinds.scan(mask, sight.options, self.text)
        } else {
            Vec::new()
        }
    }

    /// The secrets of these kinds that stand there in encoded form alone.
    pub(super) fn encoded(&self, sight: &Sight<'_>, mask: &RuleMask) -> Vec<(Range, Name)> {
        let kinds = &sight.policy.kinds;
        let has = self.has_encoded.get_or_init(|| {
            sight
                .encoded
                .is_some_and(|any| !kinds.scan_encoded(any, sight.options, self.text).is_empty())
        });
        if *has {
            kinds.scan_encoded(mask, sight.options, self.text)
        } else {
            Vec::new()
        }
    }

    /// Hidden characters.
    pub(super) fn hidden(&self) -> &[Range] {
        self.hidden.get_or_init(|| hidden::find(self.text))
    }

    /// High-risk intents.
    pub(super) fn intents(&self) -> &[(&'static str, Range)] {
        self.intents.get_or_init(|| intent::find(self.text))
    }

    /// Links to hosts that are not ours.
    pub(super) fn links(&self, policy: &Compiled) -> &[Range] {
        self.links
            .get_or_init(|| link::foreign(policy.commands.network(), self.text))
    }
}

// === impl Call ===

impl Call<'_> {
    /// What the call would do.
    pub(super) fn judgement(&self, policy: &Compiled) -> &Judgement {
        self.judgement
            .get_or_init(|| tool::judge(&policy.commands, self.name, self.arguments))
    }
}
