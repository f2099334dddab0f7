//! Against programs that no one here wrote: nc, socat, curl and iperf3. A test says so and passes where
//! its program is absent.
//!
//! `apt-get install netcat-openbsd socat curl iperf3` makes all of them run.

#[path = "support/mod.rs"]
mod support;

use std::cell::Cell;
use std::env;
use std::fs;
use std::future::poll_fn;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{self, Child, Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use futures::{Stream, StreamExt};
use runtime::io::{ReadFd, WriteFd, copy_bidirectional};
use runtime::net::unix::{SocketAddr, pipe};
use runtime::net::{TcpListener, TcpStream, UdpSocket};
use runtime::net::{UnixDatagram, UnixListener, UnixSeqpacketListener};
use runtime::task::JoinSet;
use runtime::time::sleep;
use runtime::{spawn, spawn_blocking};
use support::run;

/// How long, in seconds, a program may wait in vain: it ends then also if nobody ends it.
const PATIENCE: &str = "50";

/// The program, if it is there.
fn program(name: &str, package: &str) -> Option<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join(name).is_file()) {
        return Some(Command::new(name));
    }
    let test = thread::current().name().unwrap_or("a test").to_string();
    let sentence = format!("SKIPPED: {test}: install {name} (apt-get install {package})\n");
    // Past the test's captured output, which nobody sees of a test that passes.
    let _ = io::stderr().write_all(sentence.as_bytes());
    None
}

fn nc() -> Option<Command> {
    let mut nc = program("nc", "netcat-openbsd")?;
    let help = nc.arg("-h").output().expect("nc runs");
    assert!(
        String::from_utf8_lossy(&help.stderr).contains("OpenBSD netcat"),
        "nc is another one than the tests know: apt-get install netcat-openbsd, and remove the other"
    );
    let mut nc = Command::new("nc");
    nc.args(["-w", PATIENCE]);
    Some(nc)
}

fn socat() -> Option<Command> {
    let mut socat = program("socat", "socat")?;
    // Messages that tell the port; large blocks; half-closed connections stay.
    socat.args(["-d", "-d", "-b", "65536", "-t", PATIENCE]);
    Some(socat)
}

fn curl() -> Option<Command> {
    let mut curl = program("curl", "curl")?;
    curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", PATIENCE]);
    Some(curl)
}

/// A program that runs, and is killed when this is dropped.
struct Running {
    child: Child,
    /// What it writes to stdout.
    output: Option<thread::JoinHandle<Vec<u8>>>,
    /// What it writes to stderr, until somebody reads the messages by himself.
    messages: Option<thread::JoinHandle<Vec<u8>>>,
}

/// Reads to the end, on a thread of its own so that nobody waits for it.
fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        pipe.read_to_end(&mut all).expect("a pipe is read");
        all
    })
}

impl Running {
    fn start(command: &mut Command, input: Vec<u8>) -> Running {
        let mut running = Running::start_talking(command, input);
        running.messages = running.child.stderr.take().map(collect);
        running
    }

    fn start_talking(command: &mut Command, input: Vec<u8>) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        // It may end without having read all.
        thread::spawn(move || _ = stdin.write_all(&input));
        let output = child.stdout.take().map(collect);
        Running { child, output, messages: None }
    }

    /// Starts a server, and learns its port from the message that has `marker`, where it is the last
    /// number.
    async fn serve(command: &mut Command, input: Vec<u8>, marker: &'static str) -> (Running, u16) {
        let mut running = Running::start_talking(command, input);
        let mut messages = BufReader::new(running.child.stderr.take().expect("it is piped"));
        spawn_blocking(move || {
            let mut seen = String::new();
            loop {
                let start = seen.len();
                let len = messages.read_line(&mut seen).expect("messages are text");
                assert!(len > 0, "no line says {marker:?} in: {seen}");
                let line = seen[start..].trim_end();
                if line.contains(marker) {
                    let port = line.rsplit([' ', ':']).find_map(|port| port.parse().ok());
                    let port = port.unwrap_or_else(|| panic!("no port: {line}"));
                    running.messages = Some(collect(messages));
                    return (running, port);
                }
            }
        })
        .await
        .unwrap()
    }

    /// What it has written when it ends, which it must do well.
    async fn output(mut self) -> Vec<u8> {
        spawn_blocking(move || {
            let mut joined = [self.output.take(), self.messages.take()]
                .map(|pipe| pipe.map(|pipe| pipe.join().expect("a pipe is read")));
            let status = self.child.wait().expect("a child of ours");
            let messages = joined[1].take().unwrap_or_default();
            assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&messages));
            joined[0].take().unwrap_or_default()
        })
        .await
        .unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes in which no part is like another.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(len).collect()
}

