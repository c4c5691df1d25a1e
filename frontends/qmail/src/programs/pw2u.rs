//! qmail-pw2u: makes users/assign of the account file on standard input (qmail-pw2u(8)).

use crate::failure::Failure;
use crate::io::Io;
use crate::options::Options as Letters;
use applet::Exit;
use mta_core::pw2u::{Files, Homes, Options, assign};
use mta_store::atomic::{MAX_EDITED, read_if_there};
use mta_store::files::RealFiles;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

fn fatal(text: &str) -> Failure {
    Failure::temporary(format!("qmail-pw2u: fatal: {text}"))
}

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let letters = Letters::parse("qmail-pw2u", &io.arguments, "/ohHuUc:C");
    let options = options(&letters.map_err(Failure::permanent)?);
    if !io.home.is_dir() {
        return Err(fatal("unable to chdir"));
    }
    let read = |name: &str| {
        let path = io.home.join("users").join(name);
        read_if_there(&RealFiles::new(), &path, MAX_EDITED)
            .map_err(|_| fatal("unable to read controls"))
    };
    let files = Files {
        include: read("include")?,
        exclude: read("exclude")?,
        mailnames: read("mailnames")?,
        subusers: read("subusers")?,
        append: read("append")?,
    };
    let mut passwd = Vec::new();
    let limited = Read::by_ref(&mut io.input)
        .take(MAX_EDITED as u64)
        .read_to_end(&mut passwd);
    limited.map_err(|_| fatal("unable to read input"))?;
    let text =
        assign(&passwd, &files, options, owner).map_err(|error| fatal(&error.to_string()))?;
    io.output
        .write_all(&text)
        .map_err(|_| fatal("unable to write output"))?;
    Ok(Exit::OK)
}

fn options(letters: &Letters) -> Options {
    let mut options = Options::default();
    for (letter, argument) in &letters.given {
        match letter {
            b'/' => options.slash = true,
            b'o' => options.homes = Homes::Skip,
            b'h' => options.homes = Homes::Demand,
            b'H' => options.homes = Homes::Ignore,
            b'u' => options.upper_case = true,
            b'U' => options.upper_case = false,
            b'C' => options.separator = None,
            _ => {
                let text = argument.as_deref().unwrap_or_default();
                options.separator = text.as_bytes().first().copied();
            }
        }
    }
    options
}

fn owner(home: &[u8]) -> std::io::Result<Option<u32>> {
    match std::fs::metadata(OsStr::from_bytes(home)) {
        Ok(found) => Ok(Some(found.uid())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
