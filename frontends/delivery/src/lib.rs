//! What mtad and qmail's programs share of a delivery, so that both do the same (qmail-rspawn(8), qmail-remote(8)).
//!
//! It decides nothing about mail, which mta-core does: it joins those decisions to interfaces and
//! name servers.

pub mod remote;
