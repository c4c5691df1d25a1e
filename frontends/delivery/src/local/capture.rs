//! Runs a process to its end, with a time limit, and keeps the beginning of what it says (qmail-lspawn(8), spec §6.1).

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How much stack the thread has that waits for the process.
const STACK: usize = 64 * 1024;
/// What a pipe holds at most: so much may still be in it when the process has ended.
const PIPE: usize = 64 * 1024;

/// How a process ended, and what it said.
#[derive(Debug)]
#[non_exhaustive]
pub struct Captured {
    /// `None` where it was killed because its time was over.
    pub status: Option<ExitStatus>,
    /// The first bytes of its output, as many as the caller wanted.
    pub output: Vec<u8>,
}

/// Runs a command whose output goes into the other end of `output`, in a process group of its own.
/// When its time is over the whole group is killed.
///
/// What it leaves running in the background is neither waited for nor killed.
///
/// # Errors
/// Fails where it cannot be started or its output not be read.
pub fn capture(
    mut command: Command,
    output: PipeReader,
    limit: Duration,
    most: usize,
) -> io::Result<Captured> {
    let end = Instant::now().checked_add(limit);
    command.process_group(0);
    let mut child = command.spawn()?;
    // Our copies of the pipe's other end go with it.
    drop(command);
    let mut said = Said {
        output,
        kept: Vec::new(),
        most,
        open: true,
    };
    let followed = follow(&child, &mut said, end);
    if !matches!(followed, Ok(true)) {
        // It is not reaped yet, so its number is its own.
        let _ = killpg(pid(&child), Signal::SIGKILL);
    }
    let status = child.wait()?;
    said.rest()?;
    Ok(Captured {
        status: followed?.then_some(status),
        output: said.kept,
    })
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Takes its output until it ends; false where its time was over first.
fn follow(child: &Child, said: &mut Said, end: Option<Instant>) -> io::Result<bool> {
    let (exited, alive) = io::pipe()?;
    let child = pid(child);
    let wait = move || {
        // The process stays a zombie, so that nobody else gets its number before it is reaped.
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(child), flags) == Err(Errno::EINTR) {}
        drop(alive);
    };
    thread::Builder::new()
        .name("program".to_owned())
        .stack_size(STACK)
        .spawn(wait)?;
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            // A moment more, so that the last round does not spin.
            let left = left + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let mut waiting = vec![PollFd::new(exited.as_fd(), PollFlags::POLLIN)];
        if said.open {
            waiting.push(PollFd::new(said.output.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut waiting, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |at: usize| waiting.get(at).is_some_and(|fd| fd.any() == Some(true));
        let (ended, speaks) = (ready(0), ready(1));
        if ended {
            return Ok(true);
        }
        if speaks {
            said.read()?;
        }
    }
}

/// What comes out of the process.
struct Said {
    output: PipeReader,
    kept: Vec<u8>,
    most: usize,
    open: bool,
}

impl Said {
    /// Reads once; what is too much is dropped, so that the process never waits for us.
    fn read(&mut self) -> io::Result<usize> {
        let mut piece = [0; 4096];
        let n = self.output.read(&mut piece)?;
        self.open = n > 0;
        let room = self.most.saturating_sub(self.kept.len());
        self.kept
            .extend_from_slice(piece.get(..n.min(room)).unwrap_or_default());
        Ok(n)
    }

    /// Reads what is in the pipe already.
    fn rest(&mut self) -> io::Result<()> {
        let mut read = 0;
        while self.open && read < PIPE {
            let mut waiting = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waiting, PollTimeout::ZERO) {
                Ok(0) => break,
                Ok(_) => read += self.read()?,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn shell(line: &str, limit: Duration, most: usize) -> Captured {
        let (output, writer) = io::pipe().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).stdin(Stdio::null());
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        capture(command, output, limit, most).unwrap()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn both_streams_and_the_exit_code_are_kept() {
        let ran = shell("echo out; echo err >&2; exit 7", HOUR, 100);
        assert_eq!(ran.status.unwrap().code(), Some(7));
        assert_eq!(ran.output, b"out\nerr\n");
    }

    #[test]
    fn a_talkative_program_is_cut_and_not_held_up() {
        let ran = shell("head -c 1000000 /dev/zero; echo end", HOUR, 10);
        assert!(ran.status.unwrap().success());
        assert_eq!(ran.output, [0; 10]);
    }

    #[test]
    fn a_program_is_killed_with_its_children_when_its_time_is_over() {
        let ran = shell(
            "echo begun; sleep 1000 & sleep 1000; echo never",
            Duration::from_millis(300),
            100,
        );
        assert!(ran.status.is_none());
        assert_eq!(ran.output, b"begun\n");
    }

    #[test]
    fn what_runs_on_in_the_background_is_not_waited_for() {
        let begun = Instant::now();
        let ran = shell("sleep 5 & echo done", HOUR, 100);
        assert!(ran.status.unwrap().success());
        assert_eq!(ran.output, b"done\n");
        assert!(begun.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_program_that_closes_its_output_is_waited_for() {
        let ran = shell("exec >&- 2>&-; sleep 0.2; exit 3", HOUR, 100);
        assert_eq!(ran.status.unwrap().code(), Some(3));
    }
}
