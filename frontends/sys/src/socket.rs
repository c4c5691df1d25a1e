//! What UCSPI servers do with sockets and signals and std has no call for (tcpserver(1), ip(7), wait(2)).

use nix::sys::signal::{SigHandler, Signal, signal};
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// Removes the IP options of a connection, above all a source route that its peer chose.
///
/// # Errors
/// Fails where the socket is none of IPv4.
#[expect(unsafe_code, reason = "std and nix have no call for IP_OPTIONS")]
pub fn clear_ip_options(stream: &TcpStream) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `stream` is borrowed, and of a value of no
    // bytes nothing is read.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_OPTIONS,
            std::ptr::null(),
            0,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Undoes an ignored SIGCHLD that was inherited: children would end without being told of.
///
/// # Errors
/// Fails where the system refuses, which it has no reason to.
#[expect(
    unsafe_code,
    reason = "setting a signal's action is unsafe for handlers"
)]
pub fn hear_of_children() -> io::Result<()> {
    // SAFETY: the default action is no code of ours, and no handler stood there before.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    Ok(())
}
