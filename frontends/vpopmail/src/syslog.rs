//! Lines to the system's log: facility mail, level notice, by a datagram (syslog(3), RFC 3164 §4.1).

use std::os::unix::net::UnixDatagram;

const SOCKET: &str = "/dev/log";
/// LOG_MAIL and LOG_NOTICE.
const PRIORITY: u8 = (2 << 3) | 5;

/// Sends one line. Without a logger it is lost, as with syslog(3).
pub(crate) fn send(line: &str) {
    let text: String = line.chars().filter(|c| !c.is_control()).collect();
    let datagram = format!("<{PRIORITY}>vpopmail[{}]: {text}", std::process::id());
    let _ = UnixDatagram::unbound().and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.send_to(datagram.as_bytes(), SOCKET)
    });
}
