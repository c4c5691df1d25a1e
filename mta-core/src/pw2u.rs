//! users/assign made of the account file: who gets mail under which names (qmail-pw2u(8), spec §2.5).

use crate::control::rules;
use std::collections::HashMap;

/// What to do about home directories.
#[expect(
    clippy::exhaustive_enums,
    reason = "the program has these three options"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Homes {
    /// Leave out a user whose home is missing or not his own (`-o`).
    #[default]
    Skip,
    /// A missing home is an error; one that is not the user's own is left out (`-h`).
    Demand,
    /// Do not look (`-H`).
    Ignore,
}

/// The choices of the command line.
#[expect(
    clippy::exhaustive_structs,
    reason = "the program fills in every option"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// About home directories.
    pub homes: Homes,
    /// Take users with upper-case letters too (`-u`).
    pub upper_case: bool,
    /// Extensions are looked up in a directory of their own: dash is `-/` (`-/`).
    pub slash: bool,
    /// What separates a name from an extension; `None` makes no lines for extensions (`-c`, `-C`).
    pub separator: Option<u8>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            homes: Homes::default(),
            upper_case: false,
            slash: false,
            separator: Some(b'-'),
        }
    }
}

/// The files in users/ that say more; `None` where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the program fills in every file")]
pub struct Files {
    /// `include`: nobody else.
    pub include: Option<Vec<u8>>,
    /// `exclude`: not these.
    pub exclude: Option<Vec<u8>>,
    /// `mailnames`: `user:name:name`, other names than the user's own.
    pub mailnames: Option<Vec<u8>>,
    /// `subusers`: `sub:user:pre:`, further names whose mail goes to extensions of a user.
    pub subusers: Option<Vec<u8>>,
    /// `append`: lines that are taken as they are.
    pub append: Option<Vec<u8>>,
}

/// Why no file is made; the administrator is to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Pw2uError {
    /// A home could not be looked at, or is missing where it is demanded.
    #[error("unable to stat {}", String::from_utf8_lossy(.0))]
    Home(Vec<u8>),
    /// The account file has no user alias, or he was left out.
    #[error("unable to find alias user")]
    NoAlias,
    /// A line of `subusers` names a user that has no line.
    #[error("unable to find {} user for subuser", String::from_utf8_lossy(.0))]
    NoUser(Vec<u8>),
}

/// The user who gets the mail of nobody else.
const ALIAS: &[u8] = b"alias";

/// Makes users/assign of the lines of an account file (passwd(5)). `owner` tells who owns a
/// directory, `None` where there is none, and fails where that cannot be told.
///
/// # Errors
/// Fails where a home cannot be looked at or a user is missing that must be there.
///
/// ```
/// use mta_core::pw2u::{Files, Options, assign};
/// let passwd = b"alias:*:64010:65534::/var/qmail/alias:/bin/true\njoe:*:1000:100::/home/joe:/bin/sh\n";
/// let owner = |home: &[u8]| Ok::<_, ()>(Some(if home == b"/home/joe" { 1000 } else { 64010 }));
/// let text = assign(passwd, &Files::default(), Options::default(), owner).unwrap();
/// assert!(text.ends_with(b"=joe:joe:1000:100:/home/joe:::\n+joe-:joe:1000:100:/home/joe:-::\n.\n"));
/// ```
pub fn assign<E>(
    passwd: &[u8],
    files: &Files,
    options: Options,
    owner: impl FnMut(&[u8]) -> Result<Option<u32>, E>,
) -> Result<Vec<u8>, Pw2uError> {
    let mut maker = Maker {
        include: files.include.as_deref().map(names),
        exclude: files.exclude.as_deref().map(names),
        mailnames: files.mailnames.as_deref().map(names).unwrap_or_default(),
        options,
        owner,
        users: HashMap::new(),
        out: Vec::new(),
    };
    for line in passwd.split(|&b| b == b'\n') {
        maker.account(line)?;
    }
    if !maker.users.contains_key(ALIAS) {
        return Err(Pw2uError::NoAlias);
    }
    let subusers = files.subusers.as_deref().unwrap_or_default();
    for line in subusers.split(|&b| b == b'\n') {
        maker.subuser(line)?;
    }
    maker
        .out
        .extend_from_slice(files.append.as_deref().unwrap_or_default());
    maker.out.extend_from_slice(b".\n");
    Ok(maker.out)
}

