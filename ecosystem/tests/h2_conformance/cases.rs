//! The rules of RFC 9113, and of RFC 7541 (HPACK), with what breaks or tries each of them.

use crate::peer::*;
use crate::servers::{LONG, STREAMS_MAX, WINDOW};

pub(crate) struct Case {
    pub(crate) section: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) after_handshake: bool,
    pub(crate) send: fn(&mut Peer),
    pub(crate) expected: Expected,
    /// What hyper does instead, on any runtime.
    pub(crate) but: Option<Expected>,
}

/// What the rule demands.
#[derive(Debug)]
pub(crate) enum Expected {
    /// An error of the connection, with one of these codes.
    Connection(&'static [Code]),
    /// It is closed, whatever is said.
    Closed,
    /// An error of the stream. RFC 9113, 5.4: an endpoint may make it one of the connection.
    Stream(u32, &'static [Code]),
    /// This stream ends with so many bytes, and nobody else ends badly.
    Answer(u32, usize),
    /// So many bytes, and no more for now.
    Bytes(u32, usize),
    /// Nothing: the connection lives and no stream is reset.
    Nothing,
}

impl Expected {
    pub(crate) fn is_met_by(&self, verdict: &Verdict) -> bool {
        let well = |id: u32, bytes: usize, ended: bool| {
            let Verdict::Alive(streams) = verdict else { return false };
            streams.get(&id).is_some_and(|stream| {
                stream.status == 200 && stream.bytes == bytes && stream.ended == ended
            }) && streams.values().all(|stream| stream.reset.is_none())
        };
        match (self, verdict) {
            (Expected::Closed, _) => matches!(verdict, Verdict::Closed(_)),
            (Expected::Connection(codes) | Expected::Stream(_, codes), Verdict::Closed(said)) => {
                said.is_some_and(|code| codes.contains(&code))
            }
            (Expected::Stream(id, codes), Verdict::Alive(streams)) => streams
                .get(id)
                .and_then(|stream| stream.reset)
                .is_some_and(|code| codes.contains(&code)),
            (&Expected::Answer(id, bytes), _) => well(id, bytes, true),
            (&Expected::Bytes(id, bytes), _) => well(id, bytes, false),
            (Expected::Nothing, Verdict::Alive(streams)) => {
                streams.values().all(|stream| stream.reset.is_none())
            }
            _ => false,
        }
    }
}

use Expected::{Answer, Bytes, Closed, Connection, Nothing, Stream};
use Kind::*;

const HELLO: usize = 5;

const fn case(
    section: &'static str,
    rule: &'static str,
    expected: Expected,
    send: fn(&mut Peer),
) -> Case {
    Case { section, rule, after_handshake: true, send, expected, but: None }
}

impl Case {
    /// It sends the preface itself.
    const fn without_handshake(mut self) -> Case {
        self.after_handshake = false;
        self
    }

    /// Most often it is the general code where there is a more special one.
    const fn but(mut self, instead: Expected) -> Case {
        self.but = Some(instead);
        self
    }
}

/// A request with these headers after those that every request has.
fn get_with(peer: &mut Peer, more: &[(&str, &str)]) {
    let block = [request("GET", "/"), headers(more)].concat();
    peer.frame(Headers, END_HEADERS | END_STREAM, 1, &block);
    peer.await_end(1);
}

/// A request with these headers alone.
fn get_of(peer: &mut Peer, all: &[(&str, &str)]) {
    peer.frame(Headers, END_HEADERS | END_STREAM, 1, &headers(all));
    peer.await_end(1);
}

/// A request whose headers end with these bytes.
fn block(peer: &mut Peer, bytes: &[u8]) {
    let block = [&request("GET", "/")[..], bytes].concat();
    peer.frame(Headers, END_HEADERS | END_STREAM, 1, &block);
    peer.await_end(1);
}

/// A request that has been answered, so its stream is closed.
fn answered(peer: &mut Peer) {
    peer.get(1, "/");
    peer.await_end(1);
}

/// A stream that we have reset.
fn reset(peer: &mut Peer) {
    peer.post(1, "/hold");
    peer.reset(1, CANCEL);
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;

pub(crate) const CASES: &[Case] = &[
    // Frames and how they begin
    case("3.4", "a preface that is none ends the connection", Closed, |peer| {
        peer.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r!");
        peer.settings(&[]);
        peer.await_close();
    })
    .without_handshake(),
    case("3.4", "the first frame is SETTINGS", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.raw(PREFACE);
        peer.ping(b"go on...");
    })
    .without_handshake()
    .but(Nothing),
    case(
        "3.4",
        "a client may send before it has the server's settings",
        Answer(1, HELLO),
        |peer| {
            peer.raw(PREFACE);
            peer.settings(&[]);
            peer.get(1, "/");
            peer.await_end(1);
        },
    )
    .without_handshake(),
    case("3.4", "bytes may come one by one", Answer(1, HELLO), |peer| {
        let all = [PREFACE, &frame(4, 0, 0, &[]), &frame(1, 5, 1, &request("GET", "/"))].concat();
        all.iter().for_each(|byte| peer.raw(&[*byte]));
        peer.await_end(1);
    })
    .without_handshake(),
    case("3.4", "all may come at once", Answer(5, HELLO), |peer| {
        let get = |stream| frame(1, END_HEADERS | END_STREAM, stream, &request("GET", "/"));
        peer.raw(&[PREFACE, &frame(4, 0, 0, &[]), &get(1), &get(3), &get(5)].concat());
        [1, 3, 5].iter().for_each(|&stream| peer.await_end(stream));
    })
    .without_handshake(),
    case("4.1", "a frame of an unknown type is ignored", Nothing, |peer| {
        peer.raw(&frame(0xff, 0xff, 0, &[0; 8]));
    }),
    case("4.1", "flags without a meaning are ignored", Nothing, |peer| {
        peer.frame(Settings, 0xfe, 0, &[]);
    }),
    case("4.1", "the reserved bit of a stream's number is ignored", Answer(1, HELLO), |peer| {
        peer.frame(Headers, END_HEADERS | END_STREAM, 1 | 1 << 31, &request("GET", "/"));
        peer.await_end(1);
    }),
    case("4.2", "a frame may have 16,384 bytes", Answer(1, 16_384), |peer| {
        peer.post(1, "/echo");
        peer.data(1, END_STREAM, &[7; 16_384]);
        peer.await_end(1);
    }),
    case(
        "4.2",
        "DATA may not have more than MAX_FRAME_SIZE",
        Stream(1, &[FRAME_SIZE_ERROR]),
        |peer| {
            peer.post(1, "/echo");
            peer.data(1, END_STREAM, &[7; 16_385]);
            peer.await_end(1);
        },
    ),
    case("4.2", "HEADERS may not have more", Connection(&[FRAME_SIZE_ERROR]), |peer| {
        peer.frame(Headers, END_HEADERS | END_STREAM, 1, &[0; 16_385]);
        peer.await_close();
    }),
    case("4.2", "SETTINGS may not have more", Connection(&[FRAME_SIZE_ERROR]), |peer| {
        peer.frame(Settings, 0, 0, &[0; 16_386]);
        peer.await_close();
    }),
    case("4.3", "a field block that cannot be decoded", Connection(&[COMPRESSION_ERROR]), |peer| {
        peer.frame(Headers, END_HEADERS | END_STREAM, 1, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        peer.await_close();
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("4.3", "no PRIORITY within a field block", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.frame(Headers, END_STREAM, 1, &request("GET", "/"));
        peer.frame(Priority, 0, 1, &[0, 0, 0, 0, 255]);
        peer.await_close();
    }),
    case(
        "4.3",
        "no other stream's HEADERS within a field block",
        Connection(&[PROTOCOL_ERROR]),
        |peer| {
            peer.frame(Headers, END_STREAM, 1, &request("GET", "/"));
            peer.get(3, "/");
            peer.await_close();
        },
    ),
    // The states of a stream
    case("5.1", "idle: DATA", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.data(1, END_STREAM, b"a");
        peer.await_close();
    }),
    case("5.1", "idle: RST_STREAM", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.reset(1, CANCEL);
        peer.await_close();
    }),
    case("5.1", "idle: WINDOW_UPDATE", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.widen(1, 100);
        peer.await_close();
    }),
    case("5.1", "idle: CONTINUATION", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.frame(Continuation, END_HEADERS, 1, &request("GET", "/"));
        peer.await_close();
    }),
    case("5.1", "idle: PRIORITY is allowed", Answer(1, HELLO), |peer| {
        peer.frame(Priority, 0, 1, &[0, 0, 0, 0, 255]);
        answered(peer);
    }),
    case("5.1", "half closed: DATA", Stream(1, &[STREAM_CLOSED]), |peer| {
        peer.get(1, "/hold");
        peer.data(1, END_STREAM, b"a");
        peer.await_end(1);
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("5.1", "half closed: HEADERS", Stream(1, &[STREAM_CLOSED]), |peer| {
        peer.get(1, "/hold");
        peer.get(1, "/");
        peer.await_end(1);
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case(
        "5.1",
        "half closed: CONTINUATION",
        Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        |peer| {
            peer.get(1, "/hold");
            peer.frame(Continuation, END_HEADERS, 1, &headers(&[("a", "b")]));
            peer.await_close();
        },
    ),
    case(
        "5.1",
        "half closed: WINDOW_UPDATE, PRIORITY and RST_STREAM are allowed",
        Nothing,
        |peer| {
            peer.get(1, "/hold");
            peer.widen(1, 100);
            peer.frame(Priority, 0, 1, &[0, 0, 0, 0, 255]);
            peer.reset(1, CANCEL);
        },
    ),
    case("5.1", "closed by RST_STREAM: HEADERS", Stream(1, &[STREAM_CLOSED]), |peer| {
        reset(peer);
        peer.get(1, "/");
        peer.await_end(1);
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("5.1", "closed by RST_STREAM: DATA", Stream(1, &[STREAM_CLOSED]), |peer| {
        reset(peer);
        peer.data(1, END_STREAM, b"a");
        peer.await_end(1);
    }),
    case(
        "5.1",
        "closed by RST_STREAM: CONTINUATION",
        Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        |peer| {
            reset(peer);
            peer.frame(Continuation, END_HEADERS, 1, &headers(&[("a", "b")]));
            peer.await_close();
        },
    ),
    case("5.1", "closed: DATA", Connection(&[STREAM_CLOSED]), |peer| {
        answered(peer);
        peer.data(1, END_STREAM, b"a");
        peer.ping(b"go on...");
    })
    .but(Stream(1, &[STREAM_CLOSED])),
    case("5.1", "closed: HEADERS", Connection(&[STREAM_CLOSED]), |peer| {
        answered(peer);
        peer.get(1, "/");
        peer.ping(b"go on...");
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("5.1", "closed: CONTINUATION", Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]), |peer| {
        answered(peer);
        peer.frame(Continuation, END_HEADERS, 1, &headers(&[("a", "b")]));
        peer.await_close();
    }),
    case(
        "5.1",
        "closed: WINDOW_UPDATE, PRIORITY and RST_STREAM may still come",
        Answer(1, HELLO),
        |peer| {
            answered(peer);
            peer.widen(1, 100);
            peer.frame(Priority, 0, 1, &[0, 0, 0, 0, 255]);
            peer.reset(1, CANCEL);
        },
    ),
    case("5.1.1", "a client's streams have odd numbers", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.get(2, "/");
        peer.await_close();
    }),
    case("5.1.1", "numbers rise", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.get(5, "/");
        peer.await_end(5);
        peer.get(3, "/");
        peer.await_close();
    }),
    case("5.1.1", "numbers may be left out", Answer(1001, HELLO), |peer| {
        answered(peer);
        peer.get(1001, "/");
        peer.await_end(1001);
    }),
    case(
        "5.1.2",
        "no more streams at once than MAX_CONCURRENT_STREAMS",
        Stream(2 * STREAMS_MAX + 1, &[PROTOCOL_ERROR, REFUSED_STREAM]),
        |peer| {
            (0..=STREAMS_MAX).for_each(|number| peer.get(2 * number + 1, "/hold"));
            peer.await_end(2 * STREAMS_MAX + 1);
        },
    ),
    case("5.1.2", "a stream that has ended makes room for one", Answer(41, HELLO), |peer| {
        (0..=20).for_each(|number| {
            peer.get(2 * number + 1, "/");
            peer.await_end(2 * number + 1);
        });
    }),
    case("5.3.2", "PRIORITY may be signalled and ignored", Answer(1, HELLO), |peer| {
        let block = [&[0x80, 0, 0, 11, 200], &request("GET", "/")[..]].concat();
        peer.frame(Headers, END_HEADERS | END_STREAM | PRIORITY, 1, &block);
        peer.await_end(1);
    }),
    case(
        "5.5",
        "no frame of an unknown type within a field block",
        Connection(&[PROTOCOL_ERROR]),
        |peer| {
            peer.frame(Headers, END_STREAM, 1, &request("GET", "/"));
            peer.raw(&frame(0xff, 0, 0, &[0; 8]));
            peer.await_close();
        },
    ),
    // DATA
    case("6.1", "DATA belongs to a stream", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.data(0, 0, b"a");
        peer.await_close();
    }),
    case("6.1", "padding is not body", Answer(1, 4), |peer| {
        peer.post(1, "/echo");
        peer.data(1, END_STREAM | PADDED, b"\x06body\0\0\0\0\0\0");
        peer.await_end(1);
    }),
    case("6.1", "padding is within its frame", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.post(1, "/echo");
        peer.data(1, END_STREAM | PADDED, b"\x05body");
        peer.await_close();
    }),
    case("6.1", "DATA may be empty", Answer(1, 0), |peer| {
        peer.post(1, "/echo");
        peer.data(1, 0, &[]);
        peer.data(1, END_STREAM, &[]);
        peer.await_end(1);
    }),
    // HEADERS
    case("6.2", "HEADERS belong to a stream", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.get(0, "/");
        peer.await_close();
    }),
    case("6.2", "padding and priority are not fields", Answer(1, HELLO), |peer| {
        let block = [&[3, 0, 0, 0, 0, 9], &request("GET", "/")[..], &[0; 3]].concat();
        peer.frame(Headers, END_HEADERS | END_STREAM | PADDED | PRIORITY, 1, &block);
        peer.await_end(1);
    }),
    case("6.2", "padding is within its frame", Connection(&[PROTOCOL_ERROR]), |peer| {
        let block = [&[200], &request("GET", "/")[..]].concat();
        peer.frame(Headers, END_HEADERS | END_STREAM | PADDED, 1, &block);
        peer.await_close();
    }),
    case("6.2", "no DATA before a field block has ended", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.frame(Headers, 0, 1, &request("POST", "/echo"));
        peer.data(1, END_STREAM, b"a");
        peer.await_close();
    }),
    // PRIORITY
    case("6.3", "PRIORITY belongs to a stream", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.frame(Priority, 0, 0, &[0, 0, 0, 0, 255]);
        peer.await_close();
    }),
    case("6.3", "PRIORITY has five bytes", Stream(1, &[FRAME_SIZE_ERROR]), |peer| {
        peer.get(1, "/hold");
        peer.frame(Priority, 0, 1, &[0; 4]);
        peer.await_end(1);
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    // RST_STREAM
    case("6.4", "RST_STREAM belongs to a stream", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.reset(0, CANCEL);
        peer.await_close();
    }),
    case("6.4", "RST_STREAM has four bytes", Connection(&[FRAME_SIZE_ERROR]), |peer| {
        peer.get(1, "/hold");
        peer.frame(Reset, 0, 1, &[0; 3]);
        peer.await_close();
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("6.4", "others go on after a reset", Answer(3, HELLO), |peer| {
        reset(peer);
        peer.get(3, "/");
        peer.await_end(3);
    }),
    // SETTINGS
    case("6.5", "an acknowledgement is empty", Connection(&[FRAME_SIZE_ERROR]), |peer| {
        peer.frame(Settings, ACK, 0, &[0; 6]);
        peer.await_close();
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("6.5", "SETTINGS belong to the connection", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.frame(Settings, 0, 1, &[0, 3, 0, 0, 0, 100]);
        peer.await_close();
    }),
    case("6.5", "a setting has six bytes", Connection(&[FRAME_SIZE_ERROR]), |peer| {
        peer.frame(Settings, 0, 0, &[0, 3, 0, 0, 0]);
        peer.await_close();
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("6.5.2", "ENABLE_PUSH is 0 or 1", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.settings(&[(ENABLE_PUSH, 2)]);
        peer.await_close();
    }),
    case("6.5.2", "INITIAL_WINDOW_SIZE has 31 bits", Connection(&[FLOW_CONTROL_ERROR]), |peer| {
        peer.settings(&[(INITIAL_WINDOW_SIZE, 1 << 31)]);
        peer.await_close();
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("6.5.2", "MAX_FRAME_SIZE is 16,384 at least", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.settings(&[(MAX_FRAME_SIZE, 16_383)]);
        peer.await_close();
    }),
    case("6.5.2", "MAX_FRAME_SIZE has 24 bits", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.settings(&[(MAX_FRAME_SIZE, 1 << 24)]);
        peer.await_close();
    }),
    case("6.5.2", "an unknown setting is ignored", Answer(1, HELLO), |peer| {
        peer.settle(&[(0xff, 1)]);
        answered(peer);
    }),
    case("6.5.2", "HEADER_TABLE_SIZE may be 0", Answer(3, HELLO), |peer| {
        peer.settle(&[(HEADER_TABLE_SIZE, 0)]);
        answered(peer);
        peer.get(3, "/");
        peer.await_end(3);
    }),
    case("6.5.3", "each is acknowledged, and the last value holds", Bytes(1, 2), |peer| {
        peer.settle(&[(INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)]);
        peer.settle(&[(INITIAL_WINDOW_SIZE, 2)]);
        peer.get(1, "/");
        peer.await_bytes(1, 2);
    }),
    // PUSH_PROMISE
    case("6.6", "a client promises nothing", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.get(1, "/hold");
        let promise = [&[0, 0, 0, 2], &request("GET", "/")[..]].concat();
        peer.frame(PushPromise, END_HEADERS, 1, &promise);
        peer.await_close();
    }),
    // PING
    case("6.7", "a ping is answered with its bytes", Nothing, |peer| {
        peer.ping(b"\x00\x01\xfe\xffping");
        peer.ping(b"and more");
    }),
    case("6.7", "an answer to no ping is ignored", Nothing, |peer| {
        peer.frame(Ping, ACK, 0, &[0; 8]);
    }),
    case("6.7", "PING belongs to the connection", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.frame(Ping, 0, 1, &[0; 8]);
        peer.await_close();
    }),
    case("6.7", "PING has eight bytes", Connection(&[FRAME_SIZE_ERROR]), |peer| {
        peer.frame(Ping, 0, 0, &[0; 6]);
        peer.await_close();
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    // GOAWAY
    case("6.8", "GOAWAY belongs to the connection", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.frame(Goaway, 0, 1, &[0; 8]);
        peer.await_close();
    }),
    case("6.8", "GOAWAY has eight bytes at least", Connection(&[FRAME_SIZE_ERROR]), |peer| {
        peer.frame(Goaway, 0, 0, &[0; 7]);
        peer.await_close();
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("6.8", "what had begun before GOAWAY is finished", Closed, |peer| {
        peer.post(1, "/echo");
        peer.frame(Goaway, 0, 0, &[0; 8]);
        peer.data(1, END_STREAM, b"a body");
        peer.await_bytes(1, 6);
        peer.await_close();
    }),
    // WINDOW_UPDATE
    case(
        "6.9",
        "the connection's window does not grow by nothing",
        Connection(&[PROTOCOL_ERROR]),
        |peer| {
            peer.widen(0, 0);
            peer.await_close();
        },
    ),
    case(
        "6.9",
        "a stream's window does not grow by nothing",
        Stream(1, &[PROTOCOL_ERROR]),
        |peer| {
            peer.get(1, "/hold");
            peer.widen(1, 0);
            peer.await_end(1);
        },
    ),
    case("6.9", "WINDOW_UPDATE has four bytes", Connection(&[FRAME_SIZE_ERROR]), |peer| {
        peer.frame(WindowUpdate, 0, 0, &[0; 3]);
        peer.await_close();
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("6.9.1", "no more is sent than both windows allow", Bytes(1, WINDOW), |peer| {
        peer.get(1, "/long");
        peer.await_bytes(1, WINDOW);
        peer.ping(b"is more?");
    }),
    case("6.9.1", "a wide stream waits for the connection", Bytes(1, WINDOW + 10), |peer| {
        peer.get(1, "/long");
        peer.widen(1, 1 << 20);
        peer.await_bytes(1, WINDOW);
        peer.ping(b"is more?");
        peer.widen(0, 10);
        peer.await_bytes(1, WINDOW + 10);
        peer.ping(b"is more?");
    }),
    case("6.9.1", "a wide connection waits for the stream", Bytes(1, WINDOW + 10), |peer| {
        peer.widen(0, 1 << 20);
        peer.get(1, "/long");
        peer.await_bytes(1, WINDOW);
        peer.ping(b"is more?");
        peer.widen(1, 10);
        peer.await_bytes(1, WINDOW + 10);
        peer.ping(b"is more?");
    }),
    case("6.9.1", "wide windows let all through", Answer(1, LONG), |peer| {
        peer.widen(0, 1 << 20);
        peer.get(1, "/long");
        peer.widen(1, 1 << 20);
        peer.await_end(1);
    }),
    case(
        "6.9.1",
        "the connection's window has 31 bits",
        Connection(&[FLOW_CONTROL_ERROR]),
        |peer| {
            peer.widen(0, i32::MAX as u32);
            peer.widen(0, i32::MAX as u32);
            peer.await_close();
        },
    ),
    case("6.9.1", "a stream's window has 31 bits", Stream(1, &[FLOW_CONTROL_ERROR]), |peer| {
        peer.get(1, "/hold");
        peer.widen(1, i32::MAX as u32);
        peer.widen(1, i32::MAX as u32);
        peer.await_end(1);
    }),
    case(
        "6.9.1",
        "a client keeps to the server's windows",
        Stream(1, &[FLOW_CONTROL_ERROR]),
        |peer| {
            peer.post(1, "/hold");
            for _ in 0..4 {
                peer.data(1, 0, &[7; 16_384]);
            }
            peer.await_end(1);
        },
    ),
    case("6.9.1", "who fills the window exactly is within it", Nothing, |peer| {
        peer.post(1, "/hold");
        for _ in 0..3 {
            peer.data(1, 0, &[7; 16_384]);
        }
        peer.data(1, 0, &[7; 16_383]);
    }),
    case("6.9.2", "a window of the settings holds from the start", Bytes(1, 1), |peer| {
        peer.settle(&[(INITIAL_WINDOW_SIZE, 1)]);
        peer.get(1, "/");
        peer.await_bytes(1, 1);
        peer.ping(b"is more?");
    }),
    case("6.9.2", "new settings change the windows of open streams", Answer(1, HELLO), |peer| {
        peer.settle(&[(INITIAL_WINDOW_SIZE, 0)]);
        peer.get(1, "/");
        peer.ping(b"is more?");
        peer.settle(&[(INITIAL_WINDOW_SIZE, 1)]);
        peer.await_bytes(1, 1);
        peer.settle(&[(INITIAL_WINDOW_SIZE, 100)]);
        peer.await_end(1);
    }),
    case("6.9.2", "a window may become negative", Bytes(1, 4), |peer| {
        peer.settle(&[(INITIAL_WINDOW_SIZE, 3)]);
        peer.get(1, "/");
        peer.await_bytes(1, 3);
        peer.settle(&[(INITIAL_WINDOW_SIZE, 1)]);
        // From -2 to 0, and to 1.
        peer.widen(1, 2);
        peer.ping(b"is more?");
        peer.widen(1, 1);
        peer.await_bytes(1, 4);
        peer.ping(b"is more?");
    }),
    case(
        "6.9.2",
        "settings may not widen a window beyond 31 bits",
        Connection(&[FLOW_CONTROL_ERROR]),
        |peer| {
            peer.settle(&[(INITIAL_WINDOW_SIZE, 100)]);
            peer.get(1, "/hold");
            peer.widen(1, i32::MAX as u32 - 100);
            peer.settings(&[(INITIAL_WINDOW_SIZE, 101)]);
            peer.await_close();
        },
    ),
    // CONTINUATION
    case("6.10", "a field block may come in several frames", Answer(1, HELLO), |peer| {
        let block = request("GET", "/");
        let (first, rest) = block.split_at(10);
        peer.frame(Headers, END_STREAM, 1, first);
        rest.chunks(30).for_each(|piece| peer.frame(Continuation, 0, 1, piece));
        peer.frame(Continuation, END_HEADERS, 1, &[]);
        peer.await_end(1);
    }),
    case("6.10", "CONTINUATION belongs to a stream", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.frame(Headers, END_STREAM, 1, &request("GET", "/"));
        peer.frame(Continuation, END_HEADERS, 0, &[]);
        peer.await_close();
    }),
    case(
        "6.10",
        "CONTINUATION continues the stream before it",
        Connection(&[PROTOCOL_ERROR]),
        |peer| {
            peer.frame(Headers, END_STREAM, 1, &request("GET", "/"));
            peer.frame(Continuation, END_HEADERS, 3, &[]);
            peer.await_close();
        },
    ),
    case("6.10", "nothing is continued that has ended", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.post(1, "/hold");
        peer.frame(Continuation, END_HEADERS, 1, &headers(&[("a", "b")]));
        peer.await_close();
    }),
    case("6.10", "no SETTINGS within a field block", Connection(&[PROTOCOL_ERROR]), |peer| {
        peer.frame(Headers, END_STREAM, 1, &request("GET", "/"));
        peer.settings(&[]);
        peer.await_close();
    }),
    case("7", "an unknown error code is one like others", Answer(3, HELLO), |peer| {
        peer.get(1, "/hold");
        peer.reset(1, 0xff);
        peer.get(3, "/");
        peer.await_end(3);
    }),
    // Requests
    case("8.1", "trailers end the request", Answer(1, 4), |peer| {
        peer.post(1, "/echo");
        peer.data(1, 0, b"body");
        peer.frame(Headers, END_HEADERS | END_STREAM, 1, &headers(&[("x-sum", "1")]));
        peer.await_end(1);
    }),
    case(
        "8.1",
        "trailers that do not end it are malformed",
        Stream(1, &[PROTOCOL_ERROR]),
        |peer| {
            peer.post(1, "/hold");
            peer.data(1, 0, b"body");
            peer.frame(Headers, END_HEADERS, 1, &headers(&[("x-sum", "1")]));
            peer.await_end(1);
        },
    ),
    case("8.1", "trailers have no pseudo-headers", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        peer.post(1, "/echo");
        peer.data(1, 0, b"body");
        peer.frame(Headers, END_HEADERS | END_STREAM, 1, &headers(&[(":method", "GET")]));
        peer.await_end(1);
    })
    .but(Answer(1, 4)),
    case("8.1.1", "the body is as long as it says", Answer(1, 4), |peer| {
        let block = [request("POST", "/echo"), header("content-length", "4")].concat();
        peer.frame(Headers, END_HEADERS, 1, &block);
        peer.data(1, 0, b"bo");
        peer.data(1, END_STREAM, b"dy");
        peer.await_end(1);
    }),
    case("8.1.1", "a body that is longer is malformed", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        let block = [request("POST", "/hold"), header("content-length", "1")].concat();
        peer.frame(Headers, END_HEADERS, 1, &block);
        peer.data(1, END_STREAM, b"body");
        peer.await_end(1);
    }),
    case("8.1.1", "a body that is shorter is malformed", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        let block = [request("POST", "/hold"), header("content-length", "8")].concat();
        peer.frame(Headers, END_HEADERS, 1, &block);
        peer.data(1, 0, b"bo");
        peer.data(1, END_STREAM, b"dy");
        peer.await_end(1);
    }),
    case("8.2.1", "names are in lower case", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_with(peer, &[("X-Upper", "1")]);
    }),
    case("8.2.1", "names have no spaces", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_with(peer, &[("a name", "1")]);
    }),
    case("8.2.1", "values have no line breaks", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_with(peer, &[("a", "1\r\nb: 2")]);
    }),
    case("8.2.2", "no Connection", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_with(peer, &[("connection", "keep-alive")]);
    }),
    case("8.2.2", "no Transfer-Encoding", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_with(peer, &[("transfer-encoding", "chunked")]);
    }),
    case("8.2.2", "no Upgrade", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_with(peer, &[("upgrade", "h2c")]);
    }),
    case("8.2.2", "TE says trailers and nothing else", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_with(peer, &[("te", "trailers, deflate")]);
    }),
    case("8.2.2", "TE may say trailers", Answer(1, HELLO), |peer| {
        get_with(peer, &[("te", "trailers")]);
    }),
    case("8.2.3", "cookies may come in pieces", Answer(1, HELLO), |peer| {
        get_with(peer, &[("cookie", "a=b"), ("cookie", "c=d")]);
    }),
    case("8.3", "no unknown pseudo-header", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        let mut block = headers(&[(":unknown", "1")]);
        block.extend(request("GET", "/"));
        peer.frame(Headers, END_HEADERS | END_STREAM, 1, &block);
        peer.await_end(1);
    }),
    case("8.3", "no pseudo-header of an answer", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        let mut block = headers(&[(":status", "200")]);
        block.extend(request("GET", "/"));
        peer.frame(Headers, END_HEADERS | END_STREAM, 1, &block);
        peer.await_end(1);
    }),
    case("8.3", "pseudo-headers come first", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        let mut block = headers(&[("a", "b")]);
        block.extend(request("GET", "/"));
        peer.frame(Headers, END_HEADERS | END_STREAM, 1, &block);
        peer.await_end(1);
    }),
    case("8.3.1", "a :path is not empty", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        peer.get(1, "");
        peer.await_end(1);
    }),
    case("8.3.1", "a :method is not missing", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_of(peer, &[(":scheme", "http"), (":path", "/"), (":authority", "a")]);
    }),
    case("8.3.1", "a :scheme is not missing", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_of(peer, &[(":method", "GET"), (":path", "/"), (":authority", "a")]);
    }),
    case("8.3.1", "a :path is not missing", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_of(peer, &[(":method", "GET"), (":scheme", "http"), (":authority", "a")]);
    }),
    case("8.3.1", "only one :method", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_of(
            peer,
            &[(":method", "GET"), (":method", "GET"), (":scheme", "http"), (":path", "/")],
        );
    }),
    case("8.3.1", "only one :scheme", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_of(
            peer,
            &[(":method", "GET"), (":scheme", "http"), (":scheme", "http"), (":path", "/")],
        );
    }),
    case("8.3.1", "only one :path", Stream(1, &[PROTOCOL_ERROR]), |peer| {
        get_of(peer, &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":path", "/")]);
    }),
    // Those who mean harm
    case(
        "10.5",
        "no end of requests that are reset at once",
        Connection(&[ENHANCE_YOUR_CALM]),
        |peer| {
            // In one write: those that the server has accepted before their reset comes do no harm.
            let attack = (1..4_000).step_by(2).flat_map(|stream| {
                let flags = END_HEADERS | END_STREAM;
                let begun = frame(Headers as u8, flags, stream, &request("GET", "/hold"));
                [begun, frame(Reset as u8, 0, stream, &CANCEL.to_be_bytes())].concat()
            });
            peer.raw(&attack.collect::<Vec<u8>>());
            peer.await_close();
        },
    ),
    case(
        "10.5.1",
        "no end of a field block",
        Connection(&[ENHANCE_YOUR_CALM, PROTOCOL_ERROR, COMPRESSION_ERROR]),
        |peer| {
            peer.frame(Headers, END_STREAM, 1, &request("GET", "/"));
            let fields = header("a", &"b".repeat(100)).repeat(100);
            for _ in 0..1_000 {
                peer.frame(Continuation, 0, 1, &fields);
            }
            peer.await_close();
        },
    ),
    // HPACK
    case(
        "HPACK 2.3.3",
        "an index is within the tables",
        Connection(&[COMPRESSION_ERROR]),
        |peer| {
            block(peer, &[0x80 | 70]);
        },
    )
    .but(Connection(&[PROTOCOL_ERROR])),
    case(
        "HPACK 4.2",
        "a table's size changes only at the beginning",
        Connection(&[COMPRESSION_ERROR]),
        |peer| {
            block(peer, &[0x20 | 1]);
        },
    )
    .but(Connection(&[PROTOCOL_ERROR])),
    case("HPACK 5.1", "numbers have an end", Connection(&[COMPRESSION_ERROR]), |peer| {
        block(peer, &[0xff; 20]);
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case(
        "HPACK 5.2",
        "padding of Huffman's code is shorter than a byte",
        Connection(&[COMPRESSION_ERROR]),
        |peer| {
            block(peer, b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff");
        },
    )
    .but(Connection(&[PROTOCOL_ERROR])),
    case(
        "HPACK 5.2",
        "padding of Huffman's code is ones",
        Connection(&[COMPRESSION_ERROR]),
        |peer| {
            block(peer, b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90");
        },
    )
    .but(Connection(&[PROTOCOL_ERROR])),
    case(
        "HPACK 5.2",
        "no end of a string in Huffman's code",
        Connection(&[COMPRESSION_ERROR]),
        |peer| {
            block(peer, b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f");
        },
    )
    .but(Connection(&[PROTOCOL_ERROR])),
    case("HPACK 5.2", "a string is within its block", Connection(&[COMPRESSION_ERROR]), |peer| {
        block(peer, b"\x00\x01a\x10b");
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("HPACK 6.1", "there is no index 0", Connection(&[COMPRESSION_ERROR]), |peer| {
        block(peer, &[0x80]);
    })
    .but(Connection(&[PROTOCOL_ERROR])),
    case("HPACK 6.2", "the dynamic table remembers", Answer(3, HELLO), |peer| {
        let fields = [&request("GET", "/")[..], b"\x40\x01a\x01b", b"\xbe"].concat();
        peer.frame(Headers, END_HEADERS | END_STREAM, 1, &fields);
        let fields = [&request("GET", "/")[..], b"\xbe"].concat();
        peer.frame(Headers, END_HEADERS | END_STREAM, 3, &fields);
        [1, 3].iter().for_each(|&stream| peer.await_end(stream));
    }),
    case(
        "HPACK 6.3",
        "a table is no larger than the settings allow",
        Connection(&[COMPRESSION_ERROR]),
        |peer| {
            let fields = [b"\x3f\xe1\xff\x03", &request("GET", "/")[..]].concat();
            peer.frame(Headers, END_HEADERS | END_STREAM, 1, &fields);
            peer.await_close();
        },
    )
    .but(Connection(&[PROTOCOL_ERROR])),
];
