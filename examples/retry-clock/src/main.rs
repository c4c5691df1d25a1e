//! Lets the queue manager live through four days of a server that is always busy, and shows when it tries.
//!
//! Run it with `cargo run -p retry-clock`. It takes no time, because time is an argument: where a
//! real program would sleep until the hour that the manager named, this one adds to a number.

use mta_core::ports::spool::MessageId;
use mta_core::queue::{Action, Loaded, Manager, Pending, PerChannel, Preprocessed, Settings};
use mta_core::report::Report;
use mta_core::{Address, Unix, bounce};
use std::io::{self, Write};

#[cfg(test)]
mod tests;

/// Four days, the least that RFC 5321 §4.5.4.1 asks a sender to go on trying.
const LIFETIME: u64 = 4 * 24 * 60 * 60;

const MESSAGE: MessageId = MessageId(1);

/// Plays one message's life from `birth` to its end and writes a line for each attempt.
fn run(birth: Unix, sender: &Address, recipient: &Address, out: &mut impl Write) -> io::Result<()> {
    let mut manager = Manager::new(Settings {
        lifetime: LIFETIME,
        ..Settings::default()
    });
    let mut now = birth;
    let mut last = birth;
    let mut attempts = 0;
    manager.found(MESSAGE);
    loop {
        match manager.poll(now) {
            Action::Preprocess { step, .. } => {
                let found = Preprocessed {
                    birth,
                    size: 1_000,
                    sender: sender.clone(),
                    pid: 1,
                    uid: 0,
                    present: PerChannel::new(false, true),
                };
                manager.preprocessed(step, found);
            }
            Action::Load { step, .. } => {
                let address = recipient.clone();
                let loaded = Loaded {
                    sender: sender.clone(),
                    pending: vec![Pending::new(0, address)],
                };
                manager.loaded(step, loaded);
            }
            Action::Start(it) => {
                attempts += 1;
                let (age, gap) = (clock(now - birth), clock(now - last));
                writeln!(
                    out,
                    "attempt {attempts:2} at age {age}, {gap} after the last"
                )?;
                last = now;
                let busy = Report::deferral("192.0.2.1 is busy. (#4.3.2)\n");
                manager.delivered(it.delivery, vec![busy]);
            }
            Action::AppendBounce { step, failures, .. } => {
                for one in failures {
                    let paragraph = bounce::record(&one.recipient, &one.text);
                    out.write_all(b"\nthe bounce says:\n")?;
                    out.write_all(&paragraph)?;
                }
                manager.done(step);
            }
            Action::SendBounce { step, .. } => manager.bounce_sent(step, 1),
            Action::SetNextAttempt { step, .. }
            | Action::MarkDone { step, .. }
            | Action::Notify { step, .. }
            | Action::ClearBounce { step, .. }
            | Action::Finish { step, .. } => manager.done(step),
            Action::Log(_) => {}
            Action::WaitUntil(at) => now = at,
            Action::Wait | Action::Stopped => return Ok(()),
        }
    }
}

/// Shows seconds as days and a time of day.
fn clock(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (hours, minutes) = (rest / 3_600, rest % 3_600 / 60);
    format!("{days}d {hours:02}:{minutes:02}:{:02}", rest % 60)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sender = Address::new("joe@example.org")?;
    let recipient = Address::new("ann@busy.example")?;
    run(Unix(0), &sender, &recipient, &mut io::stdout().lock())?;
    Ok(())
}
