//! Links with real machines: what sessions say through a stream, and what they weigh.

use driver::blocking::Stream;
use driver::{BlockingLink, Clock, Closed, Link};
use mta_core::Mono;
use mta_proto::pop3::{self, AbortReason, Admission, Event, Listing};
use mta_proto::{Chunk, smtp};
use std::io::{self, Cursor, Read, Write};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

const ASKED: &[u8] = b"USER joe\r\nPASS x\r\nRETR 1\r\nQUIT\r\n";

fn listing() -> Listing {
    let mut listing = Listing::new(1);
    listing.push(3, b"one").unwrap();
    listing
}

fn pop3_server(clock: Mono) -> pop3::Server {
    pop3::Server::new(pop3::Config::default().into(), clock)
}

/// Answers with one message of `chunks` times 16 KiB.
struct Mailbox {
    chunks: usize,
}

impl Mailbox {
    fn answer(&mut self, server: &mut pop3::Server, event: Event) -> Option<AbortReason> {
        match event {
            Event::Login { ticket, .. } => server.admit(ticket, Admission::Accept(listing())),
            Event::Open { ticket, .. } => server.opened(ticket, Ok(())),
            Event::Need(ticket) if self.chunks == 0 => server.chunk(ticket, Chunk::End),
            Event::Need(ticket) => {
                self.chunks -= 1;
                server.chunk(ticket, Chunk::Bytes(vec![b'x'; 16 * 1024].into()));
            }
            Event::Quit { ticket, .. } => server.updated(ticket, Ok(())),
            Event::Abort(reason) => return Some(reason),
            other => panic!("unexpected {other:?}"),
        }
        None
    }
}

