//! kill -9 of `stanch serve` while a file, a webhook, a folder and an API feed it: nothing that was acknowledged is missing,
//! and nothing is there twice.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::desk::{Desk, finding};
use super::served::{Served, free_address, secret};

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// The API: a list that grows, asked for by time and count.
const API: &str = "title = 'Growing list'\ndoc = 'https://example.org/'\nevery_s = 1\noverlap_s = 3\n\
    [request]\npath = '/items'\nquery = { since = '{since_ms}', first = '{offset}' }\n\
    [answer]\nitems = '.items'\ntime = '.time'\n[paging]\nkind = 'offset'\nsize = 20\n";

/// What everybody who feeds shares.
#[derive(Default)]
struct Feed {
    is_over: AtomicBool,
    acknowledged: AtomicUsize,
    hooked: Mutex<Vec<String>>,
    filed: Mutex<Vec<String>>,
    dropped: Mutex<Vec<String>>,
    listed: Mutex<Vec<Value>>,
}

impl Feed {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }
}

/// Posts once; tells whether it was acknowledged.
fn post(address: &str, body: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let text = format!(
        "POST /hooks/hook HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer hook-secret-0123\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    stream.write_all(text.as_bytes()).is_ok()
        && stream.read_to_end(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.1 200 ")
}

fn post_all(feed: &Feed, address: &str, sender: usize) {
    for n in 0.. {
        let id = format!("h-{sender}-{n}");
        let body = finding(&id, "svc-hook");
        // As senders do: the same again until it is acknowledged.
        while !post(address, &body) {
            if !feed.goes_on() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        feed.hooked.lock().unwrap().push(id);
        feed.acknowledged.fetch_add(1, Ordering::SeqCst);
        if !feed.goes_on() {
            return;
        }
    }
}

fn write_all(feed: &Feed, desk: &Desk) {
    for n in 0.. {
        if !feed.goes_on() {
            return;
        }
        let id = format!("f-{n}");
        desk.alert(&finding(&id, "svc-file"));
        feed.filed.lock().unwrap().push(id);
        if n % 10 == 0 {
            let id = format!("d-{n}");
            let temporary = desk.write("drop/.new", &finding(&id, "svc-drop"));
            std::fs::rename(temporary, desk.path(&format!("drop/{n}.json"))).unwrap();
            feed.dropped.lock().unwrap().push(id);
        }
        let mut listed = feed.listed.lock().unwrap();
        let mut item: Value = serde_json::from_str(&finding(&format!("a-{n}"), "svc-api")).unwrap();
        item["time"] = json!(jiff::Timestamp::now().as_millisecond());
        listed.push(item);
        drop(listed);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Answers what the list holds since a time, counted from a number.
fn answer(feed: &Feed, mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let number = |name: &str| -> i64 {
        let from = head.find(&format!("{name}=")).unwrap() + name.len() + 1;
        let digits: String = head[from..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().unwrap()
    };
    let (since, first) = (number("since"), number("first"));
    let listed = feed.listed.lock().unwrap();
    let items: Vec<&Value> = listed
        .iter()
        .filter(|item| item["time"].as_i64() >= Some(since))
        .skip(first as usize)
        .take(20)
        .collect();
    let body = json!({ "items": items }).to_string();
    drop(items);
    drop(listed);
    let text = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // A client that was killed hears nothing.
    let _ = stream.write_all(text.as_bytes());
}

fn stored(desk: &Desk) -> BTreeMap<String, u64> {
    let rows = desk
        .run(&["alerts", "list", "--limit", "1000000", "--json"])
        .ends(0)
        .rows();
    let count = rows.len();
    let found: BTreeMap<String, u64> = rows
        .iter()
        .map(|row| {
            (
                row["id"].as_str().unwrap().to_owned(),
                row["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(found.len(), count, "an alert is there twice");
    found
}

#[test]
fn killed_at_any_moment_it_loses_and_doubles_nothing() {
    let rounds = std::env::var("STANCH_INTAKE_KILLS").map_or(8, |n| n.parse().unwrap());
    let desk = Arc::new(Desk::new());
    let address = free_address();
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let token = secret(&desk, "hook.secret", "hook-secret-0123");
    desk.write("alerts.jsonl", "");
    desk.write("api.toml", API);
    std::fs::create_dir(desk.path("drop")).unwrap();
    let config = format!(
        "[receiver]\nlisten = '{address}'\n\n\
         [[source]]\nkind = 'file'\nname = 'siem'\npath = 'alerts.jsonl'\n\n\
         [[source]]\nkind = 'spool'\nname = 'drop'\npath = 'drop'\n\n\
         [[source]]\nkind = 'webhook'\nname = 'hook'\nsender = {{ kind = 'bearer', secret = '{token}' }}\n\n\
         [[source]]\nkind = 'poll'\nname = 'api'\nfile = 'api.toml'\nbase_url = 'http://{}'\n",
        api.local_addr().unwrap()
    );
    desk.write("config.toml", &config);

    let feed = Arc::new(Feed::default());
    let serving = Arc::clone(&feed);
    std::thread::spawn(move || {
        for stream in api.incoming().flatten() {
            let feed = Arc::clone(&serving);
            std::thread::spawn(move || answer(&feed, stream));
        }
    });
    let mut feeders = Vec::new();
    for sender in 0..3 {
        let (feed, address) = (Arc::clone(&feed), address.clone());
        feeders.push(std::thread::spawn(move || {
            post_all(&feed, &address, sender);
        }));
    }
    let (writing, folder) = (Arc::clone(&feed), Arc::clone(&desk));
    feeders.push(std::thread::spawn(move || write_all(&writing, &folder)));

    for round in 0..rounds {
        let mut served = Served::start(&desk);
        served.says("serving 4 sources");
        // Now and then while it starts, else after some acknowledgements, a different number each time.
        if round % 5 != 4 {
            let until = feed.acknowledged.load(Ordering::SeqCst) + 1 + round * 7 % 23;
            let end = Instant::now() + PATIENCE;
            while feed.acknowledged.load(Ordering::SeqCst) < until {
                assert!(
                    Instant::now() < end,
                    "nothing is acknowledged any more in round {round}"
                );
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        served.kill();
    }
    feed.is_over.store(true, Ordering::SeqCst);
    for feeder in feeders {
        feeder.join().unwrap();
    }

    let mut wanted: Vec<String> = feed.hooked.lock().unwrap().clone();
    wanted.extend(feed.filed.lock().unwrap().iter().cloned());
    wanted.extend(feed.dropped.lock().unwrap().iter().cloned());
    let listed = feed.listed.lock().unwrap().clone();
    wanted.extend(
        listed
            .iter()
            .map(|item| item["finding_info"]["uid"].as_str().unwrap().to_owned()),
    );
    let served = Served::start(&desk);
    let mut end = Instant::now() + PATIENCE;
    let mut found = stored(&desk);
    while wanted.iter().any(|id| !found.contains_key(id)) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
        let before = found.len();
        found = stored(&desk);
        // A busy machine may take long; only what comes to nothing is given up.
        if found.len() > before {
            end = Instant::now() + PATIENCE;
        }
    }
    assert_eq!(served.ends(), Some(0));
    let missing: Vec<&String> = wanted
        .iter()
        .filter(|id| !found.contains_key(*id))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {} are missing: {missing:?}",
        missing.len(),
        wanted.len()
    );
    let doubled: Vec<_> = found.iter().filter(|(_, count)| **count != 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    let done = desk.run(&["alerts", "malformed"]).ends(0);
    assert!(
        done.out.contains("everything that arrived could be read"),
        "{}",
        done.out
    );
    println!("{rounds} kills, {} alerts", wanted.len());
}
