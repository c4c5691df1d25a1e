//! Tests of accounts and passwords in vpopmail's layout (vchkpw(8), vadddomain(8)).

#[cfg(test)]
mod checkpassword;
mod dir_control;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod maildir_quota;
#[cfg(test)]
mod names;
#[cfg(test)]
mod password;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod sasl;
#[cfg(test)]
mod throttle;
#[cfg(test)]
mod vpasswd;
#[cfg(test)]
mod vpopmail;
#[cfg(test)]
mod vpopmail_changes;
#[cfg(test)]
mod vpopmail_crash;
