//! The file queue/lock/tcpto, locked for each look and each note (qmail-tcpto(8), spec §3.6).

use driver::Clock;
use mta_core::tcpto::{Advice, TABLE, Table};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// Where the file lies. Where it cannot be used, nothing is remembered: it only saves time.
///
/// Its records have room for IPv4 addresses, so others are always tried.
#[derive(Debug)]
pub(super) struct Tcpto {
    path: PathBuf,
}

impl Tcpto {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Tells whether to try an address now.
    pub(super) fn advice(&self, address: IpAddr) -> Advice {
        let read = v4(address).and_then(|ip| Some((ip, self.open()?.1)));
        read.map_or(Advice::Unknown, |(ip, table)| {
            table.advice(ip, Clock::unix(), std::process::id())
        })
    }

    pub(super) fn timed_out(&self, address: IpAddr) {
        self.note(address, |table, ip| table.timed_out(ip, Clock::unix()));
    }

    pub(super) fn answered(&self, address: IpAddr) {
        self.note(address, Table::answered);
    }

    fn note(&self, address: IpAddr, change: impl FnOnce(&mut Table, Ipv4Addr)) {
        let Some((ip, (mut file, mut table))) = v4(address).zip(self.open()) else {
            return;
        };
        change(&mut table, ip);
        // A note that is lost costs a connection attempt.
        let _ = file
            .rewind()
            .and_then(|()| file.write_all(table.as_bytes()));
    }

    /// The file, locked until it is dropped, and what it holds.
    fn open(&self) -> Option<(File, Table)> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.path);
        let mut file = opened.ok()?;
        file.lock().ok()?;
        let mut contents = Vec::new();
        let mut all = Read::by_ref(&mut file).take(TABLE as u64);
        all.read_to_end(&mut contents).ok()?;
        let table = Table::parse(&contents)?;
        Some((file, table))
    }
}

const fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}
