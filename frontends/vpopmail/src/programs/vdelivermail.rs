//! vdelivermail: delivers to a virtual mailbox, called by qmail-local from .qmail-default (vdelivermail(8), spec §4).

use crate::failure::Failure;
use crate::io::{Io, host};
use applet::Exit;
use delivery::local::vdelivermail::Call;
use delivery::local::{Done, Forward, Job, Output, Settings, Tools, User, Work};
use mta_core::Address;
use mta_core::dotqmail::{ProgramEnd, Variable};
use mta_core::ports::spool::MessageId;
use mta_core::report::{Outcome, Report};
use nix::libc::O_TMPFILE;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::process::{Command, Stdio};

/// Where a message that comes through a pipe is kept, without a name.
const SCRATCH: &str = "/tmp";
/// The largest of those.
const LONGEST: u64 = 1 << 32;
const PIECE: usize = 64 * 1024;

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    match deliver(io) {
        Ok((said, end)) => {
            io.output.write_all(&said)?;
            Ok(match end {
                ProgramEnd::Stop => Exit::STOP,
                ProgramEnd::Next => Exit::OK,
                ProgramEnd::Failed => Exit::PERMANENT,
                ProgramEnd::Deferred => Exit::TEMPORARY,
            })
        }
        Err(report) => {
            io.output.write_all(&report.text)?;
            Ok(match report.outcome {
                Outcome::Failure => Exit::PERMANENT,
                _ => Exit::TEMPORARY,
            })
        }
    }
}

/// What qmail-local tells of the delivery.
struct Asked {
    call: Call,
    ext: Vec<u8>,
    domain: Vec<u8>,
    sender: Address,
    recipient: Address,
}

fn asked(io: &Io<'_>) -> Result<Asked, Report> {
    let mut words = vec![b"vdelivermail".to_vec()];
    words.extend(io.arguments.iter().map(|word| word.as_bytes().to_vec()));
    let call = Call::from_words(&words).unwrap_or_else(|| {
        let text = "vdelivermail: expected two arguments, '' and an action. (#4.3.5)\n";
        Err(Report::deferral(text))
    })?;
    let (ext, domain) = (variable(io, "EXT")?, variable(io, "HOST")?);
    let wanted = [&ext, b"@".as_slice(), &domain].concat();
    let recipient = Address::new(wanted.to_ascii_lowercase())
        .map_err(|_| Report::failure("invalid username\n"))?;
    let again = [b"Delivered-To: ".as_slice(), &wanted].concat();
    let before = io.variable("DTLINE");
    let before = before.map(|line| line.as_bytes().trim_ascii());
    if before.is_some_and(|line| line.eq_ignore_ascii_case(&again)) {
        return Err(Report::failure("mail is looping\n"));
    }
    let sender = io.variable("SENDER");
    let sender = sender.map_or(b"".as_slice(), OsStrExt::as_bytes);
    let sender = Address::new(sender).map_err(|_| Report::failure("invalid sender\n"))?;
    Ok(Asked {
        call,
        ext,
        domain,
        sender,
        recipient,
    })
}

fn deliver(io: &Io<'_>) -> Result<(Vec<u8>, ProgramEnd), Report> {
    let asked = asked(io)?;
    let trouble = |error: &dyn std::fmt::Display| {
        Report::deferral(format!("vdelivermail: {error}. (#4.3.0)\n"))
    };
    let accounts = io
        .accounts()
        .map_err(|failure| Report::deferral(failure.text))?;
    let message = message().map_err(|error| trouble(&error))?;
    let found = accounts.domain(&String::from_utf8_lossy(&asked.domain));
    let home = match found.map_err(|error| trouble(&error))? {
        Some(found) => found.dir,
        None => std::env::current_dir().map_err(|error| trouble(&error))?,
    };
    let job = Job {
        id: MessageId(message.metadata().map_or(0, |stat| stat.ino())),
        sender: asked.sender,
        recipient: asked.recipient,
        host: host(),
        now: io.now,
    };
    let user = User {
        name: asked.domain,
        ids: None,
        home,
        dash: b"-".to_vec(),
        ext: asked.ext,
        alias: false,
    };
    let settings = Settings {
        default_delivery: Vec::new(),
        output: Output::Ours,
    };
    let tools = Tools::new(settings, None);
    let work = Work::new(&tools, &job, &message);
    // Programs get qmail-local's environment as it is.
    let environment: [Variable; 0] = [];
    let (Done { said, forwards, .. }, end) =
        work.run_vdelivermail((&accounts, &asked.call), &user, &environment)?;
    for forward in forwards {
        send_on(io, &message, &forward)?;
    }
    Ok((said, end))
}

fn variable(io: &Io<'_>, name: &str) -> Result<Vec<u8>, Report> {
    let value = io.variable(name).map(|value| value.as_bytes().to_vec());
    value.ok_or_else(|| {
        Report::failure(format!(
            "vdelivermail: no {name} in the environment: run by qmail-local?\n"
        ))
    })
}

/// The message on standard input, from its start; one that comes through a pipe is kept in a file
/// without a name.
fn message() -> io::Result<File> {
    let mut input = File::from(sys::adopt(0)?);
    if input.rewind().is_ok() {
        return Ok(input);
    }
    let mut kept = File::options()
        .read(true)
        .write(true)
        .custom_flags(O_TMPFILE)
        .mode(0o600)
        .open(SCRATCH)?;
    let copied = io::copy(&mut input.take(LONGEST + 1), &mut kept)?;
    if copied > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    kept.rewind()?;
    Ok(kept)
}

/// Queues the message for others by qmail's queue program.
fn send_on(io: &Io<'_>, message: &File, forward: &Forward) -> Result<(), Report> {
    let trouble = |error: io::Error| {
        Report::deferral(format!("Unable to forward message: {error}. (#4.3.0)\n"))
    };
    let (reader, mut envelope) = io::pipe().map_err(trouble)?;
    let mut command = Command::new(io.homes.qmail.join("bin/qmail-queue"));
    command
        .env_clear()
        .envs(&io.environment)
        .stdin(Stdio::piped())
        .stdout(reader);
    let mut child = command.spawn().map_err(trouble)?;
    // Only the child holds the reading end from here on.
    drop(command);
    let fed = feed(child.stdin.take(), message, forward);
    // Without its envelope the queue program takes nothing.
    let named = fed.and_then(|()| envelope.write_all(&records(forward)));
    drop(envelope);
    let status = child.wait().map_err(trouble)?;
    match status.code() {
        Some(0) => named.map_err(trouble),
        Some(code @ (11 | 31 | 32)) => Err(Report::failure(format!(
            "Unable to forward message: qmail-queue refused it with {code}. (#5.3.0)\n"
        ))),
        code => Err(Report::deferral(format!(
            "Unable to forward message: qmail-queue ended with {code:?}. (#4.3.0)\n"
        ))),
    }
}

fn feed(input: Option<impl Write>, message: &File, forward: &Forward) -> io::Result<()> {
    let mut input = input.ok_or(io::ErrorKind::BrokenPipe)?;
    input.write_all(&forward.head)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0_u64;
    loop {
        let n = message.read_at(&mut piece, at)?;
        if n == 0 {
            return Ok(());
        }
        input.write_all(piece.get(..n).unwrap_or_default())?;
        at = at.saturating_add(n as u64);
    }
}

fn records(forward: &Forward) -> Vec<u8> {
    let mut records = [b"F", forward.sender.as_bytes(), b"\0"].concat();
    for recipient in &forward.recipients {
        records.extend([b"T", recipient.as_bytes(), b"\0"].concat());
    }
    records.push(0);
    records
}
