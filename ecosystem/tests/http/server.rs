//! `hyper_server`, asked by curl, h2load and wrk.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::program::{Folder, LIMIT, Server, assert_same, printed, run, tool};

const HTTP1: &str = "--http1.1";
const HTTP2: &str = "--http2-prior-knowledge";

/// A hundred thousand requests, all of which are to be answered well.
pub(crate) fn load(server: &Server, options: &[&str]) {
    let Some(mut h2load) = tool("h2load") else { return };
    let said =
        printed(h2load.args(["-n", "100000", "-c", "64"]).args(options).arg(server.url("/")));
    let all = "100000 total, 100000 started, 100000 done, 100000 succeeded, 0 failed, 0 errored, 0 timeout";
    assert!(said.contains(all), "{said}");
    assert!(said.contains("status codes: 100000 2xx, 0 3xx, 0 4xx, 0 5xx"), "{said}");
}

#[test]
fn a_hundred_thousand_requests_of_http1() {
    let server = Server::start("hyper_server");
    load(&server, &["--h1"]);
    server.terminate();
}

#[test]
fn a_hundred_thousand_requests_of_http2() {
    let server = Server::start("hyper_server");
    load(&server, &["-m", "10"]);
    server.terminate();
}

#[test]
fn a_second_of_wrk() {
    let Some(mut wrk) = tool("wrk") else { return };
    let server = Server::start("hyper_server");
    let said = printed(wrk.args(["-t1", "-c64", "-d1s"]).arg(server.url("/")));
    assert!(said.contains(" requests in "), "{said}");
    // It says these only if there are some.
    assert!(!said.contains("Socket errors") && !said.contains("Non-2xx"), "{said}");
    server.terminate();
}

#[test]
fn answers_to_curl() {
    let Some(_) = tool("curl") else { return };
    let server = Server::start("hyper_server");
    let ask = |options: &[&str], path: &str| {
        let mut curl = tool("curl").expect("it was there");
        printed(
            curl.args(["-sS", "-w", "%{http_code} %{http_version}"])
                .args(options)
                .arg(server.url(path)),
        )
    };
    // curl says this as `1` or `1.0`.
    assert!(ask(&["--http1.0"], "/").starts_with("hello\n200 1"));
    assert_eq!(ask(&[HTTP1], "/"), "hello\n200 1.1");
    assert_eq!(ask(&[HTTP2], "/"), "hello\n200 2");
    for http in [HTTP1, HTTP2] {
        assert!(ask(&[http], "/nothing").starts_with("nothing is here\n404"));
        assert!(ask(&[http, "--head"], "/").contains("content-length: 6\r\n"));
        assert!(ask(&[http], "/wait/20").starts_with("here you are\n200"));
        assert!(ask(&[http], "/wait/long").starts_with("wait how many milliseconds?\n400"));
        assert!(ask(&[http, "-d", "a body"], "/echo").starts_with("a body200"));
    }
    assert_eq!(ask(&[HTTP1], "/requests"), "14\n200 1.1");
    server.terminate();
}

#[test]
fn one_connection_is_enough_for_curl() {
    let Some(mut curl) = tool("curl") else { return };
    let server = Server::start("hyper_server");
    // The second number is that of connections which this transfer had to make.
    curl.args(["-sS", "-w", "%{num_connects}\n"]);
    let said = printed(curl.args([server.url("/"), server.url("/"), server.url("/requests")]));
    assert_eq!(said, "hello\n1\nhello\n0\n3\n0\n");
    server.terminate();
}

/// 100 MiB there, and back while they still come: windows fill and are opened again in both directions.
fn echoes(options: &[&str]) {
    let Some(mut curl) = tool("curl") else { return };
    let server = Server::start("hyper_server");
    let folder = Folder::new();
    let (sent, received) = (folder.fill("sent", 100), folder.path("received"));
    // Without `Expect: 100-continue`, which curl waits for in vain when the answer begins first.
    curl.args(["-sS", "-H", "Expect:", "-o"]).arg(&received).arg("-T").arg(&sent);
    run(curl.args(options).arg(server.url("/echo")));
    assert_same(&sent, &received);
    server.terminate();
}

#[test]
fn a_long_body_of_http1() {
    echoes(&[HTTP1]);
}

#[test]
fn a_long_body_of_http1_in_chunks() {
    echoes(&[HTTP1, "-H", "Transfer-Encoding: chunked"]);
}

#[test]
fn a_long_body_of_http2() {
    echoes(&[HTTP2]);
}

/// What goes wrong with one connection is nothing to the others.
#[test]
fn errors_of_a_connection_are_its_own() {
    let server = Server::start("hyper_server");
    let connect = || {
        let stream = TcpStream::connect(server.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("an option");
        stream
    };
    let whole = |mut stream: TcpStream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer and its end");
        answer
    };
    let mut healthy = connect();

    let mut nonsense = connect();
    nonsense.write_all(b"\x16\x03\x01 is TLS\r\n\r\n").unwrap();
    assert!(whole(nonsense).starts_with("HTTP/1.1 400 Bad Request\r\n"));

    let mut cut_off = connect();
    cut_off
        .write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        .unwrap();
    cut_off.shutdown(Shutdown::Write).unwrap();
    let answer = whole(cut_off);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("half"), "{answer}");

    let mut silent = connect();
    silent.shutdown(Shutdown::Write).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);

    // Gone with an answer unread, which resets the connection.
    let mut gone = connect();
    gone.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    gone.peek(&mut [0]).unwrap();
    drop(gone);

    healthy.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert!(whole(healthy).ends_with("\r\n\r\nhello\n"));
    server.terminate();
}
