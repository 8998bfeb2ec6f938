//! `stanch campaign`: one breach, many identities; one plan each, and a ledger of how far that has come.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::alerts::elsewhere;
use super::plan::{find, silent, with_setup};
use super::progress::{self, Interrupted, Stop, Unit};
use super::refusal::{not_recorded, refuse, refuse_blocked, refuse_read_only};
use super::setup::Setup;
use super::{Global, exit};
use crate::app::model::Model;
use crate::app::sift;
use crate::domain::campaign::{self, Campaign, Ledger, Row, Stand};
use crate::domain::coverage::CellState;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::filter::Filter;
use crate::domain::ids::{AlertId, IdentityId, PlanDigest};
use crate::domain::inventory::Resolution;
use crate::domain::text::{show, show_identifier};
use crate::domain::vocabulary::Tier;
use crate::runtime::planner::{self, Alerted};
use crate::runtime::{approval, campaign as unused, history, steady};
use crate::ui::picture::burn_words;

/// Alerts read at a time.
const PAGE: usize = 1_024;

/// Arguments of `stanch campaign`.
#[derive(Debug, clap::Args)]
pub struct CampaignArgs {
    /// What to do.
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Begin one: say who is to be contained. Nothing is planned and nobody is asked.
    New {
        /// Identities of the inventory, in the queue's words: `vendor:acme`, `provider:github kind:ci_token`.
        #[arg(long, value_name = "FILTER", required_unless_present_any = ["alerts", "identity"])]
        filter: Option<String>,
        /// Those that stored alerts name which this filter lets through, each on its own alert.
        #[arg(long, value_name = "FILTER")]
        alerts: Option<String>,
        /// An identity by its id (repeatable).
        #[arg(long, value_name = "ID")]
        identity: Vec<String>,
        /// The alert that tells of the breach; plans of those that no alert names answer it.
        #[arg(long, value_name = "ALERT", required_unless_present = "alerts")]
        alert: Option<String>,
        /// By which playbook they are to be contained.
        #[arg(long)]
        playbook: Option<String>,
        /// What it is about, and why.
        #[arg(long, value_parser = crate::cli::record::reason)]
        reason: String,
        /// Only say who would belong to it.
        #[arg(long)]
        dry_run: bool,
    },
    /// List campaigns, the latest first.
    List,
    /// The ledger: who is live still, who is not and by what proof, and how many were live over time.
    Status {
        /// Its name, or the beginning of it.
        campaign: String,
    },
    /// Make a plan for each identity that has none, one after the other; nothing is sent.
    Plan {
        /// Its name, or the beginning of it.
        campaign: String,
        /// Another playbook than the campaign's.
        #[arg(long)]
        playbook: Option<String>,
        /// At most so many: a plan lives 15 minutes.
        #[arg(long, default_value_t = 10)]
        limit: usize,
        /// Also ask those who must agree, for each of its plans that waits.
        #[arg(long)]
        ask: bool,
    },
    /// Say that nobody can use an identity. It counts as live unless its provider shows the same.
    Unused {
        /// Its name, or the beginning of it.
        campaign: String,
        /// Id of the identity.
        identity: String,
        /// How you know.
        #[arg(long, value_parser = crate::cli::record::reason)]
        reason: String,
    },
    /// End it; refused while anybody is live, unless it is cancelled.
    End {
        /// Its name, or the beginning of it.
        campaign: String,
        /// End it although some are live.
        #[arg(long)]
        cancel: bool,
        /// Why.
        #[arg(long, value_parser = crate::cli::record::reason)]
        reason: String,
    },
}

