//! What an administrator decides about a queued message, kept in queue/params: held, and other hosts for it.

use crate::requests::Request;
use mta_core::control::SmtpRoutes;
use mta_core::ports::spool::MessageId;
use mta_store::files::RealFiles;
use mta_store::queue::QueueError;
use mta_store::store::Store;
use std::path::Path;

/// Keeps an order that is to outlive the server; the others are nothing to keep. Blocks.
///
/// # Errors
/// Fails where the queue does, or where the order's file makes no sense.
pub(crate) fn keep(
    store: &Store<RealFiles>,
    request: Request,
    id: MessageId,
    directory: &Path,
) -> Result<(), QueueError> {
    match request {
        Request::Hold(_) => store.change_params(id, |params| params.held = true),
        Request::Release(_) => store.change_params(id, |params| params.held = false),
        Request::Reroute(_) => {
            let path = directory.join(request.file_name());
            let said = request.said(directory).map_err(|source| QueueError::Io {
                doing: "read",
                path,
                source,
            })?;
            let (domain, hosts) = read_reroute(&said)?;
            store.change_params(id, |params| params.reroute(&domain, hosts))
        }
        _ => Ok(()),
    }
}

/// Writes what the file of a reroute says.
pub(crate) fn write_reroute(domain: &[u8], hosts: &[Vec<u8>]) -> Vec<u8> {
    let mut words = vec![domain];
    words.extend(hosts.iter().map(Vec::as_slice));
    words.join(&b'\t')
}

fn read_reroute(said: &[u8]) -> Result<(Vec<u8>, Vec<Vec<u8>>), QueueError> {
    let mut words = said.split(|&b| b == b'\t').map(<[u8]>::to_vec);
    let domain = words.next().unwrap_or_default();
    let hosts: Vec<Vec<u8>> = words.collect();
    if hosts.iter().all(|host| relay(host).is_some()) {
        Ok((domain, hosts))
    } else {
        Err(QueueError::Envelope("expected hosts as HOST or HOST:PORT"))
    }
}

/// Reads a host as smtproutes has it behind its first colon: `relay`, `relay:port`, `[address]`.
/// `None` where it is none.
pub(crate) fn relay(host: &[u8]) -> Option<SmtpRoutes> {
    if host.is_empty() || host.starts_with(b":") || !host.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let routes = SmtpRoutes::parse(&[b":", host, b"\n"].concat());
    let route = routes.find(b"")?;
    let behind = host.get(route.relay.len()..)?;
    (behind.is_empty() || route.port.is_some()).then_some(routes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_in_smtproutes_and_nothing_else_is_one() {
        let table: &[(&str, bool)] = &[
            ("mx.example", true),
            ("mx.example:2525", true),
            ("[192.0.2.1]", true),
            ("[2001:db8::1]:26", true),
            ("", false),
            (":25", false),
            ("mx.example:", false),
            ("mx.example:smtp", false),
            ("mx.example:0", false),
            ("mx example", false),
        ];
        for (host, wanted) in table {
            assert_eq!(relay(host.as_bytes()).is_some(), *wanted, "{host:?}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let hosts = vec![b"a.example".to_vec(), b"[192.0.2.1]:26".to_vec()];
        for (domain, hosts) in [(&b"far.example"[..], hosts), (b"", Vec::new())] {
            let read = read_reroute(&write_reroute(domain, &hosts)).unwrap();
            assert_eq!(read, (domain.to_vec(), hosts));
        }
        assert!(read_reroute(b"far.example\t").is_err());
    }
}
