//! T2: the power fails at every step of a session, and again while the next session recovers.

mod simulated;

use super::*;
use simulated::{Image, Simulated};

/// Images of each crash point, at least.
const IMAGES: usize = 50;
/// One image in this many is recovered on a system that fails again.
const AGAIN: usize = 100;

/// The same numbers for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// One batch: what it says, between which steps it was written, and whether its return promised that it lasts.
struct Batch {
    texts: Vec<String>,
    begun: usize,
    done: usize,
    lasts: bool,
}

/// What a session wrote on a system that remembers.
struct Session {
    fs: Arc<Simulated>,
    keys: PathBuf,
    batches: Vec<Batch>,
    _place: Place,
}

impl Session {
    fn of(seed: u64) -> Self {
        let place = Place::new();
        std::fs::create_dir_all(place.store()).unwrap();
        let fs = Arc::new(Simulated::over(&place.store(), place.seen()));
        let mut dice = Dice(seed);
        let mut batches: Vec<Batch> = Vec::new();
        let open = || {
            let mut writer = place.try_open(fs.clone()).unwrap().0;
            if seed % 4 >= 2 {
                writer.keep_room(0, 1500);
            }
            writer
        };
        let mut writer = open();
        for n in 0..12 {
            let begun = fs.steps();
            let (mut texts, mut lasts) = (Vec::new(), true);
            match dice.below(10) {
                0 => {
                    let body = json!({"reason": "size"});
                    writer.begin_segment(now(), &body).unwrap();
                }
                1 => {
                    writer.shelf().put(&[n as u8; 700]).unwrap();
                    // Evidence waits for its own files, not for the log.
                    lasts = false;
                }
                2 => writer = open(),
                3 | 4 => {
                    // Not decision-class: in the system's hands only.
                    let text = format!("view {n}");
                    let record = (RecordType::View, json!({"text": text.clone()}));
                    writer.append(now(), &[record]).unwrap();
                    (texts, lasts) = (vec![text], false);
                }
                long => {
                    let some = 1 + dice.below(3);
                    let padding = "x".repeat(if long == 5 { 3000 } else { 10 });
                    texts = (0..some).map(|i| format!("{n}.{i} {padding}")).collect();
                    let records: Vec<_> = texts.iter().map(|t| note(t)).collect();
                    writer.reserve(1).unwrap();
                    writer.append(now(), &records).unwrap();
                }
            }
            let done = fs.steps();
            batches.push(Batch {
                texts,
                begun,
                done,
                lasts,
            });
        }
        let keys = place.dir.path().join("keys/jump1.pem");
        Self {
            fs,
            keys,
            batches,
            _place: place,
        }
    }

    /// How many batches must be there after a crash at `step`, and how many may be.
    fn bounds(&self, step: usize) -> (usize, usize) {
        let lasting = |b: &Batch| b.lasts && b.done <= step;
        let must = self.batches.iter().rposition(lasting).map_or(0, |i| i + 1);
        let may = self
            .batches
            .iter()
            .rposition(|b| b.begun < step)
            .map_or(0, |i| i + 1);
        (must, may.max(must))
    }

    /// Sets a machine up as the crash left it.
    fn place(&self, image: &Image, seen: Option<&[u8]>) -> Place {
        let place = Place::new();
        image.write_to(&place.store());
        let keys = place.dir.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        std::fs::copy(&self.keys, keys.join("jump1.pem")).unwrap();
        if let Some(seen) = seen {
            std::fs::write(place.seen(), seen).unwrap();
        }
        place
    }

    /// Opens what a crash left, and says what is wrong with it.
    fn judge(&self, place: &Place, step: usize, name: &str, thorough: bool) {
        let (mut writer, opened) = place.open();
        assert_eq!(opened.damaged, None, "{name}");
        assert!(opened.peers.is_empty(), "{name}: {:?}", opened.peers);
        let notes = place.notes();
        let (must, may) = self.bounds(step);
        let whole = (must..=may).any(|n| {
            let texts = self.batches[..n].iter().flat_map(|b| &b.texts);
            texts.eq(&notes)
        });
        assert!(
            whole,
            "{name}: of {must} to {may} batches there are {notes:?}"
        );
        // The full check is the slow half of this, and the first walk has just gone over every line.
        if thorough {
            write(&mut writer, &["after"]);
            let report = place.verify();
            assert!(report.intact(), "{name}: {report:?}");
        }
    }
}

/// Counts for the line that a run prints.
#[derive(Default)]
struct Count {
    points: usize,
    images: usize,
    again: usize,
}

fn crash_everywhere(seed: u64, count: &mut Count) {
    let session = Session::of(seed);
    let mut dice = Dice(!seed);
    for step in 0..=session.fs.steps() {
        count.points += 1;
        let crash = session.fs.crash(step);
        for (i, image) in crash.images(IMAGES, &mut || dice.next()).iter().enumerate() {
            count.images += 1;
            let name = format!("seed {seed} step {step} image {i}");
            // What a user keeps outside the store may be lost with it, or not.
            let seen = session.fs.beside_at(step).filter(|_| dice.below(2) == 0);
            let place = session.place(image, seen.as_deref());
            if dice.below(AGAIN as u64) == 0 {
                crash_again(&session, step, image, seen.as_deref(), &name, count);
            }
            session.judge(&place, step, &name, i % 4 == 0);
        }
    }
}

/// Recovers on a system that fails at each step of the recovery.
fn crash_again(
    session: &Session,
    step: usize,
    image: &Image,
    seen: Option<&[u8]>,
    name: &str,
    count: &mut Count,
) {
    let place = session.place(image, seen);
    let fs = Arc::new(Simulated::over(&place.store(), place.seen()));
    drop(place.try_open(fs.clone()).unwrap());
    let mut dice = Dice(count.images as u64);
    for second in 0..=fs.steps() {
        let images = fs.crash(second).images(0, &mut || dice.next());
        // The ends and one in between: the first crash is varied enough.
        let picks = [
            0,
            images.len() - 1,
            dice.below(images.len() as u64) as usize,
        ];
        for pick in picks {
            count.again += 1;
            let place = session.place(&images[pick], fs.beside_at(second).as_deref());
            let name = format!("{name}, again at {second} image {pick}");
            session.judge(&place, step, &name, count.again.is_multiple_of(4));
        }
    }
}

#[rstest::rstest]
fn a_power_cut_at_any_step_loses_nothing_that_was_acknowledged(#[values(0, 1)] half: u64) {
    let seeds: u64 = std::env::var("STANCH_CRASH_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(4);
    let mut count = Count::default();
    for seed in (0..seeds).filter(|s| s % 2 == half) {
        crash_everywhere(seed, &mut count);
    }
    let Count {
        points,
        images,
        again,
    } = count;
    println!("{points} crash points, {images} images, {again} crashes during recovery");
    assert!(
        points >= 150 && images >= 25 * points && again >= 1000,
        "{points} {images} {again}"
    );
}
