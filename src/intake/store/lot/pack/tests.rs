use proptest::option::of as some;
use proptest::prelude::*;

use super::*;

impl Entry {
    fn parts(&self) -> (&StoredAlert, u64, u64) {
        (&self.stored, self.offset, self.length)
    }
}

fn time() -> impl Strategy<Value = Timestamp> {
    let any = -300_000_000_000_000_i64..250_000_000_000_000_000;
    any.prop_map(|micros| {
        let fraction = (micros % 1_000) as i32;
        let time = Timestamp::from_microsecond(micros).unwrap();
        Timestamp::new(time.as_second(), time.subsec_nanosecond() + fraction).unwrap_or(time)
    })
}

fn text() -> impl Strategy<Value = Untrusted> {
    let known = prop_oneof![Just(""), Just("svc"), Just("Grüße\u{202e}\0")];
    prop_oneof![
        known.prop_map(Untrusted::from),
        ".{0,200}".prop_map(Untrusted::new)
    ]
}

fn subject() -> impl Strategy<Value = Subject> {
    let kind = proptest::sample::select(IdentityKind::ALL);
    (text(), text(), kind, some(text())).prop_map(|(provider, native_id, kind, name)| Subject {
        provider,
        native_id,
        kind,
        name,
    })
}

fn alert() -> impl Strategy<Value = Alert> {
    let who = (some(subject()), proptest::collection::vec(subject(), 0..3));
    let times = (some(time()), time(), some(time()), any::<bool>());
    let words = (
        text(),
        some(text()),
        some(text()),
        some(text()),
        some(text()),
    );
    let lists = (
        proptest::collection::vec(text(), 0..4),
        some((text(), text())),
        some(0_u8..101),
        some(proptest::sample::select(Severity::ALL)),
        proptest::sample::select(ActionPattern::ALL),
    );
    let keys = (
        prop_oneof!["siem/[a-z]{0,9}", ".{0,20}"],
        "(siem|.{0,4})",
        some(text()),
        some(any::<[u8; 32]>()),
    );
    (who, times, words, lists, keys).prop_map(|(who, times, words, lists, keys)| Alert {
        id: AlertId::new(keys.0),
        native_id: keys.2,
        source: keys.1.into(),
        format: "ocsf".into(),
        time: times.0,
        observed: times.1,
        exposed_at: if times.3 { times.0 } else { times.2 },
        title: words.0,
        severity: lists.3,
        severity_raw: words.1,
        confidence: lists.2,
        pattern: lists.4,
        subject: who.0,
        candidates: who.1,
        resource: lists.1.map(|(id, kind)| Resource { id, kind }),
        action: words.2,
        evidence_url: words.3,
        incident: words.4,
        techniques: lists.0,
        raw_sha256: keys.3.map_or_else(Digest::default, Digest::from),
        resolved: times.3.then(|| Resolved {
            at: times.1,
            reason: "gone".to_owned(),
        }),
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    (
        alert(),
        1_u64..9,
        0_i64..90_000_000,
        any::<u64>(),
        0_u64..9_000_000,
    )
        .prop_map(|(alert, count, again, offset, length)| {
            let first_seen = rounded(alert.observed);
            let last_seen = Timestamp::from_microsecond(micros(first_seen) + again).unwrap();
            let stored = StoredAlert {
                alert: alert.into(),
                count,
                first_seen,
                last_seen,
            };
            Entry {
                stored,
                offset,
                length,
            }
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read(entries in proptest::collection::vec(entry(), 0..9)) {
        let bytes = pack(entries.iter().map(Entry::parts));
        let reader = Reader::new(&bytes).unwrap();
        prop_assert_eq!(reader.len(), entries.len());
        for (at, entry) in entries.iter().enumerate().rev() {
            let read = reader.entry(at);
            prop_assert_eq!(read.as_ref(), Some(entry));
            let (id, native) = reader.ids(at).unwrap();
            prop_assert_eq!(&id, &entry.stored.alert.id);
            prop_assert_eq!(native, entry.stored.alert.native_id.as_ref().map(Untrusted::raw));
        }
        prop_assert!(reader.entry(entries.len()).is_none());
    }

    #[test]
    fn damage_is_noticed_or_harmless(
        entries in proptest::collection::vec(entry(), 1..4), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = pack(entries.iter().map(Entry::parts));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let cut = cut.index(bytes.len() + 1);
        for bytes in [&bytes[..], &bytes[..cut]] {
            if let Some(reader) = Reader::new(bytes) {
                for at in 0..reader.len().min(9) {
                    let _ = (reader.ids(at), reader.entry(at));
                }
            }
        }
    }
}

#[test]
fn words_beyond_the_list_are_spelt_out() {
    let text = r#"{"class_uid":2004,"time":1,"finding_info":{"uid":"a"}}"#;
    let now = Timestamp::UNIX_EPOCH;
    let alert = crate::intake::decode::decode(None, text.as_bytes(), "s", now).unwrap();
    let entries: Vec<Entry> = (0..600)
        .map(|n| {
            let mut alert = Alert::clone(&alert[0]);
            alert.techniques = vec![Untrusted::new(format!("T{n}"))];
            Entry {
                stored: StoredAlert {
                    alert: alert.into(),
                    count: 1,
                    first_seen: now,
                    last_seen: now,
                },
                offset: n,
                length: 1,
            }
        })
        .collect();
    let bytes = pack(entries.iter().map(Entry::parts));
    let reader = Reader::new(&bytes).unwrap();
    let read: Option<Vec<Entry>> = (0..600).map(|at| reader.entry(at)).collect();
    assert_eq!(read, Some(entries));
}
