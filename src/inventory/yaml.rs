//! YAML: catalogs as they lie in repositories (`catalog-info.yaml`), many documents in a file, and `kubectl get -o yaml`.
//!
//! Each document is parsed alone, so that one that is broken costs nothing but itself, and with bounds on what aliases may
//! grow to: nine lines of aliases of aliases come to a billion entries.

use serde_json::Value;
use serde_saphyr::{Error, Options};

use super::reading::Reading;
use crate::domain::inventory::Loss;

/// Most bytes of one document; Backstage's own limit of an entity is far below.
const LONGEST: usize = 4 << 20;

/// Most documents of one source.
const MOST: usize = 200_000;

/// One document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Document<'t> {
    text: &'t str,
    /// The line in which it begins, counted from 1.
    line: usize,
}

/// Reads all documents and hands each on as JSON in one line, with the line in which it begins.
pub(super) fn read(
    reading: &mut Reading,
    text: &str,
    mut take: impl FnMut(&mut Reading, usize, &str),
) {
    let (mut good, mut lost) = (0_usize, None);
    for (at, document) in documents(text).enumerate() {
        if at >= MOST {
            let problem = format!("more than {MOST} documents; the rest is not read");
            reading.mistake(document.line, problem, Loss::Entry);
            break;
        }
        match parsed(document) {
            Ok(Value::Null) => {}
            Ok(value) => {
                good += 1;
                take(reading, document.line, &value.to_string());
            }
            Err((line, problem)) => {
                // What the first was is told once it is known whether anything is left.
                if let Some((line, problem)) = lost.replace((line, problem)) {
                    reading.mistake(line, problem, Loss::Entry);
                }
            }
        }
    }
    if let Some((line, problem)) = lost {
        let loss = if good == 0 { Loss::Source } else { Loss::Entry };
        reading.mistake(line, problem, loss);
    }
}

/// Tells YAML by how it begins, where no name tells.
pub(super) fn is_yaml(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| {
        line == "---"
            || line.starts_with("--- ")
            || ["apiVersion:", "kind:", "metadata:"]
                .iter()
                .any(|key| line.starts_with(key))
    })
}

/// Splits at the markers, which stand alone at the beginning of a line wherever they are markers (YAML 1.2.2, 9.1.2).
fn documents(text: &str) -> impl Iterator<Item = Document<'_>> {
    let mut begin = 0;
    let (mut first, mut line, mut at) = (1, 1, 0);
    let mut all = Vec::new();
    for one in text.split_inclusive('\n') {
        let bare = one.trim_end();
        let is_marker = bare == "---" || bare.starts_with("--- ") || bare.starts_with("---\t");
        if is_marker && at > begin {
            all.push((begin..at, first));
            (begin, first) = (at, line);
        }
        at += one.len();
        line += 1;
    }
    all.push((begin..at, first));
    let document = |(range, line): (std::ops::Range<usize>, usize)| {
        let text = text.get(range)?;
        let says = |line: &str| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#') && line != "---" && line != "..."
        };
        text.lines().any(says).then_some(Document { text, line })
    };
    all.into_iter().filter_map(document)
}

fn parsed(document: Document<'_>) -> Result<Value, (usize, String)> {
    if document.text.len() > LONGEST {
        let problem = format!("a document of more than {} MiB", LONGEST >> 20);
        return Err((document.line, problem));
    }
    serde_saphyr::from_str_with_options(document.text, bounds()).map_err(|error| {
        let within = error.location().map_or(1, |at| at.line() as usize);
        (document.line + within.saturating_sub(1), explain(&error))
    })
}

fn bounds() -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 400_000,
            max_nodes: 100_000,
            max_depth: 64,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 100_000,
            max_documents: 2,
            max_total_scalar_bytes: LONGEST,
            max_merge_keys: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 16,
        },
    }
}

/// Says what is wrong, without the place, which stands before it and counts from the beginning of the file.
fn explain(error: &Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let place = first.find(" at line ").unwrap_or(first.len());
    format!("is no YAML that can be read: {}", &first[..place])
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use rstest::rstest;

    use super::*;

    #[test]
    fn documents_begin_at_markers_and_know_their_lines() {
        let text = "# of the team\n---\na: 1\n---\n# nothing\n--- # said\nb: |\n  x\n  --- no marker\n...\n---\n";
        let found: Vec<(usize, &str)> = documents(text).map(|d| (d.line, d.text)).collect();
        assert_eq!(
            found,
            [
                (2, "---\na: 1\n"),
                (6, "--- # said\nb: |\n  x\n  --- no marker\n...\n")
            ]
        );
    }

    #[rstest]
    #[case("a: [1\n", 1)]
    #[case("---\na: 1\na: 2\n", 3)]
    #[case("a: 1\nb: 2: 3\n", 2)]
    #[case("a: *nobody\n", 1)]
    fn what_is_wrong_has_its_line(#[case] text: &str, #[case] line: usize) {
        let document = Document { text, line: 1 };
        let (found, problem) = parsed(document).unwrap_err();
        assert_eq!(found, line, "{problem}");
        assert!(!problem.contains("line"), "{problem}");
    }

    #[test]
    fn aliases_of_aliases_come_to_an_end() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let before = format!("*a{}", n - 1);
            let all = vec![before; 10].join(", ");
            writeln!(text, "a{n}: &a{n} [{all}]").unwrap();
        }
        assert!(
            parsed(Document {
                text: &text,
                line: 1
            })
            .is_err()
        );
        let deep = "[".repeat(10_000);
        assert!(
            parsed(Document {
                text: &deep,
                line: 1
            })
            .is_err()
        );
        let mut nested = String::new();
        for n in 0..5_000 {
            nested.push_str(&" ".repeat(n));
            nested.push_str("a:\n");
        }
        assert!(
            parsed(Document {
                text: &nested,
                line: 1
            })
            .is_err()
        );
    }

    #[test]
    fn an_alias_as_people_write_it_is_followed() {
        let text = "owner: &team payments\nspec:\n  owner: *team\n";
        let value = parsed(Document { text, line: 1 }).unwrap();
        assert_eq!(value["spec"]["owner"], "payments");
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in "(?s).{0,200}|[-:&*\\[\\]{}|> a\n]{0,200}") {
            for document in documents(&text) {
                let _ = parsed(document);
            }
        }
    }
}
