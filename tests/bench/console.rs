//! What a key press and an alert cost: `cargo bench --bench console`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use stanch::app::keymap::Keymap;
use stanch::app::keys::Key;
use stanch::app::model::Model;
use stanch::app::msg::Msg;
use stanch::app::update::update;
use stanch::domain::alert::Subject;
use stanch::domain::filter::Filter;
use stanch::domain::ids::AlertId;
use stanch::domain::queue::{Facts, Queue, Row};
use stanch::domain::text::Untrusted;
use stanch::domain::urgency::Standing;
use stanch::domain::vocabulary::{IdentityKind, Severity};
use stanch::drill::Scenario;
use stanch::intake::decode::decode;
use stanch::runtime::services::Services;
use stanch::ui::glyphs::UNICODE;
use stanch::ui::theme::Theme;
use stanch::ui::{Ui, draw};

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

/// Nothing is known of anybody.
fn unknown(_: &Subject) -> Standing {
    Standing::default()
}

fn main() {
    divan::main();
}

fn line(i: usize) -> String {
    format!(
        r#"{{"class_uid":2004,"category_uid":2,"activity_id":1,"type_uid":200401,"time":{},"severity_id":{},"confidence_score":90,"metadata":{{"version":"1.5.0","product":{{"name":"detector","vendor_name":"Lab"}}}},"finding_info":{{"uid":"f-{i}","title":"Token of svc-deploy used from elsewhere","types":["token_replay"]}},"evidences":[{{"actor":{{"user":{{"uid":"svc-deploy","name":"svc-deploy","type_id":4}},"idp":{{"uid":"lab","name":"lab"}}}}}}]}}"#,
        1_794_000_000_000_usize + i,
        1 + i % 5,
    )
}

fn rows(n: usize) -> Vec<Row> {
    let now = Timestamp::UNIX_EPOCH;
    let alert = |i| {
        decode(None, line(i).as_bytes(), "bench", now)
            .unwrap()
            .remove(0)
    };
    (0..n)
        .map(|i| Row {
            alert: alert(i),
            count: 1,
            first_seen: now,
            last_seen: now,
        })
        .collect()
}

fn model(n: usize) -> Model {
    let scenario = Scenario::load(stanch::drill::DEFAULT).unwrap();
    let inventory =
        stanch::inventory::parse(&scenario.inventory_toml(Timestamp::UNIX_EPOCH), "bench").unwrap();
    let mut model = Model {
        inventory: Arc::new(inventory),
        playbooks: Services::shipped_playbooks().unwrap(),
        ..Model::default()
    };
    update(
        &mut model,
        &Keymap::default(),
        Msg::Alerts(rows(n)),
        Timestamp::UNIX_EPOCH,
    );
    model
}

/// One frame at 120×40.
#[divan::bench(args = [100, 10_000, 100_000])]
fn frame(bencher: divan::Bencher, alerts: usize) {
    let model = model(alerts);
    let theme = Theme::named("terminal").unwrap();
    let keymap = Keymap::default();
    let area = Rect::new(0, 0, 120, 40);
    bencher.bench_local(|| {
        let mut buffer = Buffer::empty(area);
        draw(
            &model,
            Ui {
                theme: &theme,
                keymap: &keymap,
                glyphs: &UNICODE,
                now: Timestamp::UNIX_EPOCH,
            },
            area,
            &mut buffer,
        );
        buffer
    });
}

/// Cursor down and up again.
#[divan::bench(args = [100, 10_000, 100_000])]
fn cursor(bencher: divan::Bencher, alerts: usize) {
    let mut model = model(alerts);
    let keymap = Keymap::default();
    bencher.bench_local(|| {
        update(
            &mut model,
            &keymap,
            Msg::Key(Key::char('j')),
            Timestamp::UNIX_EPOCH,
        );
        update(
            &mut model,
            &keymap,
            Msg::Key(Key::char('k')),
            Timestamp::UNIX_EPOCH,
        )
    });
}

/// One OCSF finding from bytes to an alert.
#[divan::bench]
fn decode_finding(bencher: divan::Bencher) {
    let line = line(7);
    bencher.bench(|| decode(None, line.as_bytes(), "bench", Timestamp::UNIX_EPOCH));
}

/// A million alerts with as many titles, from which few identities stand out.
fn million() -> &'static Queue {
    static QUEUE: OnceLock<Queue> = OnceLock::new();
    QUEUE.get_or_init(|| {
        let mut queue = Queue::default();
        let mut template = rows(1).remove(0);
        for i in 0..1_000_000_i64 {
            let alert = Arc::make_mut(&mut template.alert);
            alert.id = AlertId::new(format!("siem/{:016x}", i * 7_919));
            alert.title = Untrusted::from(
                format!(
                    "Token of svc-{:05} used from 10.{}.{}.1 in run {i}",
                    i % 20_011,
                    i % 251,
                    i % 13
                )
                .as_str(),
            );
            alert.time = Timestamp::from_second(1_794_000_000 + i / 50).ok();
            alert.severity = Severity::ALL.get(i as usize % 5).copied();
            alert.subject = Some(Subject {
                provider: Untrusted::from("sso"),
                native_id: Untrusted::from(format!("svc-{:05}", i % 20_011).as_str()),
                kind: IdentityKind::ServiceAccount,
                name: None,
            });
            queue.take([&template], i % 1_000 == 0, &unknown);
        }
        queue.take_in_waiting();
        queue
    })
}

/// From a typed character to the rows shown, over a million alerts.
#[divan::bench(args = ["t", "svc-01", "run 99999", "sev>=high", "sev>=high -svc-0 10.7.", "nothing at all", "key~svc-0001*"])]
fn filter(bencher: divan::Bencher, text: &str) {
    let mut queue = million().clone();
    let filter = Filter::parse(text).unwrap();
    bencher.bench_local(|| {
        let facts = Facts {
            identity: &|_| None,
            states: HashMap::new(),
            analysts: HashMap::new(),
            now: 1_794_100_000,
        };
        queue.set_filter(&filter, facts);
        while queue.look_on() {}
        queue.len()
    });
}

/// A thousand new alerts beside a million, taken in. A copy of a queue has no room beyond what it holds, so that the
/// first alerts after copying move all of it; that is done before the clock runs.
#[divan::bench]
fn take_a_thousand(bencher: divan::Bencher) {
    let rows = rows(2_000);
    let (before, rows) = rows.split_at(1_000);
    bencher
        .with_inputs(|| {
            let mut queue = million().clone();
            queue.take(before, true, &unknown);
            queue
        })
        .bench_local_values(|mut queue| {
            queue.take(rows, true, &unknown);
            queue
        });
}

/// What a million alerts take in memory, beside how fast they are put there.
#[divan::bench(sample_count = 1)]
fn copy_a_million(bencher: divan::Bencher) {
    bencher.bench_local(|| million().clone());
}
