//! Which alerts are about whom: one credential may be named in many, and a look at all alerts for them would hold up every
//! key where somebody sends one such credential after the other.

use std::collections::HashSet;

use super::names::Name;
use super::room;
use super::slim::Slot;

/// Alerts by whom they name, and those by their native id. All numbers are counted from one; zero is none.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// By alert: the one before it about the same.
    before: Vec<u32>,
    whos: Vec<OfWho>,
    /// By name: the last of those who have it as their native id.
    named: Vec<u32>,
    /// Alerts that came again and named somebody else.
    moved: HashSet<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfWho {
    /// The last alert.
    alert: u32,
    /// The one before of the same native id.
    alike: u32,
}

fn from_one(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

impl About {
    /// Returns the places of those who have this native id, the last first.
    pub fn alike(&self, native: Name) -> impl Iterator<Item = usize> {
        let last = self.named.get(native.at()).copied().unwrap_or_default();
        let place = |who: u32| (who as usize).checked_sub(1);
        std::iter::successors(place(last), move |at| place(self.whos[*at].alike))
    }

    /// Adds the next of those whom alerts name.
    pub fn add_who(&mut self, native: Name) {
        let who = from_one(self.whos.len());
        room::grow(&mut self.named, native.at() + 1, 0);
        let alike = std::mem::replace(&mut self.named[native.at()], who);
        room::push(&mut self.whos, OfWho { alert: 0, alike });
    }

    /// Adds the next alert, which names somebody or nobody.
    pub fn add(&mut self, who: u32) {
        let slot = from_one(self.before.len());
        let place = (who as usize).checked_sub(1);
        let of = place.and_then(|place| self.whos.get_mut(place));
        let before = of.map_or(0, |of| std::mem::replace(&mut of.alert, slot));
        room::push(&mut self.before, before);
    }

    /// Notes that an alert names somebody else than it did.
    pub fn moved(&mut self, slot: Slot) {
        self.moved.insert(slot);
    }

    /// Returns all alerts that may be about some native ids, each once: every one that is, and some that once were.
    pub fn any_of(&self, natives: &HashSet<Name>) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.moved.iter().copied().collect();
        for native in natives {
            for who in self.alike(*native) {
                let mut alert = self.whos[who].alert;
                while let Some(at) = (alert as usize).checked_sub(1) {
                    slots.push(Slot::new(at));
                    alert = self.before[at];
                }
            }
        }
        slots.sort_unstable();
        slots.dedup();
        slots
    }
}
