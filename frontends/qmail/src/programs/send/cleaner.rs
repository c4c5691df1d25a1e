//! qmail-send's end of the conversation with qmail-clean (qmail-clean(8), spec §3.4).

use mta_core::ports::spool::MessageId;
use mta_store::queue::{Cleaner, QueueError};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Mutex, PoisonError};

/// The two pipes, and what is to be said of them in the log.
#[derive(Debug)]
pub(super) struct CleanLink {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    requests: File,
    answers: File,
    lost: bool,
    /// Files that are still there.
    left: Vec<String>,
}

impl CleanLink {
    pub(super) fn take((requests, answers): (i32, i32)) -> io::Result<Self> {
        Ok(Self {
            state: Mutex::new(State {
                requests: sys::take(requests)?.into(),
                answers: sys::take(answers)?.into(),
                lost: false,
                left: Vec::new(),
            }),
        })
    }

    /// Whether nobody answers any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lock().lost
    }

    /// Takes the names of the files that could not be removed since the last call.
    pub(super) fn left(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().left)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, what: &str, id: MessageId, file: String) -> Result<(), QueueError> {
        let mut state = self.lock();
        let answer = state.exchange(format!("{what}/{id}\0").as_bytes());
        let why = match answer {
            Ok(b'+') => return Ok(()),
            Ok(_) => io::Error::other("qmail-clean was not able to"),
            Err(error) => {
                state.lost = true;
                error
            }
        };
        state.left.push(file.clone());
        Err(QueueError::Io {
            doing: "clean up",
            path: file.into(),
            source: why,
        })
    }
}

impl State {
    fn exchange(&mut self, request: &[u8]) -> io::Result<u8> {
        if self.lost {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.requests.write_all(request)?;
        let mut answer = [0];
        self.answers.read_exact(&mut answer)?;
        let [answer] = answer;
        Ok(answer)
    }
}

impl Cleaner for CleanLink {
    fn envelope(&self, id: MessageId) -> Result<(), QueueError> {
        self.ask("todo", id, format!("todo/{id}"))
    }

    fn message(&self, id: MessageId) -> Result<(), QueueError> {
        let directory = id.0 % mta_store::queue::SPLIT;
        self.ask("foop", id, format!("mess/{directory}/{id}"))
    }
}
