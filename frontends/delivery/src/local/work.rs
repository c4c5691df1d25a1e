//! Carries out the lines of a .qmail file, apart from queueing its forwards (dot-qmail(5), qmail-local(8), spec §6.3–§6.6).

use super::program::Program;
use super::script::{Script, forwarder, script};
use super::{Job, PIECE, Tools, User, vdelivermail};
use mta_core::Address;
use mta_core::delivered::{LOOPING, LoopCheck, delivered_to, return_path};
use mta_core::dotqmail::{Did, Facts, Instruction, ProgramEnd, Variable, environment};
use mta_core::report::Report;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// One delivery to one user, under way.
#[derive(Debug)]
pub struct Work<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) job: &'a Job,
    pub(crate) message: &'a File,
    /// What programs said.
    said: Vec<u8>,
    forwards: Vec<Forward>,
}

/// All lines succeeded; what remains is to be queued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Done {
    /// What programs said.
    pub said: Vec<u8>,
    /// What is counted.
    pub did: Did,
    /// What is to be queued, in this order.
    pub forwards: Vec<Forward>,
}

/// What is to be queued once all lines have succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Forward {
    /// The reverse-path.
    pub sender: Address,
    /// The forward-paths.
    pub recipients: Vec<Address>,
    /// What stands before the message.
    pub head: Vec<u8>,
    /// It is that of the .qmail file's own lines, whose number the report tells.
    pub counts: bool,
}

impl<'a> Work<'a> {
    /// Prepares a delivery of a message that is open for reading.
    #[must_use]
    pub const fn new(tools: &'a Tools, job: &'a Job, message: &'a File) -> Self {
        Self {
            tools,
            job,
            message,
            said: Vec::new(),
            forwards: Vec::new(),
        }
    }

    /// Does all lines in order. The first that fails ends the delivery: then nothing is forwarded,
    /// and what was done before is done again at the next attempt.
    ///
    /// # Errors
    /// The report says which instruction failed and whether trying again may help.
    pub fn run(mut self, user: &User) -> Result<Done, Report> {
        match self.lines(user) {
            Ok(did) => Ok(self.done(did)),
            Err(report) => Err(self.failed(report)),
        }
    }

    pub(super) fn done(self, did: Did) -> Done {
        Done {
            said: self.said,
            did,
            forwards: self.forwards,
        }
    }

    /// What programs said before stands before the reason.
    pub(super) fn failed(mut self, report: Report) -> Report {
        self.said.extend_from_slice(&report.text);
        Report::new(report.outcome, self.said)
    }

    fn lines(&mut self, user: &User) -> Result<Did, Report> {
        self.refuse_loop(&self.job.recipient)?;
        let script = script(user, &self.tools.settings.default_delivery)?;
        let new_sender = forwarder(user, &self.job.sender, &self.job.recipient)?;
        let environment = self.environment(user, &script, &new_sender);
        let head = [
            return_path(&self.job.sender),
            delivered_to(&self.job.recipient),
        ];
        let mut did = Did::default();
        let mut recipients = Vec::new();
        for instruction in &script.chosen.instructions {
            match instruction {
                Instruction::Maildir(path) => {
                    self.maildir(user.home.join(OsStr::from_bytes(path)), &head)?;
                    did.files += 1;
                }
                Instruction::Mbox(path) => {
                    self.mbox(&user.home, path, &head)?;
                    did.files += 1;
                }
                Instruction::Forward(address) => {
                    recipients.push(address.clone());
                    did.forwards += 1;
                }
                Instruction::Refuse(report) => return Err(report.clone()),
                Instruction::Program(command) => {
                    did.programs += 1;
                    if self.command(user, command, &environment)? == ProgramEnd::Stop {
                        break;
                    }
                }
                _ => return Err(unknown(&script)),
            }
        }
        if !recipients.is_empty() {
            let [_, delivered] = head;
            self.forward_later(Forward {
                sender: new_sender,
                recipients,
                head: delivered,
                counts: true,
            });
        }
        Ok(did)
    }

    pub(crate) fn forward_later(&mut self, forward: Forward) {
        self.forwards.push(forward);
    }

    fn environment(&self, user: &User, script: &Script, new_sender: &Address) -> Vec<Variable> {
        environment(&Facts {
            sender: &self.job.sender,
            new_sender,
            recipient: &self.job.recipient,
            user: &user.name,
            home: user.home.as_os_str().as_bytes(),
            ext: &user.ext,
            default: script.chosen.default.as_deref(),
            now: self.job.now,
        })
    }

    /// Does what a program line asks: the work of vdelivermail here, all else in a process.
    fn command(
        &mut self,
        user: &User,
        command: &[u8],
        environment: &[Variable],
    ) -> Result<ProgramEnd, Report> {
        if let Some(accounts) = &self.tools.accounts {
            let words = vdelivermail::words(command, environment);
            if let Some(call) = vdelivermail::Call::from_words(&words) {
                return self.vdelivermail(accounts, &call?, user, environment);
            }
        }
        self.program(command, &user.home, environment)
    }

    pub(crate) fn program(
        &mut self,
        command: &[u8],
        home: &Path,
        environment: &[Variable],
    ) -> Result<ProgramEnd, Report> {
        let program = Program {
            command,
            home,
            environment,
            message: self.message,
            output: self.tools.settings.output,
        };
        program.run(&mut self.said)
    }

    /// Fails where the message has been here before.
    pub(crate) fn refuse_loop(&self, recipient: &Address) -> Result<(), Report> {
        let mut check = LoopCheck::new(recipient);
        let mut piece = vec![0; PIECE];
        let mut at = 0_u64;
        while !check.is_decided() {
            let n = self.message.read_at(&mut piece, at).map_err(|error| {
                tracing::warn!("unable to read message {}: {error}", self.job.id);
                Report::deferral("Unable to read message. (#4.3.0)\n")
            })?;
            if n == 0 {
                break;
            }
            at += n as u64;
            check.feed(piece.get(..n).unwrap_or_default());
        }
        if check.is_looping() {
            return Err(Report::failure(LOOPING));
        }
        Ok(())
    }
}

/// What this server does not know defers, so that no mail is lost over it.
fn unknown(script: &Script) -> Report {
    let place = script.place_of(b"");
    let text = format!("Unable to do what {place} asks for. (#4.3.5)\n");
    Report::deferral(text)
}