/// Equality without a page of numbers in the message.
#[track_caller]
fn assert_same(ours: &[u8], theirs: &[u8]) {
    let first = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
    assert!(
        ours == theirs,
        "{} and {} bytes, which first differ at {:?}",
        ours.len(),
        theirs.len(),
        first.unwrap_or(ours.len().min(theirs.len())),
    );
}

/// A path that nobody else has; what is there goes with it.
struct TempPath(PathBuf);

impl TempPath {
    fn new() -> TempPath {
        TempPath(env::temp_dir().join(abstract_name()))
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("the folder for such files has a name in text")
    }
}

impl AsRef<Path> for TempPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn abstract_name() -> String {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    format!("epoll-runtime-interop-{}-{serial}", process::id())
}

fn bind_to_abstract(name: &str) -> UnixListener {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap()
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

/// Reads to the end, and only then sends it all back: who sent must have closed its half.
async fn answer_after_the_end<S: ReadFd + WriteFd>(stream: &S) -> io::Result<()> {
    let mut all = Vec::new();
    while read_more(stream, &mut all).await? > 0 {}
    write_all(stream, &all).await?;
    stream.shutdown_once()
}

/// Sends all, closes that half, and reads to the end meanwhile.
async fn send_and_read<S: ReadFd + WriteFd>(stream: &S, data: &[u8]) -> io::Result<Vec<u8>> {
    let send = async {
        write_all(stream, data).await?;
        stream.shutdown_once()
    };
    let read = async {
        let mut read = Vec::new();
        while read_more(stream, &mut read).await? > 0 {}
        Ok(read)
    };
    let ((), read) = runtime::try_join!(send, read)?;
    Ok(read)
}

/// Runs a server as long as its client.
async fn beside<T>(server: impl Future, client: impl Future<Output = T>) -> T {
    runtime::select! {
        _ = server => panic!("the server ended"),
        output = client => output,
    }
}

/// A small HTTP/1.1 server: bodies with a length, in chunks, and back what was sent.
struct Site {
    noise: Vec<u8>,
    connections: Cell<u32>,
}

impl Site {
    fn new(len: usize) -> Site {
        Site { noise: noise(len), connections: Cell::new(0) }
    }

    /// Serves what the stream of connections gives.
    async fn serve<S>(self: &Rc<Site>, incoming: impl Stream<Item = io::Result<S>>)
    where
        S: ReadFd + WriteFd + 'static,
    {
        let mut incoming = pin!(incoming);
        while let Some(stream) = incoming.next().await {
            let stream = stream.expect("there are descriptors");
            self.connections.set(self.connections.get() + 1);
            let site = self.clone();
            spawn(async move { site.answer(&stream).await.expect("curl stays to the end") });
        }
    }

    /// Answers requests until the connection ends.
    async fn answer<S: ReadFd + WriteFd>(&self, stream: &S) -> io::Result<()> {
        let mut read = Vec::new();
        while let Some(head) = next_head(stream, &mut read).await? {
            let path = head.split(' ').nth(1).unwrap_or_default();
            match path {
                "/hello" => respond(stream, b"hello\n").await?,
                "/noise" => respond(stream, &self.noise).await?,
                "/chunked" => respond_in_chunks(stream, &self.noise).await?,
                "/echo" => {
                    let body = body_in_chunks(stream, &mut read, &head).await?;
                    respond(stream, &body).await?;
                }
                _ => panic!("{path} is not on this site"),
            }
        }
        Ok(())
    }
}

/// The next request without its body; what was read beyond it stays in `read`.
async fn next_head<S: ReadFd>(stream: &S, read: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = read.drain(..end + 4).collect();
            return Ok(Some(String::from_utf8(head).expect("curl's head is text")));
        }
        if read_more(stream, read).await? == 0 {
            assert!(read.is_empty(), "the connection ended within a head");
            return Ok(None);
        }
    }
}

