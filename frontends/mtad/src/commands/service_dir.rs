//! `mtad service-dir`: service directories for svscan and runsv (supervise(8), multilog(8), runsv(8)).

use crate::Failure;
use crate::cli::ServiceDir;
use crate::home::Home;
use nix::unistd::{User, chown, geteuid};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Who logs, and who takes mail, where no account is named.
const LOGGER: &str = "qmaill";
const SERVER: &str = "qmaild";

/// The accounts of a set; `None` is whoever starts it.
struct Accounts {
    logger: Option<User>,
    server: Option<User>,
}

/// Writes the directories and says which on `out`.
pub(super) fn run(home: &Home, arguments: &ServiceDir, out: &mut dyn Write) -> Result<(), Failure> {
    let root = absolute(home.root())?;
    let accounts = accounts(arguments)?;
    if arguments.programs {
        let rc = root.join("rc");
        write_program(&rc, &rc_script(&quoted(&root)?))?;
        writeln!(out, "{}", rc.display())?;
    }
    fs::create_dir_all(&arguments.dir)
        .map_err(|error| Failure::file("make", &arguments.dir, &error))?;
    for (name, script) in scripts(&root, arguments, &accounts)? {
        let dir = arguments.dir.join(name);
        make(&dir, &script, accounts.logger.as_ref())?;
        writeln!(out, "{}", dir.display())?;
    }
    Ok(())
}

fn accounts(arguments: &ServiceDir) -> Result<Accounts, Failure> {
    if !geteuid().is_root() {
        let (logger, server) = (None, None);
        return Ok(Accounts { logger, server });
    }
    let named = arguments.account.as_deref();
    let server = match arguments.programs {
        true => Some(account(named.unwrap_or(SERVER))?),
        false => None,
    };
    let logger = Some(account(named.unwrap_or(LOGGER))?);
    Ok(Accounts { logger, server })
}

fn account(name: &str) -> Result<User, Failure> {
    let found = User::from_name(name).map_err(|error| {
        Failure::temporary(format!("unable to look up the account {name}: {error}"))
    })?;
    found.ok_or_else(|| {
        Failure::permanent(format!(
            "expected an account {name} on this host; see mtad host-users, or name another with --account"
        ))
    })
}

/// The services with their `run`.
fn scripts(
    root: &Path,
    arguments: &ServiceDir,
    accounts: &Accounts,
) -> Result<Vec<(&'static str, String)>, Failure> {
    let home = quoted(root)?;
    if !arguments.programs {
        let program = std::env::current_exe()
            .map_err(|error| Failure::temporary(format!("unable to find this program: {error}")))?;
        let program = quoted(&program)?;
        let run = format!(
            "#!/bin/sh\n# MTAD_OPTIONS are further arguments, such as --smtp 0.0.0.0:25.\nexec 2>&1\n\
             exec {program} --home {home} serve ${{MTAD_OPTIONS-}}\n"
        );
        return Ok(vec![("mtad", run)]);
    }
    let smtpd = server_script(&home, accounts.server.as_ref());
    Ok(vec![
        ("qmail", format!("#!/bin/sh\nexec 2>&1\nexec {home}/rc\n")),
        ("qmail-smtpd", smtpd("tcpserver", "smtp")),
        ("qmail-smtpd-ssl", smtpd(&with_tls(&home), "smtps")),
        ("qmail-pop3d", pop3d(&home, "tcpserver", "pop3")),
        ("qmail-pop3d-ssl", pop3d(&home, &with_tls(&home), "pop3s")),
    ])
}

fn with_tls(home: &str) -> String {
    format!("tcpserver-ssl -s -n {home}/control/servercert.pem")
}

fn beginning(home: &str, port: &str) -> String {
    format!(
        "#!/bin/sh\n# LISTEN and PORT in the environment go before what stands here.\nexec 2>&1\n\
         cd {home} || exit 111\nMTA_HOME={home} PATH={home}/bin:/usr/local/bin:/usr/bin:/bin\n\
         export MTA_HOME PATH\nlisten=${{LISTEN-0}} port=${{PORT-{port}}}\n"
    )
}

