//! The folder of device grants: one file for each gateway, for its owner alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use copilot_guard::secret::Secret;
use serde::{Deserialize, Serialize};

use super::http::Gateway;
use crate::failure::Failure;

/// A grant as it lies on the disk.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) id: String,
    pub(super) secret: Secret,
}

#[derive(Serialize, Deserialize)]
struct File {
    gateway: String,
    id: String,
    device_grant: String,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Grants(PathBuf);

impl Grants {
    /// The folder of this name; by default `copilot-guard` in the user's folder for configuration.
    pub(super) fn at(folder: Option<&Path>) -> Result<Self, Failure> {
        if let Some(folder) = folder {
            return Ok(Self(folder.to_owned()));
        }
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let base = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
        base.map(|base| Self(base.join("copilot-guard"))).ok_or_else(|| {
            Failure::new(
                "there is no folder for grants",
                "neither XDG_CONFIG_HOME nor HOME is set",
                "name one with `--state`",
            )
        })
    }

    fn path(&self, gateway: &Gateway) -> PathBuf {
        self.0.join(format!("{}.json", gateway.file_name()))
    }

    /// Keeps a grant in place of an earlier one of the same gateway.
    pub(super) fn write(&self, gateway: &Gateway, grant: &Grant) -> Result<PathBuf, Failure> {
        let path = self.path(gateway);
        let fail = |error: &dyn std::fmt::Display| {
            Failure::new(
                format!("the grant cannot be kept in `{}`", path.display()),
                error,
                "name a folder of yours with `--state`",
            )
        };
        make_private(&self.0).map_err(|e| fail(&e))?;
        let file = File {
            gateway: gateway.to_string(),
            id: grant.id.clone(),
            device_grant: grant.secret.expose().to_owned(),
        };
        let text = zeroize::Zeroizing::new(serde_json::to_string(&file).map_err(|e| fail(&e))?);
        // Into a file of its own first, so that the old grant is not lost halfway. A new one, which nobody can have put
        // there before.
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let _ = std::fs::remove_file(&fresh);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let written = options.open(&fresh).and_then(|mut out| {
            out.write_all(text.as_bytes())?;
            out.sync_all()
        });
        written
            .and_then(|()| std::fs::rename(&fresh, &path))
            .map_err(|e| fail(&e))?;
        Ok(path)
    }

    /// The grant of a gateway.
    pub(super) fn read(&self, gateway: &Gateway) -> Result<Grant, Failure> {
        let path = self.path(gateway);
        let fail = |why: &dyn std::fmt::Display| {
            Failure::new(
                format!("there is no usable grant for {gateway}"),
                why,
                format!("sign in with `login --gateway {gateway}`"),
            )
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path)
                .map_err(|e| fail(&e))?
                .permissions()
                .mode();
            if mode & 0o077 != 0 {
                return Err(fail(&format_args!("others may read `{}`", path.display())));
            }
        }
        let text = zeroize::Zeroizing::new(std::fs::read_to_string(&path).map_err(|e| fail(&e))?);
        // Nothing of the content is in the message.
        let file: File = serde_json::from_str(&text)
            .map_err(|_| fail(&format_args!("`{}` is not what `login` writes", path.display())))?;
        // Two addresses may share a file's name; a grant for one must not go to the other.
        if file.gateway != gateway.to_string() {
            return Err(fail(&format_args!(
                "`{}` is that of {}",
                path.display(),
                file.gateway
            )));
        }
        Ok(Grant {
            id: file.id,
            secret: Secret::new(file.device_grant),
        })
    }

    /// Forgets a gateway's grant.
    pub(super) fn remove(&self, gateway: &Gateway) -> Result<(), Failure> {
        let path = self.path(gateway);
        std::fs::remove_file(&path).map_err(|error| {
            Failure::new(
                format!("`{}` cannot be removed", path.display()),
                error,
                "remove it yourself: the gateway does not take it any more",
            )
        })
    }

    /// The one gateway that there is a grant for.
    pub(super) fn only_one(&self) -> Result<Gateway, Failure> {
        let files = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut found: Vec<String> = files
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .filter_map(|path| serde_json::from_str::<File>(&std::fs::read_to_string(path).ok()?).ok())
            .map(|file| file.gateway)
            .collect();
        found.sort();
        match found.as_slice() {
            [only] => Gateway::parse(only),
            [] => Err(Failure::new(
                "you are not signed in",
                format!("`{}` holds no grant", self.0.display()),
                "use `login --gateway https://…`",
            )),
            several => Err(Failure::new(
                "no gateway is named",
                format!("you are signed in to {}", several.join(", ")),
                "write `--gateway` with one of them",
            )),
        }
    }
}

/// Makes the folder, for its owner alone. One that is there stays as it is.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Grant {
        Grant {
            id: format!("grant-{text}"),
            secret: Secret::new(text),
        }
    }

    #[test]
    fn keeps_one_grant_for_each_gateway_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a/b");
        let grants = Grants::at(Some(&state)).unwrap();
        let (one, two) = (
            Gateway::parse("https://one.example").unwrap(),
            Gateway::parse("https://two.example:8443/").unwrap(),
        );
        assert!(grants.only_one().is_err());
        let path = grants.write(&one, &grant("first")).unwrap();
        grants.write(&one, &grant("second")).unwrap();
        assert_eq!(grants.read(&one).unwrap().secret.expose(), "second");
        assert_eq!(grants.only_one().unwrap(), one);
        assert!(grants.read(&two).is_err());
        grants.write(&two, &grant("other")).unwrap();
        assert!(grants.only_one().is_err(), "which of two?");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(&state)), (0o600, 0o700));
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(grants.read(&one).is_err(), "readable by others");
        }
        grants.remove(&two).unwrap();
        assert!(grants.read(&two).is_err());
        std::fs::write(&path, "{}").unwrap();
        assert!(grants.read(&one).is_err());
    }
}
