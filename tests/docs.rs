//! The documentation keeps its promises: every public item has an example or a reason not to, and says how it
//! fails and what dropping it loses. By the source text, as rustdoc's own data needs a nightly compiler.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Items that need no example of their own, and why, as `page::name`: the page of a method is its type or the
/// macro that writes it, that of a type or trait is its own, and that of any other item is its file.
const REASONS: &[(&str, &str)] = &[
    ("net/src::Sealed::Sealed", "nobody can name it"),
    ("net/src::Lookup::Lookup", "nobody can name it"),
    ("net/src::Stream::Stream", "nobody can name it"),
    ("net/src/stdio::Descriptor::Descriptor", "nobody can name it"),
    ("net/src::options::$set", "an option, with its getter: what it sets is said at each"),
    ("net/src::device_options::bind_device", "an option, with its getter"),
    ("net/src/process::$stream::$stream", "the head of its module has all three"),
    ("net/src/unix::uid_t::uid_t", "a number, by the kernel's name"),
    ("net/src/unix::gid_t::gid_t", "a number, by the kernel's name"),
    ("net/src/unix::pid_t::pid_t", "a number, by the kernel's name"),
    (
        "runtime/src/reactor::Source::poll_read_exclusive_with",
        "what `set_exclusive` of listeners stands on",
    ),
    ("runtime/src/reactor::Source::poll_read_stream", "what `ReadFd::poll_read` stands on"),
];

/// The futures that have a type, and that do more than what they were given.
const FUTURES: [&str; 6] =
    ["Reading", "Sleep", "TaskLocalFuture", "Timeout", "Writing", "WritingAll"];

/// What the engine has for the facade, hidden where it is made public.
const HIDDEN: [&str; 2] = ["context", "try_spawn_blocking"];

/// Where the examples are of what a macro writes for many types, or that belongs to a page of its own.
const SHOWN_AT: &[(&str, &str)] = &[
    ("net/src::message_readiness_methods", "net/src/udp/socket.rs"),
    ("net/src/unix::message_methods", "net/src/unix/datagram.rs"),
    ("net/src/unix::listener_methods", "net/src/unix/listener.rs"),
    ("net/src/unix::$end", "net/src/unix/pipe.rs"),
    ("net/src/tcp::$half", "net/src/tcp/stream.rs"),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Function,
    Macro,
    /// A type or a trait.
    Type,
    /// A constant, or the field of a type.
    Value,
}

#[derive(Debug)]
struct Item {
    kind: Kind,
    name: String,
    page: String,
    /// Where it is, for messages.
    place: String,
    docs: String,
    attributes: String,
    /// Up to the body.
    signature: String,
}

/// What can be said of a file: its items, and the examples of its head.
struct Source {
    file: String,
    items: Vec<Item>,
    head: String,
}

impl Item {
    fn path(&self) -> String {
        format!("{}::{}", self.page, self.name)
    }

    /// What a function returns.
    fn output(&self) -> &str {
        let signature = self.signature.split(" where ").next().unwrap_or_default();
        signature.rsplit_once("-> ").map_or("", |(_, output)| output.trim())
    }

    fn waits(&self) -> bool {
        let output = self.output().split(['<', ' ']).next().unwrap_or_default();
        self.signature.contains("async fn ")
            || self.output().starts_with("impl Future<")
            || FUTURES.contains(&output)
    }

    /// Whether a function has no argument but `self`.
    fn takes_nothing(&self) -> bool {
        let (_, arguments) = self.signature.split_once('(').unwrap_or_default();
        let arguments = arguments.split(')').next().unwrap_or_default();
        ["", "self", "mut self", "&self", "&mut self"].contains(&arguments.trim())
    }
}

impl Source {
    fn folder(&self) -> &str {
        self.file.rsplit_once('/').expect("a file in a folder").0
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: PathBuf, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the tree") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_below(path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["src", "runtime/src", "net/src"] {
        files_below(root().join(folder), &mut files);
    }
    // What macros expand to: hidden as a whole.
    files.retain(|file| !file.ends_with("src/private.rs"));
    files.sort();
    let sources = files.iter().map(|file| {
        let name = file.strip_prefix(root()).expect("below the root").display().to_string();
        read(&name, &fs::read_to_string(file).expect("a file of the tree"))
    });
    sources.collect()
}

