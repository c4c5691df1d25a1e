//! Whether a client stands on a list in DNS, or its rule says what such a list would (rblsmtpd(1), spec §9.4).

use super::{Intake, Refused};
use crate::config::Point;
use crate::server::Server;
use mta_core::dns::Answer;
use mta_core::dnsbl::{Check, Next, Refusal, Ruling};
use mta_core::log::Session;
use mta_core::policy::Relay;
use mta_core::ports::Resolver;
use std::net::IpAddr;

impl Intake {
    /// Refuses at the greeting whom the settings refuse there.
    pub(crate) async fn welcome(&mut self) -> Result<(), Refused> {
        match self.server.config().dnsbl.at {
            Point::Connect => match self.refusal().await {
                Some(refusal) => Err(Refused::at_greeting(refusal)),
                None => Ok(()),
            },
            Point::Rcpt => Ok(()),
        }
    }

    /// Refuses a recipient of a client that is listed.
    pub(super) async fn unlisted(&mut self) -> Result<(), Refused> {
        match self.refusal().await {
            Some(refusal) => Err(Refused::from(refusal)),
            None => Ok(()),
        }
    }

    /// What the variable RBLSMTPD says goes for everybody; lists are asked once, and only about
    /// clients that may not send to anywhere.
    async fn refusal(&mut self) -> Option<&Refusal> {
        let variable = self.connection.rule.variable("RBLSMTPD");
        if variable.is_none() && self.connection.variables.relay != Relay::Refused {
            return None;
        }
        if self.ruling.is_none() {
            let ruling = match variable {
                Some(value) => Ruling::from_variable(&value),
                None => {
                    let (session, client) = (self.session(), self.peer().ip());
                    // Boxed, because it is asked once in a session at most.
                    Box::pin(ask_lists(&self.server, session, client)).await
                }
            };
            if let Ruling::Refused(refusal) = &ruling {
                let by = refusal.base.as_deref().unwrap_or("RBLSMTPD of its rule");
                let (session, text) = (self.session(), String::from_utf8_lossy(&refusal.text));
                let peer = self.peer().ip().to_canonical();
                tracing::info!(
                    "{session}: {peer} is refused by {by}: {} {text}",
                    refusal.code()
                );
            }
            self.ruling = Some(Box::new(ruling));
        }
        match self.ruling.as_deref() {
            Some(Ruling::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }
}

async fn ask_lists(server: &Server, session: Session, client: IpAddr) -> Ruling {
    let settings = &server.config().dnsbl;
    let sources = settings.sources();
    let mut check = Check::new(&sources, client);
    loop {
        match check.next() {
            Next::Done(ruling) => return ruling,
            Next::Ask(query) => {
                let asked = server.resolver.lookup(&query);
                let answer = tokio::time::timeout(settings.timeout(), asked).await;
                let late = |_| Answer::Failed("no answer in time".to_owned());
                let answer = answer.unwrap_or_else(late);
                if let Answer::Failed(why) = &answer {
                    tracing::warn!("{}: unable to ask {}: {why}", session, query.name);
                }
                check.answered(&answer);
            }
        }
    }
}
