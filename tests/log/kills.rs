//! T6: kill -9 between intent and outcome. T8: two consoles run one plan at the same moment. Hundreds of rounds each.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::provider::{Asked, Provider, World};

const PATIENCE: Duration = Duration::from_secs(30);

/// A few by default, so that `cargo test` stays short; the checks before a change lands ask for hundreds.
fn rounds() -> usize {
    let rounds = std::env::var("STANCH_ACT_ROUNDS").ok();
    rounds.and_then(|n| n.parse().ok()).unwrap_or(16)
}

fn text<'v>(record: &'v Value, field: &str) -> &'v str {
    record[field].as_str().unwrap_or_default()
}

/// When a console is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// As soon as the intent is in the log; the request may have left or not.
    Intent,
    /// When the request arrived, which gets no answer.
    Arrival,
    /// When the answer left; the outcome may be in the log or not.
    Answer,
    /// When the provider was asked whether the act took effect.
    ReadBack,
}

const MOMENTS: [Moment; 4] = [
    Moment::Intent,
    Moment::Arrival,
    Moment::Answer,
    Moment::ReadBack,
];

fn intents_in(world: &World) -> usize {
    let logs = world.store().join("logs");
    let mut count = 0;
    for host in std::fs::read_dir(logs).unwrap().flatten() {
        for user in std::fs::read_dir(host.path()).unwrap().flatten() {
            let segment = user.path().join("00000000000000000000.jsonl");
            let bytes = std::fs::read(segment).unwrap();
            count += memchr::memmem::find_iter(&bytes, b"\"type\":\"intent\"").count();
        }
    }
    count
}

fn wait_for(provider: &Provider, what: Asked) {
    while provider
        .asked
        .recv_timeout(PATIENCE)
        .expect("the console never asked")
        != what
    {}
}

fn kill_rounds(half: usize) -> (usize, usize, usize) {
    let count = rounds() / 2;
    let provider = Provider::start();
    let world = World::new(provider.port, count);
    for n in 0..count {
        let moment = MOMENTS[(n + half) % 4];
        let digest = world.plan(n);
        let speaks = matches!(moment, Moment::Answer | Moment::ReadBack);
        provider.answers.store(speaks, Ordering::SeqCst);
        while provider.asked.try_recv().is_ok() {}
        let (calls, known) = (provider.revocations(), intents_in(&world));
        let mut console = world.spawn(&["contain", &digest]);
        match moment {
            Moment::Intent => {
                while intents_in(&world) == known && console.try_wait().unwrap().is_none() {
                    std::thread::yield_now();
                }
            }
            Moment::Arrival => wait_for(&provider, Asked::Revoke),
            Moment::Answer => wait_for(&provider, Asked::Answered),
            Moment::ReadBack => {
                wait_for(&provider, Asked::Answered);
                wait_for(&provider, Asked::Introspect);
            }
        }
        console.kill().unwrap();
        console.wait().unwrap();
        assert!(provider.revocations() <= calls + 1, "round {n} {moment:?}");
        assert!(intents_in(&world) > known, "round {n} {moment:?}");
    }

    let (code, out, err) = world.run(&["log", "verify"]);
    assert_eq!(code, 0, "{out}{err}");
    let intents = world.shown(&["--type", "intent"]);
    let outcomes = world.shown(&["--type", "outcome"]);
    let unknown = world.shown(&["--unknown"]);
    let known: BTreeSet<&str> = outcomes.iter().map(|o| text(o, "intent")).collect();
    let orphans: BTreeSet<&str> = intents
        .iter()
        .map(|i| text(i, "intent"))
        .filter(|i| !known.contains(i))
        .collect();
    let shown: Vec<&str> = unknown.iter().map(|u| text(u, "intent")).collect();
    for orphan in &orphans {
        let times = shown.iter().filter(|s| s == &orphan).count();
        assert_eq!(
            times, 1,
            "the act {orphan} has no outcome and shows as unknown {times} times"
        );
    }
    let sent = intents
        .iter()
        .filter(|i| text(i, "verb") == "revoke_tokens")
        .count();
    assert!(
        provider.revocations() <= sent,
        "{} calls, {sent} intents",
        provider.revocations()
    );
    // Looking sends nothing again.
    let before = provider.revocations();
    let digest = text(&intents[0], "digest");
    assert_eq!(world.run(&["contain", digest]).0, 4);
    assert_eq!(provider.revocations(), before);
    (count, provider.revocations(), orphans.len())
}

#[test]
fn no_call_without_an_intent_and_no_lost_act_unseen() {
    let lots = std::thread::scope(|scope| {
        let both = [0, 1].map(|half| scope.spawn(move || kill_rounds(half)));
        both.map(|thread| thread.join().unwrap())
    });
    let [(a, calls_a, orphans_a), (b, calls_b, orphans_b)] = lots;
    println!(
        "{} kills between intent and outcome, {} calls, {} acts left unknown",
        a + b,
        calls_a + calls_b,
        orphans_a + orphans_b
    );
    assert!(
        orphans_a + orphans_b >= (a + b) / 4,
        "the kills came too late to mean anything"
    );
}

#[test]
fn one_plan_begun_by_two_consoles_at_once_runs_once_every_time() {
    let count = rounds();
    let provider = Provider::start();
    let world = World::new(provider.port, count);
    provider.obeys.store(true, Ordering::SeqCst);
    for n in 0..count {
        provider.active.store(true, Ordering::SeqCst);
        let digest = world.plan(n);
        let calls = provider.revocations();
        let mut both = [0, 1].map(|_| world.spawn(&["contain", &digest]));
        let mut codes = both.each_mut().map(|c| c.wait().unwrap().code().unwrap());
        codes.sort_unstable();
        assert_eq!(codes, [0, 4], "round {n}");
        assert_eq!(provider.revocations(), calls + 1, "round {n}");
    }
    let intents = world.shown(&["--type", "intent"]);
    let sent: Vec<&str> = intents
        .iter()
        .filter(|i| text(i, "verb") == "revoke_tokens")
        .map(|i| text(i, "digest"))
        .collect();
    let plans: BTreeSet<&&str> = sent.iter().collect();
    assert_eq!((sent.len(), plans.len()), (count, count));
    println!("{count} races, {count} intents");
}