/// `stanch campaign`.
pub fn run(global: &Global, args: &CampaignArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let writes = !matches!(
        args.what,
        What::List | What::Status { .. } | What::New { dry_run: true, .. }
    );
    if writes && global.read_only {
        return refuse_read_only(global.json, out);
    }
    with_setup(global, silent(), async |setup, mut model| {
        if writes && let Some(reason) = setup.services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let mut told = Told {
            json: global.json,
            out,
        };
        match &args.what {
            What::List => list(setup, &model, &mut told),
            What::New { .. } => begin(setup, &mut model, &args.what, &mut told).await,
            What::Status { campaign } => {
                let campaign = named(&model, campaign)?;
                status(setup, &model, &campaign, &mut told)
            }
            What::Plan {
                campaign,
                playbook,
                limit,
                ask,
            } => {
                let mut campaign = named(&model, campaign)?;
                campaign.playbook = playbook.clone().or(campaign.playbook);
                plan(setup, &model, &campaign, (*limit, *ask), &mut told).await
            }
            What::Unused {
                campaign,
                identity,
                reason,
            } => {
                let campaign = named(&model, campaign)?;
                let identity = IdentityId::new(identity.clone());
                nobody_uses(setup, &campaign, &identity, reason, &mut told).await
            }
            What::End {
                campaign,
                cancel,
                reason,
            } => {
                let campaign = named(&model, campaign)?;
                end(setup, &model, &campaign, (*cancel, reason), &mut told).await
            }
        }
    })
}

/// Where answers go, and whether as JSON rows.
struct Told<'o> {
    json: bool,
    out: &'o mut dyn Write,
}

impl Told<'_> {
    fn row(&mut self, text: &str, json: impl FnOnce() -> Value) -> anyhow::Result<()> {
        match self.json {
            true => writeln!(self.out, "{}", json())?,
            false => writeln!(self.out, "{text}")?,
        }
        Ok(())
    }

    fn refuse(&mut self, why: &str) -> anyhow::Result<u8> {
        refuse(self.json, why, self.out)
    }

    fn not_recorded(&mut self, why: &str) -> anyhow::Result<u8> {
        not_recorded(self.json, why, self.out)
    }

    fn planned(&mut self, row: &Row, digest: &PlanDigest, run: &str) -> anyhow::Result<()> {
        let (id, short) = (show_identifier(row.identity.as_str()), digest.short());
        self.row(&format!("{id}  plan {short}: {run}"), || {
            json!({ "identity": row.identity.as_str(), "alert": row.alert.as_str(), "plan": digest.as_str(), "run": run })
        })
    }

    fn no_plan(&mut self, row: &Row, why: &str) -> anyhow::Result<()> {
        let (id, why) = (show_identifier(row.identity.as_str()), show(why));
        self.row(&format!("{id}  no plan: {why}"), || {
            json!({ "identity": row.identity.as_str(), "alert": row.alert.as_str(), "plan": Value::Null, "refused": why })
        })
    }

    fn asked(
        &mut self,
        row: &Row,
        digest: &PlanDigest,
        done: Result<(), String>,
    ) -> anyhow::Result<()> {
        let (id, short) = (show_identifier(row.identity.as_str()), digest.short());
        let refused = done.err().map(|why| show(&why).into_owned());
        let text = match &refused {
            None => format!("{id}  asked: stanch approve {short}"),
            Some(why) => format!("{id}  not asked: {why}"),
        };
        self.row(&text, || {
            json!({ "identity": row.identity.as_str(), "plan": digest.as_str(), "asked": refused.is_none(), "refused": refused })
        })
    }
}

fn named(model: &Model, name: &str) -> anyhow::Result<Campaign> {
    let found = model.decisions.campaigns.find(name).cloned();
    found.with_context(|| {
        format!(
            "there is no campaign `{}`; `stanch campaign list` shows them",
            show(name)
        )
    })
}

fn ledger(setup: &Setup, model: &Model, campaign: &Campaign) -> Ledger {
    let authority = setup.services.authority.as_deref();
    campaign::ledger(&model.decisions, authority, campaign, steady::now())
}

fn list(setup: &Setup, model: &Model, told: &mut Told<'_>) -> anyhow::Result<u8> {
    let all = model.decisions.campaigns.all();
    if all.is_empty() && !told.json {
        let text = "there is no campaign; `stanch campaign new` begins one";
        writeln!(told.out, "{text}")?;
    }
    for campaign in all {
        let ledger = ledger(setup, model, campaign);
        let state = match &campaign.ended {
            Some(said) => format!("ended by {}: {}", show(&said.actor), show(&said.reason)),
            None => ledger.says(),
        };
        let begun = campaign.by.at.strftime("%F %H:%MZ");
        let what = show(&campaign.by.reason);
        let text = format!("{}  {begun}  {what}  {state}", campaign.id);
        told.row(&text, || head(campaign, &ledger))?;
    }
    Ok(exit::DONE)
}

