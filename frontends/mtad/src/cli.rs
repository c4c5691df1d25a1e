//! The command line of `mtad` as values (clap); what each command does stands in [`crate::commands`].

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Receives, queues, delivers and relays mail, and hands it out by POP3.
#[derive(Debug, Parser)]
#[command(name = "mtad", version, about)]
#[expect(clippy::exhaustive_structs, reason = "the command line is what it is")]
pub struct Cli {
    /// The home: control/, queue/, users/, domains/ and alias/ stand in it
    /// [default: $MTA_HOME, else ./mta-home].
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[non_exhaustive]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server in the foreground; makes a home for localhost where there is none.
    Serve(Serve),
    /// Make a home.
    Init(Init),
    /// Add, remove or list virtual domains.
    #[command(subcommand)]
    Domain(Domain),
    /// Add, remove or list mailboxes, or set a password.
    #[command(subcommand)]
    User(User),
    /// Look at the queue and change it.
    #[command(subcommand)]
    Queue(Queue),
    /// Tell what would happen to mail for an address, and by which line of which file; send nothing.
    Route {
        /// The recipient.
        address: String,
    },
    /// Tell a message's whole story: who sent it, which lines decided, every attempt and its answer,
    /// what comes next.
    Why {
        /// The message's number.
        id: u64,
    },
    /// Write service directories for svscan or runit.
    ServiceDir(ServiceDir),
    /// Print the commands that make the accounts of qmail and vpopmail on this host.
    HostUsers {
        /// Carry out those whose account is missing; needs root.
        #[arg(long)]
        make: bool,
    },
    /// Judge the configuration: file, line and what was expected.
    Check {
        /// Ask no name server.
        #[arg(long)]
        no_dns: bool,
    },
    /// One delivery as another account; the server run by root calls itself so.
    #[command(hide = true)]
    Deliver {
        /// See [`crate::local::as_user`].
        #[arg(last = true)]
        words: Vec<OsString>,
    },
}

/// `mtad serve`.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the command line is what it is")]
pub struct Serve {
    /// Where to take mail by SMTP, as IP:PORT; may be given several times; port 0 is any free one
    /// [default: mtad.toml, else 127.0.0.1:2525].
    #[arg(long, value_name = "ADDR")]
    pub smtp: Vec<SocketAddr>,
    /// Where to hand mail out by POP3, as IP:PORT; may be given several times
    /// [default: mtad.toml, else 127.0.0.1:2110].
    #[arg(long, value_name = "ADDR")]
    pub pop3: Vec<SocketAddr>,
    /// Where to take mail by SMTP under TLS from the first byte on, as IP:PORT; may be given several
    /// times; needs a certificate [default: mtad.toml, else nowhere].
    #[arg(long, value_name = "ADDR")]
    pub smtps: Vec<SocketAddr>,
    /// Where accounts may hand in mail by SMTP after a login, as IP:PORT; may be given several times
    /// [default: mtad.toml, else nowhere].
    #[arg(long, value_name = "ADDR")]
    pub submission: Vec<SocketAddr>,
    /// Where to hand mail out by POP3 under TLS from the first byte on, as IP:PORT; may be given
    /// several times; needs a certificate [default: mtad.toml, else nowhere].
    #[arg(long, value_name = "ADDR")]
    pub pop3s: Vec<SocketAddr>,
    /// Where to take mail by QMTP, as IP:PORT; may be given several times; needs qmtp_from in
    /// mtad.toml [default: mtad.toml, else nowhere].
    #[arg(long, value_name = "ADDR")]
    pub qmtp: Vec<SocketAddr>,
    /// Where to take mail by QMQP, as IP:PORT; may be given several times; needs qmqp_from in
    /// mtad.toml [default: mtad.toml, else nowhere].
    #[arg(long, value_name = "ADDR")]
    pub qmqp: Vec<SocketAddr>,
    /// The rules about connections, as tcprules writes them, for all services
    /// [default: mtad.toml, else none].
    #[arg(long, value_name = "FILE.cdb")]
    pub rules: Option<PathBuf>,
}

