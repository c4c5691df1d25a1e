//! What a client does with its maildrop: the commands of the transaction state (RFC 1939 §5, RFC 1460 for LAST).

use super::{Column, Job, Maildrop, Phase, Server};
use crate::pop3::command::Number;
use crate::pop3::{Event, Listing};
use crate::{Action, Ticket};
use bytes::BufMut;

impl Server {
    fn maildrop(&mut self) -> Option<&mut Maildrop> {
        match &mut self.phase {
            Phase::Transaction(maildrop) => Some(maildrop),
            Phase::Authorization { .. } => None,
        }
    }

    pub(super) fn stat(&mut self) {
        let Some(maildrop) = self.maildrop() else {
            return;
        };
        let (count, octets) = maildrop.listing.stat();
        self.ok(&format!("{count} {octets}"));
    }

    pub(super) fn list(&mut self, column: Column) {
        self.ok("list follows");
        self.job = Job::Scan(column, 0);
    }

    /// Writes lines of a listing until the output is full or the list is done.
    pub(super) fn scan(&mut self) {
        let Job::Scan(column, next) = self.job else {
            return;
        };
        let Phase::Transaction(maildrop) = &self.phase else {
            return;
        };
        let listing = &maildrop.listing;
        for index in next..listing.len() {
            if self.wire.output_full() {
                self.job = Job::Scan(column, index);
                return;
            }
            if listing.is_deleted(index) == Some(false) {
                put_entry(self.wire.output_mut(), listing, column, index);
            }
        }
        self.wire.output_mut().put_slice(b".\r\n");
        self.job = Job::Idle;
    }

    pub(super) fn list_one(&mut self, column: Column, number: Number) {
        let Some(index) = self.existing(number) else {
            return;
        };
        if let Phase::Transaction(maildrop) = &self.phase {
            self.wire.output_mut().put_slice(b"+OK ");
            put_entry(self.wire.output_mut(), &maildrop.listing, column, index);
        }
    }

    /// Finds an undeleted message by its number, or says why there is none.
    fn existing(&mut self, Number(number): Number) -> Option<usize> {
        let maildrop = self.maildrop()?;
        let Some(index) = number.checked_sub(1) else {
            self.err("messages are counted from 1");
            return None;
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        match maildrop.listing.is_deleted(index) {
            Some(false) => return Some(index),
            Some(true) => self.err("already deleted"),
            None => self.err("not that many messages"),
        }
        None
    }

    pub(super) fn retrieve(&mut self, number: Number, lines: Option<u64>) -> Option<Action<Event>> {
        let index = u32::try_from(self.existing(number)?).ok()?;
        let maildrop = self.maildrop()?;
        if lines.is_none() {
            maildrop.last = maildrop.last.max(number.0);
        }
        let serial = self.next_serial();
        self.job = Job::Open(serial, lines);
        Some(Action::Event(Event::Open {
            index,
            lines,
            ticket: Ticket::new(serial),
        }))
    }

    pub(super) fn delete(&mut self, number: Number) {
        let Some(index) = self.existing(number) else {
            return;
        };
        if let Some(maildrop) = self.maildrop() {
            maildrop.listing.delete(index);
            maildrop.last = maildrop.last.max(number.0);
        }
        self.ok("deleted");
    }

    pub(super) fn tell_last(&mut self) {
        let last = self.maildrop().map_or(0, |maildrop| maildrop.last);
        self.ok(&last.to_string());
    }

    pub(super) fn reset(&mut self) {
        if let Some(maildrop) = self.maildrop() {
            maildrop.listing.undelete_all();
            maildrop.last = 0;
        }
        self.ok("nothing is deleted");
    }

    pub(super) fn quit(&mut self) -> Option<Action<Event>> {
        let deleted = self.maildrop()?.listing.deleted();
        let serial = self.next_serial();
        self.job = Job::Update(serial);
        Some(Action::Event(Event::Quit {
            deleted,
            ticket: Ticket::new(serial),
        }))
    }
}

fn put_entry(output: &mut impl BufMut, listing: &Listing, column: Column, index: usize) {
    output.put_slice((index + 1).to_string().as_bytes());
    output.put_slice(b" ");
    match column {
        Column::Size => {
            let size = listing.size(index).unwrap_or(0);
            output.put_slice(size.to_string().as_bytes());
        }
        Column::Uid => output.put_slice(listing.uid(index).unwrap_or_default()),
    }
    output.put_slice(b"\r\n");
}
