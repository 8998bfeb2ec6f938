//! The map as stable JSON.

use std::io::Write;

use serde_json::{Value, json};

use super::{Around, MapArgs};
use crate::domain::graph::{Counts, Hop, Node, NodeIx, Path, Walk, Way};
use crate::domain::text::Untrusted;

/// Writes one object.
pub fn write(around: &Around, args: &MapArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut object = json!({ "node": node(around, around.look.start) });
    let look = &around.look;
    if args.wants(args.impact) {
        object["impact"] = walk(around, &look.impact, &look.breaks);
    }
    if args.wants(args.exposure) {
        object["exposure"] = walk(around, &look.exposure, &look.reaches);
        object["layers"] = layers(around);
    }
    if args.wants(args.siblings) {
        object["siblings"] = siblings(around);
        object["used_by"] = users(around);
    }
    if let Some((to, paths)) = &around.paths {
        object["path_to"] = json!(to.as_str());
        object["paths"] = paths
            .iter()
            .map(|(way, path)| one_path(around, *way, path))
            .collect();
    }
    if args.wants(false) {
        let recovery = look.recovery.iter();
        object["recovery"] = recovery.map(|at| node(around, Some(*at))).collect();
    }
    object["born_in_window"] = json!(around.born);
    writeln!(out, "{object}")?;
    Ok(())
}

fn id(around: &Around, at: NodeIx) -> Value {
    around
        .graph
        .at(at)
        .map_or(Value::Null, |n| json!(n.id.as_str()))
}

fn node(around: &Around, at: Option<NodeIx>) -> Value {
    at.and_then(|at| around.graph.at(at))
        .map_or(Value::Null, described)
}

fn described(node: &Node) -> Value {
    json!({
        "id": node.id.as_str(), "kind": node.kind, "label": node.label, "criticality": node.criticality,
        "environment": node.environment, "owner": node.owner, "state": node.state, "ends": node.ends, "joined": node.joined,
    })
}

fn walk(around: &Around, walk: &Walk, counts: &Counts) -> Value {
    let branch = |b: &crate::domain::graph::Branch| {
        let parent = b.parent.and_then(|at| walk.branches.get(at as usize));
        let mut row = node(around, Some(b.node));
        row["depth"] = json!(b.depth);
        row["from"] = parent.map_or_else(|| json!(around.start.as_str()), |p| id(around, p.node));
        row["edge"] = json!(b.via);
        row["forward"] = json!(b.forward);
        row["privilege"] = json!(b.privilege);
        row["until"] = json!(b.until());
        row["counted"] = json!(!b.aside);
        row
    };
    let by_environment: serde_json::Map<String, Value> = counts
        .by_environment
        .iter()
        .map(|(name, n)| {
            (
                name.as_ref().map_or("unknown", Untrusted::raw).to_owned(),
                json!(n),
            )
        })
        .collect();
    let by_criticality: serde_json::Map<String, Value> = counts
        .by_criticality
        .iter()
        .map(|(c, n)| (c.map_or("unknown", |c| c.as_str()).to_owned(), json!(n)))
        .collect();
    json!({
        "count": walk.count(), "truncated": walk.truncated, "by_criticality": by_criticality,
        "by_environment": by_environment, "nodes": walk.branches.iter().map(branch).collect::<Vec<_>>(),
    })
}

fn layers(around: &Around) -> Value {
    let row = |row: &crate::domain::graph::LayerRow| {
        let mut value = node(around, Some(row.node));
        value["layer"] = json!(row.layer);
        value["until"] = json!(row.until);
        value
    };
    around.look.layers.iter().map(row).collect()
}

fn siblings(around: &Around) -> Value {
    let row = |sibling: &crate::domain::graph::Sibling| {
        let ties = sibling.ties.iter();
        let ties: Vec<Value> = ties
            .map(|(tie, through)| json!({ "shares": tie, "through": id(around, through) }))
            .collect();
        let mut value = node(around, Some(sibling.node));
        value["ties"] = json!(ties);
        value
    };
    let found = &around.look.siblings;
    json!({ "truncated": found.truncated, "nodes": found.found.iter().map(row).collect::<Vec<_>>() })
}

fn users(around: &Around) -> Value {
    let row = |user: &crate::domain::graph::User| {
        let mut value = node(around, Some(user.node));
        value["edge"] = json!(user.via);
        value["uses"] = id(around, user.what);
        value
    };
    let found = &around.look.users;
    json!({ "truncated": found.truncated, "nodes": found.found.iter().map(row).collect::<Vec<_>>() })
}

fn one_path(around: &Around, way: Way, path: &Path) -> Value {
    let hop = |hop: &Hop| {
        json!({
            "to": id(around, hop.to), "edge": hop.via, "forward": hop.forward,
            "privilege": hop.privilege, "until": hop.until(),
        })
    };
    json!({
        "way": way, "from": id(around, path.from), "privilege": path.privilege(), "until": path.until(),
        "hops": path.hops.iter().map(hop).collect::<Vec<_>>(),
    })
}
