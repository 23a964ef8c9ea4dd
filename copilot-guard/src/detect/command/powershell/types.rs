//! Tables of types, and of variables that make other programs load something.

use super::super::super::judgement::{Class, Danger};

/// A part of a type's name in lower case, and what using it is.
pub(super) type TypeRow = (&'static str, Class, Danger, &'static str, &'static str);

macro_rules! rows {
    ($($name:literal $class:ident $danger:ident $rule:literal $reason:literal;)*) => {
        &[$(($name, Class::$class, Danger::$danger, $rule, $reason)),*]
    };
}

pub(super) const TYPES: &[TypeRow] = rows! {
    "sockets.tcpclient" RemoteCode Block "remote-code/socket" "opens a connection of its own";
    "sockets.tcplistener" RemoteCode Block "remote-code/socket" "waits for connections";
    "sockets.udpclient" Exfiltration Block "remote-code/socket" "opens a connection of its own";
    "sockets.socket" RemoteCode Block "remote-code/socket" "opens a connection of its own";
    "httplistener" Exfiltration Approve "exfiltration/listener" "waits for connections";
    "clientwebsocket" RemoteCode Block "remote-code/socket" "opens a connection of its own";
    "reflection.assembly" RemoteCode Approve "remote-code/load-assembly" "loads code";
    "reflection.emit" RemoteCode Block "remote-code/native-code" "makes code at run time";
    "management.automation.amsi" Privilege Block "privilege/amsi" "takes the scan of scripts down";
    "interopservices.marshal" RemoteCode Approve "remote-code/marshal" "reaches into memory";
    "smtpclient" Exfiltration Block "exfiltration/mail" "sends mail";
    "net.mail" Exfiltration Block "exfiltration/mail" "sends mail";
    "net.networkinformation.ping" Exfiltration Approve "exfiltration/name-lookup" "sends pings";
    "wscript.shell" RemoteCode Approve "remote-code/indirect" "runs a program for another";
    "shell.application" RemoteCode Approve "remote-code/indirect" "runs a program for another";
    "mmc20.application" RemoteCode Block "remote-code/other-machine" "runs something through another program";
    "schedule.service" Persistence Block "persistence/scheduled-task" "runs something later";
    "processstartinfo" RemoteCode Approve "remote-code/indirect" "starts a process";
    "diagnostics.process" RemoteCode Approve "remote-code/indirect" "starts a process";
    "directoryservices" Reconnaissance Approve "reconnaissance/directory" "searches the directory";
    "passwordvault" CredentialAccess Block "credential-access/credential-manager" "stored credentials";
    "protecteddata" CredentialAccess Block "credential-access/protected-data" "decrypts stored secrets";
    "appdomain" RemoteCode Approve "remote-code/load-assembly" "loads code";
    "runspacefactory" RemoteCode Approve "remote-code/expression" "runs scripts in a shell of its own";
    "managementobject" RemoteCode Approve "remote-code/wmi" "WMI";
    "wmiclass" RemoteCode Block "remote-code/wmi" "starts something through WMI";
    "windows.clipboard" Reconnaissance Approve "reconnaissance/clipboard" "reads the clipboard";
    "copyfromscreen" Reconnaissance Block "reconnaissance/screen" "takes a picture of the screen";
};

/// Variables of the environment, with blanks between them.
pub(super) const LOADERS: &str = "
    http_proxy https_proxy all_proxy git_ssh git_askpass git_proxy git_exec_path git_external_diff
    psmodulepath cor_enable cor_profiler coreclr_ dotnet_startup_hooks ld_preload ld_library_path
    bash_env comspec npm_config_registry npm_config_script_shell pip_index_url pip_extra_index goproxy
    userinitmprlogonscript complus_ node_tls_reject_unauthorized git_ssl_no_verify git_config
    __pslockdownpolicy openai_base_url anthropic_base_url perl5opt rubyopt java_tool_options
";
