//! Programs of vpopmail, called in-process and as processes.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod domains;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod upkeep;
#[cfg(test)]
mod vchkpw;
#[cfg(test)]
mod vdelivermail;
