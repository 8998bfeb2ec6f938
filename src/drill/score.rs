//! How well a drill went, in points and in plain words. Pure: every time is an argument.

use jiff::Timestamp;

use crate::domain::alert;

/// When things happened; `None` is *not yet* or *never*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Since when the intruder had the credential.
    pub exposed_at: Option<Timestamp>,
    /// When the first alert about it was there to be seen.
    pub first_alert_at: Option<Timestamp>,
    /// When somebody took it.
    pub acknowledged_at: Option<Timestamp>,
    /// When a plan was confirmed.
    pub decided_at: Option<Timestamp>,
    /// When the first containing request left.
    pub contained_at: Option<Timestamp>,
    /// When read-backs had shown every step.
    pub proven_at: Option<Timestamp>,
    /// When the lab saw everything the intruder holds fail.
    pub intruder_out_at: Option<Timestamp>,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// Seconds from the first alert until the intruder was out.
    pub seconds_to_out: Option<i64>,
    /// Seconds from exposure until the intruder was out.
    pub exposure_s: Option<i64>,
    /// 0 to 100.
    pub points: u32,
    /// One finding a line, in plain words; the first tells whether the intruder is out.
    pub lines: Vec<String>,
}

/// Points for something that is best within `full` seconds and worth nothing after `none`, linear in between.
fn timed(seconds: i64, full: i64, none: i64, points: u32) -> u32 {
    if seconds <= full {
        return points;
    }
    if seconds >= none {
        return 0;
    }
    let left = u32::try_from(none - seconds).unwrap_or(0);
    let span = u32::try_from(none - full).unwrap_or(1);
    points * left / span
}

fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<i64> {
    // Clocks of two hosts may disagree; a negative time counts as none.
    Some((to?.as_second() - from?.as_second()).max(0))
}

/// Writes a span the way screens show ages.
fn span(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => alert::span(from, to),
        _ => "unknown".to_owned(),
    }
}

/// Scores a drill. `legit_failed` counts failed runs of rightful workloads, `secrets_read_after_first_alert` different
/// secrets the intruder read while somebody could have known.
///
/// 40 points for getting the intruder out (all within 2 minutes of the first alert, none after 15), 20 for proof, 10
/// each for taking the alert (1 to 5 minutes), for deciding (3 to 10 minutes), for few secrets read and for rightful
/// work left running. Without the intruder out, proof counts nothing: it proved the wrong thing.
pub fn score(marks: &Marks, legit_failed: u64, secrets_read_after_first_alert: u64) -> Score {
    let alert = marks.first_alert_at;
    let mut lines = Vec::new();
    let out = seconds(alert, marks.intruder_out_at);
    let parts = [
        out_points(marks, out, &mut lines),
        proof_points(marks, &mut lines),
        step_points(
            "Alert taken",
            alert,
            marks.acknowledged_at,
            60,
            300,
            &mut lines,
        ),
        step_points(
            "Plan confirmed",
            alert,
            marks.decided_at,
            180,
            600,
            &mut lines,
        ),
        loss_points(secrets_read_after_first_alert, marks, &mut lines),
        harm_points(legit_failed, marks, &mut lines),
    ];
    Score {
        seconds_to_out: out,
        exposure_s: seconds(marks.exposed_at, marks.intruder_out_at),
        points: parts.iter().sum::<u32>().min(100),
        lines,
    }
}

fn out_points(marks: &Marks, out: Option<i64>, lines: &mut Vec<String>) -> u32 {
    let Some(out) = out else {
        let held = marks.contained_at.map_or(
            "The intruder is still in: nothing was contained.",
            |_| "The intruder is still in: what was contained leaves a way back.",
        );
        lines.push(format!("{held} 0 of 40."));
        return 0;
    };
    let points = timed(out, 120, 900, 40);
    let took = span(marks.first_alert_at, marks.intruder_out_at);
    lines.push(format!(
        "The intruder is out, {took} after the first alert. {points} of 40."
    ));
    if marks.exposed_at < marks.first_alert_at {
        let window = span(marks.exposed_at, marks.intruder_out_at);
        lines.push(format!("Exposed for {window} in all."));
    }
    points
}

fn proof_points(marks: &Marks, lines: &mut Vec<String>) -> u32 {
    let (points, words) = match (marks.proven_at, marks.intruder_out_at) {
        (None, _) => (0, "Containment was not proven".to_owned()),
        (Some(_), None) => (
            0,
            "The steps were proven, but they were not the ones that matter".to_owned(),
        ),
        (Some(_), Some(_)) => {
            let took = seconds(marks.contained_at, marks.proven_at).unwrap_or(0);
            let words = format!(
                "Proven {} after the first step",
                span(marks.contained_at, marks.proven_at)
            );
            (timed(took, 60, 600, 10) + 10, words)
        }
    };
    lines.push(format!("{words}. {points} of 20."));
    points
}

