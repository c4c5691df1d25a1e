//! `recordio`: shows on standard error what a program reads and writes (recordio(1)).
//!
//! ```text
//!   standard input ──► recorder ──► the program (this very process) ──► recorder ──► standard output
//!                         └── "PID < line", "PID > line" on standard error ──┘
//! ```
//!
//! The recorder is this binary, started anew as a child, so that the program keeps the process id
//! that whoever started us knows.

use crate::Io;
use crate::ends::program_command;
use crate::failure::{Failure, reason};
use applet::Exit;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The name under which this binary records.
pub(crate) const RECORDER: &str = "recordio-recorder";

const USAGE: Failure = Failure::usage("recordio program [ arg ... ]");
const INTERNAL: Failure = Failure::usage("this name is for recordio alone");

/// The recorder's end of what the program reads; and below, of what it writes.
const TO_PROGRAM: i32 = 6;
const FROM_PROGRAM: i32 = 7;

/// The most bytes that are read at a time.
const PACKET: usize = 8192;
/// The most bytes of a packet that stand in one line of the record, so that it is written in one piece.
const SHOWN: usize = 256;

/// Starts the recorder, then becomes the program.
pub(crate) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let arguments = std::mem::take(&mut io.arguments);
    let arguments = match &arguments[..] {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    };
    let [program, arguments @ ..] = arguments else {
        return Err(USAGE);
    };
    let unable = |what: &str, error: &io::Error| {
        Failure::Temporary(format!("unable to {what}: {}", reason(error)).into_bytes())
    };
    let (input, output) = record().map_err(|error| unable("start the recorder", &error))?;
    let error = program_command(io, program, arguments)
        .stdin(input)
        .stdout(output)
        .exec();
    Err(unable(&format!("run {}", program.display()), &error))
}

/// Starts the recorder; returns what the program is to have as its input and output.
fn record() -> io::Result<(Stdio, Stdio)> {
    let (input, to_program) = io::pipe()?;
    let (from_program, output) = io::pipe()?;
    let mut recorder = Command::new(crate::own_program()?);
    recorder.arg0(RECORDER).arg(std::process::id().to_string());
    sys::pass(&mut recorder, to_program.into(), TO_PROGRAM)?;
    sys::pass(&mut recorder, from_program.into(), FROM_PROGRAM)?;
    // As with the original it is the program's child from now on.
    drop(recorder.spawn()?);
    Ok((input.into(), output.into()))
}

/// Records until the program's output ends. The argument is the program's process id.
pub(crate) fn run_recorder(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let arguments = std::mem::take(&mut io.arguments);
    let pid = match &arguments[..] {
        [pid] => pid.clone(),
        _ => return Err(INTERNAL),
    };
    let streams = || {
        let incoming = (
            File::from(sys::take(0)?),
            File::from(sys::take(TO_PROGRAM)?),
        );
        let outgoing = (
            File::from(sys::take(FROM_PROGRAM)?),
            File::from(sys::take(1)?),
        );
        Ok::<_, io::Error>((incoming, outgoing))
    };
    let (incoming, outgoing) = streams().map_err(|_| INTERNAL)?;
    let head = |arrow: char| format!("{} {arrow} ", pid.display()).into_bytes();
    let (read, written) = (head('<'), head('>'));
    // Input may come for ever, so nobody waits for this one.
    std::thread::spawn(move || copy(incoming, &read));
    copy(outgoing, &written);
    Ok(Exit::OK)
}

/// Copies and shows what is copied, up to the end; whoever does not take more ends it as well.
fn copy((mut from, mut to): (File, File), head: &[u8]) {
    let mut errors = io::stderr();
    let mut packet = vec![0; PACKET];
    loop {
        let length = match from.read(&mut packet) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.unwrap_or(0),
        };
        let taken = packet.get(..length).unwrap_or_default();
        for line in lines(taken, head) {
            // Nowhere is left to tell that standard error is closed.
            let _ = errors.write_all(&line);
        }
        if taken.is_empty() || to.write_all(taken).is_err() {
            return;
        }
    }
}

/// The lines that show a packet: a space behind each that a newline ended, else `+`.
fn lines(packet: &[u8], head: &[u8]) -> Vec<Vec<u8>> {
    if packet.is_empty() {
        return vec![[head, b"[EOF]\n"].concat()];
    }
    let pieces = packet.chunks(SHOWN).flat_map(|piece| {
        piece
            .split_inclusive(|&byte| byte == b'\n')
            .map(|line| match line.strip_suffix(b"\n") {
                Some(whole) => [head, whole, b" \n"].concat(),
                None => [head, line, b"+\n"].concat(),
            })
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn every_line_of_a_packet_says_whether_it_is_whole() {
        let rows: [(&str, &[u8], &[&str]); 5] = [
            ("end", b"", &["1 < [EOF]\n"]),
            ("whole", b"a\n", &["1 < a \n"]),
            ("cut", b"a\nb", &["1 < a \n", "1 < b+\n"]),
            ("empty line", b"\n\n", &["1 <  \n", "1 <  \n"]),
            ("bytes", b"\x01\r\n", &["1 < \u{1}\r \n"]),
        ];
        for (name, packet, expected) in rows {
            let shown: Vec<_> = lines(packet, b"1 < ");
            let expected: Vec<_> = expected.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(shown, expected, "{name}");
        }
        let long = lines(&[b'x'; 300], b"");
        let lengths: Vec<_> = long.iter().map(Vec::len).collect();
        assert_eq!(lengths, [256 + 2, 44 + 2]);
    }
}
