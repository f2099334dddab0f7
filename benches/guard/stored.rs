//! The stored counts: a table to be read by people, taken in and written anew.

use std::process::Command;
use std::{fs, io};

use crate::callgrind;
use crate::subjects::Subject;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/guard/stored.md");

/// With these words begins the line that says by what the counts were taken. The table follows; what
/// stands above is for people and stays.
const TAKEN: &str = "Taken on ";

const HEAD: &str = "| | count | of |\n|---|---:|---|\n";

pub(crate) struct Stored {
    pub(crate) taken: String,
    rows: Vec<(String, f64)>,
}

impl Stored {
    /// # Errors
    ///
    /// A sentence that says what is wrong with the file.
    pub(crate) fn read() -> Result<Stored, String> {
        let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        let taken = text.lines().find(|line| line.starts_with(TAKEN));
        let taken = taken.ok_or_else(|| format!("{FILE} does not say what it was taken on"))?;
        let rows = text.lines().filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            Some((cells.next()?.to_string(), cells.next()?.parse().ok()?))
        });
        Ok(Stored { taken: taken.to_string(), rows: rows.collect() })
    }

    pub(crate) fn of(&self, subject: &Subject) -> Option<f64> {
        self.rows.iter().find(|(name, _)| *name == subject.name).map(|(_, count)| *count)
    }

    /// Says of each count that belongs to none of all `subjects` that nothing takes it any more.
    pub(crate) fn not_among(&self, subjects: &[Subject]) -> Vec<String> {
        let names = self.rows.iter().map(|(name, _)| name);
        let left = names.filter(|name| subjects.iter().all(|subject| subject.name != **name));
        left.map(|name| format!("{name} is stored, and nothing counts it any more.")).collect()
    }

    /// True if the counts can be compared with what is counted here.
    pub(crate) fn of_this_processor(&self) -> bool {
        self.taken.starts_with(&format!("{TAKEN}{} ", std::env::consts::ARCH))
    }

    /// True if this compiler made the code that was counted.
    pub(crate) fn of_this_rustc(&self) -> bool {
        self.taken.contains(&format!(" {},", rustc()))
    }
}

/// Replaces all counts.
///
/// # Errors
///
/// What keeps the file from being read and written.
pub(crate) fn write<'a>(counts: impl Iterator<Item = (&'a Subject, f64)>) -> io::Result<()> {
    let text = fs::read_to_string(FILE)?;
    let above = text.split(&format!("\n{TAKEN}")).next().unwrap_or_default();
    let rows: String = counts
        .map(|(subject, count)| format!("| {} | {count:.1} | {} |\n", subject.name, subject.unit()))
        .collect();
    fs::write(FILE, format!("{above}\n{}\n\n{HEAD}{rows}", here()))?;
    println!("stored in {FILE}");
    Ok(())
}

/// By what counts are taken here.
pub(crate) fn here() -> String {
    // SAFETY: the version is a C string in static memory.
    let glibc = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    format!(
        "{TAKEN}{} by {}, glibc {}, {}.",
        std::env::consts::ARCH,
        rustc(),
        glibc.to_string_lossy(),
        callgrind::version().unwrap_or_default(),
    )
}

/// The compiler that cargo has built this with.
fn rustc() -> String {
    let said = Command::new("rustc").arg("--version").output();
    said.map_or_else(
        |error| format!("a rustc that does not run: {error}"),
        |said| String::from_utf8_lossy(&said.stdout).trim().to_string(),
    )
}