fn step_points(
    what: &str,
    alert: Option<Timestamp>,
    at: Option<Timestamp>,
    full: i64,
    none: i64,
    lines: &mut Vec<String>,
) -> u32 {
    let Some(took) = seconds(alert, at) else {
        lines.push(format!("{what}: never. 0 of 10."));
        return 0;
    };
    let points = timed(took, full, none, 10);
    let words = span(alert, at);
    lines.push(format!("{what} {words} after it came. {points} of 10."));
    points
}

fn loss_points(secrets: u64, marks: &Marks, lines: &mut Vec<String>) -> u32 {
    // Whoever did nothing earns nothing for what happened not to be read.
    let points = match marks.intruder_out_at {
        Some(_) => 10_u32.saturating_sub(2 * u32::try_from(secrets).unwrap_or(5).min(5)),
        None => 0,
    };
    let words = match secrets {
        0 => "No secret was read after the first alert".to_owned(),
        1 => "1 secret was read after the first alert and must be replaced".to_owned(),
        n => format!("{n} secrets were read after the first alert and must be replaced"),
    };
    lines.push(format!("{words}. {points} of 10."));
    points
}

fn harm_points(failed: u64, marks: &Marks, lines: &mut Vec<String>) -> u32 {
    let points = match marks.contained_at {
        Some(_) => 10_u32.saturating_sub(2 * u32::try_from(failed).unwrap_or(5).min(5)),
        None => 0,
    };
    let words = match failed {
        0 if marks.contained_at.is_none() => {
            "Rightful work was not interrupted, nor was the intruder".to_owned()
        }
        0 => "Rightful work was not interrupted".to_owned(),
        1 => "1 run of rightful work failed".to_owned(),
        n => format!("{n} runs of rightful work failed: a narrower cut would have spared them"),
    };
    lines.push(format!("{words}. {points} of 10."));
    points
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[expect(
        clippy::unnecessary_wraps,
        reason = "marks are optional; the tests read better so"
    )]
    fn at(s: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(1_700_000_000 + s).unwrap())
    }

    fn swift() -> Marks {
        Marks {
            exposed_at: at(-10),
            first_alert_at: at(0),
            acknowledged_at: at(20),
            decided_at: at(70),
            contained_at: at(71),
            proven_at: at(80),
            intruder_out_at: at(76),
        }
    }

    #[test]
    fn a_swift_narrow_proven_containment_earns_everything() {
        let score = score(&swift(), 0, 0);
        assert_eq!(
            (score.points, score.seconds_to_out, score.exposure_s),
            (100, Some(76), Some(86))
        );
        insta::assert_snapshot!(score.lines.join("\n"), @r"
        The intruder is out, 1m16s after the first alert. 40 of 40.
        Exposed for 1m26s in all.
        Proven 9s after the first step. 20 of 20.
        Alert taken 20s after it came. 10 of 10.
        Plan confirmed 1m10s after it came. 10 of 10.
        No secret was read after the first alert. 10 of 10.
        Rightful work was not interrupted. 10 of 10.
        ");
    }

    #[rstest]
    #[case::nothing_done(Marks { first_alert_at: at(0), ..Marks::default() }, 0, 4, 0)]
    #[case::nothing_happened(Marks::default(), 0, 0, 0)]
    #[case::proved_the_wrong_thing(Marks { intruder_out_at: None, ..swift() }, 0, 8, 30)]
    #[case::cut_too_wide(swift(), 30, 0, 90)]
    #[case::read_meanwhile(swift(), 0, 2, 96)]
    #[case::out_after_fifteen_minutes(Marks { intruder_out_at: at(900), ..swift() }, 0, 0, 60)]
    #[case::half_way(Marks { intruder_out_at: at(510), ..swift() }, 0, 0, 80)]
    #[case::not_proven(Marks { proven_at: None, ..swift() }, 0, 0, 80)]
    fn scores(#[case] marks: Marks, #[case] failed: u64, #[case] secrets: u64, #[case] want: u32) {
        assert_eq!(score(&marks, failed, secrets).points, want);
    }

    proptest! {
        #[test]
        fn points_stay_in_bounds_and_harm_never_pays(
            times in proptest::array::uniform7(proptest::option::of(-10_000_i64..10_000)),
            failed in any::<u64>(),
            secrets in any::<u64>(),
        ) {
            let [exposed, alert, ack, decided, contained, proven, out] = times.map(|t| t.and_then(at));
            let marks = Marks {
                exposed_at: exposed, first_alert_at: alert, acknowledged_at: ack, decided_at: decided,
                contained_at: contained, proven_at: proven, intruder_out_at: out,
            };
            let result = score(&marks, failed, secrets);
            prop_assert!(result.points <= 100);
            prop_assert!(result.points <= score(&marks, 0, 0).points);
            prop_assert!(result.lines.len() >= 6);
        }
    }
}
