//! `stanch identity readiness`.

use std::collections::BTreeMap;
use std::io::Write;

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;
use serde_json::json;

use crate::cli::{Global, exit, plan, setup};
use crate::connect::{Connectors, MAY_NOT_READ};
use crate::domain::identity::Identity;
use crate::domain::ids::IdentityId;
use crate::domain::inventory::Inventory;
use crate::domain::readiness::{RULE, Readiness, Verdict, of_all};
use crate::domain::text::show;
use crate::runtime::services::means;

/// Most identities that are asked about at the same time.
const AT_ONCE: usize = 8;

/// Arguments of `stanch identity readiness`.
#[derive(Debug, clap::Args)]
pub struct ReadinessArgs {
    /// Comma-separated values: one row for each gap.
    #[arg(long, conflicts_with = "live")]
    pub csv: bool,
    /// Ask the providers about each identity, to find what they refuse to the console's own account.
    #[arg(long)]
    pub live: bool,
    /// Only what is not ready.
    #[arg(long)]
    pub gaps: bool,
}

/// Tells how ready everything is.
pub fn run(
    global: &Global,
    args: &ReadinessArgs,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let mut judged = if args.live {
        plan::with_setup(global, plan::silent(), async |setup, _| {
            let services = &setup.services;
            let mut means = services.means();
            means.refused = refused(&services.inventory, &services.connectors).await;
            Ok(of_all(&services.inventory, &means, now))
        })?
    } else {
        let (inventory, connectors) = setup::known(global, now)?;
        super::tell_trouble(&inventory);
        of_all(&inventory, &means(&connectors), now)
    };
    if args.gaps {
        judged.retain(|r| r.verdict != Verdict::Ready);
    }
    if args.csv {
        csv(&judged, out)?;
    } else if global.json {
        for one in &judged {
            let gaps: Vec<_> = one
                .gaps
                .iter()
                .map(|g| {
                    json!({ "kind": g.kind, "weight": g.kind.weight(), "what": g.what, "fix": g.fix })
                })
                .collect();
            let row = json!({
                "id": show(one.id.as_str()), "name": one.name.show(), "verdict": one.verdict, "risk": one.risk,
                "reach": one.reach, "gaps": gaps,
            });
            writeln!(out, "{row}")?;
        }
    } else {
        text(&judged, out)?;
    }
    Ok(exit::DONE)
}

/// Asks the providers, and keeps what they refuse. That one cannot be reached says nothing about rights.
async fn refused(inventory: &Inventory, connectors: &Connectors) -> BTreeMap<IdentityId, String> {
    let cards: Vec<&Identity> = inventory.identities().values().collect();
    let mut asked = Vec::new();
    for card in cards {
        let connector = card.connector.as_ref().and_then(|c| connectors.get(c));
        if let Some(connector) = connector {
            asked.push((card.clone(), connector.clone()));
        }
    }
    let ask = |(card, connector): (Identity, std::sync::Arc<crate::connect::Connector>)| async move {
        let read = connector.read_context(&card).await;
        let unknown = read.context.unknown.iter();
        let mut refused = unknown.filter(|(_, why)| is_refusal(why.raw()));
        let (part, why) = refused.next()?;
        Some((card.id, format!("{part}: {}", why.show())))
    };
    let answers = stream::iter(asked).map(ask).buffer_unordered(AT_ONCE);
    answers.filter_map(std::future::ready).collect().await
}

/// Tells whether the provider knows the console and refuses it, or does not even let it log in.
fn is_refusal(why: &str) -> bool {
    why.contains(MAY_NOT_READ) || why.contains("the console's own login was refused")
}

fn text(judged: &[Readiness], out: &mut dyn Write) -> anyhow::Result<()> {
    for one in judged {
        writeln!(
            out,
            "{:<7} risk {:<14} {}",
            one.verdict,
            one.to_string(),
            show(one.id.as_str())
        )?;
        for gap in &one.gaps {
            writeln!(out, "        {} {}", gap.kind.weight(), gap.what)?;
            writeln!(out, "          fix: {}", gap.fix)?;
        }
    }
    let count = |verdict| judged.iter().filter(|r| r.verdict == verdict).count();
    writeln!(
        out,
        "\n{} not containable from here, {} partly, {} ready\n{RULE}",
        count(Verdict::Not),
        count(Verdict::Partly),
        count(Verdict::Ready)
    )?;
    Ok(())
}

/// Writes a row for each gap, and one for each identity without any. A cell that a spreadsheet would take for a formula
/// begins with an apostrophe.
fn csv(judged: &[Readiness], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record([
        "id", "name", "verdict", "risk", "reach", "gap", "weight", "what", "fix",
    ])?;
    for one in judged {
        let own = [
            show(one.id.as_str()).into_owned(),
            one.name.show().into_owned(),
            one.verdict.to_string(),
            one.risk.to_string(),
            one.reach.to_string(),
        ];
        let own = || own.iter().map(|c| plain(c));
        for gap in &one.gaps {
            let cells = [
                gap.kind.to_string(),
                gap.kind.weight().to_string(),
                plain(&gap.what),
                gap.fix.clone(),
            ];
            rows.write_record(own().chain(cells))?;
        }
        if one.gaps.is_empty() {
            rows.write_record(own().chain(std::iter::repeat_n(String::new(), 4)))?;
        }
    }
    rows.flush()?;
    Ok(())
}

fn plain(cell: &str) -> String {
    match cell.starts_with(['=', '+', '-', '@']) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::auth::AuthError;

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        let refused = format!("cannot read `client`: status 403; {MAY_NOT_READ}");
        assert!(is_refusal(&refused));
        assert!(is_refusal(&AuthError::Refused(401).to_string()));
        let down = AuthError::NoAnswer("cannot be reached".to_owned());
        assert!(!is_refusal(&down.to_string()));
        assert!(!is_refusal("cannot read `client-403`: status 500"));
    }
}
