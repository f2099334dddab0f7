//! A client of HTTP/2 that sends whatever it is told to, and notes what comes back.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(240);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The types of frames, in the order of their numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Data,
    Headers,
    Priority,
    Reset,
    Settings,
    PushPromise,
    Ping,
    Goaway,
    WindowUpdate,
    Continuation,
}

pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const PRIORITY: u8 = 0x20;

pub(crate) type Code = u32;
pub(crate) const PROTOCOL_ERROR: Code = 0x1;
pub(crate) const FLOW_CONTROL_ERROR: Code = 0x3;
pub(crate) const STREAM_CLOSED: Code = 0x5;
pub(crate) const FRAME_SIZE_ERROR: Code = 0x6;
pub(crate) const REFUSED_STREAM: Code = 0x7;
pub(crate) const CANCEL: Code = 0x8;
pub(crate) const COMPRESSION_ERROR: Code = 0x9;
pub(crate) const ENHANCE_YOUR_CALM: Code = 0xb;

/// What a server made of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has closed the connection, and said this in a GOAWAY before.
    Closed(Option<Code>),
    /// The connection lives, and its streams have come to this.
    Alive(BTreeMap<u32, Stream>),
    /// What was waited for has not come.
    Silent,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stream {
    /// 0 if there was none, or one that is not in HPACK's static table.
    pub(crate) status: u16,
    pub(crate) bytes: usize,
    pub(crate) ended: bool,
    pub(crate) reset: Option<Code>,
}

pub(crate) struct Peer {
    socket: TcpStream,
    streams: BTreeMap<u32, Stream>,
    pings: Vec<Vec<u8>>,
    settings: usize,
    settings_acked: usize,
    goaway: Option<Code>,
    closed: bool,
    silent: bool,
}

impl Peer {
    pub(crate) fn connect(server: SocketAddr) -> Peer {
        let socket = TcpStream::connect(server).expect("it listens");
        socket.set_nodelay(true).expect("an option");
        socket.set_read_timeout(Some(LIMIT)).expect("an option");
        Peer {
            socket,
            streams: BTreeMap::new(),
            pings: Vec::new(),
            settings: 0,
            settings_acked: 0,
            goaway: None,
            closed: false,
            silent: false,
        }
    }

    /// The preface and empty settings, and the server's.
    pub(crate) fn shake_hands(&mut self) {
        self.raw(PREFACE);
        self.settings(&[]);
        self.read_until(|peer| peer.settings == 1 && peer.settings_acked == 1);
        self.frame(Kind::Settings, ACK, 0, &[]);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        // Who has closed the connection does not read any more, and has said why.
        let _ = self.socket.write_all(bytes);
    }

    pub(crate) fn frame(&mut self, kind: Kind, flags: u8, stream: u32, payload: &[u8]) {
        self.raw(&frame(kind as u8, flags, stream, payload));
    }

    pub(crate) fn settings(&mut self, settings: &[(u16, u32)]) {
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        self.frame(Kind::Settings, 0, 0, &payload);
    }

    /// Settings, and waits until the server keeps to them.
    pub(crate) fn settle(&mut self, settings: &[(u16, u32)]) {
        let acked = self.settings_acked + 1;
        self.settings(settings);
        self.read_until(|peer| peer.settings_acked == acked);
    }

    /// A whole request.
    pub(crate) fn get(&mut self, stream: u32, path: &str) {
        self.frame(Kind::Headers, END_HEADERS | END_STREAM, stream, &request("GET", path));
    }

    /// One whose body follows.
    pub(crate) fn post(&mut self, stream: u32, path: &str) {
        self.frame(Kind::Headers, END_HEADERS, stream, &request("POST", path));
    }

    pub(crate) fn data(&mut self, stream: u32, flags: u8, bytes: &[u8]) {
        self.frame(Kind::Data, flags, stream, bytes);
    }

    pub(crate) fn reset(&mut self, stream: u32, code: Code) {
        self.frame(Kind::Reset, 0, stream, &code.to_be_bytes());
    }

