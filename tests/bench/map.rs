//! What the dependency map costs at 100,000 nodes and a million edges: `cargo bench --bench map`.

use std::sync::OnceLock;

use stanch::domain::graph::{Edge, EdgeKind, Graph, Limits, Look, Node, NodeKind, Privilege, Way};
use stanch::domain::ids::NodeId;
use stanch::domain::vocabulary::Criticality;

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

const NODES: u32 = 100_000;
const EDGES: u32 = 1_000_000;

fn main() {
    divan::main();
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as u32 % end
    }
}

fn id(n: u32) -> NodeId {
    NodeId::new(format!("lab:svc-{n:06}"))
}

fn described(graph: &mut Graph) {
    for n in 0..NODES {
        let kind = NodeKind::ALL[n as usize % 12];
        graph.add_node(Node {
            criticality: Criticality::ALL.get(n as usize % 7).copied(),
            environment: Some(["production", "staging", "test"][n as usize % 3].into()),
            owner: Some("Platform team".into()),
            ..Node::new(id(n), kind, format!("service {n}").as_str())
        });
    }
}

/// Everybody hangs on everybody: a walk from any node comes to nearly all and looks at nearly every edge.
fn tangled() -> Graph {
    let mut graph = Graph::default();
    described(&mut graph);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..EDGES {
        let (from, to) = (numbers.below(NODES), numbers.below(NODES));
        let kind = match numbers.below(10) {
            0..4 => EdgeKind::DependsOn,
            4..8 => EdgeKind::CanReach,
            8 => EdgeKind::Holds,
            _ => EdgeKind::StoredIn,
        };
        let privilege = match numbers.below(4) {
            0 => Some(Privilege::Read),
            1 => Some(Privilege::Write),
            2 => Some(Privilege::Admin),
            _ => None,
        };
        graph.add(Edge {
            privilege,
            ..Edge::new(id(from), kind, id(to))
        });
    }
    graph.seal();
    graph
}

/// Everybody needs one, keeps a secret in one store, and that one reaches everybody.
fn hub() -> Graph {
    let mut graph = Graph::default();
    described(&mut graph);
    for n in 1..NODES {
        graph.add_edge(id(n), EdgeKind::DependsOn, id(0));
        graph.add_edge(id(0), EdgeKind::CanReach, id(n));
        graph.add_edge(id(n), EdgeKind::StoredIn, NodeId::new("vault"));
    }
    graph.add_edge(id(0), EdgeKind::StoredIn, NodeId::new("vault"));
    graph.seal();
    graph
}

fn graph(shape: &str) -> &'static Graph {
    static TANGLED: OnceLock<Graph> = OnceLock::new();
    static HUB: OnceLock<Graph> = OnceLock::new();
    static LIVE: OnceLock<Graph> = OnceLock::new();
    match shape {
        "hub" => HUB.get_or_init(hub),
        "live" => LIVE.get_or_init(|| live(graph("tangled"))),
        _ => TANGLED.get_or_init(tangled),
    }
}

/// What a provider says now on a copy of a map.
fn live(graph: &Graph) -> Graph {
    let mut copy = graph.clone();
    copy.add_node(Node::new(id(0), NodeKind::Identity, "described anew"));
    for n in 0..20 {
        let session = NodeId::new(format!("session:{n}"));
        copy.add_node(Node::new(session.clone(), NodeKind::Session, "token"));
        copy.add_edge(id(0), EdgeKind::Holds, session);
    }
    copy
}

const SHAPES: [&str; 3] = ["tangled", "hub", "live"];

/// Who breaks.
#[divan::bench(args = SHAPES)]
fn impact(bencher: divan::Bencher, shape: &str) {
    let graph = graph(shape);
    bencher.bench_local(|| graph.impact(&id(0)));
}

/// What is reachable, with what each way lets do.
#[divan::bench(args = SHAPES)]
fn exposure(bencher: divan::Bencher, shape: &str) {
    let graph = graph(shape);
    bencher.bench_local(|| graph.exposure(&id(0)));
}

/// The slowest of a thousand nodes, each asked once.
#[divan::bench(sample_count = 1, sample_size = 1)]
fn slowest_of_a_thousand() {
    let graph = graph("tangled");
    let slowest = |walk: &dyn Fn(&NodeId)| {
        let once = |n: u32| {
            let begin = std::time::Instant::now();
            walk(&id(n * 97));
            begin.elapsed()
        };
        // The fastest of three: what else the machine did meanwhile says nothing about a node.
        let time = |n: u32| (0..3).map(|_| once(n)).min();
        (0..1_000).filter_map(time).max()
    };
    let impact = slowest(&|id| drop(divan::black_box(graph.impact(id))));
    let exposure = slowest(&|id| drop(divan::black_box(graph.exposure(id))));
    println!("slowest impact {impact:?}, slowest exposure {exposure:?}");
}

/// Everything the map's screen needs.
#[divan::bench(args = SHAPES)]
fn look(bencher: divan::Bencher, shape: &str) {
    let graph = graph(shape);
    bencher.bench_local(|| Look::at(graph, &id(0), Limits::FULL));
}

/// What the selection of an alert costs in the same frame.
#[divan::bench(args = SHAPES)]
fn look_at_once(bencher: divan::Bencher, shape: &str) {
    let graph = graph(shape);
    bencher.bench_local(|| Look::at(graph, &id(0), Limits::AT_ONCE));
}

/// The shortest way between two nodes.
#[divan::bench(args = SHAPES)]
fn path(bencher: divan::Bencher, shape: &str) {
    let graph = graph(shape);
    bencher.bench_local(|| graph.path(&id(0), &id(NODES - 1), Way::Exposure));
}

/// Who shares a store with a hundred thousand others.
#[divan::bench(args = SHAPES)]
fn siblings(bencher: divan::Bencher, shape: &str) {
    let graph = graph(shape);
    bencher.bench_local(|| graph.siblings(&id(0)));
}

/// What a provider says now joins a copy of the map.
#[divan::bench]
fn copy_with_live_nodes(bencher: divan::Bencher) {
    let graph = graph("tangled");
    bencher.bench_local(|| live(graph));
}

/// Filling and sealing; what stays allocated is what the map takes in memory.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn build() -> Graph {
    tangled()
}