fn head(campaign: &Campaign, ledger: &Ledger) -> Value {
    let counts: BTreeMap<&str, usize> = Stand::ALL
        .iter()
        .map(|stand| (stand.as_str(), ledger.count(*stand)))
        .filter(|(_, n)| *n > 0)
        .collect();
    let ended = campaign.ended.as_ref();
    json!({
        "campaign": campaign.id, "reason": show(&campaign.by.reason), "by": show(&campaign.by.actor), "since": campaign.by.at,
        "filter": campaign.filter.as_deref().map(show), "playbook": campaign.playbook.as_deref().map(show),
        "identities": ledger.rows.len(), "live": ledger.live(), "counts": counts,
        "ended": ended.map(|said| json!({ "by": show(&said.actor), "at": said.at, "reason": show(&said.reason) })),
    })
}

fn status(
    setup: &Setup,
    model: &Model,
    campaign: &Campaign,
    told: &mut Told<'_>,
) -> anyhow::Result<u8> {
    let Told { json, out } = told;
    let ledger = ledger(setup, model, campaign);
    let series = campaign::burn_down(&model.decisions, campaign, steady::now());
    if *json {
        let row = |row: &Row| {
            json!({
                "identity": row.identity.as_str(), "alert": row.alert.as_str(), "stand": row.stand, "live": row.stand.is_live(),
                "plan": row.plan.as_ref().map(crate::domain::ids::PlanDigest::as_str), "says": show(&row.says),
            })
        };
        let series = series
            .iter()
            .map(|(at, live)| json!({ "at": at, "live": live }));
        let mut text = head(campaign, &ledger);
        text["rows"] = ledger.rows.iter().map(row).collect();
        text["burn_down"] = series.collect();
        writeln!(out, "{text}")?;
        return Ok(exit::DONE);
    }
    writeln!(out, "{}  {}", campaign.id, show(&campaign.by.reason))?;
    writeln!(out, "{}", ledger.says())?;
    writeln!(out, "{}", burn_words(&series))?;
    if let Some(said) = &campaign.ended {
        let (who, why) = (show(&said.actor), show(&said.reason));
        writeln!(out, "ended by {who}: {why}")?;
    }
    for row in &ledger.rows {
        let live = if row.stand.is_live() { "LIVE" } else { "-" };
        let plan = row.plan.as_ref().map_or("-", |digest| digest.short());
        writeln!(
            out,
            "{live:<5}{:<16} {}  plan {plan}  {}",
            row.stand.as_str().replace('_', " "),
            show_identifier(row.identity.as_str()),
            show(&row.says)
        )?;
    }
    Ok(exit::DONE)
}

async fn begin(
    setup: &Setup,
    model: &mut Model,
    what: &What,
    told: &mut Told<'_>,
) -> anyhow::Result<u8> {
    let What::New {
        filter,
        alerts,
        identity,
        alert,
        playbook,
        reason,
        dry_run,
    } = what
    else {
        return Ok(exit::USAGE);
    };
    if let Some(book) = playbook
        && !setup.services.playbooks.iter().any(|b| b.id == *book)
    {
        anyhow::bail!("there is no playbook `{}`", show(book));
    }
    let cause = match alert {
        Some(alert) => Some(find(setup, model, alert)?),
        None => None,
    };
    let mut whom: BTreeMap<IdentityId, AlertId> = BTreeMap::new();
    if let Some(text) = alerts {
        whom.extend(of_alerts(setup, model, text)?);
    }
    let mut named: Vec<IdentityId> = Vec::new();
    if let Some(text) = filter {
        let parsed = Filter::parse(text).with_context(|| format!("--filter `{}`", show(text)))?;
        let found = campaign::select::chosen(&parsed, &setup.services.inventory);
        named.extend(found.map_err(anyhow::Error::msg)?);
    }
    for id in identity {
        let id = IdentityId::new(id.clone());
        if setup.services.inventory.identity(&id).is_none() {
            anyhow::bail!(
                "no identity `{}`; `stanch identity list` shows them",
                show(id.as_str())
            );
        }
        named.push(id);
    }
    for id in named {
        let cause = cause.clone();
        let cause = cause.context("name the alert that tells of the breach with --alert")?;
        whom.entry(id).or_insert(cause);
    }
    if whom.is_empty() {
        return told.refuse("nobody is meant by this, so there is no campaign");
    }
    if whom.len() > campaign::MOST {
        anyhow::bail!(
            "{} identities are more than the {} of a campaign; narrow the filter down",
            whom.len(),
            campaign::MOST
        );
    }
    if *dry_run {
        for (id, alert) in &whom {
            let text = format!("{}  on {alert}", show_identifier(id.as_str()));
            told.row(
                &text,
                || json!({ "identity": id.as_str(), "alert": alert.as_str() }),
            )?;
        }
        return Ok(exit::DONE);
    }
    let asked = filter.as_deref().or(alerts.as_deref());
    let records = campaign::begin(whom, reason, asked, playbook.as_deref(), steady::now());
    let name = records.first().and_then(|d| d.campaign.clone());
    let name = name.unwrap_or_default();
    if let Err(refusal) = setup.services.decide(&records).await {
        return told.not_recorded(&refusal);
    }
    let n = records.len();
    let text = format!(
        "campaign {name} of {n} identities; `stanch campaign plan {name}` makes a plan for each"
    );
    told.row(&text, || json!({ "campaign": name, "identities": n }))?;
    Ok(exit::DONE)
}

