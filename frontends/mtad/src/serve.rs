//! `mtad serve`: from the command line to a running server and to its orderly end.

use crate::accounts::{self, Accounts, Logins};
use crate::checkpassword::Checkpassword;
use crate::cli::Serve;
use crate::config::{Config, Dns, Limits, Rules};
use crate::engine::{Engine, News, Parts};
use crate::home::Home;
use crate::journal::Journal;
use crate::listen::{self, Bound, Entry, Gate, Service};
use crate::local::{self, HomeDirectory, Local};
use crate::log::Log;
use crate::maildrops::Listings;
use crate::pop3_service::InUse;
use crate::privileges::{self, Privileges};
use crate::proxied::Proxies;
use crate::remote::Remote;
use crate::roaming::{self, Roaming};
use crate::scram::Keys;
use crate::server::{self, Pools, Server};
use crate::setup::{self, Remade};
use crate::signals::Signals;
use crate::smtp_service::Role;
use crate::stop::{Phase, Stop, Stopper};
use crate::supervisor::{self, Inherited, State};
use crate::tls::{self, Tls};
use crate::{Failure, pop3_service, qmail_service, rules, smtp_service, spools, watch};
use driver::{Budget, Clock, DnsDriver, PoolLimits, QueueSpool, StorePool};
use mta_auth::throttle::Throttle;
use mta_core::abuse::Guard;
use mta_core::control::Controls;
use mta_core::ports::Authenticator;
use mta_store::files::RealFiles;
use mta_store::queue::{Origin, Queue, QueueError};
use mta_store::store::Store;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How much of SIGTERM's time is left when cutting begins, so that the end comes within that time.
const CUT: Duration = Duration::from_millis(500);
/// How long cut sessions get to end.
const FAREWELL: Duration = Duration::from_millis(250);
/// How long steps under way get to end after that.
const LAST_STEPS: Duration = Duration::from_millis(150);
/// Threads that check passwords.
const LOGIN_THREADS: usize = 2;
/// Threads that deliver, each started only when it is needed; qmail allows as many deliveries.
const DELIVERY_THREADS: usize = 255;

/// The bound listeners.
struct Listeners {
    smtp: Vec<Bound>,
    pop3: Vec<Bound>,
    smtps: Vec<Bound>,
    submission: Vec<Bound>,
    pop3s: Vec<Bound>,
    qmtp: Vec<Bound>,
    qmqp: Vec<Bound>,
}

impl Listeners {
    /// Binds what is configured, unless a supervisor has bound it.
    fn bind(config: &Config, mut inherited: Inherited) -> Result<Self, Failure> {
        let mut of = |service: &str, addresses: &[SocketAddr]| {
            let bound = inherited.bound(service);
            match bound.is_empty() {
                false => Ok(bound),
                true => listen::bind(service, addresses),
            }
        };
        Ok(Self {
            smtp: of("smtp", &config.smtp)?,
            pop3: of("pop3", &config.pop3)?,
            smtps: of("smtps", &config.smtps)?,
            submission: of("submission", &config.submission)?,
            pop3s: of("pop3s", &config.pop3s)?,
            qmtp: of("qmtp", &config.qmtp)?,
            qmqp: of("qmqp", &config.qmqp)?,
        })
    }
}

