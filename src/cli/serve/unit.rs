//! The systemd unit of `stanch serve`.

use anyhow::Context as _;

use crate::cli::{Global, exit, setup};

/// Prints the unit. What it forbids is what a service that reads files, keeps a state folder and asks providers never does.
pub fn print_unit(global: &Global, out: &mut dyn std::io::Write) -> anyhow::Result<u8> {
    let own = std::env::current_exe().context("cannot tell where this program lies")?;
    let config = std::path::absolute(setup::config_path(global)?)?;
    let state = std::path::absolute(setup::state_dir(global)?)?;
    let word = |path: &std::path::Path| unit_word(&path.display().to_string());
    // Where several people share the state folder, keys and caches are each one's own.
    let others = [Some(setup::keys_dir(global)?), setup::cache_dir(global)];
    let mut writes = word(&state)?;
    for dir in others.into_iter().flatten() {
        let dir = std::path::absolute(dir)?;
        if !dir.starts_with(&state) {
            writes = format!("{writes} -{}", word(&dir)?);
        }
    }
    let (own, config, state) = (word(&own)?, word(&config)?, word(&state)?);
    writeln!(
        out,
        "\
[Unit]
Description=stanch: takes alerts in, ends holds, asks again, does what the policy does by itself
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={own} --config {config} --state-dir {state} serve
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1
# User=stanch                    somebody on the roster; Group= the group that shares the state folder
UMask=0007
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths={writes}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
# No RestrictSUIDSGID: folders of a shared state folder are set-group-id.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target"
    )?;
    Ok(exit::DONE)
}

/// Writes a word of a command line as systemd reads it (systemd.service(5)): quoted, with its own signs doubled.
fn unit_word(text: &str) -> anyhow::Result<String> {
    if text.chars().any(char::is_control) {
        anyhow::bail!("a path with control characters cannot stand in a unit");
    }
    let text = text.replace('%', "%%").replace('$', "$$");
    Ok(match text.contains([' ', '"', '\'', '\\']) {
        true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        false => text,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/opt/stanch", "/opt/stanch")]
    #[case("/opt/my stanch", "\"/opt/my stanch\"")]
    #[case("/opt/100%$x", "/opt/100%%$$x")]
    #[case("/a\"b\\c", "\"/a\\\"b\\\\c\"")]
    fn a_path_stays_one_word_of_a_unit(#[case] path: &str, #[case] word: &str) {
        assert_eq!(unit_word(path).unwrap(), word);
    }

    #[test]
    fn a_path_begins_no_line_of_its_own() {
        assert!(unit_word("/opt\nExecStartPost=/bin/sh").is_err());
    }
}
