//! datemail: sendmail with the local date put before the message (datemail(1), spec §6.8).

use super::predate;
use crate::child;
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut sendmail = child::of_home(io, "sendmail");
    sendmail.args(&io.arguments);
    predate::feed("datemail", io, sendmail)
}