/// Finds the public items of a file that is formatted by rustfmt.
fn read(file: &str, text: &str) -> Source {
    let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
    let (folder, _) = file.rsplit_once('/').expect("a file in a folder");
    let lines: Vec<&str> = text.lines().collect();
    let head = lines.iter().filter_map(|line| line.strip_prefix("//!"));
    let mut source = Source {
        file: file.to_string(),
        items: Vec::new(),
        head: head.collect::<Vec<_>>().join("\n"),
    };
    // What the lines within are part of, and whether all of it is public.
    let (mut macro_page, mut page, mut is_trait) = (None, None, false);
    let (mut docs, mut attributes) = (String::new(), String::new());
    for (number, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if *line == "}" {
            (macro_page, page, is_trait) = (None, None, false);
        } else if let Some(doc) = code.strip_prefix("///") {
            docs += doc;
            docs += "\n";
            continue;
        } else if code.starts_with("#[") || is_open(&attributes) {
            attributes += code;
            continue;
        } else if code.starts_with("//") {
            continue;
        }
        let rest = lines[number..].iter().take(20).copied().collect::<Vec<_>>().join(" ");
        let signature = rest.split(['{', ';']).next().unwrap_or_default().to_string();
        if let Some(implemented) = implements(code, &signature) {
            page = Some(implemented);
        }
        if let Some((kind, name)) =
            public_item(code, is_trait && line.starts_with("    fn "), &attributes)
        {
            // The documentation of a type or a trait stands on its own page.
            let of_type = if kind == Kind::Type { Some(&name) } else { None };
            let page = match of_type.or(page.as_ref()).or(macro_page.as_ref()) {
                Some(page) => format!("{folder}::{page}"),
                None => file.to_string(),
            };
            let is_hidden = HIDDEN.contains(&name.as_str())
                || attributes.contains("doc(hidden)")
                || name.starts_with("__");
            if !is_hidden {
                let place = format!("{file}:{}", number + 1);
                let (docs, attributes) = (docs.clone(), attributes.clone());
                source.items.push(Item { kind, name, page, place, docs, attributes, signature });
            }
        }
        if let Some(name) = code.strip_prefix("macro_rules! ") {
            macro_page = Some(name.trim_end_matches(" {").to_string());
        }
        if let Some(name) = line.strip_prefix("pub trait ") {
            page = Some(name.split([':', '<', ' ']).next().unwrap_or_default().to_string());
            is_trait = true;
        }
        docs.clear();
        attributes.clear();
    }
    source
}

/// Whether an attribute goes on in the next line.
fn is_open(attributes: &str) -> bool {
    attributes.matches(['(', '[']).count() > attributes.matches([')', ']']).count()
}

/// The type whose methods follow.
fn implements(code: &str, signature: &str) -> Option<String> {
    let rest = code.strip_prefix("impl")?;
    if signature.contains(" for ") || !rest.starts_with([' ', '<']) {
        return None;
    }
    // Behind the generics.
    let mut depth = 0;
    let rest = rest.trim_start_matches(|char| {
        depth += i32::from(char == '<') - i32::from(char == '>');
        depth > 0 || char == '>' || char == ' '
    });
    Some(rest.split(['<', ' ']).next().unwrap_or_default().to_string())
}

/// The kind and name of a public item that begins on a line.
fn public_item(code: &str, of_trait: bool, attributes: &str) -> Option<(Kind, String)> {
    let until = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
            .next()
            .map(str::to_string)
    };
    if let Some(name) = code.strip_prefix("macro_rules! ") {
        let is_exported = attributes.contains("#[macro_export]");
        return is_exported.then(|| (Kind::Macro, until(name).unwrap_or_default()));
    }
    let mut rest = match code.strip_prefix("pub ") {
        Some(rest) => rest,
        None if of_trait => code,
        None => return None,
    };
    for word in ["const ", "unsafe ", "async "] {
        if rest.contains("fn ") {
            rest = rest.strip_prefix(word).unwrap_or(rest);
        }
    }
    let (kind, name) = match rest.split_once(' ')? {
        ("fn", name) => (Kind::Function, name),
        ("struct" | "enum" | "trait" | "type", name) => (Kind::Type, name),
        ("const" | "static", name) => (Kind::Value, name),
        ("mod" | "use", _) => return None,
        (name, _) if name.ends_with(':') => (Kind::Value, name),
        _ => return None,
    };
    Some((kind, until(name)?))
}

/// The code of the examples in some documentation.
fn examples(docs: &str) -> String {
    let mut code = String::new();
    let mut is_code = false;
    let mut is_example = false;
    for line in docs.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(kind) => {
                is_example = !is_code && !kind.contains("text") && !kind.contains("toml");
                is_code = !is_code;
            }
            None if is_code && is_example => {
                code += line;
                code += "\n";
            }
            None => {}
        }
    }
    code
}

