//! `QueueSpool` on a file system in memory: what is promised is kept, what is dropped leaves nothing.

use driver::{LogWriter, PoolLimits, QueueSpool, StorePool};
use mta_core::ports::Spool;
use mta_core::ports::spool::{MessageId, SpoolError};
use mta_core::rewrite::Routing;
use mta_core::{Address, Envelope, Unix};
use mta_store::files::{Files, SimFiles, sim::Fault};
use mta_store::log::{INLINE, Log};
use mta_store::queue::{Origin, Queue, SPLIT};
use mta_store::store::{Route, Store};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

struct World {
    files: Arc<SimFiles>,
    queue: Queue<SimFiles>,
    pool: StorePool,
    spool: QueueSpool<SimFiles>,
    told: Arc<Mutex<Vec<MessageId>>>,
}

fn world(budget: usize) -> World {
    let files = Arc::new(SimFiles::new());
    let queue = Queue::create(Arc::clone(&files), "/queue").unwrap();
    let limits = PoolLimits {
        threads: 1,
        waiting: 8,
    };
    let pool = StorePool::start("test-store", limits).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let origin = Origin { pid: 1, uid: 2 };
    let store = Store::queue(queue.clone(), route());
    let spool = QueueSpool::builder(store, pool.clone(), origin)
        .clock(|| Unix(1_000_000_000))
        .on_queued(move |id| tell.lock().unwrap().push(id))
        .budget(budget)
        .build();
    World {
        files,
        queue,
        pool,
        spool,
        told,
    }
}

fn route() -> Route {
    let routing = Routing::default();
    Arc::new(move |to| routing.route(to))
}

impl World {
    fn content(&self, id: MessageId) -> Vec<u8> {
        let message = self.queue.open_message(id).unwrap();
        let mut content = vec![0; 1024 * 1024];
        let n = message.read_at(&mut content, 0).unwrap();
        content.truncate(n);
        content
    }

    fn files_in_mess(&self) -> usize {
        let mut count = 0;
        for part in 0..SPLIT {
            let dir = format!("/queue/mess/{part}");
            let dir = Path::new(&dir);
            self.files.read_dir(dir, &mut |_| count += 1).unwrap();
        }
        count
    }

    /// Keeps the only store thread busy until something is sent.
    async fn stop_thread(&self) -> Sender<()> {
        let (let_go, gate) = channel::<()>();
        let (tell, started) = tokio::sync::oneshot::channel();
        let pool = self.pool.clone();
        let wait = move || {
            tell.send(()).unwrap();
            gate.recv().is_ok()
        };
        tokio::spawn(async move { pool.run(wait).await });
        started.await.unwrap();
        let_go
    }
}

#[tokio::test]
async fn a_small_message_touches_no_file_before_its_commit() {
    let world = world(usize::MAX);
    let calls = world.files.calls();
    let mut incoming = world.spool.begin().await.unwrap();
    incoming.write("Subject: a\n".into()).await.unwrap();
    incoming.write("\nb\n".into()).await.unwrap();
    assert_eq!(world.files.calls(), calls);
    let id = incoming.commit(Envelope::default()).await.unwrap();
    assert_eq!(world.queue.todo().unwrap(), [id]);
    assert_eq!(*world.told.lock().unwrap(), [id]);
    assert_eq!(world.content(id), b"Subject: a\n\nb\n");
}

#[tokio::test]
async fn large_messages_arrive_whole_with_and_without_room() {
    for (name, budget) in [("plenty", usize::MAX), ("little", 10_000), ("none", 0)] {
        let world = world(budget);
        let mut incoming = world.spool.begin().await.unwrap();
        let mut sent = Vec::new();
        for i in 0..300_u32 {
            let piece = format!("{i} ").repeat(i as usize);
            sent.extend_from_slice(piece.as_bytes());
            incoming.write(piece.into()).await.unwrap();
        }
        let huge = vec![b'x'; 200_000];
        sent.extend_from_slice(&huge);
        incoming.write(huge.into()).await.unwrap();
        incoming.write("end\n".into()).await.unwrap();
        sent.extend_from_slice(b"end\n");
        let id = incoming.commit(Envelope::default()).await.unwrap();
        assert_eq!(world.content(id), sent, "{name}");
    }
}

