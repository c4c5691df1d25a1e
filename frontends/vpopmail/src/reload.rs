//! Tells whoever runs the queue that domains came or went: a running `mtad` or qmail-send (qmail-send(8)).

use crate::io::Homes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;

/// Asks for the control files to be read again. Nobody running is no error.
///
/// Unlike the original, which signals every process in whose line of ps `qmail-send` stands, only
/// programs of that name are, which run in this installation's queue.
pub(crate) fn reload(homes: &Homes) {
    let queue = homes.qmail.join("queue");
    let requests = queue.join("request");
    if requests.is_dir() {
        // A server that is not running reads the files anew when it starts.
        let _ = std::fs::File::create(requests.join("reload"));
        let _ = pull(&queue);
    }
    for pid in qmail_sends(&[&homes.qmail, &queue]) {
        let _ = kill(pid, Signal::SIGHUP);
    }
}

fn pull(queue: &Path) -> std::io::Result<bool> {
    use mta_store::files::{Files, RealFiles};
    RealFiles::new().pull(&queue.join("lock/trigger"))
}

/// The processes called qmail-send whose working directory is one of these.
fn qmail_sends(places: &[&Path]) -> Vec<Pid> {
    let places: Vec<_> = places.iter().flat_map(|path| path.canonicalize()).collect();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let is_ours = |path: &Path| {
        let name = std::fs::read(path.join("comm")).unwrap_or_default();
        let place = std::fs::read_link(path.join("cwd")).unwrap_or_default();
        name.trim_ascii_end() == b"qmail-send" && places.contains(&place)
    };
    processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            is_ours(&entry.path()).then(|| Pid::from_raw(pid))
        })
        .collect()
}
