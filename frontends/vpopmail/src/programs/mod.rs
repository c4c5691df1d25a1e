//! The programs, one file each, and the table by which they are found (vpopmail(8)).

mod clearopensmtp;
mod vaddaliasdomain;
mod vadddomain;
mod vadduser;
mod valias;
mod vchangepw;
mod vchkpw;
mod vdeldomain;
mod vdelivermail;
mod vdeloldusers;
mod vdeluser;
mod vdominfo;
mod vipmap;
mod vmkpasswd;
mod vmoddomlimits;
mod vmoduser;
mod vpasswd;
mod vpopbull;
mod vsetuserquota;
mod vuserinfo;

use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;

type Program = fn(&mut Io<'_>) -> Result<Exit, Failure>;

/// Every program with its name.
const PROGRAMS: &[(&str, Program)] = &[
    ("clearopensmtp", clearopensmtp::run),
    ("vaddaliasdomain", vaddaliasdomain::run),
    ("vadddomain", vadddomain::run),
    ("vadduser", vadduser::run),
    ("valias", valias::run),
    ("vchangepw", vchangepw::run),
    ("vchkpw", vchkpw::run),
    ("vdeldomain", vdeldomain::run),
    ("vdelivermail", vdelivermail::run),
    ("vdeloldusers", vdeloldusers::run),
    ("vdeluser", vdeluser::run),
    ("vdominfo", vdominfo::run),
    ("vipmap", vipmap::run),
    ("vmkpasswd", vmkpasswd::run),
    ("vmoddomlimits", vmoddomlimits::run),
    ("vmoduser", vmoduser::run),
    ("vpasswd", vpasswd::run),
    ("vpopbull", vpopbull::run),
    ("vsetuserquota", vsetuserquota::run),
    ("vuserinfo", vuserinfo::run),
];

/// The names under which the binary may be called.
pub const NAMES: &[&str] = &names();

const fn names() -> [&'static str; PROGRAMS.len()] {
    let mut names = [""; PROGRAMS.len()];
    let mut at = 0;
    while at < PROGRAMS.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
        {
            names[at] = PROGRAMS[at].0;
        }
        at += 1;
    }
    names
}

/// The program of that name.
pub(crate) fn find(name: &str) -> Option<Program> {
    let found = PROGRAMS.iter().find(|(known, _)| *known == name);
    found.map(|(_, program)| *program)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_name_has_its_program() {
        assert!(super::NAMES.iter().all(|name| super::find(name).is_some()));
        assert!(super::NAMES.is_sorted());
    }
}
