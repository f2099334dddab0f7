//! Files: what the functions do, and what is left when their futures are dropped.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use runtime::fs::{self, DirBuilder, File, FileTimes, OpenOptions};
use runtime::net::unix::pipe;
use runtime::{Builder, Handle, JoinHandle, spawn_blocking};

use crate::blocking::held_up;
use crate::support::{limited, run};

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("runtime-fs-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with contents.
    fn with(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), contents).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Polls a future once, which has to wait.
async fn begin<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

/// Runs a future on a runtime whose pool has one thread.
fn run_with_one_thread<F: Future>(future: F) -> F::Output {
    limited(|| Builder::new().max_blocking_threads(1).build().unwrap().block_on(future))
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

    /// Lets it do what was handed to it until now, and waits for that.
    async fn release(self) {
        let last = spawn_blocking(|| ());
        drop(self.0);
        self.1.await.unwrap();
        last.await.unwrap();
    }
}

/// Has an operation done by the pool, but drops its future before it knows.
async fn abandon(operation: impl Future) {
    let hold = Hold::new();
    let mut operation = pin!(operation);
    begin(operation.as_mut()).await;
    hold.release().await;
}

/// Drops an operation's future while it waits for a thread, and lets the pool go on.
async fn cancel(operation: impl Future) {
    let hold = Hold::new();
    {
        let mut operation = pin!(operation);
        begin(operation.as_mut()).await;
    }
    hold.release().await;
}

async fn open_both(path: &Path) -> File {
    File::options().read(true).write(true).open(path).await.unwrap()
}

#[test]
fn the_everyday_functions_do_what_the_standard_librarys_do() {
    let folder = Folder::new();
    run(async {
        let (a, b, c) = (folder.path("a"), folder.path("b"), folder.path("c"));
        fs::write(&a, "text").await.unwrap();
        assert_eq!(fs::read(&a).await.unwrap(), b"text");
        assert_eq!(fs::read_to_string(&a).await.unwrap(), "text");
        assert_eq!(fs::copy(&a, &b).await.unwrap(), 4);
        fs::rename(&b, &c).await.unwrap();
        assert!(!fs::try_exists(&b).await.unwrap());
        assert!(fs::try_exists(&c).await.unwrap());

        fs::hard_link(&a, &b).await.unwrap();
        fs::write(&b, "the same file").await.unwrap();
        assert_eq!(fs::metadata(&a).await.unwrap().len(), 13);
        fs::remove_file(&b).await.unwrap();
        fs::symlink(&a, &b).await.unwrap();
        assert_eq!(fs::read_link(&b).await.unwrap(), a);
        assert!(fs::symlink_metadata(&b).await.unwrap().is_symlink());
        assert!(fs::metadata(&b).await.unwrap().is_file());
        let canonical = std::fs::canonicalize(&a).unwrap();
        assert_eq!(fs::canonicalize(&b).await.unwrap(), canonical);

        let mut permissions = fs::metadata(&a).await.unwrap().permissions();
        permissions.set_mode(0o600);
        fs::set_permissions(&a, permissions).await.unwrap();
        assert_eq!(fs::metadata(&a).await.unwrap().permissions().mode() & 0o777, 0o600);

        let deep = folder.path("d/e/f");
        fs::create_dir_all(&deep).await.unwrap();
        fs::create_dir_all(&deep).await.unwrap();
        fs::remove_dir(&deep).await.unwrap();
        fs::create_dir(&deep).await.unwrap();
        fs::remove_dir_all(folder.path("d")).await.unwrap();
        assert!(!fs::try_exists(folder.path("d")).await.unwrap());
        let private = folder.path("g/h");
        DirBuilder::new().recursive(true).mode(0o700).create(&private).await.unwrap();
        assert_eq!(fs::metadata(&private).await.unwrap().permissions().mode() & 0o777, 0o700);
    });
}

#[test]
fn an_error_says_what_was_done_with_what_and_keeps_the_systems() {
    run(async {
        let error = File::open("/nowhere/to/be").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with("opening /nowhere/to/be: "), "{error}");
        let source = std::error::Error::source(&error).unwrap();
        let source = source.downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.raw_os_error(), Some(libc::ENOENT));

        let error = fs::rename("/nowhere/a", "/nowhere/b").await.unwrap_err();
        assert!(error.to_string().starts_with("renaming /nowhere/a to /nowhere/b: "), "{error}");
        let error = fs::read_dir("/nowhere").await.unwrap_err();
        assert!(error.to_string().starts_with("listing /nowhere: "), "{error}");
        // A file's own errors are the system's.
        let mut file = File::open("/").await.unwrap();
        assert_eq!(file.read(&mut [0]).await.unwrap_err().raw_os_error(), Some(libc::EISDIR));
    });
}

