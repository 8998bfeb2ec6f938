//! The console itself, and the drill: on a terminal, or played from a script without one.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::look::look;
use super::setup::{self, DrillStart, Setup};
use super::{Global, exit};
use crate::app::layout::Layout;
use crate::app::model::{DrillView, Level, Model, Opening};
use crate::app::msg::Msg;
use crate::config::remembered;
use crate::domain::coverage::CellState;
use crate::domain::decision::{Act, DecisionKind, Decisions};
use crate::domain::text::{seen, show};
use crate::domain::vocabulary::Verb;
use crate::drill::debrief::{Chosen, Debrief, debrief};
use crate::drill::score::{Marks, score};
use crate::drill::{LabHandle, LabStatus, scenarios};
use crate::runtime::console::{Console, Look, Played, QUEUE, report_to};
use crate::runtime::history;
use crate::runtime::journal::{Journal, Report};
use crate::runtime::plain::follow;
use crate::runtime::screen::Screen;
use crate::runtime::script;
use crate::term::session::{Session, install_panic_hook};
use crate::ui::wrap::wrap;

/// Arguments of `stanch drill`.
#[derive(Debug, clap::Args)]
pub struct DrillArgs {
    /// Which scenario.
    pub scenario: Option<String>,
    /// List the scenarios.
    #[arg(long)]
    pub list: bool,
    /// How many drill seconds pass in a second.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Makes the attack repeatable.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A policy to try instead of the shipped one: how a mode feels before it is armed on real systems.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Without a terminal: play keystrokes from --script and exit 0 only if the intruder is out.
    #[arg(long, requires = "script")]
    pub headless: bool,
    /// File of keystrokes: `key NAME…`, `type TEXT`, `wait SECONDS TEXT`, `out SECONDS`, `show`, one a line.
    #[arg(long, requires = "headless", value_name = "FILE")]
    pub script: Option<PathBuf>,
}

/// Size of the screen that a script plays on.
const HEADLESS: Rect = Rect {
    x: 0,
    y: 0,
    width: 120,
    height: 40,
};

/// `stanch drill`.
pub fn run(global: &Global, args: &DrillArgs) -> anyhow::Result<u8> {
    if args.list {
        let mut out = std::io::stdout().lock();
        for info in scenarios() {
            if global.json {
                let line = serde_json::json!({ "id": info.id, "title": info.title });
                writeln!(out, "{line}")?;
            } else {
                writeln!(out, "{:<24} {}", info.id, info.title)?;
            }
        }
        return Ok(exit::DONE);
    }
    if !(0.1..=1000.0).contains(&args.speed) {
        bail!("--speed {} is out of range; use 0.1 to 1000", args.speed);
    }
    let scenario = args.scenario.clone().or_else(|| global.drill.clone());
    let scenario = scenario.unwrap_or_else(|| crate::drill::DEFAULT.to_owned());
    let global = Global {
        drill: Some(scenario),
        ..global.clone()
    };
    if args.headless {
        headless(&global, args)
    } else {
        console(&global, Some(args))
    }
}

fn start(global: &Global, args: Option<&DrillArgs>) -> DrillStart {
    DrillStart {
        scenario: global
            .drill
            .clone()
            .unwrap_or_else(|| crate::drill::DEFAULT.to_owned()),
        speed: args.map_or(1.0, |a| a.speed),
        seed: args.map_or(1, |a| a.seed),
        fresh: true,
        policy: args.and_then(|a| a.policy.clone()),
    }
}

