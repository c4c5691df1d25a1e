//! `StorePool`: what is taken is done, and no more than that.

use driver::{NotDone, PoolLimits, StorePool};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;

fn pool(threads: usize, waiting: usize) -> StorePool {
    StorePool::start("test-store", PoolLimits { threads, waiting }).unwrap()
}

#[tokio::test]
async fn work_runs_on_named_threads_and_comes_back() {
    let pool = pool(2, 8);
    let name = pool.run(|| thread::current().name().map(str::to_owned));
    assert_eq!(name.await.unwrap().as_deref(), Some("test-store"));
}

#[tokio::test]
async fn as_many_jobs_run_side_by_side_as_there_are_threads() {
    let pool = pool(4, 8);
    let barrier = Arc::new(Barrier::new(4));
    let meet = || {
        let barrier = Arc::clone(&barrier);
        pool.run(move || barrier.wait().is_leader())
    };
    let (a, b, c, d) = tokio::join!(meet(), meet(), meet(), meet());
    let leaders = [a, b, c, d].iter().filter(|it| **it == Ok(true)).count();
    assert_eq!(leaders, 1);
}

#[tokio::test]
async fn a_panic_is_told_and_the_thread_goes_on() {
    let pool = pool(1, 8);
    let failed = pool.run(|| std::panic::resume_unwind(Box::new("on purpose")));
    assert_eq!(failed.await, Err::<(), _>(NotDone));
    assert_eq!(pool.run(|| 1).await, Ok(1));
}

#[tokio::test]
async fn work_that_nobody_waits_for_any_more_is_done_all_the_same() {
    let pool = pool(1, 8);
    let (let_go, gate) = channel::<()>();
    let done = Arc::new(AtomicUsize::new(0));
    let mine = Arc::clone(&done);
    let mut work = Box::pin(pool.run(move || {
        let _ = gate.recv();
        mine.fetch_add(1, Ordering::SeqCst);
    }));
    tokio::select! {
        biased;
        _ = &mut work => panic!("the gate is shut"),
        () = tokio::task::yield_now() => {}
    }
    drop(work);
    let_go.send(()).unwrap();
    pool.close();
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_closed_pool_takes_nothing() {
    let pool = pool(3, 8);
    pool.close();
    assert_eq!(pool.run(|| 1).await, Err(NotDone));
}
