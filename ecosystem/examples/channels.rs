//! Channels and locks of other crates on this runtime: async-channel, tokio's `sync`, and futures.
//!
//! Type `cargo run --example channels`. A bakery: a thread takes orders, three bakers work them off at two ovens,
//! and when the thread has no more, all go home. The channels and locks have no runtime in them: they wake whoever
//! waits, from whichever thread. Where all are tasks of one runtime, `Rc` and `RefCell` may do instead.

use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{StreamExt, stream};
use runtime::task::JoinSet;
use runtime::time::sleep;
use tokio::sync::{Mutex, Notify, Semaphore, broadcast, mpsc, oneshot, watch};

const ORDERS: u32 = 12;
const BAKERS: u32 = 3;
const OVENS: usize = 2;

struct Order {
    number: u32,
    /// To whom the bread goes: one value, once.
    reply: oneshot::Sender<String>,
}

/// What the bakers share.
struct Bakery {
    /// So many at a time.
    ovens: Semaphore,
    /// Held over an `.await`, which a `RefCell` must not be.
    ledger: Mutex<Vec<u32>>,
    /// The latest value, for who wants to know how far they are.
    baked: watch::Sender<u32>,
    /// Every listener hears all.
    news: broadcast::Sender<String>,
    /// Each ring wakes one who waits for it.
    bell: Notify,
}

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Any number of senders and of receivers; the order goes to one of them.
    let (orders, queue) = async_channel::bounded(4);
    let customer = thread::spawn(move || take_orders(&orders));

    let bakery = Arc::new(Bakery {
        ovens: Semaphore::new(OVENS),
        ledger: Mutex::default(),
        baked: watch::Sender::new(0),
        news: broadcast::Sender::new(16),
        bell: Notify::new(),
    });
    let mut news = bakery.news.subscribe();
    let (mut baked, opened) = (bakery.baked.subscribe(), bakery.clone());
    let opener = runtime::spawn(async move { opened.bell.notified().await });

    let mut bakers = JoinSet::new();
    for baker in 0..BAKERS {
        bakers.spawn(bake(baker, queue.clone(), bakery.clone()));
    }
    opener.await?;
    println!("the first order is here");
    baked.wait_for(|&baked| baked == ORDERS).await?;
    println!("{ORDERS} loaves are baked");
    while let Some(baker) = bakers.join_next().await {
        baker?;
    }
    let mut closing = [news.recv().await?, news.recv().await?, news.recv().await?];
    closing.sort();
    println!("{}", closing.join(", "));

    let mut ledger = bakery.ledger.lock().await.clone();
    ledger.sort();
    assert!(ledger.into_iter().eq(0..ORDERS));
    let breads =
        runtime::spawn_blocking(|| customer.join()).await?.map_err(|_| "the customer fell")?;
    println!("the customer has {breads} breads");

    println!("{:?}", deliver().await);
    Ok(())
}

/// On a thread of its own, which may block.
fn take_orders(orders: &async_channel::Sender<Order>) -> usize {
    let ordered = (0..ORDERS).map(|number| {
        let (reply, bread) = oneshot::channel();
        orders.send_blocking(Order { number, reply }).expect("the bakers work until we are done");
        bread
    });
    let breads: Vec<_> = ordered.collect();
    breads.into_iter().filter_map(|bread| bread.blocking_recv().ok()).count()
}

/// Until the queue is empty and nobody can send any more.
async fn bake(baker: u32, queue: async_channel::Receiver<Order>, bakery: Arc<Bakery>) {
    while let Ok(Order { number, reply }) = queue.recv().await {
        bakery.bell.notify_one();
        let oven = bakery.ovens.acquire().await.expect("it is never closed");
        sleep(Duration::from_millis(1)).await;
        drop(oven);
        let mut ledger = bakery.ledger.lock().await;
        sleep(Duration::from_micros(100)).await; // as writing it down takes
        ledger.push(number);
        let _ = reply.send(format!("bread {number}")); // whoever ordered it may have gone
        bakery.baked.send_modify(|baked| *baked += 1);
    }
    let _ = bakery.news.send(format!("baker {baker} goes home"));
}

/// What futures has for many at once, in one task: no spawn.
async fn deliver() -> Vec<u32> {
    let ride = |house: u32| async move {
        sleep(Duration::from_millis(u64::from(10 - house))).await;
        house
    };
    // Two at a time, and who is back first comes first.
    let near = stream::iter(1..=4).map(ride).buffer_unordered(2).collect::<Vec<_>>();
    // All at once.
    let far = [7, 5, 9].into_iter().map(ride).collect::<FuturesUnordered<_>>().collect::<Vec<_>>();
    // In a channel with room for one, each waits for the one before to be taken.
    let (sender, mut receiver) = mpsc::channel(1);
    let post = async move {
        for house in 20..23 {
            sender.send(house).await.expect("somebody reads");
        }
    };
    let read = async {
        let mut posted = vec![];
        while let Some(house) = receiver.recv().await {
            posted.push(house);
        }
        posted
    };
    let (near, far, (), posted) = futures::join!(near, far, post, read);
    let mut houses = [near, far, posted].concat();
    houses.sort();
    houses
}
