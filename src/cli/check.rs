//! `check`: settings and templates, judged by the real engines, without a database: the samples are the demo's examples.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::{compose, programs};
use crate::config::Settings;
use crate::domain::Snapshot;

const PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(settings: Settings, file: Option<PathBuf>, printer: &Printer) -> Result<(), Failure> {
    let good = |what: &str| printer.line(format!("{} {what}", printer.tone(Tone::Good, "ok")));
    match file {
        Some(file) => good(&format!("settings in {}", file.display())),
        None => good("settings: defaults and environment"),
    }
    let guard_spoa = programs::guard_spoa(settings.node.guard_spoa.as_deref())?;
    // The samples' upstreams are on this host.
    let mut node = settings.node_settings();
    node.allow_upstreams.push("127.0.0.0/8".parse().map_err(|e: String| anyhow::anyhow!(e))?);
    let scratch = Scratch::new()?;
    for (what, snapshot) in [("nothing configured", Snapshot::default()), ("the examples", compose::sample_snapshot()?)] {
        let bundle = compose::bundle(&snapshot, &node)?;
        let folder = scratch.0.join(if snapshot.vhosts.is_empty() { "empty" } else { "examples" });
        for (path, content) in &bundle.files {
            let path = folder.join(path);
            fs_err::create_dir_all(path.parent().unwrap_or(&folder)).context("the scratch folder")?;
            fs_err::write(&path, content).context("the scratch folder")?;
        }
        good(&format!("templates render, with {what}: {} files, {} rule sets", bundle.files.len(), bundle.rulesets.len()));
        let config = folder.join("haproxy.cfg");
        judged("HAProxy", &settings.haproxy.program, &["-c", "-f"], &config, "`haproxy.program` sets another HAProxy").await?;
        good(&format!("HAProxy takes them, with {what}"));
        let config = folder.join("guard-spoa.yaml");
        judged("guard-spoa", &guard_spoa, &["-strict", "-validate", "-config"], &config, "`node.guard_spoa` sets another guard-spoa")
            .await?;
        good(&format!("guard-spoa takes them, with {what}"));
    }
    Ok(())
}

async fn judged(who: &str, program: &Path, words: &[&str], config: &Path, hint: &str) -> Result<(), Failure> {
    let mut arguments: Vec<std::ffi::OsString> = words.iter().map(Into::into).collect();
    arguments.push(config.into());
    let (accepted, said) = programs::ask(program, &arguments, PATIENCE)
        .await
        .map_err(|error| Failure::user(format!("{who} cannot be asked: {}: {error}", program.display())).hint(hint))?;
    if accepted {
        return Ok(());
    }
    Err(Failure::Internal(anyhow::anyhow!("{who} refuses what our templates make of the samples and these settings:\n{said}")))
}

/// A folder for one run.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("guard-proxy-check-{}", uuid::Uuid::new_v4().simple()));
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&folder).context("a scratch folder")?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
