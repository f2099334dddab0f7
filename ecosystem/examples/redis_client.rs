//! A visit to a redis server: a pipeline, requests of many tasks on one connection, published messages, and a
//! deadline. Over `ecosystem::redis`.
//!
//! Type `redis-server` in one terminal, and `cargo run --example redis_client` in another. Another address goes
//! behind `--`: `HOST:PORT`, or `unix:PATH`. It uses keys that begin with `visit:`, and deletes them.

use std::env;
use std::error::Error;
use std::time::Duration;

use redis::{AsyncCommands, FromRedisValue, PushKind};
use runtime::task::JoinSet;
use runtime::time::timeout;

const TASKS: usize = 100;

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:6379".to_string());
    let (sender, pushes) = async_channel::unbounded();
    let (mut redis, driver) = ecosystem::redis::connect(&address, sender).await?;

    // All in one write, and their answers in one read.
    let (old, counted): (Option<String>, usize) = redis::pipe()
        .getset("visit:name", "guest")
        .incr("visit:count", 1)
        .query_async(&mut redis)
        .await?;
    println!("the name was {old:?}, and the count is {counted}");

    // Each task has a clone of the connection, and none waits for another's answer.
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let mut redis = redis.clone();
        tasks.spawn(async move { redis.incr::<_, _, usize>("visit:count", n).await });
    }
    while let Some(counted) = tasks.join_next().await {
        counted??;
    }
    let count: usize = redis.get("visit:count").await?;
    println!("{TASKS} tasks have counted to {count}");

    redis.subscribe("visit:news").await?;
    let readers: usize = redis.publish("visit:news", "hello").await?;
    let message = loop {
        let push = pushes.recv().await?;
        if push.kind == PushKind::Message {
            break String::from_redis_value_ref(&push.data[1])?;
        }
    };
    println!("{readers} reads {message:?}");

    // The answer comes too late, and is passed over: the connection goes on.
    let mut waiting = redis.clone();
    let late = waiting.blpop::<_, Option<String>>("visit:nothing", 1.0);
    match timeout(Duration::from_millis(20), late).await {
        Ok(answer) => println!("an answer: {:?}", answer?),
        Err(late) => println!("no answer: {late}"),
    }

    let deleted: usize = redis.del(&["visit:name", "visit:count"]).await?;
    println!("{deleted} keys deleted");
    drop((redis, waiting));
    driver.await?;
    Ok(())
}
