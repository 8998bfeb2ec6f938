//! A tour for whoever opens the drill for the first time: a few steps, each said while it is done.

use super::command::Command;
use super::model::{Model, Overlay};

/// One step: what is said, and the commands whose keys stand where `{}` does.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The words.
    pub says: &'static str,
    /// What fills them.
    pub keys: &'static [Command],
}

/// All steps.
pub const STEPS: &[Step] = &[
    Step {
        says: "The queue, the worst alert first. {} and {} move; {} takes in what waits behind the arrow.",
        keys: &[Command::Down, Command::Up, Command::Top],
    },
    Step {
        says: "Beside it: whose access it is, its sessions, and what breaks if you cut it off. {} goes from pane to pane, {} makes one large.",
        keys: &[Command::NextPane, Command::Zoom],
    },
    Step {
        says: "Below: what can be done, narrow first. Press the number of an option: you get a plan, and nothing is sent.",
        keys: &[],
    },
    Step {
        says: "The plan: what is sent, what it interrupts, what the intruder keeps. Read it; then tab and enter run it, or the typed name. Esc leaves.",
        keys: &[],
    },
    Step {
        says: "The banner says whether the intruder is out; {} tells your score and the better choice. {} lists every key and can be searched, {} finds a command.",
        keys: &[Command::Score, Command::Help, Command::Palette],
    },
];

/// Goes on, or ends the tour after its last step.
pub fn next(model: &mut Model) {
    match model.tour {
        Some(at) if at + 1 < STEPS.len() => model.tour = Some(at + 1),
        _ => end(model),
    }
}

/// Ends the tour for good.
pub fn end(model: &mut Model) {
    model.tour = None;
    model.layout.tour_done = true;
}

/// Goes on by itself where what a step asks for has been done.
pub fn follow(model: &mut Model) {
    match model.tour {
        Some(0..=2) if matches!(model.overlay, Overlay::Plan(_)) => model.tour = Some(3),
        Some(3) if !model.runs.is_empty() => model.tour = Some(4),
        _ => return,
    }
    model.dirty = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_after_its_last_step_and_stays_ended() {
        let mut model = Model {
            tour: Some(0),
            ..Model::default()
        };
        for _ in STEPS {
            assert!(model.tour.is_some() && !model.layout.tour_done);
            next(&mut model);
        }
        assert!(model.tour.is_none() && model.layout.tour_done);
        next(&mut model);
        assert!(model.tour.is_none());
    }

    #[test]
    fn every_gap_in_its_words_is_filled() {
        for step in STEPS {
            assert_eq!(
                step.says.matches("{}").count(),
                step.keys.len(),
                "{}",
                step.says
            );
        }
    }
}
