//! Libraries read no clock, no environment and no randomness, open no socket, and touch files in one place only.

use crate::sources::{LIBRARIES, code, none, root, rust_files};

const EVERYWHERE: [&str; 9] = [
    "Instant::now",
    "SystemTime::now",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "thread_rng",
    "getrandom",
];

fn occurrences(
    crates: &[&str],
    words: &[&str],
    except: &[&str],
) -> Vec<(std::path::PathBuf, String)> {
    let mut findings = Vec::new();
    for name in crates {
        for path in rust_files(&root().join(name).join("src")) {
            if except.iter().any(|e| path.ends_with(e)) {
                continue;
            }
            let text = code(&path);
            for word in words {
                if text.contains(word) {
                    findings.push((path.clone(), format!("contains {word}")));
                }
            }
        }
    }
    findings
}

#[test]
fn libraries_read_no_clock_no_environment_and_no_randomness_and_open_no_socket() {
    none(&occurrences(&LIBRARIES, &EVERYWHERE, &[]));
}

#[test]
fn core_and_proto_do_no_file_io() {
    none(&occurrences(
        &["mta-core", "mta-proto"],
        &["std::fs", "fs::File"],
        &[],
    ));
}

#[test]
fn files_are_touched_only_in_the_real_files_port() {
    // The cdb crate wants a file to write to; it gets one without a name, in memory, whose bytes are
    // then published through the port.
    let real = ["mta-store/src/files/real.rs", "mta-store/src/cdb_writer.rs"];
    none(&occurrences(&LIBRARIES, &["std::fs", "rustix::"], &real));
}

#[test]
fn proto_knows_no_policy() {
    none(&occurrences(
        &["mta-proto"],
        &["rcpthosts", "smtproutes", "virtualdomains"],
        &[],
    ));
}
