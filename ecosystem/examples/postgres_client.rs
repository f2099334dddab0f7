//! A visit to a PostgreSQL server: a transaction, queries of many tasks on one connection, and a deadline
//! with a cancelled query. On tokio-postgres, which speaks the protocol over any stream.
//!
//! Type `cargo run --example postgres_client`, or with an address, `-- HOST:PORT` or `-- unix:PATH`, and
//! the connection's settings behind it, as `user=postgres dbname=postgres`, which are these otherwise. A
//! server on a Unix socket listens at `/run/postgresql/.s.PGSQL.5432` as a rule. It makes a temporary
//! table and nothing else.

use std::env;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use runtime::net::{TcpStream, UnixStream};
use runtime::task::JoinSet;
use runtime::time::timeout;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

const TASKS: i64 = 100;

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Opens a stream to the server. Its name, its port and its deadlines are ours to care for, as
/// tokio-postgres has its own connections on tokio only.
async fn open(address: &str) -> io::Result<Box<dyn Stream>> {
    Ok(match address.strip_prefix("unix:") {
        Some(path) => Box::new(UnixStream::connect(path).await?),
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
    })
}

async fn connect(address: &str, config: &Config) -> Result<Client, Box<dyn Error>> {
    let (client, connection) = config.connect_raw(open(address).await?, NoTls).await?;
    // It moves the bytes, and ends when the last client is gone.
    runtime::spawn(async {
        if let Err(error) = connection.await {
            eprintln!("the connection ends: {error}");
        }
    });
    Ok(client)
}

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:5432".to_string());
    let config: Config =
        args.next().unwrap_or_else(|| "user=postgres dbname=postgres".to_string()).parse()?;
    let mut client = connect(&address, &config).await?;

    client.batch_execute("CREATE TEMPORARY TABLE numbers (n bigint, name text)").await?;
    let transaction = client.transaction().await?;
    let insert = transaction.prepare("INSERT INTO numbers VALUES ($1, $2)").await?;
    for n in 0..TASKS {
        transaction.execute(&insert, &[&n, &format!("number {n}")]).await?;
    }
    transaction.commit().await?;
    let row = client.query_one("SELECT count(*), sum(n)::bigint FROM numbers", &[]).await?;
    println!("{} rows, and their sum is {}", row.get::<_, i64>(0), row.get::<_, i64>(1));

    // Their questions go out together, and the answers come back in order.
    let client = Rc::new(client);
    let select = client.prepare("SELECT name FROM numbers WHERE n = $1").await?;
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let (client, select) = (client.clone(), select.clone());
        tasks.spawn(async move {
            let row = client.query_one(&select, &[&n]).await?;
            Ok::<_, tokio_postgres::Error>(row.get::<_, String>(0) == format!("number {n}"))
        });
    }
    let mut right = 0;
    while let Some(answer) = tasks.join_next().await {
        right += i32::from(answer??);
    }
    println!("{right} of {TASKS} tasks have read their row");

    // Who gives up tells the server, by a connection of its own, or it would go on.
    let mut slow = Box::pin(client.query_one("SELECT pg_sleep(600)", &[]));
    if timeout(Duration::from_millis(50), &mut slow).await.is_err() {
        client.cancel_token().cancel_query_raw(open(&address).await?, NoTls).await?;
    }
    match slow.await {
        Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => println!("cancelled"),
        other => println!("not cancelled: {other:?}"),
    }

    let one: i32 = client.query_one("SELECT 1", &[]).await?.get(0);
    println!("and the connection goes on: {one}");
    Ok(())
}
