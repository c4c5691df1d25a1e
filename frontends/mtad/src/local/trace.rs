//! What a local delivery would do, told step by step with the line that decides, by the look-ups that deliver (qmail-lspawn(8), qmail-local(8)).

use super::account::By;
use super::{Local, POSTMASTER, is_for_postmaster};
use delivery::local::{User, script, vdelivermail};
use mta_auth::Flags;
use mta_core::Address;
use mta_core::assign::{Assign, Key};
use mta_core::dotqmail::{Instruction, simple_words};
use mta_core::log::Filtered;
use mta_core::report::{Outcome, Report};
use mta_store::files::{Files, RealFiles};

/// The largest users/assign that is looked at for a line's number.
const ASSIGN_MAX: usize = 64 << 20;

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The steps in order, each with the line that decided.
    pub(crate) steps: Vec<String>,
    /// Where the message goes on to.
    pub(crate) forwards: Vec<Address>,
    /// Why it would fail or be deferred.
    pub(crate) trouble: Option<Report>,
}

impl Local {
    /// Tells what a delivery to a routed recipient would do; blocks.
    pub(crate) fn trace(&self, recipient: &Address) -> Trace {
        let mut trace = Trace::default();
        if recipient.local().is_empty() {
            let step = "an empty local part is the trash address: mail to it vanishes";
            trace.steps.push(step.to_owned());
            return trace;
        }
        if let Err(report) = self.trace_user(recipient, &mut trace) {
            trace.trouble = Some(report);
        }
        trace
    }

    fn trace_user(&self, recipient: &Address, trace: &mut Trace) -> Result<(), Report> {
        let found = self.users.find_by(recipient.local());
        let (user, by) = found.map_err(Report::deferral)?;
        trace.steps.push(self.chosen_by(&user, &by));
        match self.trace_script(recipient, &user, trace) {
            Err(report)
                if report.outcome == Outcome::Failure && is_for_postmaster(recipient, &user) =>
            {
                let alias = self.users.alias(POSTMASTER).map_err(Report::deferral)?;
                let step = "there is no such mailbox: the host's postmaster gets it";
                trace.steps.push(step.to_owned());
                let done = self.trace_script(recipient, &alias, trace);
                done.map_err(|_| report)
            }
            other => other,
        }
    }

    fn chosen_by(&self, user: &User, by: &By) -> String {
        let place = match by {
            By::Assigned(key) => self.assign_line(key),
            By::System => "the system's accounts".to_owned(),
            By::Alias => "nobody else has it".to_owned(),
        };
        let name = Filtered(&user.name);
        let ext = match user.ext.as_slice() {
            b"" => String::new(),
            ext => format!(", extension {}", Filtered(ext)),
        };
        format!("{place}: user {name}, home {}{ext}", user.home.display())
    }

    /// Names the line behind a key of users/cdb; the cdb may be older than the text.
    fn assign_line(&self, key: &Key) -> String {
        let path = self.home.users().join("assign");
        let text = RealFiles::new().read(&path, ASSIGN_MAX).ok();
        let assign = text.and_then(|text| Assign::parse(&text).ok());
        let (mark, name) = match key {
            Key::Wildcard(name) => ('+', name),
            Key::Exact(name) => ('=', name),
        };
        let key_shown = format!("{mark}{}", Filtered(name));
        match assign.and_then(|assign| assign.line_of(key)) {
            Some(line) => format!("users/assign:{line} ({key_shown})"),
            None => format!("users/cdb ({key_shown}, no line of users/assign)"),
        }
    }

    fn trace_script(
        &self,
        recipient: &Address,
        user: &User,
        trace: &mut Trace,
    ) -> Result<(), Report> {
        let script = script::script(user, &self.tools.settings.default_delivery)?;
        if script.chosen.instructions.is_empty() {
            let step = format!("{}: it asks for nothing, so mail vanishes", script.place(0));
            trace.steps.push(step);
        }
        for (number, instruction) in script.chosen.instructions.iter().enumerate() {
            let place = script.place(number);
            let said = match instruction {
                Instruction::Maildir(path) => format!("Maildir {}", Filtered(path)),
                Instruction::Mbox(path) => format!("mbox {}", Filtered(path)),
                Instruction::Program(command) => format!("program {}", Filtered(command)),
                Instruction::Forward(to) => {
                    trace.forwards.push(to.clone());
                    format!("forward to {}", Filtered(to.as_bytes()))
                }
                Instruction::Refuse(report) => {
                    trace.steps.push(format!("{place}: refused"));
                    return Err(report.clone());
                }
                _ => "something this program does not know".to_owned(),
            };
            trace.steps.push(format!("{place}: {said}"));
            if let Instruction::Program(command) = instruction {
                self.trace_program(command, user, recipient, trace)?;
            }
        }
        Ok(())
    }

    /// Behind vdelivermail stand mailboxes; what another program does nobody knows.
    fn trace_program(
        &self,
        command: &[u8],
        user: &User,
        recipient: &Address,
        trace: &mut Trace,
    ) -> Result<(), Report> {
        let words = simple_words(command).unwrap_or_default();
        let Some(accounts) = &self.tools.accounts else {
            return Ok(());
        };
        let Some(call) = vdelivermail::Call::from_words(&words) else {
            return Ok(());
        };
        let call = call?;
        let domain = recipient.domain().unwrap_or_default();
        let found = vdelivermail::find(accounts, &user.ext, domain);
        let found = found.map_err(|error| Report::deferral(format!("{error}\n")))?;
        match found {
            Some(mailbox) if mailbox.flags.contains(Flags::BOUNCE_MAIL) => {
                let text = format!("mailbox {} is locked\n", mailbox.address());
                Err(Report::failure(text))
            }
            Some(mailbox) => {
                let own = mailbox.home.join(".qmail");
                let place = match own.metadata() {
                    Ok(file) if file.len() > 0 => format!("its own lines in {}", own.display()),
                    _ => format!("Maildir {}", mailbox.maildir.display()),
                };
                let step = format!("mailbox {}: {place}", mailbox.address());
                trace.steps.push(step);
                Ok(())
            }
            None if call.bounces() => Err(Report::failure(
                "Sorry, no mailbox here by that name. (#5.1.1)\n",
            )),
            None => {
                let step = "no such mailbox: vdelivermail's second argument decides";
                trace.steps.push(step.to_owned());
                Ok(())
            }
        }
    }
}
