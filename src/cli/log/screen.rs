//! `stanch log` without a subcommand: the log's screen, and nothing that acts or records.

use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::sync::mpsc;

use crate::app::model::{Model, Overlay};
use crate::app::msg::Msg;
use crate::cli::look::look;
use crate::cli::{Global, exit, setup};
use crate::config::Config;
use crate::connect::Connectors;
use crate::domain::inventory::Inventory;
use crate::journal::JournalConfig;
use crate::runtime::console::{Console, QUEUE, report_to};
use crate::runtime::journal::Journal;
use crate::runtime::screen::Screen;
use crate::runtime::services::{Latest, Services};
use crate::term::session::{Session, install_panic_hook};

/// Said where there is no terminal.
pub const NEEDS_TERMINAL: &str = "the log's screen needs a terminal on standard output; `stanch log show` prints the log, \
     `stanch log verify` verifies it";

/// Opens the screen on the terminal until the reader leaves.
pub fn open(global: &Global) -> anyhow::Result<u8> {
    if !std::io::stdout().is_terminal() {
        bail!(NEEDS_TERMINAL);
    }
    let state = setup::state_dir(global)?;
    let store = setup::journal_dir(&state);
    super::filter::must_exist(std::slice::from_ref(&store))?;
    let config = if setup::is_drill(global)? {
        Config::default()
    } else {
        // A log can be read whatever is wrong with the configuration.
        Config::load(&setup::config_path(global)?).unwrap_or_default()
    };
    let look = look(global, &config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (sender, queue) = mpsc::channel(QUEUE);
        let report = report_to(&sender, &tokio::runtime::Handle::current());
        let journal = JournalConfig {
            store: store.clone(),
            site: config.journal.site.clone(),
            // Without a writer no key is read.
            keys: setup::keys_dir(global)?,
            drill: false,
            allow_network_fs: true,
            person: None,
            policy: None,
            fallback: None,
        };
        let services = Services {
            own: None,
            authority: None,
            connectors: Arc::new(Connectors::default()),
            playbooks: Arc::new([]),
            policy: Arc::default(),
            inventory: Arc::new(Inventory::default()),
            latest: Latest::default(),
            inventory_sources: None,
            journal: Journal::open(
                journal,
                true,
                setup::anchoring(&config).map_err(anyhow::Error::msg)?,
                report.clone(),
            ),
            alerts: None,
            views: None,
            desk: config.desk(),
            drill_speed: None,
        };
        tokio::spawn(services.journal.clone().follow());
        let mut model = Model {
            // The first frame may come before the first message.
            overlay: Overlay::Log,
            read_only: true,
            log_only: Some(store.display().to_string()),
            ..Model::default()
        };
        model.timeline.open = true;
        report(Msg::OpenLog);
        install_panic_hook();
        let session = Session::enter(look.mouse).context("cannot take the terminal over")?;
        let screen = Screen::Terminal(Box::new(session));
        let mut console = Console::new(services, model, look, screen, queue, report);
        console.run().await?;
        Ok(exit::DONE)
    })
}
