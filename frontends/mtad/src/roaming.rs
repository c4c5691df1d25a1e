//! Who fetched mail may send for a while: kept while the server runs, and written where vchkpw and tcpserver look (vchkpw(8), clearopensmtp(8)).
//!
//! A login of ours is in force at once and then recorded in `etc/open-smtp`. Before a connection is
//! judged that file is read again if it changed, so that logins through vchkpw count, and what was
//! removed from it does not.

use crate::accounts::Accounts;
use crate::config::Testing;
use crate::server::{Server, Snapshot};
use delivery::relay::rebuild;
use driver::Clock;
use mta_auth::Settings;
use mta_auth::open_smtp::{is_openable, opens};
use mta_auth::relay_windows::RelayWindows;
use mta_auth::vpopmail::{AccountError, Mailbox, Service};
use mta_core::Unix;
use mta_store::files::Stat;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// A file that was written so lately may change again without looking otherwise.
const UNSETTLED: u64 = 2;
/// The seconds between two looks whether a window is over: the shortest and the longest pause.
const PAUSES: [u64; 2] = [1, 5];

/// The windows of a running server.
#[derive(Debug)]
pub(crate) struct Roaming {
    accounts: Arc<Accounts>,
    snapshot: Arc<RwLock<Arc<Snapshot>>>,
    loopback: Loopback,
    list: Mutex<List>,
}

/// Whether a login from this machine opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loopback {
    Closed,
    /// Only where tests say that it stands for remote hosts.
    Remote,
}

#[derive(Debug, Default)]
struct List {
    windows: RelayWindows,
    /// The file as it was when it was read; `None` where it has to be read.
    read: Option<Option<Stat>>,
}

impl Roaming {
    pub(crate) fn new(
        accounts: &Arc<Accounts>,
        snapshot: &Arc<RwLock<Arc<Snapshot>>>,
        testing: &Testing,
    ) -> Arc<Self> {
        Arc::new(Self {
            accounts: Arc::clone(accounts),
            snapshot: Arc::clone(snapshot),
            loopback: if testing.loopback_is_remote {
                Loopback::Remote
            } else {
                Loopback::Closed
            },
            list: Mutex::default(),
        })
    }

    /// Tells whether an address may send to anywhere, as far as is known since [`Roaming::refresh`].
    pub(crate) fn is_open(&self, client: IpAddr) -> bool {
        let settings = self.settings();
        let minutes = settings.relay_clear_minutes;
        let now = Clock::unix();
        settings.roaming_users && self.list(|list| list.windows.is_open(client, now, minutes))
    }

    /// Notes a good login; blocks. What goes wrong is logged: the login is good all the same.
    pub(crate) fn logged_in(&self, mailbox: &Mailbox, client: IpAddr, service: Service) {
        let settings = self.settings();
        let flags = match self.accounts.effective_flags(mailbox) {
            Ok(flags) => flags,
            Err(error) => {
                return tracing::warn!("unable to tell whether {client} may send: {error}");
            }
        };
        if !opens(&settings, flags, service) || !self.is_openable(client) {
            return;
        }
        let now = Clock::unix();
        self.list(|list| list.windows.note(client, now));
        let accounts = &self.accounts;
        let recorded = accounts.open_relay(&settings, (client, now), |source| {
            rebuild(accounts, &settings, source)
        });
        match recorded {
            Ok(()) => self.list(|list| list.windows.recorded(client)),
            Err(error) => tracing::warn!("unable to record that {client} may send: {error}"),
        }
        let minutes = settings.relay_clear_minutes;
        let address = mailbox.address();
        tracing::info!("{client} may send for {minutes} minutes: {address} fetched mail");
    }

    /// Reads the file again if it changed; blocks.
    pub(crate) fn refresh(&self) {
        if !self.settings().roaming_users {
            return;
        }
        if let Err(error) = self.read_again() {
            tracing::warn!("unable to learn who may send: {error}");
        }
    }

    fn read_again(&self) -> Result<(), AccountError> {
        let stat = self.accounts.open_smtp_stat()?;
        if self.list(|list| list.read == Some(stat)) {
            return Ok(());
        }
        let file = self.accounts.open_addresses()?;
        let settled = stat.is_none_or(|stat| is_settled(stat.mtime, Clock::unix()));
        self.list(|list| {
            list.windows.read(&file);
            list.read = settled.then_some(stat);
        });
        Ok(())
    }

    /// Forgets whose time is over, in the file and in tcpserver's rules as well; blocks. So no
    /// clearopensmtp needs to run beside.
    fn clear(&self) {
        self.refresh();
        let settings = self.settings();
        let (now, minutes) = (Clock::unix(), settings.relay_clear_minutes);
        if !settings.roaming_users || !self.list(|list| list.windows.expire(now, minutes)) {
            return;
        }
        let accounts = &self.accounts;
        let cleared = accounts.clear_relay(&settings, now, |source| {
            rebuild(accounts, &settings, source)
        });
        if let Err(error) = cleared {
            tracing::warn!("unable to clear who may send: {error}");
        }
    }

    /// How long nothing ends.
    fn pause(&self) -> Duration {
        let [least, most] = PAUSES;
        let minutes = self.settings().relay_clear_minutes;
        let end = self.list(|list| list.windows.next_end(minutes));
        let left = end.map_or(most, |end| end.0.saturating_sub(Clock::unix().0));
        Duration::from_secs(left.clamp(least, most))
    }

    fn is_openable(&self, client: IpAddr) -> bool {
        let loopback = client.to_canonical().is_loopback();
        is_openable(client) || (loopback && self.loopback == Loopback::Remote)
    }

    fn settings(&self) -> Settings {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        snapshot.vpopmail.clone()
    }

    fn list<T>(&self, ask: impl FnOnce(&mut List) -> T) -> T {
        ask(&mut self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Clears for as long as the runtime lives.
pub(crate) fn watch(server: &Arc<Server>) {
    let server = Arc::clone(server);
    tokio::spawn(async move {
        loop {
            let roaming = Arc::clone(&server.roaming);
            if server
                .pools
                .queue
                .run(move || roaming.clear())
                .await
                .is_err()
            {
                return;
            }
            tokio::time::sleep(server.roaming.pause()).await;
        }
    });
}

/// A file of the future was written by another clock; nothing is known of it.
const fn is_settled(written: Unix, now: Unix) -> bool {
    written.0.saturating_add(UNSETTLED) < now.0
}
