//! What names do in Ruby.

use super::{Does, Row};

pub(super) const RUBY: &[Row] = &[
    (
        Does::Process,
        "
        system exec spawn IO.popen Open3.capture2 Open3.capture2e Open3.capture3 Open3.popen3
        Kernel.system Kernel.exec Kernel.spawn Process.spawn PTY.spawn fork syscall .popen Kernel.`
        ",
    ),
    (
        Does::Network,
        "
        Net. URI.open open_uri OpenURI. HTTParty. Faraday. RestClient. Excon. Resolv. OpenSSL.SSL.
        ",
    ),
    (
        Does::Socket,
        "
        TCPSocket. Socket. UDPSocket. TCPServer. UNIXSocket.
        ",
    ),
    (
        Does::File,
        "
        File.read IO.read File.open IO.readlines File.readlines File.binread Dir.glob Dir.entries
        IO.binread open File.foreach Dir.
        ",
    ),
    (
        Does::Write,
        "
        File.write IO.write FileUtils.cp FileUtils.mv File.rename File.symlink FileUtils.ln_s .write
        .puts_
        ",
    ),
    (
        Does::Env,
        "
        ENV
        ",
    ),
    (
        Does::Eval,
        "
        eval instance_eval class_eval module_eval Kernel.eval Kernel.load load Marshal.load
        .instance_eval .eval RubyVM. YAML.unsafe_load
        ",
    ),
    (
        Does::Decode,
        "
        Base64. unpack Zlib. .unpack .unpack1 unpack1
        ",
    ),
    (
        Does::Reflect,
        "
        send public_send __send__ .send .public_send const_get .const_get .method method .__send__
        Object.const_get Fiddle.
        ",
    ),
    (
        Does::Delete,
        "
        FileUtils.rm_rf FileUtils.rm_r FileUtils.rm FileUtils.remove_dir FileUtils.remove_entry
        FileUtils.remove_entry_secure FileUtils.rmtree File.delete File.unlink Dir.rmdir Dir.delete
        Dir.unlink rm_rf FileUtils.rm_f
        ",
    ),
    (
        Does::Native,
        "
        Fiddle. Win32API. DL.
        ",
    ),
];
