//! What calls of methods do.

use tree_sitter::Node;

use super::super::super::judgement::{Class, Danger};
use super::super::windows::places;
use super::script::Script;
use super::value::Value;
use super::walk::{Walk, ends};
use super::{Arg, files};

impl<'t> Walk<'t> {
    /// A method is called.
    pub(super) fn call(&mut self, script: &mut Script<'_>, node: Node<'t>) {
        let (Some(on), Some(member)) = (node.named_child(0), node.named_child(1)) else {
            return;
        };
        let name = self.eval.at_name(member, 0).to_ascii_lowercase();
        let target = if on.kind() == "type_literal" {
            self.eval.type_of(on)
        } else {
            String::new()
        };
        let source = ends(self.eval.src(node));
        let source = source.as_str();
        // `$client.('Down' + 'loadString').Invoke($url)` calls the member in front.
        if matches!(name.as_str(), "invoke" | "invokereturnasis")
            && on.kind() == "member_access"
            && let Some(member) = on.named_child(1)
        {
            let member = self.eval.at_name(member, 0).to_ascii_lowercase();
            script.member_at(&member, source, None);
        }
        let args: Vec<Value> = match node.named_child(2).and_then(|l| l.named_child(0)) {
            Some(list) if list.kind() == "argument_expression_list" => self.eval.args(list),
            _ => Vec::new(),
        };
        let first = args.first().cloned();
        let text = first.as_ref().map(Value::text).unwrap_or_default();
        if target == "array" {
            self.changed(node, name == "reverse");
        }
        match (target.as_str(), name.as_str()) {
            (_, "gettypefromprogid" | "gettypefromclsid") => {
                script.type_named(&text.to_ascii_lowercase());
                let is_elsewhere = args.len() > 1;
                script.found(
                    "remote-code/other-machine",
                    Class::RemoteCode,
                    if is_elsewhere {
                        Danger::Block
                    } else {
                        Danger::Approve
                    },
                    "runs something through another program",
                );
            }
            (_, "executeshellcommand" | "shellexecutea" | "shellexecutew") => script.found(
                "remote-code/other-machine",
                Class::RemoteCode,
                Danger::Block,
                "runs something through another program",
            ),
            ("scriptblock", "create") | (_, "invokescript" | "newscriptblock" | "addscript") => {
                script.code(&first.unwrap_or_else(Value::unknown));
            }
            ("diagnostics.process", "start") => {
                let known = first.as_ref().is_some_and(Value::is_known);
                let words = args
                    .iter()
                    .skip(1)
                    .flat_map(|a| a.text().split(' ').map(str::to_owned).collect::<Vec<_>>());
                let words = words
                    .map(|text| Arg {
                        text,
                        ..Arg::default()
                    })
                    .collect();
                script.command(&text, !known, words, None);
            }
            ("io.directory" | "io.file", "delete") => {
                let lost = match places::loss(&text) {
                    // What is not known may be all there is.
                    places::Loss::Little
                        if target == "io.directory" && !first.as_ref().is_some_and(Value::is_known) =>
                    {
                        places::Loss::Unclear
                    }
                    lost => lost,
                };
                let danger = match lost {
                    places::Loss::Everything => Danger::Block,
                    places::Loss::Unclear => Danger::Approve,
                    places::Loss::Little => Danger::Allow,
                };
                script.found("destructive/delete", Class::Destructive, danger, "deletes files");
            }
            (
                "io.file" | "io.streamreader" | "io.directory",
                "readalltext" | "readallbytes" | "readalllines" | "readlines" | "openread" | "open" | "copy"
                | "move" | "getfiles",
            ) => {
                script.secret(places::secret(&text));
                if let Some(to) = args.get(1) {
                    files::write_to(script, &to.text());
                }
            }
            ("io.file", _)
                if name.starts_with("write") || name.starts_with("append") || name.starts_with("create") =>
            {
                files::write_to(script, &text);
            }
            ("reflection.assembly", "loadwithpartialname") if first.as_ref().is_some_and(Value::is_known) => {
            }
            ("reflection.assembly" | "appdomain", "load" | "loadfile" | "loadfrom" | "unsafeloadfrom") => {
                let danger = if first.as_ref().is_some_and(Value::is_known)
                    && target != "appdomain"
                    && !text.contains("://")
                {
                    Danger::Approve
                } else {
                    Danger::Block
                };
                script.facts.dynamic_sink = true;
                script.found(
                    "remote-code/load-assembly",
                    Class::RemoteCode,
                    danger,
                    "loads code",
                );
            }
            ("environment", "setenvironmentvariable") => {
                let all = args.iter().map(Value::text).collect::<Vec<_>>().join("=");
                let is_lasting = ["user", "machine"]
                    .iter()
                    .any(|s| all.to_ascii_lowercase().ends_with(s));
                script.set_environment(&all);
                if is_lasting {
                    script.found(
                        "persistence/environment",
                        Class::Persistence,
                        Danger::Approve,
                        "changes the environment for good",
                    );
                }
            }
            ("net.dns", _) => {
                let danger = if first.as_ref().is_some_and(Value::is_known) {
                    Danger::Approve
                } else {
                    Danger::Block
                };
                script.found(
                    "exfiltration/name-lookup",
                    Class::Exfiltration,
                    danger,
                    "looks a name up",
                );
            }
            (_, "run" | "exec" | "shellexecute") => {
                if first.as_ref().is_some_and(Value::is_known) {
                    let judged = super::super::cmd_exe::judge(&script.inner(), &text);
                    script.judgement.merge(judged);
                    script.ran(&text);
                } else {
                    script.member("exec", source);
                }
            }
            ("convert", "frombase64string") => {
                if !matches!(self.eval.value(node), Value::Bytes(_)) {
                    script.facts.decoded = true;
                }
            }
            _ => {
                let source = source.to_ascii_lowercase();
                // What is known of the arguments says more than how they are written.
                let known = args.iter().map(|a| format!("{} ", a.text())).collect::<String>();
                let on_text = ends(self.eval.src(on)).to_ascii_lowercase();
                let shown = if name.starts_with("downloadfile") {
                    args.iter().map(Value::text).collect::<Vec<_>>().join(",")
                } else if name == "invoke" || name == "setvalue" {
                    format!("{on_text} {source}")
                } else if args.is_empty() {
                    source
                } else {
                    known
                };
                script.member(&name, &shown);
            }
        }
    }

    /// A method of `[array]` changes the variable that it is given.
    fn changed(&mut self, node: Node<'t>, is_reversed: bool) {
        let list = node.named_child(2).and_then(|l| l.named_child(0));
        let Some(mut inner) = list.and_then(|list| list.named_child(0)) else {
            return;
        };
        while inner.named_child_count() == 1 && inner.kind() != "variable" {
            match inner.named_child(0) {
                Some(next) => inner = next,
                None => return,
            }
        }
        let name = super::eval::name_of(self.eval.src(inner));
        let value = match self.eval.get(&name) {
            Some(Value::List(items)) if is_reversed => Value::List(items.iter().rev().cloned().collect()),
            _ => Value::unknown(),
        };
        self.eval.set(name, value);
    }
}
