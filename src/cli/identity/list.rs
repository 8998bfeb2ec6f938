//! `stanch identity list`.

use std::io::Write;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::{Global, exit, setup};
use crate::domain::filter::{Counted, Field, Filter, Match, Test};
use crate::domain::identity::flags::{Flag, FlagKind};
use crate::domain::identity::{Identity, coarse};
use crate::domain::inventory::Inventory;
use crate::domain::text::{Untrusted, cells, fit, show, show_identifier};

/// Widest column of ids.
const WIDEST_ID: usize = 64;

/// Arguments of `stanch identity list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Which identities, as in the queue: `owner:payments kind:ci_token env=production key~AKIA* age>90d words`; `age` is
    /// the time since the last use.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub filter: String,
    /// Only those with a doubt of this kind (`orphaned_owner`, `unused`, `conflict`, …); `any` for any.
    #[arg(long, value_name = "KIND")]
    pub flag: Option<String>,
}

/// Lists identities.
pub fn run(
    global: &Global,
    args: &ListArgs,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let filter = Filter::parse(&args.filter)
        .with_context(|| format!("--filter `{}`", show(&args.filter)))?;
    let wanted = match args.flag.as_deref() {
        None | Some("any") => None,
        Some(word) => Some(FlagKind::parse(word).with_context(|| {
            let known: Vec<&str> = FlagKind::ALL.iter().map(|k| k.as_str()).collect();
            format!(
                "--flag `{}` is none of any, {}",
                show(word),
                known.join(", ")
            )
        })?),
    };
    let inventory = setup::inventory(global, now)?;
    let mut rows = Vec::new();
    for card in inventory.identities().values() {
        if !is_meant(card, &filter, now)? {
            continue;
        }
        let flags = inventory.flags(card, now);
        let has = |kind: FlagKind| flags.iter().any(|f| f.kind == kind);
        if args.flag.is_some() && !wanted.map_or(!flags.is_empty(), has) {
            continue;
        }
        rows.push((card, flags));
    }
    if global.json {
        for (card, flags) in &rows {
            writeln!(out, "{}", row(card, flags))?;
        }
        writeln!(out, "{}", sources(&inventory, rows.len()))?;
        return Ok(exit::DONE);
    }
    // Ids are copied from here, so they are never cut; a few long ones do not push everything else away.
    let widths = rows.iter().map(|(card, _)| cells(&shown_id(card)));
    let width = widths.max().unwrap_or(0).min(WIDEST_ID);
    for (card, flags) in &rows {
        writeln!(out, "{}", line(card, flags, width, now))?;
    }
    summary(&inventory, rows.len(), now, out)?;
    Ok(exit::DONE)
}

/// Tells whether a card is meant. Terms that only an alert has are a mistake of the asker.
fn is_meant(card: &Identity, filter: &Filter, now: Timestamp) -> anyhow::Result<bool> {
    for term in &filter.terms {
        let holds = match &term.test {
            Test::Text(text) => texts(card).any(|t| t.to_lowercase().contains(text)),
            Test::Kind(kind) => card.kind == *kind,
            Test::Name(field, wanted) => named(card, *field, wanted)?,
            Test::Number(Counted::Age, order, seconds) => card.last_seen().is_some_and(|at| {
                let old = u64::try_from(now.as_second() - at.as_second()).unwrap_or(0);
                order.holds(&old, seconds)
            }),
            _ => bail!(
                "--filter: only alerts have that; of identities there are identity, id, provider, key, owner, env, vendor, kind, age"
            ),
        };
        if holds == term.negated {
            return Ok(false);
        }
    }
    Ok(true)
}

fn named(card: &Identity, field: Field, wanted: &Match) -> anyhow::Result<bool> {
    let means = |text: &Untrusted| wanted.means(text.raw());
    let any = |texts: &[&Option<Untrusted>]| texts.iter().any(|t| t.as_ref().is_some_and(means));
    Ok(match field {
        Field::Id => wanted.means(card.id.as_str()),
        Field::Identity => means(&card.name) || wanted.means(card.id.as_str()),
        Field::Provider => wanted.means(card.provider()),
        Field::Key => {
            wanted.means(card.native_id())
                || card.aliases.iter().any(means)
                || card.credentials.iter().any(|c| means(&c.id))
        }
        Field::Owner => any(&[
            &card.business_owner,
            &card.technical_owner,
            &card.on_call,
            &card.contact,
        ]),
        Field::Environment => any(&[&card.environment]),
        Field::Vendor => card.has_vendor(&|name| wanted.means(name)),
        Field::Source => wanted.means(&card.provenance),
        Field::Target | Field::Title | Field::Action | Field::Incident => {
            bail!("--filter: identities have no target, title, action or incident")
        }
    })
}

