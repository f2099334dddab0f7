//! The examples that speak TLS, with counterparts: those of others, each other, and clients that misbehave.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;

use ecosystem::certificate;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Directory, LIMIT, Pattern, Program, installed, limited, path, run};

fn has_openssl() -> bool {
    installed("openssl", Command::new("openssl").arg("version"))
}

fn has_curl() -> bool {
    installed("curl", Command::new("curl").arg("--version"))
}

/// Starts an example that is a TLS server; its certificate is in the file.
fn serve(example: &str, directory: &Directory) -> (Program, SocketAddr, String) {
    let file = directory.file("server.pem");
    let (server, address) = Program::serve(example, &[&file]);
    (server, address, file)
}

/// Runs a program that reads so many bytes of the pattern; what it prints is checked to be the same.
#[track_caller]
fn echoes(command: &mut Command, len: usize) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let writer = thread::spawn(move || {
        let (mut pattern, mut left) = (Pattern::default(), len);
        while left > 0 {
            let piece = pattern.next(left);
            input.write_all(piece).expect("it reads all");
            left -= piece.len();
        }
    });
    let (mut pattern, mut received, mut buf) = (Pattern::default(), 0, vec![0; 64 * 1024]);
    while let read @ 1.. = output.read(&mut buf).unwrap() {
        pattern.check(&buf[..read]);
        received += read;
    }
    writer.join().unwrap();
    assert_eq!(received, len);
    let status = child.wait().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Runs `tls_client`, with `input` to send.
