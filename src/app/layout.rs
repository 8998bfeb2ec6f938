//! How the triage screen is divided. It is remembered from one console to the next, with what else is about the screen
//! and not about alerts.

use serde::{Deserialize, Serialize};

use super::command::Command;
use super::model::Model;

/// The share of the queue, in percent of the width, is kept between these.
const LEAST_PERCENT: u8 = 30;
const MOST_PERCENT: u8 = 75;
/// By how much a key moves the border.
const STEP: u8 = 4;

/// What is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layout {
    /// How much of the width the queue takes where it stands beside the panes, in percent; where it stands above them, it
    /// takes 12 percent less of the height.
    pub queue_percent: u8,
    /// The pane in focus has the others' place as well.
    pub zoomed: bool,
    /// The tour was taken, or left.
    pub tour_done: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            queue_percent: 52,
            zoomed: false,
            tour_done: false,
        }
    }
}

impl Layout {
    /// Returns the same within bounds: a file may say anything.
    pub fn bounded(self) -> Self {
        Self {
            queue_percent: self.queue_percent.clamp(LEAST_PERCENT, MOST_PERCENT),
            ..self
        }
    }
}

/// Carries out a command about the screen; tells whether it was one.
pub fn command(model: &mut Model, command: Command) -> bool {
    let layout = &mut model.layout;
    match command {
        Command::Zoom => layout.zoomed = !layout.zoomed,
        Command::Wider => layout.queue_percent = layout.queue_percent.saturating_add(STEP),
        Command::Narrower => layout.queue_percent = layout.queue_percent.saturating_sub(STEP),
        Command::TourNext => super::tour::next(model),
        Command::TourEnd => super::tour::end(model),
        _ => return false,
    }
    model.layout = model.layout.bounded();
    true
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_border_moves_and_stops() {
        let mut model = Model::default();
        for _ in 0..50 {
            assert!(command(&mut model, Command::Wider));
        }
        assert_eq!(model.layout.queue_percent, MOST_PERCENT);
        for _ in 0..50 {
            command(&mut model, Command::Narrower);
        }
        assert_eq!(model.layout.queue_percent, LEAST_PERCENT);
        assert!(!command(&mut model, Command::Claim));
    }

    #[rstest]
    #[case("queue_percent = 40\n", Some(40))]
    #[case("", Some(52))]
    #[case("queue_percent = 255\n", Some(MOST_PERCENT))]
    #[case("queue_percent = -1\n", None)]
    #[case("queue_percnt = 40\n", None)]
    fn files(#[case] text: &str, #[case] percent: Option<u8>) {
        let read = toml::from_str::<Layout>(text).ok().map(Layout::bounded);
        assert_eq!(read.map(|l| l.queue_percent), percent);
    }
}
