//! The local time zone, which only the C library knows in full (localtime(3), tzset(3)).

use std::io;

/// Returns how many seconds local time is ahead of UTC at a moment, given in seconds since 1970. The
/// zone is that of the variable TZ, else of the host.
///
/// # Errors
/// Fails where the moment has no calendar date.
///
/// ```
/// assert!(sys::local_offset(0)?.abs() < 86_400);
/// # Ok::<(), std::io::Error>(())
/// ```
#[expect(unsafe_code, reason = "std and nix know no local time")]
pub fn local_offset(moment: u64) -> io::Result<i64> {
    let moment = libc::time_t::try_from(moment).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call, and `parts` is written to only. That localtime_r
    // reads TZ is no race: this crate's programs change no variable of their process.
    let filled = unsafe { libc::localtime_r(&raw const moment, parts.as_mut_ptr()) };
    if filled.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all bytes were zero before, which is a valid `tm`, and localtime_r has filled it in.
    let parts = unsafe { parts.assume_init() };
    Ok(parts.tm_gmtoff)
}
