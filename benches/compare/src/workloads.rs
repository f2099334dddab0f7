//! What is measured: a row of the tables each, with what a client does to a server and how often.

use anyhow::{Context, Result};
use program::Workload;

/// The tables that the rows stand in, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Core,
    Timers,
    Threads,
    Echo,
    Servers,
    Memory,
    Start,
}

pub(crate) struct Row {
    /// As the command line names it.
    pub(crate) name: &'static str,
    /// As the tables name it.
    pub(crate) title: &'static str,
    /// The same in the few letters that a plot has room for.
    pub(crate) short: &'static str,
    pub(crate) group: Group,
    pub(crate) workload: Workload,
    pub(crate) load: Load,
    /// Operations that are measured together in one run, or connections whose memory is.
    pub(crate) count: u64,
    pub(crate) counted: Counted,
    /// The figure that ratios are made of.
    pub(crate) headline: &'static str,
    /// Figures that say nothing here.
    pub(crate) left_out: &'static [&'static str],
    /// A run takes long, or repeats exactly: no more rounds than these.
    pub(crate) rounds_at_most: usize,
    /// Measured with fat LTO as well.
    pub(crate) fat: bool,
}

/// What happens to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Nothing: it works and measures by itself.
    Alone,
    /// It is started and ends, and that is what is measured.
    Start,
    /// Messages are sent to it and answered.
    Served(Traffic),
    /// Connections are made, and its memory is looked at.
    Idle,
}

/// Round trips over some connections, each time a message on all of them and then all the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) over: Over,
    pub(crate) connections: usize,
    /// Connections beside them on which nothing is said any more.
    pub(crate) idle: usize,
    /// Bytes of a message.
    pub(crate) message: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Udp,
    /// The client is at both ends of the proxy.
    Proxy,
    Http,
    Http2,
}

/// How instructions and system calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Those of twice as many operations, less those of as many.
    Operations(u64),
    /// Those of the whole program.
    Process,
    /// Not at all, and why.
    Never(&'static str),
}

const ALONE: Row = Row {
    name: "",
    title: "",
    short: "",
    group: Group::Core,
    workload: Workload::Empty,
    load: Load::Alone,
    count: 0,
    counted: Counted::Operations(20_000),
    headline: "cpu_ns",
    left_out: &[],
    rounds_at_most: usize::MAX,
    fat: false,
};
const CORE: Row = Row { fat: true, ..ALONE };
const TIMERS: Row = Row { group: Group::Timers, ..ALONE };
const THREADS: Row = Row {
    group: Group::Threads,
    counted: Counted::Never("what two threads do depends on the moment"),
    ..ALONE
};
/// Who is busy anyhow takes all the time there is.
const BUSY: &[&str] = &["cpu_ns", "wall_ns"];
const MEMORY: Row = Row {
    group: Group::Memory,
    counted: Counted::Never("memory is measured here, not work"),
    headline: "bytes",
    rounds_at_most: 3,
    ..ALONE
};
const ECHO: Row = Row {
    group: Group::Echo,
    workload: Workload::Echo { buffer: 1024 },
    counted: Counted::Operations(2_560),
    ..ALONE
};
const SERVER: Row = Row { group: Group::Servers, ..ECHO };

const fn tcp(connections: usize, message: usize) -> Load {
    Load::Served(Traffic { over: Over::Tcp, connections, idle: 0, message })
}