#[test]
fn a_folder_is_listed_whole() {
    let folder = Folder::new();
    for name in 0..300 {
        folder.with(&name.to_string(), "x");
    }
    std::fs::create_dir(folder.path("folder")).unwrap();
    run(async {
        let mut names = Vec::new();
        let mut entries = fs::read_dir(&folder.0).await.unwrap();
        while let Some(entry) = entries.next_entry().await.unwrap() {
            let metadata = entry.metadata().await.unwrap();
            let is_folder = entry.file_name() == "folder";
            assert_eq!(metadata.is_dir(), is_folder);
            assert_eq!(entry.file_type().await.unwrap(), metadata.file_type());
            assert_eq!(std::os::unix::fs::MetadataExt::ino(&metadata), entry.ino());
            assert_eq!(entry.path(), folder.0.join(entry.file_name()));
            names.push(entry.file_name());
        }
        assert!(entries.next_entry().await.unwrap().is_none());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 301);
    });
}

#[test]
fn a_dropped_listing_goes_on_where_it_was() {
    let folder = Folder::new();
    for name in 0..300 {
        folder.with(&name.to_string(), "");
    }
    run_with_one_thread(async {
        let mut entries = fs::read_dir(&folder.0).await.unwrap();
        let mut count = 0;
        // Until it needs the pool again.
        let hold = Hold::new();
        loop {
            let next = poll_fn(|cx| Poll::Ready(entries.poll_next_entry(cx))).await;
            match next {
                Poll::Ready(entry) => count += entry.unwrap().is_some() as usize,
                Poll::Pending => break,
            }
        }
        assert!(count < 300);
        hold.release().await;
        while entries.next_entry().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 300);
    });
}

#[test]
fn a_file_is_read_written_and_moved_in() {
    let folder = Folder::new();
    run(async {
        let path = folder.path("file");
        let mut file = File::create_new(&path).await.unwrap();
        assert_eq!(File::create_new(&path).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        file.write_all(b"one two three").await.unwrap();
        assert_eq!(file.stream_position().await.unwrap(), 13);
        assert_eq!(file.seek(SeekFrom::Start(4)).await.unwrap(), 4);
        let mut word = [0; 3];
        assert_eq!(file.read_exact(&mut word).await.unwrap(), 3);
        assert_eq!(&word, b"two");
        assert_eq!(file.seek(SeekFrom::Current(-3)).await.unwrap(), 4);
        assert_eq!(file.write(b"TWO").await.unwrap(), 3);
        let mut rest = b"rest:".to_vec();
        assert_eq!(file.read_to_end(&mut rest).await.unwrap(), 6);
        assert_eq!(rest, b"rest: three");
        assert_eq!(file.read(&mut word).await.unwrap(), 0);
        assert_eq!(file.read(&mut []).await.unwrap(), 0);
        file.rewind().await.unwrap();
        let mut text = String::new();
        assert_eq!(file.read_to_string(&mut text).await.unwrap(), 13);
        assert_eq!(text, "one TWO three");

        let error = file.read_exact(&mut word).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "reading 3 bytes: the file ended after 0");
        assert!(file.seek(SeekFrom::Current(-100)).await.is_err());

        file.set_len(5).await.unwrap();
        file.sync_all().await.unwrap();
        file.sync_data().await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 5);
        assert_eq!(file.write_at(b"ONE", 0).await.unwrap(), 3);
        let mut at = [0; 10];
        assert_eq!(file.read_at(&mut at, 1).await.unwrap(), 4);
        assert_eq!(&at[..4], b"NE T");

        // A clone shares the position.
        let mut clone = file.try_clone().await.unwrap();
        clone.rewind().await.unwrap();
        file.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ONE");
        assert_eq!(clone.stream_position().await.unwrap(), 3);

        let mut permissions = file.metadata().await.unwrap().permissions();
        permissions.set_mode(0o640);
        file.set_permissions(permissions).await.unwrap();
        assert_eq!(fs::metadata(&path).await.unwrap().permissions().mode() & 0o777, 0o640);

        let (read, changed) = (UNIX_EPOCH + Duration::from_secs(1), UNIX_EPOCH);
        file.set_times(FileTimes::new().set_accessed(read)).await.unwrap();
        file.set_modified(changed).await.unwrap();
        let metadata = file.metadata().await.unwrap();
        assert_eq!((metadata.accessed().unwrap(), metadata.modified().unwrap()), (read, changed));

        assert_eq!(file.into_std().await.stream_position().unwrap(), 3);
        assert!(clone.try_into_std().is_ok());
    });
}

