//! Files by futures-io's and tokio's traits.

use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice, Read, SeekFrom};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use runtime::fs::File;
use runtime::{Builder, JoinHandle, spawn, spawn_blocking};

use crate::faces::{Futures, Reads, Tokio, Writes, once, read, read_all};
use crate::noise;
use crate::support::{limited, poll_once, run};

/// A file of a test's own, that goes with it.
struct Temporary(PathBuf);

impl Temporary {
    fn with(contents: &[u8]) -> Temporary {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("runtime-traits-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, contents).unwrap();
        Temporary(path)
    }

    async fn open(&self) -> File {
        File::options().read(true).write(true).open(&self.0).await.unwrap()
    }

    fn contents(&self) -> Vec<u8> {
        std::fs::read(&self.0).unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Holds up the only thread of the pool.
struct Hold(mpsc::Sender<()>, JoinHandle<()>);

impl Hold {
    fn new() -> Hold {
        let (release, held) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let job = spawn_blocking(move || {
            started.send(()).unwrap();
            let _ = held.recv();
        });
        has_started.recv().unwrap();
        Hold(release, job)
    }

    async fn release(self) {
        drop(self.0);
        self.1.await.unwrap();
    }
}

fn run_with_one_thread<F: Future>(future: F) -> F::Output {
    limited(|| Builder::new().max_blocking_threads(1).build().unwrap().block_on(future))
}

async fn write<F: Writes<File>>(file: &mut File, bytes: &[u8]) -> std::io::Result<usize> {
    poll_fn(|cx| F::poll_write(Pin::new(file), cx, bytes)).await
}

async fn flush<F: Writes<File>>(file: &mut File) -> std::io::Result<()> {
    poll_fn(|cx| F::poll_flush(Pin::new(file), cx)).await
}

/// Begins a read while the pool is held up.
async fn begin_read<F: Reads<File>>(file: &mut File, room: usize) {
    let begun = once(|cx| F::poll_read(Pin::new(file), cx, room)).await;
    assert!(begun.is_pending(), "{begun:?}");
}

/// Begins a read that nobody polls any more.
async fn give_up_read<F: Reads<File>>(file: &mut File, room: usize) {
    let hold = Hold::new();
    begin_read::<F>(file, room).await;
    hold.release().await;
}

async fn reads_to_the_end<F: Reads<File>>() {
    let temporary = Temporary::with(b"one two");
    let mut file = temporary.open().await;
    assert!(read::<F, _>(&mut file, 0).await.is_empty());
    assert_eq!(read::<F, _>(&mut file, 3).await, b"one");
    assert_eq!(read::<F, _>(&mut file, 64).await, b" two");
    assert!(read::<F, _>(&mut file, 64).await.is_empty());
    // The end is where the file ends now.
    std::fs::write(&temporary.0, b"one two three").unwrap();
    assert_eq!(read::<F, _>(&mut file, 64).await, b" three");
    assert!(read::<F, _>(&mut file, 64).await.is_empty());
}

#[test]
fn a_file_reads_to_its_end() {
    run(async {
        reads_to_the_end::<Futures>().await;
        reads_to_the_end::<Tokio>().await;
    });
}

async fn writes_in_the_background<F: Writes<File>>() {
    let temporary = Temporary::with(b"");
    let mut file = temporary.open().await;
    file.set_max_buf_size(4);
    let hold = Hold::new();
    // Taken in at once; the next has to wait for it.
    assert_eq!(write::<F>(&mut file, b"").await.unwrap(), 0);
    assert_eq!(write::<F>(&mut file, b"hello").await.unwrap(), 4);
    let next = once(|cx| F::poll_write(Pin::new(&mut file), cx, b"lost")).await;
    assert!(next.is_pending(), "{next:?}");
    assert!(once(|cx| F::poll_flush(Pin::new(&mut file), cx)).await.is_pending());
    assert!(temporary.contents().is_empty());
    hold.release().await;
    // What follows need not be what waited.
    assert_eq!(write::<F>(&mut file, b"o").await.unwrap(), 1);
    let bufs = [&b", "[..], b"", b"world"].map(IoSlice::new);
    let wrote = poll_fn(|cx| F::poll_write_vectored(Pin::new(&mut file), cx, &bufs)).await;
    assert_eq!(wrote.unwrap(), 4);
    flush::<F>(&mut file).await.unwrap();
    assert_eq!(temporary.contents(), b"hello, wo");
    poll_fn(|cx| F::poll_shutdown(Pin::new(&mut file), cx)).await.unwrap();
    // A shutdown closes nothing: there is nobody who would see it.
    assert_eq!(file.write(b"!").await.unwrap(), 1);
    assert_eq!(temporary.contents(), b"hello, wo!");
}

#[test]
fn a_write_is_taken_in_and_goes_on() {
    run_with_one_thread(async {
        writes_in_the_background::<Futures>().await;
        writes_in_the_background::<Tokio>().await;
    });
}

#[test]
fn the_error_of_a_write_comes_with_the_next_operation() {
    run(async {
        let full = || async { File::options().write(true).open("/dev/full").await.unwrap() };
        let mut file = full().await;
        assert_eq!(write::<Tokio>(&mut file, b"no room").await.unwrap(), 7);
        let error = flush::<Tokio>(&mut file).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        // It is told once.
        flush::<Tokio>(&mut file).await.unwrap();

        let mut file = full().await;
        assert_eq!(write::<Futures>(&mut file, b"no room").await.unwrap(), 7);
        let error = write::<Futures>(&mut file, b"none yet").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);

        // A method of the file hears of it too.
        assert_eq!(write::<Futures>(&mut file, b"no room").await.unwrap(), 7);
        assert_eq!(file.flush().await.unwrap_err().kind(), ErrorKind::StorageFull);
    });
}

#[test]
fn a_read_of_what_cannot_be_read_is_an_error() {
    run(async {
        let mut directory = File::open("/").await.unwrap();
        let read = poll_fn(|cx| Tokio::poll_read(Pin::new(&mut directory), cx, 8)).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::IsADirectory);
        let read = poll_fn(|cx| Futures::poll_read(Pin::new(&mut directory), cx, 8)).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::IsADirectory);
    });
}

