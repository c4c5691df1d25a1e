//! The programs as black boxes: descriptors, environment, exit codes, texts (spec qmail §1, §4, §6.8, §11.5).
#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod accounts;
mod chain;
mod home;
mod inject;
mod injecting;
mod install;
mod kit;
mod local;
mod maildir2mbox;
mod original;
mod pop3;
mod qmqp;
mod qmtp;
mod queue;
mod receipts;
mod remote;
mod remote_hosts;
mod running;
mod sendmail;
mod server;
mod smtpd;
mod smtpd_policy;
mod spawners;
mod tables;
mod tcpto;
