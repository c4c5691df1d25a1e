//! qmail-local: delivers one message to one user by the lines of a .qmail file (qmail-local(8), dot-qmail(5), spec §6.3–§6.7).

use crate::failure::Failure;
use crate::injection::{Injection, NotBegun};
use crate::io::Io;
use crate::options::Options;
use crate::words::why;
use applet::Exit;
use delivery::local::script::{choose, home_mode};
use delivery::local::{Done, Forward, Job, Output, Settings, Tools, User, Work};
use mta_core::Address;
use mta_core::dotqmail::{Did, Instruction, check_home};
use mta_core::ports::spool::MessageId;
use mta_core::report::{Outcome, Report};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

const USAGE: &str =
    "qmail-local: usage: qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty";
const STICKY: u32 = 0o1000;
const PIECE: usize = 32 * 1024;

/// One delivery, as the command line describes it.
struct Asked {
    user: User,
    sender: Address,
    recipient: Address,
    default_delivery: Vec<u8>,
}

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
    let options = Options::parse("qmail-local", &io.arguments, "nN")
        .map_err(|text| Failure::permanent(format!("{text}\n{USAGE}")))?;
    let last = options.given.last().map(|(letter, _)| *letter);
    let asked = read(&options.rest).ok_or_else(|| Failure::permanent(USAGE))?;
    std::env::set_current_dir(&asked.user.home).map_err(|error| {
        let (home, why) = (asked.user.home.display(), why(&error));
        Failure::temporary(format!("Unable to switch to {home}: {why}. (#4.3.0)"))
    })?;
    let said = match last {
        Some(b'n') => describe(io, &asked),
        _ => deliver(io, &asked),
    };
    let said = said.map_err(give_up)?;
    // Whoever reads this has the delivery's success by the exit code alone.
    let _ = io.output.write_all(&said);
    Ok(Exit::OK)
}

fn read(words: &[std::ffi::OsString]) -> Option<Asked> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let &[
        user,
        home,
        local,
        dash,
        ext,
        domain,
        sender,
        default_delivery,
    ] = words.as_slice()
    else {
        return None;
    };
    let home = PathBuf::from(std::ffi::OsStr::from_bytes(home));
    if !home.is_absolute() {
        return None;
    }
    Some(Asked {
        user: User {
            name: user.to_vec(),
            ids: None,
            home,
            dash: dash.to_vec(),
            ext: ext.to_vec(),
            alias: false,
        },
        sender: Address::new(sender).ok()?,
        recipient: Address::new([local, b"@", domain].concat()).ok()?,
        default_delivery: default_delivery.to_vec(),
    })
}

/// Says what would be done (`-n`).
fn describe(io: &mut Io<'_>, asked: &Asked) -> Result<Vec<u8>, Report> {
    let mode = home_mode(&asked.user)?;
    check_home(mode & !STICKY)?;
    if mode & STICKY != 0 {
        let warning = b"Warning: home directory is sticky.\n";
        let _ = io.errors.write_all(warning);
    }
    let script = choose(&asked.user, &asked.default_delivery)?;
    let mut did = Did::default();
    let mut said = Vec::new();
    for instruction in script.chosen.instructions {
        let (what, to, count) = match &instruction {
            Instruction::Maildir(path) => ("maildir", path.as_slice(), &mut did.files),
            Instruction::Mbox(path) => ("mbox", path.as_slice(), &mut did.files),
            Instruction::Program(line) => ("program", line.as_slice(), &mut did.programs),
            Instruction::Forward(to) => ("forward", to.as_bytes(), &mut did.forwards),
            Instruction::Refuse(report) => {
                let _ = io.output.write_all(&said);
                return Err(report.clone());
            }
            _ => continue,
        };
        *count += 1;
        said.extend([what.as_bytes(), b" ", to, b"\n"].concat());
    }
    said.extend(did.to_string().bytes());
    Ok(said)
}

fn deliver(io: &mut Io<'_>, asked: &Asked) -> Result<Vec<u8>, Report> {
    // Before anything else is looked at, as the original does.
    check_home(home_mode(&asked.user)?)?;
    let unreadable = |_| Report::deferral("Unable to rewind message. (#4.3.0)\n");
    let mut message = sys::adopt(0).map(File::from).map_err(unreadable)?;
    message.rewind().map_err(unreadable)?;
    let id = message.metadata().map_err(unreadable)?.ino();
    let host = nix::unistd::gethostname().unwrap_or_default();
    let job = Job {
        id: MessageId(id),
        sender: asked.sender.clone(),
        recipient: asked.recipient.clone(),
        host: host.to_string_lossy().into_owned(),
        now: io.now,
    };
    let settings = Settings {
        default_delivery: asked.default_delivery.clone(),
        output: Output::Ours,
    };
    let tools = Tools::new(settings, None);
    let Done {
        mut said,
        mut did,
        forwards,
    } = Work::new(&tools, &job, &message).run(&asked.user)?;
    for forward in forwards {
        did.qp = Some(u64::from(send_on(io, &message, &forward)?));
    }
    said.extend(did.to_string().bytes());
    Ok(said)
}

/// Queues the message for others, in one injection.
fn send_on(io: &Io<'_>, message: &File, forward: &Forward) -> Result<u32, Report> {
    let mut injection = Injection::begin(io).map_err(|error| match error {
        NotBegun::Fork(error) => {
            let why = why(&error);
            Report::deferral(format!("Unable to fork: {why}. (#4.3.0)\n"))
        }
        NotBegun::Refused(refusal) => refused(&refusal),
    })?;
    let _ = injection.write_all(&forward.head);
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        match message.read_at(&mut piece, at) {
            Ok(0) => break,
            Ok(n) => {
                at += n as u64;
                let _ = injection.write_all(piece.get(..n).unwrap_or_default());
            }
            Err(error) => {
                injection.abandon();
                let why = why(&error);
                let text = format!("Unable to read message: {why}. (#4.3.0)\n");
                return Err(Report::deferral(text));
            }
        }
    }
    let mut recipients = forward.recipients.iter().map(Address::as_bytes);
    let sent = injection.finish(forward.sender.as_bytes(), &mut recipients);
    sent.map_err(|refusal| refused(&refusal))
}

fn refused(refusal: &mta_core::qq::Refusal) -> Report {
    let outcome = match refusal.permanent {
        true => Outcome::Failure,
        false => Outcome::Deferral,
    };
    let text = [b"Unable to forward message: ", &*refusal.text, b".\n"].concat();
    Report::new(outcome, text)
}

/// What a program said stands on our descriptors already; this is only the reason.
fn give_up(report: Report) -> Failure {
    let exit = match report.outcome {
        Outcome::Failure => Exit::PERMANENT,
        Outcome::Deferral | Outcome::Success => Exit::TEMPORARY,
    };
    let text = report.text.strip_suffix(b"\n").unwrap_or(&report.text);
    Failure::new(exit, text)
}
