//! Integration tests of mta-core, one module per part.
#![cfg(test)]

mod assign;
mod cdb;
mod control;
mod log;
mod mx;
mod queue;
mod rewrite;
