//! Where the limits against abuse are asked, and what the log says of a refusal (RFC 5321 §7.8).

use crate::server::Server;
use driver::Clock;
use mta_core::Mono;
use mta_core::abuse::{Guard, Rule, Tarpit};
use mta_core::log::Filtered;
use mta_core::policy::{Relay, Variables};
use std::net::IpAddr;
use std::time::Duration;

impl Server {
    /// Counts a connection; the caller logs what is refused.
    pub(crate) fn count_connection(&self, client: IpAddr) -> Result<(), Rule> {
        if self.is_exempt(client) {
            return Ok(());
        }
        self.guarded(|guard, now| guard.connection(client, now))
    }

    /// Counts a message of a client that has not logged in.
    pub(crate) fn count_message(
        &self,
        session: impl std::fmt::Display,
        (client, variables): (IpAddr, &Variables),
    ) -> Result<(), Rule> {
        if self.is_trusted(client, variables) {
            return Ok(());
        }
        let counted = self.guarded(|guard, now| guard.message(client, now));
        counted.inspect_err(|rule| {
            tracing::info!("{session}: message refused by {rule}: {}", rule.reason());
        })
    }

    /// Counts a recipient of an account.
    pub(crate) fn count_recipient(
        &self,
        session: impl std::fmt::Display,
        account: &str,
    ) -> Result<(), Rule> {
        let counted = self.guarded(|guard, _| guard.recipient(account, Clock::unix()));
        counted.inspect_err(|rule| {
            let account = Filtered(account.as_bytes());
            let reason = rule.reason();
            tracing::info!("{session}: recipient of {account} refused by {rule}: {reason}");
        })
    }

    /// The tarpit of a session; there is none for whoever may send to anywhere.
    pub(crate) fn tarpit(&self, client: IpAddr, variables: &Variables) -> Tarpit {
        if self.is_trusted(client, variables) {
            return Tarpit::new(u32::MAX, Duration::ZERO);
        }
        self.config().abuse.tarpit()
    }

    /// Tells whether the pace of a client's commands is its own affair.
    pub(crate) fn is_trusted(&self, client: IpAddr, variables: &Variables) -> bool {
        variables.relay != Relay::Refused || self.is_exempt(client)
    }

    fn is_exempt(&self, client: IpAddr) -> bool {
        self.config().abuse.exempts(client) || self.config().may_relay(client)
    }

    fn guarded<T>(&self, ask: impl FnOnce(&mut Guard, Mono) -> T) -> T {
        let mut guard = self.guard.lock();
        let guard = match &mut guard {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.get_mut(),
        };
        ask(guard, self.clock().now())
    }
}