#[test]
fn what_a_dropped_read_has_read_is_kept() {
    run_with_one_thread(async {
        let temporary = Temporary::with(b"one two");
        let mut file = temporary.open().await;
        give_up_read::<Tokio>(&mut file, 3).await;
        // The methods and the other trait give it, whatever their room.
        let mut buf = [0; 2];
        assert_eq!(file.read(&mut buf).await.unwrap(), 2);
        assert_eq!(&buf, b"on");
        assert_eq!(read::<Futures, _>(&mut file, 64).await, b"e");
        assert_eq!(read::<Futures, _>(&mut file, 64).await, b" two");

        // For all others the position is where it was.
        file.rewind().await.unwrap();
        give_up_read::<Futures>(&mut file, 3).await;
        assert_eq!(file.stream_position().await.unwrap(), 0);
        give_up_read::<Futures>(&mut file, 3).await;
        assert_eq!(write::<Futures>(&mut file, b"ONE").await.unwrap(), 3);
        assert_eq!(read_all::<Futures, _>(&mut file, 4).await, b" two");
        assert_eq!(temporary.contents(), b"ONE two");
    });
}

#[test]
fn a_read_by_a_method_between_two_polls_is_no_end() {
    run_with_one_thread(async {
        let temporary = Temporary::with(b"one two");
        let mut file = temporary.open().await;
        give_up_read::<Tokio>(&mut file, 3).await;
        let mut buf = [0; 3];
        assert_eq!(file.read(&mut buf).await.unwrap(), 3);
        // The poll's own read was that one; this is a new one.
        assert_eq!(read::<Tokio, _>(&mut file, 64).await, b" two");
    });
}