/// `mtad service-dir`.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the command line is what it is")]
pub struct ServiceDir {
    /// Where to write them, such as /service.
    pub dir: PathBuf,
    /// One for each of qmail's programs instead of one for this server.
    #[arg(long)]
    pub programs: bool,
    /// Who logs, and who takes mail where qmail's programs do
    /// [default: qmaill and qmaild; whoever starts them where that is not root].
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
}

/// `mtad init`.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the command line is what it is")]
pub struct Init {
    /// This host's full name [default: the system's host name].
    #[arg(long, value_name = "FQDN")]
    pub me: Option<String>,
    /// Who gets the mail of postmaster, mailer-daemon and root
    /// [default: alias/Maildir in the home].
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<String>,
    /// How messages are kept: in a log, which is faster, or in qmail's layout alone, which
    /// qmail-send can drain too.
    #[arg(long, value_enum, default_value_t)]
    pub spool: Spool,
}

/// How a home keeps its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "a home is made with one of these")]
pub enum Spool {
    /// In queue/log, behind a queue in qmail's layout that programs put messages into.
    #[default]
    Log,
    /// In queue/, in qmail's layout.
    Qmail,
}

/// `mtad domain …`.
#[non_exhaustive]
#[derive(Debug, Subcommand)]
pub enum Domain {
    /// Take mail for a domain and give it a postmaster.
    Add {
        /// The domain.
        domain: String,
        /// The password's source.
        #[command(flatten)]
        password: Password,
    },
    /// Stop taking mail for a domain and remove it with all its mailboxes.
    Remove {
        /// The domain.
        domain: String,
    },
    /// List the domains.
    List {
        /// Only this one.
        domain: Option<String>,
    },
}

/// `mtad user …`.
#[non_exhaustive]
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make a mailbox.
    Add {
        /// user@domain.
        address: String,
        /// The password's source.
        #[command(flatten)]
        password: Password,
    },
    /// Remove a mailbox with the mail in it.
    Remove {
        /// user@domain.
        address: String,
    },
    /// List the mailboxes.
    List {
        /// Only this domain or user@domain.
        address: Option<String>,
    },
    /// Set a mailbox's password.
    Passwd {
        /// user@domain.
        address: String,
        /// The password's source.
        #[command(flatten)]
        password: Password,
    },
}

/// Where a new password comes from.
#[derive(Args, Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the command line is what it is")]
pub struct Password {
    /// Read the password from the first line of standard input.
    #[arg(long)]
    pub password_stdin: bool,
}

/// `mtad queue …`.
#[non_exhaustive]
#[derive(Debug, Subcommand)]
pub enum Queue {
    /// List what is queued.
    List,
    /// Show one message: envelope, state, header and body.
    Show {
        /// The message's number.
        id: u64,
    },
    /// Try one message, or everything, now.
    Retry {
        /// The message's number; without it every message.
        id: Option<u64>,
    },
    /// Take a message out of the queue without a bounce.
    Remove {
        /// The message's number.
        id: u64,
    },
    /// Deliver a message to nobody until it is released.
    Hold {
        /// The message's number.
        id: u64,
    },
    /// Deliver a held message again, at once.
    Release {
        /// The message's number.
        id: u64,
    },
    /// Send what is queued to other hosts, at once; later mail goes its usual way.
    Reroute {
        /// A message's number, or the domain of recipients.
        what: String,
        /// The hosts to try in this order, as HOST, HOST:PORT or an address in brackets; without any the mail
        /// goes its usual way again.
        hosts: Vec<String>,
    },
    /// Try everything for one domain now, also by hosts that did not answer lately.
    Flush {
        /// The domain of recipients.
        destination: String,
    },
    /// Keep messages in the other way from now on, those that are queued included; no server may run.
    Convert {
        /// The way.
        #[arg(value_enum)]
        to: Spool,
    },
    /// Compare everything in queue/log with its check sums; changes nothing.
    Fsck,
}
