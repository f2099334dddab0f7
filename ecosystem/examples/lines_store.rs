//! A store of keys and values, by a protocol of lines: tokio-util's `Framed` and `LinesCodec` over a TCP stream.
//!
//! Type `cargo run --example lines_store`, and in another terminal `nc 127.0.0.1 7004`: `set name value`,
//! `get name`, `keys`. Another address goes behind `--`, as in `cargo run --example lines_store -- 127.0.0.1:0`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::io;
use std::rc::Rc;

use futures::{StreamExt, TryStreamExt};
use runtime::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

const LINE_LEN_MAX: usize = 1024;

#[runtime::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7004".to_string());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let store = Rc::new(RefCell::new(Store::default()));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let store = Rc::clone(&store);
                runtime::spawn(async move {
                    if let Err(error) = serve(stream, &store).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            Err(error) => eprintln!("{error}"),
        }
    }
}

async fn serve(stream: TcpStream, store: &RefCell<Store>) -> Result<(), LinesCodecError> {
    let codec = LinesCodec::new_with_max_length(LINE_LEN_MAX);
    let (answers, lines) = Framed::new(stream, codec).split();
    // It flushes when no further line is here: the answers of lines that came together go together, too.
    lines.map_ok(|line| store.borrow_mut().answer(&line)).forward(answers).await
}

#[derive(Default)]
struct Store(BTreeMap<String, String>);

impl Store {
    fn answer(&mut self, line: &str) -> String {
        let mut words = line.splitn(3, ' ');
        match [words.next(), words.next(), words.next()] {
            [Some("set"), Some(key), Some(value)] => {
                self.0.insert(key.to_string(), value.to_string());
                "stored".to_string()
            }
            [Some("get"), Some(key), None] => match self.0.get(key) {
                Some(value) => format!("value {value}"),
                None => "nothing".to_string(),
            },
            [Some("keys"), None, None] => {
                let keys: Vec<&str> = self.0.keys().map(String::as_str).collect();
                format!("keys {}", keys.join(" "))
            }
            _ => "set KEY VALUE, get KEY, or keys".to_string(),
        }
    }
}
