//! The table of programs that come with Windows.

use super::{Class, Danger};

/// One rule.
pub(super) struct Rule {
    pub(super) program: &'static str,
    /// All must stand among the arguments; of `a|b` one.
    pub(super) words: &'static [&'static str],
    pub(super) id: &'static str,
    pub(super) class: Class,
    pub(super) danger: Danger,
    /// It fetches something, which is less bad from a host of ours.
    pub(super) fetches: bool,
    pub(super) reason: &'static str,
}

macro_rules! rules {
    ($($program:literal [$($word:literal),*] $danger:ident $class:ident $id:literal $reason:literal $($fetches:ident)?;)*) => {
        /// Sorted by program; within a program the first that fits counts.
        pub(super) const RULES: &[Rule] = &[$(Rule {
            program: $program,
            words: &[$($word),*],
            id: $id,
            class: Class::$class,
            danger: Danger::$danger,
            fetches: rules!(@ $($fetches)?),
            reason: $reason,
        }),*];
    };
    (@ fetches) => { true };
    (@) => { false };
}

rules! {
    "arp" [] Allow Unclear "unclear/windows-program" "shows a table";
    "assoc" [] Approve Persistence "persistence/file-association" "says what opens files";
    "at" [] Block Persistence "persistence/scheduled-task" "runs something later";
    "attrib" [] Allow Unclear "unclear/windows-program" "attributes of files";
    "auditpol" ["/set|/clear|/remove"] Block Privilege "privilege/audit-off" "takes auditing down";
    "auditpol" [] Allow Unclear "unclear/windows-program" "shows auditing";
    "bcdedit" ["/set|/delete|/create|/default|/import"] Block Destructive "destructive/boot" "changes how the system starts";
    "bcdedit" [] Approve Reconnaissance "reconnaissance/system" "shows how the system starts";
    "bitsadmin" ["/transfer|/addfile|/setnotifycmdline"] Block RemoteCode "remote-code/bits" "fetches files in the background" fetches;
    "bitsadmin" [] Approve RemoteCode "remote-code/bits" "fetches files in the background";
    "bootrec" [] Block Destructive "destructive/boot" "changes how the system starts";
    "certoc" [] Block RemoteCode "remote-code/system-binary" "loads code";
    "certreq" ["/post"] Block Exfiltration "exfiltration/system-binary" "sends a file";
    "certreq" [] Approve RemoteCode "remote-code/system-binary" "talks to a server";
    "certutil" ["/urlcache|/verifyctl|/url |http://|https://|ftp://"] Block RemoteCode "remote-code/certutil" "fetches a file" fetches;
    "certutil" ["/decode"] Approve RemoteCode "remote-code/certutil" "decodes a file";
    "certutil" ["/encode"] Approve Exfiltration "exfiltration/encode" "encodes a file";
    "certutil" ["/addstore|/importpfx|/installcert"] Block Privilege "privilege/trust" "adds to what the system trusts";
    "certutil" ["/exportpfx|/delstore"] Block CredentialAccess "credential-access/certificates" "takes keys out of the store";
    "certutil" ["/hashfile|/dump|/?|/store|/verify"] Allow Unclear "unclear/windows-program" "shows certificates or sums";
    "certutil" [] Approve Unclear "unclear/windows-program" "certificates";
    "chkdsk" [] Approve Destructive "destructive/disk" "repairs a disk";
    "choco" ["install |upgrade |uninstall "] Approve SupplyChain "supply-chain/install" "installs programs";
    "cipher" ["/w"] Block Destructive "destructive/wipe" "overwrites what was deleted";
    "cipher" [] Approve Destructive "destructive/encrypt" "encrypts files";
    "cmdkey" [] Block CredentialAccess "credential-access/credential-manager" "stored credentials";
    "cmstp" [] Block RemoteCode "remote-code/system-binary" "installs a profile that may run anything";
    "control" [] Approve RemoteCode "remote-code/system-binary" "loads code";
    "csc" [] Approve Unclear "unclear/windows-program" "compiles code";
    "cscript" ["http://|https://|\\\\"] Block RemoteCode "remote-code/script-host" "runs a script from elsewhere";
    "cscript" [] Approve RemoteCode "remote-code/script-host" "runs a script";
    "defrag" [] Allow Unclear "unclear/windows-program" "orders a disk";
    "desktopimgdownldr" [] Block RemoteCode "remote-code/system-binary" "fetches a file";
    "diskpart" [] Block Destructive "destructive/disk" "changes partitions";
    "diskshadow" [] Block CredentialAccess "credential-access/shadow-copy" "copies a disk";
    "dism" ["/enable-feature|/disable-feature|/add-|/remove-|/apply-"] Approve Privilege "privilege/system-feature" "changes the system";
    "dism" [] Approve Unclear "unclear/windows-program" "the system's image";
    "dsquery" [] Approve Reconnaissance "reconnaissance/directory" "searches the directory";
    "esentutl" ["/y|/vss"] Block CredentialAccess "credential-access/copy-locked" "copies files that are locked";
    "esentutl" [] Approve Unclear "unclear/windows-program" "databases of the system";
    "expand" ["\\\\"] Block RemoteCode "remote-code/system-binary" "fetches a file";
    "expand" [] Allow Unclear "unclear/windows-program" "unpacks";
    "extrac32" [] Approve RemoteCode "remote-code/system-binary" "unpacks or copies";
    "findstr" ["password|passwd|secret|token|cpassword|apikey|api_key|credential", "/s"] Block Reconnaissance "reconnaissance/search-secrets" "looks for secrets everywhere";
    "findstr" [] Allow Unclear "unclear/windows-program" "searches text";
    "finger" [] Block RemoteCode "remote-code/system-binary" "fetches text from a host";
    "fltmc" ["unload"] Block Privilege "privilege/driver-off" "takes a filter driver down";
    "fltmc" [] Approve Reconnaissance "reconnaissance/system" "shows drivers";
    "forfiles" ["/c"] Approve RemoteCode "remote-code/indirect" "runs a command for each file";
    "forfiles" [] Allow Unclear "unclear/windows-program" "lists files";
    "format" [] Block Destructive "destructive/disk" "formats a disk";
    "fsutil" ["deletejournal|setzerodata|createnew|setvaliddata|8dot3name set|behavior set"] Block Destructive "destructive/file-system" "changes the file system";
    "fsutil" [] Approve Unclear "unclear/windows-program" "the file system";
    "ftp" [] Approve Exfiltration "exfiltration/ftp" "talks to a host";
    "ftype" [] Approve Persistence "persistence/file-association" "says what opens files";
    "gpupdate" [] Approve Privilege "privilege/policy" "reads policies anew";
    "hh" ["http"] Block RemoteCode "remote-code/system-binary" "opens help from elsewhere";
    "hh" [] Approve RemoteCode "remote-code/system-binary" "opens help, which may run code";
    "hostname" [] Allow Unclear "unclear/windows-program" "shows a name";
    "icacls" ["everyone|/setowner|*s-1-1-0|system32|windows\\|c:\\ "] Block Privilege "privilege/file-rights" "opens files to everybody";
    "icacls" ["/grant|/deny|/remove|/reset|/inheritance|/restore"] Approve Privilege "privilege/file-rights" "changes who may do what with files";
    "icacls" [] Allow Unclear "unclear/windows-program" "shows who may do what";
    "ieexec" [] Block RemoteCode "remote-code/system-binary" "runs a program from elsewhere";
    "infdefaultinstall" [] Block RemoteCode "remote-code/system-binary" "installs what may run anything";
    "installutil" [] Block RemoteCode "remote-code/system-binary" "runs code in a library";
    "ipconfig" ["/release|/flushdns|/renew"] Allow Unclear "unclear/windows-program" "network settings";
    "ipconfig" [] Allow Unclear "unclear/windows-program" "shows network settings";
    "makecab" [] Approve Exfiltration "exfiltration/pack" "packs files";
    "mavinject" [] Block RemoteCode "remote-code/inject" "puts code into another process";
    "mimikatz" [] Block CredentialAccess "credential-access/tool" "takes credentials from memory";
    "mountvol" ["/d|/p"] Block Destructive "destructive/disk" "takes a disk away";
    "mountvol" [] Approve Unclear "unclear/windows-program" "shows disks";
    "mpcmdrun" ["/downloadfile|/url"] Block RemoteCode "remote-code/system-binary" "fetches a file";
    "mpcmdrun" ["/removedefinitions|/disable"] Block Privilege "privilege/defender-off" "takes protection down";
    "mpcmdrun" [] Approve Privilege "privilege/defender" "the virus scanner";
    "msdt" [] Block RemoteCode "remote-code/system-binary" "runs a troubleshooter, which may run anything";
    "mshta" [] Block RemoteCode "remote-code/mshta" "runs a script";
    "msiexec" ["http://|https://|\\\\|/y |/z "] Block RemoteCode "remote-code/msiexec" "installs from elsewhere" fetches;
    "msiexec" [] Approve SupplyChain "supply-chain/install" "installs a program";
    "msxsl" [] Block RemoteCode "remote-code/system-binary" "runs a script in a style sheet";
    "nbtstat" [] Approve Reconnaissance "reconnaissance/network" "names on the network";
    "net" ["user ", "/add|/delete|/active|/passwordreq"] Block Privilege "privilege/accounts" "changes accounts";
    "net" ["localgroup |group ", "/add|/delete"] Block Privilege "privilege/accounts" "changes who belongs to a group";
    "net" ["share ", "="] Block Exfiltration "exfiltration/share" "shares a directory";
    "net" ["use ", "\\\\"] Approve Exfiltration "exfiltration/share" "connects to a share";
    "net" ["stop ", "windefend|mpssvc|wscsvc|eventlog|sense|wuauserv|bits"] Block Privilege "privilege/defender-off" "stops a protection";
    "net" ["stop "] Approve Destructive "destructive/service" "stops a service";
    "net" ["start "] Allow Unclear "unclear/windows-program" "starts a service";
    "net" ["accounts|config|session|view|group |localgroup |user "] Approve Reconnaissance "reconnaissance/accounts" "shows accounts";
    "net" [] Allow Unclear "unclear/windows-program" "the network";
    "net1" [] Block Privilege "privilege/accounts" "another name of `net`";
    "netsh" ["advfirewall|firewall", "off|disable|delete|add"] Block Privilege "privilege/firewall" "changes the firewall";
    "netsh" ["portproxy"] Block Exfiltration "exfiltration/port-forward" "forwards a port";
    "netsh" ["key=clear"] Block CredentialAccess "credential-access/wifi" "shows passwords of networks";
    "netsh" ["trace start|add helper"] Block Reconnaissance "reconnaissance/network-trace" "records the network or loads code";
    "netsh" [" set | add | delete | reset"] Approve Privilege "privilege/network" "changes the network";
    "netsh" [" show "] Allow Unclear "unclear/windows-program" "shows the network";
    "netsh" [] Approve Unclear "unclear/windows-program" "the network";
    "netstat" [] Allow Unclear "unclear/windows-program" "shows connections";
    "nltest" [] Approve Reconnaissance "reconnaissance/directory" "shows the domain";
    "ntdsutil" [] Block CredentialAccess "credential-access/directory" "copies the directory";
    "odbcconf" [] Block RemoteCode "remote-code/system-binary" "loads code";
    "pcalua" [] Block RemoteCode "remote-code/indirect" "runs a program for another";
    "presentationhost" [] Block RemoteCode "remote-code/system-binary" "runs a program from elsewhere";
    "procdump" [] Block CredentialAccess "credential-access/memory" "writes a process's memory out";
    "procdump64" [] Block CredentialAccess "credential-access/memory" "writes a process's memory out";
    "psexec" [] Block RemoteCode "remote-code/other-machine" "runs something on another machine or as the system";
    "psexec64" [] Block RemoteCode "remote-code/other-machine" "runs something on another machine or as the system";
    "query" [] Allow Unclear "unclear/windows-program" "shows who is here";
    "quser" [] Allow Unclear "unclear/windows-program" "shows who is here";
    "reg" ["add ", "\\currentversion\\run|winlogon|image file execution options|currentcontrolset\\services|\\policies\\system|windows defender|\\lsa|appinit|command processor|userinit|disableantispyware|shell\\open"] Block Persistence "persistence/registry" "writes what runs by itself";
    "reg" ["save |export ", "sam|security|system|hklm "] Block CredentialAccess "credential-access/registry" "copies the store of passwords";
    "reg" ["query ", "password|winlogon|putty|realvnc|sam |security "] Block CredentialAccess "credential-access/registry" "looks for passwords";
    "reg" ["query |/?"] Allow Unclear "unclear/windows-program" "reads the registry";
    "reg" ["delete ", "hklm |hkcu |hklm\\software |hklm\\system |currentcontrolset"] Block Destructive "destructive/registry" "deletes much of the registry";
    "reg" ["export "] Approve Reconnaissance "reconnaissance/registry" "writes the registry out";
    "reg" [] Approve Persistence "persistence/registry-write" "changes the registry";
    "regasm" [] Block RemoteCode "remote-code/system-binary" "runs code in a library";
    "regedit" [] Approve Persistence "persistence/registry-write" "changes the registry";
    "regini" [] Approve Persistence "persistence/registry-write" "changes the registry";
    "regsvcs" [] Block RemoteCode "remote-code/system-binary" "runs code in a library";
    "regsvr32" ["http|scrobj|\\\\|/i:"] Block RemoteCode "remote-code/regsvr32" "runs a script from elsewhere";
    "regsvr32" [] Approve RemoteCode "remote-code/regsvr32" "loads a library";
    "runas" [] Block Privilege "privilege/other-user" "runs something as somebody else";
    "rundll32" ["javascript|vbscript|http|comsvcs|url.dll|shell32|advpack|ieadvpack|zipfldr|pcwutl|dfshim|\\\\|mshtml|syssetup|setupapi|desk.cpl|keymgr"] Block RemoteCode "remote-code/rundll32" "runs code through a library";
    "rundll32" [] Approve RemoteCode "remote-code/rundll32" "runs code in a library";
    "runscripthelper" [] Block RemoteCode "remote-code/indirect" "runs a script";
    "sc" ["create |config |failure |sdset |binpath"] Block Persistence "persistence/service" "makes or changes a service";
    "sc" ["stop |delete |start |pause "] Approve Destructive "destructive/service" "stops or deletes a service";
    "sc" ["\\\\"] Block RemoteCode "remote-code/other-machine" "services of another machine";
    "sc" [] Allow Unclear "unclear/windows-program" "shows services";
    "schtasks" ["/create|/change"] Block Persistence "persistence/scheduled-task" "runs something later";
    "schtasks" ["/run|/delete|/end"] Approve Persistence "persistence/scheduled-task" "runs or deletes a task";
    "schtasks" [] Allow Unclear "unclear/windows-program" "shows tasks";
    "scriptrunner" [] Block RemoteCode "remote-code/indirect" "runs a program";
    "sdelete" [] Block Destructive "destructive/wipe" "overwrites files";
    "secedit" ["/export"] Block CredentialAccess "credential-access/policy" "writes security settings out";
    "secedit" [] Approve Privilege "privilege/policy" "security settings";
    "setx" ["path |comspec|/m|http_proxy|https_proxy|node_options|git_|psmodulepath|cor_|pythonpath"] Approve Persistence "persistence/environment" "changes the environment for good";
    "setx" [] Allow Unclear "unclear/windows-program" "sets a variable for good";
    "shutdown" ["/a "] Allow Unclear "unclear/windows-program" "calls a shutdown off";
    "shutdown" [] Block Destructive "destructive/shutdown" "shuts the machine down";
    "syncappvpublishingserver" [] Block RemoteCode "remote-code/indirect" "runs a script";
    "systeminfo" [] Allow Unclear "unclear/windows-program" "shows the system";
    "takeown" [] Approve Privilege "privilege/file-rights" "takes files";
    "taskkill" ["msmpeng|mssense|lsass|csrss|winlogon|svchost|explorer|wininit|services.exe|/fi imagename eq *"] Block Destructive "destructive/system-process" "ends a process of the system";
    "taskkill" [] Allow Unclear "unclear/windows-program" "ends a process";
    "tasklist" [] Allow Unclear "unclear/windows-program" "shows processes";
    "tftp" [] Block Exfiltration "exfiltration/ftp" "sends or fetches a file";
    "tscon" [] Block Privilege "privilege/session" "takes another session";
    "vaultcmd" [] Block CredentialAccess "credential-access/credential-manager" "stored credentials";
    "vssadmin" ["delete|resize"] Block Destructive "destructive/shadow-copies" "deletes copies that would save the data";
    "vssadmin" ["create"] Block CredentialAccess "credential-access/shadow-copy" "copies a disk";
    "vssadmin" [] Approve Reconnaissance "reconnaissance/system" "shows copies of disks";
    "wbadmin" ["delete"] Block Destructive "destructive/backups" "deletes backups";
    "wbadmin" [] Approve Reconnaissance "reconnaissance/system" "backups";
    "wevtutil" [" cl | clear-log| sl | set-log"] Block Privilege "privilege/audit-off" "clears or stops the record of events";
    "wevtutil" [] Allow Unclear "unclear/windows-program" "shows events";
    "whoami" ["/priv|/all"] Approve Reconnaissance "reconnaissance/privileges" "shows rights";
    "whoami" [] Allow Unclear "unclear/windows-program" "shows who is here";
    "winget" ["install |upgrade |uninstall |import "] Approve SupplyChain "supply-chain/install" "installs programs";
    "winrm" ["set |quickconfig|qc |create |invoke |/r"] Block Privilege "privilege/remote-management" "opens the machine to others";
    "winrm" [] Approve Reconnaissance "reconnaissance/system" "remote management";
    "winrs" [] Block RemoteCode "remote-code/other-machine" "runs something on another machine";
    "wmic" ["process", "call|create"] Block RemoteCode "remote-code/wmi" "starts a process";
    "wmic" ["shadowcopy"] Block Destructive "destructive/shadow-copies" "deletes copies that would save the data";
    "wmic" ["/node|/format:http|/format:\\\\|.xsl|format:"] Block RemoteCode "remote-code/wmi" "runs code from elsewhere";
    "wmic" ["call|delete|create|set "] Block Privilege "privilege/wmi" "changes the system";
    "wmic" ["/namespace", "antivirus|securitycenter"] Approve Reconnaissance "reconnaissance/protections" "asks what protects the machine";
    "wmic" ["get|list|/?"] Allow Unclear "unclear/windows-program" "shows the system";
    "wmic" [] Approve Unclear "unclear/windows-program" "the system";
    "wscript" ["http://|https://|\\\\"] Block RemoteCode "remote-code/script-host" "runs a script from elsewhere";
    "wscript" [] Approve RemoteCode "remote-code/script-host" "runs a script";
    "wsreset" [] Approve Privilege "privilege/elevation" "known to run with more rights";
    "xwizard" [] Block RemoteCode "remote-code/system-binary" "loads code";
}
