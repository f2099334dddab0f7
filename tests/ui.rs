//! What users see when they use a macro wrongly: every file in `tests/ui/` is one mistake, with marks that
//! say which error is expected where. A file without marks compiles without an error and a warning.
//!
//! `//~ ERROR part of the sentence` stands in the line of the error; each `^` in `//~^` means one line further
//! up. `//~ MORE` allows further errors in its line: what follows from the first, and is the compiler's affair.
//! `//@ edition: 2021` at the top is for another edition than this crate's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A diagnostic, expected or found. One that was found is taken by one mark.
#[derive(Debug, PartialEq)]
struct Diagnostic {
    file: String,
    line: usize,
    level: String,
    text: String,
}

/// The marks of a file.
fn expected(file: &str, source: &str) -> Vec<Diagnostic> {
    let mut marks = Vec::new();
    for (index, line) in source.lines().enumerate() {
        for mark in line.split("//~").skip(1) {
            let what = mark.trim_start_matches('^');
            let line = index + 1 - (mark.len() - what.len());
            let (level, text) = what.trim().split_once(' ').unwrap_or((what.trim(), ""));
            let (level, text) = (level.to_lowercase(), text.trim().to_owned());
            marks.push(Diagnostic { file: file.to_owned(), line, level, text });
        }
    }
    marks
}

/// Reads `tests/ui/file.rs:line:column: error[E0308]: sentence`, and nothing that is about other files.
fn found(line: &str) -> Option<Diagnostic> {
    let (place, rest) = line.split_once(".rs:").filter(|(place, _)| place.contains("tests/ui/"))?;
    let mut rest = rest.splitn(4, ':');
    let (at, _column) = (rest.next()?.parse().ok()?, rest.next()?);
    let level = rest.next()?.trim().split('[').next()?.to_owned();
    let text = rest.next()?.trim().to_owned();
    let file = Path::new(place).file_name()?.to_str()?.to_owned();
    Some(Diagnostic { file: file + ".rs", line: at, level, text })
}

#[test]
fn mistakes_are_answered_with_sentences() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui");
    fs::create_dir_all(&scratch).unwrap();
    let mut files: Vec<_> = fs::read_dir(package.join("tests/ui"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());

    // A program for each file, in one package for each edition, checked in one go on the versions that are
    // there already.
    let mut manifests = BTreeMap::new();
    let mut marks = Vec::new();
    for path in &files {
        let source = fs::read_to_string(path).unwrap();
        let (stem, file) = (path.file_stem().unwrap(), path.file_name().unwrap().to_str().unwrap());
        let edition =
            source.lines().find_map(|line| line.strip_prefix("//@ edition: ")).unwrap_or("2024");
        let manifest = manifests.entry(edition.to_owned()).or_insert_with(|| {
            format!(
                "[package]\nname = \"ui-{edition}\"\nedition = {edition:?}\n\
                 [dependencies.runtime]\npackage = \"epoll-runtime\"\npath = {package:?}\n"
            )
        });
        writeln!(manifest, "[[bin]]\nname = {stem:?}\npath = {path:?}").unwrap();
        marks.extend(expected(file, &source));
    }
    let members: Vec<_> = manifests.keys().collect();
    fs::write(
        scratch.join("Cargo.toml"),
        format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n"),
    )
    .unwrap();
    for (edition, manifest) in &manifests {
        fs::create_dir_all(scratch.join(edition)).unwrap();
        fs::write(scratch.join(edition).join("Cargo.toml"), manifest).unwrap();
    }
    if package.join("Cargo.lock").exists() {
        fs::copy(package.join("Cargo.lock"), scratch.join("Cargo.lock")).unwrap();
    }
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args([
            "check",
            "--workspace",
            "--bins",
            "--offline",
            "--quiet",
            "--keep-going",
            "--message-format=short",
        ])
        .current_dir(&scratch)
        .env("CARGO_TARGET_DIR", scratch.join("target"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stderr);

    // Without a single error of the files' own the check itself has failed.
    let mut unexpected: Vec<_> = output.lines().filter_map(found).collect();
    assert!(!unexpected.is_empty(), "the programs could not be checked:\n{output}");
    let (more, mut marks): (Vec<_>, Vec<_>) =
        marks.into_iter().partition(|mark| mark.level == "more");
    marks.retain(|mark| {
        let fits = |found: &Diagnostic| {
            (&found.file, found.line, &found.level) == (&mark.file, mark.line, &mark.level)
                && found.text.contains(&mark.text)
        };
        let hit = unexpected.iter().position(fits).map(|index| unexpected.swap_remove(index));
        hit.is_none()
    });
    unexpected.retain(|found| {
        !more.iter().any(|mark| (&mark.file, mark.line) == (&found.file, found.line))
    });
    assert!(
        marks.is_empty() && unexpected.is_empty(),
        "expected and not found: {marks:#?}\nfound and not expected: {unexpected:#?}"
    );
}
