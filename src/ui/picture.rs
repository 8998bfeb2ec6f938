//! Small pictures of numbers over time. Each comes with the same in words, for whoever cannot or would not look.

use jiff::Timestamp;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Ui;
use super::theme::Role;
use crate::app::exposure::{self, Exposure};
use crate::app::model::Model;
use crate::domain::ids::AlertId;
use crate::domain::text::fit;

/// Levels of a bar, from nothing to full; the second set is for terminals without Unicode.
const BARS: [[char; 9]; 2] = [
    [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    [' ', '.', '.', ':', ':', '|', '|', '#', '#'],
];

/// Returns a bar for each number, the highest of them full. Whatever is not nothing shows.
pub fn sparkline(numbers: &[u32], ui: Ui<'_>) -> String {
    let bars = &BARS[usize::from(ui.glyphs.ellipsis.is_ascii())];
    let most = u64::from(numbers.iter().copied().max().unwrap_or(0)).max(1);
    let level = |n: &u32| (u64::from(*n) * 8).div_ceil(most).min(8) as usize;
    numbers.iter().map(|n| bars[level(n)]).collect()
}

/// Draws how much is left of something at each time, oldest first, `width` columns wide, and says it in words: how much is
/// left of the most there was, and when it ends if it goes on like this.
pub fn burn_down(series: &[(Timestamp, u32)], width: usize, ui: Ui<'_>) -> Vec<Line<'static>> {
    let words = burn_words(series);
    if series.len() < 2 || width == 0 {
        return vec![Line::raw(words)];
    }
    let bars = sparkline(&spread(series, width.min(60)), ui);
    vec![
        Line::from(Span::styled(bars, ui.theme.style(Role::Key))),
        Line::raw(words),
    ]
}

/// Heights from which there is room for an exposure in words, and for its picture; what the screen is for goes first.
const WORDS: u16 = 16;
const PICTURE: u16 = 26;

/// Shows how long the identity of an alert was open, above what else a screen says of it: a picture, and the same in words.
pub fn exposed(model: &Model, alert: &AlertId, ui: Ui<'_>, area: Rect) -> Vec<Line<'static>> {
    let Some(alert) = model.alerts.read(alert).filter(|_| area.height >= WORDS) else {
        return Vec::new();
    };
    let of_alert = exposure::of(&model.decisions, alert);
    let width = usize::from(area.width);
    let drawn = exposure(&of_alert, width.saturating_sub(2).min(100), ui.now, ui);
    let words = of_alert.words(ui.now);
    let words = fit(&words, width.saturating_sub(1), ui.glyphs.ellipsis);
    let mut lines = vec![Line::raw(format!(" {words}"))];
    if area.height >= PICTURE {
        let picture = Line::styled(format!(" {drawn}"), ui.theme.style(Role::Key));
        lines.insert(0, picture);
    }
    lines
}

/// Draws an exposure over time, `width` columns wide: `E!TAP|` for exposed, alert, taken, act, proven, ends; a heavy line while it was open for all that
/// is known, a light one for what ends by itself.
pub fn exposure(exposure: &Exposure, width: usize, now: Timestamp, ui: Ui<'_>) -> String {
    let Some(first) = exposure.marks.first().map(|mark| mark.at.as_second()) else {
        return String::new();
    };
    let last = exposure.marks.last().map_or(first, |m| m.at.as_second());
    let until = last.max(now.as_second());
    let span = (until - first).max(1);
    let most = width.saturating_sub(1) as i64;
    let column = |at: i64| {
        (i128::from((at - first).clamp(0, span)) * i128::from(most) / i128::from(span)) as usize
    };
    let ascii = ui.glyphs.ellipsis.is_ascii();
    let (open, ending, over) = if ascii {
        ('=', '.', ' ')
    } else {
        ('━', '┄', ' ')
    };
    let at = |what: &str| exposure.marks.iter().find(|m| m.what == what);
    let proven = at("proven").map_or(usize::MAX, |m| column(m.at.as_second()));
    let ends = at("ends").map_or(usize::MAX, |m| column(m.at.as_second()));
    let mut cells: Vec<char> = (0..width)
        .map(|place| match place {
            place if place > ends => over,
            place if place > proven => ending,
            _ => open,
        })
        .collect();
    let mut free = 0;
    for mark in &exposure.marks {
        // Marks that fall together stand side by side; the words have all of them.
        let place = column(mark.at.as_second()).max(free);
        let letter = match mark.what {
            "alert" => '!',
            "ends" => '|',
            other => other.chars().next().unwrap_or(' ').to_ascii_uppercase(),
        };
        if let Some(cell) = cells.get_mut(place) {
            *cell = letter;
            free = place + 1;
        }
    }
    cells.into_iter().collect()
}

/// Spreads a series over columns of equal time; a column shows what was left at its end.
fn spread(series: &[(Timestamp, u32)], columns: usize) -> Vec<u32> {
    let (Some((first, _)), Some((last, _))) = (series.first(), series.last()) else {
        return Vec::new();
    };
    let (from, span) = (
        first.as_second(),
        (last.as_second() - first.as_second()).max(1),
    );
    let end = |column: usize| from + span * (column as i64 + 1) / columns.max(1) as i64;
    let left_at = |second: i64| {
        let before = series.iter().take_while(|(at, _)| at.as_second() <= second);
        before
            .last()
            .or(series.first())
            .map_or(0, |(_, left)| *left)
    };
    (0..columns).map(|column| left_at(end(column))).collect()
}

/// Says a series in words.
pub fn burn_words(series: &[(Timestamp, u32)]) -> String {
    let (Some((first, begun)), Some((last, left))) = (series.first(), series.last()) else {
        return "nothing counted yet".to_owned();
    };
    let most = series.iter().map(|(_, left)| *left).max().unwrap_or(0);
    if *left == 0 {
        return format!("0 of {most} left: done");
    }
    let (done, took) = (
        i64::from(begun.saturating_sub(*left)),
        last.as_second() - first.as_second(),
    );
    if done == 0 || took <= 0 {
        return format!("{left} of {most} left, none done since it began");
    }
    let rest_s = took.saturating_mul(i64::from(*left)) / done;
    let rest = match rest_s {
        0..5_400 => format!("{} min", rest_s.div_euclid(60).max(1)),
        5_400..172_800 => format!("{} h", (rest_s + 1_800) / 3_600),
        _ => format!("{} d", (rest_s + 43_200) / 86_400),
    };
    format!("{left} of {most} left; at this pace another {rest}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::app::exposure::Mark;
    use crate::app::keymap::Keymap;
    use crate::ui::glyphs::{ASCII, Glyphs, UNICODE};
    use crate::ui::theme::Theme;

    fn with<T>(glyphs: &'static Glyphs, run: impl FnOnce(Ui<'_>) -> T) -> T {
        let (theme, keymap) = (Theme::named("terminal").unwrap(), Keymap::default());
        run(Ui {
            theme: &theme,
            glyphs,
            keymap: &keymap,
            now: Timestamp::UNIX_EPOCH,
        })
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn exposed(marks: &[(&'static str, i64)], lasts: bool) -> Exposure {
        let marks = marks.iter();
        Exposure {
            marks: marks
                .map(|(what, minute)| Mark {
                    what,
                    at: at(*minute),
                })
                .collect(),
            lasts,
        }
    }

    #[rstest]
    #[case(
        &[("exposed", 0), ("alert", 10), ("taken", 12), ("act", 15), ("proven", 20), ("ends", 40)],
        false,
        "E====!TA==P.........|",
        "exposed 1970-01-01 00:00:00Z, alert +10m00s, taken +2m00s, act +3m00s, proven +5m00s, ends +20m00s: open for 40m00s in all"
    )]
    // What falls together stands side by side.
    #[case(
        &[("exposed", 0), ("alert", 0), ("taken", 0)],
        true,
        "E!T==================",
        "exposed 1970-01-01 00:00:00Z, alert +0s, taken +0s: open for 40m00s so far"
    )]
    #[case(&[], true, "", ": open for 0s so far")]
    fn an_exposure_is_drawn_and_told(
        #[case] marks: &[(&'static str, i64)],
        #[case] lasts: bool,
        #[case] drawn: &str,
        #[case] told: &str,
    ) {
        let exposure = exposed(marks, lasts);
        let got = with(&ASCII, |ui| super::exposure(&exposure, 21, at(40), ui));
        assert_eq!(got, drawn);
        assert_eq!(exposure.words(at(40)), told);
        for width in 0..30 {
            let got = with(&UNICODE, |ui| super::exposure(&exposure, width, at(40), ui));
            assert!(got.chars().count() <= width);
        }
    }

    #[rstest]
    #[case(&[], "")]
    #[case(&[0, 0], "  ")]
    #[case(&[0, 1, 1000], " ▁█")]
    #[case(&[5, 5], "██")]
    #[case(&[1, 2, 4, 8], "▁▂▄█")]
    fn bars(#[case] numbers: &[u32], #[case] want: &str) {
        assert_eq!(with(&UNICODE, |ui| sparkline(numbers, ui)), want);
        assert!(with(&ASCII, |ui| sparkline(numbers, ui)).is_ascii());
    }

    #[rstest]
    #[case(&[], "nothing counted yet")]
    #[case(&[(0, 40)], "40 of 40 left, none done since it began")]
    #[case(&[(0, 40), (10, 20)], "20 of 40 left; at this pace another 10 min")]
    #[case(&[(0, 40), (60, 39)], "39 of 40 left; at this pace another 39 h")]
    #[case(&[(0, 40), (5, 44), (9, 0)], "0 of 44 left: done")]
    #[case(&[(0, 40), (5, 44)], "44 of 44 left, none done since it began")]
    fn words(#[case] series: &[(i64, u32)], #[case] want: &str) {
        let series: Vec<_> = series.iter().map(|(m, n)| (at(*m), *n)).collect();
        assert_eq!(burn_words(&series), want);
    }

    #[test]
    fn what_is_left_goes_down_from_left_to_right() {
        let series = [(at(0), 8), (at(5), 4), (at(10), 0)];
        let drawn = with(&UNICODE, |ui| burn_down(&series, 4, ui));
        assert_eq!(drawn[0].to_string(), "█▄▄ ");
        assert_eq!(drawn[1].to_string(), "0 of 8 left: done");
    }

    proptest! {
        #[test]
        fn no_series_breaks_it(
            series in proptest::collection::vec((-1_000_000_i64..1_000_000, any::<u32>()), 0..20),
            width in 0_usize..200,
        ) {
            let series: Vec<_> = series.into_iter().map(|(m, n)| (at(m), n)).collect();
            let drawn = with(&UNICODE, |ui| burn_down(&series, width, ui));
            prop_assert!(drawn.iter().all(|line| line.width() <= width.max(80)));
        }
    }
}
