//! `mtad route`: what would happen to mail for an address, and by which line of which file (qmail-send(8), qmail-local(8), qmail-remote(8)).
//!
//! It decides nothing by itself: every step is told by the function that does it for a message.

use super::ask;
use crate::config::Config;
use crate::home::Home;
use crate::local::{self, Local};
use crate::{Failure, PERMANENT, accounts, serve};
use delivery::remote::{Way, interface_addresses};
use driver::Clock;
use mta_core::Address;
use mta_core::control::Controls;
use mta_core::log::Filtered;
use mta_core::policy::{Client, Policy, Relay};
use mta_core::report::{Outcome, Report};
use mta_core::rewrite::{Channel, Routed};
use mta_store::control_dir::ControlDir;
use mta_store::files::RealFiles;
use mta_store::queue::Origin;
use mta_store::store::Store;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How many times a forward is followed.
const DEPTH: usize = 5;
/// How many addresses are looked at in all.
const MOST: usize = 50;

/// Tells it; the code says whether mail would fail for good.
pub(super) fn run(home: &Home, address: &str, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let address = Address::new(address.as_bytes()).map_err(|_| {
        Failure::permanent("expected an address without NUL, of bounded length".to_owned())
    })?;
    let teller = Teller::new(home)?;
    teller.by_smtp(&address, out)?;
    let mut left = MOST;
    let worst = teller.tell(&address, (0, &mut left), out)?;
    Ok(match worst {
        Outcome::Failure => ExitCode::from(PERMANENT),
        _ => ExitCode::SUCCESS,
    })
}

/// What it takes to ask every rule.
struct Teller {
    config: Config,
    controls: Controls,
    local: Local,
}

impl Teller {
    fn new(home: &Home) -> Result<Self, Failure> {
        let config = Config::read(&home.config())?;
        let loaded = ControlDir::new(&RealFiles::new(), home.control()).load();
        let controls = loaded
            .map_err(|error| Failure::temporary(format!("unable to read controls: {error}")))?
            .controls;
        let settings = local::Settings {
            default_delivery: config.defaultdelivery.clone().into_bytes(),
            output: delivery::local::Output::Kept(Duration::ZERO),
        };
        // It delivers nothing and queues nothing.
        let origin = Origin { pid: 0, uid: 0 };
        let accounts = Arc::new(accounts::of(home)?);
        let routing = controls.routing.clone();
        let store = Store::queue(ask::queue(home)?, Arc::new(move |to| routing.route(to)));
        let local = Local::new(home.clone(), store, accounts, origin, settings, |_| {});
        Ok(Self {
            config,
            controls,
            local,
        })
    }

    /// Says whether strangers may send to it.
    fn by_smtp(&self, address: &Address, out: &mut dyn Write) -> Result<(), Failure> {
        let policy = Policy::new(&self.controls, self.config.policy());
        let stranger = Client {
            relay: &Relay::Refused,
            hello: None,
        };
        match policy.rcpt(&stranger, &Address::null(), address) {
            Ok(_) => writeln!(out, "by SMTP: taken from everybody")?,
            Err(refusal) => writeln!(out, "by SMTP: strangers are told: {refusal}")?,
        }
        Ok(())
    }

    /// Follows an address to its end and returns the worst that comes of it.
    fn tell(
        &self,
        address: &Address,
        (depth, left): (usize, &mut usize),
        out: &mut dyn Write,
    ) -> Result<Outcome, Failure> {
        let indent = "  ".repeat(depth);
        writeln!(out, "{indent}{}", Filtered(address.as_bytes()))?;
        let indent = "  ".repeat(depth + 1);
        let (routed, reasons) = self.controls.routing.explain(address);
        for reason in reasons {
            writeln!(out, "{indent}{reason}")?;
        }
        let shown = Filtered(routed.address.as_bytes());
        writeln!(out, "{indent}{}: {shown}", routed.channel.name())?;
        match routed.channel {
            Channel::Local => self.tell_local(&routed, (depth, left), out),
            Channel::Remote => self.tell_remote(&routed, &indent, out),
        }
    }

    fn tell_local(
        &self,
        routed: &Routed,
        (depth, left): (usize, &mut usize),
        out: &mut dyn Write,
    ) -> Result<Outcome, Failure> {
        let indent = "  ".repeat(depth + 1);
        let trace = self.local.trace(&routed.address);
        for step in trace.steps {
            writeln!(out, "{indent}{step}")?;
        }
        if let Some(report) = trace.trouble {
            return trouble(&report, &indent, out);
        }
        let mut worst = Outcome::Success;
        for to in trace.forwards {
            if depth >= DEPTH || *left == 0 {
                writeln!(out, "{indent}… further forwards are not followed")?;
                break;
            }
            *left -= 1;
            let came = self.tell(&to, (depth + 1, left), out)?;
            if came == Outcome::Failure {
                worst = came;
            }
        }
        Ok(worst)
    }

    fn tell_remote(
        &self,
        routed: &Routed,
        indent: &str,
        out: &mut dyn Write,
    ) -> Result<Outcome, Failure> {
        let host = routed.address.domain().unwrap_or_default();
        let routes = &self.controls.smtproutes;
        match routes.find_line(host) {
            Some((line, route)) if route.relay.is_empty() => {
                writeln!(out, "{indent}control/smtproutes:{line}: by its MX records")?;
            }
            Some((line, route)) => {
                let relay = Filtered(&route.relay);
                writeln!(out, "{indent}control/smtproutes:{line}: by {relay}")?;
            }
            None => writeln!(
                out,
                "{indent}control/smtproutes: no line: by its MX records"
            )?,
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::temporary(format!("unable to start: {error}")))?;
        let addresses = interface_addresses().map_err(|error| {
            Failure::temporary(format!("unable to figure out my IP addresses: {error}"))
        })?;
        let own = serve::own(&self.controls, &self.config, addresses);
        let way = Way {
            routes,
            own: &own,
            port: self.config.testing.remote_port,
        };
        let found = runtime.block_on(async {
            let resolver = serve::resolver(&self.config.dns, Clock::start())?;
            Ok::<_, Failure>(way.targets(host, &*resolver).await)
        })?;
        match found {
            Ok(targets) => {
                for (number, target) in (1..).zip(targets) {
                    let (ip, port) = (target.address, target.port);
                    let name = Filtered(target.name.as_bytes());
                    let preference = target.preference;
                    writeln!(
                        out,
                        "{indent}{number}. {name} (MX {preference}): {ip} port {port}"
                    )?;
                }
                Ok(Outcome::Success)
            }
            Err(report) => trouble(&report, indent, out),
        }
    }
}

fn trouble(report: &Report, indent: &str, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let what = match report.outcome {
        Outcome::Success => "done",
        Outcome::Deferral => "would be tried again later",
        Outcome::Failure => "would bounce",
    };
    let text = String::from_utf8_lossy(&report.text);
    let text = text.trim_end().replace(|c: char| c.is_control(), "/");
    writeln!(out, "{indent}{what}: {text}")?;
    Ok(report.outcome)
}
