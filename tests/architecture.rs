//! Keeps the house in shape: who may use whom, where colours are named, how long a file may grow.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines.
const LONGEST: usize = 700;

/// Which parts a part may use besides itself.
fn allowed(part: &str) -> &'static [&'static str] {
    match part {
        "domain" => &[],
        "jq" => &["domain"],
        "app" => &["domain"],
        "ui" | "term" | "journal" | "config" => &["app", "domain"],
        "net" => &["app", "domain"],
        "intake" | "connect" => &["jq", "net", "app", "domain"],
        "inventory" => &["connect", "net", "app", "domain"],
        "drill" => &["connect", "intake", "app", "domain"],
        "runtime" => &[
            "net",
            "ui",
            "term",
            "intake",
            "connect",
            "journal",
            "inventory",
            "drill",
            "config",
            "app",
            "domain",
        ],
        "cli" => &[
            "runtime",
            "net",
            "ui",
            "term",
            "intake",
            "connect",
            "journal",
            "inventory",
            "drill",
            "config",
            "app",
            "domain",
        ],
        "main" => &["cli"],
        other => {
            panic!("src/{other} is no part of the house; tests/architecture.rs lists the parts")
        }
    }
}

const PARTS: &[&str] = &[
    "domain",
    "jq",
    "net",
    "app",
    "ui",
    "term",
    "intake",
    "connect",
    "journal",
    "inventory",
    "drill",
    "config",
    "runtime",
    "cli",
];

/// What the pure parts may not mention: I/O, clocks, the outside.
const IMPURE: &[&str] = &[
    "tokio::",
    "reqwest::",
    "ratatui::",
    "crossterm::",
    "rusqlite::",
    "axum::",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::io",
    "std::thread",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Uuid::now",
    "getrandom",
];

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Returns every source file: its path below `src`, its part and its text without comments.
fn sources() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let part = name
                .split('/')
                .next()
                .unwrap()
                .trim_end_matches(".rs")
                .to_owned();
            let text = fs::read_to_string(&path).unwrap();
            (name, part, text)
        })
        .filter(|(_, part, _)| part != "lib")
        .collect()
}

fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|l| !l.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Finds every `crate::part` and `stanch::part`, also inside `use crate::{a, b}`.
fn used_parts(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for root in ["crate::", "stanch::"] {
        for (at, _) in text.match_indices(root) {
            let rest = &text[at + root.len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => top_names(group),
                None => vec![first_word(rest)],
            };
            used.extend(names.into_iter().filter(|n| PARTS.contains(&n.as_str())));
        }
    }
    used
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// Returns the first names of a braced group, not those of groups inside it.
fn top_names(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut fresh) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && depth == 0 && c.is_alphabetic() => {
                names.push(first_word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn parts_use_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for (name, part, text) in sources() {
        for used in used_parts(&without_comments(&text)) {
            if used != part && !allowed(&part).contains(&used.as_str()) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn pure_parts_do_no_io_and_read_no_clock() {
    let mut wrong = Vec::new();
    for (name, part, text) in sources()
        .into_iter()
        .filter(|(_, part, _)| part == "domain" || part == "app")
    {
        let text = without_comments(&text);
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        wrong.extend(
            IMPURE
                .iter()
                .filter(|w| code.contains(*w))
                .map(|w| format!("{part}: {name} mentions {w}")),
        );
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn colours_are_named_in_one_place() {
    // What writes a frame down names each to say its number, and chooses none.
    const WRITTEN: [&str; 2] = ["term/encode/pen.rs", "term/encode/tests.rs"];
    let named: Vec<String> = sources()
        .into_iter()
        .filter(|(name, _, text)| {
            let is_place = name.starts_with("ui/theme") || WRITTEN.contains(&name.as_str());
            !is_place && without_comments(text).contains("Color::")
        })
        .map(|(name, _, _)| name)
        .collect();
    assert_eq!(named, Vec::<String>::new());
}

#[test]
fn files_stay_short_and_have_no_mod_rs() {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _, text) in sources() {
        assert!(
            !name.ends_with("mod.rs"),
            "{name}: name the file after the module"
        );
        lines.insert(name, text.lines().count());
    }
    let long: Vec<_> = lines.into_iter().filter(|(_, n)| *n > LONGEST).collect();
    assert_eq!(long, Vec::new());
}

#[test]
fn the_terminal_is_never_asked_anything() {
    // `Terminal::clear` asks for the cursor, and waits two seconds for an answer that the key stream eats.
    let queries = [
        "get_cursor_position",
        "cursor::position",
        "supports_keyboard_enhancement",
        "terminal.clear()",
        "terminal::window_size",
        "ratatui::init",
    ];
    for (name, _, text) in sources() {
        let text = without_comments(&text);
        for query in queries {
            assert!(!text.contains(query), "{name} calls {query}");
        }
    }
}

#[test]
fn groups_of_imports_are_understood() {
    let text =
        "use crate::{app::model::{Model, X}, domain::ids};\nlet x = crate::journal::process();";
    assert_eq!(used_parts(text), ["app", "domain", "journal"]);
}
