//! A key-value store in memory: one map for all clients, a limit, and an end that cuts nobody off.
//!
//! Type `cargo run --example store`, and in another terminal `nc 127.0.0.1 7003`. Then type `set colour blue`
//! and `get colour`. Another address goes behind `--`. On Ctrl-C it answers what it has read and ends. The
//! chapter `guide::first_program` of the documentation builds this, step by step.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use async_channel::Receiver;
use runtime::net::{TcpListener, TcpStream};
use runtime::signal::ctrl_c;
use runtime::task::{JoinError, JoinSet};
use runtime::time::timeout;

/// Below the number of descriptors that a process may have as a rule, `ulimit -n`.
const CLIENTS_MAX: usize = 500;
const LINE_LEN_MAX: usize = 64 * 1024;
const IDLE: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(5);

type Store = Rc<RefCell<HashMap<String, String>>>;

#[runtime::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7003".to_string());
    let listener = TcpListener::bind(address).await?;
    let store = Store::default();
    let mut clients = JoinSet::new();
    // Nothing is ever sent: when `stop` is dropped, all who hold `stopped` hear of it.
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let mut interrupted = pin!(ctrl_c());
    println!("listening on {}", listener.local_addr()?);
    loop {
        runtime::select! {
            // At the limit nobody is accepted: new clients wait in the listener's queue.
            accepted = listener.accept(), if clients.len() < CLIENTS_MAX => match accepted {
                Ok((stream, _peer)) => {
                    clients.spawn(serve(stream, store.clone(), stopped.clone()));
                }
                Err(error) => eprintln!("{error}"),
            },
            Some(ended) = clients.join_next() => report(ended),
            pressed = &mut interrupted => {
                pressed?;
                break;
            }
        }
    }
    drop(stop);
    let all = async {
        while let Some(ended) = clients.join_next().await {
            report(ended);
        }
    };
    match timeout(GRACE, all).await {
        Ok(()) => println!("ended"),
        Err(_elapsed) => println!("ended; {} clients did not take their answers", clients.len()),
    }
    Ok(())
}

fn report(ended: Result<io::Result<()>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => eprintln!("a client: {error}"),
        Err(panic) => eprintln!("a client: {panic}"),
    }
}

async fn serve(stream: TcpStream, store: Store, stopped: Receiver<()>) -> io::Result<()> {
    let mut lines = runtime::io::lines(&stream).max_len(LINE_LEN_MAX);
    loop {
        // What is dropped here has lost nothing: `next_line` keeps the part of a line that has come.
        let line = runtime::select! {
            line = timeout(IDLE, lines.next_line()) => line??,
            _ = stopped.recv() => None,
        };
        let Some(line) = line else { return Ok(()) };
        let answer = answer(&line, &mut store.borrow_mut());
        // Outside of the `select!`, so that an answer once begun is finished.
        stream.write_all(answer.as_bytes()).await?;
    }
}

fn answer(line: &str, store: &mut HashMap<String, String>) -> String {
    match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
        ["set", key, value] => {
            store.insert(key.to_string(), value.to_string());
            "ok\n".to_string()
        }
        ["get", key] => match store.get(key) {
            Some(value) => format!("= {value}\n"),
            None => "none\n".to_string(),
        },
        _ => "commands: set KEY VALUE, get KEY\n".to_string(),
    }
}
