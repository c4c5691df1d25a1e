//! Drives one machine on one asynchronous stream (the contract is [`mta_proto::machine`]).

use crate::budget::{ALLOWANCE, LEAST, Share};
use crate::tls::socket::Socket;
use crate::tls::{Facts, Handshake};
use crate::{Clock, Closed, scratch};
use mta_proto::{Action, Machine};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long the peer may take for the last output and for closing its side.
pub const CLOSE_LIMIT: Duration = Duration::from_secs(30);
/// How long input is read and dropped after the last output, so that a reset does not overtake it.
pub const LINGER_LIMIT: Duration = Duration::from_secs(1);
/// How many bytes of input are dropped at most while lingering.
pub const LINGER_BYTES: usize = 1024 * 1024;

/// A machine on its stream.
///
/// [`next`](Self::next) gives the machine's events; questions are answered on
/// [`machine`](Self::machine). Output leaves in as few writes as the conversation allows: when the
/// machine waits for the peer, when it says so, and during [`while_waiting`](Self::while_waiting).
///
/// ```no_run
/// # async fn session<M: mta_proto::Machine>(machine: M, stream: tokio::net::TcpStream) {
/// let mut link = driver::Link::new(machine, stream, driver::Clock::start());
/// while let Ok(event) = link.next().await {
///     // decide, then answer the event's ticket through link.machine()
/// #   let _ = event;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Link<M, S> {
    machine: M,
    stream: Socket<S>,
    /// How the stream becomes a TLS stream.
    handshake: Option<Handshake>,
    /// When a handshake that is under way is given up.
    shaking: Option<Instant>,
    tls: Option<Box<Facts>>,
    clock: Clock,
    /// Armed at or before the machine's deadline; re-armed only when it fires or is too late, so
    /// that traffic, which moves deadlines on and on, does not touch the timer.
    alarm: Option<Pin<Box<Sleep>>>,
    /// What this session holds of the budget of all.
    share: Option<Share>,
    /// Bytes that left the machine's input with the last event, which the application has in hand.
    in_hand: usize,
    /// The machine cannot go on with the input that it has.
    starved: bool,
    /// A stream that buffers by itself still holds what was written.
    unflushed: bool,
    /// The error that ended the stream; no more is read or written then.
    broken: Option<io::Error>,
    closing: Option<Closing>,
}

/// How far closing has come.
#[derive(Debug)]
struct Closing {
    until: Instant,
    shut: bool,
    dropped: usize,
}

impl<M: Machine, S: AsyncRead + AsyncWrite + Unpin> Link<M, S> {
    /// Puts a machine on a stream.
    pub const fn new(machine: M, stream: S, clock: Clock) -> Self {
        Self {
            machine,
            stream: Socket::Plain(stream),
            handshake: None,
            shaking: None,
            tls: None,
            clock,
            alarm: None,
            share: None,
            in_hand: 0,
            starved: false,
            unflushed: false,
            broken: None,
            closing: None,
        }
    }

    /// The machine, to answer its questions and to give it commands.
    pub const fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Lets the machine turn to TLS when it wants to, or [`start_tls`](Self::start_tls) now.
    #[must_use]
    pub fn with_tls(mut self, handshake: Handshake) -> Self {
        self.handshake = Some(handshake);
        self
    }

    /// Bounds what this session and others hold of their peers' input.
    #[must_use]
    pub fn with_share(mut self, share: Share) -> Self {
        self.share = Some(share);
        self
    }

    /// The stream below any TLS, to look at its addresses; `None` once a handshake has failed.
    pub fn stream(&self) -> Option<&S> {
        self.stream.get_ref()
    }

    /// What came of the handshake; `None` while the stream is in the clear.
    pub fn tls(&self) -> Option<&Facts> {
        self.tls.as_deref()
    }

    /// The clock that the machine's deadlines are counted on.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Moves bytes and time until the machine has an event.
    ///
    /// Dropping the future loses nothing, so it may stand in a `select!` beside whatever else the
    /// application waits for.
    ///
    /// # Errors
    /// Fails once the conversation is over, and says the same when it is asked again.
    pub async fn next(&mut self) -> Result<M::Event, Closed> {
        loop {
            let waiting = self.machine.wire().waiting();
            let action = self.machine.poll(self.clock.now());
            self.in_hand = match action {
                Action::Event(_) => waiting.saturating_sub(self.machine.wire().waiting()),
                _ => 0,
            };
            self.starved = matches!(action, Action::Read);
            self.give_back();
            match action {
                Action::Event(event) => return Ok(event),
                Action::Read if self.over() => return Err(self.close().await),
                Action::Read | Action::Write | Action::Wait => {}
                Action::StartTls => {
                    self.start_tls().await?;
                    continue;
                }
                Action::Close => return Err(self.close().await),
            }
            poll_fn(|cx| self.poll_turn(cx)).await;
        }
    }

