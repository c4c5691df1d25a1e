//! The lines of a .qmail file as instructions (dot-qmail(5), spec §6.6).

use crate::Address;
use crate::report::Report;

/// One thing that a .qmail file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instruction {
    /// `./dir/`: deliver to this Maildir, relative to the home directory or absolute.
    Maildir(Vec<u8>),
    /// `./file`: append to this mbox.
    Mbox(Vec<u8>),
    /// `|command`: hand the message to `/bin/sh -c`.
    Program(Vec<u8>),
    /// `&address`: forward, after all else and in one message.
    Forward(Address),
    /// The line cannot be carried out: report this and stop; nothing is forwarded.
    Refuse(Report),
}

/// The owner's execute bit says that a file may only forward.
const OWNER_EXECUTES: u32 = 0o100;

/// Reads a file's contents; `mode` are its permission bits, of which the owner's execute bit
/// allows forwarding only.
///
/// Instructions are to be carried out in order; the first that fails ends the delivery. Nothing
/// follows a [`Instruction::Refuse`].
///
/// ```
/// use mta_core::dotqmail::{Instruction, parse};
/// let read = parse(b"# mine\n./Maildir/ \n&joe@example.org\n", 0o600);
/// assert_eq!(read.len(), 2);
/// assert_eq!(read[0], Instruction::Maildir(b"./Maildir/".to_vec()));
/// ```
#[must_use]
pub fn parse(contents: &[u8], mode: u32) -> Vec<Instruction> {
    let numbered = parse_numbered(contents, mode);
    numbered.into_iter().map(|(_, one)| one).collect()
}

/// As [`parse`], each instruction with the number of its line; lines count from 1.
#[must_use]
pub fn parse_numbered(contents: &[u8], mode: u32) -> Vec<(usize, Instruction)> {
    let mut forward_only = mode & OWNER_EXECUTES != 0;
    let mut instructions = Vec::new();
    for (number, line) in contents.split(|&b| b == b'\n').enumerate() {
        let line = trim(line);
        let instruction = match line.split_first() {
            None if number == 0 => refuse("first line of .qmail file is blank. (#4.2.1)"),
            None | Some((b'#', _)) => continue,
            Some((b'+', rest)) => {
                forward_only |= rest == b"list";
                continue;
            }
            Some((b'.' | b'/', _)) if forward_only => {
                refuse(".qmail has file delivery but has x bit set. (#4.7.0)")
            }
            Some((b'|', _)) if forward_only => {
                refuse(".qmail has prog delivery but has x bit set. (#4.7.0)")
            }
            Some((b'.' | b'/', _)) if line.ends_with(b"/") => Instruction::Maildir(line.to_vec()),
            Some((b'.' | b'/', _)) => Instruction::Mbox(line.to_vec()),
            Some((b'|', command)) => Instruction::Program(command.to_vec()),
            Some((b'&', address)) => forward(address),
            Some(_) => forward(line),
        };
        let last = matches!(instruction, Instruction::Refuse(_));
        instructions.push((number + 1, instruction));
        if last {
            break;
        }
    }
    instructions
}

/// Cuts blanks from the end, and everything from a NUL on, where the original's strings end.
fn trim(line: &[u8]) -> &[u8] {
    let mut line = line.split(|&b| b == 0).next().unwrap_or_default();
    while let [rest @ .., b' ' | b'\t'] = line {
        line = rest;
    }
    line
}

fn forward(address: &[u8]) -> Instruction {
    match Address::new(address) {
        Ok(address) => Instruction::Forward(address),
        Err(_) => refuse("forwarding address holds a NUL byte. (#4.2.1)"),
    }
}

fn refuse(what: &str) -> Instruction {
    Instruction::Refuse(Report::deferral(format!("Uh-oh: {what}\n")))
}
