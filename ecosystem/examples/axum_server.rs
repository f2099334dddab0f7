//! A web service on axum, without its `tokio` feature: hyper-util serves the router on this runtime.
//!
//! Type `cargo run --example axum_server`, or with an address, as `127.0.0.1:8080`, which is where it listens
//! otherwise. From another terminal:
//!
//! - `curl http://127.0.0.1:8080/` says hello;
//! - `curl http://127.0.0.1:8080/sleep/500` is answered half a second later;
//! - `curl 'http://127.0.0.1:8080/probe?host=localhost&port=22'` says whether something listens there;
//! - `curl -d '{"words": "a few words"}' -H 'Content-Type: application/json' http://127.0.0.1:8080/jobs` has a task
//!   do something, and `curl http://127.0.0.1:8080/jobs/1` says what became of it.
//!
//! axum wants the futures of its handlers to be `Send`. Ours are where they hold what is `Send`: sockets, timers and
//! handles of tasks all are. What is not goes into a task of its own, whose handle a handler may await. Ctrl-C ends it;
//! how to finish requests first is shown by `hyper_server`.

use std::collections::HashMap;
use std::env;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use runtime::hyper::{Executor, Timer};
use runtime::net::{TcpListener, TcpStream};
use runtime::signal::ctrl_c;
use runtime::time::{Instant, sleep, timeout};
use runtime::{select, spawn};
use serde::{Deserialize, Serialize};

#[runtime::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let app = Router::new()
        .route("/", get(async || "hello\n"))
        .route("/sleep/{milliseconds}", get(doze))
        .route("/probe", get(probe))
        .route("/jobs", post(begin))
        .route("/jobs/{number}", get(outcome))
        .with_state(Jobs::default());
    select! {
        ended = serve(listener, app) => ended,
        asked = ctrl_c() => asked,
    }
}

/// What `axum::serve` is with axum's `tokio` feature.
async fn serve(listener: TcpListener, app: Router) -> io::Result<()> {
    let service = TowerToHyperService::new(app);
    loop {
        let (stream, client) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        spawn(async move {
            let mut server = auto::Builder::new(Executor);
            server.http1().timer(Timer);
            server.http2().timer(Timer);
            // With upgrades, for WebSockets.
            if let Err(error) = server.serve_connection_with_upgrades(stream, service).await {
                eprintln!("{client}: {error}");
            }
        });
    }
}

/// A handler that awaits a timer.
async fn doze(Path(milliseconds): Path<u64>) -> String {
    let begin = Instant::now();
    sleep(Duration::from_millis(milliseconds)).await;
    format!("slept {} ms\n", begin.elapsed().as_millis())
}

#[derive(Deserialize)]
struct Address {
    host: String,
    port: u16,
}

#[derive(Serialize)]
struct Probe {
    open: bool,
    why_not: Option<String>,
}

/// A handler that awaits a socket.
async fn probe(Query(Address { host, port }): Query<Address>) -> Json<Probe> {
    let connecting = TcpStream::connect((host, port));
    let why_not = match timeout(Duration::from_secs(5), connecting).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(late) => Some(late.to_string()),
    };
    Json(Probe { open: why_not.is_none(), why_not })
}

/// What became of each; `None` while it is being done. axum wants what handlers share to be `Send` and `Sync`.
type Jobs = Arc<Mutex<HashMap<usize, Option<usize>>>>;

#[derive(Deserialize)]
struct Job {
    words: String,
}

/// A handler that leaves its work to a task, which outlives the request.
async fn begin(State(jobs): State<Jobs>, Json(job): Json<Job>) -> (StatusCode, String) {
    let number = {
        let mut jobs = jobs.lock().expect("nobody panics with it");
        let number = jobs.len() + 1;
        jobs.insert(number, None);
        number
    };
    spawn(async move {
        let count = spawn(count_words(job.words)).await.expect("it does not panic");
        jobs.lock().expect("nobody panics with it").insert(number, Some(count));
    });
    (StatusCode::ACCEPTED, format!("/jobs/{number}\n"))
}

/// This holds an `Rc` while it waits, so it is not `Send`: no handler can await it, but a task can run it.
async fn count_words(text: String) -> usize {
    let words: Rc<[&str]> = text.split_whitespace().collect();
    sleep(Duration::from_millis(1)).await;
    words.len()
}

async fn outcome(State(jobs): State<Jobs>, Path(number): Path<usize>) -> (StatusCode, String) {
    match jobs.lock().expect("nobody panics with it").get(&number) {
        Some(Some(count)) => (StatusCode::OK, format!("{count} words\n")),
        Some(None) => (StatusCode::ACCEPTED, "not yet\n".into()),
        None => (StatusCode::NOT_FOUND, "there is no such job\n".into()),
    }
}
