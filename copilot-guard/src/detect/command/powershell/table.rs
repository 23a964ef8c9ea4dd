//! Tables of cmdlets.

use super::super::super::judgement::{Class, Danger};

/// A cmdlet that is bad whatever its arguments.
pub(super) type Row = (&'static str, Class, Danger, &'static str);

macro_rules! rows {
    ($($name:literal $class:ident $danger:ident $rule:literal;)*) => {
        &[$(($name, Class::$class, Danger::$danger, $rule)),*]
    };
}

/// Sorted by cmdlet.
pub(super) const TABLE: &[Row] = rows! {
    "add-localgroupmember" Privilege Block "privilege/accounts";
    "add-mppreference" Privilege Block "privilege/defender-off";
    "checkpoint-computer" Unclear Approve "unclear/system";
    "clear-disk" Destructive Block "destructive/disk";
    "clear-eventlog" Privilege Block "privilege/audit-off";
    "clear-history" Privilege Approve "privilege/audit-off";
    "clear-recyclebin" Destructive Approve "destructive/recycle-bin";
    "disable-computerrestore" Destructive Block "destructive/backups";
    "disable-localuser" Privilege Block "privilege/accounts";
    "disable-netfirewallrule" Privilege Block "privilege/firewall";
    "disable-psremoting" Privilege Approve "privilege/remote-management";
    "disable-scheduledtask" Persistence Approve "persistence/scheduled-task";
    "disable-windowsoptionalfeature" Privilege Block "privilege/system-feature";
    "dismount-diskimage" Unclear Approve "unclear/disk-image";
    "enable-localuser" Privilege Block "privilege/accounts";
    "enable-psremoting" Privilege Block "privilege/remote-management";
    "enable-windowsoptionalfeature" Privilege Approve "privilege/system-feature";
    "enter-pssession" RemoteCode Block "remote-code/other-machine";
    "export-pfxcertificate" CredentialAccess Block "credential-access/certificates";
    "format-volume" Destructive Block "destructive/disk";
    "get-aduser" Reconnaissance Approve "reconnaissance/directory";
    "get-credential" CredentialAccess Approve "credential-access/prompt";
    "get-localgroupmember" Reconnaissance Approve "reconnaissance/accounts";
    "get-mpcomputerstatus" Reconnaissance Approve "reconnaissance/protections";
    "get-mppreference" Reconnaissance Approve "reconnaissance/protections";
    "get-secret" CredentialAccess Block "credential-access/vault";
    "get-storedcredential" CredentialAccess Block "credential-access/credential-manager";
    "import-certificate" Privilege Block "privilege/trust";
    "import-pfxcertificate" Privilege Block "privilege/trust";
    "initialize-disk" Destructive Block "destructive/disk";
    "install-windowsfeature" Privilege Approve "privilege/system-feature";
    "invoke-bloodhound" Reconnaissance Block "reconnaissance/tool";
    "invoke-kerberoast" CredentialAccess Block "credential-access/tool";
    "invoke-mimikatz" CredentialAccess Block "credential-access/tool";
    "invoke-reflectivepeinjection" RemoteCode Block "remote-code/inject";
    "invoke-shellcode" RemoteCode Block "remote-code/inject";
    "mount-diskimage" RemoteCode Approve "remote-code/disk-image";
    "new-localuser" Privilege Block "privilege/accounts";
    "new-netfirewallrule" Privilege Block "privilege/firewall";
    "new-psdrive" Exfiltration Approve "exfiltration/share";
    "new-pssession" RemoteCode Block "remote-code/other-machine";
    "new-scheduledtask" Persistence Block "persistence/scheduled-task";
    "new-scheduledtaskaction" Persistence Block "persistence/scheduled-task";
    "new-service" Persistence Block "persistence/service";
    "new-smbmapping" Exfiltration Approve "exfiltration/share";
    "new-smbshare" Exfiltration Block "exfiltration/share";
    "out-minidump" CredentialAccess Block "credential-access/memory";
    "register-engineevent" Persistence Approve "persistence/event";
    "register-scheduledjob" Persistence Block "persistence/scheduled-task";
    "register-scheduledtask" Persistence Block "persistence/scheduled-task";
    "remove-computer" Destructive Block "destructive/system";
    "remove-eventlog" Privilege Block "privilege/audit-off";
    "remove-localuser" Privilege Block "privilege/accounts";
    "remove-mppreference" Privilege Block "privilege/defender-off";
    "remove-netfirewallrule" Privilege Block "privilege/firewall";
    "remove-partition" Destructive Block "destructive/disk";
    "remove-service" Destructive Block "destructive/service";
    "remove-vm" Destructive Block "destructive/machine";
    "rename-computer" Privilege Block "privilege/system";
    "restart-computer" Destructive Block "destructive/shutdown";
    "set-aduser" Privilege Block "privilege/accounts";
    "set-dnsclientserveraddress" Privilege Block "privilege/network";
    "set-localuser" Privilege Block "privilege/accounts";
    "set-mppreference" Privilege Block "privilege/defender-off";
    "set-netfirewallprofile" Privilege Block "privilege/firewall";
    "set-netfirewallrule" Privilege Block "privilege/firewall";
    "set-scheduledtask" Persistence Block "persistence/scheduled-task";
    "start-scheduledtask" Persistence Approve "persistence/scheduled-task";
    "stop-computer" Destructive Block "destructive/shutdown";
    "uninstall-package" Destructive Approve "destructive/uninstall";
    "unregister-scheduledtask" Persistence Approve "persistence/scheduled-task";
};

/// Whether this is a verb of cmdlets: `Get-Foo` that is in no table is a cmdlet of some module.
pub(super) fn is_verb(word: &str) -> bool {
    VERBS.split_whitespace().any(|verb| verb == word)
}

const VERBS: &str = "
    add clear compare complete convert convertfrom convertto copy disable enable enter exit expand export
    find format get group hide import initialize install invoke join limit lock measure merge mount move
    new open out ping pop protect publish push read receive register remove rename reset resolve restart
    restore resume save search select send set show sort split start step stop submit suspend switch sync
    tee test trace unblock uninstall unlock unregister update use wait watch where write
";

/// Whether the arguments of a cmdlet are data.
pub(super) fn is_harmless(name: &str) -> bool {
    HARMLESS.split_whitespace().any(|cmdlet| cmdlet == name)
}

const HARMLESS: &str = "
    write-output write-host write-error write-warning write-verbose write-debug write-information
    set-location push-location pop-location get-location clear-host start-sleep select-object sort-object
    group-object measure-object format-table format-list format-wide ft fl out-null out-string out-host
    out-default test-path split-path join-path get-process get-date get-help get-member convertto-json
    convertfrom-json get-alias get-service compare-object get-random convertto-html convertto-csv
    convertfrom-csv expand-archive wait-job receive-job get-job set-strictmode read-host get-unique
    new-guid get-host get-module get-psdrive get-computerinfo
";

/// Whether this runs text, fetches or deletes: another name for one is not ordinary.
pub(super) fn is_sink(name: &str) -> bool {
    SINKS.split_whitespace().any(|sink| sink == name)
}

const SINKS: &str = "
    invoke-expression invoke-webrequest invoke-restmethod invoke-command start-process powershell pwsh cmd
    remove-item certutil bitsadmin mshta rundll32 regsvr32 wmic curl bash wsl
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
    }
}
