//! tokio-postgres on this runtime, against a PostgreSQL server.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use support::{Directory, Program, free_port, installed, limited, path};

struct Server {
    // Dropped before its directory.
    _program: Program,
    directory: Directory,
    port: u16,
}

/// A program of the server: not all of Debian's are on the path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin").join(name)).max();
    debian.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name))
}

impl Server {
    /// Starts a server with an empty cluster of its own. `None` if PostgreSQL is not here.
    fn start() -> Option<Server> {
        if !installed("postgresql", Command::new(program("postgres")).arg("--version")) {
            return None;
        }
        let directory = Directory::new();
        let data = directory.file("data");
        // It does not run as root.
        let root = fs::metadata(directory.file("")).unwrap().uid() == 0;
        let user = if root { nobody() } else { None };
        if let Some((user, group)) = user {
            chown(directory.file(""), Some(user), Some(group)).unwrap();
        }
        let as_user = |name: &str| {
            let mut command = Command::new(program(name));
            command.current_dir(directory.file(""));
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            command
        };
        let mut init = as_user("initdb");
        init.args(["--auth=trust", "--username=postgres", "--no-sync", "--locale=C", "--pgdata"]);
        let output = init.arg(&data).output().unwrap();
        assert!(output.status.success(), "{output:?}");

        // It cannot be told to choose one.
        let port = free_port();
        let mut postgres = as_user("postgres");
        postgres.args(["-D", &data, "-p", &port.to_string(), "-k", &directory.file("")]);
        postgres.args(["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"]);
        let program = Program::start(&mut postgres);
        program.says("database system is ready to accept connections");
        Some(Server { _program: program, directory, port })
    }
}

/// The user and the group of nobody, from passwd(5).
fn nobody() -> Option<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = passwd.lines().find(|line| line.starts_with("nobody:"))?.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[test]
fn the_example() {
    let Some(server) = Server::start() else { return };
    let tcp = format!("127.0.0.1:{}", server.port);
    let unix = format!("unix:{}", server.directory.file(&format!(".s.PGSQL.{}", server.port)));
    for address in [tcp, unix] {
        let client = Program::start(Command::new(path("postgres_client")).arg(address));
        let printed = limited(|| client.succeed());
        assert_eq!(
            printed,
            [
                "100 rows, and their sum is 4950",
                "100 of 100 tasks have read their row",
                "cancelled",
                "and the connection goes on: 1",
            ]
        );
    }
}
