//! Values of mtad.toml that can be read but make no sense.

use super::{Config, hold_everything};

impl Config {
    /// The first value that can be read but makes no sense: its key and what was expected.
    pub(super) fn nonsense(&self) -> Option<(&'static str, String)> {
        let l = &self.limits;
        let at_least_one = [
            ("smtp_sessions", l.smtp_sessions),
            ("pop3_sessions", l.pop3_sessions),
            ("sessions_per_client", l.sessions_per_client),
            ("sessions_per_network", l.sessions_per_network),
            ("remembered", self.abuse.remembered),
            ("recipients", l.recipients),
            ("remote_recipients", l.remote_recipients),
            ("store_threads", l.store_threads),
            ("store_jobs", l.store_jobs),
            ("programs", self.auth.programs),
        ];
        let low = at_least_one.into_iter().find(|&(_, value)| value == 0);
        if let Some((key, _)) = low {
            return Some((key, format!("{key}: expected 1 or more, found 0")));
        }
        let first = self.defaultdelivery.lines().next().unwrap_or_default();
        if first.trim().is_empty() || self.defaultdelivery.contains('\0') {
            let said = "defaultdelivery: expected lines as in a .qmail file, the first not blank";
            return Some(("defaultdelivery", said.to_owned()));
        }
        if self.auth.program.first().is_some_and(String::is_empty) {
            let said = "program: expected a checkpassword program and its arguments";
            return Some(("program", said.to_owned()));
        }
        if hold_everything(&self.proxy.from) {
            let said = "from: expected the addresses of proxies, found those of everybody";
            return Some(("from", said.to_owned()));
        }
        if hold_everything(&self.proxy.xclient_from) {
            let said = "xclient_from: expected the addresses of hosts in front of this one, found those of everybody";
            return Some(("xclient_from", said.to_owned()));
        }
        let low = self
            .floors()
            .into_iter()
            .find(|&(_, value, floor, _)| value < floor);
        low.map(|(key, value, floor, why)| {
            (
                key,
                format!("{key}: expected {floor} or more ({why}), found {value}"),
            )
        })
    }

    /// Keys with their values, the least that makes sense, and what for.
    fn floors(&self) -> Vec<(&'static str, u64, u64, &'static str)> {
        let l = &self.limits;
        vec![
            (
                "command_line",
                l.command_line as u64,
                512,
                "RFC 5321 §4.5.3.1.4",
            ),
            ("header_size", l.header_size, 4096, "a plain header"),
            (
                "input_buffer",
                l.input_buffer as u64,
                2048,
                "a few commands at once",
            ),
            (
                "store_bytes",
                l.store_bytes as u64,
                65_536,
                "one piece of a message",
            ),
            ("todo", self.timeouts.todo, 1, "a pause between two looks"),
            ("program", self.timeouts.program, 1, "some time to run"),
            (
                "check_program",
                self.timeouts.check_program,
                1,
                "some time to run",
            ),
            (
                "tls_handshake",
                self.timeouts.tls_handshake,
                1,
                "some time to answer",
            ),
            (
                "proxy_header",
                self.timeouts.proxy_header,
                1,
                "some time to speak",
            ),
            ("timeout", self.dnsbl.timeout, 1, "some time to answer"),
            ("watch", self.tls.watch, 1, "a pause between two looks"),
            (
                "queue_program",
                self.timeouts.queue_program,
                1,
                "some time to run",
            ),
        ]
    }
}
