//! `stanch hold`, `stanch debts`, `stanch restore`: what is temporary, and who ends it.

use std::io::Write;

use serde_json::json;

use super::plan::{find, silent, with_setup};
use super::refusal::{not_recorded, refuse, refuse_blocked, refuse_read_only};
use super::setup::Setup;
use super::{Global, exit, identity};
use crate::app::deciding;
use crate::domain::authority::Role;
use crate::domain::debt::{self, debts};
use crate::domain::decision::{Decision, DecisionKind, Decisions};
use crate::domain::hold::Gate;
use crate::domain::ids::IdentityId;
use crate::domain::text::{show, show_identifier};
use crate::runtime::{approval, restore as way_back, steady};

/// Arguments of `stanch hold`.
#[derive(Debug, clap::Args)]
pub struct HoldArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Delay a containment; somebody else has to agree.
    Add {
        /// Alert id, or the end of one that no other alert shares.
        alert: String,
        /// For how long: `30m`, `4h`, `2d`; two weeks at most.
        #[arg(long = "for", value_name = "SPAN")]
        span: String,
        /// What happens then: `page`, `re_ask` or `contain:PLAYBOOK`.
        #[arg(long, value_name = "WHAT")]
        then: String,
        /// Why.
        #[arg(long, value_parser = crate::cli::record::reason)]
        reason: String,
    },
    /// Agree to somebody else's hold.
    Agree {
        /// Its name, as `stanch debts` lists it.
        hold: String,
    },
    /// End a hold at once.
    End {
        /// Its name, as `stanch debts` lists it.
        hold: String,
        /// Why.
        #[arg(long, value_parser = crate::cli::record::reason)]
        reason: String,
    },
}

/// `stanch hold`.
pub fn hold(global: &Global, args: &HoldArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    with_setup(global, silent(), async |setup, mut model| {
        let services = &setup.services;
        if let Some(reason) = services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let decision = match &args.what {
            What::Add {
                alert,
                span,
                then,
                reason,
            } => {
                let alert = find(setup, &mut model, alert)?;
                let text = format!("{span} {then} {reason}");
                deciding::hold(&model, &alert, &text, steady::now()).map_err(anyhow::Error::msg)?
            }
            What::Agree { hold } | What::End { hold, .. } => {
                let Some(found) = model.decisions.holds.find(hold) else {
                    tell!(
                        "stanch: there is no hold `{}`; `stanch debts` lists them",
                        show(hold)
                    );
                    return Ok(exit::USAGE);
                };
                let (kind, reason) = match &args.what {
                    What::End { reason, .. } => (DecisionKind::EndHold, Some(reason.clone())),
                    _ => (DecisionKind::AgreeHold, None),
                };
                if found.ended.is_some() {
                    let why = format!("hold {} has ended already", found.id);
                    return refuse(global.json, &why, out);
                }
                if kind == DecisionKind::AgreeHold
                    && let Some(authority) = &services.authority
                {
                    let own = approval::own_key(services)
                        .await
                        .map_err(anyhow::Error::msg)?;
                    let by = found.by.signer.as_deref().unwrap_or_default();
                    let may = authority.roster.has_role(&own, Role::Approver).map(drop);
                    let own_hold = "whoever holds something cannot agree to it".to_owned();
                    let may = match authority.roster.same_person(&own, by) {
                        true => Err(own_hold),
                        false => may,
                    };
                    if let Err(refusal) = may {
                        return not_recorded(global.json, &refusal, out);
                    }
                }
                Decision {
                    hold: Some(found.id.clone()),
                    identity: found.identity.clone(),
                    ..Decision::on(found.alert.clone(), kind, reason)
                }
            }
        };
        if let Err(refusal) = services.decide(std::slice::from_ref(&decision)).await {
            return not_recorded(global.json, &refusal, out);
        }
        let name = decision.hold.as_deref().unwrap_or_default();
        if global.json {
            writeln!(out, "{}", json!({ "recorded": decision }))?;
        } else {
            let word = decision.kind.as_str().replace('_', " ");
            writeln!(out, "recorded: {word} {name}")?;
        }
        Ok(exit::DONE)
    })
}

/// Finds the identity that is meant: one that the log knows by its id, or one that the inventory lists, by whatever it is
/// called. To say of a name that nobody knows that it was never contained would be a false all-clear.
async fn contained(setup: &Setup, text: &str) -> anyhow::Result<IdentityId> {
    let id = IdentityId::new(text);
    let decisions = setup.services.journal.latest().await?;
    if decisions.acts_on(&id).next().is_some() {
        return Ok(id);
    }
    identity::find(&setup.services.inventory, text)
}

/// `stanch debts`: everything temporary, what ends first first.
pub fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<u8> {
    with_setup(global, silent(), async |setup, model| {
        let now = steady::now();
        let authority = setup.services.authority.as_deref();
        let all = debts(&model.decisions, authority, now);
        let pager = model.has_pager();
        if all.is_empty() && !global.json {
            writeln!(out, "nothing is temporary")?;
        }
        for debt in all {
            if global.json {
                let row = json!({
                    "kind": debt.kind, "id": show(&debt.id), "alert": debt.alert.as_str(),
                    "identity": debt.identity.as_ref().map(IdentityId::as_str), "owner": show(&debt.owner),
                    "since": debt.since, "age_s": now.duration_since(debt.since).as_secs(), "until": debt.until,
                    "overdue": debt.is_overdue(now), "what": show(&debt.what), "then": show(&debt.next),
                    "meanwhile": show(&debt.meanwhile), "paged_at": debt.paged.as_ref().map(|(at, _)| at),
                    "people_told": debt.told(pager, now).map(|t| show(&t).into_owned()),
                });
                writeln!(out, "{row}")?;
                continue;
            }
            let left = match debt.is_overdue(now) {
                true => "OVERDUE".to_owned(),
                false => debt.until.strftime("until %F %H:%MZ").to_string(),
            };
            writeln!(
                out,
                "{:<9} {}  {left}  {}  {}  owner {}  then: {}  meanwhile: {}{}",
                debt.kind,
                show(&debt.id),
                show_identifier(debt.identity.as_ref().map_or("-", IdentityId::as_str)),
                show(&debt.what),
                show(&debt.owner),
                show(&debt.next),
                show(&debt.meanwhile),
                debt.told(pager, now)
                    .map_or_else(String::new, |told| format!(
                        "  people told: {}",
                        show(&told)
                    )),
            )?;
        }
        Ok(exit::DONE)
    })
}

