//! qmail-inject: completes the header of a message and queues it (qmail-inject(8), spec §11.1).

use super::forward::refused;
use crate::failure::{Failure, unwritten};
use crate::injection::{Injection, NotBegun};
use crate::io::Io;
use crate::options::Options;
use applet::Exit;
use mta_core::control::HostSet;
use mta_core::date::Zone;
use mta_core::delivered::return_path;
use mta_core::inject::{
    self, DateForm, Environment, Fed, Hosts, InjectError, Injector, LastLine, RecipientsFrom,
    Settings,
};
use mta_store::atomic::read_if_there;
use mta_store::control_dir::{ControlDir, MAX_CONTROL};
use mta_store::files::RealFiles;
use std::ffi::OsString;
use std::io::{Cursor, ErrorKind, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

const PIECE: usize = 64 * 1024;

/// What the command line asks for.
struct Call {
    recipients: RecipientsFrom,
    sender: Option<Vec<u8>>,
    destination: Destination,
    arguments: Vec<OsString>,
}

/// Where the message goes: `-N`, `-n`.
#[derive(Clone, Copy)]
enum Destination {
    Queue,
    Output,
}

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let call = Call::parse(&io.arguments)?;
    let settings = settings(io, &call)?;
    let arguments = call.arguments.iter().map(|argument| argument.as_bytes());
    let injector = Injector::new(settings, arguments).map_err(|error| unfit(&error))?;
    let input = std::mem::replace(&mut io.input, Box::new(std::io::empty()));
    let (injection, mut rest) = header(injector, input)?;
    match call.destination {
        Destination::Output => {
            let mut written = Ok(());
            let mut write = |piece: &[u8]| {
                written = io.output.write_all(piece);
                written.is_ok()
            };
            if write(&return_path(&injection.sender)) {
                pass(&injection.head, &mut rest, &mut write)?;
            }
            written.map_err(|error| unwritten("qmail-inject", &error))?;
        }
        Destination::Queue => queue(io, &injection, &mut rest)?,
    }
    Ok(Exit::OK)
}

fn queue(io: &Io<'_>, injection: &inject::Injection, rest: &mut dyn Read) -> Result<(), Failure> {
    let mut queued = Injection::begin(io).map_err(|error| match error {
        NotBegun::Fork(_) => fatal("unable to run qmail-queue"),
        NotBegun::Refused(refusal) => refused("qmail-inject", &refusal),
    })?;
    let passed = pass(&injection.head, rest, &mut |piece| {
        queued.write_all(piece).is_ok()
    });
    if let Err(failure) = passed {
        queued.abandon();
        return Err(failure);
    }
    let mut recipients = injection.recipients.iter().map(|to| to.as_bytes());
    queued
        .finish(injection.sender.as_bytes(), &mut recipients)
        .map(drop)
        .map_err(|refusal| refused("qmail-inject", &refusal))
}

impl Call {
    fn parse(arguments: &[OsString]) -> Result<Self, Failure> {
        let options = Options::parse("qmail-inject", arguments, "aAhHnNf:");
        let options = options.map_err(Failure::permanent)?;
        let mut call = Self {
            recipients: RecipientsFrom::ArgumentsElseHeader,
            sender: None,
            destination: Destination::Queue,
            arguments: options.rest,
        };
        for (letter, argument) in options.given {
            match letter {
                b'a' => call.recipients = RecipientsFrom::Arguments,
                b'A' => call.recipients = RecipientsFrom::ArgumentsElseHeader,
                b'h' => call.recipients = RecipientsFrom::Header,
                b'H' => call.recipients = RecipientsFrom::Both,
                b'n' => call.destination = Destination::Output,
                b'N' => call.destination = Destination::Queue,
                _ => call.sender = argument.map(OsString::into_vec),
            }
        }
        Ok(call)
    }
}

fn settings(io: &Io<'_>, call: &Call) -> Result<Settings, Failure> {
    if !io.home.is_dir() {
        return Err(fatal("unable to switch to qmail home directory"));
    }
    let files = RealFiles::new();
    let control = ControlDir::new(&files, io.home.join("control"));
    let hosts = Hosts::load(|name| control.read(name)).map_err(|_| fatal("read error"))?;
    let environment = Environment::read(|name| io.variable(name));
    let mut lists = HostSet::default();
    if let Some(name) = &environment.qmailmftfile {
        // Unlike the other files it lies where the caller is.
        let path = PathBuf::from(OsString::from_vec(name.clone()));
        let read = read_if_there(&files, &path, MAX_CONTROL);
        let text = read.map_err(|_| fatal("read error"))?;
        lists = HostSet::parse(&text.unwrap_or_default());
    }
    let mut settings = Settings::new(hosts, environment, io.now, std::process::id());
    if let Zone::East(east) = io.dates().stamp(io.now).zone {
        settings.date = DateForm::Local { east };
    }
    settings.recipients = call.recipients;
    settings.sender.clone_from(&call.sender);
    settings.lists = lists;
    Ok(settings)
}

/// Reads until the header has ended, and returns what came of it and the rest of the message.
fn header<'a>(
    mut injector: Injector,
    mut input: Box<dyn Read + 'a>,
) -> Result<(inject::Injection, Box<dyn Read + 'a>), Failure> {
    let mut buffer = vec![0; PIECE];
    let rest: Box<dyn Read + 'a> = loop {
        let n = read(&mut *input, &mut buffer)?;
        if n == 0 {
            break Box::new(std::io::empty());
        }
        let piece = buffer.get(..n).unwrap_or_default();
        if let Fed::Body { taken } = injector.feed(piece).map_err(|error| unfit(&error))? {
            buffer.truncate(n);
            buffer.drain(..taken);
            break Box::new(Cursor::new(buffer).chain(input));
        }
    };
    let injection = injector.finish().map_err(|error| unfit(&error))?;
    Ok((injection, rest))
}

/// Hands the head and what follows it on, for as long as it is wanted; only our own input can fail.
fn pass(
    head: &[u8],
    rest: &mut dyn Read,
    write: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<(), Failure> {
    let mut last = LastLine::default();
    last.pass(head);
    let mut wanted = write(head);
    let mut buffer = vec![0; PIECE];
    while wanted {
        let n = read(rest, &mut buffer)?;
        if n == 0 {
            write(last.completion());
            return Ok(());
        }
        let piece = buffer.get(..n).unwrap_or_default();
        last.pass(piece);
        wanted = write(piece);
    }
    Ok(())
}

fn read(input: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, Failure> {
    loop {
        match input.read(buffer) {
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(fatal("read error")),
        }
    }
}

fn fatal(text: &str) -> Failure {
    Failure::temporary(format!("qmail-inject: fatal: {text}"))
}

fn unfit(error: &InjectError) -> Failure {
    let text = error.stderr();
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Failure::new(Exit::other(error.exit_code()), text)
}
