//! `tcprules`: compiles rules from standard input into a cdb (tcprules(1), spec §9.3).

use crate::Io;
use crate::failure::{Failure, reason};
use applet::Exit;
use mta_core::tcprules::{ParseError, Parser, Syntax};
use mta_store::cdb_writer;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

const USAGE: &str = "tcprules [--cidr] rules.cdb rules.tmp";

/// The most bytes of source that are read.
const MAX_SOURCE: u64 = 256 << 20;

/// Reads all rules before it touches a file: of wrong ones nothing is left behind.
pub(crate) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut arguments = &io.arguments[..];
    let mut syntax = Syntax::Original;
    if let [first, rest @ ..] = arguments
        && first == OsStr::new("--cidr")
    {
        (syntax, arguments) = (Syntax::Extended, rest);
    }
    // As in the original, what follows the two names is not looked at.
    let [cdb, tmp, ..] = arguments else {
        return Err(Failure::usage(USAGE));
    };
    let (cdb, tmp) = (Path::new(cdb).to_path_buf(), Path::new(tmp).to_path_buf());
    let mut source = Vec::new();
    io.input
        .take(MAX_SOURCE + 1)
        .read_to_end(&mut source)
        .map_err(|error| temporary("unable to read input", &error))?;
    if source.len() as u64 > MAX_SOURCE {
        return Err(Failure::Permanent(
            b"expected at most 256 MiB of rules".to_vec(),
        ));
    }
    let bytes = compile(io, &source, syntax)?;
    write(&bytes, &tmp).map_err(|error| Failure::file("create", &tmp, &error))?;
    publish(&tmp, &cdb).map_err(|error| {
        let text = format!(
            "unable to move {} to {}: {}",
            tmp.display(),
            cdb.display(),
            reason(&error)
        );
        Failure::Temporary(text.into_bytes())
    })?;
    Ok(Exit::OK)
}

fn compile(io: &mut Io<'_>, source: &[u8], syntax: Syntax) -> Result<Vec<u8>, Failure> {
    let mut parser = Parser::new(source, syntax);
    let mut wrong = None;
    let records = parser.by_ref().map_while(|rule| match rule {
        Ok(rule) => Some((rule.key, rule.data)),
        Err(error) => {
            wrong = Some(error);
            None
        }
    });
    let built = cdb_writer::build(records);
    for line in parser.suspicious() {
        let warning = format!(
            "tcprules: warning: line {line}: a network is taken literally and fits nobody without --cidr"
        );
        io.complain(warning.as_bytes());
    }
    if let Some(error) = wrong {
        return Err(unparsed(&error));
    }
    built.map_err(|error| temporary("unable to make the database", &io::Error::from(error)))
}

/// The original's line, byte for byte, and below it what would have been right.
fn unparsed(error: &ParseError) -> Failure {
    let ParseError {
        line,
        text,
        expected,
        ..
    } = error;
    let hint = format!("\ntcprules: line {line}: {expected}");
    Failure::Permanent([&b"unable to parse this line: "[..], text, hint.as_bytes()].concat())
}

fn write(bytes: &[u8], tmp: &Path) -> io::Result<()> {
    let mut file = File::create(tmp)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Renames, and makes sure that the name outlives a power failure too.
fn publish(tmp: &Path, cdb: &Path) -> io::Result<()> {
    std::fs::rename(tmp, cdb)?;
    let directory = cdb.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn temporary(what: &str, error: &io::Error) -> Failure {
    Failure::Temporary(format!("{what}: {}", reason(error)).into_bytes())
}
