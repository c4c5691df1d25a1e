//! Writing constant databases: the bytes are made in memory and published as one durable file (cdb(5), qmail-newu(8)).

use crate::atomic::{self, Attributes};
use crate::files::Files;
use rustix::fs::{MemfdFlags, memfd_create};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The longest key or data of one record.
///
/// The encoder behind this writes through a buffer of 8 KiB and takes a short write of a longer
/// piece for a whole one.
pub const MAX_PIECE: usize = 8000;

/// How many bytes of keys and data one database may hold; the format itself ends at 4 GiB.
pub const MAX_TOTAL: usize = 1 << 30;

/// Why no database was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CdbError {
    /// A key or its data are longer than [`MAX_PIECE`]: the caller's fault, permanent.
    #[error("a cdb key and its data of at most {MAX_PIECE} bytes each were expected")]
    Piece,
    /// All together are longer than [`MAX_TOTAL`]: the caller's fault, permanent.
    #[error("cdb records of at most {MAX_TOTAL} bytes together were expected")]
    Total,
    /// The system has no memory or no room: temporary.
    #[error("writing a cdb failed: {0}")]
    Io(#[from] io::Error),
}

impl From<CdbError> for io::Error {
    fn from(error: CdbError) -> Self {
        match error {
            CdbError::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidInput, other),
        }
    }
}

/// Encodes records in their order; a reader finds the first of those with equal keys.
///
/// # Errors
/// Fails where a record or all of them are too large, or where the system has no memory.
///
/// ```
/// use mta_core::cdb::Cdb;
/// let bytes = mta_store::cdb_writer::build([(&b"one"[..], &b"eins"[..])]).unwrap();
/// assert_eq!(Cdb::new(&bytes).unwrap().find(b"one").unwrap(), Some(&b"eins"[..]));
/// ```
pub fn build<K: AsRef<[u8]>, D: AsRef<[u8]>>(
    records: impl IntoIterator<Item = (K, D)>,
) -> Result<Vec<u8>, CdbError> {
    // The encoder wants a file of the operating system; this one has no name and no disk.
    let scratch = memfd_create(c"cdb", MemfdFlags::CLOEXEC).map_err(io::Error::from)?;
    let scratch = std::fs::File::from(scratch);
    let mut maker = cdb::CDBMake::new(scratch.try_clone()?)?;
    let mut total = 0_usize;
    for (key, data) in records {
        let (key, data) = (key.as_ref(), data.as_ref());
        if key.len() > MAX_PIECE || data.len() > MAX_PIECE {
            return Err(CdbError::Piece);
        }
        total += key.len() + data.len() + 8;
        if total > MAX_TOTAL {
            return Err(CdbError::Total);
        }
        maker.add(key, data)?;
    }
    maker.finish()?;
    let mut bytes = Vec::new();
    let mut scratch = scratch;
    scratch.seek(SeekFrom::Start(0))?;
    scratch.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Encodes records and publishes them at `path` as [`atomic::publish`] does. The caller holds the
/// lock that guards the file which the records were read from.
///
/// # Errors
/// Fails as [`build`] and [`atomic::publish`] do.
pub fn publish<F: Files, K: AsRef<[u8]>, D: AsRef<[u8]>>(
    files: &F,
    path: &Path,
    records: impl IntoIterator<Item = (K, D)>,
    attributes: Attributes,
) -> Result<(), CdbError> {
    let bytes = build(records)?;
    atomic::publish(files, path, &bytes, attributes)?;
    Ok(())
}
