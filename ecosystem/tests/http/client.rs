//! `hyper_client`, which asks nginx, and `hyper_server`.

use std::collections::HashSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use runtime::net::TcpSocket;

use crate::program::{Folder, Server, assert_same, example_command, run, tool, within_limit};
use crate::support::free_port;

/// An nginx with its files, which ends when this is dropped.
struct Nginx {
    child: Child,
    folder: Folder,
    http1: SocketAddr,
    http2: SocketAddr,
}

/// It serves its folder, and takes what is put into `uploads`.
fn configuration(folder: &Folder, http1: SocketAddr, http2: SocketAddr) -> String {
    let path = |name| folder.path(name).display().to_string();
    let (log, errors, body, proxy) =
        (path("access.log"), path("error.log"), path("body"), path("proxy"));
    let root = path("");
    format!(
        "daemon off; master_process off; error_log {errors}; pid {root}pid;
         events {{ }}
         http {{
             log_format connection '$connection $status $request';
             access_log {log} connection;
             client_body_temp_path {body};
             proxy_temp_path {proxy};
             fastcgi_temp_path {proxy}; uwsgi_temp_path {proxy}; scgi_temp_path {proxy};
             client_max_body_size 0;
             server {{
                 listen {http1};
                 listen {http2} http2;
                 location / {{ root {root}; keepalive_requests 1000; }}
                 location /brief/ {{ alias {root}; keepalive_requests 10; }}
                 location /uploads/ {{ root {root}; dav_methods PUT; create_full_put_path on; }}
             }}
         }}"
    )
}

impl Nginx {
    /// `None` if it is not installed.
    fn start() -> Option<Nginx> {
        // It is started by itself, as it would be left behind by a `timeout` that is killed.
        tool("nginx")?;
        let folder = Folder::new();
        // It cannot be told to choose some.
        let [http1, http2] = [(); 2].map(|()| (Ipv4Addr::LOCALHOST, free_port()).into());
        fs::write(folder.path("nginx.conf"), configuration(&folder, http1, http2)).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path("")).arg("-e").arg(folder.path("error.log"));
        let child = command.arg("-c").arg(folder.path("nginx.conf")).stdout(Stdio::null()).spawn();
        let nginx = Nginx { child: child.expect("nginx"), folder, http1, http2 };
        within_limit(|| TcpStream::connect(http2).ok());
        Some(nginx)
    }

    /// Which of its connections answered each request well.
    fn connections(&self, requests: usize) -> Vec<String> {
        // It writes a line when it has sent the answer, which may be after we have read it.
        within_limit(|| {
            let log = fs::read_to_string(self.folder.path("access.log")).ok()?;
            let answered =
                log.lines().filter_map(|line| Some(line.split_once(" 200 ")?.0.to_owned()));
            Some(answered.collect()).filter(|all: &Vec<_>| all.len() >= requests)
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(options: &[&str]) -> Command {
    let mut command = example_command("hyper_client");
    command.args(options);
    command
}

fn download(http2: bool) {
    let Some(nginx) = Nginx::start() else { return };
    let file = nginx.folder.fill("file", 100);
    let received = nginx.folder.path("received");
    let (options, address): (&[&str], _) =
        if http2 { (&["--http2"], nginx.http2) } else { (&[], nginx.http1) };
    run(client(options)
        .arg(format!("http://{address}/file"))
        .stdout(File::create(&received).unwrap()));
    assert_same(&file, &received);
}

#[test]
fn a_long_body_of_http1() {
    download(false);
}

#[test]
fn a_long_body_of_http2() {
    download(true);
}

/// Fetches a file again and again, and returns how many connections that took.
fn connections(path: &str, requests: usize, options: &[&str], http2: bool) -> usize {
    let Some(nginx) = Nginx::start() else { return 0 };
    fs::write(nginx.folder.path("file"), "a few bytes\n").unwrap();
    let address = if http2 { nginx.http2 } else { nginx.http1 };
    let url = format!("http://{address}{path}");
    let output = run(client(options).args(vec![url; requests]));
    assert_eq!(output.stdout, "a few bytes\n".repeat(requests).as_bytes());
    let said = String::from_utf8(output.stderr).unwrap();
    let head =
        if http2 { "HTTP/2.0 200 OK, 12 bytes in " } else { "HTTP/1.1 200 OK, 12 bytes in " };
    assert_eq!(said.lines().filter(|line| line.starts_with(head)).count(), requests, "{said}");
    let answered = nginx.connections(requests);
    assert_eq!(answered.len(), requests);
    answered.into_iter().collect::<HashSet<_>>().len()
}

#[test]
fn one_connection_of_http1_for_many_requests() {
    if tool("nginx").is_some() {
        assert_eq!(connections("/file", 50, &[], false), 1);
    }
}

#[test]
fn one_connection_of_http2_for_many_requests() {
    if tool("nginx").is_some() {
        assert_eq!(connections("/file", 50, &["--http2"], true), 1);
    }
}

/// A connection that the server has closed is not taken again.
#[test]
fn connections_that_end_after_ten_requests() {
    if tool("nginx").is_some() {
        assert_eq!(connections("/brief/file", 50, &[], false), 5);
    }
}

/// A body whose length is not known beforehand, which nginx writes to a file.
fn upload(http2: bool) {
    let Some(nginx) = Nginx::start() else { return };
    let sent = nginx.folder.fill("sent", 100);
    let (options, address): (&[&str], _) =
        if http2 { (&["--http2", "--put"], nginx.http2) } else { (&["--put"], nginx.http1) };
    let mut command = client(options);
    let output = run(command
        .arg(format!("http://{address}/uploads/received"))
        .stdin(File::open(&sent).unwrap()));
    assert!(String::from_utf8(output.stderr).unwrap().contains(" 201 Created, 0 bytes "));
    assert_same(&sent, &nginx.folder.path("uploads/received"));
}

#[test]
fn a_long_body_sent_by_http1() {
    upload(false);
}

#[test]
fn a_long_body_sent_by_http2() {
    upload(true);
}

/// Both bodies at once, of which nginx can forward only short ones: our server is asked directly.
fn there_and_back(options: &[&str]) {
    let server = Server::start("hyper_server");
    let folder = Folder::new();
    let (sent, received) = (folder.fill("sent", 100), folder.path("received"));
    let mut command = client(options);
    command.arg("--put").arg(server.url("/echo"));
    command.stdin(File::open(&sent).unwrap()).stdout(File::create(&received).unwrap());
    run(&mut command);
    assert_same(&sent, &received);
    server.terminate();
}

#[test]
fn a_long_body_there_and_back_by_http1() {
    there_and_back(&[]);
}

#[test]
fn a_long_body_there_and_back_by_http2() {
    there_and_back(&["--http2"]);
}

#[test]
fn errors_are_said_in_full() {
    let fails = |url: &str| {
        let output = client(&[url]).output().expect("it is built");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    // Taken, so that nobody listens there, and not listening either.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let said = fails(&format!("http://{}/", silent.local_addr().unwrap()));
    assert!(
        said.contains("client error (Connect)") && said.contains("onnection refused"),
        "{said}"
    );
    assert!(fails("https://localhost/").contains("only http: is spoken here"));
}
