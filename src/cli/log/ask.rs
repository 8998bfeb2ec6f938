//! Asks the index for records, and reads from the log only those.

use std::path::PathBuf;

use crate::domain::decision::Decisions;
use crate::domain::ids::AlertId;
use crate::domain::wanted::{Named, Wanted};
use crate::journal::{Block, Hit, Index, IndexError, Line};

use super::Context;
use super::filter::{Filter, must_exist, told, wants};

/// Records that are read at once.
const AT_ONCE: usize = 512;
/// Fewer are not worth asking for.
const LEAST: usize = 32;

/// Takes a record, with what is decided about its plan and acts.
type Take<'t> = dyn FnMut(&Hit, &Line, &Decisions) -> anyhow::Result<()> + 't;

/// The records of some stores, each read when it is asked for.
pub struct Records<'c> {
    context: &'c Context<'c>,
    stores: Vec<PathBuf>,
    index: Index,
    seq: Option<u64>,
}

impl<'c> Records<'c> {
    /// Opens the stores that are given, else the own one.
    pub fn open(given: &[PathBuf], context: &'c Context<'c>) -> anyhow::Result<Self> {
        let stores = context.stores(given);
        must_exist(&stores)?;
        let index = Index::open(context.cache.as_deref(), &stores)?;
        Ok(Self {
            context,
            stores,
            index,
            seq: None,
        })
    }

    /// Asks only for records with this number from now on.
    pub fn only(&mut self, seq: Option<u64>) {
        self.seq = seq;
    }

    /// Says what is wrong with the logs, and what was odd about the index.
    pub fn tell(&mut self) {
        if let Some(said) = self.index.take_said() {
            (self.context.warn)(&said);
        }
        for problem in self.index.problems() {
            (self.context.warn)(&told(problem));
        }
    }

    /// As [`Self::tell`], and which values of a filter nothing knows.
    pub fn tell_about(&mut self, filter: &Filter) -> anyhow::Result<()> {
        self.tell();
        for text in self.index.settle(&mut filter.wanted())? {
            (self.context.warn)(&text);
        }
        Ok(())
    }

    /// Returns 1 when records are lost or not what was signed.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.index.problems().iter().any(|p| p.grave))
    }

    /// Hands on every record that is asked for, in the order of time; not all of them are in memory at once.
    pub fn each(
        &mut self,
        filter: &Filter,
        take: &mut dyn FnMut(&Line, &Decisions) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.hits(filter, &mut |_, line, decisions| take(line, decisions))
    }

    /// Returns every record that is asked for, all at once.
    pub fn all(&mut self, filter: &Filter) -> anyhow::Result<Block> {
        let mut hits = Vec::new();
        self.hits(filter, &mut |hit, _, _| {
            hits.push(hit.clone());
            Ok(())
        })?;
        Ok(self.index.read(&hits)?)
    }

    /// Returns every alert that a record names and that ends so.
    pub fn alerts_ending(&self, end: &str) -> anyhow::Result<Vec<AlertId>> {
        Ok(self.index.alerts_ending(end)?)
    }

    /// Returns every record about one alert, its plans and its acts.
    pub fn about(&mut self, alert: &AlertId) -> anyhow::Result<Block> {
        let mut named = Named::new(alert.as_str());
        named.settle(true);
        let wanted = Wanted {
            alert: Some(named),
            ..Wanted::default()
        };
        let read = |index: &Index| index.about_alert(&index.search(&wanted, None)?.all()?, alert);
        match read(&self.index) {
            Ok(block) => Ok(block),
            Err(error) => {
                self.anew(&error)?;
                Ok(read(&self.index)?)
            }
        }
    }

    fn anew(&mut self, why: &IndexError) -> anyhow::Result<()> {
        self.index = Index::anew(self.context.cache.as_deref(), &self.stores, why)?;
        Ok(())
    }

    fn hits(&mut self, filter: &Filter, take: &mut Take<'_>) -> anyhow::Result<()> {
        let mut handed_on = false;
        let mut taking = |hit: &Hit, line: &Line, decisions: &Decisions| {
            handed_on = true;
            take(hit, line, decisions)
        };
        let ended = self.once(filter, &mut taking);
        match ended.map_err(anyhow::Error::downcast::<IndexError>) {
            Ok(()) => Ok(()),
            // The log was changed under it, or the file is damaged: built anew it says what is there now.
            Err(Ok(error)) if !handed_on => {
                self.anew(&error)?;
                self.once(filter, take)
            }
            Err(Ok(error)) => Err(error.into()),
            Err(Err(other)) => Err(other),
        }
    }

    fn once(&self, filter: &Filter, take: &mut Take<'_>) -> anyhow::Result<()> {
        let mut wanted = filter.wanted();
        self.index.settle(&mut wanted)?;
        let mut search = self.index.search(&wanted, self.seq)?;
        let Some(last) = filter.last else {
            for part in search.all()?.chunks(AT_ONCE) {
                for (hit, line, decisions) in meant(part, &self.index.read(part)?, &wanted) {
                    take(hit, line, decisions)?;
                }
            }
            return Ok(());
        };
        // The newest are looked at first, until there are enough.
        let (mut parts, mut found) = (Vec::<(Vec<Hit>, Block)>::new(), 0);
        while found < last {
            let first = parts.last().and_then(|(hits, _)| hits.first());
            let hits = search.before(first, AT_ONCE.min(last.max(LEAST)))?;
            if hits.is_empty() {
                break;
            }
            let block = self.index.read(&hits)?;
            found += meant(&hits, &block, &wanted).count();
            parts.push((hits, block));
        }
        let all = parts
            .iter()
            .rev()
            .flat_map(|(hits, block)| meant(hits, block, &wanted));
        for (hit, line, decisions) in all.skip(found.saturating_sub(last)) {
            take(hit, line, decisions)?;
        }
        Ok(())
    }
}

/// The index finds perhaps some more than are asked for.
fn meant<'b>(
    hits: &'b [Hit],
    block: &'b Block,
    wanted: &'b Wanted,
) -> impl Iterator<Item = (&'b Hit, &'b Line, &'b Decisions)> {
    let all = hits.iter().zip(&block.lines);
    all.filter(|(_, line)| wants(wanted, line, &block.decisions))
        .map(|(hit, line)| (hit, line, &block.decisions))
}
