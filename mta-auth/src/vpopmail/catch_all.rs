//! What happens to mail for a name that a domain does not have: the line of its `.qmail-default` (vdelivermail(8)).

use super::error::doing;
use super::{AccountError, Domain, Vpopmail, bytes_of, path_of};
use mta_core::Address;
use mta_store::files::Files;
use std::path::{Path, PathBuf};

/// What happens to mail for nobody.
///
/// ```
/// use mta_auth::vpopmail::CatchAll;
/// let action = CatchAll::parse(b"bounce-no-mailbox").unwrap();
/// assert_eq!(action, CatchAll::Bounce);
/// assert_eq!(action.to_line("/vp".as_ref()), b"| /vp/bin/vdelivermail '' bounce-no-mailbox\n");
/// assert!(CatchAll::parse(b"joe; rm -r").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "vdelivermail knows these four")]
pub enum CatchAll {
    /// It comes back.
    Bounce,
    /// It is thrown away.
    Delete,
    /// A directory that holds a .qmail file or a Maildir takes it.
    Directory(PathBuf),
    /// It goes to an address.
    Forward(Address),
}

impl CatchAll {
    /// Reads vdelivermail's second argument.
    #[must_use]
    pub fn parse(action: &[u8]) -> Option<Self> {
        Some(match action {
            b"bounce-no-mailbox" => Self::Bounce,
            b"delete" => Self::Delete,
            [b'/', ..] => Self::Directory(path_of(action)),
            _ => {
                let address = action.strip_prefix(b"&").unwrap_or(action);
                let plain = |b: &u8| b.is_ascii_graphic() && !b"'\"\\;|<>()`".contains(b);
                let address = address.iter().all(plain).then_some(address)?;
                let address = Address::new(address).ok()?;
                address.domain()?;
                Self::Forward(address)
            }
        })
    }

    /// Reads a `.qmail-default` whose only instruction is vdelivermail; `None` where it is anything
    /// else, which somebody wrote by hand.
    #[must_use]
    pub fn parse_file(file: &[u8]) -> Option<Self> {
        let mut lines = file
            .split(|&b| b == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let (line, None) = (lines.next()?, lines.next()) else {
            return None;
        };
        let command = line.strip_prefix(b"|")?;
        let words: Vec<&[u8]> = command
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .collect();
        let [program, _, action] = words[..] else {
            return None;
        };
        let name = program.rsplit(|&b| b == b'/').next();
        if name != Some(b"vdelivermail") {
            return None;
        }
        let action = action.strip_prefix(b"'").unwrap_or(action);
        Self::parse(action.strip_suffix(b"'").unwrap_or(action))
    }

    /// Writes the line for an installation in `vpopmail`.
    #[must_use]
    pub fn to_line(&self, vpopmail: &Path) -> Vec<u8> {
        let action = match self {
            Self::Bounce => b"bounce-no-mailbox",
            Self::Delete => b"delete".as_slice(),
            Self::Directory(path) => bytes_of(path),
            Self::Forward(address) => address.as_bytes(),
        };
        let home = bytes_of(vpopmail);
        [b"| ", home, b"/bin/vdelivermail '' ", action, b"\n"].concat()
    }
}

impl<F: Files> Vpopmail<F> {
    /// Tells what happens to mail for names that the domain does not have; `None` where its
    /// `.qmail-default` says something of its own.
    ///
    /// # Errors
    /// Passes on why the file cannot be read.
    pub fn catch_all(&self, domain: &Domain) -> Result<Option<CatchAll>, AccountError> {
        let file = self.read(&domain.dir.join(".qmail-default"))?;
        Ok(CatchAll::parse_file(&file))
    }

    /// Lets this happen from now on.
    ///
    /// # Errors
    /// [`AccountError::Path`] where the line cannot hold the directory or the address; passes on
    /// why the file cannot be written.
    pub fn set_catch_all(&self, domain: &Domain, action: &CatchAll) -> Result<(), AccountError> {
        let line = action.to_line(&self.layout.vpopmail);
        // What the line holds goes through a shell under the original.
        if CatchAll::parse_file(&line).as_ref() != Some(action) || line.contains(&b'$') {
            return Err(AccountError::Path(domain.dir.join(".qmail-default")));
        }
        let _held = self.lock_domain(domain)?;
        self.publish(&domain.dir.join(".qmail-default"), &line, 0o600)
    }

    /// Reads a text that the administrator may put into a domain's directory or, for all domains,
    /// above it: `.no-user.msg`, `.over-quota.msg`, `.quotawarn.msg`.
    ///
    /// # Errors
    /// Passes on why a file that is there cannot be read.
    pub fn words(&self, domain_dir: &Path, name: &str) -> Result<Option<Vec<u8>>, AccountError> {
        for path in [domain_dir.join(name), self.domains_dir().join(name)] {
            let text = mta_store::atomic::read_if_there(&*self.files, &path, MAX_WORDS);
            if let Some(text) = text.map_err(doing("reading", &path))? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

/// The longest text of an administrator's own.
const MAX_WORDS: usize = 64 * 1024;
