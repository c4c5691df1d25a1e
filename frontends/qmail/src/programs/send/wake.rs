//! What wakes qmail-send besides reports: the trigger, signals, the passing of time (qmail-send(8), spec §3.5, §5.6).

use mta_store::files::RealFiles;
use mta_store::queue::Queue;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

/// How often todo/ is looked at without a pull.
const SCAN: Duration = Duration::from_secs(1500);
/// How often abandoned messages are looked for.
const REAP: Duration = Duration::from_secs(76_431);
/// After a scan, pulls wait so many times as long as it took.
const SHARE: u32 = 10;
/// How long to wait where a directory cannot be read.
pub(super) const SLEEP: Duration = Duration::from_secs(10);

/// What is heard from outside, and when to look without being told.
#[derive(Debug)]
pub(super) struct Wake {
    trigger: File,
    signals: SignalFd,
    pulled: bool,
    next_scan: Instant,
    /// Pulls before this time wait.
    breath: Instant,
    next_reap: Instant,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// SIGALRM
    RetryAll,
    /// SIGHUP
    Reread,
    /// SIGTERM
    Exit,
}

impl Wake {
    /// Listens from here on; the first scan and the first look for abandoned messages are due now.
    ///
    /// # Errors
    /// Fails where the trigger cannot be opened.
    pub(super) fn begin(queue: &Queue<RealFiles>) -> io::Result<Self> {
        // The signals are blocked and read; a child of ours starts with none blocked.
        let ours = [Signal::SIGALRM, Signal::SIGHUP, Signal::SIGTERM];
        let ours: SigSet = ours.into_iter().collect();
        ours.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let now = Instant::now();
        Ok(Self {
            // Open for writing too, so that the last writer's close does not look like an end.
            trigger: OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(OFlag::O_NONBLOCK.bits())
                .open(queue.layout().trigger())?,
            signals: SignalFd::with_flags(&ours, flags)?,
            pulled: true,
            next_scan: now,
            breath: now,
            next_reap: now,
        })
    }

    pub(super) fn trigger(&self) -> BorrowedFd<'_> {
        self.trigger.as_fd()
    }

    pub(super) fn signals(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }

    /// Takes the pulls in.
    pub(super) fn drain(&mut self) {
        let mut pulls = [0; 512];
        while self.trigger.read(&mut pulls).is_ok_and(|n| n > 0) {}
        self.pulled = true;
    }

    /// Returns the next order.
    pub(super) fn order(&mut self) -> Option<Order> {
        let info = self.signals.read_signal().ok().flatten()?;
        let number = i32::try_from(info.ssi_signo).ok()?;
        Some(match Signal::try_from(number).ok()? {
            Signal::SIGALRM => Order::RetryAll,
            Signal::SIGHUP => Order::Reread,
            _ => Order::Exit,
        })
    }

    /// Tells whether todo/ is to be looked at now.
    pub(super) fn is_scan_due(&self, now: Instant) -> bool {
        now >= self.next_scan || (self.pulled && now >= self.breath)
    }

    /// Notes a look at todo/ that began at `began`. It costs more the longer todo/ is, so that a
    /// flood of pulls is answered by few of them.
    pub(super) fn scanned(&mut self, began: Instant) {
        let now = Instant::now();
        self.pulled = false;
        self.next_scan = now + SCAN;
        self.breath = now + now.saturating_duration_since(began) * SHARE;
    }

    /// Notes that todo/ cannot be read.
    pub(super) fn scan_later(&mut self) {
        let later = Instant::now() + SLEEP;
        (self.pulled, self.next_scan, self.breath) = (true, later, later);
    }

    /// Tells whether abandoned messages are to be looked for, once.
    pub(super) fn take_reap(&mut self, now: Instant) -> bool {
        let due = now >= self.next_reap;
        if due {
            self.next_reap = now + REAP;
        }
        due
    }

    /// How long nothing of this is due.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        let scan = if self.pulled {
            self.next_scan.min(self.breath)
        } else {
            self.next_scan
        };
        scan.min(self.next_reap).saturating_duration_since(now)
    }
}