/// Returns the playbook by which an identity was contained last.
fn contained_by(decisions: &Decisions, id: &IdentityId) -> Option<String> {
    let mut acts = decisions.acts_on(id).rev();
    let act = acts.find(|act| !act.intent.undo)?;
    let (_, state) = decisions.plan(act.intent.digest.as_str())?;
    Some(state.plan.playbook.clone())
}

/// Arguments of `stanch restore`.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// Id of the identity, as `stanch identity list` shows it.
    identity: String,
    /// Vouch for one thing that must hold: cause, credentials, siblings, recovery, linked, `second_person`.
    #[arg(long, requires = "reason")]
    gate: Option<String>,
    /// Lift every control on it, prove each lifted, and trust it again; watched for 48 h.
    #[arg(long, requires = "reason", conflicts_with = "gate")]
    lift: bool,
    /// How you know, or why.
    #[arg(long, value_parser = crate::cli::record::reason)]
    reason: Option<String>,
}

/// `stanch restore`: what stands, what is missing; then each gate, then the lifting.
pub fn restore(global: &Global, args: &RestoreArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let reason = args.reason.as_deref().unwrap_or_default().to_owned();
    let acts = args.gate.is_some() || args.lift;
    if acts {
        if global.read_only {
            return refuse_read_only(global.json, out);
        }
        if reason.is_empty() {
            tell!("stanch: say how you know with --reason '...'");
            return Ok(exit::USAGE);
        }
    }
    let gate = args.gate.as_deref().map(|word| {
        let words: Vec<&str> = Gate::ALL.iter().map(|g| g.as_str()).collect();
        let unknown = || anyhow::anyhow!("`{}` is none of {}", show(word), words.join(", "));
        Gate::parse(word).ok_or_else(unknown)
    });
    let gate = gate.transpose()?;
    with_setup(
        global,
        super::plan::progress(global.json),
        async |setup, _| {
            let services = &setup.services;
            let id = contained(setup, &args.identity).await?;
            let done = match gate {
                Some(gate) => way_back::vouch(services, &id, gate, &reason)
                    .await
                    .map(|()| None),
                None if args.lift => {
                    let report = super::plan::progress(global.json);
                    way_back::restore(services, &id, &reason, &report)
                        .await
                        .map(Some)
                }
                None => Ok(None),
            };
            let lifted = match done {
                Ok(lifted) => lifted,
                Err(refusal) => return refuse(global.json, &show(&refusal), out),
            };
            let stands = way_back::standing(services, &id)
                .await
                .map_err(anyhow::Error::msg)?;
            let decisions = services.journal.latest().await?;
            let way = debt::way_back(&decisions, &id);
            let trust = debt::trust(&decisions, &id, steady::now());
            if global.json {
                let row = |c: &way_back::Control| json!({ "plan": c.digest.as_str(), "step": c.step.as_str(), "title": show(&c.title) });
                let gates: Vec<_> = Gate::ALL
                .iter()
                .map(|g| {
                    let said = way.gates.get(g);
                    json!({ "gate": g, "says": g.says(), "by": said.map(|s| show(&s.actor).into_owned()),
                        "at": said.map(|s| s.at), "reason": said.map(|s| show(&s.reason).into_owned()) })
                })
                .collect();
                let lifted = lifted.map(|l| l.iter().map(row).collect::<Vec<_>>());
                let again = way.again(steady::now()).map(|(alert, said)| {
                    json!({ "alert": alert.as_str(), "at": said.at, "reason": show(&said.reason), "playbook": contained_by(&decisions, &id) })
                });
                let text = json!({ "identity": id.as_str(), "trust": trust.to_string(), "contain_again": again, "gates": gates,
                "controls": stands.iter().map(row).collect::<Vec<_>>(), "lifted": lifted });
                writeln!(out, "{text}")?;
                return Ok(exit::DONE);
            }
            writeln!(out, "{}: {trust}", show_identifier(id.as_str()))?;
            if let Some((alert, said)) = way.again(steady::now()) {
                let book = contained_by(&decisions, &id);
                let book = book.map_or_else(String::new, |b| format!(" --playbook {}", show(&b)));
                writeln!(
                    out,
                    "  proposed: stanch plan {}{book}  ({})",
                    show_identifier(alert.as_str()),
                    show(&said.reason)
                )?;
            }
            for gate in Gate::ALL {
                let said = way.gates.get(gate).map_or_else(
                    || "NOBODY YET".to_owned(),
                    |s| format!("{}: {}", show(&s.actor), show(&s.reason)),
                );
                writeln!(out, "  {:<14} {}  {said}", gate.as_str(), gate.says())?;
            }
            for control in lifted.iter().flatten() {
                writeln!(out, "  lifted: {}", show(&control.title))?;
            }
            for control in &stands {
                let (plan, step) = (control.digest.short(), &control.step);
                writeln!(
                    out,
                    "  stands: {} (plan {plan}, step {step})",
                    show(&control.title)
                )?;
            }
            Ok(exit::DONE)
        },
    )
}
