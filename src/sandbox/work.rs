//! From accepted job to delivered result: wait, download, decode, analyze, record, deliver.
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Emulator, decode, deliver,
    faults::SandboxFault,
    insights,
    ledger::{Finished, Job},
    media, now,
    refusal::CaiError,
    request, samples,
    transcript::TranscriptCue,
};

/// Completes the job; `delivered` is sent to, or dropped, after the first delivery.
pub async fn run(emulator: &Emulator, job_id: &str, delivered: Option<oneshot::Sender<()>>) {
    let Some(mut job) = emulator.ledger.job(job_id, now()) else { return };
    if job.finished.is_none() {
        let finished = finish(emulator, &job).await;
        tracing::info!(provider_job_id = job_id, status = finished.status, "sandbox: job finished");
        if let Err(error) = emulator.ledger.finish(job_id, finished.clone()).await {
            tracing::error!(provider_job_id = job_id, error = %format!("{error:#}"), "result not kept");
            return;
        }
        job.finished = Some(finished);
    }
    if !job.faults.contains(&SandboxFault::Lost) && !job.settled {
        deliver::run(emulator, job, delivered).await;
    }
}

async fn finish(emulator: &Emulator, job: &Job) -> Finished {
    if !job.faults.contains(&SandboxFault::Early) {
        let waited = now().signed_duration_since(job.created).to_std().unwrap_or_default();
        tokio::time::sleep(emulator.settings.latency.saturating_sub(waited)).await;
    }
    let result = if job.faults.contains(&SandboxFault::Fail) {
        Err(CaiError::invalid("contentUri", "a valid uri"))
    } else if job.faults.contains(&SandboxFault::Quote) {
        let (uri, webhook) = (&job.request.content_uri, &job.webhook);
        let shown = [uri, webhook].map(|url| url.as_deref().unwrap_or_default());
        Err(CaiError::invalid("contentUri", &format!("another than {} for {}", shown[0], shown[1])))
    } else {
        analyse(emulator, job).await
    };
    let (status, response) = match result {
        Ok(response) => ("Success", response),
        Err(error) => ("Fail", json!({ "errors": [error] })),
    };
    Finished { completed: now(), status: status.to_owned(), response }
}

async fn analyse(emulator: &Emulator, job: &Job) -> Result<Value, CaiError> {
    let settings = emulator.settings.clone();
    let name = if job.request.content.is_some() { "content" } else { "contentUri" };
    let unusable = |why: String| CaiError {
        error_code: settings.media_error_code.clone(),
        message: format!("Parameter [{name}] is invalid. The recording cannot be used: {why}"),
        parameter_name: Some(name.to_owned()),
    };
    let (bytes, cues) = recording(emulator, job).await?;
    let cues = cues.or_else(|| samples::words_of(&bytes));
    let request = job.request.clone();
    let longest = settings.media_max_length;
    let for_analysis = settings.clone();
    let analysed = tokio::task::spawn_blocking(move || {
        let levels = decode::levels(bytes, longest)?;
        Ok(insights::result(&levels, cues, &request, &for_analysis))
    });
    match analysed.await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => {
            let error: decode::DecodeError = error;
            Err(unusable(error.to_string()))
        }
        // A decoder that panics on a damaged file must not take the job down with it.
        Err(panicked) => {
            tracing::error!(provider_job_id = job.id, error = %panicked, "decoding panicked");
            Err(unusable("it is damaged".to_owned()))
        }
    }
}

/// The bytes of the recording, and its words when there is a transcript beside it.
async fn recording(
    emulator: &Emulator,
    job: &Job,
) -> Result<(Vec<u8>, Option<Vec<TranscriptCue>>), CaiError> {
    if let Some(content) = &job.request.content {
        let bytes = BASE64_STANDARD.decode(content);
        return Ok((
            bytes.map_err(|_| CaiError::invalid("content", "of type Base64 String"))?,
            None,
        ));
    }
    let uri = job.request.content_uri.as_deref().unwrap_or_default();
    let invalid = || CaiError::invalid("contentUri", "a valid uri");
    let url = request::web_address(uri).ok_or_else(invalid)?;
    let limit = emulator.settings.media_max.as_u64();
    let bytes =
        media::fetch(emulator.media.to(&url), url.clone(), limit).await.map_err(|error| {
            CaiError {
                error_code: emulator.settings.media_error_code.clone(),
                message: format!(
                    "Parameter [contentUri] is invalid. It could not be fetched: {error:#}"
                ),
                parameter_name: Some("contentUri".to_owned()),
            }
        })?;
    Ok((bytes, media::transcript(emulator.media.to(&url), &url).await))
}
