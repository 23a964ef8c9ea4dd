//! The key file: one random secret, from which a key per purpose is derived (HKDF, RFC 5869).

use std::io::Write as _;
use std::path::Path;

use aws_lc_rs::hkdf;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::failure::Failure;

/// What every key file begins with.
const HEAD: &str = "copilot-guard-keys v1 epoch=1 ";

/// The secret of a key file. `{:?}` prints no part of it.
pub(crate) struct Keys(hkdf::Prk);

impl Keys {
    /// Reads a key file.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let fail = |why: &dyn std::fmt::Display| {
            Failure::new(
                format!("the key file `{}` cannot be used", path.display()),
                why,
                "make one with `keys init`, readable by the gateway's user alone",
            )
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path)
                .map_err(|e| fail(&e))?
                .permissions()
                .mode();
            if mode & 0o077 != 0 {
                return Err(fail(&"others than its owner may read or write it"));
            }
        }
        let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(|e| fail(&e))?);
        let secret = text.trim_end().strip_prefix(HEAD);
        let secret = secret.and_then(|secret| STANDARD_NO_PAD.decode(secret).ok());
        let secret = secret
            .filter(|secret| secret.len() == 32)
            .map(zeroize::Zeroizing::new);
        match secret {
            Some(secret) => Ok(Self(hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&secret))),
            None => Err(fail(&"it is not what `keys init` writes")),
        }
    }

    /// The key for one purpose.
    pub(crate) fn derive(&self, purpose: &str) -> Result<[u8; 32], Failure> {
        let mut key = [0; 32];
        let info = [purpose.as_bytes()];
        self.0
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .map_err(|_| Failure::new("a key cannot be derived", purpose, "report this as a bug"))?;
        Ok(key)
    }
}

/// Makes a new key file, mode 600.
pub(crate) fn init(path: &Path) -> Result<(), Failure> {
    let fail = |error: &dyn std::fmt::Display| {
        let what = format!("the key file `{}` cannot be made", path.display());
        Failure::new(
            what,
            error,
            "name a new file in a folder you may write to; an existing file is never overwritten",
        )
    };
    let mut secret = [0; 32];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| fail(&"the system has no randomness"))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(|e| fail(&e))?;
    let text = format!("{HEAD}{}\n", STANDARD_NO_PAD.encode(secret));
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| fail(&e))?;
    println!("{}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard.keys");
        init(&path).unwrap();
        assert!(init(&path).is_err(), "an existing file is never overwritten");
        let key = |purpose: &str| Keys::load(&path).unwrap().derive(purpose).unwrap();
        assert_eq!(key("tags"), key("tags"));
        assert_ne!(key("tags"), key("gateway tokens"));
        let text = std::fs::read_to_string(&path).unwrap();
        for bad in [
            "",
            "copilot-guard-keys v2 epoch=1 AAAA",
            &text[..text.len() - 3],
            &text.replace("v1", "v1 "),
        ] {
            std::fs::write(&path, bad).unwrap();
            assert!(Keys::load(&path).is_err(), "{bad:.30}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::write(&path, &text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            assert!(Keys::load(&path).is_err(), "readable by others");
        }
        assert!(Keys::load(&folder.path().join("none")).is_err());
    }
}
