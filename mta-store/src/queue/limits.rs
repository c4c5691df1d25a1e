//! The bounds on what a queue file may hold (qmail-queue(8), RFC 5321 §4.5.3.1).

/// The longest address that is written: qmail-queue refuses one of 1003 bytes.
pub const ADDRESS: usize = 1002;

/// The longest record that is read from an envelope, with its letter and without its NUL.
pub const RECORD: usize = 8192;

/// The most recipients of one message, written or read.
pub const RECIPIENTS: u64 = 4_000_000;

/// The most bytes of an envelope that are read.
pub const ENVELOPE: u64 = 1 << 32;

/// The most bytes of info/ID that are read.
pub const INFO: usize = RECORD + 1;

/// The most bytes of failure text that go into one bounce; what is beyond is left out.
pub const BOUNCE: usize = 1 << 20;

/// How many orders about other routes one message keeps.
pub const REROUTES: usize = 100;

/// The first bytes of a message that identify it: its Received line, cut here.
pub const RECEIVED: usize = 4096;

/// How many bytes of a message are collected before they are written.
pub const WRITE_BUFFER: usize = 32 * 1024;

/// The age in seconds from which a message without envelope belongs to nobody (qmail-send: 36 h).
pub const ABANDONED: u64 = 129_600;

/// How many inodes with taken numbers are passed over for one message.
pub const PASSED_OVER: usize = 64;

/// How many names in pid/ are tried for one message: a process that died may have left some with
/// our process number and second.
pub const NAMES: usize = 10_000;

/// How many files are kept ready while many write: a few for each directory.
pub const STOCK: usize = 138;

/// From how many writers at a time files are made in stock.
pub const STOCK_FROM: usize = 6;

/// The age in seconds from which a file in stock is not used any more: long before anybody could
/// take it for abandoned.
pub const STOCK_AGE: u64 = 3600;
