//! hickory-resolver on this runtime, against dnsmasq.

mod support;

use std::process::Command;

use support::{Program, free_port, installed, limited, path};

/// Starts a server that knows what `args` say, and nothing else.
fn serve(args: &[String]) -> (Program, String) {
    // It cannot be told to choose one.
    let port = free_port();
    let mut command = Command::new("dnsmasq");
    command.args(["--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null"]);
    command.args(["--no-resolv", "--no-hosts", "--no-ping", "--pid-file="]);
    command.args(["--listen-address=127.0.0.1", "--bind-interfaces", "--local=/test/"]);
    // It gives up being root only for a user that exists.
    command.args(["--user=root", &format!("--port={port}")]).args(args);
    let server = Program::start(&mut command);
    server.says("cleared cache");
    (server, format!("127.0.0.1:{port}"))
}

#[test]
fn the_example() {
    if !installed("dnsmasq-base", Command::new("dnsmasq").arg("--version")) {
        return;
    }
    let mut args = vec![
        "--host-record=one.test,192.0.2.1".to_string(),
        "--host-record=six.test,2001:db8::6".to_string(),
    ];
    // Together they are more than a datagram may carry: the answer comes by TCP.
    let long = (0..40).map(|n| format!("--txt-record=long.test,{n:02} {}", "x".repeat(200)));
    args.extend(long);
    args.push("--host-record=long.test,192.0.2.2".to_string());
    let (_server, address) = serve(&args);
    let mut resolve = Command::new(path("resolve"));
    resolve.args([&address, "one.test.", "six.test.", "none.test.", "long.test."]);
    let printed = limited(|| Program::start(&mut resolve).succeed());

    assert_eq!(printed[..2], ["one.test. is 192.0.2.1", "six.test. is 2001:db8::6"]);
    assert!(printed[2].starts_with("none.test.: "), "{printed:?}");
    assert_eq!(printed[3], "long.test. is 192.0.2.2");
    let mut texts: Vec<&str> =
        printed[4..].iter().filter_map(|line| line.strip_prefix("long.test. says ")).collect();
    texts.sort_unstable();
    assert_eq!(texts.len(), 40, "{printed:?}");
    for (n, text) in texts.iter().enumerate() {
        assert!(text.starts_with(&format!("{n:02} xxx")), "{text}");
    }
}
