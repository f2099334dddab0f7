//! A runtime in a host's loop, one on each core, and the layer below without a runtime.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use runtime::epoll::{
    BlockedSignals, Epoll, EventFd, Events, Flags, PidFd, PollFd, SignalFd, TimerFd, poll, select,
};
use runtime::net::UnixStream;
use runtime::signal::unix::SignalKind;
use runtime::time::sleep;
use runtime::{Builder, Runtime, spawn};

const MS: Duration = Duration::from_millis(1);

pub(crate) fn embedded(runtime: &Runtime) -> io::Result<()> {
    runtime.prepare()?;
    let (a, b) = UnixStream::pair()?;
    let task = runtime.spawn(async move {
        let mut two = [0; 2];
        a.read_exact(&mut two).await?;
        sleep(MS).await;
        super::blocking(|| ()).await?;
        a.write_all(&two).await?;
        io::Result::Ok(a)
    });
    let mut other = None;
    // A deadline of the host's, so that an error of a task's is not waited for.
    for _ in 0..10_000 {
        if task.is_finished() {
            break;
        }
        let mut fds = [PollFd::new(runtime, Flags::IN)];
        poll(&mut fds, Some(MS * 100))?;
        runtime.turn(Some(Duration::ZERO))?;
        if other.is_none() {
            runtime.run_until_stalled();
            let _entered = runtime.enter();
            other = Some(spawn(async {}));
            b.try_write(b"ab")?;
        }
    }
    assert!(task.is_finished(), "the host has turned for ten thousand times");
    runtime.block_on(async {
        let a = task.await.expect("no panic")?;
        let mut two = [0; 2];
        b.read_exact(&mut two).await?;
        assert_eq!(&two, b"ab");
        drop(a);
        assert_eq!(b.read(&mut two).await?, 0);
        Ok(())
    })
}

pub(crate) fn per_core(_: &Runtime) -> io::Result<()> {
    let ends = Builder::new().per_core(async |core| {
        let (a, b) = UnixStream::pair()?;
        b.write_all(b"x").await?;
        let mut byte = [0];
        assert_eq!(a.read(&mut byte).await?, 1);
        sleep(MS).await;
        io::Result::Ok(core.index())
    })?;
    for (index, end) in ends.into_iter().enumerate() {
        assert_eq!(end.expect("no panic")?, index);
    }
    Ok(())
}

pub(crate) fn bare(_: &Runtime) -> io::Result<()> {
    let epoll = Epoll::new()?;
    let event = EventFd::new()?;
    let timer = TimerFd::new()?;
    let (mut a, mut b) = StdUnixStream::pair()?;
    epoll.add(&event, Flags::IN, 1)?;
    epoll.add(&timer, Flags::IN, 2)?;
    epoll.add(&a, Flags::IN, 3)?;
    epoll.modify(&a, Flags::IN | Flags::RDHUP, 4)?;
    event.write(5)?;
    timer.arm_at(TimerFd::monotonic_now() + MS)?;
    b.write_all(b"x")?;
    let mut events = Events::with_capacity(8);
    let mut seen = 0;
    while seen != 7 {
        assert!(epoll.wait(&mut events, Some(MS * 10_000))? > 0, "it is all there");
        for token in events.iter().map(|event| event.token()) {
            match token {
                1 => assert_eq!(event.read()?, 5),
                2 => assert!(timer.read()? >= 1),
                _ => {
                    a.read_exact(&mut [0])?;
                    epoll.delete(&a)?;
                }
            }
            seen |= [0, 1, 2, 0, 4][token as usize];
        }
    }
    assert_eq!(epoll.wait(&mut events, Some(MS / 10))?, 0);
    timer.arm_every(MS, MS)?;
    timer.disarm()?;
    let mut fds = [PollFd::new(&a, Flags::IN), PollFd::new(&b, Flags::OUT)];
    assert_eq!(poll(&mut fds, Some(MS))?, 1);
    assert_eq!(poll(&mut fds[..1], Some(MS / 10))?, 0);
    let selected = select(&[a.as_fd()], &[b.as_fd()], &[], Some(MS))?;
    assert!(selected.is_writable(&b) && !selected.is_readable(&a));
    let us = PidFd::open(std::process::id())?;
    // One that is ignored if it is not blocked any more.
    let blocked = BlockedSignals::new([SignalKind::window_change()])?;
    let signals = SignalFd::new(&blocked)?;
    us.send_signal(SignalKind::window_change())?;
    let mut fds = [PollFd::new(&signals, Flags::IN)];
    assert_eq!(poll(&mut fds, Some(MS * 10_000))?, 1);
    assert_eq!(signals.read()?.kind(), SignalKind::window_change());
    drop(blocked);
    Ok(())
}
