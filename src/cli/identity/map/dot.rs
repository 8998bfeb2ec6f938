//! The map for Graphviz (<https://graphviz.org/doc/info/lang.html>). Names of nodes are numbers; everything from outside
//! stands in quoted labels, where a backslash begins an escape, and `&` an entity.

use std::collections::BTreeSet;
use std::io::Write;

use super::{Around, MapArgs};
use crate::domain::graph::{AccessLayer, Joined, Node, NodeIx, NodeKind, Path, Walk};
use crate::domain::text::{fit, show};
use crate::domain::vocabulary::Criticality;

/// Most nodes drawn: more is no picture, and Graphviz would work for minutes on it.
const MOST_NODES: usize = 2_000;

/// Longest label, in terminal cells.
const LONGEST: usize = 80;

/// Writes one digraph with everything that was asked for.
pub fn write(around: &Around, args: &MapArgs, out: &mut dyn Write) -> std::io::Result<()> {
    let mut picture = Picture {
        around,
        nodes: BTreeSet::new(),
        edges: Vec::new(),
        cut: false,
    };
    let look = &around.look;
    let Some(start) = look.start else {
        return Ok(());
    };
    picture.node(start);
    if let Some((_, paths)) = &around.paths {
        for (_, path) in paths {
            picture.path(path);
        }
    }
    if args.wants(args.impact) {
        picture.walk(start, &look.impact, "breaks");
    }
    if args.wants(args.exposure) {
        picture.walk(start, &look.exposure, "reached");
    }
    if args.wants(args.siblings) {
        for sibling in &look.siblings.found {
            for (tie, through) in sibling.ties.iter() {
                picture.edge(sibling.node, through, tie.as_str(), "sibling");
            }
        }
    }
    picture.write(start, out)
}

struct Picture<'a> {
    around: &'a Around,
    nodes: BTreeSet<NodeIx>,
    edges: Vec<(NodeIx, NodeIx, String, &'static str)>,
    cut: bool,
}

impl Picture<'_> {
    fn node(&mut self, node: NodeIx) -> bool {
        if self.nodes.len() >= MOST_NODES && !self.nodes.contains(&node) {
            self.cut = true;
            return false;
        }
        self.nodes.insert(node);
        true
    }

    fn edge(&mut self, from: NodeIx, to: NodeIx, label: &str, class: &'static str) {
        if self.node(from) && self.node(to) {
            let edge = (from, to, label.to_owned(), class);
            if !self.edges.contains(&edge) {
                self.edges.push(edge);
            }
        }
    }

    fn walk(&mut self, start: NodeIx, walk: &Walk, class: &'static str) {
        self.cut |= walk.truncated;
        for branch in walk.branches.iter().take(MOST_NODES) {
            let above = branch.parent.and_then(|at| walk.branches.get(at as usize));
            let above = above.map_or(start, |b| b.node);
            let privilege = branch
                .privilege
                .map_or_else(String::new, |p| format!(", {}", p.as_str()));
            let label = format!("{}{privilege}", branch.via.as_str());
            let (from, to) = match branch.forward {
                true => (above, branch.node),
                false => (branch.node, above),
            };
            self.edge(from, to, &label, class);
        }
        self.cut |= walk.branches.len() > MOST_NODES;
    }

    fn path(&mut self, path: &Path) {
        let mut at = path.from;
        for hop in path.hops.iter().take(MOST_NODES) {
            let (from, to) = if hop.forward {
                (at, hop.to)
            } else {
                (hop.to, at)
            };
            self.edge(from, to, hop.via.as_str(), "path");
            at = hop.to;
        }
    }

    fn write(&self, start: NodeIx, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "digraph map {{")?;
        writeln!(out, "  rankdir=LR;")?;
        writeln!(
            out,
            "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];"
        )?;
        writeln!(out, "  edge [fontname=\"sans-serif\", fontsize=10];")?;
        if self.cut {
            writeln!(out, "  label=\"cut off: the map has more than is drawn\";")?;
        }
        let number = |node: &NodeIx| self.nodes.iter().position(|n| n == node).unwrap_or(0);
        for (at, ix) in self.nodes.iter().enumerate() {
            if let Some(node) = self.around.graph.at(*ix) {
                writeln!(out, "  n{at} [{}];", attributes(node, *ix == start))?;
            }
        }
        for (from, to, label, class) in &self.edges {
            let style = match *class {
                "breaks" => "color=\"firebrick\"",
                "sibling" => "style=dashed, dir=none",
                _ => "color=\"steelblue\"",
            };
            writeln!(
                out,
                "  n{} -> n{} [label={}, {style}];",
                number(from),
                number(to),
                quoted(label)
            )?;
        }
        writeln!(out, "}}")
    }
}

fn attributes(node: &Node, is_start: bool) -> String {
    let name = fit(&show(node.label.raw()), LONGEST, "...");
    let mut lines = vec![name, node.kind.as_str().to_owned()];
    if node.criticality == Some(Criticality::BusinessCritical) {
        lines.push("BUSINESS CRITICAL".to_owned());
    }
    lines.extend(
        node.environment
            .as_ref()
            .map(|e| fit(&show(e.raw()), LONGEST, "...")),
    );
    lines.extend(node.state.map(|s| s.as_str().to_owned()));
    lines.extend(node.joined.map(|j| j.as_str().to_owned()));
    // Each line is quoted on its own, so that only the break between them is an escape.
    let label: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    let colour = match (node.joined, node.kind) {
        (Some(Joined::Born), _) => "lightpink",
        _ if is_start => "gold",
        (_, NodeKind::Identity) => "lightblue",
        (_, NodeKind::RecoveryPath) => "palegreen",
        (_, kind) if AccessLayer::of(kind, crate::domain::graph::EdgeKind::Holds).is_some() => {
            "lavender"
        }
        _ => "white",
    };
    let bold = if is_start { ", penwidth=2" } else { "" };
    format!("label=\"{}\", fillcolor={colour}{bold}", label.join("\\n"))
}

/// Returns text as a quoted string of the DOT language that shows exactly this text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Escapes shown text for the inside of a quoted label. A backslash would begin an escape (`\N` is the node's name), and `&`
/// an entity, which Graphviz resolves also outside of HTML-like labels.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in show_again(text).chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '&' => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

/// Drops what no shown text has: a second look costs nothing.
fn show_again(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// Reads the inside of a quoted label as Graphviz does; `None` where it would end early or mean something else.
    fn read(inside: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = inside.chars();
        while let Some(c) = rest.next() {
            match c {
                '"' => return None,
                '\\' => match rest.next()? {
                    escaped @ ('"' | '\\') => out.push(escaped),
                    _ => return None,
                },
                '&' => {
                    let entity = rest.as_str().strip_prefix("amp;")?;
                    rest = entity.chars();
                    out.push('&');
                }
                c if c.is_control() => return None,
                c => out.push(c),
            }
        }
        Some(out)
    }

    #[rstest]
    #[case("plain", "plain")]
    #[case("a\"];evil [b", "a\\\"];evil [b")]
    #[case("\\N \\\"", "\\\\N \\\\\\\"")]
    #[case("&lt;b&gt;", "&amp;lt;b&amp;gt;")]
    fn escapes(#[case] text: &str, #[case] want: &str) {
        assert_eq!(escaped(text), want);
    }

    proptest! {
        #[test]
        fn whatever_a_label_holds_it_shows_just_that(text in ".*") {
            let shown = show(&text);
            prop_assert_eq!(read(&escaped(&shown)), Some(shown.into_owned()));
        }
    }
}
