//! `aftercall submit`: sends one recording through a running service.
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{client::ApiClient, report};
use crate::config::ClientEnvironment;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A local file, or a URL that the provider can download.
    recording: String,
    /// URL of the API; also `AFTERCALL_URL`; default `http://127.0.0.1:8080`.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// File with the API key; default: the value of `AFTERCALL_API_KEY`.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Mpeg, Mp4, Wav, Webm, Webp, Aac, Avi or Ogg; default: as found in a file, or from the extension of a URL.
    #[arg(long)]
    encoding: Option<String>,
    /// `CallCenter`, `Meeting`, `EarningsCalls`, `Interview`, `PressConference` or `Voicemail`.
    #[arg(long)]
    audio_type: Option<String>,
    /// Each channel holds one speaker.
    #[arg(long)]
    separate_speaker_per_channel: bool,
    /// Your own name for the recording.
    #[arg(long)]
    external_id: Option<String>,
    /// Print the whole result as JSON instead of a report.
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let environment = ClientEnvironment::read();
    let key = match &args.key_file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            SecretString::from(text.trim())
        }
        None => environment.api_key.map(SecretString::from).context(
            "set AFTERCALL_API_KEY or --key-file; `aftercall keys create` creates a key",
        )?,
    };
    let base = args.api.clone().or(environment.url);
    let client = ApiClient::new(base.as_deref().unwrap_or("http://127.0.0.1:8080"), key)?;
    let job = client.submit(&request(&client, &args).await?).await?;
    let job = wait(&client, &job).await?;
    print(&client, &job, args.json).await
}

/// Reports progress on standard error, so that standard output contains only the result.
pub async fn wait(client: &ApiClient, job: &Value) -> anyhow::Result<Value> {
    let id = job["id"].as_str().unwrap_or_default();
    eprintln!("job {id}");
    client.finished(id, |after, state| eprintln!("  {:>6.1} s  {state}", after.as_secs_f64())).await
}

/// Prints the result, or fails with the job's error.
#[expect(clippy::print_stdout, reason = "the result is this command's output")]
pub async fn print(client: &ApiClient, job: &Value, as_json: bool) -> anyhow::Result<()> {
    if job["state"] != "completed" {
        let error = &job["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        bail!("the job {}: {} {}", job["state"], text("code"), text("message"));
    }
    if as_json {
        let path = format!("/v1/jobs/{}/result", job["id"].as_str().unwrap_or_default());
        println!("{:#}", client.get(&path).await?);
        return Ok(());
    }
    report::print(client, job).await
}

/// A local file is uploaded first.
async fn request(client: &ApiClient, args: &Args) -> anyhow::Result<Value> {
    let mut body = json!({ "enableVoiceActivityDetection": true });
    if args.recording.starts_with("http://") || args.recording.starts_with("https://") {
        let name = args.recording.split(['?', '#']).next().unwrap_or_default();
        let encoding = args.encoding.as_deref().or_else(|| encoding_of(name));
        let encoding = encoding
            .context("cannot tell the encoding from the extension of the URL; use --encoding")?;
        body["contentUri"] = args.recording.as_str().into();
        body["encoding"] = encoding.into();
    } else {
        let media = client.upload(Path::new(&args.recording)).await?;
        body["media"] = media["id"].clone();
        if let Some(encoding) = &args.encoding {
            body["encoding"] = encoding.as_str().into();
        }
    }
    if args.separate_speaker_per_channel {
        body["separateSpeakerPerChannel"] = true.into();
    }
    if let Some(audio_type) = &args.audio_type {
        body["audioType"] = audio_type.as_str().into();
    }
    if let Some(id) = &args.external_id {
        body["externalId"] = id.as_str().into();
    }
    Ok(body)
}

/// The provider's encoding name for a file with this name.
fn encoding_of(name: &str) -> Option<&'static str> {
    let ending = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "wav" => "Wav",
        "mp3" | "mpeg" | "mpga" => "Mpeg",
        "mp4" | "m4a" => "Mp4",
        "aac" => "Aac",
        "ogg" | "oga" => "Ogg",
        "webm" => "Webm",
        "avi" => "Avi",
        _ => return None,
    })
}