#[test]
fn what_is_not_text_is_not_appended() {
    let folder = Folder::new();
    let path = folder.with("file", [b'a', 0xff]);
    run(async {
        let mut text = "before".to_string();
        let mut file = File::open(&path).await.unwrap();
        let error = file.read_to_string(&mut text).await.unwrap_err();
        assert_eq!((error.kind(), text.as_str()), (ErrorKind::InvalidData, "before"));
        assert_eq!(fs::read_to_string(&path).await.unwrap_err().kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn options_are_those_asked_for() {
    let folder = Folder::new();
    let path = folder.path("file");
    run(async {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        options.open(&path).await.unwrap().write_all(b"one").await.unwrap();
        options.open(&path).await.unwrap().write_all(b"two").await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"onetwo");
        assert_eq!(fs::metadata(&path).await.unwrap().permissions().mode() & 0o777, 0o600);
        options.append(false).write(true).truncate(true).open(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).await.unwrap().len(), 0);
        fs::symlink(&path, folder.path("link")).await.unwrap();
        options.custom_flags(libc::O_NOFOLLOW);
        assert!(options.open(folder.path("link")).await.is_err());
        let reading = std::fs::OpenOptions::new().read(true).clone();
        assert!(OpenOptions::from(reading).open(&path).await.is_ok());
    });
}

#[test]
fn a_file_is_sent_without_reading_it() {
    let folder = Folder::new();
    let path = folder.with("file", "0123456789");
    run(async {
        let (a, b) = runtime::net::UnixStream::pair().unwrap();
        let file = File::open(&path).await.unwrap();
        assert_eq!(runtime::io::send_file(&file, &mut 3, 5, &a).await.unwrap(), 5);
        let mut read = [0; 5];
        b.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"34567");
    });
}

#[test]
fn what_is_larger_than_a_job_goes_in_several() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n / 7) as u8).collect();
    run(async {
        let mut file = File::create_new(folder.path("file")).await.unwrap();
        assert_eq!(file.write(&bytes).await.unwrap(), file.max_buf_size());
        file.rewind().await.unwrap();
        file.write_all(&bytes).await.unwrap();
        file.rewind().await.unwrap();
        let mut read = Vec::new();
        assert_eq!(file.read_to_end(&mut read).await.unwrap(), bytes.len());
        assert!(read == bytes);

        file.set_max_buf_size(3);
        file.rewind().await.unwrap();
        assert_eq!(file.read(&mut [0; 9]).await.unwrap(), 3);
        assert_eq!(file.read_at(&mut [0; 9], 7).await.unwrap(), 3);
        assert_eq!(file.write(&[0; 9]).await.unwrap(), 3);
        assert_eq!(file.write_at(&[0; 9], 7).await.unwrap(), 3);
        assert_eq!(file.read_exact(&mut [0; 9]).await.unwrap(), 9);
        assert_eq!(file.try_clone().await.unwrap().max_buf_size(), 3);
        file.set_len(7).await.unwrap();
        file.rewind().await.unwrap();
        assert_eq!(file.read_to_end(&mut Vec::new()).await.unwrap(), 7);
    });
}

#[test]
fn a_write_that_has_returned_is_with_the_system() {
    let folder = Folder::new();
    let path = folder.path("file");
    run(async {
        let mut file = File::create(&path).await.unwrap();
        file.write_all(b"not flushed").await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"not flushed");
        let mut full = File::options().write(true).open("/dev/full").await.unwrap();
        assert_eq!(full.write(b"x").await.unwrap_err().kind(), ErrorKind::StorageFull);
        full.flush().await.unwrap();
    });
}

#[test]
fn dropped_before_a_thread_came_to_it_nothing_is_done() {
    let folder = Folder::new();
    let path = folder.with("file", "old");
    run_with_one_thread(async {
        cancel(fs::write(&path, "new")).await;
        cancel(fs::remove_file(&path)).await;
        cancel(fs::rename(&path, folder.path("other"))).await;
        cancel(fs::create_dir(folder.path("folder"))).await;
        assert!(!fs::try_exists(folder.path("folder")).await.unwrap());
        let mut file = open_both(&path).await;
        cancel(file.write(b"new")).await;
        cancel(file.set_len(0)).await;
        cancel(file.seek(SeekFrom::End(0))).await;
        assert_eq!(file.stream_position().await.unwrap(), 0);
        assert_eq!(fs::read(&path).await.unwrap(), b"old");
    });
}