fn client(address: &str, file: &str, input: &[u8]) -> Output {
    let mut command = Command::new(path("tls_client"));
    command.args([address, file]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It fails if the client ends without having read that.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn openssl_s_client_is_echoed() {
    limited(|| {
        if !has_openssl() {
            return;
        }
        let directory = Directory::new();
        let (server, address, file) = serve("tls_echo", &directory);
        for version in ["-tls1_2", "-tls1_3"] {
            let mut command = Command::new("openssl");
            command.args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error", version]);
            command.args(["-connect", &address.to_string(), "-CAfile", &file]);
            let command =
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            for line in ["hello", "", "world"] {
                writeln!(input, "{line}").unwrap();
                assert_eq!(lines.next().expect("a line").unwrap(), line);
            }
            // At the end of its input it says close_notify, and ends.
            drop(input);
            assert!(lines.next().is_none());
            assert!(child.wait().unwrap().success());
        }
        server.assert_no_complaint();
    });
}

/// `openssl s_server -rev` answers each line with the line reversed.
#[test]
fn tls_client_talks_to_openssl_s_server() {
    limited(|| {
        if !has_openssl() {
            return;
        }
        let directory = Directory::new();
        let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
        let (certificate, key) = (directory.file("server.pem"), directory.file("key.pem"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        for version in ["-tls1_2", "-tls1_3"] {
            let mut command = Command::new("openssl");
            command.args(["s_server", "-accept", "127.0.0.1:0", "-rev", version]);
            command.args(["-cert", &certificate, "-key", &key]);
            let server = Program::start(&mut command);
            let accepts = |line: String| line.strip_prefix("ACCEPT ")?.parse::<SocketAddr>().ok();
            let address = server.stdout.iter().find_map(accepts).expect("it says where it listens");
            let host = format!("localhost:{}", address.port());

            let output = client(&host, &certificate, b"hello\nworld\n");
            assert!(output.status.success(), "{output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "olleh\ndlrow\n");
        }
    });
}

/// The client's end is a half-close: the rest comes back after it.
#[test]
fn tls_client_sends_and_receives_at_the_same_time() {
    limited(|| {
        let directory = Directory::new();
        let (server, address, file) = serve("tls_echo", &directory);
        echoes(Command::new(path("tls_client")).args([&address.to_string(), &file]), 64 << 20);
        server.assert_no_complaint();
    });
}

#[test]
fn a_certificate_that_is_not_the_right_one_is_refused_and_the_server_goes_on() {
    limited(|| {
        let directory = Directory::new();
        let file = directory.file("server.pem");
        let (server, address) = Program::serve_at("0.0.0.0:0", "tls_echo", &[&file]);
        let stranger = directory.file("stranger.pem");
        certificate::make(&stranger).unwrap();
        let host = |name| format!("{name}:{}", address.port());

        let refused = client(&host("127.0.0.1"), &stranger, b"secret");
        assert!(!refused.status.success());
        assert_eq!(refused.stdout, b"");
        let said = String::from_utf8(refused.stderr).unwrap();
        let wanted = format!("{}: invalid peer certificate: BadSignature\n", host("127.0.0.1"));
        assert_eq!(said, wanted);
        server.says(": received fatal alert: DecryptError");

        // The right certificate, of another name.
        let refused = client(&host("127.0.0.2"), &file, b"secret");
        assert!(!refused.status.success());
        assert_eq!(refused.stdout, b"");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("certificate not valid for name \"127.0.0.2\""), "{said}");
        server.says(": received fatal alert: BadCertificate");

        let welcome = client(&host("127.0.0.1"), &file, b"hello");
        assert!(welcome.status.success(), "{welcome:?}");
        assert_eq!(welcome.stdout, b"hello");
        server.assert_no_complaint();
    });
}

/// Each is told to the terminal, and nobody else suffers.
fn outlives_clients_that_misbehave(example: &str) {
    let directory = Directory::new();
    let (server, address, file) = serve(example, &directory);
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    };

    // The first bytes of a hello, and then nothing, ever.
    let silent = connect();
    (&silent).write_all(&[0x16, 3, 1, 2, 0]).unwrap();

    let gone = connect();
    (&gone).write_all(&[0x16, 3, 1, 2, 0]).unwrap();
    drop(gone);
    server.says(": tls handshake eof");

    // It gets an alert, and the end.
    let mut clear = connect();
    clear.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    server.says(": received corrupt message of type InvalidContentType");
    let mut alert = Vec::new();
    clear.read_to_end(&mut alert).unwrap();
    assert_eq!(alert[0], 0x15);

    // Gone after the handshake, without close_notify.
    let rude = run(async { tls_connect(address, &file).await.into_inner().0.into_std().unwrap() });
    rude.shutdown(Shutdown::Both).unwrap();
    server.says("unexpected-eof");

    server.says(": no TLS handshake within 5s");
    assert_eq!((&silent).read(&mut [0]).unwrap_or(0), 0);

    drop(run(tls_connect(address, &file)));
}

#[test]
fn tls_echo_outlives_clients_that_misbehave() {
    limited(|| outlives_clients_that_misbehave("tls_echo"));
}

#[test]
fn https_outlives_clients_that_misbehave() {
    limited(|| outlives_clients_that_misbehave("https"));
}

async fn tls_connect(address: SocketAddr, file: &str) -> TlsStream<runtime::net::TcpStream> {
    let config = ClientConfig::builder()
        .with_root_certificates(certificate::roots(file).unwrap())
        .with_no_client_auth();
    let stream = runtime::net::TcpStream::connect(address).await.unwrap();
    let name = ServerName::from(address.ip());
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[test]
fn curl_is_served() {
    limited(|| {
        if !has_curl() {
            return;
        }
        let directory = Directory::new();
        let (server, address, file) = serve("https", &directory);
        let url = format!("https://{address}/");
        let curl = |args: &[&str]| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--fail", "--cacert", &file, &url]).args(args);
            curl
        };
        for (version, name) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2.0")] {
            let output = curl(&[version]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), format!("hello over {name}\n"));
            echoes(&mut curl(&[version, "--upload-file", "-"]), 128 << 20);
        }
        assert!(server.peak_memory() < 32 * 1024, "{} KiB", server.peak_memory());
        server.assert_no_complaint();
    });
}

/// Both directions at once, byte by byte the same; and what is in flight stays in the kernel.
#[test]
fn a_gibibyte_goes_both_ways() {
    const LEN: usize = 1 << 30;
    let directory = Directory::new();
    let (server, address, file) = serve("tls_echo", &directory);
    run(async {
        let (mut reader, mut writer) = split(tls_connect(address, &file).await);
        let send = async {
            let (mut pattern, mut left) = (Pattern::default(), LEN);
            while left > 0 {
                let piece = pattern.next(left);
                writer.write_all(piece).await.unwrap();
                left -= piece.len();
            }
            writer.shutdown().await.unwrap();
        };
        let receive = async {
            let (mut pattern, mut received, mut buf) = (Pattern::default(), 0, vec![0; 64 * 1024]);
            while let read @ 1.. = reader.read(&mut buf).await.unwrap() {
                pattern.check(&buf[..read]);
                received += read;
            }
            received
        };
        let ((), received) = runtime::join!(send, receive);
        assert_eq!(received, LEN);
    });
    assert!(server.peak_memory() < 16 * 1024, "{} KiB", server.peak_memory());
    server.assert_no_complaint();
}