    /// Does the handshake now and tells the machine: for services that begin with TLS, before the
    /// first event is asked for (RFC 8314 §3). Like [`next`](Self::next) it may be dropped and
    /// called again.
    ///
    /// # Errors
    /// Fails where there is nothing to do it with, where the two sides come to no agreement, and
    /// where it takes too long.
    pub async fn start_tls(&mut self) -> Result<(), Closed> {
        let Some(handshake) = &self.handshake else {
            return Err(Closed::Tls);
        };
        self.stream.begin(handshake);
        let limit = handshake.limit;
        let until = *self.shaking.get_or_insert_with(|| Instant::now() + limit);
        let shaken = poll_fn(|cx| self.stream.poll_handshake(cx));
        let failed = match tokio::time::timeout_at(until, shaken).await {
            Ok(Ok(())) => {
                self.tls = self.stream.facts().map(Box::new);
                self.machine.tls_started(self.clock.now());
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        self.stream.abandon();
        self.break_off(repeat(&failed));
        Err(Closed::Handshake(failed))
    }

    /// Awaits what the application does to answer a question, and meanwhile sends output, takes
    /// input into what room there is and notices a connection that breaks.
    ///
    /// A peer that only ends its side does not disturb: the machine sees it in its turn.
    ///
    /// # Errors
    /// Fails, dropping `work`, when the connection breaks.
    pub async fn while_waiting<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Closed> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(value) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            // Every turn that moved bytes is followed by another, so that wakers are registered.
            while self.broken.is_none() {
                if self.poll_io(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(Err(self.lost()))
        })
        .await
    }

    /// Sends what is unsent and closes, whatever the machine had in mind.
    ///
    /// # Errors
    /// Fails when the peer cannot be sent the rest.
    pub async fn finish(mut self) -> Result<(), Closed> {
        match self.close().await {
            Closed::Ended => Ok(()),
            failed => Err(failed),
        }
    }

    /// Gives machine and stream back; output that was not sent is still in the machine.
    ///
    /// A stream under TLS is given back as it is below, and the peer is not told; `None` where a
    /// handshake was under way or has failed.
    pub fn into_parts(self) -> (M, Option<S>) {
        (self.machine, self.stream.into_inner())
    }

    /// Tells whether nothing can come from the peer and nothing can go to it.
    fn over(&self) -> bool {
        let wire = self.machine.wire();
        wire.eof() && wire.output().is_empty()
    }

    /// Waits until bytes have moved or the deadline has come.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_io(cx).is_ready() {
            return Poll::Ready(());
        }
        self.poll_alarm(cx)
    }

    /// Sends and takes what can be moved now; ready when anything moved or broke.
    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Where output has moved the machine has the word before more is read: what comes behind
        // its reply to STARTTLS is not for it.
        if self.poll_send(cx).is_ready() {
            return Poll::Ready(());
        }
        self.poll_take(cx)
    }

    /// Sends output until there is none or the stream takes no more.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut moved = Poll::Pending;
        while !self.machine.wire().output().is_empty() {
            if self.broken.is_some() {
                self.drop_output();
                return Poll::Ready(());
            }
            let output = self.machine.wire().output();
            match Pin::new(&mut self.stream).poll_write(cx, output) {
                Poll::Ready(Ok(0)) => self.break_off(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => self.machine.wire_mut().advance_output(n),
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => self.break_off(error),
                Poll::Pending => return moved,
            }
            moved = Poll::Ready(());
        }
        self.unflushed |= moved.is_ready();
        if self.unflushed && self.broken.is_none() {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => self.break_off(error),
                Poll::Pending => {}
            }
        }
        moved
    }

    /// Reads once into what room the machine has.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let room = self.room();
        if room == 0 || self.broken.is_some() {
            return Poll::Pending;
        }
        let (machine, stream) = (&mut self.machine, &mut self.stream);
        let read = scratch::with(|scratch| {
            let mut buffer = ReadBuf::new(scratch.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
            match buffer.filled() {
                [] => machine.wire_mut().push_eof(),
                bytes => {
                    machine.wire_mut().push(bytes);
                }
            }
            Poll::Ready(Ok(()))
        });
        self.give_back();
        match ready!(read) {
            Ok(()) => {}
            Err(error) => self.break_off(error),
        }
        Poll::Ready(())
    }

    /// How much may be read now: what the machine has room for, as far as the budget goes.
    fn room(&mut self) -> usize {
        let room = self.machine.wire().room().min(scratch::SIZE);
        let held = self.held();
        let Some(share) = &mut self.share else {
            return room;
        };
        let least = if self.starved { LEAST } else { 0 };
        let free = ALLOWANCE.saturating_sub(held).max(least).min(room);
        free + share.grow(room - free)
    }

    fn held(&self) -> usize {
        self.machine.wire().waiting().saturating_add(self.in_hand)
    }

    /// Gives back the share of what is dealt with, and of what was not read.
    fn give_back(&mut self) {
        let held = self.held();
        if let Some(share) = &mut self.share {
            share.shrink_to(held.saturating_sub(ALLOWANCE));
        }
    }

    /// Ready when the machine's deadline has come.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.machine.deadline() else {
            return Poll::Pending;
        };
        let due = self.clock.instant(deadline);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if due < alarm.deadline() {
            alarm.as_mut().reset(due);
        }
        loop {
            ready!(alarm.as_mut().poll(cx));
            if alarm.deadline() >= due {
                // A fired timer must not be polled again.
                self.alarm = None;
                return Poll::Ready(());
            }
            alarm.as_mut().reset(due);
        }
    }

    /// Remembers what broke the connection; the machine sees the end of its input and gives up by itself.
    fn break_off(&mut self, error: io::Error) {
        self.broken.get_or_insert(error);
        self.machine.wire_mut().push_broken();
    }

    fn drop_output(&mut self) {
        let unsent = self.machine.wire().output().len();
        self.machine.wire_mut().advance_output(unsent);
    }

    /// The error of a broken connection, told as often as it is asked for.
    fn lost(&self) -> Closed {
        match &self.broken {
            Some(error) => Closed::Lost(repeat(error)),
            None => Closed::Ended,
        }
    }

    /// Sends the rest, ends our side, and reads what is still coming for a little while.
    async fn close(&mut self) -> Closed {
        let closing = self.closing.get_or_insert_with(|| Closing {
            until: Instant::now() + CLOSE_LIMIT,
            shut: false,
            dropped: 0,
        });
        let until = closing.until;
        let timed = tokio::time::timeout_at(until, poll_fn(|cx| self.poll_shut(cx))).await;
        if timed.is_err() {
            let unsent = self.machine.wire().output().len();
            return Closed::Unsent { unsent };
        }
        let limit = until.min(Instant::now() + LINGER_LIMIT);
        // Whether the peer is gone or the time is: either way it is the end.
        let _ = tokio::time::timeout_at(limit, poll_fn(|cx| self.poll_linger(cx))).await;
        self.lost()
    }

    /// Ready when all output is sent and our side of the stream is shut.
    fn poll_shut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.broken.is_none() && !self.machine.wire().output().is_empty() {
            ready!(self.poll_send(cx));
        }
        self.drop_output();
        let Some(closing) = &mut self.closing else {
            return Poll::Ready(());
        };
        if !closing.shut && self.broken.is_none() {
            // The peer may be gone already; its last bytes were sent, so that is no failure.
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            closing.shut = true;
        }
        Poll::Ready(())
    }

    /// Ready when the peer has ended its side or has sent more than is worth reading.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(closing) = &mut self.closing else {
            return Poll::Ready(());
        };
        if self.machine.wire().eof() || self.broken.is_some() {
            return Poll::Ready(());
        }
        while closing.dropped < LINGER_BYTES {
            let stream = &mut self.stream;
            let read = scratch::with(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
                Poll::Ready(Ok::<_, io::Error>(buffer.filled().len()))
            });
            match ready!(read) {
                Ok(0) | Err(_) => break,
                Ok(n) => closing.dropped = closing.dropped.saturating_add(n),
            }
        }
        closing.dropped = LINGER_BYTES;
        Poll::Ready(())
    }
}

/// An error of the same kind and text, since `io::Error` is not `Clone`.
fn repeat(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