const fn over(over: Over, connections: usize, message: usize) -> Load {
    Load::Served(Traffic { over, connections, idle: 0, message })
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "yield-1",
        title: "Yield, 1 task",
        short: "yield, 1 task",
        workload: Workload::Yield { tasks: 1, count: 0 },
        count: 1_000_000,
        ..CORE
    },
    Row {
        name: "yield-100",
        title: "Yield, 100 tasks",
        short: "yield, 100 tasks",
        workload: Workload::Yield { tasks: 100, count: 0 },
        count: 1_000_000,
        ..CORE
    },
    Row {
        name: "yield-10000",
        title: "Yield, 10,000 tasks",
        short: "yield, 10,000 tasks",
        workload: Workload::Yield { tasks: 10_000, count: 0 },
        count: 1_000_000,
        counted: Counted::Operations(40_000),
        ..CORE
    },
    Row {
        name: "spawn",
        title: "Spawn and join, one after another",
        short: "spawn and join",
        workload: Workload::Spawn { count: 0 },
        count: 300_000,
        ..CORE
    },
    Row {
        name: "spawn-hundred",
        title: "Spawn and join, 100 at a time",
        short: "spawn and join, by 100",
        workload: Workload::SpawnHundred { count: 0 },
        count: 500_000,
        ..CORE
    },
    Row {
        name: "wake-task",
        title: "Wake from task to task",
        short: "wake a task",
        workload: Workload::WakeTask { count: 0 },
        count: 1_000_000,
        ..CORE
    },
    Row {
        name: "channel",
        title: "A message and one back over two channels of one place",
        short: "channel ping-pong",
        workload: Workload::Channel { count: 0 },
        count: 200_000,
        counted: Counted::Operations(10_000),
        ..CORE
    },
    Row {
        name: "timeout-0",
        title: "Timeout set and dropped",
        short: "timeout",
        workload: Workload::Timeout { pending: 0, count: 0 },
        count: 500_000,
        fat: true,
        ..TIMERS
    },
    Row {
        name: "timeout-100000",
        title: "Timeout set and dropped, 100,000 others pending",
        short: "timeout beside 100,000",
        workload: Workload::Timeout { pending: 100_000, count: 0 },
        count: 500_000,
        ..TIMERS
    },
    Row {
        name: "sleeps",
        title: "100,000 sleeps within two seconds",
        short: "100,000 sleeps",
        workload: Workload::Sleeps { count: 0 },
        count: 100_000,
        counted: Counted::Never("how often it wakes depends on the moment"),
        rounds_at_most: 6,
        ..TIMERS
    },
    Row {
        name: "wake-parked",
        title: "Wake from another thread, the runtime asleep",
        short: "asleep",
        workload: Workload::WakeParked { count: 0 },
        count: 1_000,
        headline: "latency_median_ns",
        ..THREADS
    },
    Row {
        name: "wake-busy",
        title: "Wake from another thread, the runtime busy",
        short: "busy",
        workload: Workload::WakeBusy { count: 0 },
        count: 20_000,
        headline: "wake_ns",
        left_out: BUSY,
        ..THREADS
    },
    Row {
        name: "wake-spinning",
        title: "Wake from another thread, the runtime spinning",
        short: "spinning",
        workload: Workload::WakeSpinning { count: 0 },
        count: 50_000,
        headline: "latency_median_ns",
        left_out: BUSY,
        ..THREADS
    },
    Row {
        name: "echo-1",
        title: "TCP echo of 64 B, 1 connection",
        short: "1 connection",
        load: tcp(1, 64),
        count: 6_000,
        counted: Counted::Operations(640),
        ..ECHO
    },
    Row {
        name: "echo-64",
        title: "TCP echo of 64 B, 64 connections",
        short: "64 connections",
        load: tcp(64, 64),
        count: 12_800,
        ..ECHO
    },
    Row {
        name: "echo-1000",
        title: "TCP echo of 64 B, 1,000 connections",
        short: "1,000 connections",
        load: tcp(1_000, 64),
        count: 12_000,
        counted: Counted::Operations(10_000),
        ..ECHO
    },
    Row {
        name: "echo-16k",
        title: "TCP echo of 16 KiB, 64 connections",
        short: "64 of 16 KiB",
        workload: Workload::Echo { buffer: 16 * 1024 },
        load: tcp(64, 16 * 1024),
        count: 6_400,
        ..ECHO
    },
    Row {
        name: "echo-idle",
        title: "TCP echo of 64 B, 64 connections beside 10,000 idle ones",
        short: "64 beside 10,000 idle",
        load: Load::Served(Traffic { over: Over::Tcp, connections: 64, idle: 10_000, message: 64 }),
        count: 12_800,
        ..ECHO
    },
    Row {
        name: "echo-timeout-64",
        title: "TCP echo of 64 B, 64 connections, each read under a timeout of 30 s",
        short: "64 under timeouts",
        workload: Workload::EchoTimeout { buffer: 1024 },
        load: tcp(64, 64),
        count: 12_800,
        ..ECHO
    },
    Row {
        name: "udp-1",
        title: "UDP echo of 64 B, 1 client",
        short: "UDP, 1 client",
        workload: Workload::Udp,
        load: over(Over::Udp, 1, 64),
        count: 8_000,
        counted: Counted::Operations(640),
        ..SERVER
    },
    Row {
        name: "udp-64",
        title: "UDP echo of 64 B, 64 clients",
        short: "UDP, 64 clients",
        workload: Workload::Udp,
        load: over(Over::Udp, 64, 64),
        count: 16_000,
        ..SERVER
    },
    Row {
        name: "proxy",
        title: "TCP proxy, 1 KiB there and back, 64 connections",
        short: "proxy, 64 connections",
        workload: Workload::Proxy { upstream: 0 },
        load: over(Over::Proxy, 64, 1024),
        count: 6_400,
        ..SERVER
    },
    Row {
        name: "http",
        title: "HTTP hello on hyper, 64 connections",
        short: "HTTP, 64 connections",
        workload: Workload::Http,
        load: over(Over::Http, 64, 0),
        count: 6_400,
        ..SERVER
    },
    Row {
        name: "http2",
        title: "HTTP/2 hello on hyper, 64 connections",
        short: "HTTP/2, 64 connections",
        workload: Workload::Http2,
        load: over(Over::Http2, 64, 0),
        count: 6_400,
        ..SERVER
    },
    Row {
        name: "tasks",
        title: "Memory of a pending task with 16 B of state",
        short: "a pending task",
        workload: Workload::Tasks { count: 0 },
        count: 1_000_000,
        ..MEMORY
    },
    Row {
        name: "idle-connection",
        title: "Memory of an idle echo connection with its buffer of 1 KiB",
        short: "an idle connection",
        workload: Workload::Echo { buffer: 1024 },
        load: Load::Idle,
        count: 10_000,
        ..MEMORY
    },
    Row {
        name: "empty",
        title: "A program that enters the runtime and ends",
        short: "an empty program",
        group: Group::Start,
        load: Load::Start,
        count: 20,
        counted: Counted::Process,
        headline: "calls",
        ..ALONE
    },
];

impl Row {
    /// A fraction of its operations, but still a multiple of what they come in.
    pub(crate) fn in_short(&self, fraction: u64) -> u64 {
        let at_once = match (self.workload, self.load) {
            (Workload::Yield { tasks, .. }, _) => tasks,
            (Workload::SpawnHundred { .. }, _) => 100,
            (_, Load::Served(traffic)) => traffic.connections as u64,
            _ => 1,
        };
        (self.count / fraction).next_multiple_of(at_once)
    }
}

/// # Errors
///
/// When no row has that name.
pub(crate) fn named(name: &str) -> Result<&'static Row> {
    let known: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    let row = ROWS.iter().find(|row| row.name == name);
    row.with_context(|| format!("there is no workload {name}; there are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names_of_their_own_and_counts_that_come_out_even() {
        for (i, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..i].iter().all(|other| other.name != row.name), "{} twice", row.name);
            assert_eq!(row.in_short(1), row.count, "{}", row.name);
            if let (Counted::Operations(count), Workload::Yield { tasks, .. }) =
                (row.counted, row.workload)
            {
                assert_eq!(count % tasks, 0, "{}", row.name);
            }
        }
    }
}
