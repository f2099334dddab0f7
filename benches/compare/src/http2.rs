//! What the client knows of HTTP/2: one request, made again and again, and where its answer ends.

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;
/// `:method GET`, `:scheme http` and `:path /` by their numbers, and `:authority localhost`: by HPACK, in no table.
const FIELDS: &[u8] = b"\x82\x86\x84\x01\x09localhost";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What begins a connection, with a window that no run fills.
pub(crate) fn opening() -> Vec<u8> {
    let more = (i32::MAX as u32 - 65_535).to_be_bytes();
    [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(WINDOW_UPDATE, 0, 0, &more)].concat()
}

pub(crate) fn acknowledgement() -> Vec<u8> {
    frame(SETTINGS, ACK, 0, &[])
}

/// A request, but for [`advance`].
pub(crate) fn request() -> Vec<u8> {
    let before_the_first = u32::MAX;
    frame(HEADERS, END_HEADERS | END_STREAM, before_the_first, FIELDS)
}

/// The next request is on the next stream. A connection may leave some out.
pub(crate) fn advance(request: &mut [u8]) {
    let stream = &mut request[5..HEAD];
    let next = u32::from_be_bytes(stream.try_into().expect("four bytes")).wrapping_add(2);
    stream.copy_from_slice(&next.to_be_bytes());
}

/// The frames of an answer, as they come.
#[derive(Default)]
pub(crate) struct Answer {
    unread: Vec<u8>,
    complete: bool,
    settings: bool,
}

impl Answer {
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while let Some(&[a, b, c, kind, flags, ..]) = self.unread.first_chunk::<HEAD>() {
            let end = HEAD + u32::from_be_bytes([0, a, b, c]) as usize;
            if self.unread.len() < end {
                return;
            }
            assert_ne!(kind, GOAWAY, "the program gives up the connection");
            self.complete |= kind == DATA && flags & END_STREAM != 0;
            self.settings |= kind == SETTINGS && flags & ACK == 0;
            self.unread.drain(..end);
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete && self.unread.is_empty()
    }

    /// Whether settings have come since this was asked.
    pub(crate) fn wants_an_acknowledgement(&mut self) -> bool {
        std::mem::take(&mut self.settings)
    }
}
