//! A queue program that takes every message and keeps none (qmail-queue(8)).

use std::io::{Read as _, copy, sink};

fn main() -> std::io::Result<()> {
    copy(&mut std::io::stdin(), &mut sink())?;
    // The envelope comes on descriptor 1, of which /proc knows the file.
    let mut envelope = std::fs::File::open("/proc/self/fd/1")?;
    envelope.read_to_end(&mut Vec::new()).map(drop)
}
