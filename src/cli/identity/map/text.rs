//! The map for people.

use std::io::Write;

use super::{Around, MapArgs};
use crate::domain::alert::age;
use crate::domain::graph::{Counts, Joined, Node, NodeIx, NodeState, Path, Walk, Way};
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::Criticality;

/// Most lines of one part; `--json` has all.
const MOST_LINES: usize = 200;

/// Deepest indentation, in levels.
const DEEPEST: usize = 12;

/// Writes the parts that were asked for.
pub fn write(around: &Around, args: &MapArgs, out: &mut dyn Write) -> std::io::Result<()> {
    let look = &around.look;
    let kind = around.look.start.and_then(|at| around.graph.at(at));
    let kind = kind.map_or("", |n| n.kind.as_str());
    writeln!(out, "{}  {kind}", around.start)?;
    for newcomer in &around.born {
        writeln!(out, "{}", newcomer.line(around.now))?;
    }
    if args.wants(args.impact) {
        walk(
            around,
            "if cut off, breaks",
            &look.impact,
            &look.breaks,
            out,
        )?;
    }
    if args.wants(args.exposure) {
        walk(
            around,
            "whoever holds it reaches",
            &look.exposure,
            &look.reaches,
            out,
        )?;
        layers(around, out)?;
    }
    if args.wants(args.siblings) {
        siblings(around, out)?;
        users(around, out)?;
    }
    if args.wants(false) {
        list("ways back in", look.recovery.len(), false, out)?;
        for at in look.recovery.iter().take(MOST_LINES) {
            writeln!(out, "  {}", name(around, *at))?;
        }
    }
    if let Some((to, paths)) = &around.paths {
        if paths.is_empty() {
            writeln!(out, "nothing on the map connects it with {to}")?;
        }
        for (way, path) in paths {
            one_path(around, *way, path, out)?;
        }
    }
    Ok(())
}

fn list(title: &str, n: usize, cut: bool, out: &mut dyn Write) -> std::io::Result<()> {
    match (n, cut) {
        (0, _) => writeln!(out, "{title}: nothing on the map"),
        (n, false) => writeln!(out, "{title} ({n}):"),
        (n, true) => writeln!(out, "{title} ({n} or more; CUT OFF):"),
    }
}

fn more(n: usize, out: &mut dyn Write) -> std::io::Result<()> {
    if n > MOST_LINES {
        writeln!(out, "  and {} more; --json has them", n - MOST_LINES)?;
    }
    Ok(())
}

/// Returns a node's name with what weighs in.
fn name(around: &Around, at: NodeIx) -> String {
    let Some(node) = around.graph.at(at) else {
        return String::new();
    };
    let mut text = format!("{}  {}", show(node.label.raw()), node.kind.as_str());
    for word in words(node) {
        text.push_str("  ");
        text.push_str(word);
    }
    text
}

fn words(node: &Node) -> Vec<&'static str> {
    let mut words = Vec::new();
    words.extend(node.joined.map(Joined::as_str));
    words.extend(match node.criticality {
        Some(Criticality::BusinessCritical) => Some("BUSINESS CRITICAL"),
        Some(Criticality::High) => Some("high"),
        _ => None,
    });
    words.extend(
        node.state
            .filter(|s| *s != NodeState::Enabled)
            .map(NodeState::as_str),
    );
    words
}

fn until(around: &Around, until: Option<jiff::Timestamp>) -> String {
    match until {
        None => String::new(),
        Some(until) if until <= around.now => "  ended".to_owned(),
        Some(until) => format!("  ends in {}", age(around.now, until)),
    }
}