/// Opens the console on the terminal.
pub fn console(global: &Global, args: Option<&DrillArgs>) -> anyhow::Result<u8> {
    if global.plain {
        return plain(global, args);
    }
    if !std::io::stdout().is_terminal() {
        bail!(
            "the console needs a terminal on standard output; --plain, subcommands and `stanch drill --headless` do not"
        );
    }
    let _trace = trace(global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // A broken configuration is told before the screen changes.
        let mut running = Running::open(global, start(global, args)).await?;
        let look = look(global, &running.setup.config)?;
        install_panic_hook();
        let session = Session::enter(look.mouse).context("cannot take the terminal over")?;
        let screen = Screen::Terminal(Box::new(session));
        let remembered = setup::remembered(global)?;
        let (layout, ignored) = remembered::load(&remembered);
        let mut console = running.console(screen, look, global, layout)?;
        if let Some(text) = ignored {
            (running.report)(Msg::Notice {
                level: Level::Warn,
                text: show(&text).into_owned(),
            });
        }
        let result = console.run().await;
        let now = console.model().layout;
        if let Some(folder) = remembered.parent() {
            // Where it cannot be made, keeping says so.
            let _ = setup::make_private(folder);
        }
        if now != layout
            && let Err(error) = remembered::keep(&remembered, now)
        {
            tracing::warn!("the screen is not remembered: {error}");
        }
        let unrecorded = console.model().unrecorded.clone();
        drop(console);
        running.end().await;
        result?;
        // The screen is gone, and with it what it said.
        if let Some(text) = unrecorded {
            tell!("stanch: {}", seen(text));
            return Ok(exit::FAILED);
        }
        Ok(exit::DONE)
    })
}

/// Follows without a screen.
fn plain(global: &Global, args: Option<&DrillArgs>) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut running = Running::open(global, start(global, args)).await?;
        running.begin(global)?;
        let queue = running.inbox()?;
        let followed = follow(queue, &mut std::io::stdout()).await;
        running.end().await;
        followed.map(|()| exit::DONE)
    })
}

/// Plays a script without a terminal.
fn headless(global: &Global, args: &DrillArgs) -> anyhow::Result<u8> {
    let path = args
        .script
        .as_deref()
        .context("--headless needs --script FILE")?;
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let steps = script::parse(&text).with_context(|| path.display().to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut running = Running::open(global, start(global, Some(args))).await?;
        let look = look(global, &running.setup.config)?;
        let screen = Screen::Memory(Buffer::empty(HEADLESS));
        let layout = Layout {
            tour_done: true,
            ..Layout::default()
        };
        let mut console = running.console(screen, look, global, layout)?;
        let played = console.play(steps).await?;
        drop(console);
        let status = running.end().await;
        if let Played::Stuck(why) = &played {
            tell!("stanch: {why}");
        }
        let out = status.is_some_and(|s| !s.intruder_in);
        Ok(if out && played == Played::Done {
            exit::DONE
        } else {
            exit::FAILED
        })
    })
}

/// Starts the trace when it is asked for; the guard writes the rest when it goes.
fn trace(global: &Global) -> anyhow::Result<Option<tracing_appender::non_blocking::WorkerGuard>> {
    if !global.verbose {
        return Ok(None);
    }
    let state = setup::state_dir(global)?;
    let folder = state.parent().unwrap_or(&state);
    setup::make_private(folder)?;
    let (writer, guard) =
        tracing_appender::non_blocking(tracing_appender::rolling::never(folder, "trace.log"));
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(writer)
        .init();
    Ok(Some(guard))
}

/// A setup with its tasks.
struct Running {
    setup: Setup,
    report: Report,
    queue: Option<mpsc::Receiver<Msg>>,
    cancel: CancellationToken,
    /// Follows the lab, and hands it back at the end.
    lab: Option<JoinHandle<LabHandle>>,
    /// What the drill teaches.
    lesson: Option<Debrief>,
    /// The state directory, where one was named.
    named: Option<PathBuf>,
}

impl Running {
    async fn open(global: &Global, start: DrillStart) -> anyhow::Result<Self> {
        let (sender, queue) = mpsc::channel(QUEUE);
        let report = report_to(&sender, &tokio::runtime::Handle::current());
        let setup = Setup::open(global, start, report.clone()).await?;
        Ok(Self {
            setup,
            report,
            queue: Some(queue),
            cancel: CancellationToken::new(),
            lab: None,
            lesson: None,
            named: global.state_dir.clone(),
        })
    }

