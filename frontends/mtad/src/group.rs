//! Ending a child with everything that it has started (kill(2)).

use tokio::process::Child;

/// Kills a child that leads a process group of its own, and the group. One that was waited for has
/// no number any more, and nothing happens.
pub(crate) fn kill(child: &Child) {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(id) = id {
        // It may be gone already.
        let _ = nix::sys::signal::killpg(
            nix::unistd::Pid::from_raw(id),
            nix::sys::signal::Signal::SIGKILL,
        );
    }
}