/// The body of a request of unknown length, which curl sends in chunks once it is told to.
async fn body_in_chunks<S: ReadFd + WriteFd>(
    stream: &S,
    read: &mut Vec<u8>,
    head: &str,
) -> io::Result<Vec<u8>> {
    assert!(head.contains("Expect: 100-continue"), "{head}");
    assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
    write_all(stream, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    let mut body = Vec::new();
    loop {
        let Some(end) = read.windows(2).position(|two| two == b"\r\n") else {
            read_more(stream, read).await?;
            continue;
        };
        let len = std::str::from_utf8(&read[..end]).expect("a chunk's length is text");
        let len = usize::from_str_radix(len, 16).expect("a chunk's length is hexadecimal");
        while read.len() < end + 2 + len + 2 {
            assert!(read_more(stream, read).await? > 0, "the connection ended within a chunk");
        }
        body.extend_from_slice(&read[end + 2..][..len]);
        read.drain(..end + 2 + len + 2);
        if len == 0 {
            return Ok(body);
        }
    }
}

async fn respond<S: WriteFd>(stream: &S, body: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    write_all(stream, head.as_bytes()).await?;
    write_all(stream, body).await
}

async fn respond_in_chunks<S: WriteFd>(stream: &S, body: &[u8]) -> io::Result<()> {
    write_all(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
    for chunk in body.chunks(100_000) {
        write_all(stream, format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
        write_all(stream, chunk).await?;
        write_all(stream, b"\r\n").await?;
    }
    write_all(stream, b"0\r\n\r\n").await
}

async fn read_more<S: ReadFd>(stream: &S, read: &mut Vec<u8>) -> io::Result<usize> {
    let mut buf = [0; 16 * 1024];
    let len = poll_fn(|cx| stream.poll_read(cx, &mut buf)).await?;
    read.extend_from_slice(&buf[..len]);
    Ok(len)
}

async fn write_all<S: WriteFd>(stream: &S, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        let len = poll_fn(|cx| stream.poll_write(cx, data)).await?;
        data = &data[len..];
    }
    Ok(())
}

#[test]
fn nc_closes_its_half_and_hears_the_answer() {
    let Some(mut nc) = nc() else { return };
    run(async {
        let (listener, port) = listener().await;
        let sent = noise(5 << 20);
        let nc = Running::start(nc.args(["-N", "127.0.0.1", &port]), sent.clone());
        let (stream, _) = listener.accept().await.unwrap();
        answer_after_the_end(&stream).await.unwrap();
        assert_same(&sent, &nc.output().await);
    });
}

#[test]
fn nc_listens_and_both_talk_at_once() {
    let Some(mut nc) = nc() else { return };
    run(async {
        let (theirs, ours) = (noise(5 << 20), noise(3 << 20));
        nc.args(["-l", "-v", "-N", "127.0.0.1", "0"]);
        let (nc, port) = Running::serve(&mut nc, theirs.clone(), "Listening on").await;
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut read = Vec::new();
        runtime::try_join!(stream.write_all(&ours), stream.read_to_end(&mut read)).unwrap();
        assert_same(&theirs, &read);
        // Not before: it takes the end of ours for the end of all, whatever it has yet to send.
        stream.shutdown().await.unwrap();
        assert_same(&ours, &nc.output().await);
    });
}

#[test]
fn curl_fetches_small_and_big_bodies_on_one_connection() {
    let Some(mut curl) = curl() else { return };
    run(async {
        let (listener, port) = listener().await;
        let site = Rc::new(Site::new(8 << 20));
        // The bodies come one after another.
        let url = format!("http://127.0.0.1:{port}");
        curl.args(["/hello", "/noise", "/chunked", "/hello"].map(|path| format!("{url}{path}")));
        let fetched = Running::start(&mut curl, Vec::new()).output();
        let fetched = beside(site.serve(listener.incoming()), fetched).await;
        let expected = [b"hello\n", &site.noise[..], &site.noise, b"hello\n"].concat();
        assert_same(&expected, &fetched);
        assert_eq!(site.connections.get(), 1, "the connection was kept and used again");
    });
}

#[test]
fn curl_uploads_once_it_is_told_to_continue() {
    let Some(mut curl) = curl() else { return };
    run(async {
        let (listener, port) = listener().await;
        let site = Rc::new(Site::new(8 << 20));
        curl.args(["--upload-file", "-", "--header", "Expect: 100-continue"]);
        curl.arg(format!("http://127.0.0.1:{port}/echo"));
        let sent = noise(8 << 20);
        let echoed = Running::start(&mut curl, sent.clone()).output();
        let echoed = beside(site.serve(listener.incoming()), echoed).await;
        assert_same(&sent, &echoed);
    });
}

#[test]
fn curls_by_the_dozen_are_served_at_once() {
    let Some(_) = curl() else { return };
    run(async {
        let (listener, port) = listener().await;
        let site = Rc::new(Site::new(1 << 20));
        let mut clients = JoinSet::new();
        for _ in 0..12 {
            let mut curl = curl().expect("it was there");
            curl.arg(format!("http://127.0.0.1:{port}/noise"));
            clients.spawn(Running::start(&mut curl, Vec::new()).output());
        }
        for fetched in beside(site.serve(listener.incoming()), clients.join_all()).await {
            assert_same(&site.noise, &fetched);
        }
    });
}

#[test]
fn iperf3_measures_through_a_proxy_of_ours() {
    let Some(_) = program("iperf3", "iperf3") else { return };
    run(async {
        // Up, down, and both ways over several connections.
        for direction in [&[][..], &["--reverse"], &["--bidir", "--parallel", "4"]] {
            // It says on stdout when it listens.
            let mut server = Command::new("sh");
            let serve =
                "exec iperf3 --server --one-off --forceflush --bind 127.0.0.1 --port $0 >&2";
            server.args(["-c", serve, &free_port().to_string()]);
            let (_server, upstream) =
                Running::serve(&mut server, Vec::new(), "Server listening on").await;

            let (listener, port) = listener().await;
            let mut client = Command::new("iperf3");
            client.args(["--client", "127.0.0.1", "--port", &port, "--bytes", "64M", "--json"]);
            let report = Running::start(client.args(direction), Vec::new()).output();
            let report = beside(proxy(listener, upstream), report).await;
            let report = String::from_utf8(report).expect("JSON is text");
            let received = number_behind(&report, "\"sum_received\"", "\"bytes\"");
            assert!(received > 0, "{direction:?}: {report}");
        }
    });
}

async fn proxy(listener: TcpListener, upstream: u16) {
    while let Ok((client, _)) = listener.accept().await {
        spawn(async move {
            let server = TcpStream::connect(("127.0.0.1", upstream)).await?;
            // iperf3 closes with data unread when its time is up, which resets connections.
            copy_bidirectional(&client, &server).await
        });
    }
}

/// A free port for programs that must be told one; below those that the kernel hands out, so that nobody
/// gets it meanwhile.
fn free_port() -> u16 {
    let start = 20_000 + (process::id() % 5_000) as u16;
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (start..start + 5_000).find(is_free).expect("a free port")
}

/// The number of the first field of this name behind that of the other one.
fn number_behind(json: &str, object: &str, field: &str) -> u64 {
    let found = || {
        let (_, fields) = json.split_once(object)?;
        let (_, value) = fields.split_once(field)?;
        let value = value.trim_start_matches([':', ' ', '\t']);
        value.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    found().unwrap_or_else(|| panic!("no {object} with {field}: {json}"))
}

#[test]
fn curl_fetches_through_a_unix_socket_and_by_an_abstract_name() {
    let Some(_) = curl() else { return };
    run(async {
        let site = Rc::new(Site::new(8 << 20));
        let (path, name) = (TempPath::new(), abstract_name());
        for (listener, option, address) in [
            (UnixListener::bind(&path).unwrap(), "--unix-socket", path.text()),
            (bind_to_abstract(&name), "--abstract-unix-socket", &name),
        ] {
            let mut curl = curl().expect("it was there");
            let urls = ["/noise", "/hello"].map(|path| format!("http://localhost{path}"));
            let fetched = Running::start(curl.args([option, address]).args(urls), Vec::new());
            let fetched = beside(site.serve(listener.incoming()), fetched.output()).await;
            assert_same(&[&site.noise[..], b"hello\n"].concat(), &fetched);
        }
    });
}

#[test]
fn nc_talks_through_a_unix_socket() {
    let Some(mut nc) = nc() else { return };
    run(async {
        let path = TempPath::new();
        let listener = UnixListener::bind(&path).unwrap();
        let sent = noise(5 << 20);
        let nc = Running::start(nc.args(["-N", "-U", path.text()]), sent.clone());
        let (stream, _) = listener.accept().await.unwrap();
        answer_after_the_end(&stream).await.unwrap();
        assert_same(&sent, &nc.output().await);
    });
}

#[test]
fn socat_carries_tcp_to_unix_sockets_and_abstract_names() {
    let Some(_) = socat() else { return };
    run(async {
        let (path, name) = (TempPath::new(), abstract_name());
        for (listener, address) in [
            (UnixListener::bind(&path).unwrap(), format!("UNIX-CONNECT:{}", path.text())),
            (bind_to_abstract(&name), format!("ABSTRACT-CONNECT:{name}")),
        ] {
            let mut socat = socat().expect("it was there");
            socat.args(["TCP4-LISTEN:0,bind=127.0.0.1", &address]);
            let (_socat, port) = Running::serve(&mut socat, Vec::new(), "listening on AF=2").await;
            let server = spawn(async move {
                let (stream, _) = listener.accept().await?;
                answer_after_the_end(&stream).await
            });
            let client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let sent = noise(5 << 20);
            assert_same(&sent, &send_and_read(&client, &sent).await.unwrap());
            server.await.unwrap().unwrap();
        }
    });
}

#[test]
fn socat_echoes_records_of_every_size() {
    let Some(mut socat) = socat() else { return };
    run(async {
        let path = TempPath::new();
        let listener = UnixSeqpacketListener::bind(&path).unwrap();
        // A socket of type 5 keeps the bounds of records.
        let address = format!("UNIX-CONNECT:{},type=5", path.text());
        let _socat = Running::start(socat.args([&address, "PIPE"]), Vec::new());
        let (socket, _) = listener.accept().await.unwrap();
        let mut buf = vec![0; 65536];
        for len in [1, 2, 100, 4096, 4097, 60_000] {
            let sent = noise(len);
            assert_eq!(socket.send(&sent).await.unwrap(), len);
            let echoed = socket.recv(&mut buf).await.unwrap();
            assert_same(&sent, &buf[..echoed.len]);
        }
    });
}

#[test]
fn socat_sends_unix_datagrams_and_hears_the_answers() {
    let Some(mut socat) = socat() else { return };
    run(async {
        let (ours, theirs) = (TempPath::new(), TempPath::new());
        let socket = UnixDatagram::bind(&ours).unwrap();
        let address = format!("UNIX-SENDTO:{},bind={}", ours.text(), theirs.text());
        let _socat = Running::start(socat.args([&address, "PIPE"]), Vec::new());
        let mut buf = vec![0; 65536];
        for len in [1, 2, 100, 4096, 4097, 60_000] {
            let sent = noise(len);
            // It may not have bound its name yet.
            while let Err(error) = socket.send_to(&sent, &theirs).await {
                let gone = [ErrorKind::NotFound, ErrorKind::ConnectionRefused];
                assert!(gone.contains(&error.kind()), "{error}");
                sleep(Duration::from_millis(1)).await;
            }
            let (echoed, from) = socket.recv_from(&mut buf).await.unwrap();
            assert_eq!(from.as_pathname(), Some(theirs.0.as_path()));
            assert_same(&sent, &buf[..echoed]);
        }
    });
}

#[test]
fn cat_reads_and_writes_named_pipes() {
    run(async {
        let (there, back) = (TempPath::new(), TempPath::new());
        let made = Command::new("mkfifo").args([&there.0, &back.0]).status().unwrap();
        assert!(made.success());
        let mut cat = Command::new("sh");
        cat.args(["-c", "exec cat < $0 > $1", there.text(), back.text()]);
        // Of each pipe we have both ends, so that nobody waits for the other, or sees an end too early.
        let mut open = pipe::OpenOptions::new();
        let sender = open.read_write(true).open_sender(&there).unwrap();
        let receiver = open.open_receiver(&back).unwrap();
        let cat = Running::start(&mut cat, Vec::new());
        let sent = noise(3 << 20);
        let read = async {
            let mut read = vec![0; 3 << 20];
            receiver.read_exact(&mut read).await?;
            io::Result::Ok(read)
        };
        let ((), read) = runtime::try_join!(sender.write_all(&sent), read).unwrap();
        assert_same(&sent, &read);
        // The end, for which it waits.
        drop(sender);
        cat.output().await;
    });
}

#[test]
fn nc_sends_a_datagram_and_hears_the_answer() {
    let Some(mut nc) = nc() else { return };
    run(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port().to_string();
        // It ends after one datagram has come.
        let nc = Running::start(nc.args(["-u", "-W", "1", "127.0.0.1", &port]), b"ping".to_vec());
        let mut buf = [0; 16];
        let (len, peer) = socket.recv_from(&mut buf).await.unwrap();
        assert_eq!(&buf[..len], b"ping");
        socket.send_to(b"pong", peer).await.unwrap();
        assert_eq!(nc.output().await, b"pong");
    });
}

#[test]
fn socat_echoes_datagrams_of_every_size() {
    let Some(mut socat) = socat() else { return };
    run(async {
        socat.args(["UDP4-LISTEN:0,bind=127.0.0.1", "PIPE"]);
        let (_socat, port) = Running::serve(&mut socat, Vec::new(), "listening on UDP").await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(("127.0.0.1", port)).await.unwrap();
        let mut buf = vec![0; 65536];
        for len in [1, 2, 100, 1472, 1473, 9000, 60_000] {
            let sent = noise(len);
            assert_eq!(socket.send(&sent).await.unwrap(), len);
            let echoed = socket.recv(&mut buf).await.unwrap();
            assert_same(&sent, &buf[..echoed]);
        }
    });
}

#[test]
fn socat_carries_tcp_to_tcp_with_both_half_closes() {
    let Some(mut socat) = socat() else { return };
    run(async {
        let (listener, port) = listener().await;
        socat.args(["TCP4-LISTEN:0,bind=127.0.0.1", &format!("TCP4:127.0.0.1:{port}")]);
        let (_socat, port) = Running::serve(&mut socat, Vec::new(), "listening on AF=2").await;
        let server = spawn(async move {
            let (stream, _) = listener.accept().await?;
            answer_after_the_end(&stream).await
        });
        let client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let sent = noise(5 << 20);
        assert_same(&sent, &send_and_read(&client, &sent).await.unwrap());
        server.await.unwrap().unwrap();
    });
}
