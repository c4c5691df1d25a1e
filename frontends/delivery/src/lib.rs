//! What mtad and qmail's programs share of a delivery, so that both do the same (qmail-local(8), qmail-remote(8)).
//!
//! It decides nothing about mail, which mta-core does: it joins those decisions to files, programs,
//! interfaces and name servers.

pub mod dates;
pub mod local;
pub mod relay;
pub mod remote;
