//! Signals to this process, with listeners that come and go, here and on the other runtime.
#![allow(unsafe_code)]

use std::io;
use std::task::Poll;

use futures::future::poll_fn;
use runtime::signal::unix::{Signal, SignalKind, signal};

use super::plant::Plant;
use super::share::Share;

const TIMES: usize = 20;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    if Plant::Handler.is_in() {
        std::mem::forget(signal(SignalKind::user_defined2())?);
    }
    let kinds = [SignalKind::user_defined1(), SignalKind::hangup(), SignalKind::window_change()];
    for _ in 0..TIMES {
        let kind = kinds[share.random.below(kinds.len())];
        let mut here = Vec::new();
        for _ in 0..=share.random.below(3) {
            here.push(signal(kind)?);
        }
        let (ready, is_ready) = futures::channel::oneshot::channel();
        let there = share.world.partner.spawn(async move {
            let mut listener = signal(kind)?;
            ready.send(()).expect("somebody waits for it");
            io::Result::Ok(listener.recv().await)
        });
        is_ready.await.expect("the listener");
        kill(kind);
        for listener in &mut here {
            assert_eq!(listener.recv().await, Some(()));
            assert!(hears_nothing(listener).await, "a signal that nobody sent");
        }
        assert_eq!(there.await??, Some(()));
        share.done();
    }
    Ok(())
}

async fn hears_nothing(listener: &mut Signal) -> bool {
    poll_fn(|cx| Poll::Ready(listener.poll_recv(cx).is_pending())).await
}

/// Sends it to this process.
fn kill(kind: SignalKind) {
    // SAFETY: the call takes numbers, and the signal has a handler.
    let sent = unsafe { libc::kill(libc::getpid(), kind.as_raw_value()) };
    assert_eq!(sent, 0, "{}", io::Error::last_os_error());
}
