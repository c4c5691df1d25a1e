//! The programs of ucspi-tcp: in-process, as processes, and beside the originals.
#![cfg(test)]

mod kit;
mod name_server;
mod rblsmtpd;
mod recordio;
mod rules;
mod rules_original;
mod tcp_env;
mod tcpclient;
mod tcpserver;
mod tcpserver_original;
mod tcpserver_tls;
