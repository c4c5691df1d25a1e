//! STLS: from a session in the clear to one under TLS, which begins afresh (RFC 2595 §4).

use super::{Job, Phase, Server};
use crate::Action;
use crate::pop3::{AbortReason, Event};
use mta_core::Mono;

impl Server {
    /// Tells whether the stream is encrypted: STLS was done, or TLS came first.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// Tells whether STLS would be carried out now.
    pub(super) fn tls_possible(&self) -> bool {
        let before_login = matches!(self.phase, Phase::Authorization { .. });
        self.config.stls && !self.tls && before_login
    }

    pub(super) fn start_tls(&mut self) {
        if self.tls {
            self.mistake("TLS is on already");
        } else if !self.config.stls {
            self.mistake("unimplemented");
        } else if !matches!(self.phase, Phase::Authorization { .. }) {
            self.mistake("STLS belongs before the login");
        } else if !self.wire.input().is_empty() {
            self.err("bytes came behind STLS; closing");
            self.close(Some(AbortReason::Injection));
        } else {
            self.ok("begin TLS negotiation");
            self.job = Job::StartTls;
        }
    }

    /// The handshake begins when the reply has left; whatever came before that was not protected,
    /// and would be taken for protected afterwards.
    pub(super) fn start_tls_step(&mut self) -> Option<Action<Event>> {
        if !self.wire.input().is_empty() {
            self.close(Some(AbortReason::Injection));
            return None;
        }
        if self.wire.eof() {
            self.close(Some(AbortReason::HungUp));
            return None;
        }
        Some(if self.wire.output().is_empty() {
            Action::StartTls
        } else {
            Action::Write
        })
    }

    /// What is not yet asked for cannot be remembered: only a name may have been given. The
    /// greeting is not repeated, so that a timestamp for APOP stays what it was.
    pub(super) fn enter_tls(&mut self, now: Mono) {
        if matches!(self.job, Job::StartTls) {
            self.wire.reset_input();
            self.job = Job::Idle;
            self.tls_news = true;
            self.offer = crate::sasl::Offer::None;
        } else if self.wire.received() > 0 {
            return;
        }
        if let Phase::Authorization { user, .. } = &mut self.phase {
            *user = None;
        }
        self.tls = true;
        self.active = now;
    }
}