    /// Puts the console on the screen.
    fn console(
        &mut self,
        screen: Screen,
        look: Look,
        global: &Global,
        layout: Layout,
    ) -> anyhow::Result<Console> {
        let mut model = self.begin(global)?;
        model.layout = layout;
        model.tour = (model.drill.is_some() && !layout.tour_done).then_some(0);
        Ok(Console::new(
            self.setup.services.clone(),
            model,
            look,
            screen,
            self.inbox()?,
            self.report.clone(),
        ))
    }

    fn inbox(&mut self) -> anyhow::Result<mpsc::Receiver<Msg>> {
        let queue = self.queue.take();
        queue.context("the console was started already")
    }

    /// Starts sources, log following and drill reports; returns what is known at first.
    fn begin(&mut self, global: &Global) -> anyhow::Result<Model> {
        let mut model = self.setup.services.model();
        model.read_only = global.read_only;
        model.opening = Opening {
            alerts: true,
            log: true,
            sources: self.setup.sources.len(),
        };
        model.malformed = self.setup.malformed()?;
        model.reload.every_s = self.setup.config.inventory.reload_s;
        model.reload.live_again_s = self.setup.config.inventory.live_again_s;
        let (store, report) = (self.setup.store.clone(), self.report.clone());
        tokio::task::spawn_blocking(move || history::load(&store, &report));
        let unarmed = super::setup::policy::trouble(&self.setup.findings);
        for text in super::setup::inventory_trouble(&self.setup.services.inventory)
            .into_iter()
            .chain(unarmed)
        {
            (self.report)(Msg::Notice {
                level: Level::Warn,
                text,
            });
        }
        self.start_sources();
        tokio::spawn(self.setup.services.journal.clone().follow());
        self.start_drill(&mut model);
        (self.report)(Msg::Alerts(Vec::new()));
        Ok(model)
    }

    fn start_sources(&self) {
        let intake = self.setup.intake("console");
        tokio::spawn(intake.run(self.report.clone(), self.cancel.clone()));
    }

    fn start_drill(&mut self, model: &mut Model) {
        let Some(drill) = self.setup.drill.take() else {
            return;
        };
        let title = drill.scenario.title().to_owned();
        let score = vec!["No score yet.".to_owned()];
        model.drill = Some(DrillView {
            title: title.clone(),
            intruder_in: true,
            score,
        });
        (self.report)(Msg::Story(drill.scenario.story().to_vec()));
        let (report, journal) = (self.report.clone(), self.setup.services.journal.clone());
        let (mut lab, cancel) = (drill.lab, self.cancel.clone());
        let lesson = drill.scenario.debrief().clone();
        self.lesson = Some(lesson.clone());
        self.lab = Some(tokio::spawn(async move {
            loop {
                let status = lab.status();
                let score = scored(&journal, &status, &lesson, false).await;
                report(Msg::Drill(DrillView {
                    title: title.clone(),
                    intruder_in: status.intruder_in,
                    score,
                }));
                tokio::select! {
                    () = lab.changed() => {}
                    () = cancel.cancelled() => return lab,
                }
            }
        }));
    }

    /// Ends every task; prints the score of a drill.
    async fn end(mut self) -> Option<LabStatus> {
        self.cancel.cancel();
        let lab = match self.lab.take() {
            Some(task) => task.await.ok(),
            None => None,
        };
        let journal = &self.setup.services.journal;
        let status = lab.as_ref().map(LabHandle::status);
        if let Some((status, lesson)) = status.as_ref().zip(self.lesson.as_ref()) {
            say!("The drill is over.");
            let width = width();
            for line in scored(journal, status, lesson, true).await {
                for row in wrap(Line::raw(format!("  {line}")), width) {
                    say!("{row}");
                }
            }
            say!(
                "  What was decided: stanch{} log show --drill (kept in {})",
                self.named
                    .as_ref()
                    .map_or_else(String::new, |dir| format!(" --state-dir {}", dir.display())),
                self.setup.state.display()
            );
        }
        journal.end().await;
        if let Some(lab) = lab {
            lab.shutdown().await;
        }
        status
    }
}

