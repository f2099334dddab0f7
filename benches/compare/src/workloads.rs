//! What is measured: a row of the tables each, with the load that a client puts on a server.

use anyhow::{Context, Result};
use program::Workload;

pub(crate) struct Row {
    /// As the command line names it.
    pub(crate) name: &'static str,
    /// As the tables name it.
    pub(crate) title: &'static str,
    pub(crate) workload: Workload,
    /// What a client does to a program that serves. Others run by themselves.
    pub(crate) load: Option<Load>,
    /// Operations that are measured together in one run.
    pub(crate) count: u64,
    /// Operations under callgrind.
    #[expect(dead_code)]
    pub(crate) counted: u64,
}

/// Round trips over `connections` connections, each time a message on all and then all answers.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Connections beside them on which nothing is said.
    pub(crate) idle: usize,
    /// Bytes of a message.
    pub(crate) message: usize,
}

const fn alone(
    name: &'static str,
    title: &'static str,
    workload: Workload,
    count: u64,
    counted: u64,
) -> Row {
    Row { name, title, workload, load: None, count, counted }
}

const fn served(
    name: &'static str,
    title: &'static str,
    workload: Workload,
    load: Load,
    count: u64,
) -> Row {
    Row { name, title, workload, load: Some(load), count, counted: 6_400 }
}

const fn load(connections: usize, idle: usize, message: usize) -> Load {
    Load { connections, idle, message }
}

pub(crate) const ROWS: &[Row] = &[
    alone(
        "yield-100",
        "yield, 100 tasks",
        Workload::Yield { tasks: 100, count: 0 },
        2_000_000,
        100_000,
    ),
    served(
        "echo-1",
        "TCP echo of 64 B, 1 connection",
        Workload::Echo { buffer: 1024 },
        load(1, 0, 64),
        10_000,
    ),
    served(
        "echo-64",
        "TCP echo of 64 B, 64 connections",
        Workload::Echo { buffer: 1024 },
        load(64, 0, 64),
        25_600,
    ),
];

/// # Errors
///
/// When no row has that name.
pub(crate) fn named(name: &str) -> Result<&'static Row> {
    let known: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    let row = ROWS.iter().find(|row| row.name == name);
    row.with_context(|| format!("there is no workload {name}; there are {}", known.join(", ")))
}
