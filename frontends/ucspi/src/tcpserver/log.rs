//! The lines of tcpserver's log (tcpserver(1), spec §9.1).

use super::options::{Settings, Verbosity};
use crate::Io;
use std::net::IpAddr;

/// Bytes of a field that are shown.
const FIELD_MAX: usize = 100;

/// Writes `tcpserver: LINE` where that much is to be told.
pub(super) fn tell(io: &mut Io<'_>, settings: &Settings, at: Verbosity, line: &[u8]) {
    if settings.verbosity >= at {
        let name = settings.called.log_name().as_bytes();
        io.complain(&[name, b": ", line].concat());
    }
}

/// Tells how many connections there are.
pub(super) fn status(io: &mut Io<'_>, settings: &Settings, running: usize) {
    let limit = settings.limit;
    tell(
        io,
        settings,
        Verbosity::All,
        format!("status: {running}/{limit}").as_bytes(),
    );
}

/// Makes foreign bytes fit for a field between colons.
pub(super) fn field(bytes: &[u8]) -> Vec<u8> {
    let shown = bytes.iter().take(FIELD_MAX).map(|&byte| match byte {
        b'%' | b':' | ..33 | 127.. => b'?',
        _ => byte,
    });
    let mut text: Vec<u8> = shown.collect();
    if bytes.len() > FIELD_MAX {
        text.extend_from_slice(b"...");
    }
    text
}

/// An address as a field: of IPv6 it stands in brackets, since it has colons itself.
pub(super) fn address(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::{address, field};

    #[test]
    fn fields_hold_no_separators_and_are_short() {
        assert_eq!(field(b"a:b%c d\x7f\xff~"), b"a?b?c?d??~");
        assert_eq!(field(&[b'x'; 100]), [b'x'; 100]);
        assert_eq!(field(&[b'x'; 101]), [&[b'x'; 100][..], b"..."].concat());
        assert_eq!(address("::1".parse().unwrap()), "[::1]");
        assert_eq!(address("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1");
    }
}