/// Runs the server in the foreground until a signal ends it. Says on `out` where it listens.
///
/// # Errors
/// Fails where it cannot start; once it runs it lives until it is told to stop.
pub fn serve(home: Home, arguments: &Serve, out: &mut dyn Write) -> Result<(), Failure> {
    let inherited = Inherited::take()?;
    let mut config = settings(&home, arguments, &inherited)?;
    let listeners = Listeners::bind(&config, inherited)?;
    let privileges = privileges::drop_to_owner(home.root())?;
    let (snapshot, findings) = server::load(&home, &config, Tls::start(&home, &config)?)?;
    let remade = setup::remake_queue(&home)?;
    let queue = open_queue(&home)?;
    let drainer = queue.lock_drainer().map_err(|error| cannot_drain(&error))?;
    let log = Log::start()
        .map_err(|error| Failure::temporary(format!("unable to start the log: {error}")))?;
    say_privileges(&privileges);
    if remade == Remade::Queue {
        tracing::warn!(
            "{} was gone; it is made anew and empty",
            home.queue().display()
        );
    }
    fit_sessions(&mut config.limits);
    server::tell(&findings);
    snapshot.tls.tell();
    let keeper = Journal::start(&home.queue(), config.limits.journal)
        .map_err(|error| Failure::temporary(format!("unable to start the journal: {error}")))?;
    let snapshot = Arc::new(RwLock::new(Arc::new(snapshot)));
    let opened = spools::open(&queue, &snapshot)?;
    let runtime = runtime()?;
    let (stopper, stop) = Stopper::new();
    let (tell, news) = unbounded_channel();
    let pools = pools(&config)?;
    let running = runtime.block_on(async {
        let spools = (queue, opened.store);
        let kept = (spools, pools, keeper.journal());
        let (server, local) = assemble(home, config, kept, snapshot, stop, &tell)?;
        let remote = remote(&server)?;
        let parts = Parts {
            server: Arc::clone(&server),
            local,
            remote,
            origin: origin(),
            news,
            tell: tell.clone(),
        };
        let signals = Signals::catch()?;
        let engine =
            tokio::spawn(Engine::new(parts, opened.standing, &opened.held).run(server.stop()));
        watch::start(&server, &tell)?;
        tls::watch(&server, &tell);
        roaming::watch(&server);
        let gates = open(&server, listeners, out)?;
        supervisor::keep_telling();
        signals.until_stopped(&server, &tell).await;
        supervisor::tell(State::Stopping);
        finish(&server, &stopper, &gates, engine).await;
        Ok::<_, Failure>(())
    });
    runtime.shutdown_timeout(LAST_STEPS);
    drop(keeper);
    // What waits to be written is written before anybody else may drain the queue.
    drop(opened.writer);
    drop(drainer);
    drop(log);
    running
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::temporary(format!("unable to start: {error}")))
}

fn open_queue(home: &Home) -> Result<Queue<RealFiles>, Failure> {
    let opened = Queue::open(Arc::new(RealFiles::new()), home.queue());
    opened.map_err(|error| Failure::temporary(format!("unable to open the queue: {error}")))
}

fn cannot_drain(error: &QueueError) -> Failure {
    let why = match error {
        QueueError::Busy => "mtad or qmail-send is already running: ",
        _ => "",
    };
    Failure::temporary(format!("cannot start: {why}{error}"))
}

/// mtad.toml, the command line over it, and over both the sockets that a supervisor has bound.
fn settings(home: &Home, arguments: &Serve, inherited: &Inherited) -> Result<Config, Failure> {
    let mut config = Config::read(&home.config())?;
    for (service, named, set) in [
        ("smtp", &arguments.smtp, &mut config.smtp),
        ("pop3", &arguments.pop3, &mut config.pop3),
        ("smtps", &arguments.smtps, &mut config.smtps),
        ("submission", &arguments.submission, &mut config.submission),
        ("pop3s", &arguments.pop3s, &mut config.pop3s),
        ("qmtp", &arguments.qmtp, &mut config.qmtp),
        ("qmqp", &arguments.qmqp, &mut config.qmqp),
    ] {
        let given = inherited.addresses(service);
        if !given.is_empty() {
            *set = given;
        } else if !named.is_empty() {
            set.clone_from(named);
        }
    }
    if let Some(path) = &arguments.rules {
        // A path of the command line begins where we were started.
        let path =
            std::path::absolute(path).map_err(|error| Failure::file("find", path, &error))?;
        config.rules = Rules::for_all(&path);
    }
    if let Some(program) = std::env::var_os("QMAILQUEUE") {
        let named = program.into_string().map_err(|program| {
            let shown = program.display();
            Failure::permanent(format!(
                "QMAILQUEUE: expected a path in UTF-8, found {shown}"
            ))
        });
        config.qmailqueue = named?;
    }
    match config.unfenced() {
        Some(said) => Err(Failure::permanent(format!("cannot start: {said}"))),
        None => Ok(config),
    }
}

