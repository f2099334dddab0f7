//! The tree keeps its promises: files that say what they are, `unsafe` in its rooms, a map that is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below some folders, as paths from the root.
fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the tree") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                // What cargo makes of a workspace of its own is not ours.
                folders.extend((!path.ends_with("target")).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty());
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file of the tree")
}

/// The path from the root, for messages and comparisons.
fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").display().to_string()
}

const SOURCES: [&str; 4] = ["src", "runtime/src", "net/src", "macros/src"];

#[test]
fn every_file_opens_with_a_sentence_that_says_what_lives_there() {
    let everywhere =
        [&SOURCES[..], &["tests", "runtime/tests", "examples", "benches", "fuzz"]].concat();
    for file in rust_files(&everywhere) {
        if name(&file).starts_with("tests/ui/") {
            continue;
        }
        let text = read(&file);
        let first = text.lines().next().unwrap_or_default();
        let sentence = first.strip_prefix("//! ").unwrap_or_default();
        assert!(sentence.len() > 10, "{} opens with {first:?}", name(&file));
    }
}

#[test]
fn unsafe_stays_in_its_rooms() {
    let rooms: BTreeSet<String> = [
        "runtime/src/context.rs",
        "runtime/src/sys/mod.rs",
        "runtime/src/task/remote_join.rs",
        "runtime/src/task/untyped.rs",
        "runtime/src/task/waker.rs",
        "net/src/sys/mod.rs",
    ]
    .map(String::from)
    .into();
    // The lint denies `unsafe` wherever this line does not stand.
    let opened = rust_files(&SOURCES)
        .into_iter()
        .filter(|file| read(file).contains("allow(unsafe_code)"))
        .map(|file| name(&file))
        .collect();
    assert_eq!(rooms, opened);
    assert!(read(&root().join("src/lib.rs")).contains("#![forbid(unsafe_code)]"));
    assert!(read(&root().join("Cargo.toml")).contains("unsafe_code = \"deny\""));
}

#[test]
fn libc_is_named_in_the_rooms_of_system_calls_only() {
    for file in rust_files(&SOURCES) {
        let home = ["runtime/src/sys/", "net/src/sys/"];
        let at_home = home.iter().any(|home| name(&file).starts_with(home));
        let code = read(&file);
        let mut code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        assert!(at_home || !code.any(|line| line.contains("libc::")), "{} names libc", name(&file));
    }
}

#[test]
fn one_page_polls_tasks_and_waits_for_events() {
    for (call, page) in [(".poll_task(", "turn.rs"), ("driver.wait(", "turn.rs")] {
        for file in rust_files(&["runtime/src"]) {
            let here = name(&file).ends_with(page);
            assert_eq!(read(&file).contains(call), here, "{call} in {}", name(&file));
        }
    }
}

/// Whether a line begins a function.
fn begins_function(line: &str) -> bool {
    let words = line.split_whitespace().take_while(|word| !word.contains('<'));
    let mut words = words
        .skip_while(|word| word.starts_with("pub") || ["async", "const", "unsafe"].contains(word));
    words.next() == Some("fn")
}

#[test]
fn what_a_program_does_not_use_is_not_compiled() {
    for file in rust_files(&["src", "net/src"]) {
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let mut attributes = Vec::new();
        for (number, line) in code.lines().enumerate() {
            let trimmed = line.trim_start();
            if trimmed.starts_with("#[") {
                attributes.push(trimmed);
            } else if begins_function(line) {
                let rest = code.lines().skip(number).collect::<String>();
                let has_body = rest.find('{') < rest.find(';');
                let is_lazy = attributes.iter().any(|attribute| {
                    ["#[inline", "#[cold"].iter().any(|start| attribute.starts_with(start))
                });
                let place = format!("{}:{}", name(&file), number + 1);
                assert!(is_lazy || !has_body, "{place} is not `#[inline]`: see DESIGN.md");
                attributes.clear();
            } else if !trimmed.starts_with("//") {
                attributes.clear();
            }
        }
    }
}

#[test]
fn the_map_names_every_room() {
    let map = read(&root().join("ARCHITECTURE.md"));
    for file in rust_files(&["runtime/src", "net/src"]) {
        let file = name(&file);
        let (_, below) = file.split_once("/src/").expect("it is");
        let room = below.split_once('/').map_or(below, |(folder, _)| folder);
        assert!(room == "lib.rs" || map.contains(room), "{room} is not in ARCHITECTURE.md");
    }
}

#[test]
fn the_changelog_has_the_version() {
    let changelog = read(&root().join("CHANGELOG.md"));
    assert!(changelog.contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_example_is_in_the_readme_and_says_what_to_type() {
    let readme = read(&root().join("README.md"));
    assert!(readme.contains("(examples/glib/main.c)"));
    for file in rust_files(&["examples"]) {
        let name = name(&file);
        if name.starts_with("examples/glib/") {
            continue; // a C program's
        }
        assert!(readme.contains(&format!("({name})")), "{name} is not in the README");
        let stem = file.file_stem().expect("a name").to_string_lossy();
        let what_to_type = format!("--example {stem}");
        assert!(read(&file).contains(&what_to_type), "{name} does not say {what_to_type:?}");
    }
}

#[test]
fn every_program_of_the_ecosystem_is_in_its_table_and_says_what_to_type() {
    let table = read(&root().join("ecosystem/README.md"));
    for file in rust_files(&["ecosystem/examples"]) {
        let stem = file.file_stem().expect("a name").to_string_lossy();
        assert!(table.contains(&format!("(examples/{stem}.rs)")), "{stem} is not in the table");
        let what_to_type = format!("--example {stem}");
        assert!(read(&file).contains(&what_to_type), "{stem} does not say {what_to_type:?}");
    }
}
