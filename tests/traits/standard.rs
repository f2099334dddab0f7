//! The standard streams, in a child that is this program again.

use std::env;
use std::future::poll_fn;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::process::{Command, Stdio};

use runtime::io::{stderr, stdin, stdout};
use tokio::io::{AsyncRead, ReadBuf};

use crate::faces::{Futures, Hyper, Reads, Tokio, Writes, once};
use crate::support::{limited, run};

const IS_CHILD: &str = "TRAITS_TEST_IS_CHILD";

async fn ask<F>()
where
    F: Reads<runtime::io::Stdin> + for<'a> Reads<&'a runtime::io::Stdin>,
    F: Writes<runtime::io::Stdout> + for<'a> Writes<&'a runtime::io::Stderr>,
{
    let (mut input, mut output, errors) = (stdin(), stdout(), stderr());
    // Nothing comes before it has said that it waits. Then as much as there is room for: what there is more,
    // is set to zero for this stream.
    let room = "futures".len();
    assert!(once(|cx| F::poll_read(Pin::new(&mut input), cx, room)).await.is_pending());
    let bufs = [&b"<wai"[..], b"ts>"].map(IoSlice::new);
    let said = poll_fn(|cx| F::poll_write_vectored(Pin::new(&mut output), cx, &bufs)).await;
    assert_eq!(said.unwrap(), 7);
    let read = poll_fn(|cx| F::poll_read(Pin::new(&mut &input), cx, room)).await.unwrap();
    let said = poll_fn(|cx| F::poll_write(Pin::new(&mut &errors), cx, &read)).await;
    assert_eq!(said.unwrap(), read.len());
    poll_fn(|cx| F::poll_flush(Pin::new(&mut &errors), cx)).await.unwrap();
    poll_fn(|cx| F::poll_shutdown(Pin::new(&mut output), cx)).await.unwrap();
}

/// The room of a growing buffer is not set to zero as a whole each time.
async fn leaves_room_alone() {
    let mut buffer = vec![MaybeUninit::new(1); 1 << 20];
    let mut lent = ReadBuf::uninit(&mut buffer);
    let mut input = stdin();
    assert!(
        once(|cx| AsyncRead::poll_read(Pin::new(&mut input), cx, &mut lent)).await.is_pending()
    );
    // SAFETY: the whole buffer was initialised before it was lent as one that need not be.
    assert_eq!(unsafe { buffer[1 << 19].assume_init() }, 1);
}

/// The child: what the traits do.
#[test]
fn child_of_the_standard_streams_test() {
    if env::var_os(IS_CHILD).is_some() {
        run(async {
            leaves_room_alone().await;
            ask::<Futures>().await;
            ask::<Tokio>().await;
            ask::<Hyper>().await;
        });
    }
}

#[test]
fn the_standard_streams_read_and_write() {
    limited(|| {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "--nocapture", "standard::child_of_the_standard_streams_test"]);
        child.env(IS_CHILD, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        for word in ["futures", " tokio ", "hyper! "] {
            let mut said = Vec::new();
            while !said.ends_with(b"<waits>") {
                let mut byte = [0];
                if output.read(&mut byte).unwrap() == 0 {
                    let errors = child.wait_with_output().unwrap().stderr;
                    panic!("it ended: {}", String::from_utf8_lossy(&errors));
                }
                said.extend(byte);
            }
            input.write_all(word.as_bytes()).unwrap();
        }
        let ended = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{errors}");
        assert_eq!(errors, "futures tokio hyper! ");
        drop((input, output));
    });
}
