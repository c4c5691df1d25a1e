//! Where a message that is delivered comes from (qmail-local(8)).

use crate::files::OpenFile;
use std::io;

/// A message that is read from the start to its end, without being held in memory.
pub trait Source {
    /// Reads at a position into `buf`; 0 means the end.
    ///
    /// # Errors
    /// Passes on why it cannot be read.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
}

impl<T: OpenFile> Source for T {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        OpenFile::read_at(self, buf, at)
    }
}

impl Source for [u8] {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let rest = self.get(at..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }
}

impl<const N: usize> Source for [u8; N] {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.as_slice().read_at(buf, at)
    }
}

impl Source for Vec<u8> {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.as_slice().read_at(buf, at)
    }
}

/// A [`Source`] made of a function `(buf, at) -> bytes read`.
#[derive(Clone, Copy, Debug)]
pub struct FromFn<R>(R);

/// Makes a [`Source`] of a function, for messages that are kept behind another interface.
///
/// ```
/// use mta_store::maildir::{Source, from_fn};
/// let endless_file = from_fn(|buf: &mut [u8], at| Ok(if at < 10 { buf.len().min(10) } else { 0 }));
/// assert_eq!(endless_file.read_at(&mut [0; 4], 0).unwrap(), 4);
/// ```
pub const fn from_fn<R: Fn(&mut [u8], u64) -> io::Result<usize>>(read: R) -> FromFn<R> {
    FromFn(read)
}

impl<R: Fn(&mut [u8], u64) -> io::Result<usize>> Source for FromFn<R> {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        (self.0)(buf, at)
    }
}