/// Whether some code uses a name: calls a function, names a type.
fn uses(code: &str, name: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// The names of the items that some documentation links to.
fn links(docs: &str) -> impl Iterator<Item = &str> {
    let links = docs.split("[`").skip(1).filter_map(|link| link.split('`').next());
    let names = links.filter_map(|link| link.rsplit("::").next());
    names.map(|name| name.trim_end_matches(['!', '(', ')']))
}

/// What is on the pages.
struct Pages {
    /// The code of the examples on each: of the type and its methods, of the heads of the file and its module, and
    /// of what the type's documentation links to.
    examples: BTreeMap<String, String>,
    /// All items, as `page::name`.
    names: BTreeSet<String>,
}

impl Pages {
    fn of(sources: &[Source]) -> Pages {
        let mut by_name: BTreeMap<&str, String> = BTreeMap::new();
        let mut by_folder: BTreeMap<&str, String> = BTreeMap::new();
        for source in sources {
            if source.file.ends_with("/mod.rs") || source.file.ends_with("/lib.rs") {
                *by_folder.entry(source.folder()).or_default() += &examples(&source.head);
            }
            for item in &source.items {
                *by_name.entry(&item.name).or_default() += &examples(&item.docs);
            }
        }
        let mut pages = Pages { examples: BTreeMap::new(), names: BTreeSet::new() };
        for source in sources {
            for item in &source.items {
                pages.names.insert(item.path());
                let page = pages.examples.entry(item.page.clone()).or_default();
                *page += &examples(&item.docs);
                *page += &examples(&source.head);
                *page += by_folder.get(source.folder()).map_or("", String::as_str);
                if item.kind == Kind::Type {
                    for name in links(&item.docs) {
                        *page += by_name.get(name).map_or("", String::as_str);
                    }
                }
            }
        }
        for (page, place) in SHOWN_AT {
            let source = sources.iter().find(|source| source.file == *place);
            let items = &source.unwrap_or_else(|| panic!("{place} is gone")).items;
            let code: String = items.iter().map(|item| examples(&item.docs)).collect();
            let page = pages.examples.get_mut(*page).unwrap_or_else(|| panic!("{page} is gone"));
            *page += &code;
        }
        pages
    }

    fn show(&self, page: &str, name: &str) -> bool {
        self.examples.get(page).is_some_and(|code| uses(code, name))
    }

    fn anywhere_show(&self, name: &str) -> bool {
        self.examples.values().any(|code| uses(code, name))
    }

    /// Why an item is documented well enough: by an example, or as one of a family that needs none.
    fn reason(&self, item: &Item) -> Option<&'static str> {
        if !examples(&item.docs).is_empty() {
            return Some("it has an example");
        }
        if self.show(&item.page, &item.name) {
            return Some("an example on its page uses it");
        }
        let reason = match item.kind {
            Kind::Value => Some("a value: its sentence says all"),
            Kind::Macro => None,
            Kind::Type => links(&item.docs)
                .any(|name| self.anywhere_show(name))
                .then_some("its documentation leads to what makes or takes it, which is shown"),
            Kind::Function => self.reason_of_function(item),
        };
        let listed = || REASONS.iter().find(|(path, _)| *path == item.path());
        reason.or_else(|| listed().map(|(_, reason)| *reason))
    }

    fn reason_of_function(&self, item: &Item) -> Option<&'static str> {
        if siblings(&item.name).iter().any(|sibling| self.show(&item.page, sibling)) {
            return Some("an example on its page uses a sibling of it");
        }
        let is_as_another = item.docs.trim_start().starts_with("As [`");
        if is_as_another && links(&item.docs).take(1).any(|name| self.anywhere_show(name)) {
            return Some("its first words are that it is as another, which is shown");
        }
        if !item.waits() && item.takes_nothing() {
            return Some("it takes nothing and waits for nothing: the call is all there is to see");
        }
        let (_, of) = item.page.rsplit_once("::").unwrap_or_default();
        let is_option = item.output() == format!("&mut {of}") || item.output() == of;
        if is_option && !self.examples[&item.page].is_empty() {
            return Some("an option: the example of its type shows where it stands");
        }
        let getter = item.name.strip_prefix("set_");
        if getter.is_some_and(|getter| self.names.contains(&format!("{}::{getter}", item.page))) {
            return Some("an option, with its getter: a sentence says what it sets");
        }
        let converts = CONVERSIONS.contains(&item.name.as_str());
        converts.then_some("a conversion of one value into another")
    }
}

/// What converts one owner of a descriptor into another.
const CONVERSIONS: [&str; 7] = [
    "from_bits_retain",
    "from_file",
    "from_file_unchecked",
    "from_owned_fd",
    "from_owned_fd_unchecked",
    "from_raw",
    "from_std",
];

