//! HTTP/2 as RFC 9113 wants it, rule by rule: hyper on this runtime does what it does on tokio, and what the RFC says.
//!
//! [`cases`] sends frames, right and wrong ones; [`peer`] reads what comes back of it.

mod cases;
mod peer;
mod servers;

use crate::cases::{CASES, Case};
use crate::peer::{Peer, Verdict};

fn verdict(server: std::net::SocketAddr, case: &Case) -> Verdict {
    let mut peer = Peer::connect(server);
    if case.after_handshake {
        peer.shake_hands();
    }
    (case.send)(&mut peer);
    peer.verdict()
}

#[test]
fn as_the_rfc_says_and_as_on_tokio() {
    let (ours, tokio) = (servers::ours(), servers::tokio());
    let mut wrong = Vec::new();
    for case in CASES {
        let (here, there) = (verdict(ours, case), verdict(tokio, case));
        let Case { section, rule, expected, but, .. } = case;
        if here != there {
            wrong.push(format!("{section} {rule}: here {here:?}, on tokio {there:?}"));
        }
        let met = match but {
            // What hyper is known to do otherwise is to be forgotten once it does not any more.
            Some(instead) => instead.is_met_by(&here) && !expected.is_met_by(&here),
            None => expected.is_met_by(&here),
        };
        if !met {
            wrong.push(format!("{section} {rule}: {here:?}, expected {expected:?}, but {but:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}
