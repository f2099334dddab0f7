//! A service on a Unix socket, which knows who asks: the kernel tells it.
//!
//! Type `cargo run --example unix_service -- /tmp/service`, and in another terminal `nc -U /tmp/service`. It
//! greets its own user and root, and refuses all others. Ctrl-C ends it and removes the socket.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;

use runtime::net::{UnixListener, UnixStream};
use runtime::signal::ctrl_c;

#[runtime::main]
async fn main() -> io::Result<ExitCode> {
    let Some(path) = env::args_os().nth(1) else {
        eprintln!("usage: unix_service PATH");
        return Ok(ExitCode::from(2));
    };
    let path = Path::new(&path);
    // A path that is there already is an error here: who else may be listening is not for us to say.
    let listener = UnixListener::bind(path)?;
    // All may connect; who they are decides, not the mode of the file.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    let owner = fs::metadata(path)?.uid();
    println!("listening on {}", path.display());
    let mut interrupted = pin!(ctrl_c());
    loop {
        runtime::select! {
            pressed = &mut interrupted => {
                pressed?;
                break;
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    runtime::spawn(async move {
                        if let Err(error) = answer(&stream, owner).await {
                            eprintln!("{error}");
                        }
                    });
                }
                Err(error) => eprintln!("{error}"),
            },
        }
    }
    fs::remove_file(path)?;
    Ok(ExitCode::SUCCESS)
}

async fn answer(stream: &UnixStream, owner: u32) -> io::Result<()> {
    // Of the moment in which it connected, and not to be forged.
    let peer = stream.peer_cred()?;
    let answer = match peer.pid() {
        Some(pid) if peer.uid() == owner || peer.uid() == 0 => {
            format!("hello, process {pid} of user {}\n", peer.uid())
        }
        _ => "not for you\n".to_string(),
    };
    stream.write_all(answer.as_bytes()).await
}