/// The names of those whose example serves for this one too: `read` for `try_read_vectored`.
fn siblings(name: &str) -> BTreeSet<String> {
    let name = match name {
        "poll_read_ready" | "poll_recv_ready" | "poll_read_ready_mut" => "readable",
        "poll_write_ready" | "poll_send_ready" | "poll_write_ready_mut" => "writable",
        name => name,
    };
    let mut names = BTreeSet::from([name.to_string()]);
    let stems = ["try_", "poll_", "checked_", "saturating_"];
    names.extend(stems.iter().filter_map(|stem| name.strip_prefix(stem)).map(str::to_string));
    if let Some(rest) = name.strip_prefix("leave_") {
        names.insert(format!("join_{rest}"));
    }
    for base in names.clone() {
        let ends =
            ["_vectored", "_mut", "_addr", "_from", "_to", "_at", "_with_id", "_on", "_matching"];
        names.extend(ends.iter().filter_map(|end| base.strip_suffix(end)).map(str::to_string));
        names.insert(base.replace("_v6", "_v4"));
    }
    names
}

#[test]
fn every_public_item_has_an_example_or_a_reason_not_to() {
    let sources = sources();
    let pages = Pages::of(&sources);
    let items = sources.iter().flat_map(|source| &source.items);
    assert!(items.clone().count() > 800, "it sees only {} items", items.count());
    let without = items.filter(|item| pages.reason(item).is_none());
    let without: Vec<String> =
        without.map(|item| format!("{}: {}", item.place, item.path())).collect();
    assert!(
        without.is_empty(),
        "no example uses these; write one, which stands on the page of its type best:\n{}",
        without.join("\n")
    );
}

#[test]
fn every_reason_is_needed() {
    let sources = sources();
    let pages = Pages::of(&sources);
    for (path, reason) in REASONS {
        let mut items = sources.iter().flat_map(|source| &source.items);
        let item = items.find(|item| item.path() == *path);
        let item = item.unwrap_or_else(|| panic!("{path} is gone"));
        assert_eq!(pages.reason(item), Some(*reason), "{path} needs no reason in the list");
    }
}

#[test]
fn every_public_function_says_how_it_fails_and_what_dropping_it_loses() {
    let sources = sources();
    let mut missing = Vec::new();
    for item in sources.iter().flat_map(|source| &source.items) {
        if item.kind != Kind::Function {
            continue;
        }
        let output = item.output();
        let fails = output.contains("io::Result<") || output.starts_with("Result<");
        // Where the caller is named by a panic, there is one.
        let panics = item.attributes.contains("#[track_caller]")
            && !KNOWS_ITS_CALLER.contains(&item.name.as_str());
        let sections =
            [(item.waits(), "# Cancel safety"), (fails, "# Errors"), (panics, "# Panics")];
        for (is_needed, section) in sections {
            if is_needed && !item.docs.contains(section) {
                missing.push(format!("{}: {} lacks `{section}`", item.place, item.path()));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// What notes where it was called from, and does not panic.
const KNOWS_ITS_CALLER: [&str; 3] = ["spawn", "spawn_on", "spawn_with"];

#[test]
fn every_chapter_is_in_the_guide() {
    let guide = fs::read_to_string(root().join("src/guide.rs")).expect("a file of the tree");
    let mut chapters = 0;
    for entry in fs::read_dir(root().join("docs")).expect("a folder of the tree") {
        let file = entry.expect("an entry").file_name().into_string().expect("a name");
        // The others are pictures of chapters.
        let Some(chapter) = file.strip_suffix(".md") else { continue };
        for line in [
            format!("//! - [`{chapter}`]: "),
            format!("#[doc = include_str!(\"../docs/{file}\")]\n"),
            format!("\npub mod {chapter} {{}}"),
        ] {
            assert!(guide.contains(&line), "src/guide.rs lacks {line:?}");
        }
        chapters += 1;
    }
    assert!(chapters > 1);
}

#[test]
fn no_type_is_public_in_hidden_modules_only() {
    // Of such a type, where another crate makes it public, rustdoc shows no methods.
    for library in ["runtime/src/lib.rs", "net/src/lib.rs"] {
        let text = fs::read_to_string(root().join(library)).expect("a file of the tree");
        let mut hidden = text.split("#[doc(hidden)]").skip(1);
        let next =
            |rest: &str| rest.lines().find(|line| line.starts_with("pub ")).map(str::to_string);
        let wrong = hidden.find_map(|rest| next(rest).filter(|line| line != "pub mod __private {"));
        assert_eq!(wrong, None, "hidden in {library}");
    }
}

#[test]
fn the_programs_that_the_guide_names_are_there() {
    let chapter = fs::read_to_string(root().join("docs/libraries.md")).expect("a chapter");
    let rows =
        chapter.lines().skip_while(|line| !line.contains("programs, in `ecosystem/examples`"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let programs = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit('|').next());
    let names: Vec<&str> = programs.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        let program = root().join("ecosystem/examples").join(name);
        let is_there = program.with_extension("rs").exists() || program.join("main.rs").exists();
        assert!(is_there, "docs/libraries.md names `{name}`, which is not in ecosystem/examples");
    }
}
