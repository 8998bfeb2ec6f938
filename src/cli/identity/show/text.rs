//! All that is known about an identity, in lines.

use std::io::Write;

use jiff::Timestamp;

use super::{Live, View};
use crate::domain::identity::{At, Field, Origin, coarse};
use crate::domain::observed::Fits;
use crate::domain::text::{Untrusted, show, show_identifier};

impl View<'_> {
    fn told_by(&self, origin: Option<&std::sync::Arc<Origin>>) -> String {
        origin.map_or_else(String::new, |o| o.told(self.now))
    }

    pub(super) fn text(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let card = self.card;
        writeln!(
            out,
            "{}  (found by: {})",
            show_identifier(card.id.as_str()),
            self.reason.reason
        )?;
        for flag in &self.flags {
            let kind = flag.kind.as_str().replace('_', " ");
            writeln!(out, "! {kind}: {}", flag.reason)?;
        }
        for (field, value) in card.told() {
            let at = At::own(field);
            let label = at.to_string();
            let Some(value) = value else {
                let seen = card.last_seen().filter(|_| field == Field::LastUsed);
                let known = seen.map_or("unknown".to_owned(), |at| {
                    format!("{} ago, by its credentials", coarse(at, self.now))
                });
                writeln!(out, "{label:<16} {known}")?;
                continue;
            };
            let from = self.told_by(card.origin(&at));
            writeln!(out, "{label:<16} {:<36} from {from}", value.show())?;
            for said in card.conflicts(&at) {
                let value = said.value.as_ref().map(Untrusted::show).unwrap_or_default();
                let from = said.origin.told(self.now);
                writeln!(out, "{:<16} {value:<36} says {from}", "  but")?;
            }
        }
        let aliases: Vec<_> = card.aliases.iter().map(Untrusted::show).collect();
        writeln!(
            out,
            "{:<16} {}",
            "other ids",
            or_unknown(&aliases.join(", "))
        )?;
        self.lists(out)?;
        if let Some(live) = &self.live {
            live_text(live, self.now, out)?;
        }
        Ok(())
    }

    fn lists(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let card = self.card;
        let when = |label: &str, at: Option<Timestamp>| match at {
            None => format!("{label} unknown"),
            Some(at) if at > self.now => format!("{label} in {}", coarse(self.now, at)),
            Some(at) => format!("{label} {} ago", coarse(at, self.now)),
        };
        let opt = |t: &Option<Untrusted>| {
            t.as_ref()
                .map_or("unknown".to_owned(), |t| t.show().into_owned())
        };
        heading(out, "scopes", card.scopes.len())?;
        for s in &card.scopes {
            let level = s.level.map_or("level unknown", |l| l.as_str());
            let on =
                s.on.as_ref()
                    .map_or_else(String::new, |o| format!(" on {}", o.show()));
            let used = match (s.used, s.last_used) {
                (_, Some(at)) => format!("used {} ago", coarse(at, self.now)),
                (Some(true), None) => "used".to_owned(),
                (Some(false), None) => "NEVER USED".to_owned(),
                (None, None) => "use unknown".to_owned(),
            };
            let mark = if s.privileged { "!" } else { " " };
            let from = self.told_by(card.origin(&At::of(Field::Scope, s.name.raw())));
            writeln!(
                out,
                "  {mark} {}{on}  {level}, {used}  (from {from})",
                s.name.show()
            )?;
        }
        heading(out, "credentials", card.credentials.len())?;
        for c in &card.credentials {
            let from = self.told_by(card.origin(&At::of(Field::Credential, c.id.raw())));
            let kind = or_unknown(c.kind.raw()).to_owned();
            writeln!(
                out,
                "    {} {}  in {}  (from {from})",
                show(&kind),
                c.id.show(),
                opt(&c.store)
            )?;
            writeln!(
                out,
                "      {}, {}, {}, {}, rotation {}",
                when("issued", c.created),
                when("rotated", c.rotated),
                when("last used", c.last_used),
                when("ends", c.expires),
                opt(&c.rotation)
            )?;
            writeln!(
                out,
                "      fingerprint {}; used by {}; put out of use: {}",
                opt(&c.fingerprint),
                join(&c.consumers),
                opt(&c.offboarding)
            )?;
            if !c.hard_coded.is_empty() {
                writeln!(out, "      ! written down in {}", join(&c.hard_coded))?;
            }
        }
        heading(out, "grants", card.grants.len())?;
        for g in &card.grants {
            let kind = opt(&g.kind);
            let scopes = join(&g.scopes);
            writeln!(
                out,
                "    to {}  {kind}: {scopes}  {}",
                g.to.show(),
                when("since", g.since)
            )?;
        }
        heading(out, "recovery paths", card.recovery.len())?;
        for r in &card.recovery {
            writeln!(out, "    {}  {}, {}", r.id.show(), opt(&r.kind), r.state)?;
        }
        if let Some(intent) = &card.intent {
            writeln!(
                out,
                "approved for: {}; tools {}; on {}",
                opt(&intent.purpose),
                join(&intent.tools),
                join(&intent.targets)
            )?;
        }
        self.normal(out)
    }

    /// Writes what is normal beside what is seen.
    fn normal(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let rows = self.observed();
        if rows.is_empty() {
            writeln!(out, "normally: unknown")?;
        }
        for row in &rows {
            writeln!(out, "normal {}: {}", row.aspect, join(&row.normally))?;
            for seen in &row.seen {
                let mark = match seen.fits {
                    Fits::Usual => " ",
                    Fits::Unusual => "!",
                    Fits::Unknown => "?",
                };
                writeln!(
                    out,
                    "  {mark} {}: {} (from the {})",
                    seen.fits.as_str().replace('_', " "),
                    seen.text,
                    seen.from
                )?;
            }
        }
        Ok(())
    }
}