fn walk(
    around: &Around,
    title: &str,
    walk: &Walk,
    counts: &Counts,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    list(title, walk.count(), walk.truncated, out)?;
    if counts.all > 0 {
        let criticality = counts.by_criticality.iter();
        let criticality = criticality.map(|(c, n)| {
            format!(
                "{n} {}",
                c.map_or("unknown", |c| c.as_str()).replace('_', " ")
            )
        });
        let environments = counts.by_environment.iter().take(8);
        let environments = environments
            .map(|(e, n)| format!("{} {n}", show(e.as_ref().map_or("unknown", Untrusted::raw))));
        let criticality: Vec<String> = criticality.collect();
        let environments: Vec<String> = environments.collect();
        writeln!(
            out,
            "  {}; {}",
            criticality.join(", "),
            environments.join(", ")
        )?;
    }
    for branch in walk.branches.iter().take(MOST_LINES) {
        let indent = "  ".repeat((branch.depth as usize).min(DEEPEST));
        let privilege = branch
            .privilege
            .map_or_else(String::new, |p| format!("  {}", p.as_str()));
        let node_ends = around.graph.at(branch.node).and_then(|n| n.ends);
        let end = [branch.until(), node_ends].into_iter().flatten().min();
        writeln!(
            out,
            "{indent}{}, {}{privilege}{}",
            name(around, branch.node),
            branch.how(),
            until(around, end)
        )?;
    }
    more(walk.branches.len(), out)
}

fn layers(around: &Around, out: &mut dyn Write) -> std::io::Result<()> {
    let layers = &around.look.layers;
    list("layers that outlive a cut", layers.len(), false, out)?;
    for row in layers.iter().take(MOST_LINES) {
        let end = match row.until {
            Some(_) => until(around, row.until),
            None => "  no end known".to_owned(),
        };
        writeln!(
            out,
            "  [{}] {}{end}",
            row.layer.as_str(),
            name(around, row.node)
        )?;
    }
    more(layers.len(), out)
}

fn siblings(around: &Around, out: &mut dyn Write) -> std::io::Result<()> {
    let siblings = &around.look.siblings;
    list("siblings", siblings.found.len(), siblings.truncated, out)?;
    for sibling in siblings.found.iter().take(MOST_LINES) {
        let ties: Vec<String> = sibling
            .ties
            .iter()
            .map(|(tie, through)| {
                let label = around
                    .graph
                    .at(through)
                    .map(|n| show(n.label.raw()).into_owned());
                format!("{} {}", tie.as_str(), label.unwrap_or_default())
            })
            .collect();
        writeln!(out, "  {}: {}", name(around, sibling.node), ties.join(", "))?;
    }
    more(siblings.found.len(), out)
}

fn users(around: &Around, out: &mut dyn Write) -> std::io::Result<()> {
    let users = &around.look.users;
    list("used by", users.found.len(), users.truncated, out)?;
    for user in users.found.iter().take(MOST_LINES) {
        let what = match Some(user.what) == around.look.start {
            true => "it".to_owned(),
            false => around
                .graph
                .at(user.what)
                .map_or_else(String::new, |n| show(n.label.raw()).into_owned()),
        };
        writeln!(
            out,
            "  {} {} {what}",
            name(around, user.node),
            user.via.as_str()
        )?;
    }
    more(users.found.len(), out)
}

fn one_path(around: &Around, way: Way, path: &Path, out: &mut dyn Write) -> std::io::Result<()> {
    let label = |at: NodeIx| {
        around
            .graph
            .at(at)
            .map_or_else(String::new, |n| show(n.label.raw()).into_owned())
    };
    let to = path.hops.last().map_or(path.from, |hop| hop.to);
    let (from, to) = (label(path.from), label(to));
    let title = match way {
        Way::Impact => format!("if {from} is cut off, {to} stops"),
        Way::Exposure => format!("whoever holds {from} gets to {to}"),
        Way::Any => format!("{from} and {to} hang together only so"),
    };
    let privilege = path
        .privilege()
        .map_or_else(String::new, |p| format!("  {}", p.as_str()));
    let steps = path.hops.len();
    let s = if steps == 1 { "" } else { "s" };
    writeln!(
        out,
        "{title}: {steps} step{s}{privilege}{}",
        until(around, path.until())
    )?;
    writeln!(out, "  {from}")?;
    for hop in path.hops.iter().take(MOST_LINES) {
        writeln!(out, "  {} {}", hop.how(), label(hop.to))?;
    }
    more(steps, out)
}
