//! The real program over loopback: sessions, deliveries, commands, damage and the end (issue: how it must be tested).
#![cfg(test)]

mod abuse;
mod bad_input;
mod check;
mod checkpassword;
mod commands;
mod delivery;
mod dsn;
mod fetching;
mod idle;
mod kit;
mod lifetime;
mod local;
mod local_root;
mod logins;
mod orders;
mod proxy;
mod qmail_protocols;
mod queue_program;
mod remote;
mod roaming;
mod route;
mod rules;
mod scram;
mod sessions;
mod submission;
mod supervisor;
mod system;
mod tls;
mod tls_check;
mod tls_remote;
mod vpopmail;
mod why;
mod xclient;
