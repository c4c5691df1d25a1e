//! The thread that writes a log's groups (docs/spool-log.md).

use mta_store::files::Files;
use mta_store::log::Log;
use mta_store::queue::QueueError;
use std::io;
use std::thread::{Builder, JoinHandle};

/// Writes the groups of one log until it is dropped; what waits then is written first.
///
/// ```
/// use driver::LogWriter;
/// use mta_store::files::SimFiles;
/// use mta_store::log::Log;
///
/// let (log, _) = Log::open(SimFiles::new().into(), "/log").unwrap();
/// let writer = LogWriter::start(log, |trouble| eprintln!("{trouble}")).unwrap();
/// drop(writer);
/// ```
#[derive(Debug)]
pub struct LogWriter<F: Files> {
    log: Log<F>,
    thread: Option<JoinHandle<()>>,
}

impl<F: Files> LogWriter<F> {
    /// Starts the thread; `trouble` is told where old segments cannot be freed.
    ///
    /// # Errors
    /// Fails when the system starts no thread.
    pub fn start(
        log: Log<F>,
        mut trouble: impl FnMut(&QueueError) + Send + 'static,
    ) -> io::Result<Self> {
        let written = log.clone();
        let thread = Builder::new()
            .name("log writer".to_owned())
            .spawn(move || written.write_groups(&mut trouble))?;
        let thread = Some(thread);
        Ok(Self { log, thread })
    }
}

impl<F: Files> Drop for LogWriter<F> {
    fn drop(&mut self) {
        self.log.close();
        if let Some(thread) = self.thread.take() {
            // It panics only where a called back function does, which is reported by then.
            let _ = thread.join();
        }
    }
}