async fn serve(
    mut link: Link<pop3::Server, DuplexStream>,
    chunks: usize,
) -> (Option<AbortReason>, Closed) {
    let mut mailbox = Mailbox { chunks };
    let mut abort = None;
    loop {
        match link.next().await {
            Ok(event) => abort = mailbox.answer(link.machine(), event).or(abort),
            Err(closed) => return (abort, closed),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_message_passes_a_narrow_stream() {
    let (mut peer, ours) = duplex(100);
    let clock = Clock::start();
    let link = Link::new(pop3_server(clock.now()), ours, clock);
    let session = tokio::spawn(serve(link, 100));
    peer.write_all(ASKED).await.unwrap();
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).await.unwrap();
    assert!(heard.ends_with(b"x\r\n.\r\n+OK bye\r\n"));
    let body = heard.iter().filter(|&&byte| byte == b'x').count();
    assert_eq!(body, 100 * 16 * 1024);
    drop(peer);
    let (abort, closed) = session.await.unwrap();
    assert_eq!(abort, None);
    assert!(matches!(closed, Closed::Ended));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_ends_the_transfer() {
    let (mut peer, ours) = duplex(100);
    let clock = Clock::start();
    let link = Link::new(pop3_server(clock.now()), ours, clock);
    let session = tokio::spawn(serve(link, usize::MAX));
    peer.write_all(ASKED).await.unwrap();
    let mut heard = [0; 200];
    peer.read_exact(&mut heard).await.unwrap();
    drop(peer);
    let (abort, closed) = session.await.unwrap();
    assert_eq!(abort, Some(AbortReason::HungUp));
    assert!(matches!(closed, Closed::Lost(_)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_dropped_in_the_end() {
    let (mut peer, ours) = duplex(100);
    let clock = Clock::start();
    let link = Link::new(pop3_server(clock.now()), ours, clock);
    let session = tokio::spawn(serve(link, usize::MAX));
    peer.write_all(ASKED).await.unwrap();
    let (abort, closed) = session.await.unwrap();
    assert_eq!(abort, Some(AbortReason::TimedOut));
    assert!(
        matches!(closed, Closed::Unsent { unsent: 1.. }),
        "{closed:?}"
    );
    let waited = clock.now().since(Mono::ZERO);
    let at_most = Duration::from_secs(600) + driver::link::CLOSE_LIMIT + Duration::from_secs(1);
    assert!(waited <= at_most, "{waited:?}");
    drop(peer);
}

/// A connection over loopback: the client's end, and a session on the other.
async fn over_tcp() -> (TcpStream, Link<pop3::Server, TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    let clock = Clock::start();
    let link = Link::new(pop3_server(clock.now()), accepted.unwrap().0, clock);
    (client.unwrap(), link)
}

#[tokio::test]
async fn the_last_words_are_not_overtaken_by_a_reset() {
    let (mut client, mut link) = over_tcp().await;
    let session = tokio::spawn(async move {
        while let Ok(event) = link.next().await {
            assert_eq!(event, Event::Abort(AbortReason::TooManyErrors));
        }
    });
    // Much more than is read before the session ends; a reset would destroy the replies.
    client
        .write_all(&b"nonsense\r\n".repeat(20_000))
        .await
        .unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    drop(client);
    assert_eq!(heard.matches("-ERR").count(), 20);
    session.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_breaks_ends_the_waiting() {
    let (client, mut link) = over_tcp().await;
    let (read, hang_up) = tokio::join!(
        link.while_waiting(std::future::pending::<()>()),
        async move {
            client.readable().await.unwrap();
            // Closing a socket with unread input resets the connection.
            drop(client);
        }
    );
    assert!(matches!(read, Err(Closed::Lost(_))), "{read:?}");
    assert_eq!(hang_up, ());
    let told = link.next().await.unwrap();
    assert_eq!(told, Event::Abort(AbortReason::HungUp));
    assert!(matches!(link.next().await, Err(Closed::Lost(_))));
}

#[tokio::test]
async fn a_client_that_only_ends_its_side_is_served_to_the_end() {
    let (mut client, link) = over_tcp().await;
    let session = tokio::spawn(serve_tcp(link));
    client.write_all(ASKED).await.unwrap();
    client.shutdown().await.unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    assert!(heard.ends_with(b".\r\n+OK bye\r\n"));
    assert!(matches!(session.await.unwrap(), Closed::Ended));
}

async fn serve_tcp(mut link: Link<pop3::Server, TcpStream>) -> Closed {
    let mut mailbox = Mailbox { chunks: 1 };
    loop {
        match link.next().await {
            Ok(event) => {
                let slowly = tokio::task::yield_now();
                link.while_waiting(slowly).await.unwrap();
                assert_eq!(mailbox.answer(link.machine(), event), None);
            }
            Err(closed) => return closed,
        }
    }
}

/// A blocking stream whose peer has said everything already.
struct Script {
    said: Cursor<&'static [u8]>,
    heard: Vec<u8>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let few = buffer.len().min(3);
        Read::read(&mut self.said, &mut buffer[..few])
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.heard.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Script {
    fn set_limit(&mut self, _limit: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_session_runs_without_a_runtime() {
    let script = Script {
        said: Cursor::new(ASKED),
        heard: Vec::new(),
    };
    let mut link = BlockingLink::new(pop3_server(Mono::ZERO), script);
    let mut mailbox = Mailbox { chunks: 1 };
    while let Ok(event) = link.next() {
        assert_eq!(mailbox.answer(link.machine(), event), None);
    }
    let heard = link.finish().unwrap().heard;
    assert!(heard.starts_with(b"+OK POP3 ready\r\n"));
    assert!(heard.ends_with(b"x\r\n.\r\n+OK bye\r\n"));
}

#[test]
fn a_blocking_link_says_that_a_question_is_open() {
    let script = Script {
        said: Cursor::new(ASKED),
        heard: Vec::new(),
    };
    let mut link = BlockingLink::new(pop3_server(Mono::ZERO), script);
    let question = link.next().unwrap();
    assert!(matches!(link.next(), Err(Closed::Unanswered)));
    drop(question);
}

/// The future of an SMTP session as a server would spawn it.
async fn smtp_session(machine: smtp::server::Server, stream: TcpStream, clock: Clock) {
    let mut link = Link::new(machine, stream, clock);
    while let Ok(event) = link.next().await {
        drop(event);
    }
}

#[test]
fn an_idle_session_is_light() {
    fn size_of_future<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }
    let link = size_of::<Link<smtp::server::Server, TcpStream>>();
    assert!(link <= 1024, "the link itself has {link} bytes");
    let task = size_of_future(smtp_session);
    assert!(task <= 3 * 1024, "the session's future has {task} bytes");
}
