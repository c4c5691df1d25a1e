//! Everything that mta-store promises, asked from outside (INTERNALS, maildir(5)).

#[cfg(test)]
mod atomic;
#[cfg(test)]
mod cdb_writer;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod files;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod life;
#[cfg(test)]
mod log;
#[cfg(test)]
mod log_ledger;
#[cfg(test)]
mod lying;
#[cfg(test)]
mod maildir;
#[cfg(test)]
mod maildir_crash;
#[cfg(test)]
mod mbox;
#[cfg(test)]
mod mbox_crash;
#[cfg(test)]
mod queue;