#[test]
fn a_poll_by_another_task_goes_on() {
    run_with_one_thread(async {
        let temporary = Temporary::with(b"one two");
        let mut file = temporary.open().await;
        let hold = Hold::new();
        begin_read::<Futures>(&mut file, 3).await;
        let other = spawn(async move { read::<Futures, _>(&mut file, 3).await });
        hold.release().await;
        assert_eq!(other.await.unwrap(), b"one");
    });
}

#[test]
fn methods_by_shared_reference_do_not_wait_for_polls() {
    run_with_one_thread(async {
        let temporary = Temporary::with(b"one two");
        let mut file = temporary.open().await;
        // Nobody fetches what this read gives.
        give_up_read::<Futures>(&mut file, 3).await;
        assert_eq!(file.metadata().await.unwrap().len(), 7);
        file.sync_all().await.unwrap();
        file.set_len(5).await.unwrap();
        assert_eq!(read::<Futures, _>(&mut file, 64).await, b"one t");
    });
}

#[test]
fn seeks_go_where_they_are_told() {
    use futures::AsyncSeekExt;
    use tokio::io::AsyncSeek;

    run(async {
        let temporary = Temporary::with(b"one two three");
        let mut file = temporary.open().await;
        let to = AsyncSeekExt::seek(&mut file, SeekFrom::Start(4)).await.unwrap();
        assert_eq!((to, read::<Futures, _>(&mut file, 3).await), (4, b"two".to_vec()));
        let to = AsyncSeekExt::seek(&mut file, SeekFrom::Current(-3)).await.unwrap();
        assert_eq!((to, read::<Tokio, _>(&mut file, 3).await), (4, b"two".to_vec()));
        let to = AsyncSeekExt::seek(&mut file, SeekFrom::End(-5)).await.unwrap();
        assert_eq!((to, read::<Tokio, _>(&mut file, 64).await), (8, b"three".to_vec()));
        let error = AsyncSeekExt::seek(&mut file, SeekFrom::Current(-99)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);

        use tokio::io::AsyncSeekExt as TokioSeekExt;
        let to = TokioSeekExt::seek(&mut file, SeekFrom::Start(4)).await.unwrap();
        assert_eq!((to, read::<Tokio, _>(&mut file, 3).await), (4, b"two".to_vec()));
        assert_eq!(TokioSeekExt::stream_position(&mut file).await.unwrap(), 7);
        let error = TokioSeekExt::seek(&mut file, SeekFrom::Current(-99)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(TokioSeekExt::seek(&mut file, SeekFrom::End(0)).await.unwrap(), 13);

        // Without a start there is nothing to complete.
        let complete = poll_fn(|cx| Pin::new(&mut file).poll_complete(cx)).await;
        assert_eq!(complete.unwrap(), 0);
    });
}

#[test]
fn a_seek_by_futures_trait_is_not_taken_for_another() {
    use futures::AsyncSeek;

    run_with_one_thread(async {
        let temporary = Temporary::with(b"one two three");
        let mut file = temporary.open().await;
        let hold = Hold::new();
        let given_up = once(|cx| Pin::new(&mut file).poll_seek(cx, SeekFrom::Start(8))).await;
        assert!(given_up.is_pending(), "{given_up:?}");
        hold.release().await;
        let to = poll_fn(|cx| Pin::new(&mut file).poll_seek(cx, SeekFrom::Start(4))).await;
        assert_eq!(to.unwrap(), 4);
        assert_eq!(read::<Futures, _>(&mut file, 3).await, b"two");
    });
}

#[test]
fn tokios_seek_does_not_start_while_something_goes_on() {
    use tokio::io::AsyncSeek;

    run_with_one_thread(async {
        let temporary = Temporary::with(b"one two three");
        let mut file = temporary.open().await;
        let hold = Hold::new();
        begin_read::<Tokio>(&mut file, 3).await;
        let error = Pin::new(&mut file).start_seek(SeekFrom::Start(4)).unwrap_err();
        assert!(error.to_string().contains("poll_complete"), "{error}");
        hold.release().await;
        poll_fn(|cx| Pin::new(&mut file).poll_complete(cx)).await.unwrap();
        Pin::new(&mut file).start_seek(SeekFrom::Start(4)).unwrap();
        let to = poll_fn(|cx| Pin::new(&mut file).poll_complete(cx)).await.unwrap();
        assert_eq!((to, read::<Tokio, _>(&mut file, 3).await), (4, b"two".to_vec()));
    });
}

#[test]
fn into_std_waits_for_what_was_begun() {
    run_with_one_thread(async {
        let temporary = Temporary::with(b"");
        let mut file = temporary.open().await;
        let hold = Hold::new();
        assert_eq!(write::<Tokio>(&mut file, b"hello").await.unwrap(), 5);
        let file = file.try_into_std().unwrap_err();
        {
            let mut into_std = pin!(file.into_std());
            assert!(poll_once(into_std.as_mut()).is_pending());
            hold.release().await;
            drop(into_std.await);
        }
        assert_eq!(temporary.contents(), b"hello");

        // The position is where it is for the caller.
        let mut file = temporary.open().await;
        give_up_read::<Futures>(&mut file, 3).await;
        let mut rest = String::new();
        file.into_std().await.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "hello");
    });
}

