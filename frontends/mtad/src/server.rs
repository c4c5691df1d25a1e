//! What all tasks of a running server share: home, settings, control files, store threads and ports.

use crate::Failure;
use crate::accounts::Accounts;
use crate::config::Config;
use crate::home::Home;
use crate::journal::Journal;
use crate::maildrops::Listings;
use crate::roaming::Roaming;
use crate::rules::Admission;
use crate::scram::Keys;
use crate::stop::Stop;
use crate::tls::Tls;
use delivery::dates::Dates;
use driver::{Budget, Clock, DnsDriver, StorePool};
use mta_auth::Settings;
use mta_auth::throttle::Throttle;
use mta_core::abuse::Guard;
use mta_core::control::{Controls, Finding, Weight};
use mta_core::mx::Own;
use mta_core::policy::{Relay, Variables};
use mta_core::ports::{Authenticator, Directory, Spool};
use mta_proto::smtp::{client, server};
use mta_proto::{pop3, qmqp, qmtp};
use mta_store::control_dir::ControlDir;
use mta_store::files::RealFiles;
use mta_store::queue::Queue;
use mta_store::store::Store;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// The control files of one moment, and what follows from them for each protocol.
#[derive(Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The files.
    pub controls: Controls,
    /// What etc/vpopmail.conf says.
    pub vpopmail: Settings,
    /// In which zone dates are written.
    pub dates: Dates,
    /// For SMTP sessions.
    pub smtp: Arc<server::Config>,
    /// For those that no rate is for.
    pub smtp_trusted: Arc<server::Config>,
    /// For QMTP sessions.
    pub qmtp: Arc<qmtp::server::Config>,
    /// For QMQP sessions.
    pub qmqp: Arc<qmqp::server::Config>,
    /// For POP3 sessions.
    pub pop3: Arc<pop3::Config>,
    /// For sessions with remote hosts.
    pub client: Arc<client::Config>,
    /// For all that is encrypted.
    pub tls: Tls,
}

/// The threads that make file calls, apart by purpose, so that no purpose starves another.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each service takes its own")]
pub struct Pools {
    /// Taking mail in, looking recipients up, handing mail out.
    pub sessions: StorePool,
    /// The queue's own steps.
    pub queue: StorePool,
    /// Local deliveries, which wait for programs.
    pub deliveries: StorePool,
    /// Checking passwords, which is slow on purpose.
    pub logins: StorePool,
}

/// What every task may need.
#[non_exhaustive]
pub struct Server {
    /// Where everything is kept.
    pub home: Home,
    /// mtad.toml and the command line.
    pub config: Config,
    /// The queue in qmail's layout, through which other programs hand messages in.
    pub queue: Queue<RealFiles>,
    /// Where messages are kept until they are delivered: that queue itself, or a log.
    pub store: Store<RealFiles>,
    /// Store threads.
    pub pools: Pools,
    /// The accounts of virtual domains.
    pub accounts: Arc<Accounts>,
    /// Our addresses besides loopback.
    pub own_addresses: Vec<IpAddr>,
    /// Maildirs as they were listed lately.
    pub listings: Arc<Listings>,
    /// What happened to each message.
    pub journal: Journal,
    pub(crate) spool: Arc<dyn Spool>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    /// Keys of SCRAM, where it is offered.
    pub(crate) keys: Option<Keys>,
    pub(crate) throttle: Mutex<Throttle>,
    pub(crate) guard: Mutex<Guard>,
    pub(crate) roaming: Arc<Roaming>,
    /// Answers DNS questions.
    pub(crate) resolver: Arc<DnsDriver>,
    pub(crate) clock: Clock,
    pub(crate) snapshot: Arc<RwLock<Arc<Snapshot>>>,
    /// What clients' bodies may take of memory together.
    pub(crate) incoming: Budget,
    pub(crate) stop: Stop,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// The control files as they are now; a transaction keeps its own until it ends.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts newly read control files in force.
    pub fn replace_snapshot(&self, snapshot: Snapshot) {
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    /// Learns of logins through other programs, after which [`Server::variables`] tells what a
    /// client may do.
    pub async fn refresh_roaming(&self) {
        if self.snapshot().vpopmail.roaming_users {
            let roaming = Arc::clone(&self.roaming);
            // A server that stops judges nobody any more.
            let _ = self.pools.sessions.run(move || roaming.refresh()).await;
        }
    }

    /// What is set for a client: by its rule, else by `relay_from`, a window after fetching mail, and
    /// `qmailqueue` of mtad.toml.
    #[must_use]
    pub fn variables(&self, client: IpAddr, rule: &Admission) -> Variables {
        let mut variables = Variables::read(|name| rule.variable(name));
        let may_relay = || self.config.may_relay(client) || self.roaming.is_open(client);
        if variables.relay == Relay::Refused && may_relay() {
            variables.relay = Relay::Allowed;
        }
        let program = Some(&self.config.qmailqueue).filter(|program| !program.is_empty());
        variables.qmailqueue = variables
            .qmailqueue
            .or_else(|| program.map(|program| program.clone().into_bytes()));
        variables
    }

    /// For an SMTP session; a client's own DATABYTES goes before control/databytes.
    #[must_use]
    pub fn smtp_config(&self, client: IpAddr, variables: &Variables) -> Arc<server::Config> {
        let snapshot = self.snapshot();
        let mut config = if self.is_trusted(client, variables) {
            Arc::clone(&snapshot.smtp_trusted)
        } else {
            Arc::clone(&snapshot.smtp)
        };
        if let Some(most) = variables.databytes {
            Arc::make_mut(&mut config).limits.message_size = most;
        }
        if self.config.proxy.may_xclient(client) {
            Arc::make_mut(&mut config).xclient = true;
        }
        config
    }

    /// For a QMTP session, likewise.
    #[must_use]
    pub fn qmtp_config(&self, variables: &Variables) -> Arc<qmtp::server::Config> {
        let mut config = Arc::clone(&self.snapshot().qmtp);
        if let Some(most) = variables.databytes {
            Arc::make_mut(&mut config).limits.message_size = most;
        }
        config
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Takes messages.
    pub fn spool(&self) -> &Arc<dyn Spool> {
        &self.spool
    }

    /// Knows our mailboxes.
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.directory
    }

    /// Checks passwords.
    pub fn authenticator(&self) -> &Arc<dyn Authenticator> {
        &self.authenticator
    }

    /// The clock of all deadlines.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Hears when to stop.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Who mail is never sent to: ourselves, by the name that control/me has now.
    #[must_use]
    pub fn own(&self) -> Own {
        let addresses = self.own_addresses.clone();
        crate::serve::own(&self.snapshot().controls, &self.config, addresses)
    }

    /// Tells whether an address is one of ours.
    pub fn is_own_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || address.is_unspecified() || self.own_addresses.contains(&address)
    }
}

