//! A chat: what one client says, all others read.
//!
//! Type `cargo run --example chat`, and in two or more other terminals `nc 127.0.0.1 7002`. The first
//! line is your name. Another address goes behind `--`, as in `cargo run --example chat -- 0.0.0.0:7002`.
//!
//! The room is one value that all tasks change directly: they share a thread, so there is no lock, and
//! whatever happens between two `.await`s happens at once. A client that does not read what the others
//! say is dropped when its queue is full; nobody waits for it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use runtime::io::Lines;
use runtime::net::{TcpListener, TcpStream};
use runtime::task::yield_now;

/// How many messages wait for a client before it is dropped.
const QUEUE_LEN: usize = 64;
const LINE_LEN_MAX: usize = 1024;
const NAME_LEN_MAX: usize = 32;

#[runtime::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7002".to_string());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let room = Rc::new(RefCell::new(Room::default()));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let room = room.clone();
                runtime::spawn(async move {
                    if let Err(error) = serve(&stream, peer, &room).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            Err(error) => eprintln!("{error}"),
        }
    }
}

/// Who is here, by address.
#[derive(Default)]
struct Room {
    members: BTreeMap<SocketAddr, Member>,
}

struct Member {
    name: String,
    queue: mpsc::Sender<Rc<str>>,
    /// Dropped with the member, which ends its task, whatever that waits for.
    _membership: oneshot::Sender<()>,
}

impl Room {
    /// Adds a member, tells the others, and tells the member who they are.
    fn join(&mut self, peer: SocketAddr, member: Member) {
        self.say(peer, format!("* {} is here", member.name));
        self.members.insert(peer, member);
        let names: Vec<_> = self.members.values().map(|member| member.name.as_str()).collect();
        let here = format!("* here: {}\n", names.join(", "));
        if let Some(member) = self.members.get_mut(&peer) {
            let _ = member.queue.try_send(here.into()); // the queue is new and has room
        }
    }

    fn leave(&mut self, peer: SocketAddr) {
        if let Some(member) = self.members.remove(&peer) {
            self.say(peer, format!("* {} is gone", member.name));
        }
    }

    /// Queues a line for all but its author, and removes whose queue is full. All hear of that too.
    fn say(&mut self, author: SocketAddr, line: String) {
        let mut author = Some(author);
        let mut lines = vec![line];
        while let Some(line) = lines.pop() {
            let message: Rc<str> = format!("{line}\n").into();
            let author = author.take();
            self.members.retain(|&peer, member| {
                let stays = author == Some(peer) || member.queue.try_send(message.clone()).is_ok();
                if !stays {
                    lines.push(format!("* {} is gone", member.name));
                }
                stays
            });
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.members.values().any(|member| member.name == name)
    }
}

/// A client's task: asks for the name, then takes part until the client goes, fails, or is too slow.
async fn serve(stream: &TcpStream, peer: SocketAddr, room: &RefCell<Room>) -> io::Result<()> {
    let mut lines = runtime::io::lines(stream).max_len(LINE_LEN_MAX);
    let Some(name) = ask_name(&mut lines, room).await? else { return Ok(()) };
    let (queue, inbox) = mpsc::channel(QUEUE_LEN);
    let (_membership, removed) = oneshot::channel();
    room.borrow_mut().join(peer, Member { name: name.clone(), queue, _membership });
    let outcome = runtime::select! {
        heard = listen(&mut lines, peer, &name, room) => heard,
        told = tell(stream, inbox) => told,
        _ = removed => Err(io::Error::other("dropped, since it reads too slowly")),
    };
    room.borrow_mut().leave(peer);
    outcome
}

/// The name, or `None` if the client goes without giving one.
async fn ask_name(
    lines: &mut Lines<&TcpStream>,
    room: &RefCell<Room>,
) -> io::Result<Option<String>> {
    lines.get_ref().write_all(b"* your name?\n").await?;
    while let Some(name) = lines.next_line().await? {
        let name = printable(name.trim());
        let remedy = if name.is_empty() || name.len() > NAME_LEN_MAX {
            format!("* a name has 1 to {NAME_LEN_MAX} bytes; yours?\n")
        } else if room.borrow().is_taken(&name) {
            "* this name is taken; another?\n".to_string()
        } else {
            return Ok(Some(name));
        };
        lines.get_ref().write_all(remedy.as_bytes()).await?;
    }
    Ok(None)
}

/// From the client to the room.
async fn listen(
    lines: &mut Lines<&TcpStream>,
    peer: SocketAddr,
    name: &str,
    room: &RefCell<Room>,
) -> io::Result<()> {
    while let Some(line) = lines.next_line().await? {
        room.borrow_mut().say(peer, format!("{name}: {}", printable(&line)));
        // Lets the others send this line on before the next comes: who pastes many at once would else
        // fill the queues of those who are not slow at all.
        yield_now().await;
    }
    Ok(())
}

/// From the client's queue to the client.
async fn tell(stream: &TcpStream, mut inbox: mpsc::Receiver<Rc<str>>) -> io::Result<()> {
    while let Some(message) = inbox.next().await {
        stream.write_all(message.as_bytes()).await?;
    }
    Ok(())
}

/// Without control characters, which would be commands to the terminals of the others.
fn printable(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).collect()
}
