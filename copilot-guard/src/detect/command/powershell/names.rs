//! What commands of PowerShell are called: aliases, and how parameters are cut short.

use super::Arg;

/// The cmdlet behind an alias or old name; the name itself otherwise. Takes and gives lower case.
pub(super) fn canonical(name: &str) -> &str {
    ALIASES
        .binary_search_by(|(alias, _)| (*alias).cmp(name))
        .ok()
        .and_then(|at| ALIASES.get(at))
        .map_or(name, |(_, cmdlet)| cmdlet)
}

/// Sorted by alias.
const ALIASES: &[(&str, &str)] = &[
    ("%", "foreach-object"),
    ("?", "where-object"),
    ("ac", "add-content"),
    ("cat", "get-content"),
    ("cd", "set-location"),
    ("chdir", "set-location"),
    ("clc", "clear-content"),
    ("clear", "clear-host"),
    ("cli", "clear-item"),
    ("clp", "clear-itemproperty"),
    ("copy", "copy-item"),
    ("cp", "copy-item"),
    ("cpi", "copy-item"),
    ("cpp", "copy-itemproperty"),
    ("curl", "invoke-webrequest"),
    ("del", "remove-item"),
    ("dir", "get-childitem"),
    ("echo", "write-output"),
    ("epcsv", "export-csv"),
    ("erase", "remove-item"),
    ("etsn", "enter-pssession"),
    ("foreach", "foreach-object"),
    ("gal", "get-alias"),
    ("gc", "get-content"),
    ("gci", "get-childitem"),
    ("gcim", "get-ciminstance"),
    ("gcm", "get-command"),
    ("ghy", "get-history"),
    ("gi", "get-item"),
    ("gin", "get-computerinfo"),
    ("gp", "get-itemproperty"),
    ("gpv", "get-itempropertyvalue"),
    ("gsv", "get-service"),
    ("gv", "get-variable"),
    ("gwmi", "get-wmiobject"),
    ("h", "get-history"),
    ("history", "get-history"),
    ("icim", "invoke-cimmethod"),
    ("icm", "invoke-command"),
    ("iex", "invoke-expression"),
    ("ii", "invoke-item"),
    ("ipal", "import-alias"),
    ("ipmo", "import-module"),
    ("irm", "invoke-restmethod"),
    ("iwmi", "invoke-wmimethod"),
    ("iwr", "invoke-webrequest"),
    ("kill", "stop-process"),
    ("ls", "get-childitem"),
    ("md", "new-item"),
    ("mi", "move-item"),
    ("mkdir", "new-item"),
    ("move", "move-item"),
    ("mp", "move-itemproperty"),
    ("mv", "move-item"),
    ("nal", "new-alias"),
    ("ni", "new-item"),
    ("nsn", "new-pssession"),
    ("nv", "new-variable"),
    ("ogv", "out-gridview"),
    ("popd", "pop-location"),
    ("ps", "get-process"),
    ("pushd", "push-location"),
    ("rd", "remove-item"),
    ("ren", "rename-item"),
    ("ri", "remove-item"),
    ("rm", "remove-item"),
    ("rmdir", "remove-item"),
    ("rni", "rename-item"),
    ("rp", "remove-itemproperty"),
    ("sajb", "start-job"),
    ("sal", "set-alias"),
    ("saps", "start-process"),
    ("sasv", "start-service"),
    ("sbp", "set-psbreakpoint"),
    ("select", "select-object"),
    ("si", "set-item"),
    ("sl", "set-location"),
    ("sleep", "start-sleep"),
    ("sls", "select-string"),
    ("sp", "set-itemproperty"),
    ("spps", "stop-process"),
    ("spsv", "stop-service"),
    ("start", "start-process"),
    ("sv", "set-variable"),
    ("swmi", "set-wmiinstance"),
    ("tee", "tee-object"),
    ("type", "get-content"),
    ("wget", "invoke-webrequest"),
    ("where", "where-object"),
    ("write", "write-output"),
];

/// Whether an argument is this parameter, however short it is cut: `-rec`, `-Recurse:$true`. One letter is enough.
pub(super) fn is_param(arg: &Arg, name: &str) -> bool {
    param_name(arg).is_some_and(|(given, _)| !given.is_empty() && name.starts_with(given.as_str()))
}

/// Whether any argument is this parameter.
pub(super) fn has_param(args: &[Arg], name: &str) -> bool {
    args.iter().any(|a| is_param(a, name))
}

/// The value of a parameter: what follows it, or what stands behind its colon.
pub(super) fn param_value(args: &[Arg], name: &str) -> Option<Arg> {
    let at = args.iter().position(|a| is_param(a, name))?;
    let arg = args.get(at)?;
    match param_name(arg) {
        Some((_, Some(value))) if !value.is_empty() => Some(Arg {
            text: value,
            quoted: true,
            ..arg.clone()
        }),
        _ => args.get(at + 1).cloned(),
    }
}

fn param_name(arg: &Arg) -> Option<(String, Option<String>)> {
    if arg.quoted || arg.block {
        return None;
    }
    let body = arg.text.strip_prefix('-')?;
    let (name, value) = match body.split_once(':') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (body, None),
    };
    Some((name.to_ascii_lowercase(), value))
}

/// The arguments that are no parameters, with the values of parameters among them.
pub(super) fn operands(args: &[Arg]) -> impl Iterator<Item = &Arg> {
    args.iter().filter(|a| !a.block && param_name(a).is_none())
}

/// Where the command's paths are: operands, and what stands behind a parameter's colon.
pub(super) fn paths(args: &[Arg]) -> Vec<Arg> {
    let mut found = Vec::new();
    for arg in args {
        match param_name(arg) {
            None if !arg.block => found.push(arg.clone()),
            Some((_, Some(value))) => found.push(Arg {
                text: value,
                ..arg.clone()
            }),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aliases_are_sorted() {
        assert!(ALIASES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(canonical("iex"), "invoke-expression");
        assert_eq!(canonical("npm"), "npm");
    }
}
