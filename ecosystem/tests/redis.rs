//! redis on this runtime, against a redis-server.

mod support;

use std::fs;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use async_channel::Receiver;
use futures::future::{join_all, try_join_all};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, PushInfo, PushKind, RedisResult, Value};
use runtime::task::{JoinHandle, JoinSet};
use runtime::time::timeout;
use support::{
    Directory, LIMIT, Pattern, Program, free_port, installed, limited, path, run, signal,
};

struct Server {
    program: Program,
    directory: Directory,
    port: u16,
}

impl Server {
    /// Starts a server that stores nothing, and waits until it can be connected to. `None` if redis is not here.
    fn start() -> Option<Server> {
        if !installed("redis-server", Command::new("redis-server").arg("--version")) {
            return None;
        }
        let directory = Directory::new();
        // It cannot be told to choose one.
        let port = free_port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--unixsocket", &directory.file("socket"), "--dir", &directory.file("")]);
        command.args(["--save", "", "--appendonly", "no"]);
        let program = Program::start(&mut command);
        let mut lines = std::iter::from_fn(|| program.stdout.recv_timeout(LIMIT).ok());
        assert!(lines.any(|line| line.contains("Ready to accept connections")), "it has ended");
        Some(Server { program, directory, port })
    }

    fn tcp(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn unix(&self) -> String {
        format!("unix:{}", self.directory.file("socket"))
    }

    fn child(&self) -> &Child {
        &self.program.child
    }

    /// Stops it, as by Ctrl-Z, and waits until it stands still.
    fn stop(&self) {
        signal(self.child(), "STOP");
        let status = format!("/proc/{}/status", self.child().id());
        while !fs::read_to_string(&status).unwrap().contains("\nState:\tT") {
            thread::yield_now();
        }
    }
}

async fn connect(address: &str) -> MultiplexedConnection {
    connect_all(address).await.0
}

async fn connect_all(address: &str) -> (MultiplexedConnection, JoinHandle<()>, Receiver<PushInfo>) {
    let (sender, pushes) = async_channel::unbounded();
    let (connection, driver) = ecosystem::redis::connect(address, sender).await.unwrap();
    (connection, driver, pushes)
}

#[test]
fn the_example() {
    let Some(server) = Server::start() else { return };
    for address in [server.tcp(), server.unix()] {
        let client = Program::start(Command::new(path("redis_client")).arg(address));
        let printed = limited(|| client.succeed());
        assert_eq!(
            printed,
            [
                "the name was None, and the count is 1",
                "100 tasks have counted to 4951",
                "1 reads \"hello\"",
                "no answer: the deadline came before the future was done",
                "2 keys deleted",
            ]
        );
    }
}

#[test]
fn ten_thousand_requests_at_once_each_get_their_own_answer() {
    const TASKS: usize = 1000;
    const REQUESTS: usize = 10;
    let Some(server) = Server::start() else { return };
    run(async {
        for address in [server.tcp(), server.unix()] {
            let mut redis = connect(&address).await;
            let mut pipeline = redis::pipe();
            for n in 0..TASKS * REQUESTS {
                pipeline.set(n, format!("value {n}")).ignore();
            }
            let () = pipeline.atomic().query_async(&mut redis).await.unwrap();

            let mut tasks = JoinSet::new();
            for task in 0..TASKS {
                let redis = redis.clone();
                tasks.spawn(async move {
                    let mine = task * REQUESTS..(task + 1) * REQUESTS;
                    let gets = mine.clone().map(|n| {
                        let mut redis = redis.clone();
                        async move { redis.get::<_, String>(n).await }
                    });
                    let got = try_join_all(gets).await.unwrap();
                    assert!(got.into_iter().eq(mine.map(|n| format!("value {n}"))));
                });
            }
            while let Some(task) = tasks.join_next().await {
                task.unwrap();
            }
        }
    });
}

#[test]
fn large_values_go_both_ways_at_once() {
    let Some(server) = Server::start() else { return };
    run(async {
        let redis = connect(&server.unix()).await;
        let mut pattern = Pattern::default();
        let echoes = (0..32).map(|_| {
            let value = pattern.take(1024 * 1024);
            let mut redis = redis.clone();
            runtime::spawn(async move {
                let echoed: Vec<u8> =
                    redis::cmd("ECHO").arg(&value).query_async(&mut redis).await.unwrap();
                assert!(echoed == value, "not the bytes that were sent");
            })
        });
        for echo in join_all(echoes).await {
            echo.unwrap();
        }
    });
}

#[test]
fn what_is_published_comes_in_order() {
    const MESSAGES: usize = 1000;
    let Some(server) = Server::start() else { return };
    run(async {
        let (mut redis, _driver, pushes) = connect_all(&server.unix()).await;
        redis.subscribe("news").await.unwrap();
        redis.psubscribe("other:*").await.unwrap();

        // From somebody who is not of ours.
        let cli = Command::new("redis-cli")
            .args(["-p", &server.port.to_string(), "publish", "other:x", "hello"])
            .output();
        assert!(cli.unwrap().status.success());
        let mut publisher = connect(&server.tcp()).await;
        let publish = async {
            for n in 0..MESSAGES {
                let readers: usize = publisher.publish("news", n).await.unwrap();
                assert_eq!(readers, 1);
            }
        };
        let read = async {
            let text = |text: &str| Value::BulkString(text.into());
            let mut messages = vec![];
            while messages.len() < 1 + MESSAGES {
                let push = pushes.recv().await.unwrap();
                if let PushKind::Message | PushKind::PMessage = push.kind {
                    messages.push(push.data);
                }
            }
            assert_eq!(messages[0], [text("other:*"), text("other:x"), text("hello")]);
            for (n, message) in messages[1..].iter().enumerate() {
                assert_eq!(*message, [text("news"), text(&n.to_string())]);
            }
        };
        runtime::join!(publish, read);
        // Requests are answered between messages.
        let pong: String = redis.ping().await.unwrap();
        assert_eq!(pong, "PONG");
    });
}

#[test]
fn a_server_that_dies_fails_all_requests_in_flight() {
    let Some(server) = Server::start() else { return };
    run(async {
        let (redis, driver, _pushes) = connect_all(&server.tcp()).await;
        let mut check = connect(&server.unix()).await;
        let mut requests = JoinSet::new();
        for _ in 0..1000 {
            let mut redis = redis.clone();
            requests.spawn(async move { redis.blpop::<_, Option<String>>("nothing", 0.0).await });
        }
        // The first of them is with the server, the others behind it.
        loop {
            let clients: String =
                redis::cmd("CLIENT").arg("LIST").query_async(&mut check).await.unwrap();
            if clients.contains("cmd=blpop") {
                break;
            }
            runtime::task::yield_now().await;
        }
        signal(server.child(), "KILL");
        while let Some(answer) = requests.join_next().await {
            let error = answer.unwrap().unwrap_err();
            assert!(error.is_connection_dropped() || error.is_io_error(), "{error}");
        }
        driver.await.unwrap();
        let again: RedisResult<String> = redis.clone().ping().await;
        assert!(again.unwrap_err().is_connection_dropped());
    });
}

#[test]
fn a_server_that_hangs_is_left_at_a_deadline() {
    let Some(server) = Server::start() else { return };
    run(async {
        let mut redis = connect(&server.tcp()).await;
        let () = redis.set("key", "value").await.unwrap();
        server.stop();
        let mut stuck = redis.clone();
        let deadlines = (0..100).map(|_| {
            let mut redis = redis.clone();
            runtime::spawn(async move {
                timeout(Duration::from_millis(50), redis.get::<_, String>("key"))
                    .await
                    .unwrap_err();
            })
        });
        for deadline in join_all(deadlines).await {
            deadline.unwrap();
        }
        // Late answers are nobody's, and what is asked next gets its own.
        let asked = runtime::spawn(async move { stuck.set::<_, _, String>("key", "other").await });
        signal(server.child(), "CONT");
        assert_eq!(asked.await.unwrap().unwrap(), "OK");
        assert_eq!(redis.get::<_, String>("key").await.unwrap(), "other");
    });
}

#[test]
fn the_connection_ends_with_its_last_clone() {
    let Some(server) = Server::start() else { return };
    run(async {
        let mut check = connect(&server.unix()).await;
        let (redis, driver, _pushes) = connect_all(&server.tcp()).await;
        let mut clone = redis.clone();
        drop(redis);
        let pong: String = clone.ping().await.unwrap();
        assert_eq!(pong, "PONG");
        drop(clone);
        driver.await.unwrap();
        loop {
            let clients: String =
                redis::cmd("CLIENT").arg("LIST").query_async(&mut check).await.unwrap();
            if clients.lines().count() == 1 {
                break;
            }
            runtime::task::yield_now().await;
        }
    });
}

#[test]
fn other_threads_ask_too() {
    let Some(server) = Server::start() else { return };
    run(async {
        let redis = connect(&server.unix()).await;
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let mut redis = redis.clone();
                thread::spawn(move || {
                    futures::executor::block_on(async {
                        for _ in 0..500 {
                            let () = redis.incr("count", 1).await.unwrap();
                        }
                    });
                })
            })
            .collect();
        let all = runtime::spawn_blocking(|| {
            threads.into_iter().for_each(|thread| thread.join().unwrap())
        });
        all.await.unwrap();
        assert_eq!(redis.clone().get::<_, usize>("count").await.unwrap(), 2000);
    });
}