/// Returns everything that a word is looked for in.
fn texts(card: &Identity) -> impl Iterator<Item = &str> {
    let fields = [
        &card.environment,
        &card.workload,
        &card.business_owner,
        &card.technical_owner,
        &card.on_call,
        &card.contact,
    ];
    let fields = fields.into_iter().flatten().chain([&card.name]);
    let credentials = card.credentials.iter().map(|c| &c.id);
    let all = fields.chain(&card.aliases).chain(credentials);
    all.map(Untrusted::raw)
        .chain([card.id.as_str(), card.kind.as_str()])
}

fn kinds(flags: &[Flag]) -> Vec<&'static str> {
    let mut kinds: Vec<&str> = Vec::new();
    for flag in flags {
        if !kinds.contains(&flag.kind.as_str()) {
            kinds.push(flag.kind.as_str());
        }
    }
    kinds
}

fn opt(text: Option<&Untrusted>) -> String {
    text.map_or_else(|| "unknown".to_owned(), |t| t.show().into_owned())
}

fn shown_id(card: &Identity) -> String {
    show_identifier(card.id.as_str()).into_owned()
}

fn line(card: &Identity, flags: &[Flag], width: usize, now: Timestamp) -> String {
    let owner = card
        .technical_owner
        .as_ref()
        .or(card.business_owner.as_ref());
    let used = card.last_seen().map_or("never seen".to_owned(), |at| {
        format!("used {} ago", coarse(at, now))
    });
    let flags = match kinds(flags).join(", ") {
        none if none.is_empty() => String::new(),
        kinds => format!("  ! {kinds}"),
    };
    format!(
        "{:<width$} {:<16} {:<12} {:<24} {:<16}{flags}",
        shown_id(card),
        card.kind,
        fit(&opt(card.environment.as_ref()), 12, "…"),
        fit(&opt(owner), 24, "…"),
        used,
    )
    .trim_end()
    .to_owned()
}

fn row(card: &Identity, flags: &[Flag]) -> Value {
    let text = |t: &Option<Untrusted>| t.as_ref().map(|t| t.show().into_owned());
    json!({
        "id": show(card.id.as_str()),
        "name": card.name.show(),
        "kind": card.kind,
        "driver": card.driver,
        "environment": text(&card.environment),
        "workload": text(&card.workload),
        "business_owner": text(&card.business_owner),
        "technical_owner": text(&card.technical_owner),
        "on_call": text(&card.on_call),
        "contact": text(&card.contact),
        "criticality": card.criticality,
        "connector": card.connector.as_deref().map(show),
        "credentials": card.credentials.len(),
        "last_used": card.last_seen(),
        "sources": card.origins.iter().map(|o| show(&o.source)).collect::<Vec<_>>(),
        "flags": flags,
    })
}

/// The last row says where all of it is from, and what is wrong there.
fn sources(inventory: &Inventory, listed: usize) -> Value {
    let background = inventory.background();
    let sources: Vec<Value> = background
        .sources
        .iter()
        .map(|s| {
            json!({
                "name": show(&s.name), "place": show(&s.place), "format": s.format, "as_of": s.at,
                "identities": s.identities, "trouble": s.trouble,
            })
        })
        .collect();
    let mistakes: Vec<Value> = background
        .mistakes
        .iter()
        .map(|m| {
            let problem = crate::journal::mask_tokens(&m.problem).into_owned();
            json!({
                "place": m.place, "line": Some(m.line).filter(|l| *l > 0), "problem": problem,
                "lost": m.loss > crate::domain::inventory::Loss::None,
            })
        })
        .collect();
    json!({ "listed": listed, "known": inventory.identities().len(), "sources": sources, "mistakes": mistakes })
}

fn summary(
    inventory: &Inventory,
    listed: usize,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let background = inventory.background();
    writeln!(
        out,
        "\n{listed} of {} identities",
        inventory.identities().len()
    )?;
    for source in &background.sources {
        let when = source.at.map_or("age unknown".to_owned(), |at| {
            format!("{} old", coarse(at, now))
        });
        let format = source.format.unwrap_or("nothing read");
        let trouble = source
            .trouble
            .as_ref()
            .map_or_else(String::new, |t| format!("; {t}"));
        writeln!(
            out,
            "  {}: {} identities, {format}, {when}{trouble}",
            source.shown(),
            source.identities
        )?;
    }
    for mistake in &background.mistakes {
        let is_lost = mistake.loss > crate::domain::inventory::Loss::None;
        let text = mistake.to_string();
        let mark = if is_lost { "!" } else { "?" };
        writeln!(out, "  {mark} {}", crate::journal::mask_tokens(&text))?;
    }
    Ok(())
}
