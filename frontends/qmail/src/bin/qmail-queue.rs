//! qmail-queue as a program of its own, which may have its setuid bit (qmail-queue(8)).
//!
//! It takes its home from how it was built, and nothing from arguments or environment.

fn main() -> applet::Exit {
    qmail::queue()
}
