//! First signs of life.
use std::rc::Rc;
use std::time::Duration;

#[test]
fn spawn_join_sleep() {
    let out = runtime::block_on(async {
        let rc = Rc::new(5);
        let h = runtime::spawn(async move { *rc + 1 });
        for _ in 0..10 {
            runtime::task::yield_now().await;
        }
        let t = runtime::time::Instant::now();
        runtime::time::sleep(Duration::from_millis(20)).await;
        assert!(t.elapsed() >= Duration::from_millis(20));
        eprintln!("late {:?}", t.elapsed());
        h.await.unwrap()
    });
    assert_eq!(out, 6);
}

#[test]
fn panics_and_aborts() {
    runtime::block_on(async {
        let h = runtime::spawn(async { panic!("boo") });
        let e = h.await.unwrap_err();
        assert!(e.is_panic());
        assert!(e.to_string().contains("boo"));
        let h = runtime::spawn(std::future::pending::<()>());
        assert!(h.cancel().await.unwrap_err().is_cancelled());
    });
}

#[test]
fn blocking_and_foreign() {
    runtime::block_on(async {
        assert_eq!(runtime::spawn_blocking(|| 7).await.unwrap(), 7);
        let handle = runtime::Handle::current();
        let j = std::thread::spawn(move || {
            handle.spawn(async {
                runtime::task::yield_now().await;
                9
            })
        });
        let j = runtime::spawn_blocking(move || j.join().unwrap()).await.unwrap();
        assert_eq!(j.await.unwrap(), 9);
    });
}

#[test]
fn io_pair() {
    use std::io::{Read, Write};
    runtime::block_on(async {
        let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        b.set_nonblocking(true).unwrap();
        let a = runtime::io::Source::new(a);
        let b = runtime::io::Source::new(b);
        let t = runtime::spawn(async move {
            let mut buf = [0; 10];
            for _ in 0..100 {
                let n = a.read_with(|mut s| s.read(&mut buf)).await.unwrap();
                a.write_with(|mut s| s.write(&buf[..n])).await.unwrap();
            }
        });
        let mut buf = [0; 10];
        for _ in 0..100 {
            b.write_with(|mut s| s.write(b"hello")).await.unwrap();
            let n = b.read_with(|mut s| s.read(&mut buf)).await.unwrap();
            assert_eq!(n, 5);
        }
        t.await.unwrap();
    });
}

#[test]
fn paused() {
    runtime::block_on(async {
        runtime::time::pause();
        let t = runtime::time::Instant::now();
        runtime::time::sleep(Duration::from_secs(1000)).await;
        assert_eq!(t.elapsed(), Duration::from_secs(1000));
    });
}
