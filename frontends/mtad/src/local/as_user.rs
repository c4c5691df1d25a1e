//! Deliveries of root to other accounts: this program again, as that account from its start (qmail-lspawn(8), spec §6.1).
//!
//! The parent gives the message as standard input and all else as arguments, and reads from standard
//! output what came of it: fields that each end in a NUL. It believes the child as far as the account
//! could act by itself, and no further: what it reads is bounded and every field is checked.

use super::Local;
use crate::home::Home;
use crate::{Failure, accounts};
use delivery::local::capture::capture;
use delivery::local::script::DOT_QMAIL_MAX;
use delivery::local::{Done, Forward, Job, Output, Settings, Tools, User, Work};
use mta_core::dotqmail::Did;
use mta_core::ports::spool::MessageId;
use mta_core::report::{Outcome, Report};
use mta_core::{Address, Unix};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The command that the parent runs.
pub const COMMAND: &str = "deliver";
/// How long a child may take for all its lines; as long as the original gives a Maildir.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// The most that is read from a child: a .qmail file full of addresses, and what programs said.
const ANSWER_MAX: usize = 2 * DOT_QMAIL_MAX;
/// The last field, which tells that the answer is whole.
const END: &[u8] = b"end";

/// Delivers as another account.
pub(super) fn start(
    local: &Local,
    job: &Job,
    message: &File,
    user: &User,
    (uid, gid): (u32, u32),
) -> Result<Done, Report> {
    let text = "Not allowed to perform deliveries as root.\n";
    if uid == 0 {
        return Err(Report::deferral(text));
    }
    let run = || -> io::Result<_> {
        let (output, writer) = io::pipe()?;
        let mut command = Command::new(std::env::current_exe()?);
        // Without a list of groups of its own the standard library clears that of root.
        command.uid(uid).gid(gid).current_dir("/");
        command
            .arg("--home")
            .arg(local.home.root())
            .args([COMMAND, "--"]);
        command.args(words(&local.tools.settings, job, user));
        command.stdin(message.try_clone()?).stdout(writer);
        capture(command, output, LIMIT, ANSWER_MAX)
    };
    let ran = run().map_err(|error| {
        let text = format!("Unable to run qmail-local. {error}. (#4.3.0)\n");
        Report::deferral(text)
    })?;
    let crashed = || Report::deferral("qmail-local crashed.\n");
    match ran.status {
        Some(status) if status.signal().is_none() => {
            read_answer(&ran.output).ok_or_else(crashed)?
        }
        _ => Err(crashed()),
    }
}

fn words(settings: &Settings, job: &Job, user: &User) -> Vec<OsString> {
    let alias: &[u8] = if user.alias { b"alias" } else { b"" };
    let id = job.id.0.to_string();
    let now = job.now.0.to_string();
    let program = match settings.output {
        Output::Kept(limit) => limit.as_secs().to_string(),
        Output::Ours => String::new(),
    };
    let words: [&[u8]; 12] = [
        id.as_bytes(),
        job.sender.as_bytes(),
        job.recipient.as_bytes(),
        job.host.as_bytes(),
        now.as_bytes(),
        &user.name,
        user.home.as_os_str().as_bytes(),
        &user.dash,
        &user.ext,
        alias,
        &settings.default_delivery,
        program.as_bytes(),
    ];
    words
        .iter()
        .map(|word| OsStr::from_bytes(word).to_os_string())
        .collect()
}

/// What the child does: one delivery, as the account that runs it.
///
/// # Errors
/// Fails where it was not called as `start` calls it.
pub fn run(home: Home, words: &[OsString], out: &mut dyn Write) -> Result<(), Failure> {
    let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let (job, user, settings) = read_words(&bytes).ok_or_else(|| {
        Failure::permanent("deliver is what the server calls itself with; it is not for people")
    })?;
    let accounts = Arc::new(accounts::of(&home)?);
    let tools = Tools::new(settings, Some(accounts));
    let message = io::stdin().as_fd().try_clone_to_owned()?;
    let done = Work::new(&tools, &job, &File::from(message)).run(&user);
    out.write_all(&write_answer(&done))?;
    Ok(())
}

fn read_words(words: &[&[u8]]) -> Option<(Job, User, Settings)> {
    let &[
        id,
        sender,
        recipient,
        host,
        now,
        name,
        home,
        dash,
        ext,
        alias,
        default_delivery,
        program,
    ] = words
    else {
        return None;
    };
    let job = Job {
        id: MessageId(number(id)?),
        sender: Address::new(sender).ok()?,
        recipient: Address::new(recipient).ok()?,
        host: String::from_utf8(host.to_vec()).ok()?,
        now: Unix(number(now)?),
    };
    let user = User {
        name: name.to_vec(),
        ids: None,
        home: PathBuf::from(OsStr::from_bytes(home)),
        dash: dash.to_vec(),
        ext: ext.to_vec(),
        alias: !alias.is_empty(),
    };
    let settings = Settings {
        default_delivery: default_delivery.to_vec(),
        output: match program {
            [] => Output::Ours,
            seconds => Output::Kept(Duration::from_secs(number(seconds)?)),
        },
    };
    Some((job, user, settings))
}

