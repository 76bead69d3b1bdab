//! `aftercall doctor`: checks everything that the service needs, and says what to do about what is wrong.
use std::{fmt::Write as _, io::IsTerminal as _, path::Path};

use serde_json::json;

use super::{database::Database, output};
use crate::{
    app,
    config::{self, ConfigError, Loaded, Settings},
    doctor::{self, Examined, Finding, Verdict},
    metrics::Metrics,
    provider::Client,
};

const CONFIGURATION: &str = "configuration";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// A check failed; the findings have been printed.
#[derive(Debug, thiserror::Error)]
#[error("{0} of the checks failed")]
pub struct Unwell(usize);

pub async fn run(
    load: impl FnOnce() -> Result<Loaded, ConfigError>,
    file: Option<&Path>,
    args: Args,
) -> anyhow::Result<()> {
    let findings = match load() {
        Ok(loaded) => examine(&loaded, file).await?,
        Err(ConfigError(faults)) => {
            let advice = "`aftercall config print` shows every setting and its source";
            let failed = |fault| Finding::fail(CONFIGURATION, fault, advice);
            faults.into_iter().map(failed).collect()
        }
    };
    if args.json {
        let worst = findings.iter().map(|finding| finding.verdict).max();
        let report = json!({ "verdict": worst, "checks": findings });
        output::print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        output::print(&rendered(&findings, std::io::stdout().is_terminal())?)?;
    }
    match findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count() {
        0 => Ok(()),
        failed => Err(Unwell(failed).into()),
    }
}

async fn examine(loaded: &Loaded, file: Option<&Path>) -> anyhow::Result<Vec<Finding>> {
    let settings = &loaded.settings;
    let database = Database::open(settings).await;
    let (db, database) = match database {
        Ok(database) => (Ok(database.pool.clone()), Some(database)),
        Err(error) => (Err(format!("{error:#}")), None),
    };
    let on = |db| app::reads(settings, db, &Metrics::default());
    let reads = db.as_ref().ok().map(on).transpose()?;
    let examined = Examined {
        settings,
        environment: &loaded.environment,
        db,
        reads,
        provider: provider(settings).map_err(|error| format!("{error:#}")),
        store: app::media_store(settings).map_err(|error| format!("{error:#}")),
        webhook_base: app::webhook_base(settings, settings.webhook.listen.port())?,
    };
    let mut findings = vec![configuration(loaded, file)];
    findings.extend(doctor::examine(&examined).await);
    if let Some(database) = database {
        database.close().await;
    }
    Ok(findings)
}

/// The configured provider, or the sandbox that the service uses instead.
fn provider(settings: &Settings) -> anyhow::Result<Client> {
    let base_url = match (&settings.provider.base_url, &settings.sandbox.url) {
        (Some(url), _) | (None, Some(url)) => url.clone(),
        (None, None) => format!("http://{}", settings.sandbox.listen).parse()?,
    };
    Ok(Client::new(&base_url, app::credentials(settings)?, settings.provider.timeout)?)
}

fn configuration(loaded: &Loaded, file: Option<&Path>) -> Finding {
    let set = loaded.origins.values().filter(|origin| origin.source != config::DEFAULT).count();
    let file = file.map_or_else(String::new, |file| format!(" with {}", file.display()));
    let detail = format!("valid{file}, for {}; {set} settings set", loaded.environment);
    Finding::ok(CONFIGURATION, detail)
}

/// Verdict, check and detail in columns; advice below.
fn rendered(findings: &[Finding], has_colors: bool) -> Result<String, std::fmt::Error> {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let mut text = String::new();
    for finding in findings {
        let (word, color) = match finding.verdict {
            Verdict::Ok => ("ok", "32"),
            Verdict::Warn => ("warn", "33"),
            Verdict::Fail => ("fail", "31;1"),
        };
        let word = format!("{word:4}");
        let word = if has_colors { format!("\x1b[{color}m{word}\x1b[0m") } else { word };
        writeln!(text, "{word}  {:width$}  {}", finding.check, plain(&finding.detail))?;
        if let Some(advice) = &finding.advice {
            writeln!(text, "      {:width$}  → {}", "", plain(advice))?;
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (failed, warned) = (count(Verdict::Fail), count(Verdict::Warn));
    let well = findings.len() - failed - warned;
    writeln!(text, "\n{well} ok, {warned} to look at, {failed} failed")?;
    Ok(text)
}

/// On one line, and without the control characters that text from elsewhere may have.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
