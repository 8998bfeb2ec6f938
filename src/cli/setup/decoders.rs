//! What decodes alerts: the shipped decoders, and what the configuration adds.

use std::path::Path;

use super::{Global, config_path, is_drill};
use crate::cli::alerts::Configured;
use crate::config::Config;
use crate::intake::decode::Decoders;
use crate::intake::decode::jwt::KeySet;

/// Reads the mappings and keys of a configuration, and checks that its sources name known kinds.
pub fn load(config: &Config, path: &Path) -> anyhow::Result<Decoders> {
    let own = &config.decoders;
    let blame = |key: &[&str], file: &Path, problem: String| {
        Config::blame(path, key, format!("{}: {problem}", file.display()))
    };
    let mut decoders = Decoders::default();
    for file in &own.mappings {
        let key = &["decoders", "mappings"];
        let text = std::fs::read_to_string(file)
            .map_err(|error| blame(key, file, format!("cannot read: {error}")))?;
        decoders
            .add_mapping(&text)
            .map_err(|error| blame(key, file, error.to_string()))?;
    }
    if let Some(file) = &own.token_keys {
        let key = &["decoders", "token_keys"];
        let text = std::fs::read_to_string(file)
            .map_err(|error| blame(key, file, format!("cannot read: {error}")))?;
        let keys = KeySet::parse(&text).map_err(|error| blame(key, file, error.to_string()))?;
        decoders.set_keys(keys);
    }
    for (index, source) in config.source.iter().enumerate() {
        if let Some(name) = source
            .format()
            .filter(|f| *f != "auto" && !decoders.knows(f))
        {
            let problem = format!(
                "`{name}` is no kind of alert; `stanch alerts kinds` lists them, `auto` finds it from each alert"
            );
            let at = index.to_string();
            return Err(Config::blame(path, &["source", &at, "format"], problem).into());
        }
    }
    for (index, source) in config.source.iter().enumerate() {
        if let Err(error) = crate::intake::poll::check(source, &decoders) {
            let at = index.to_string();
            return Err(Config::blame(path, &["source", &at], error.to_string()).into());
        }
    }
    Ok(decoders)
}

/// Returns what the configuration says about decoding, if there is one.
pub fn configured(global: &Global) -> anyhow::Result<Configured> {
    // Decoding works where there is no place for a configuration at all.
    let Ok(path) = config_path(global) else {
        return Ok(Configured::default());
    };
    if is_drill(global)? || !path.exists() {
        return Ok(Configured::default());
    }
    let config = Config::load(&path)?;
    let formats = config
        .source
        .iter()
        .filter_map(|source| Some((source.name().to_owned(), source.format()?.to_owned())));
    Ok(Configured {
        formats: formats.collect(),
        sources: config
            .source
            .iter()
            .map(|s| (s.name().to_owned(), s.kind()))
            .collect(),
        decoders: load(&config, &path)?,
        retention: config.retention(),
        views: config.desk().views,
        ..Configured::default()
    })
}