fn number<T: FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn write_answer(done: &Result<Done, Report>) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut field = |bytes: &[u8]| {
        // Programs may say NULs; a report ends at the first one.
        answer.extend(bytes.iter().take_while(|&&b| b != 0));
        answer.push(0);
    };
    match done {
        Err(report) => {
            field(&[report.outcome.letter()]);
            field(&report.text);
        }
        Ok(done) => {
            field(&[Outcome::Success.letter()]);
            field(&done.said);
            for count in [done.did.files, done.did.forwards, done.did.programs] {
                field(count.to_string().as_bytes());
            }
            for forward in &done.forwards {
                field(forward.recipients.len().to_string().as_bytes());
                field(if forward.counts { b"own" } else { b"" });
                field(forward.sender.as_bytes());
                field(&forward.head);
                for recipient in &forward.recipients {
                    field(recipient.as_bytes());
                }
            }
        }
    }
    field(END);
    answer
}

/// Reads an answer; `None` where it is no whole one.
fn read_answer(answer: &[u8]) -> Option<Result<Done, Report>> {
    let (last, fields) = answer.split_last()?;
    if *last != 0 {
        return None;
    }
    let mut fields = fields.split(|&b| b == 0);
    let letter = fields.next()?;
    let text = fields.next()?.to_vec();
    let outcome = match letter {
        b"K" => Outcome::Success,
        b"Z" => Outcome::Deferral,
        b"D" => Outcome::Failure,
        _ => return None,
    };
    if outcome != Outcome::Success {
        let whole = fields.next() == Some(END) && fields.next().is_none();
        return whole.then(|| Err(Report::new(outcome, text)));
    }
    let mut done = Done {
        said: text,
        did: Did {
            files: number(fields.next()?)?,
            forwards: number(fields.next()?)?,
            programs: number(fields.next()?)?,
            qp: None,
        },
        forwards: Vec::new(),
    };
    loop {
        let field = fields.next()?;
        if field == END {
            return fields.next().is_none().then_some(Ok(done));
        }
        let count: usize = number(field)?;
        let mut forward = Forward {
            counts: fields.next()? == b"own",
            sender: Address::new(fields.next()?).ok()?,
            head: fields.next()?.to_vec(),
            recipients: Vec::new(),
        };
        for _ in 0..count {
            let recipient = Address::new(fields.next()?).ok()?;
            forward.recipients.push(recipient);
        }
        done.forwards.push(forward);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::new(text).unwrap()
    }

    fn answers() -> Vec<Result<Done, Report>> {
        let mut did = Did::default();
        (did.files, did.forwards, did.programs) = (1, 2, 3);
        let forward = Forward {
            sender: address("a@b"),
            recipients: vec![address("c@d"), address(""), address("end")],
            head: b"Delivered-To: x@y\n".to_vec(),
            counts: true,
        };
        let second = Forward {
            sender: Address::null(),
            recipients: vec![address("e@f")],
            ..Forward::default()
        };
        vec![
            Ok(Done::default()),
            Ok(Done {
                said: b"hello\n".to_vec(),
                did,
                forwards: vec![forward, second],
            }),
            Err(Report::deferral("later\n")),
            Err(Report::failure("")),
        ]
    }

    #[test]
    fn answers_are_read_as_they_were_written() {
        for done in answers() {
            assert_eq!(read_answer(&write_answer(&done)), Some(done));
        }
    }

    #[test]
    fn an_answer_that_was_cut_off_is_none() {
        for done in answers() {
            let whole = write_answer(&done);
            for end in 0..whole.len() {
                assert_eq!(read_answer(&whole[..end]), None, "{end} of {done:?}");
            }
            assert_eq!(read_answer(&[&*whole, b"more\0"].concat()), None);
        }
    }

    #[test]
    fn a_lying_child_is_not_believed() {
        for answer in [
            &b""[..],
            b"\0",
            b"X\0text\0end\0",
            b"K\0text\0-1\x000\x000\0end\0",
            b"K\0\x001\x000\x000\x0099999999999999999999\0end\0",
            b"K\0\x001\x000\x000\x004000000000\0own\0a@b\0head\0c@d\0end\0",
        ] {
            assert_eq!(read_answer(answer), None, "{}", answer.escape_ascii());
        }
    }
}