#[tokio::test]
async fn a_message_that_is_dropped_leaves_nothing() {
    let world = world(usize::MAX);
    let mut incoming = world.spool.begin().await.unwrap();
    incoming.write(vec![b'x'; 100_000].into()).await.unwrap();
    assert_eq!(world.files_in_mess(), 1);
    drop(incoming);
    world.pool.close();
    assert_eq!(world.files_in_mess(), 0);
    assert_eq!(world.told.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_left() {
    let world = world(usize::MAX);
    let calls = world.files.calls();
    world
        .files
        .inject_during(calls, calls + 100, Fault::NoSpace);
    let mut incoming = world.spool.begin().await.unwrap();
    incoming.write("a\n".into()).await.unwrap();
    let result = incoming.commit(Envelope::default()).await;
    assert_eq!(result, Err(SpoolError::Full));
    assert_eq!(world.queue.todo().unwrap(), []);
    assert_eq!(world.told.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_any_more_is_done_all_the_same() {
    let world = world(usize::MAX);
    let let_go = world.stop_thread().await;
    let mut incoming = world.spool.begin().await.unwrap();
    incoming.write("a\n".into()).await.unwrap();
    let mut commit = incoming.commit(Envelope::default());
    tokio::select! {
        biased;
        _ = &mut commit => panic!("the thread is busy"),
        () = tokio::task::yield_now() => {}
    }
    drop(commit);
    let_go.send(()).unwrap();
    world.pool.close();
    assert_eq!(world.queue.todo().unwrap(), *world.told.lock().unwrap());
    assert_eq!(world.told.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_whose_writing_was_given_up_is_never_queued() {
    let world = world(0);
    let let_go = world.stop_thread().await;
    let mut incoming = world.spool.begin().await.unwrap();
    tokio::select! {
        biased;
        _ = incoming.write("lost\n".into()) => panic!("the thread is busy"),
        () = tokio::task::yield_now() => {}
    }
    let_go.send(()).unwrap();
    assert!(incoming.write("kept\n".into()).await.is_err());
    assert!(incoming.commit(Envelope::default()).await.is_err());
    world.pool.close();
    assert_eq!(world.queue.todo().unwrap(), []);
    assert_eq!(world.files_in_mess(), 0);
}

#[tokio::test]
async fn an_envelope_that_no_queue_can_hold_is_refused_for_good() {
    let world = world(usize::MAX);
    let incoming = world.spool.begin().await.unwrap();
    let long = Address::new(vec![b'x'; 2000]).unwrap();
    let envelope = Envelope {
        recipients: vec![long.into()],
        ..Envelope::default()
    };
    let result = incoming.commit(envelope).await;
    assert!(matches!(result, Err(SpoolError::Unacceptable(_))));
}

#[tokio::test]
async fn a_closed_pool_queues_nothing() {
    let world = world(usize::MAX);
    let mut incoming = world.spool.begin().await.unwrap();
    incoming.write("a\n".into()).await.unwrap();
    world.pool.close();
    let result = incoming.commit(Envelope::default()).await;
    assert_eq!(result, Err(SpoolError::Closed));
}

/// A log with a writer, and the spool in front of it.
fn log_spool(files: &Arc<SimFiles>) -> (QueueSpool<SimFiles>, Log<SimFiles>, LogWriter<SimFiles>) {
    let (log, _) = Log::open(Arc::clone(files), "/log").unwrap();
    let writer = LogWriter::start(log.clone(), |trouble| panic!("{trouble}")).unwrap();
    let pool = StorePool::start("test-log", PoolLimits::default()).unwrap();
    let store = Store::log(log.clone(), route());
    let origin = Origin { pid: 1, uid: 2 };
    let spool = QueueSpool::builder(store, pool, origin).build();
    (spool, log, writer)
}

async fn send(spool: &QueueSpool<SimFiles>, body: &[u8]) -> Result<MessageId, SpoolError> {
    let mut incoming = spool.begin().await?;
    for piece in body.chunks(50_000) {
        incoming.write(piece.to_vec().into()).await?;
    }
    let to = Address::new(*b"joe@example.org").unwrap();
    let envelope = Envelope {
        recipients: vec![to.into()],
        ..Envelope::default()
    };
    incoming.commit(envelope).await
}

#[tokio::test]
async fn a_log_takes_small_and_large_messages() {
    let files = Arc::new(SimFiles::new());
    let (spool, log, _writer) = log_spool(&files);
    for size in [0, 1, INLINE, INLINE + 1, 3 * INLINE] {
        let body = vec![b'x'; size];
        let id = send(&spool, &body).await.unwrap();
        let message = log.open_message(id).unwrap();
        assert_eq!(message.len(), size as u64);
        log.verify(id).unwrap();
    }
}

#[tokio::test]
async fn many_sessions_share_the_groups_of_a_log() {
    let files = Arc::new(SimFiles::new());
    let (spool, log, _writer) = log_spool(&files);
    let all = (0..100).map(|_| {
        let spool = spool.clone();
        tokio::spawn(async move { send(&spool, b"hello\n").await.unwrap() })
    });
    let mut ids = Vec::new();
    for one in all.collect::<Vec<_>>() {
        ids.push(one.await.unwrap());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), log.len()), (100, 100));
}

#[tokio::test]
async fn a_log_whose_disk_is_full_says_so_and_goes_on() {
    let files = Arc::new(SimFiles::new());
    let (spool, log, _writer) = log_spool(&files);
    let calls = files.calls();
    files.inject_during(calls + 1, calls + 50, Fault::NoSpace);
    assert_eq!(send(&spool, b"hello\n").await, Err(SpoolError::Full));
    files.heal();
    let id = send(&spool, b"hello\n").await.unwrap();
    assert_eq!(log.len(), 1);
    log.verify(id).unwrap();
}

#[tokio::test]
async fn an_ended_writer_has_written_what_waited() {
    let files = Arc::new(SimFiles::new());
    let (spool, log, writer) = log_spool(&files);
    let id = send(&spool, b"hello\n").await.unwrap();
    drop((spool, writer, log));
    let (_, found) = Log::open(files, "/log").unwrap();
    assert_eq!(found.standing[0].id, id);
}
