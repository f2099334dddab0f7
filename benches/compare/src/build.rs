//! Building hello from clean on each runtime: the packages below `build/`, which are no members of any workspace.
//!
//! Each is a task that sleeps and what it returns, written as the runtime's users would write it. `std` has a thread
//! instead, and is what the others are compared with. `tokio` has the features that have what ours has by default;
//! `tokio-least` and `zruntime-least` what this program needs, `tokio-full` all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, mem};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::machine::{Machine, version_of};
use crate::programs::target;
use crate::results::{Entry, Results};
use crate::tables::OURS;

/// The row, and the argument that asks for it.
pub(crate) const NAME: &str = "build";

/// A build takes up to minutes, and its CPU varies little. Those that the claims are about are built a few times,
/// the others once.
const ROUNDS: usize = 3;
const CLAIMED: [&str; 3] = [STD, OURS, "tokio"];

/// No single call of cargo takes longer, whatever it waits for.
const LIMIT_S: &str = "300";

/// The program without a runtime. It is what the others are compared with, and nobody who is ahead of us.
pub(crate) const STD: &str = "std";

/// The folder of a package, and the library in it.
const PACKAGES: [(&str, Option<&str>); 11] = [
    (STD, None),
    (OURS, Some("epoll-runtime")),
    ("tokio", Some("tokio")),
    ("tokio-least", Some("tokio")),
    ("tokio-full", Some("tokio")),
    ("smol", Some("smol")),
    ("zruntime", Some("zruntime")),
    ("zruntime-least", Some("zruntime")),
    ("monoio", Some("monoio")),
    ("compio", Some("compio")),
    ("glommio", Some("glommio")),
];

/// What one build was.
struct Built {
    cpu_s: f64,
    crates: usize,
    program: PathBuf,
}

/// Builds all of them, in at most so many rounds.
///
/// # Errors
///
/// When nothing can be built here at all: there is no cargo, or no room for what it makes.
pub(crate) fn measure(rounds: usize) -> Result<Results> {
    let mut entries = PACKAGES.map(|(package, library)| entry(package, library));
    for round in 1..=rounds.min(ROUNDS) {
        for entry in &mut entries {
            let is_due = round == 1 || CLAIMED.contains(&&*entry.peer);
            if is_due && entry.cannot.is_none() {
                eprintln!("build, round {round}: {}", entry.peer);
                if let Err(error) = add_round(entry) {
                    entry.cannot = Some(format!("cargo does not build it here: {error:#}"));
                }
            }
        }
    }
    if entries.iter().all(|entry| entry.cannot.is_some()) {
        bail!("no hello can be built here: {}", entries[0].cannot.as_deref().unwrap_or_default());
    }
    Ok(Results { row: NAME.into(), machine: Machine::of_this_run(), entries: entries.into() })
}

fn folder(package: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(NAME).join(package)
}

/// With the sources fetched, which is not to be measured.
fn entry(package: &str, library: Option<&str>) -> Entry {
    let fetched = cargo(package).arg("fetch").status();
    let is_fetched = fetched.is_ok_and(|status| status.success());
    let lock = fs::read_to_string(folder(package).join("Cargo.lock")).unwrap_or_default();
    let version = library.and_then(|library| version_of(library, &lock));
    Entry {
        peer: package.into(),
        version: version.unwrap_or_default(),
        cannot: (!is_fetched).then(|| "cargo cannot fetch what it depends on".into()),
        ..Entry::default()
    }
}

fn add_round(entry: &mut Entry) -> Result<()> {
    let release = build(&entry.peer, &["--release"])?;
    let mut add = |figure: &str, value: f64| {
        entry.figures.entry(figure.into()).or_default().push(value);
    };
    add("cpu_s", release.cpu_s);
    add("crates", release.crates as f64);
    add("program_bytes", len(&release.program)?);
    let stripped = release.program.with_extension("stripped");
    match run(Command::new("strip").arg("-o").arg(&stripped).arg(&release.program)) {
        Ok(_) => add("stripped_bytes", len(&stripped)?),
        Err(error) => drop(entry.missing.insert("stripped_bytes".into(), format!("{error:#}"))),
    }
    let debug = build(&entry.peer, &[])?;
    entry.figures.entry("debug_cpu_s".into()).or_default().push(debug.cpu_s);
    Ok(())
}

fn len(file: &Path) -> Result<f64> {
    Ok(fs::metadata(file)?.len() as f64)
}

/// Builds a package into an empty folder, as a user's shell would.
fn build(package: &str, profile: &[&str]) -> Result<Built> {
    let into = target().join("compare-build");
    if into.exists() {
        fs::remove_dir_all(&into)?;
    }
    let mut cargo = cargo(package);
    cargo.args(["build", "--offline", "--quiet", "--message-format=json"]).args(profile);
    cargo.env("CARGO_TARGET_DIR", &into);
    let before = cpu_of_children();
    let said = run(&mut cargo)?;
    let cpu_s = cpu_of_children() - before;
    let mut crates = BTreeSet::new();
    let mut program = None;
    for line in said.lines() {
        let message: Value = serde_json::from_str(line)?;
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        match message["executable"].as_str() {
            Some(path) => program = Some(path.into()),
            None => _ = crates.insert(message["package_id"].to_string()),
        }
    }
    let program = program.context("cargo named no program")?;
    Ok(Built { cpu_s, crates: crates.len(), program })
}

/// Cargo in a package's folder, with nothing that changes what it does by default.
fn cargo(package: &str) -> Command {
    let mut cargo = Command::new("timeout");
    cargo.args([LIMIT_S, env!("CARGO")]);
    cargo.current_dir(folder(package));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let keeps = ["CARGO", "CARGO_HOME"].contains(&&*name);
        if name.starts_with("CARGO") && !keeps || name.starts_with("RUSTC") || name == "RUSTFLAGS" {
            cargo.env_remove(&*name);
        }
    }
    cargo
}

/// What a command printed.
fn run(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{} ended with {}", command.get_program().display(), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// CPU seconds of all processes that have ended and been waited for, down to the last descendant.
fn cpu_of_children() -> f64 {
    // SAFETY: a rusage is integers, for which zeros are valid; the call fills it, and fails only for a pointer or
    // a number that is neither of these.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
