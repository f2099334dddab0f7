//! What the facade has between threads: sets of tasks, and files, whose jobs outlive their futures.

use std::fs::File as StdFile;
use std::io::{Read, Seek};
use std::pin::pin;

use super::{join, poll_once, runtime};
use crate::fs::File;
use crate::join_set::JoinSet;
use crate::run::Story;
use crate::sync::thread;
use crate::task::yield_now;

pub(crate) const STORIES: &[Story] = &[
    Story { name: "facade::a_set_of_closures", orders: 1000, loom: false, tell: a_set_of_closures },
    Story {
        name: "facade::a_set_on_another_thread",
        orders: 500,
        loom: true,
        tell: a_set_elsewhere,
    },
    Story {
        name: "facade::writes_whose_futures_go",
        orders: 500,
        loom: true,
        tell: writes_whose_futures_go,
    },
];

/// Closures on two threads of the pool end at once: each is given out.
fn a_set_of_closures() {
    runtime().block_on(async {
        let mut set = JoinSet::new();
        for i in 0..3 {
            set.spawn_blocking(move || i);
        }
        let mut outputs = Vec::new();
        while let Some(output) = set.join_next().await {
            outputs.push(output.unwrap());
        }
        outputs.sort_unstable();
        assert_eq!(outputs, [0, 1, 2]);
    });
}

/// A set is waited for on another thread than its tasks'.
fn a_set_elsewhere() {
    let runtime = runtime();
    let done = super::Flag::new();
    let mut set = runtime.block_on(async {
        let mut set = JoinSet::new();
        for i in 0..2 {
            set.spawn(async move {
                yield_now().await;
                i
            });
        }
        set
    });
    let thread = thread::spawn({
        let (handle, done) = (runtime.handle().clone(), done.clone());
        move || {
            let mut sum = 0;
            handle.block_on(async {
                while let Some(output) = set.join_next().await {
                    sum += output.unwrap();
                }
            });
            done.set();
            sum
        }
    });
    runtime.block_on(done.wait());
    assert_eq!(thread.join().unwrap(), 1);
}

/// Futures of writes are dropped with their jobs queued, running or done: what was begun is waited for, and
/// nothing overtakes it.
fn writes_whose_futures_go() {
    let mut kept = tempfile();
    let std_file = kept.try_clone().unwrap();
    runtime().block_on(async {
        let mut file = File::from_std(std_file);
        for byte in [b'a', b'b', b'c'] {
            let _ = poll_once(pin!(file.write(&[byte]))).await;
        }
        file.write_all(b"d").await.unwrap();
        file.flush().await.unwrap();
    });
    let mut text = String::new();
    kept.rewind().unwrap();
    kept.read_to_string(&mut text).unwrap();
    assert!(text.ends_with('d') && text.as_bytes().is_sorted(), "{text}");
}

/// A file without a name.
fn tempfile() -> StdFile {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = StdFile::options();
    options.read(true).write(true).custom_flags(libc::O_TMPFILE);
    options.open(std::env::temp_dir()).unwrap()
}
