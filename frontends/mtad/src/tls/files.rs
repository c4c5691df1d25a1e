//! The files that certificates are read from, and how their change is noticed (qmail's TLS patch: control/servercert.pem).

use crate::Failure;
use crate::config::Config;
use crate::home::Home;
use driver::tls::Certificate;
use driver::tls::certificate::PEM_MAX;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A certificate with its chain, and its key: two files or one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is no more to it")]
pub struct Pair {
    /// Where the chain stands.
    pub certificate: PathBuf,
    /// Where the key stands.
    pub key: PathBuf,
}

/// What tells one state of a file from the next; `None` where there is no such file.
pub type Stamp = Option<[i64; 5]>;

/// The configured files, the usual one first.
#[must_use]
pub fn pairs(home: &Home, config: &Config) -> Vec<Pair> {
    let tls = &config.tls;
    let first = std::iter::once((&tls.certificate, &tls.key));
    let further = tls.sni.iter().map(|pair| (&pair.certificate, &pair.key));
    let one = |(certificate, key): (&PathBuf, &PathBuf)| {
        let one_file = key.as_os_str().is_empty();
        Pair {
            certificate: home.root().join(certificate),
            key: home.root().join(if one_file { certificate } else { key }),
        }
    };
    first.chain(further).map(one).collect()
}

/// Reads all certificates; none where there is only the usual file and it is not there.
///
/// # Errors
/// Names the file that is missing or wrong.
pub fn read(home: &Home, config: &Config) -> Result<Vec<Certificate>, Failure> {
    let pairs = pairs(home, config);
    let usual = crate::config::Tls::default();
    if config.tls.certificate == usual.certificate && config.tls.sni.is_empty() {
        let missing = |pair: &Pair| matches!(pair.certificate.try_exists(), Ok(false));
        if pairs.iter().all(missing) {
            return Ok(Vec::new());
        }
    }
    pairs.iter().map(Pair::read).collect()
}

impl Pair {
    /// Reads the two.
    ///
    /// # Errors
    /// Names the file, and says what was expected in it.
    pub fn read(&self) -> Result<Certificate, Failure> {
        let chain = contents(&self.certificate)?;
        if self.key == self.certificate {
            return Certificate::from_pem(&chain, &chain).map_err(|error| {
                Failure::permanent(format!("{}: {error}", self.certificate.display()))
            });
        }
        let key = contents(&self.key)?;
        Certificate::from_pem(&chain, &key).map_err(|error| {
            let (certificate, key) = (self.certificate.display(), self.key.display());
            Failure::permanent(format!("{certificate} with {key}: {error}"))
        })
    }
}

/// Reads a file that is no longer than any certificate.
///
/// # Errors
/// Names the file that cannot be read.
pub fn contents(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let most = PEM_MAX as u64 + 1;
    match File::open(path).and_then(|file| file.take(most).read_to_end(&mut text)) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::permanent(format!(
            "{}: expected a certificate in PEM, and there is no such file",
            path.display()
        ))),
        Err(error) => Err(Failure::file("read", path, &error)),
    }
}

/// The state of each file now.
#[must_use]
pub fn stamps(pairs: &[Pair]) -> Vec<Stamp> {
    let files = pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
    files
        .map(|path| std::fs::metadata(path).ok().as_ref().map(stamp))
        .collect()
}

fn stamp(of: &Metadata) -> [i64; 5] {
    [
        of.ino().cast_signed(),
        of.size().cast_signed(),
        of.mtime(),
        of.mtime_nsec(),
        of.ctime_nsec(),
    ]
}