fn join(texts: &[Untrusted]) -> String {
    let texts: Vec<_> = texts.iter().map(Untrusted::show).collect();
    or_unknown(&texts.join(", ")).to_owned()
}

fn heading(out: &mut dyn Write, name: &str, count: usize) -> std::io::Result<()> {
    match count {
        0 => writeln!(out, "{name}: none known"),
        _ => writeln!(out, "{name}:"),
    }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

fn live_text((context, at): &Live, now: Timestamp, out: &mut dyn Write) -> anyhow::Result<()> {
    let enabled = match context.enabled {
        Some(true) => "enabled",
        Some(false) => "DISABLED",
        None => "state unknown",
    };
    writeln!(
        out,
        "now, as its provider says ({} ago): {enabled}",
        coarse(*at, now)
    )?;
    for (part, why) in &context.unknown {
        writeln!(out, "  ! {} unknown: {}", show(part), why.show())?;
    }
    for s in &context.sessions {
        let origin = s.origin.as_ref().map(Untrusted::show);
        let ends = s.expires.map_or("end unknown".to_owned(), |at| {
            format!("ends in {}", coarse(now, at))
        });
        writeln!(
            out,
            "  {} {} from {}, {ends}",
            s.kind.show(),
            s.id.show(),
            origin.as_deref().unwrap_or("unknown")
        )?;
    }
    let scopes: Vec<_> = context.scopes.iter().map(|s| s.name.show()).collect();
    let failed = |part: &str| context.unknown.iter().any(|(p, _)| p.contains(part));
    let said = |part: &str, texts: String| match (failed(part), texts.is_empty()) {
        (_, false) => texts,
        (true, true) => "unknown".to_owned(),
        (false, true) => "none".to_owned(),
    };
    writeln!(out, "  scopes {}", said("role", scopes.join(", ")))?;
    let grants: Vec<_> = context.grants.iter().map(Untrusted::show).collect();
    writeln!(out, "  grants {}", said("grant", grants.join(", ")))?;
    for c in &context.credentials {
        writeln!(out, "  {} {}", c.kind.show(), c.id.show())?;
    }
    Ok(())
}
