//! The invariants of ARCHITECTURE.md, each as a test that fails when it is broken.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod authority;
mod dependencies;
mod limits;
mod purity;
mod sources;
