//! `stanch policy status`.

use std::io::Write;

use jiff::Timestamp;

use super::super::plan::{silent, with_setup};
use super::{Global, exit};
use crate::app::policy_screen::{PolicyRow, overview};
use crate::domain::alert::age;
use crate::domain::policy::Mode;
use crate::domain::text::show;

/// Tells it, as the policy's screen does.
pub(super) fn run(global: &Global, out: &mut dyn Write) -> anyhow::Result<u8> {
    with_setup(global, silent(), async |_, model| {
        let now = Timestamp::now();
        let mut all = overview(&model, now);
        // A subcommand starts nothing, so that says nothing about those who might.
        all.standstill = None;
        if global.json {
            writeln!(out, "{}", serde_json::to_string(&all)?)?;
            return Ok(exit::DONE);
        }
        let armed = match &all.refused {
            None => "armed".to_owned(),
            Some(why) => format!("NOT ARMED, everybody only looks: {}", show(why)),
        };
        writeln!(out, "{}: {armed}", show(&all.policy))?;
        writeln!(
            out,
            "brake: {} ran by themselves within the last hour, {} count down; at most {} an hour",
            all.ran_in_hour, all.counting, all.per_hour
        )?;
        for row in &all.playbooks {
            tell(row, now, out)?;
        }
        Ok(exit::DONE)
    })
}

fn tell(row: &PolicyRow, now: Timestamp, out: &mut dyn Write) -> anyhow::Result<()> {
    let mode = match (row.is_armed, row.mode) {
        (false, _) => "NOT ARMED".to_owned(),
        (_, Mode::Auto) => format!("auto {} s", row.countdown_s.unwrap_or_default()),
        (_, mode) => mode.to_string(),
    };
    let done = &row.by_itself;
    let last = done
        .last_run
        .map_or_else(|| "never".to_owned(), |at| format!("{} ago", age(at, now)));
    writeln!(
        out,
        "{mode:<10} {:<8} {:<26} ran {}, last {last}; countdowns {}, vetoed {}, stopped {}; waits {}, braked {}, shadow {}",
        row.tier.as_str(),
        show(&row.playbook),
        done.run,
        done.begun,
        done.vetoed,
        done.stopped,
        done.waits,
        done.braked,
        done.shadow
    )?;
    for why in &row.why_not {
        writeln!(out, "{:10} {}", "", show(why))?;
    }
    Ok(())
}
