//! `aftercall demo`: runs the whole service in one process and sends one recording through it.
use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{client::ApiClient, submit};
use crate::{
    app::{self, Addresses, App},
    callers::{self, KeyTerms},
    config::Settings,
    console::{Entrance, Link},
    sandbox::SUPPORT_CALL,
    telemetry,
};

const CALLER: &str = "demo";
const KEY_LIFETIME: Duration = Duration::from_hours(24);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exit after printing the insights, instead of serving until Ctrl-C.
    #[arg(long)]
    once: bool,
}

#[expect(clippy::print_stdout, reason = "the demo is for reading")]
pub async fn run(mut settings: Settings, args: Args) -> anyhow::Result<()> {
    telemetry::init(settings.log.format, "error")?;
    let taken = take_free_ports(&mut settings);
    let app = app::start(&settings).await?;
    let addresses = app.addresses.clone();
    let console = app.console.clone();
    introduce(&addresses, console.as_ref(), &taken);
    let terms = KeyTerms { lifetime: Some(KEY_LIFETIME), ..KeyTerms::default() };
    let key = callers::create(&app.db, CALLER, "made by demo", terms).await?.text;
    let api = addresses.api.context("the demo needs the role api; see `aftercall config print`")?;
    let client = ApiClient::new(&format!("http://{api}"), key.clone())?;

    let lifecycle = app.lifecycle.clone();
    let running = tokio::spawn(App::run(app));
    let story = async {
        tokio::select! {
            shown = show(&client, &addresses) => shown.map(Some),
            () = lifecycle.draining.cancelled() => Ok(None),
        }
    };
    let shown = story.await;
    if let Ok(Some(job)) = &shown {
        show_commands(&client, job, &key, args.once);
        if let Some(console) = console.filter(|_| !args.once) {
            show_console(&console, job);
        }
    }
    if args.once || shown.is_err() {
        lifecycle.draining.cancel();
    } else if !lifecycle.draining.is_cancelled() {
        println!("\nStill serving; press Ctrl-C to stop.");
    }
    let ended = running.await.context("the service panicked")?;
    shown.map(|_| ()).and(ended)
}

/// Waits for jobs left by an earlier demo, then sends the bundled recording; returns its job.
#[expect(clippy::print_stdout, reason = "the demo is for reading")]
async fn show(client: &ApiClient, addresses: &Addresses) -> anyhow::Result<Value> {
    let open = "/v1/jobs?status=queued&status=submitting&status=submitted";
    for job in client.all(open).await? {
        println!("\nAn earlier run left a job unfinished; resuming it.");
        let finished = submit::wait(client, &job).await?;
        if let Err(error) = submit::print(client, &finished, false).await {
            println!("{error:#}"); // already reported, and no reason to skip our own
        }
    }
    let sandbox = addresses.sandbox.as_ref().context(
        "a real provider is configured, but the demo uses only the sandbox: unset \
         provider.base_url, or use `aftercall serve` and `aftercall submit`",
    )?;
    println!("\nSending the bundled recording: a support call, one speaker per channel.");
    let mut body = json!({
        "languageCode": "en-US", "audioType": "CallCenter", "separateSpeakerPerChannel": true,
        "enableVoiceActivityDetection": true, "enableWordTimings": true, "insights": ["All"],
        "externalId": "demo-support-call", "tags": ["demo"],
    });
    match client.upload_bytes(SUPPORT_CALL).await {
        Ok(media) => body["media"] = media["id"].clone(),
        // With a database of one's own, there may be no folder for recordings.
        Err(error) => {
            println!("The console will not play it, as it cannot be stored: {error:#}");
            body["contentUri"] = sandbox.recording_url.as_str().into();
            body["encoding"] = "Wav".into();
        }
    }
    let job = client.submit(&body).await?;
    let job = submit::wait(client, &job).await?;
    if job["state"] == "completed" {
        let path = format!("/v1/jobs/{}/speakers", job["id"].as_str().unwrap_or_default());
        client.put(&path, &json!({ "0": "Agent", "1": "Customer" })).await?;
    }
    submit::print(client, &job, false).await?;
    Ok(job)
}

#[expect(clippy::print_stdout, reason = "the demo is for reading")]
fn introduce(addresses: &Addresses, console: Option<&Entrance>, taken: &[String]) {
    println!("Aftercall {}", env!("CARGO_PKG_VERSION"));
    for note in taken {
        println!("  note      {note}");
    }
    println!("  database  {}", addresses.database);
    match &addresses.sandbox {
        Some(sandbox) => println!("  provider  the sandbox on {}", sandbox.base_url),
        None => println!("  provider  as configured"),
    }
    if let Some(api) = addresses.api {
        println!("  api       http://{api}/docs");
    }
    if let Some(console) = console {
        println!("  console   {}", console.url());
    }
    if let Some(webhook) = addresses.webhook {
        println!("  webhooks  http://{webhook}/webhooks/…");
    }
    println!("  health    http://{}/readyz", addresses.ops);
}

/// The key is shown only if the service keeps running, and expires within a day.
#[expect(clippy::print_stdout, reason = "the demo is for reading")]
fn show_commands(client: &ApiClient, job: &Value, key: &SecretString, once: bool) {
    let id = job["id"].as_str().unwrap_or_default();
    let base = client.base();
    if once {
        println!("\nStored as job {id}. Run the demo without --once to explore it.");
        return;
    }
    println!("\nExplore further (this key expires in 24 hours):");
    println!("  export AFTERCALL_API_KEY={}", key.expose_secret());
    for path in ["result", "utterances", "speakers", "insights?name=KeyPhrases", "timeline"] {
        println!(
            "  curl -sH \"Authorization: Bearer $AFTERCALL_API_KEY\" '{base}/v1/jobs/{id}/{path}'"
        );
    }
    println!("  AFTERCALL_URL={base} aftercall submit <file or URL>");
}

#[expect(clippy::print_stdout, reason = "the demo is for reading")]
fn show_console(console: &Entrance, job: &Value) {
    let page = format!("/console/jobs/{}", job["id"].as_str().unwrap_or_default());
    let url = console.one_time_url(Link { caller: Some(CALLER.to_owned()), page });
    println!("\nOpen the call in the console (this link works once, within 10 minutes):");
    println!("  {url}");
}

/// Uses a free port where a default one is taken, so that the demo does not fail.
fn take_free_ports(settings: &mut Settings) -> Vec<String> {
    let mut notes = Vec::new();
    let mut check = |address: &mut SocketAddr| {
        if TcpListener::bind(*address).is_err() {
            notes.push(format!("{address} is already in use; using a free port instead"));
            address.set_port(0);
        }
    };
    check(&mut settings.api.listen);
    check(&mut settings.webhook.listen);
    check(&mut settings.ops.listen);
    check(&mut settings.sandbox.listen);
    notes
}
