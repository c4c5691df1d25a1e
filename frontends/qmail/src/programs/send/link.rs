//! qmail-send's end of the conversation with a spawner (qmail-send(8), spec §5.3).

use mta_core::queue::{Delivery, DeliveryId};
use mta_core::spawn::{Command, ReportReader, SlotReport};
use mta_store::queue::SPLIT;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// One spawner, and who has its slots.
#[derive(Debug)]
pub(super) struct Link {
    commands: File,
    reports: File,
    /// Written as far as the pipe has room.
    waiting: Vec<u8>,
    reader: ReportReader,
    slots: Vec<Option<DeliveryId>>,
    alive: bool,
}

/// What a report is about.
#[derive(Debug)]
pub(super) enum Heard {
    /// A delivery has ended.
    Ended(DeliveryId, SlotReport),
    /// The slot is nobody's.
    OutOfRange,
}

impl Link {
    pub(super) fn take((commands, reports): (i32, i32)) -> io::Result<Self> {
        Ok(Self {
            commands: sys::take(commands)?.into(),
            reports: sys::take(reports)?.into(),
            waiting: Vec::new(),
            reader: ReportReader::default(),
            slots: Vec::new(),
            alive: true,
        })
    }

    /// Waits for the byte that says how many deliveries the spawner runs at a time.
    pub(super) fn greeting(&mut self) -> io::Result<()> {
        let mut limit = [0];
        self.reports.read_exact(&mut limit)?;
        let [limit] = limit;
        self.slots = vec![None; usize::from(limit)];
        for file in [&self.commands, &self.reports] {
            let flags = OFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFL)?);
            fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        Ok(())
    }

    pub(super) fn limit(&self) -> usize {
        self.slots.len()
    }

    /// Asks for a delivery; false where no slot is free or the spawner is gone.
    pub(super) fn start(&mut self, delivery: &Delivery) -> bool {
        let free = self
            .slots
            .iter_mut()
            .zip(0_u8..)
            .find(|(slot, _)| slot.is_none());
        let (Some((slot, number)), Some(to), true) =
            (free, delivery.recipients.first(), self.alive)
        else {
            return false;
        };
        *slot = Some(delivery.delivery);
        let command = Command::new(number, (delivery.id, SPLIT), &delivery.sender, &to.address);
        self.waiting.extend(command.encode());
        true
    }

    pub(super) fn commands(&self) -> Option<BorrowedFd<'_>> {
        (self.alive && !self.waiting.is_empty()).then(|| self.commands.as_fd())
    }

    pub(super) fn reports(&self) -> Option<BorrowedFd<'_>> {
        self.alive.then(|| self.reports.as_fd())
    }

    /// Writes what the pipe has room for.
    ///
    /// # Errors
    /// Fails where the spawner is gone.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while self.alive && !self.waiting.is_empty() {
            match self.commands.write(&self.waiting) {
                Ok(n) => drop(self.waiting.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// Fails where the spawner is gone; what it said before is lost with it.
    pub(super) fn read(&mut self) -> io::Result<Vec<Heard>> {
        let mut heard = Vec::new();
        let mut piece = [0; 4096];
        let n = match self.reports.read(&mut piece) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => n,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => return Ok(heard),
                _ => return Err(error),
            },
        };
        let slots = &mut self.slots;
        self.reader
            .push(piece.get(..n).unwrap_or_default(), &mut |said| {
                let taken = slots.get_mut(usize::from(said.slot)).and_then(Option::take);
                heard
                    .push(taken.map_or(Heard::OutOfRange, |delivery| Heard::Ended(delivery, said)));
            });
        Ok(heard)
    }

    /// Gives the spawner up and returns the deliveries of which nothing will be heard.
    pub(super) fn lose(&mut self) -> Vec<DeliveryId> {
        self.alive = false;
        self.waiting.clear();
        self.slots.iter_mut().filter_map(Option::take).collect()
    }
}
