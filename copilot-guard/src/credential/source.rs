//! Where a secret is kept: in memory, or in a file that may change.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::CredentialError;
use crate::clock::Timestamp;
use crate::secret::Secret;

/// How long what was read is used without another look.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest secret: a token with many groups has about ten thousand bytes.
const MOST: u64 = 64 << 10;
/// A file system that does not answer must not hold a request for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// A secret and where it is kept. Clones share what was read.
///
/// A file is looked at again once a second at most, when somebody asks. A line break at its end does not count. When it is
/// gone, empty or unreadable there is no secret: the last one is not used any longer, since somebody may have taken it
/// away on purpose. Replace it by renaming, so that nobody reads half of it.
#[derive(Debug, Clone)]
pub struct SecretSource(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Fixed(Secret),
    File(Arc<File>),
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    last: Mutex<Option<(Timestamp, Secret)>>,
}

impl SecretSource {
    /// Always this value.
    pub fn fixed(value: Secret) -> Self {
        Self(Kind::Fixed(value))
    }

    /// What this file holds.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(Arc::new(File {
            path: path.into(),
            last: Mutex::default(),
        })))
    }

    /// The secret at `now`.
    pub(crate) async fn read(&self, now: Timestamp) -> Result<Secret, CredentialError> {
        let file = match &self.0 {
            Kind::Fixed(value) => return Ok(value.clone()),
            Kind::File(file) => file,
        };
        {
            let last = file.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, value)) = last.as_ref().filter(|(at, _)| *at <= now)
                && now < at.plus(LOOK_EVERY)
            {
                return Ok(value.clone());
            }
        }
        self.read_anew(now).await
    }

    /// The secret at `now`, whenever it was last read.
    pub(crate) async fn read_anew(&self, now: Timestamp) -> Result<Secret, CredentialError> {
        let file = match &self.0 {
            Kind::Fixed(value) => return Ok(value.clone()),
            Kind::File(file) => file.clone(),
        };
        let path = file.path.clone();
        let read = tokio::task::spawn_blocking(move || read_file(&path));
        let read = match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err("the read was broken off".to_owned()),
            Err(_) => Err("it takes too long".to_owned()),
        };
        let mut last = file.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(value) => {
                *last = Some((now, value.clone()));
                Ok(value)
            }
            Err(why) => {
                *last = None;
                let path = file.path.display();
                tracing::warn!(code = "secret_file_unreadable", %path, why, "a secret cannot be read");
                Err(CredentialError::Unavailable)
            }
        }
    }
}

/// Says why not, without the content.
fn read_file(path: &Path) -> Result<Secret, String> {
    let explain = |error: std::io::Error| error.to_string();
    // Asked before it is opened: to open a pipe waits for its writer.
    if !std::fs::metadata(path).map_err(explain)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(4096));
    let mut file = std::fs::File::open(path).map_err(explain)?.take(MOST + 1);
    file.read_to_end(&mut bytes).map_err(explain)?;
    if bytes.len() as u64 > MOST {
        return Err("it has more than 64 KiB".to_owned());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not text".to_owned())?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("it is empty".to_owned()),
        text => Ok(Secret::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[tokio::test]
    async fn is_read_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "one\r\n").unwrap();
        let source = SecretSource::file(&path);
        let value = |millis| {
            let source = source.clone();
            async move { source.read(at(millis)).await.map(|s| s.expose().to_owned()) }
        };
        assert_eq!(value(0).await.unwrap(), "one");
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!(value(999).await.unwrap(), "one", "looked at once a second");
        assert_eq!(value(1000).await.unwrap(), "two");
        std::fs::write(&path, "three").unwrap();
        assert_eq!(source.read_anew(at(1001)).await.unwrap().expose(), "three");
        // What went wrong is not hidden by what was.
        let broken: [&dyn Fn(); 5] = [
            &|| std::fs::remove_file(&path).unwrap(),
            &|| std::fs::write(&path, "\n").unwrap(),
            &|| std::fs::write(&path, [0xff, 0xfe]).unwrap(),
            &|| std::fs::write(&path, vec![b'x'; 65537]).unwrap(),
            &|| {
                std::fs::remove_file(&path).unwrap();
                std::fs::create_dir(&path).unwrap();
            },
        ];
        for (n, make) in broken.iter().enumerate() {
            make();
            let now = 3000 + 10 * i64::try_from(n).unwrap();
            assert_eq!(value(now).await, Err(CredentialError::Unavailable), "{n}");
        }
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "four").unwrap();
        assert_eq!(value(3100).await.unwrap(), "four");
    }
}
