//! `axum_server`, asked by curl and h2load.

use std::net::TcpListener;

use crate::program::{Server, printed, tool, within_limit};
use crate::server::load;

#[test]
fn its_handlers_wait_and_spawn() {
    let Some(_) = tool("curl") else { return };
    let server = Server::start("axum_server");
    let ask = |options: &[&str], path: &str| {
        let mut curl = tool("curl").expect("it was there");
        printed(curl.args(["-sS", "-w", " %{http_code}"]).args(options).arg(server.url(path)))
    };
    assert_eq!(ask(&[], "/"), "hello\n 200");
    assert_eq!(ask(&["--http2-prior-knowledge"], "/"), "hello\n 200");
    let slept = ask(&[], "/sleep/20");
    let milliseconds = slept.strip_prefix("slept ").and_then(|rest| rest.strip_suffix(" ms\n 200"));
    assert!(milliseconds.and_then(|ms| ms.parse().ok()).is_some_and(|ms: u64| ms >= 20), "{slept}");
    assert!(ask(&[], "/sleep/long").ends_with(" 400"));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let probe = format!("/probe?host=localhost&port={}", listener.local_addr().unwrap().port());
    assert_eq!(ask(&["-4"], &probe), r#"{"open":true,"why_not":null} 200"#);
    drop(listener);
    let refused = ask(&[], &probe);
    assert!(refused.starts_with(r#"{"open":false,"why_not":""#), "{refused}");

    let post = |data| ask(&["-d", data, "-H", "Content-Type: application/json"], "/jobs");
    assert_eq!(post(r#"{"words": "a few words"}"#), "/jobs/1\n 202");
    assert_eq!(post(r#"{"words": "more"}"#), "/jobs/2\n 202");
    assert!(post("no JSON").ends_with(" 400"));
    let outcome =
        |path: &str| within_limit(|| Some(ask(&[], path)).filter(|said| said != "not yet\n 202"));
    assert_eq!(outcome("/jobs/1"), "3 words\n 200");
    assert_eq!(outcome("/jobs/2"), "1 words\n 200");
    assert_eq!(ask(&[], "/jobs/3"), "there is no such job\n 404");

    server.signal("INT");
    let status = server.wait();
    assert!(status.success(), "{status}");
}

#[test]
fn a_hundred_thousand_requests() {
    let server = Server::start("axum_server");
    load(&server, &["-m", "10"]);
}
