//! A client within the server's own thread: it acts whenever the server is about to wait.
//!
//! So each wait finds a message on every connection, however slow or busy the machine is, and what is
//! counted repeats. `epoll_wait` is defined here, and the linker takes a program's own definition
//! before the library's.

use std::ffi::c_int;
use std::io;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::round_trip::client::{self, Peer};
use crate::round_trip::server::{Server, What, Who};

/// Who acts at the next wait.
static CLIENT: Mutex<Option<Client>> = Mutex::new(None);

/// True while the client acts: its system calls are not the server's.
pub(crate) static ACTING: AtomicBool = AtomicBool::new(false);

/// Milliseconds after which the client looks again for answers that the kernel had not delivered, and
/// how often it does.
const LOOK_AGAIN: c_int = 10;
const LOOKS: usize = 1_000;

struct Client {
    peers: Vec<Peer>,
    /// How many of them have their answer.
    answered: usize,
    rounds: u64,
}

impl Client {
    /// Takes the answers; when all are there, asks on each connection again, or ends.
    fn act(&mut self) -> io::Result<()> {
        while let Some(peer) = self.peers.get_mut(self.answered) {
            if !peer.take_answer()? {
                return Ok(());
            }
            self.answered += 1;
        }
        if self.rounds == 0 {
            return self.peers.drain(..).try_for_each(|peer| peer.end());
        }
        self.rounds -= 1;
        self.answered = 0;
        self.peers.iter_mut().try_for_each(Peer::ask)
    }
}

/// Serves `round_trips` messages, over all connections together, each wait one on every connection.
///
/// # Errors
///
/// What keeps the server from starting or the messages from going.
pub(crate) fn serve(who: Who, what: What, connections: usize, round_trips: u64) -> io::Result<()> {
    let (server, address) = Server::bind(what)?;
    let peers = client::connect(what, address, connections)?;
    let rounds = round_trips / connections as u64;
    let client = Client { answered: peers.len(), peers, rounds };
    *CLIENT.lock().expect("no client has panicked") = Some(client);
    server.serve(who, connections)
}

/// By this name callgrind knows what it is not to count.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn client_acts_in_wait() {
    ACTING.store(true, Ordering::Relaxed);
    if let Some(client) = &mut *CLIENT.lock().expect("no client has panicked") {
        client.act().expect("a message on loopback");
    }
    ACTING.store(false, Ordering::Relaxed);
}

/// As libc's, but that the client acts first. Our servers wait without end, or only look.
#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_wait(
    fd: c_int,
    events: *mut libc::epoll_event,
    max: c_int,
    timeout: c_int,
) -> c_int {
    // SAFETY: what the arguments must be is the same; without a mask it is the same call.
    let wait = |timeout| unsafe { libc::epoll_pwait(fd, events, max, timeout, ptr::null()) };
    if timeout == 0 {
        return wait(0);
    }
    for _ in 0..LOOKS {
        client_acts_in_wait();
        let found = wait(LOOK_AGAIN);
        if found != 0 {
            return found;
        }
    }
    panic!("the server waits, and has neither answered nor ended");
}