pub(crate) fn origin() -> Origin {
    Origin {
        pid: std::process::id(),
        uid: nix::unistd::getuid().as_raw(),
    }
}

fn say_privileges(privileges: &Privileges) {
    match privileges {
        Privileges::Ordinary => {}
        Privileges::Dropped { uid, gid } => {
            tracing::info!("running as uid {uid} gid {gid}, the owner of the home")
        }
        Privileges::Root => tracing::warn!(
            "running as root, because root owns the home; give the home to an account of its own"
        ),
    }
}

/// Many connections need many descriptors: what the system allows is taken, and where that is too
/// little there are fewer sessions, so that queue and deliveries always have theirs.
fn fit_sessions(limits: &mut Limits) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| {
        setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
        Ok(most)
    });
    let files = match raised {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!("unable to raise the limit of open files: {error}");
            return;
        }
    };
    let wanted = (limits.smtp_sessions, limits.pop3_sessions);
    let room = listen::room_for_sessions(usize::try_from(files).unwrap_or(usize::MAX), wanted);
    if room != wanted {
        (limits.smtp_sessions, limits.pop3_sessions) = room;
        let (smtp, pop3) = room;
        tracing::warn!(
            "with {files} open files at most there is room for {smtp} SMTP and {pop3} POP3 sessions"
        );
    }
}

fn pools(config: &Config) -> Result<Pools, Failure> {
    let start = |name: &str, threads| {
        let limits = PoolLimits {
            threads,
            waiting: config.limits.store_jobs,
        };
        StorePool::start(name, limits)
            .map_err(|error| Failure::temporary(format!("unable to start a thread: {error}")))
    };
    Ok(Pools {
        sessions: start("session files", config.limits.store_threads)?,
        queue: start("queue files", config.limits.store_threads)?,
        deliveries: start("deliveries", DELIVERY_THREADS)?,
        logins: start("logins", LOGIN_THREADS)?,
    })
}

fn assemble(
    home: Home,
    config: Config,
    ((queue, store), pools, journal): ((Queue<RealFiles>, Store<RealFiles>), Pools, Journal),
    snapshot: Arc<RwLock<Arc<server::Snapshot>>>,
    stop: Stop,
    tell: &UnboundedSender<News>,
) -> Result<(Arc<Server>, Arc<Local>), Failure> {
    let accounts = Arc::new(accounts::of(&home)?);
    let found = |tell: &UnboundedSender<News>| {
        let tell = tell.clone();
        move |id| {
            // Without an engine the message waits in todo/ for the next start.
            let _ = tell.send(News::Found(id));
        }
    };
    let local = Local::new(
        home.clone(),
        store.clone(),
        Arc::clone(&accounts),
        origin(),
        local::Settings {
            default_delivery: config.defaultdelivery.clone().into_bytes(),
            output: delivery::local::Output::Kept(Duration::from_secs(config.timeouts.program)),
        },
        found(tell),
    );
    let local = Arc::new(local.with_dates(config.dates()));
    let spool = QueueSpool::builder(store.clone(), pools.sessions.clone(), origin())
        .on_queued(found(tell))
        .budget(config.limits.store_bytes)
        .build();
    let roaming = Roaming::new(&accounts, &snapshot, &config.testing);
    let authenticator = authenticator(&home, &config, &snapshot, (&accounts, &pools, &roaming));
    let clock = Clock::start();
    let keys = keys(&home, &config, (&accounts, &pools))?;
    let server = Server {
        own_addresses: delivery::remote::interface_addresses().map_err(|error| {
            Failure::temporary(format!("unable to figure out my IP addresses: {error}"))
        })?,
        spool: Arc::new(spool),
        directory: Arc::new(HomeDirectory::new(
            Arc::clone(&local),
            pools.sessions.clone(),
        )),
        authenticator,
        keys,
        throttle: Mutex::new(Throttle::new(config.auth.delays())),
        listings: Arc::new(Listings::new(config.limits.pop3_remembered)),
        guard: Mutex::new(Guard::new(config.abuse.settings())),
        roaming,
        resolver: resolver(&config.dns, clock)?,
        clock,
        incoming: Budget::new(config.limits.incoming_bytes),
        snapshot,
        home,
        config,
        queue,
        store,
        pools,
        journal,
        accounts,
        stop,
    };
    Ok((Arc::new(server), local))
}