#[test]
fn what_a_dropped_read_has_read_the_next_ones_give() {
    let folder = Folder::new();
    let path = folder.with("file", "one two three");
    run_with_one_thread(async {
        let mut file = File::open(&path).await.unwrap();
        abandon(file.read(&mut [0; 7])).await;
        let mut byte = [0; 1];
        file.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"o");
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"ne two three");

        // The same where there is no position.
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut file = File::from(OwnedFd::from(ours));
        theirs.write_all(b"from them").unwrap();
        abandon(file.read(&mut [0; 9])).await;
        file.write_all(b"from us").await.unwrap();
        let mut read = [0; 9];
        file.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"from them");
        theirs.read_exact(&mut read[..7]).unwrap();
        assert_eq!(&read[..7], b"from us");
    });
}

#[test]
fn to_all_but_the_next_read_the_position_is_where_it_was() {
    let folder = Folder::new();
    let path = folder.with("file", "one two three");
    run_with_one_thread(async {
        let mut file = open_both(&path).await;
        abandon(file.read(&mut [0; 7])).await;
        assert_eq!(file.seek(SeekFrom::Current(1)).await.unwrap(), 1);
        abandon(file.read(&mut [0; 7])).await;
        file.write_all(b"NE").await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"oNE two three");
        abandon(file.read(&mut [0; 7])).await;
        assert_eq!(file.stream_position().await.unwrap(), 3);

        // What was read is not given if it has changed since.
        abandon(file.read(&mut [0; 7])).await;
        file.write_at(b"-", 3).await.unwrap();
        let mut read = [0; 4];
        file.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"-two");
        abandon(file.read(&mut [0; 6])).await;
        file.set_len(9).await.unwrap();
        assert_eq!(file.read(&mut read).await.unwrap(), 2);

        file.rewind().await.unwrap();
        abandon(file.read(&mut [0; 7])).await;
        let clone = file.try_clone().await.unwrap();
        assert_eq!(clone.into_std().await.stream_position().unwrap(), 0);
        abandon(file.read(&mut [0; 7])).await;
        assert_eq!(file.into_std().await.stream_position().unwrap(), 0);
    });
}

#[test]
fn a_dropped_write_goes_on_and_nothing_overtakes_it() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let mut file = File::from(sender.into_blocking_fd().unwrap());
        let mut reader = std::fs::File::from(receiver.into_blocking_fd().unwrap());
        let many = vec![b'a'; 1_000_000];
        {
            let mut write = pin!(file.write(&many));
            begin(write.as_mut()).await;
            // It has begun.
            reader.read_exact(&mut [0]).unwrap();
        }
        begin(pin!(file.write(b"never"))).await;
        begin(pin!(file.metadata())).await;
        begin(pin!(file.flush())).await;
        let mut file = file.try_into_std().unwrap_err();

        let reader = thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).map(|_| read)
        });
        file.write_all(b"b").await.unwrap();
        drop(file);
        let read = reader.join().unwrap().unwrap();
        assert_eq!(read.len(), 1_000_000);
        assert!(read.ends_with(b"aab"));
    });
}

#[test]
fn all_who_wait_for_a_dropped_write_are_woken() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let mut file = File::from(sender.into_blocking_fd().unwrap());
        let mut reader = std::fs::File::from(receiver.into_blocking_fd().unwrap());
        {
            let mut write = pin!(file.write(&[0; 1_000_000]));
            begin(write.as_mut()).await;
            reader.read_exact(&mut [0]).unwrap();
        }
        let file = std::rc::Rc::new(file);
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let file = file.clone();
                runtime::spawn(async move { file.metadata().await.map(drop) })
            })
            .collect();
        runtime::task::yield_now().await;
        let drains = thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        drop(file);
        drains.join().unwrap().unwrap();
    });
}

#[test]
fn the_error_of_a_dropped_write_is_the_next_operations() {
    let folder = Folder::new();
    let path = folder.with("file", "");
    run_with_one_thread(async {
        let mut full = File::options().write(true).open("/dev/full").await.unwrap();
        abandon(full.write(b"x")).await;
        assert_eq!(full.flush().await.unwrap_err().kind(), ErrorKind::StorageFull);
        full.flush().await.unwrap();
        abandon(full.write_at(b"x", 0)).await;
        assert_eq!(full.metadata().await.unwrap_err().kind(), ErrorKind::StorageFull);

        let mut file = open_both(&path).await;
        abandon(file.seek(SeekFrom::Current(-1))).await;
        let left = file.write(b"never").await.unwrap_err();
        assert_eq!(left.kind(), ErrorKind::InvalidInput);
        file.write_all(b"once").await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"once");
    });
}

