//! mtad against the clients, servers and file systems of the real world (mtad(8)).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod bad_input;
mod checkpassword;
mod crash;
mod exhaustion;
mod installation;
mod logins;
mod paths;
mod pop3_clients;
mod pop_before_smtp;
mod power_loss;
mod qmail_agreement;
mod qmail_mixed;
mod qmail_network;
mod relay;
mod services;
mod smtp_clients;
mod tls_clients;
mod tls_scan;
mod ucspi_own_tests;
mod units;

/// The path of a tool, or the end of the test with the reason noted.
#[macro_export]
macro_rules! need {
    ($test:literal, $tool:literal) => {
        match mta_tests::tool($tool) {
            Some(path) => path,
            None => {
                mta_tests::skip($test, concat!($tool, " is not installed"));
                return;
            }
        }
    };
}