/// The keys of SCRAM, where it is offered.
fn keys(
    home: &Home,
    config: &Config,
    (accounts, pools): (&Arc<Accounts>, &Pools),
) -> Result<Option<Keys>, Failure> {
    let parts = (Arc::clone(accounts), pools.sessions.clone());
    let offered = config.auth.offers_scram();
    offered.then(|| Keys::open(home, parts)).transpose()
}

/// A checkpassword program where the settings name one, else our own files.
fn authenticator(
    home: &Home,
    config: &Config,
    snapshot: &RwLock<Arc<server::Snapshot>>,
    (accounts, pools, roaming): (&Arc<Accounts>, &Pools, &Arc<Roaming>),
) -> Arc<dyn Authenticator> {
    let me = match snapshot.read() {
        Ok(snapshot) => String::from_utf8_lossy(&snapshot.controls.me).into_owned(),
        Err(_) => String::new(),
    };
    let parts = (Arc::clone(accounts), pools.sessions.clone());
    match Checkpassword::new(home, config, me, parts) {
        Some(program) => Arc::new(program),
        None => {
            let logins = Logins::new(
                Arc::clone(accounts),
                pools.logins.clone(),
                config.auth.rehash.then(|| config.auth.recipe()),
                Arc::clone(roaming),
            );
            Arc::new(if config.auth.keeps_scram() {
                logins.keeping_scram()
            } else {
                logins
            })
        }
    }
}

fn remote(server: &Arc<Server>) -> Result<Arc<Remote>, Failure> {
    let resolver = Arc::clone(&server.resolver);
    Ok(Arc::new(Remote::new(Arc::clone(server), resolver)))
}

pub(crate) fn resolver(dns: &Dns, clock: Clock) -> Result<Arc<DnsDriver>, Failure> {
    if dns.nameservers.is_empty() {
        let path = &dns.resolv_conf;
        let made = DnsDriver::from_resolv_conf(path, clock);
        return made
            .map(Arc::new)
            .map_err(|error| Failure::file("read", path, &error));
    }
    let servers = mta_proto::dns::ServerList::new(dns.nameservers.clone());
    Ok(Arc::new(DnsDriver::new(servers, clock)))
}

pub(crate) fn own(
    controls: &Controls,
    config: &Config,
    addresses: Vec<IpAddr>,
) -> mta_core::mx::Own {
    let mut own = delivery::remote::own(controls, addresses);
    if config.testing.loopback_is_remote {
        own.loopback_is_remote = true;
        own.addresses.retain(|address| !address.is_loopback());
    }
    own
}

/// The places of SMTP, QMTP and QMQP, and those of POP3.
fn gates(limits: &Limits) -> [Arc<Gate>; 2] {
    let (per_client, per_network) = (limits.sessions_per_client, limits.sessions_per_network);
    [
        ("smtp_sessions", limits.smtp_sessions),
        ("pop3_sessions", limits.pop3_sessions),
    ]
    .map(|limit| Gate::new(limit, per_client, per_network))
}

