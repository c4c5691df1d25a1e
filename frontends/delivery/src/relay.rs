//! Making tcpserver's rules anew: here, or by the program that the settings name (tcprules(1), spec §5).

use crate::local::Accounts;
use mta_auth::Settings;
use mta_auth::vpopmail::{AccountError, rules_cdb};
use std::io::Write;
use std::process::{Command, Stdio};

/// Compiles the rules. What a program leaves behind when it fails are the old ones.
///
/// # Errors
/// Passes on why a file cannot be written, which line is no rule, or how the program ended.
pub fn rebuild(
    accounts: &Accounts,
    settings: &Settings,
    source: &[u8],
) -> Result<(), AccountError> {
    let Some(program) = &settings.tcprules_prog else {
        return accounts.publish_rules(settings, source);
    };
    let cdb = rules_cdb(&accounts.rules_file(settings));
    let scratch = cdb.with_extension(format!("tmp.{}", std::process::id()));
    let trouble = |source| AccountError::Io {
        doing: "running",
        path: program.clone(),
        source,
    };
    let mut child = Command::new(program)
        .args([&cdb, &scratch])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(trouble)?;
    let fed = child
        .stdin
        .take()
        .map_or(Ok(()), |mut input| input.write_all(source));
    let ended = child.wait().map_err(trouble)?;
    if !ended.success() || fed.is_err() {
        // The scratch file of rules that did not parse is nobody's.
        let _ = std::fs::remove_file(&scratch);
        return Err(trouble(std::io::Error::other(format!(
            "it ended with {ended}"
        ))));
    }
    Ok(())
}
