//! The key file: one random secret from which later versions derive a key per purpose.

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::failure::Failure;

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
    let text = format!(
        "copilot-guard-keys v1 epoch=1 {}\n",
        STANDARD_NO_PAD.encode(secret)
    );
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| fail(&e))?;
    println!("{}", path.display());
    Ok(())
}