/// Returns whom alerts name that a filter lets through, each with the latest of them.
fn of_alerts(
    setup: &Setup,
    model: &mut Model,
    text: &str,
) -> anyhow::Result<BTreeMap<IdentityId, AlertId>> {
    let filter = Filter::parse(text).with_context(|| format!("--alerts `{}`", show(text)))?;
    let several = elsewhere::several(&setup.store())?;
    let mut whom = BTreeMap::new();
    let mut before = None;
    loop {
        let (page, next) = setup.store().page(before, PAGE)?;
        let rows: Vec<_> = page.iter().cloned().map(history::row).collect();
        let passes = sift::passing(model, &filter, (&rows, &several), Timestamp::now());
        for (stored, _) in page.iter().zip(passes).filter(|(_, passes)| *passes) {
            if let Resolution::Known(id) = setup.services.inventory.resolve(&stored.alert) {
                whom.entry(id).or_insert_with(|| stored.alert.id.clone());
            }
        }
        before = next;
        if before.is_none() {
            return Ok(whom);
        }
    }
}

async fn plan(
    setup: &Setup,
    model: &Model,
    campaign: &Campaign,
    (limit, ask): (usize, bool),
    told: &mut Told<'_>,
) -> anyhow::Result<u8> {
    if campaign.ended.is_some() {
        return told.refuse(&format!("campaign {} has ended", campaign.id));
    }
    let services = &setup.services;
    let book = campaign.playbook.as_deref();
    let book = book.context("the campaign names no playbook; --playbook does")?;
    let ledger = ledger(setup, model, campaign);
    let open = |row: &&Row| matches!(row.stand, Stand::Unplanned | Stand::Refused);
    let rows: Vec<&Row> = ledger.rows.iter().filter(open).take(limit).collect();
    let of = (Unit::Things("identities"), rows.len() as u64);
    let work = progress::begin("planning", of, Stop::Between, true);
    let mut failed = 0;
    for (at, row) in rows.iter().enumerate() {
        if work.asked() {
            let left = rows.len() - at;
            let name = &campaign.id;
            let text = format!(
                "interrupted; {left} of them have no plan yet, `stanch campaign plan {name}` goes on"
            );
            return Err(Interrupted(text).into());
        }
        work.add(1);
        let Some(card) = services.inventory.identity(&row.identity) else {
            told.no_plan(row, "the inventory does not list it any more")?;
            failed += 1;
            continue;
        };
        let alerted = Alerted {
            id: &row.alert,
            incident: None,
            graph: None,
        };
        match planner::build(services, &alerted, card, book, Timestamp::now()).await {
            Ok((digest, plan)) => {
                let name = show_identifier(plan.identity_name.raw());
                let more = match plan.tier {
                    Tier::Hard => format!(" --confirm '{name}' --reason '...'"),
                    _ => String::new(),
                };
                let run = format!("stanch contain {}{more}", digest.short());
                told.planned(row, &digest, &run)?;
            }
            Err(why) => {
                told.no_plan(row, &why)?;
                failed += 1;
            }
        }
    }
    drop(work);
    if ask {
        asked(setup, campaign, told).await?;
    }
    let code = if failed > 0 { exit::FAILED } else { exit::DONE };
    Ok(code)
}