/// A list file as a map from lower-case names to what stands behind their first colon.
fn names(text: &[u8]) -> HashMap<Vec<u8>, Vec<u8>> {
    let lines = rules::lines(text).map(|(_, line)| match rules::colon(line) {
        Some((name, rest)) => (name.to_ascii_lowercase(), rest.to_vec()),
        None => (line.to_ascii_lowercase(), Vec::new()),
    });
    lines.collect()
}

struct Maker<F> {
    include: Option<HashMap<Vec<u8>, Vec<u8>>>,
    exclude: Option<HashMap<Vec<u8>, Vec<u8>>>,
    mailnames: HashMap<Vec<u8>, Vec<u8>>,
    options: Options,
    owner: F,
    /// `:user:uid:gid:home:` of everybody who has a line, by name in lower case.
    users: HashMap<Vec<u8>, Vec<u8>>,
    out: Vec<u8>,
}

impl<E, F: FnMut(&[u8]) -> Result<Option<u32>, E>> Maker<F> {
    /// Lines that are not of the file's form are passed over, as the original does.
    fn account(&mut self, line: &[u8]) -> Result<(), Pw2uError> {
        let mut fields = line.splitn(7, |&b| b == b':');
        let mut field = || fields.next();
        let (Some(user), Some(_), Some(uid), Some(gid), Some(_), Some(home), Some(_)) = (
            field(),
            field(),
            field(),
            field(),
            field(),
            field(),
            field(),
        ) else {
            return Ok(());
        };
        let Some(number) = rules::number(uid).filter(|&number| number != 0) else {
            return Ok(());
        };
        if line.contains(&0) || !self.is_wanted(user) || !self.has_home(number, home)? {
            return Ok(());
        }
        let data = [b"".as_slice(), user, uid, gid, home, b""].join(&b':');
        if user == ALIAS {
            self.line(b'+', &[], &data, self.dash(), b"");
        }
        let other = self.mailnames.get(&user.to_ascii_lowercase()).cloned();
        for name in other.as_deref().unwrap_or(user).split(|&b| b == b':') {
            if !name.is_empty() {
                self.line(b'=', name, &data, b"", b"");
                self.extensions(name, &data, b"");
            }
        }
        self.users.insert(user.to_ascii_lowercase(), data);
        Ok(())
    }

    fn is_wanted(&self, user: &[u8]) -> bool {
        let key = user.to_ascii_lowercase();
        let listed = |list: &HashMap<Vec<u8>, Vec<u8>>| list.contains_key(&key);
        (self.options.upper_case || key == user)
            && self.include.as_ref().is_none_or(listed)
            && !self.exclude.as_ref().is_some_and(listed)
    }

    fn has_home(&mut self, uid: u64, home: &[u8]) -> Result<bool, Pw2uError> {
        if self.options.homes == Homes::Ignore {
            return Ok(true);
        }
        let bad = || Pw2uError::Home(home.to_vec());
        match (self.owner)(home).map_err(|_| bad())? {
            Some(owner) => Ok(u64::from(owner) == uid),
            None if self.options.homes == Homes::Demand => Err(bad()),
            None => Ok(false),
        }
    }

    fn subuser(&mut self, line: &[u8]) -> Result<(), Pw2uError> {
        let mut fields = line.splitn(4, |&b| b == b':');
        let mut field = || fields.next();
        let (Some(sub), Some(user), Some(pre), Some(_)) = (field(), field(), field(), field())
        else {
            return Ok(());
        };
        let data = self.users.get(&user.to_ascii_lowercase()).cloned();
        let data = data.ok_or_else(|| Pw2uError::NoUser(user.to_vec()))?;
        self.line(b'=', sub, &data, self.dash(), pre);
        let pre = [pre, b"-"].concat();
        self.extensions(sub, &data, &pre);
        Ok(())
    }

