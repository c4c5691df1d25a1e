//! clearopensmtp: forgets from where mail was fetched too long ago (clearopensmtp(8), spec §5).

use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use delivery::relay::rebuild;
use std::io::Write;

/// Run by cron; unlike the original it locks the list, so that no login is lost meanwhile.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let accounts = io.accounts()?;
    let settings = accounts.settings()?;
    if !settings.roaming_users {
        let text = "vpopmail not configured with roaming-users=y (etc/vpopmail.conf)";
        writeln!(io.output, "{text}")?;
        return Ok(Exit::OK);
    }
    accounts.clear_relay(&settings, io.now, |source| {
        rebuild(&accounts, &settings, source)
    })?;
    Ok(Exit::OK)
}
