//! Tests of accounts and passwords in vpopmail's layout (vchkpw(8), vadddomain(8)).

mod dir_control;
mod names;
mod password;
mod vpasswd;
