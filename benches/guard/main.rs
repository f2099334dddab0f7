//! Guards against falling back: counts instructions and bytes of what the runtime does most, and
//! compares them with stored ones.
//!
//! ```text
//! cargo bench --bench guard                           every count beside the stored one
//! cargo bench --bench guard -- echo                   those with "echo" in their names
//! cargo bench --bench guard -- --check                fails if one is above its margin
//! cargo bench --bench guard -- --store                stores all anew
//! cargo bench --bench guard -- metrics                what metrics add to each, of which none may add 5 %
//! cargo bench --bench guard -- run echo-tcp-64 6400   does one that often, for a profiler
//! ```
//!
//! What is stored, and why the margins are as they are: `stored.md`.
#![allow(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use stored::Stored;
use subjects::{Figure, Subject};

mod callgrind;
#[path = "../round_trip/in_wait.rs"]
mod in_wait;
#[path = "../operations/mod.rs"]
mod operations;
#[path = "../round_trip/mod.rs"]
mod round_trip;
mod stored;
mod subjects;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        [] => show(""),
        ["--check"] => check(),
        ["--store"] => store(),
        ["metrics"] => check_metrics(),
        ["run", name, count] => run(name, count),
        ["run-with-metrics", name, count] => {
            operations::METRICS.store(true, Ordering::Relaxed);
            run(name, count)
        }
        [part] if !part.starts_with('-') => show(part),
        _ => {
            Err("the arguments are --check, --store, metrics, run NAME COUNT, or a part of a name"
                .into())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does one thing in this process.
fn run(name: &str, count: &str) -> Result<(), String> {
    let all = subjects::all();
    let subject = all.iter().find(|subject| subject.name == name);
    let subject = subject.ok_or_else(|| there_is_no(name))?;
    let count = count.parse().map_err(|_| format!("{count} is no number of times"))?;
    subject.run(count).map_err(|error| format!("{name}: {error}"))
}

fn there_is_no(name: &str) -> String {
    let names: Vec<_> = subjects::all().into_iter().map(|subject| subject.name).collect();
    format!("there is no {name}; there are {}", names.join(", "))
}

fn show(part: &str) -> Result<(), String> {
    let mut subjects = subjects::all();
    subjects.retain(|subject| subject.name.contains(part));
    if subjects.is_empty() {
        return Err(there_is_no(part));
    }
    let stored = Stored::read()?;
    print_table(&subjects, &subjects::each(&subjects, Subject::count), &stored);
    Ok(())
}

fn store() -> Result<(), String> {
    of_the_release_profile()?;
    let subjects = subjects::all();
    let figures =
        subjects::each(&subjects, Subject::count).into_iter().collect::<Result<Vec<_>, _>>()?;
    stored::write(subjects.iter().zip(figures)).map_err(|error| format!("storing: {error}"))
}

fn check() -> Result<(), String> {
    of_the_release_profile()?;
    let stored = Stored::read()?;
    if !stored.of_this_processor() {
        println!(
            "Nothing is compared, as what is stored is of another processor: {}",
            stored.taken
        );
        return Ok(());
    }
    let same_rustc = stored.of_this_rustc();
    if !same_rustc {
        println!("The margins are wide, as another compiler made what is stored:");
        println!("- {}\n- {}\n", stored.taken, stored::here());
    }
    let mut subjects = subjects::all();
    let mut failures = stored.not_among(&subjects);
    if callgrind::version().is_none() {
        println!("Instructions are not compared, as there is no valgrind here.\n");
        subjects.retain(|subject| !subject.needs_valgrind());
    }
    let figures = subjects::each(&subjects, Subject::count);
    print_table(&subjects, &figures, &stored);
    for (subject, figure) in subjects.iter().zip(figures) {
        failures.extend(judge(subject, figure, &stored, subject.margin(same_rustc)));
    }
    if failures.is_empty() {
        return Ok(());
    }
    failures
        .push("Find what does it; if it has to be: cargo bench --bench guard -- --store".into());
    Err(failures.join("\n"))
}

/// How much metrics may add to what the engine does, as a share of it.
const METRICS_MAX: f64 = 0.05;

/// Counts each operation with metrics on and without, by the same compiler on the same machine.
fn check_metrics() -> Result<(), String> {
    if callgrind::version().is_none() {
        println!("Nothing is compared, as there is no valgrind here.");
        return Ok(());
    }
    let subjects = subjects::all();
    let both = |subject: &Subject| Some((subject.count_with_metrics()?, subject.count()));
    println!("| | off | metrics on | change |\n|---|---:|---:|---:|");
    let mut failures = Vec::new();
    for (subject, figures) in subjects.iter().zip(subjects::each(&subjects, both)) {
        let Some((on, off)) = figures else { continue };
        let (on, off, name) = (on?, off?, &subject.name);
        let change = on / off - 1.0;
        println!("| {name} | {off:.1} | {on:.1} | {:+.1} % |", change * 100.0);
        if change >= METRICS_MAX {
            failures.push(format!("metrics add {:.1} % to {name}", change * 100.0));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// Says what is wrong, if something is. That less was found is only remarked.
fn judge(subject: &Subject, figure: Figure, stored: &Stored, margin: f64) -> Option<String> {
    let (name, unit) = (&subject.name, subject.unit());
    let found = match figure {
        Ok(found) => found,
        Err(error) => return Some(error),
    };
    let Some(stored) = stored.of(subject) else {
        return Some(format!("{name} takes {found:.1} {unit}, and nothing is stored."));
    };
    let percent = margin * 100.0;
    let comparison = format!("{found:.1} {unit}; stored {stored:.1}, margin {percent:.1} %.");
    if found < stored * (1.0 - margin) {
        println!("{name} has become cheaper: {comparison} Store it, or it can fall back unseen.");
    }
    (found > stored * (1.0 + margin)).then(|| format!("{name} has become dearer: {comparison}"))
}

fn print_table(subjects: &[Subject], figures: &[Figure], stored: &Stored) {
    println!("| | of | stored | now | change |\n|---|---|---:|---:|---:|");
    for (subject, figure) in subjects.iter().zip(figures) {
        let stored = stored.of(subject);
        let cell = |count: Option<f64>| count.map_or(String::new(), |count| format!("{count:.1}"));
        let now = figure.as_ref().ok().copied();
        let change = now.zip(stored).map_or(String::new(), |(now, stored)| {
            format!("{:+.1} %", (now / stored - 1.0) * 100.0)
        });
        let (name, unit) = (&subject.name, subject.unit());
        println!("| {name} | {unit} | {} | {} | {change} |", cell(stored), cell(now));
    }
    println!();
}

/// What is stored is of cargo's release profile, which `cargo bench` builds with, and so must be what
/// is compared with it.
fn of_the_release_profile() -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // The profile's folder, deps, the program.
    let profile = program.ancestors().nth(2).and_then(|folder| folder.file_name());
    if profile.is_some_and(|profile| profile == "release") {
        return Ok(());
    }
    Err("What is stored is of the release profile: run it by `cargo bench`, without --profile."
        .into())
}
