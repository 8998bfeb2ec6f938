//! What must hold, beside what was measured, in one table.
//!
//! Goals that name another program are turned into ratios to typed parsing by what both took on one machine: lnav reads
//! 167,000 of the same alerts a second where `serde_json` parses 381,000, and needs 87 % of a core for 50,000 a second,
//! of which parsing takes 13 %.

use std::time::{Duration, Instant};

/// Rate of typed parsing that twice the rate of lnav is.
pub const TWICE_LNAV: f64 = 0.88;

/// Processor time of typed parsing that 0.35 of lnav's is, at 50,000 a second.
pub const THIRD_OF_LNAV: f64 = 2.3;

/// How much more may be taken than bytes and rows take that are written with nothing else, as a ratio: the goals include
/// decoding, the spool and the row, and where `SQLite` is the limit they are held against that.
pub const BESIDE_BARE: f64 = 0.8;

/// What must hold of a figure.
#[derive(Clone, Copy, Debug)]
pub enum Must {
    /// At least.
    Least(f64),
    /// At most.
    Most(f64),
}

/// The goals that were looked at.
#[derive(Debug, Default)]
pub struct Goals(Vec<(u8, &'static str, Must, f64, &'static str)>);

impl Goals {
    /// Adds a goal by its number, with what was measured and its unit.
    pub fn add(
        &mut self,
        number: u8,
        what: &'static str,
        must: Must,
        figure: f64,
        unit: &'static str,
    ) {
        self.0.push((number, what, must, figure, unit));
    }

    /// Prints all of them.
    pub fn tell(&self) {
        println!(
            "{:<5}{:<68}{:>16}{:>16}  met",
            "goal", "what", "must", "here"
        );
        for (number, what, must, figure, unit) in &self.0 {
            let (word, bound, is_met) = match must {
                Must::Least(bound) => (">=", bound, figure >= bound),
                Must::Most(bound) => ("<=", bound, figure <= bound),
            };
            let must = format!("{word} {bound:.2} {unit}");
            let here = format!("{figure:.2} {unit}");
            let met = if is_met { "yes" } else { "NO" };
            println!("{number:<5}{what:<68}{must:>16}{here:>16}  {met}");
        }
    }
}

/// The shortest that something takes of three times.
pub fn shortest(mut work: impl FnMut()) -> Duration {
    let one = |_| {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    (0..3).map(one).min().unwrap_or_default()
}
