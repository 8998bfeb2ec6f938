//! Where a walk stands, written down to go on from there in another process. Whoever can write it can make a walk begin
//! anywhere, so it is for what is derived, never for verifying.

use serde_json::{Value, json};

use super::super::checkpoint::Head;
use super::super::merkle::{CompactRange, Hash, hex, unhex};
use super::super::note::Verifier;
use super::{KeySpan, Point, Walk};

impl Walk {
    /// Writes down where the walk stands.
    pub fn to_state(&self) -> Option<Value> {
        let (_, signed) = self.head.as_ref()?;
        let keys = self.keys.iter().map(|k| {
            json!({"seq": k.seq, "from": k.from, "vkey": k.by.to_vkey(), "uncontinued": k.uncontinued})
        });
        let good = &self.good;
        let peaks: Vec<String> = good.range.peaks().iter().map(|p| hex(p)).collect();
        Some(json!({
            "owner": self.owner, "keys": keys.collect::<Vec<_>>(), "head": signed,
            "checkpoints": self.checkpoints, "passed": self.passed, "seq": good.seq, "prev": hex(&good.prev),
            "segment": good.segment, "offset": good.offset, "size": good.range.size(), "peaks": peaks,
        }))
    }

    /// Goes on from where another walk stood, every signature checked from there.
    pub fn from_state(state: &Value) -> Option<Self> {
        let number = |key: &str| state[key].as_u64();
        let hash = |value: &Value| -> Option<Hash> { unhex(value.as_str()?.as_bytes()) };
        let mut walk = Self::new(state["owner"].as_str()?.to_owned(), true);
        for key in state["keys"].as_array()? {
            walk.keys.push(KeySpan {
                seq: key["seq"].as_u64()?,
                from: key["from"].as_u64()?,
                by: Verifier::from_vkey(key["vkey"].as_str()?)?,
                uncontinued: key["uncontinued"].as_bool()?,
            });
        }
        let by = walk.keys.last()?.by.clone();
        let signed = state["head"].as_str()?.to_owned();
        walk.head = Some((Head::open(&signed, &by)?, signed));
        walk.verifier = Some(by);
        let peaks: Option<Vec<Hash>> = state["peaks"].as_array()?.iter().map(hash).collect();
        walk.good = Point {
            seq: number("seq")?,
            prev: hash(&state["prev"])?,
            range: CompactRange::of(number("size")?, peaks?)?,
            segment: number("segment")?,
            offset: number("offset")?,
        };
        walk.checkpoints = number("checkpoints")?;
        walk.passed = number("passed")?;
        Some(walk)
    }
}