    pub(crate) fn widen(&mut self, stream: u32, by: u32) {
        self.frame(Kind::WindowUpdate, 0, stream, &by.to_be_bytes());
    }

    /// Waits until a stream has come to its end, one way or the other.
    pub(crate) fn await_end(&mut self, stream: u32) {
        self.read_until(|peer| {
            peer.streams.get(&stream).is_some_and(|stream| stream.ended || stream.reset.is_some())
        });
    }

    /// Waits for so much of an answer.
    pub(crate) fn await_bytes(&mut self, stream: u32, bytes: usize) {
        self.read_until(|peer| {
            peer.streams.get(&stream).is_some_and(|stream| stream.bytes >= bytes)
        });
    }

    /// Waits for the answer to a ping: what was sent before has been read then.
    pub(crate) fn ping(&mut self, payload: &[u8; 8]) {
        self.frame(Kind::Ping, 0, 0, payload);
        let answers = self.pings.len() + 1;
        self.read_until(|peer| peer.pings.len() == answers);
        if !self.closed && !self.silent {
            assert_eq!(self.pings.last().expect("an answer"), payload);
        }
    }

    /// Waits for the connection to be closed.
    pub(crate) fn await_close(&mut self) {
        self.read_until(|_| false);
    }

    /// What has become of all this, once the server has read it.
    pub(crate) fn verdict(mut self) -> Verdict {
        if self.goaway.is_some_and(|code| code != 0) {
            self.await_close();
        }
        self.ping(b"the last");
        // An error is announced before it closes.
        if self.goaway.is_some_and(|code| code != 0) {
            self.await_close();
        }
        if self.silent {
            return Verdict::Silent;
        }
        if self.closed { Verdict::Closed(self.goaway) } else { Verdict::Alive(self.streams) }
    }

    /// Reads frames until `enough`, or the end.
    fn read_until(&mut self, enough: impl Fn(&Peer) -> bool) {
        while !self.closed && !self.silent && !enough(self) {
            match self.read_frame() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.silent = true;
                    return;
                }
                Err(_) => self.closed = true,
            }
        }
    }

    fn read_frame(&mut self) -> io::Result<()> {
        let mut head = [0; 9];
        self.socket.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.socket.read_exact(&mut payload)?;
        let (kind, flags) = (head[3], head[4]);
        let id = number(&head[5..]);
        let stream = self.streams.entry(id);
        match kind {
            0 => {
                let stream = stream.or_default();
                stream.bytes += payload.len();
                stream.ended = flags & END_STREAM != 0;
            }
            1 => {
                let stream = stream.or_default();
                if stream.status == 0 {
                    stream.status = status(&payload);
                }
                stream.ended = flags & END_STREAM != 0;
            }
            3 => stream.or_default().reset = Some(number(&payload)),
            4 if flags & ACK != 0 => self.settings_acked += 1,
            4 => self.settings += 1,
            6 if flags & ACK != 0 => self.pings.push(payload),
            7 => self.goaway = Some(number(&payload[4..])),
            _ => {}
        }
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().expect("four of them"))
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header by HPACK, as a literal that enters no table and is not compressed.
pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    assert!(name.len() < 127 && value.len() < 127, "longer ones are not written here");
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

pub(crate) fn headers(headers: &[(&str, &str)]) -> Vec<u8> {
    headers.iter().flat_map(|(name, value)| header(name, value)).collect()
}

pub(crate) fn request(method: &str, path: &str) -> Vec<u8> {
    headers(&[(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")])
}

/// The status, which comes first and by its number in the static table, after changes to the table's size.
fn status(mut block: &[u8]) -> u16 {
    while let [0x20..=0x3f, rest @ ..] = block {
        let long = block[0] == 0x3f;
        let more =
            if long { rest.iter().take_while(|&&byte| byte & 0x80 != 0).count() + 1 } else { 0 };
        block = &rest[more..];
    }
    match block.first() {
        Some(0x88) => 200,
        Some(0x8c) => 400,
        Some(0x8d) => 404,
        Some(0x8e) => 500,
        _ => 0,
    }
}
