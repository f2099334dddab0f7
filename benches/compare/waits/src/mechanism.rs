//! The loop that every system call goes through, and the same loop without one.

use std::io;

use program::Meter;

use crate::descriptors::{Descriptors, Turns};

/// A way to wait for one of many descriptors.
pub(crate) trait Mechanism {
    /// Waits until one is readable, and says which.
    fn wait(&mut self) -> io::Result<usize>;
}

pub(crate) fn measure(
    mut mechanism: impl Mechanism,
    fds: &Descriptors,
    turns: &Turns,
) -> io::Result<()> {
    let mut events = |order: &[usize]| {
        for &active in order {
            fds.signal(active)?;
            let found = mechanism.wait()?;
            assert_eq!(found, active, "the wait found another descriptor than the one written to");
            fds.take(found)?;
        }
        io::Result::Ok(())
    };
    events(turns.warm_up())?;
    let meter = Meter::start();
    events(turns.measured())?;
    meter.stop();
    Ok(())
}

/// The write and the read of each event alone: what the others have to be less by for their wait.
pub(crate) fn without_waiting(fds: &Descriptors, turns: &Turns) -> io::Result<()> {
    /// Knows without looking.
    struct Known<'a>(std::slice::Iter<'a, usize>);
    impl Mechanism for Known<'_> {
        fn wait(&mut self) -> io::Result<usize> {
            Ok(*self.0.next().expect("as many waits as turns"))
        }
    }
    measure(Known(turns.all().iter()), fds, turns)
}
