//! The certificate of a server that does TLS, read once while it can be and handed to each connection (tcpserver-ssl, spec §9.5).

use super::options::Settings;
use crate::failure::{Failure, reason};
use driver::tls::certificate::PEM_MAX;
use driver::tls::{Certificate, Oldest, ServerTls};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// Chain and key as PEM in a file that has no name: the processes of connections have neither root
/// nor, for certain, the right to open it.
#[derive(Debug)]
pub(super) struct Pem(File);

impl Pem {
    /// Reads it, and makes sure that it can be served.
    pub(super) fn load(settings: &Settings) -> Result<Self, Failure> {
        let path = &settings.tls.certificate;
        let mut text = read(path).map_err(|error| unable(path, &reason(&error)))?;
        if let Some(key) = &settings.tls.key {
            let key_text = read(key).map_err(|error| unable(key, &reason(&error)))?;
            text.push(b'\n');
            text.extend_from_slice(&key_text);
        }
        Certificate::from_pem(&text, &text).map_err(|error| unable(path, &error.to_string()))?;
        kept(&text)
            .map(Self)
            .map_err(|error| unable(path, &reason(&error)))
    }

    /// A copy for one connection.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.0.try_clone().map(OwnedFd::from)
    }

    /// Takes what [`descriptor`](Self::descriptor) has become in a connection's process.
    pub(super) fn inherited(number: i32) -> io::Result<Self> {
        sys::take(number).map(|descriptor| Self(descriptor.into()))
    }

    /// What serves with it.
    pub(super) fn server(&self, handshake: Duration) -> io::Result<ServerTls> {
        let mut text = Vec::new();
        let mut piece = vec![0; 16 * 1024];
        // All connections share the place in the file, so nobody may move it.
        while text.len() <= 2 * PEM_MAX {
            let n = self.0.read_at(&mut piece, text.len() as u64)?;
            if n == 0 {
                break;
            }
            text.extend_from_slice(piece.get(..n).unwrap_or_default());
        }
        let certificate = Certificate::from_pem(&text, &text).map_err(io::Error::other)?;
        ServerTls::new(vec![certificate], Oldest::Tls12, handshake).map_err(io::Error::other)
    }
}

fn unable(path: &Path, why: &str) -> Failure {
    let said = format!("unable to load certificate {}: {why}", path.display());
    Failure::Temporary(said.into_bytes())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // One byte more, so that what is too long is refused and not cut.
    let most = PEM_MAX as u64 + 1;
    File::open(path)?.take(most).read_to_end(&mut text)?;
    Ok(text)
}

fn kept(text: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("certificate", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(text)?;
    Ok(file)
}