/// Returns where lines break for the terminal on standard output, which would cut words in two; a file gets them whole: 0.
fn width() -> usize {
    std::io::stdout()
        .is_terminal()
        .then(crossterm::terminal::size)
        .and_then(Result::ok)
        .map_or(0, |(width, _)| usize::from(width))
}

async fn scored(
    journal: &Journal,
    status: &LabStatus,
    lesson: &Debrief,
    is_over: bool,
) -> Vec<String> {
    let Ok(decisions) = journal.decisions().await else {
        return vec!["The journal cannot be read.".to_owned()];
    };
    let marks = marks(&decisions, status);
    let chosen = chosen(&decisions);
    let mut result = score(&marks, status.legit_failed, status.secrets_read);
    // The drill may end before the work that was cut off comes round again.
    let cut =
        |a: &Act| a.intent.verb.cuts_everybody() && !a.intent.undo && a.cell() == CellState::Proven;
    // Where nothing narrower would do, cutting everybody off is no fault.
    let had_to = chosen.iter().any(|c| c.playbook == lesson.playbook);
    if status.legit_failed == 0 && !had_to && decisions.acts().any(cut) {
        result.points = result.points.saturating_sub(10);
        let text = "Everybody who uses the identity was cut off; a narrower cut would have spared them. 10 less.";
        result.lines.push(text.to_owned());
    }
    result
        .lines
        .insert(0, format!("Score: {} of 100.", result.points));
    result
        .lines
        .extend(debrief(lesson, &marks, &chosen, is_over));
    result.lines
}

/// Returns the plans that were run, in the order in which they began.
fn chosen(decisions: &Decisions) -> Vec<Chosen> {
    let mut begun: BTreeMap<&str, Chosen> = BTreeMap::new();
    for act in decisions.acts().filter(|act| !act.intent.undo) {
        let digest = act.intent.digest.as_str();
        let Some((_, state)) = decisions.plan(digest) else {
            continue;
        };
        let chosen = begun.entry(digest).or_insert_with(|| Chosen {
            at: act.at,
            playbook: state.plan.playbook.clone(),
        });
        chosen.at = chosen.at.min(act.at);
    }
    let mut all: Vec<Chosen> = begun.into_values().collect();
    all.sort_by_key(|c| c.at);
    all
}

/// Takes the moments of the drill from the journal, so that the score is what the log can show.
fn marks(decisions: &Decisions, status: &LabStatus) -> Marks {
    let about_it: Vec<_> = decisions.acts().filter(|a| !a.intent.undo).collect();
    let acting = |a: &&&Act| a.intent.verb != Verb::PreserveEvidence;
    let alerts = about_it.iter().map(|a| &a.intent.alert);
    let mut claims = alerts
        .flat_map(|id| decisions.of_alert(id))
        .filter(|(_, _, d)| d.kind == DecisionKind::Claim)
        .map(|(at, _, _)| *at);
    let first_claim = claims.next().map(|first| claims.fold(first, std::cmp::min));
    let decided_at: Option<Timestamp> = about_it.first().map(|a| a.at);
    let proven = about_it
        .iter()
        .filter(acting)
        .filter(|a| a.verify.is_some())
        .map(|a| a.last)
        .max();
    Marks {
        exposed_at: Some(status.started),
        first_alert_at: status.first_alert_at,
        acknowledged_at: first_claim.or(decided_at),
        decided_at,
        contained_at: about_it.iter().find(acting).map(|a| a.at),
        proven_at: proven,
        intruder_out_at: if status.intruder_in {
            None
        } else {
            Some(status.since)
        },
    }
}