    const fn dash(&self) -> &'static [u8] {
        if self.options.slash { b"-/" } else { b"-" }
    }

    fn extensions(&mut self, name: &[u8], data: &[u8], pre: &[u8]) {
        if let Some(separator) = self.options.separator {
            let name = [name, &[separator]].concat();
            self.line(b'+', &name, data, self.dash(), pre);
        }
    }

    fn line(&mut self, mark: u8, name: &[u8], data: &[u8], dash: &[u8], ext: &[u8]) {
        self.out.push(mark);
        for part in [name, data, dash, b":", ext, b":\n"] {
            self.out.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0::/root:/bin/sh\nalias:x:7:8::/a:\nJoe:x:10:20::/j:\n\
        ann:x:11:20:Ann:/ann:/bin/sh\nlost:x:12:20::/none:\nguest:x:13:20::/a:\nbad line\nshort:x:1:1\n";

    fn owner(home: &[u8]) -> Result<Option<u32>, ()> {
        match home {
            b"/a" => Ok(Some(7)),
            b"/j" => Ok(Some(10)),
            b"/ann" => Ok(Some(11)),
            _ => Ok(None),
        }
    }

    const ALIAS_LINES: &str =
        "+:alias:7:8:/a:-::\n=alias:alias:7:8:/a:::\n+alias-:alias:7:8:/a:-::\n";

    fn made(files: &Files, options: Options) -> String {
        String::from_utf8(assign(PASSWD, files, options, owner).unwrap()).unwrap()
    }

    fn list(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn users_get_their_lines_and_others_none() {
        let ann = "=ann:ann:11:20:/ann:::\n+ann-:ann:11:20:/ann:-::\n";
        let none = Files::default();
        assert_eq!(
            made(&none, Options::default()),
            format!("{ALIAS_LINES}{ann}.\n")
        );
        let upper = made(
            &none,
            Options {
                upper_case: true,
                ..Options::default()
            },
        );
        assert!(upper.contains("=Joe:Joe:10:20:/j:::\n"), "{upper}");
        let all = made(
            &none,
            Options {
                homes: Homes::Ignore,
                ..Options::default()
            },
        );
        assert!(all.contains("=lost:") && all.contains("=guest:"), "{all}");
        let excluded = Files {
            exclude: list("ann\n"),
            ..Files::default()
        };
        assert_eq!(
            made(&excluded, Options::default()),
            format!("{ALIAS_LINES}.\n")
        );
        let included = Files {
            include: list("ALIAS\n"),
            ..Files::default()
        };
        assert_eq!(
            made(&included, Options::default()),
            format!("{ALIAS_LINES}.\n")
        );
    }

    #[test]
    fn files_change_names_and_add_lines() {
        let files = Files {
            mailnames: list("ann::a.b:ab\n"),
            subusers: list("list:ann:l:\n"),
            append: list("=x:y\n"),
            ..Files::default()
        };
        let text = made(
            &files,
            Options {
                slash: true,
                ..Options::default()
            },
        );
        let want = "=a.b:ann:11:20:/ann:::\n+a.b-:ann:11:20:/ann:-/::\n=ab:ann:11:20:/ann:::\n\
            +ab-:ann:11:20:/ann:-/::\n=list:ann:11:20:/ann:-/:l:\n+list-:ann:11:20:/ann:-/:l-:\n=x:y\n.\n";
        assert!(text.ends_with(want), "{text}");
        let bare = made(
            &Files::default(),
            Options {
                separator: None,
                ..Options::default()
            },
        );
        assert_eq!(bare.matches('+').count(), 1, "{bare}");
        let plus = made(
            &Files::default(),
            Options {
                separator: Some(b'+'),
                ..Options::default()
            },
        );
        assert!(plus.contains("+ann+:ann:"), "{plus}");
    }

    #[test]
    fn what_is_missing_is_told() {
        let run = |passwd: &[u8], files: &Files, homes| {
            assign(
                passwd,
                files,
                Options {
                    homes,
                    ..Options::default()
                },
                owner,
            )
        };
        let none = Files::default();
        assert_eq!(run(b"", &none, Homes::Skip), Err(Pw2uError::NoAlias));
        assert_eq!(
            run(PASSWD, &none, Homes::Demand),
            Err(Pw2uError::Home(b"/none".to_vec()))
        );
        let files = Files {
            subusers: list("s:who:p:\n"),
            ..Files::default()
        };
        assert_eq!(
            run(PASSWD, &files, Homes::Skip),
            Err(Pw2uError::NoUser(b"who".to_vec()))
        );
    }
}