/// Reads the control files; blocks. Findings come beside what is used all the same.
///
/// # Errors
/// Names the file that cannot be read, or what `me` lacks.
pub fn load(home: &Home, config: &Config, tls: Tls) -> Result<(Snapshot, Vec<Finding>), Failure> {
    let loaded = ControlDir::new(&RealFiles::new(), home.control())
        .load()
        .map_err(|error| Failure::temporary(format!("unable to read controls: {error}")))?;
    let controls = loaded.controls;
    let vpopmail = crate::accounts::of(home)?.settings();
    let vpopmail = vpopmail.map_err(|error| Failure::permanent(error.to_string()))?;
    let mut smtp = smtp_config(&controls, config);
    smtp.starttls = tls.starttls();
    let mut trusted = smtp.clone();
    trusted.limits.commands_per_minute = 0;
    let mut pop3 = pop3_config(&controls, config);
    pop3.stls = smtp.starttls == server::StartTls::Offered;
    let snapshot = Snapshot {
        smtp: Arc::new(smtp),
        smtp_trusted: Arc::new(trusted),
        qmtp: Arc::new(qmtp_config(&controls, config)),
        qmqp: Arc::default(),
        pop3: Arc::new(pop3),
        client: Arc::new(client_config(&controls, config)),
        controls,
        vpopmail,
        dates: config.dates(),
        tls,
    };
    Ok((snapshot, loaded.findings))
}

/// Writes findings to the log; mere notes are for `mtad check`.
pub fn tell(findings: &[Finding]) {
    for finding in findings
        .iter()
        .filter(|finding| finding.weight > Weight::Note)
    {
        tracing::warn!("{finding}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn smtp_config(controls: &Controls, config: &Config) -> server::Config {
    let mut smtp = server::Config::new(text(&controls.smtpgreeting));
    let limits = &config.limits;
    smtp.dsn = true;
    smtp.limits.command_line = limits.command_line;
    smtp.limits.recipients = limits.recipients;
    smtp.limits.message_size = controls.databytes;
    smtp.limits.errors = limits.errors;
    smtp.limits.commands_per_minute = config.abuse.commands_per_minute;
    smtp.limits.refused_size = limits.refused_size;
    smtp.limits.body_rate = limits.body_rate;
    smtp.limits.input_buffer = limits.input_buffer;
    smtp.limits.header_size = usize::try_from(limits.header_size).unwrap_or(usize::MAX);
    smtp.limits.hops = limits.hops;
    smtp.timeouts.command = controls.timeoutsmtpd;
    smtp.timeouts.body = controls.timeoutsmtpd;
    smtp.timeouts.session = Duration::from_secs(config.timeouts.smtp_session);
    smtp
}

fn qmtp_config(controls: &Controls, config: &Config) -> qmtp::server::Config {
    let mut qmtp = qmtp::server::Config::default();
    qmtp.limits.recipients = config.limits.recipients;
    qmtp.limits.message_size = controls.databytes;
    qmtp.limits.input_buffer = config.limits.input_buffer;
    qmtp
}

fn pop3_config(controls: &Controls, config: &Config) -> pop3::Config {
    let idle = Duration::from_secs(config.timeouts.pop3);
    pop3::Config {
        greeting: format!("{} POP3 ready", text(&controls.me)).into(),
        limits: pop3::Limits {
            failed_logins: config.limits.pop3_logins,
            ..pop3::Limits::default()
        },
        timeouts: pop3::Timeouts {
            idle,
            authorization: idle,
            session: Duration::from_secs(config.timeouts.pop3_session),
        },
        ..pop3::Config::default()
    }
}

fn client_config(controls: &Controls, config: &Config) -> client::Config {
    client::Config {
        helo: text(&controls.helohost),
        timeouts: client::Timeouts::uniform(controls.timeoutremote),
        body_rate: config.limits.body_rate,
        ..client::Config::default()
    }
}
