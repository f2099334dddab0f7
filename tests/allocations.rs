//! What the engine asks of the allocator, counted by one of our own. Its own process for that.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::IoSliceMut;
use std::time::Duration;

use runtime::net::UdpSocket;
use runtime::net::udp::{Datagram, Received};
use runtime::task::yield_now;
use runtime::time::{sleep, timeout};
use support::run;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    static FREED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        FREED.set(FREED.get() + 1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How much is allocated and freed on this thread while `body` runs.
async fn counted(body: impl Future<Output = ()>) -> (usize, usize) {
    let before = (ALLOCATED.get(), FREED.get());
    body.await;
    (ALLOCATED.get() - before.0, FREED.get() - before.1)
}

#[test]
fn a_task_takes_the_box_of_one_of_its_type_that_has_gone() {
    let task = |i: u64| runtime::spawn(async move { i });
    run(async {
        assert_eq!(task(0).await.unwrap(), 0);
        let joined = counted(async {
            for i in 0..1000 {
                assert_eq!(task(i).await.unwrap(), i);
            }
        });
        assert_eq!(joined.await, (0, 0));
        let detached = counted(async {
            for i in 0..1000 {
                drop(task(i));
                yield_now().await;
            }
        });
        assert_eq!(detached.await, (0, 0));
    });
}

#[test]
fn a_large_box_and_the_129th_are_given_back() {
    run(async {
        let large = |i: u8| runtime::spawn(async move { [i; 2000] });
        assert_eq!(large(0).await.unwrap()[0], 0);
        let (allocated, freed) = counted(async {
            for i in 0..100 {
                assert_eq!(large(i).await.unwrap()[1999], i);
            }
        })
        .await;
        assert_eq!((allocated, freed), (100, 100));

        let small = |i: usize| runtime::spawn(async move { i });
        let many: Vec<_> = (0..500).map(small).collect();
        yield_now().await;
        let (allocated, freed) = counted(async {
            for handle in many {
                handle.await.unwrap();
            }
        })
        .await;
        assert!(allocated < 10, "{allocated} for the list of boxes that are kept");
        assert!(freed > 500 - 128, "{freed} of 500");
    });
}

#[test]
fn timers_that_come_and_go_allocate_nothing() {
    run(async {
        let pending = || timeout(Duration::from_secs(60), std::future::pending::<()>());
        let once = || async { assert!(futures::poll!(std::pin::pin!(pending())).is_pending()) };
        once().await;
        sleep(Duration::from_nanos(1)).await;
        let counts = counted(async {
            for _ in 0..1000 {
                once().await;
            }
        });
        assert_eq!(counts.await, (0, 0));
    });
}

#[test]
fn batches_of_datagrams_allocate_nothing() {
    run(async {
        let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let b = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        a.connect(b.local_addr().unwrap()).await.unwrap();
        let mut batch = [Datagram::new(b"one"), Datagram::new(&[7; 250]).segment_size(100)];
        let mut room = [[0; 100]; 8];
        let mut bufs = room.each_mut().map(|buf| IoSliceMut::new(buf));
        let mut received = [Received::default(); 8];
        let counts = counted(async {
            for _ in 0..100 {
                assert_eq!(a.send_many(&mut batch).await.unwrap(), 2);
                let mut count = 0;
                while count < 4 {
                    count += b.recv_many(&mut bufs, &mut received).await.unwrap();
                }
            }
        });
        assert_eq!(counts.await, (0, 0));
    });
}
