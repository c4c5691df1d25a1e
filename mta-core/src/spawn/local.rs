//! What qmail-lspawn makes of the end of a qmail-local (qmail-lspawn(8), spec §6.1).

use super::End;
use crate::dotqmail::cut_report;
use crate::report::Report;

/// The exit codes by which qmail-getpw, and qmail-lspawn itself before it becomes qmail-local, say
/// why there was no delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these codes")]
pub enum LocalExit {
    /// 112: qmail-lspawn was asked for something impossible.
    Usage,
    /// 113: the recipient is root.
    Root,
    /// 115: a home could not be looked at.
    Nfs,
    /// 116: there is no user alias.
    NoAlias,
    /// 117: users/cdb cannot be read.
    Cdb,
    /// 118: the system refused something.
    System,
    /// 119: there is no memory.
    NoMemory,
    /// 120: qmail-local cannot be run now.
    NotRun,
    /// 121: qmail-getpw cannot be run.
    NoGetpw,
    /// 126: qmail-local cannot be run at all.
    NeverRun,
}

impl LocalExit {
    const ALL: [(Self, i32, &'static str); 10] = [
        (Self::Usage, 112, "ZInternal qmail-lspawn bug.\n"),
        (
            Self::Root,
            113,
            "ZNot allowed to perform deliveries as root.\n",
        ),
        (Self::Nfs, 115, "ZNFS failure in qmail-local.\n"),
        (Self::NoAlias, 116, "ZUnable to find alias user!\n"),
        (
            Self::Cdb,
            117,
            "ZTrouble reading users/cdb in qmail-lspawn.\n",
        ),
        (Self::System, 118, "ZTemporary failure in qmail-lspawn.\n"),
        (Self::NoMemory, 119, "ZOut of memory in qmail-lspawn.\n"),
        (Self::NotRun, 120, "ZUnable to run qmail-local.\n"),
        (Self::NoGetpw, 121, "ZUnable to run qmail-getpw.\n"),
        (Self::NeverRun, 126, "DUnable to run qmail-local.\n"),
    ];

    /// Returns the code.
    #[must_use]
    pub fn code(self) -> i32 {
        let row = Self::ALL.iter().find(|(exit, ..)| *exit == self);
        row.map_or(0, |(_, code, _)| *code)
    }
}

/// Judges a delivery by how qmail-local ended and by what it said on both of its outputs.
///
/// ```
/// use mta_core::spawn::{End, local};
/// let report = local(End::Code(0), b"did 1+0+0\n".to_vec());
/// assert_eq!((report.outcome.letter(), report.text), (b'K', b"did 1+0+0\n".to_vec()));
/// assert_eq!(local(End::Crashed, Vec::new()).outcome.letter(), b'Z');
/// ```
#[must_use]
pub fn local(end: End, output: Vec<u8>) -> Report {
    let End::Code(code) = end else {
        return Report::deferral("qmail-local crashed.\n");
    };
    if let Some((.., text)) = LocalExit::ALL.iter().find(|(_, known, _)| *known == code) {
        return super::report::worded(text);
    }
    let text = cut_report(output);
    match code {
        0 => Report::success(text),
        71 | 74 | 75 | 111 => Report::deferral(text),
        _ => Report::failure(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_has_its_letter_and_text() {
        let said = b"said so\n".to_vec();
        let rows = [
            (0, 'K', "said so\n"),
            (100, 'D', "said so\n"),
            (1, 'D', "said so\n"),
            (99, 'D', "said so\n"),
            (255, 'D', "said so\n"),
            (71, 'Z', "said so\n"),
            (74, 'Z', "said so\n"),
            (75, 'Z', "said so\n"),
            (111, 'Z', "said so\n"),
            (112, 'Z', "Internal qmail-lspawn bug.\n"),
            (113, 'Z', "Not allowed to perform deliveries as root.\n"),
            (114, 'D', "said so\n"),
            (115, 'Z', "NFS failure in qmail-local.\n"),
            (116, 'Z', "Unable to find alias user!\n"),
            (117, 'Z', "Trouble reading users/cdb in qmail-lspawn.\n"),
            (118, 'Z', "Temporary failure in qmail-lspawn.\n"),
            (119, 'Z', "Out of memory in qmail-lspawn.\n"),
            (120, 'Z', "Unable to run qmail-local.\n"),
            (121, 'Z', "Unable to run qmail-getpw.\n"),
            (126, 'D', "Unable to run qmail-local.\n"),
        ];
        for (code, letter, text) in rows {
            let report = local(End::Code(code), said.clone());
            assert_eq!(char::from(report.outcome.letter()), letter, "{code}");
            assert_eq!(String::from_utf8(report.text).unwrap(), text, "{code}");
        }
        let crashed = local(End::Crashed, said);
        assert_eq!(crashed, Report::deferral("qmail-local crashed.\n"));
        for (exit, code, _) in LocalExit::ALL {
            assert_eq!(exit.code(), code);
        }
    }

    #[test]
    fn what_it_says_is_cut_at_a_nul_and_when_it_is_too_long() {
        let report = local(End::Code(0), b"a\0Dforged\n".to_vec());
        assert_eq!(report.text, b"a");
        let report = local(End::Code(0), vec![b'x'; 5000]);
        assert!(report.text.ends_with(b"x\nError report too long, sorry.\n"));
    }
}
