//! zbus on this runtime, against dbus-daemon and dbus-send.

mod support;

use std::process::Command;

use support::{Directory, LIMIT, Program, installed, limited, path, signal};

#[test]
fn the_example() {
    if !installed("dbus-daemon", Command::new("dbus-daemon").arg("--version"))
        || !installed("dbus-bin", Command::new("dbus-uuidgen").arg("--version"))
    {
        return;
    }
    let directory = Directory::new();
    let address = format!("unix:path={}", directory.file("bus"));
    let mut daemon = Command::new("dbus-daemon");
    daemon.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
    let daemon = Program::start(daemon.arg(format!("--address={address}")));
    let address = daemon.stdout.recv_timeout(LIMIT).expect("the bus says its address");
    let here =
        |command: &mut Command| Program::start(command.env("DBUS_SESSION_BUS_ADDRESS", &address));

    limited(|| {
        let server = here(Command::new(path("dbus")).arg("serve"));
        assert_eq!(server.stdout.recv().unwrap(), "serving");
        for _ in 0..3 {
            let client = here(Command::new(path("dbus")).args(["ask", "Ada"]));
            assert_eq!(client.succeed(), ["Hello Ada!", "Dear reader", "it was sent: a letter"]);
        }
        let mut send = Command::new("dbus-send");
        send.args(["--session", "--print-reply=literal", "--dest=org.example.Greeter"]);
        send.args(["/org/example/Greeter", "org.example.Greeter.Greet", "string:Ada"]);
        let printed = here(&mut send).succeed();
        assert_eq!(printed.join("\n").trim(), "Hello Ada!");

        // One thread: none of zbus' own executor, none of async-io's.
        let tasks = format!("/proc/{}/task", server.child.id());
        assert_eq!(std::fs::read_dir(tasks).unwrap().count(), 1);
        signal(&server.child, "INT");
        server.succeed();
    });
}
