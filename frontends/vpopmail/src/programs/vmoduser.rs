//! vmoduser: changes any field of one mailbox or of all of a domain (vmoduser(8), spec §2).

use super::vadddomain::quota;
use crate::address::{self, Address};
use crate::code::Code;
use crate::failure::Failure;
use crate::io::{Accounts, Io, host};
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage};
use crate::secret::{Clear, New, hashed};
use applet::Exit;
use mta_auth::vpasswd::{Entry, MAX_DIR, MAX_GECOS};
use mta_auth::{Flags, Quota};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const USAGE: Usage = Usage {
    program: "vmoduser",
    letters: "D:avunxc:q:dpswibro0123he:C:fFSEm",
    text: "vmoduser: usage: [options] email_addr or domain (for each user in domain)
options: -v ( display the vpopmail version number )
         -n ( don't rebuild the vpasswd.cdb file )
         -q quota ( set quota )
         -c comment (set the comment/gecos field )
         -e encrypted_passwd (set the password field )
         -C clear_text_passwd (set the password field )
         -D dir ( set the directory field )
the following options are bit flags in the gid int field
         -x ( clear all flags )
         -d ( don't allow user to change password )
         -p ( disable POP access )
         -s ( disable SMTP AUTH access )
         -w ( disable webmail [IMAP from localhost*] access )
            ( * full list of webmail server IPs in vchkpw.c )
         -i ( disable non-webmail IMAP access )
         -b ( bounce all mail )
         -o ( user is not subject to domain limits )
         -r ( disable roaming user/pop-before-smtp )
         -a ( grant qmailadmin administrator privileges )
         -S ( grant system administrator privileges - access all domains )
         -E ( grant expert privileges - edit .qmail files )
         -f ( disable spamassassin)
         -F ( delete spam)
         -m ( disable maildrop)
  [The following flags aren't used directly by vpopmail but are]
  [included for other programs that share the user database.]
         -u ( set no dialup flag )
         -0 ( set V_USER0 flag )
         -1 ( set V_USER1 flag )
         -2 ( set V_USER2 flag )
         -3 ( set V_USER3 flag )
",
};

const FLAGS: [(u8, Flags); 19] = [
    (b'd', Flags::NO_PASSWD_CHNG),
    (b'p', Flags::NO_POP),
    (b's', Flags::NO_SMTP),
    (b'w', Flags::NO_WEBMAIL),
    (b'i', Flags::NO_IMAP),
    (b'b', Flags::BOUNCE_MAIL),
    (b'o', Flags::V_OVERRIDE),
    (b'r', Flags::NO_RELAY),
    (b'a', Flags::QA_ADMIN),
    (b'S', Flags::SA_ADMIN),
    (b'E', Flags::SA_EXPERT),
    (b'f', Flags::NO_SPAMASSASSIN),
    (b'F', Flags::DELETE_SPAM),
    (b'm', Flags::NO_MAILDROP),
    (b'u', Flags::NO_DIALUP),
    (b'0', Flags::V_USER0),
    (b'1', Flags::V_USER1),
    (b'2', Flags::V_USER2),
    (b'3', Flags::V_USER3),
];

/// What is to be changed; a field that is `None` stays.
struct Changes {
    clear_flags: bool,
    flags: Flags,
    gecos: Option<Vec<u8>>,
    dir: Option<Vec<u8>>,
    password: Option<New>,
    quota: Option<Quota>,
}

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let word = match options.operand() {
        Some(word) if !options.has(b'h') => word,
        _ => return Err(Failure::usage(255, USAGE.text)),
    };
    let changes = Changes::read(io, &options)?;
    let accounts = io.accounts()?;
    for address in address::mailboxes(&accounts, &word)? {
        let found = accounts.find(address.name.as_str(), address.domain.as_str())?;
        if found.is_none() {
            return Err(Failure::said(255, format_args!("no such user {address}")));
        }
        changes.make(io, &accounts, &address)?;
        tell(
            io,
            &accounts,
            &Change::UserChanged(&address.domain, &address.name),
        )?;
    }
    Ok(Exit::OK)
}

impl Changes {
    fn read(io: &Io<'_>, options: &Options) -> Result<Self, Failure> {
        let mut flags = Flags::default();
        for (letter, flag) in FLAGS {
            if options.has(letter) {
                flags = flags | flag;
            }
        }
        // Who administers every domain is for root to say.
        if (options.has(b'S') || options.has(b'E')) && !nix::unistd::getuid().is_root() {
            return Err(Failure::said(255, "Error: -S and -E are for root only"));
        }
        let gecos = options.value(b'c').map(|word| {
            let text = word.as_bytes().iter().copied();
            text.filter(|&b| b != b':').collect::<Vec<u8>>()
        });
        if gecos.as_ref().is_some_and(|gecos| gecos.len() > MAX_GECOS) {
            return Err(Code::GecosTooLong.into());
        }
        let dir = options.value(b'D');
        if dir.is_some_and(|dir| dir.len() > MAX_DIR) {
            return Err(Code::DirTooLong.into());
        }
        if dir.is_some_and(|dir| !is_plain(Path::new(dir))) {
            let more = "-D: expected an absolute path without ..";
            return Err(Failure::code_with(Code::BadChar, more));
        }
        let stored = match (options.value(b'C'), options.text(b'e')?) {
            (Some(clear), _) => Some(hashed(io, &Clear::new(clear.as_bytes().to_vec()))?),
            (None, stored) => stored.map(|stored| New::stored(stored.to_owned())),
        };
        Ok(Self {
            clear_flags: options.has(b'x'),
            flags,
            gecos: gecos.filter(|gecos| !gecos.is_empty()),
            dir: dir.map(|dir| dir.as_bytes().to_vec()),
            password: stored,
            quota: options.text(b'q')?.map(quota).transpose()?,
        })
    }

    fn make(&self, io: &Io<'_>, accounts: &Accounts, address: &Address) -> Result<(), Failure> {
        accounts.edit_user(&address.domain, &address.name, |entry| self.apply(entry))?;
        if let Some(quota) = self.quota {
            let host = host();
            let set = (quota, io.unique(&host));
            accounts.set_quota(&address.domain, &address.name, set)?;
        }
        Ok(())
    }

    fn apply(&self, entry: &mut Entry) {
        if self.clear_flags {
            entry.flags = Flags::default();
        }
        entry.flags = entry.flags | self.flags;
        if let Some(gecos) = &self.gecos {
            entry.gecos.clone_from(gecos);
        }
        if let Some(dir) = &self.dir {
            entry.dir.clone_from(dir);
        }
        if let Some(password) = &self.password {
            entry.crypt = password.crypt.as_bytes().to_vec();
            let kept = password.kept.as_ref();
            entry.clear = kept.map(|kept| kept.expose().to_vec());
        }
    }
}

fn is_plain(path: &Path) -> bool {
    let climbs = |part| part == std::path::Component::ParentDir;
    path.is_absolute() && !path.components().any(climbs)
}
