//! The documentation keeps its promises: every public item has an example or a reason not to, and says how it
//! fails and what dropping it loses. By the source text, as rustdoc's own data needs a nightly compiler.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Items that need no example of their own, and why. `page::name`, or `page::*` for all of a page; the page of
/// a method is its type or the macro that writes it, that of any other item is its file.
const REASONS: &[(&str, &str)] = &[];

/// Where the examples are of what a macro writes for many types, or that belongs to a page of its own.
const SHOWN_AT: &[(&str, &str)] = &[];

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
    items: Vec<Item>,
    head: String,
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
    let lines: Vec<&str> = text.lines().collect();
    let head = lines.iter().filter_map(|line| line.strip_prefix("//!"));
    let mut source = Source { items: Vec::new(), head: head.collect::<Vec<_>>().join("\n") };
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
        } else if code.starts_with("#[") || (!attributes.is_empty() && *line == ")]") {
            attributes += code;
            continue;
        } else if code.starts_with("//") {
            continue;
        }
        let rest = lines[number..].join(" ");
        let signature = rest.split(['{', ';']).next().unwrap_or_default().to_string();
        if let Some(implemented) = implements(code, &signature) {
            page = Some(implemented);
        }
        if let Some((kind, name)) =
            public_item(code, is_trait && line.starts_with("    fn "), &attributes)
        {
            let page = page.clone().or(macro_page.clone()).unwrap_or_else(|| file.to_string());
            // The documentation of a type or a trait stands on its own page.
            let page = if kind == Kind::Type { name.clone() } else { page };
            let is_hidden = attributes.contains("doc(hidden)") || name.starts_with("__");
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

/// Why an item is documented well enough, of a family whose example stands elsewhere or needs none.
fn reason(item: &Item, shown: &BTreeMap<String, String>) -> Option<&'static str> {
    let on_page = |name: &str| shown.get(&item.page).is_some_and(|code| uses(code, name));
    if !examples(&item.docs).is_empty() {
        return Some("it has an example");
    }
    if on_page(&item.name) {
        return Some("an example on its page, or in the head of its module, has it");
    }
    if item.kind == Kind::Value {
        return Some("a value: its sentence says all");
    }
    if item.kind == Kind::Function {
        if siblings(&item.name).iter().any(|sibling| on_page(sibling)) {
            return Some("an example on its page has a sibling of it");
        }
        let arguments = item.signature.split_once('(').map_or("", |(_, rest)| rest);
        let (arguments, output) = arguments.split_once(')').unwrap_or((arguments, ""));
        let waits = item.signature.contains("async fn") || output.contains("Future<");
        if !waits && ["", "self", "&self", "&mut self", "mut self"].contains(&arguments.trim()) {
            return Some("it takes nothing and waits for nothing: the call is all there is to see");
        }
        let is_option =
            output.contains(&format!("-> &mut {}", item.page)) || output.contains("-> Self");
        if is_option && shown.get(&item.page).is_some_and(|code| !code.is_empty()) {
            return Some("an option: the example of its type shows where it stands");
        }
        if CONVERSIONS.contains(&item.name.as_str()) {
            return Some("a conversion of one value into another");
        }
    }
    let name = format!("{}::{}", item.page, item.name);
    let all = format!("{}::*", item.page);
    let reason = REASONS.iter().find(|(of, _)| [&name, &all].contains(&&of.to_string()));
    reason.map(|(_, reason)| *reason)
}

/// What converts a descriptor's owner into another.
const CONVERSIONS: [&str; 8] = [
    "from_std",
    "from_owned_fd",
    "from_owned_fd_unchecked",
    "from_file",
    "from_file_unchecked",
    "from_std_stream",
    "from_bits_retain",
    "from_raw",
];

/// The names of those whose example serves for this one too: `read` for `try_read_vectored`.
fn siblings(name: &str) -> Vec<String> {
    let stems = ["try_", "poll_", "set_", "checked_", "saturating_", "leave_", "read_"].iter();
    let mut names: Vec<String> =
        stems.filter_map(|stem| name.strip_prefix(stem)).map(str::to_string).collect();
    names.push(name.to_string());
    let ends = [
        "_vectored",
        "_mut",
        "_addr",
        "_to",
        "_from",
        "_at",
        "_with_id",
        "_on",
        "_with",
        "_matching",
    ];
    for base in names.clone() {
        names.extend(ends.iter().filter_map(|end| base.strip_suffix(end)).map(str::to_string));
    }
    for base in names.clone() {
        names.push(format!("set_{base}"));
        names.push(base.replace("_v6", "_v4"));
    }
    names.extend(
        name.strip_prefix("leave_").map(|rest| format!("join_{rest}").replace("_v6", "_v4")),
    );
    names
}

/// The code of all examples on each page: of the type and its methods, of the heads of the file and its module.
fn shown(sources: &[Source]) -> BTreeMap<String, String> {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for source in sources {
        for item in &source.items {
            let page = shown.entry(item.page.clone()).or_default();
            *page += &examples(&item.docs);
            *page += &examples(&source.head);
        }
    }
    for (page, place) in SHOWN_AT {
        let code = &examples(&fs::read_to_string(root().join(place)).expect("a file of the tree"));
        *shown.get_mut(*page).unwrap_or_else(|| panic!("{page} is not there any more")) += code;
    }
    shown
}

#[test]
fn every_public_item_has_an_example_or_a_reason_not_to() {
    let sources = sources();
    let shown = shown(&sources);
    let items = sources.iter().flat_map(|source| &source.items);
    let without: Vec<String> = items
        .filter(|item| reason(item, &shown).is_none())
        .map(|item| format!("{}: {}::{}", item.place, item.page, item.name))
        .collect();
    assert!(without.is_empty(), "without an example:\n{}\n{}", without.join("\n"), without.len());
}