/// Relay rules come from etc/tcp.smtp.cdb; without it nobody may relay.
fn server_script(home: &str, server: Option<&User>) -> impl Fn(&str, &str) -> String {
    let home = home.to_owned();
    let drop = server.map_or_else(String::new, |user| {
        format!(" -u {} -g {}", user.uid, user.gid)
    });
    move |tcpserver, port| {
        let begin = beginning(&home, port);
        format!(
            "{begin}exec {tcpserver} -v -R -H -l \"$(head -n 1 control/me)\" -X -x etc/tcp.smtp.cdb{drop} \
             \"$listen\" \"$port\" qmail-smtpd\n"
        )
    }
}

/// As root, so that vchkpw can become who logs in. Its line about that goes to the log by 4.
fn pop3d(home: &str, tcpserver: &str, port: &str) -> String {
    let begin = beginning(home, port);
    format!(
        "{begin}me=$(head -n 1 control/me)\nexec {tcpserver} -v -R -H -l \"$me\" \"$listen\" \"$port\" \
         qmail-popup \"$me\" vchkpw \\\n    sh -c 'echo \"vchkpw: $USER login\" >&4; exec qmail-pop3d Maildir' 4>&1\n"
    )
}

fn rc_script(home: &str) -> String {
    format!(
        "#!/bin/sh\n# Starts qmail. The argument is what an account without a .qmail file gets.\n\
         exec env - MTA_HOME={home} PATH={home}/bin:/usr/bin:/bin qmail-start ./Maildir/\n"
    )
}

/// multilog where there is daemontools, else runit's svlogd; both stamp with TAI64N.
fn log_script(logger: Option<&User>) -> String {
    let (setuidgid, chpst) = logger.map_or_else(Default::default, |user| {
        let name = &user.name;
        (format!("setuidgid {name} "), format!("chpst -u {name} "))
    });
    format!(
        "#!/bin/sh\ncommand -v multilog >/dev/null && exec {setuidgid}multilog t ./main\n\
         exec {chpst}svlogd -t ./main\n"
    )
}

/// Makes one service. It appears under its name once it is complete: svscan may be looking.
fn make(dir: &Path, script: &str, logger: Option<&User>) -> Result<(), Failure> {
    if fs::symlink_metadata(dir).is_ok() {
        let shown = dir.display();
        return Err(Failure::permanent(format!(
            "{shown}: expected nothing here, remove it first"
        )));
    }
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    // svscan and runsvdir leave names with a dot alone.
    let draft = dir.with_file_name(format!(".{name}.new"));
    // What an attempt left that did not come to its end.
    let _ = fs::remove_dir_all(&draft);
    make_dir(&draft, 0o755)?;
    make_dir(&draft.join("log"), 0o755)?;
    let main = draft.join("log/main");
    make_dir(&main, 0o700)?;
    if let Some(user) = logger {
        chown(&main, Some(user.uid), Some(user.gid))
            .map_err(|error| Failure::file("give away", &main, &error.into()))?;
    }
    write_program(&draft.join("log/run"), &log_script(logger))?;
    write_program(&draft.join("run"), script)?;
    fs::rename(&draft, dir).map_err(|error| Failure::file("make", dir, &error))
}

/// Whatever the umask is: who logs has to find its way.
fn make_dir(path: &Path, mode: u32) -> Result<(), Failure> {
    let made = fs::create_dir(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
    made.map_err(|error| Failure::file("make", path, &error))
}

fn write_program(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    let written = opened.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(0o755))
    });
    written.map_err(|error| Failure::file("write", path, &error))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    fs::canonicalize(path).map_err(|error| Failure::file("find", path, &error))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().filter(|text| !text.contains('\n'));
    let text = text.ok_or_else(|| {
        Failure::permanent(format!("{}: expected a path in UTF-8", path.display()))
    })?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+".contains(&b);
    if text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}