#[test]
fn what_a_dropped_file_was_given_is_written() {
    run_with_one_thread(async {
        let temporary = Temporary::with(b"");
        let mut file = temporary.open().await;
        let hold = Hold::new();
        assert_eq!(write::<Futures>(&mut file, b"hello").await.unwrap(), 5);
        drop(file);
        hold.release().await;
        spawn_blocking(|| {}).await.unwrap(); // the one thread has come past it
        assert_eq!(temporary.contents(), b"hello");
    });
}

#[test]
fn a_job_that_never_began_is_an_error_of_the_next_operation() {
    let temporary = Temporary::with(b"");
    let (mut file, hold) = run_with_one_thread(async {
        let mut file = temporary.open().await;
        let hold = Hold::new();
        assert_eq!(write::<Tokio>(&mut file, b"hello").await.unwrap(), 5);
        (file, hold)
    });
    run(async {
        let error = flush::<Tokio>(&mut file).await.unwrap_err();
        assert!(error.to_string().contains("not begun"), "{error}");
        // And now it goes on here.
        assert_eq!(write::<Tokio>(&mut file, b"again").await.unwrap(), 5);
        flush::<Tokio>(&mut file).await.unwrap();
    });
    drop(hold);
    assert_eq!(temporary.contents(), b"again");
}

#[test]
fn crates_copies_of_files_are_exact() {
    let sent = noise(5 << 20);
    let (from, to) = (Temporary::with(&sent), Temporary::with(b""));
    run(async {
        let (mut a, mut b) = (from.open().await, to.open().await);
        assert_eq!(tokio::io::copy(&mut a, &mut b).await.unwrap(), sent.len() as u64);
        assert!(to.contents() == sent);
        a.rewind().await.unwrap();
        b.set_len(0).await.unwrap();
        b.rewind().await.unwrap();
        let reader = futures::io::BufReader::with_capacity(100_000, a);
        assert_eq!(futures::io::copy_buf(reader, &mut b).await.unwrap(), sent.len() as u64);
        assert!(to.contents() == sent);
    });
}

#[test]
fn lines_of_a_file_by_both_crates() {
    use futures::StreamExt;

    let temporary = Temporary::with(b"one\ntwo\n\nthree");
    run(async {
        let reader = futures::io::BufReader::new(temporary.open().await);
        let lines = futures::io::AsyncBufReadExt::lines(reader).map(Result::unwrap);
        assert_eq!(lines.collect::<Vec<_>>().await, ["one", "two", "", "three"]);
        let reader = tokio::io::BufReader::new(temporary.open().await);
        let mut lines = tokio::io::AsyncBufReadExt::lines(reader);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            all.push(line);
        }
        assert_eq!(all, ["one", "two", "", "three"]);
    });
}
