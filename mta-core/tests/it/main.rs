//! Integration tests of mta-core, one module per part.
#![cfg(test)]

mod abuse;
mod address;
mod assign;
mod bounce;
mod cdb;
mod control;
mod delivered;
mod dotqmail;
mod environment;
mod getpw;
mod inject;
mod log;
mod mx;
mod policy;
mod qregex;
mod queue;
mod rewrite;
mod schedule;
mod tcprules;
mod verp;