/// Asks for every plan of the campaign that waits, one after the other: each is agreed to by its own digest.
async fn asked(setup: &Setup, campaign: &Campaign, told: &mut Told<'_>) -> anyhow::Result<()> {
    let services = &setup.services;
    let Some(authority) = &services.authority else {
        let why = "no roster is configured, so nobody is asked";
        told.row(why, || json!({ "asked": Value::Null, "refused": why }))?;
        return Ok(());
    };
    let decisions = services.journal.latest().await?;
    let now = steady::now();
    let ledger = campaign::ledger(&decisions, Some(authority), campaign, now);
    for row in ledger.rows.iter().filter(|r| r.stand == Stand::Waiting) {
        let plan = row.plan.as_ref();
        let Some((digest, state)) = plan.and_then(|d| decisions.plan(d.as_str())) else {
            continue;
        };
        if state.asked.is_some() {
            continue;
        }
        let may = approval::may_decide(services).await;
        let done = match may {
            Ok(()) => approval::ask(services, authority, digest, state).await,
            Err(why) => Err(why),
        };
        told.asked(row, digest, done)?;
    }
    Ok(())
}

async fn nobody_uses(
    setup: &Setup,
    campaign: &Campaign,
    identity: &IdentityId,
    reason: &str,
    told: &mut Told<'_>,
) -> anyhow::Result<u8> {
    let Some(target) = campaign.targets.get(identity) else {
        anyhow::bail!("{} does not belong to it", show(identity.as_str()));
    };
    let found = unused::proven(&setup.services, identity).await;
    let (state, says) = match &found {
        Ok(shown) => (CellState::Proven, format!("{reason}; {shown}")),
        Err(why) => (CellState::Unknown, format!("{reason}; not proven: {why}")),
    };
    let said = Decision {
        campaign: Some(campaign.id.clone()),
        identity: Some(identity.clone()),
        found: Some(state),
        ..Decision::on(
            target.alert.clone(),
            DecisionKind::CampaignUnused,
            Some(says.clone()),
        )
    };
    if let Err(refusal) = setup.services.decide(&[said]).await {
        return told.not_recorded(&refusal);
    }
    let (word, code) = match found {
        Ok(_) => ("proven unused", exit::DONE),
        Err(_) => ("counts as LIVE", exit::NOT_PROVEN),
    };
    let text = format!(
        "{}: {word}: {}",
        show_identifier(identity.as_str()),
        show(&says)
    );
    told.row(&text, || {
        json!({ "campaign": campaign.id, "identity": identity.as_str(), "state": state, "says": show(&says) })
    })?;
    Ok(code)
}

async fn end(
    setup: &Setup,
    model: &Model,
    campaign: &Campaign,
    (cancel, reason): (bool, &str),
    told: &mut Told<'_>,
) -> anyhow::Result<u8> {
    let ledger = ledger(setup, model, campaign);
    if campaign.ended.is_some() {
        return told.refuse(&format!("campaign {} has ended already", campaign.id));
    }
    if ledger.live() > 0 && !cancel {
        let says = ledger.says();
        return told.refuse(&format!("not ended, {says}; --cancel ends it all the same"));
    }
    let alert = ledger.rows.first().map(|row| row.alert.clone());
    let alert = alert.context("nobody belongs to it")?;
    let ended = Decision {
        campaign: Some(campaign.id.clone()),
        ..Decision::on(
            alert,
            DecisionKind::CampaignEnd,
            Some(format!("{reason} ({})", ledger.says())),
        )
    };
    if let Err(refusal) = setup.services.decide(&[ended]).await {
        return told.not_recorded(&refusal);
    }
    let text = format!("campaign {} ended: {}", campaign.id, ledger.says());
    let live = ledger.live();
    told.row(
        &text,
        || json!({ "campaign": campaign.id, "ended": true, "live": live }),
    )?;
    Ok(exit::DONE)
}
