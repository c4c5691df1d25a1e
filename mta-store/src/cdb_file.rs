//! Looking one key up in a constant database without reading all of it (cdb(5)).

use crate::files::OpenFile;
use mta_core::cdb::{Cdb, hash};
use std::io;

/// How many bytes of keys are compared at a time.
const PIECE: usize = 512;
/// Files up to this size are read in one go, which is quicker than to jump about in them.
const SMALL: u64 = 8192;

/// Returns the data of the first record with this key, if they are at most `limit` bytes.
///
/// Of a large file it reads some tens of bytes. A damaged file gives an error or no
/// record, never a panic, and no more memory than `limit`.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] where the file is no whole cdb or the data are longer than
/// `limit`; else what reading says.
///
/// ```
/// # #[cfg(all(feature = "sim", feature = "cdb-writer"))] {
/// use mta_store::atomic::Attributes;
/// use mta_store::files::{Access, Files, SimFiles};
/// use mta_store::{cdb_file, cdb_writer};
/// use std::path::Path;
///
/// let (files, path) = (SimFiles::new(), Path::new("/x.cdb"));
/// cdb_writer::publish(&files, path, [("joe", "data")], Attributes::mode(0o600)).unwrap();
/// let file = files.open(path, Access::Read)?;
/// assert_eq!(cdb_file::find(&file, b"joe", 100)?, Some(b"data".to_vec()));
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn find(file: &impl OpenFile, key: &[u8], limit: usize) -> io::Result<Option<Vec<u8>>> {
    let size = file.stat()?.size;
    if size <= SMALL {
        return find_in_small(file, size, key, limit);
    }
    let wanted = hash(key);
    let (table, slots) = pair(file, u64::from(wanted & 255) * 8)?;
    let (table, slots) = (u64::from(table), u64::from(slots));
    // A table that ends behind the file is damage, and without this check a long walk.
    if table + slots * 8 > size {
        return Err(damaged());
    }
    for probe in 0..slots {
        let slot = (u64::from(wanted >> 8) + probe) % slots;
        let (slot_hash, position) = pair(file, table + slot * 8)?;
        if position == 0 {
            return Ok(None);
        }
        if slot_hash != wanted {
            continue;
        }
        let record = u64::from(position);
        let (key_len, data_len) = pair(file, record)?;
        if key_len as usize == key.len() && same(file, key, record + 8)? {
            let data_len = data_len as usize;
            if data_len > limit {
                return Err(damaged());
            }
            let mut data = vec![0; data_len];
            fill(file, &mut data, record + 8 + u64::from(key_len))?;
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn find_in_small(
    file: &impl OpenFile,
    size: u64,
    key: &[u8],
    limit: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    fill(file, &mut bytes, 0)?;
    let cdb = Cdb::new(&bytes).map_err(|_| damaged())?;
    match cdb.find(key).map_err(|_| damaged())? {
        Some(data) if data.len() > limit => Err(damaged()),
        found => Ok(found.map(<[u8]>::to_vec)),
    }
}

fn same(file: &impl OpenFile, key: &[u8], mut at: u64) -> io::Result<bool> {
    let mut piece = [0; PIECE];
    for part in key.chunks(PIECE) {
        let read = piece.get_mut(..part.len()).unwrap_or_default();
        fill(file, read, at)?;
        if read != part {
            return Ok(false);
        }
        at += part.len() as u64;
    }
    Ok(true)
}

fn pair(file: &impl OpenFile, at: u64) -> io::Result<(u32, u32)> {
    let mut both = [0; 8];
    fill(file, &mut both, at)?;
    let both = u64::from_le_bytes(both);
    let low = |n: u64| u32::try_from(n & u64::from(u32::MAX)).unwrap_or_default();
    Ok((low(both), low(both >> 32)))
}

fn fill(file: &impl OpenFile, mut buf: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buf.is_empty() {
        let n = file.read_at(buf, at)?;
        if n == 0 {
            return Err(damaged());
        }
        at += n as u64;
        buf = buf.get_mut(n..).unwrap_or_default();
    }
    Ok(())
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "expected a whole cdb file")
}