/// Begins to accept, and says where.
fn open(
    server: &Arc<Server>,
    listeners: Listeners,
    out: &mut dyn Write,
) -> Result<[Arc<Gate>; 2], Failure> {
    rules::tell(&server.home, &server.config.rules);
    let [smtp, pop3] = gates(&server.config.limits);
    let trouble = |error| Failure::temporary(format!("unable to listen: {error}"));
    let (transfer, submission) = (Role::Transfer, Role::Submission);
    for (name, entry, role, bounds) in [
        ("smtp", Entry::Clear, transfer, listeners.smtp),
        ("smtps", Entry::Tls, transfer, listeners.smtps),
        ("submission", Entry::Clear, submission, listeners.submission),
    ] {
        for bound in bounds {
            let address = bound.address;
            let listener = bound.listen().map_err(trouble)?;
            let refusal = Some(("421 4.7.0 ", "; try again later"));
            let service = service(server, (name, entry), refusal, &smtp);
            let server = Arc::clone(server);
            tokio::spawn(listen::accept(
                listener,
                service,
                move |stream, peer, pass| {
                    smtp_service::serve(Arc::clone(&server), stream, peer, (pass, role))
                },
            ));
            writeln!(out, "listening {name} {address}")?;
        }
    }
    // They take mail as SMTP does and have their places among its sessions.
    for (name, bounds) in [("qmtp", listeners.qmtp), ("qmqp", listeners.qmqp)] {
        for bound in bounds {
            let address = bound.address;
            let listener = bound.listen().map_err(trouble)?;
            open_qmail(server, name, listener, &smtp);
            writeln!(out, "listening {name} {address}")?;
        }
    }
    let in_use = Arc::new(InUse::default());
    for (name, entry, bounds) in [
        ("pop3", Entry::Clear, listeners.pop3),
        ("pop3s", Entry::Tls, listeners.pop3s),
    ] {
        for bound in bounds {
            let address = bound.address;
            let listener = bound.listen().map_err(trouble)?;
            let refusal = Some(("-ERR [SYS/TEMP] ", "; try again later"));
            let service = service(server, (name, entry), refusal, &pop3);
            let (server, in_use) = (Arc::clone(server), Arc::clone(&in_use));
            tokio::spawn(listen::accept(
                listener,
                service,
                move |stream, peer, pass| {
                    let (server, in_use) = (Arc::clone(&server), Arc::clone(&in_use));
                    pop3_service::serve(server, in_use, stream, peer, pass)
                },
            ));
            writeln!(out, "listening {name} {address}")?;
        }
    }
    out.flush()?;
    Ok([smtp, pop3])
}

/// A client that waits for a handshake could not read a refusal.
fn service(
    server: &Arc<Server>,
    (name, entry): (&'static str, Entry),
    refusal: Option<(&'static str, &'static str)>,
    gate: &Arc<Gate>,
) -> Service {
    Service {
        name,
        entry,
        refusal: refusal.filter(|_| entry == Entry::Clear),
        gate: Arc::clone(gate),
        proxies: Proxies::from(&server.config),
        server: Arc::clone(server),
        stop: server.stop(),
    }
}

fn open_qmail(server: &Arc<Server>, name: &'static str, listener: TcpListener, gate: &Arc<Gate>) {
    let service = service(server, (name, Entry::Clear), None, gate);
    let server = Arc::clone(server);
    if name == "qmtp" {
        tokio::spawn(listen::accept(
            listener,
            service,
            move |stream, peer, pass| qmail_service::qmtp(Arc::clone(&server), stream, peer, pass),
        ));
    } else {
        tokio::spawn(listen::accept(
            listener,
            service,
            move |stream, peer, pass| qmail_service::qmqp(Arc::clone(&server), stream, peer, pass),
        ));
    }
}

/// Lets everything end that can, then cuts the rest.
async fn finish(
    server: &Server,
    stopper: &Stopper,
    gates: &[Arc<Gate>; 2],
    mut engine: tokio::task::JoinHandle<()>,
) {
    stopper.announce(Phase::Finish);
    let [smtp, pop3] = gates;
    let ended = async {
        smtp.emptied().await;
        pop3.emptied().await;
        // It ends once nothing is being delivered; it may hear of new messages until then.
        let _ = (&mut engine).await;
    };
    let time = server.config.timeouts.stop().saturating_sub(CUT);
    if tokio::time::timeout(time, ended).await.is_ok() {
        return;
    }
    stopper.announce(Phase::Cut);
    let emptied = async {
        smtp.emptied().await;
        pop3.emptied().await;
    };
    let _ = tokio::time::timeout(FAREWELL, emptied).await;
    if !engine.is_finished() {
        engine.abort();
        tracing::warn!("deliveries were cut; their messages stay in the queue");
    }
}