#[test]
fn a_future_that_lies_about_holds_up_nobody() {
    let folder = Folder::new();
    let path = folder.with("file", "text");
    run_with_one_thread(async {
        let file = open_both(&path).await;
        let hold = Hold::new();
        let mut set_len = pin!(file.set_len(2));
        let mut sync = pin!(file.sync_all());
        begin(set_len.as_mut()).await;
        begin(sync.as_mut()).await;
        hold.release().await;
        assert_eq!(file.metadata().await.unwrap().len(), 2);
        set_len.await.unwrap();
        sync.await.unwrap();
    });
}

#[test]
fn a_file_is_given_away_when_nobody_uses_it_any_more() {
    let folder = Folder::new();
    let path = folder.with("file", "text");
    run_with_one_thread(async {
        // By an operation that has the position, and by one that has not.
        for shared in [false, true] {
            let mut file = open_both(&path).await;
            let hold = Hold::new();
            if shared {
                begin(pin!(file.metadata())).await;
            } else {
                begin(pin!(file.write(b"never"))).await;
            }
            let file = file.try_into_std().unwrap_err();
            let mut into_std = pin!(file.into_std());
            begin(into_std.as_mut()).await;
            hold.release().await;
            assert_eq!(into_std.await.metadata().unwrap().len(), 4);
        }
    });
}

#[test]
fn a_runtime_that_goes_is_an_error_for_who_waits() {
    let folder = Folder::new();
    let path = folder.with("file", "text");
    for name in 0..300 {
        folder.with(&name.to_string(), "");
    }
    limited(|| {
        let mut entries = runtime::block_on(fs::read_dir(&folder.0)).unwrap();
        let (runtime, go_on, _first) = held_up();
        let mut file = File::from_std(std::fs::File::open(&path).unwrap());
        let mut byte = [0];
        {
            let mut read = pin!(fs::read(&path));
            let mut of_file = pin!(file.read(&mut byte));
            let mut listing = pin!(async {
                while entries.next_entry().await?.is_some() {}
                io::Result::Ok(())
            });
            runtime.block_on(async {
                begin(read.as_mut()).await;
                begin(of_file.as_mut()).await;
                begin(listing.as_mut()).await;
            });
            drop(runtime);
            let error = futures::executor::block_on(read).unwrap_err().to_string();
            assert!(error.contains("/file: not begun, as the runtime was dropped"), "{error}");
            let error = futures::executor::block_on(of_file).unwrap_err().to_string();
            assert!(error.starts_with("not begun, as the runtime was dropped"), "{error}");
            let error = futures::executor::block_on(listing).unwrap_err().to_string();
            assert!(error.starts_with("listing "), "{error}");
        }
        drop(go_on);
        // The file itself can go on elsewhere; the place in the folder is lost.
        run(async {
            file.read_exact(&mut byte).await.unwrap();
            assert!(entries.next_entry().await.unwrap().is_none());
        });
        assert_eq!(&byte, b"t");
    });
}

#[test]
fn with_no_runtime_it_panics_with_the_remedy() {
    let panic = catch_unwind(|| drop(futures::executor::block_on(fs::read("/etc/passwd"))));
    let said = *panic.unwrap_err().downcast::<&str>().unwrap();
    assert!(said.contains("runtime::fs was polled with no runtime on this thread"), "{said}");
    assert!(said.contains("inside block_on"), "{said}");
    // Before it is polled nothing is asked of the thread.
    assert!(catch_unwind(AssertUnwindSafe(|| drop(fs::read("/etc/passwd")))).is_ok());
}

#[test]
fn a_file_and_its_futures_work_on_any_thread() {
    fn goes_anywhere<T: Send + Sync + Unpin>(_: &T) {}
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    let folder = Folder::new();
    let path = folder.with("file", "text");
    run(async {
        let mut file = is_send(File::open(&path)).await.unwrap();
        goes_anywhere(&file);
        goes_anywhere(&OpenOptions::new());
        let mut entries = is_send(fs::read_dir("/")).await.unwrap();
        goes_anywhere(&entries);
        goes_anywhere(&is_send(entries.next_entry()).await.unwrap().unwrap());
        is_send(fs::metadata(&path)).await.unwrap();
        let handle = Handle::current();
        let read = thread::spawn(move || {
            handle.block_on(is_send(async {
                let mut text = String::new();
                is_send(file.read_to_string(&mut text)).await.map(|_| text)
            }))
        });
        let text = spawn_blocking(|| read.join().unwrap()).await.unwrap();
        assert_eq!(text.unwrap(), "text");
    });
}
