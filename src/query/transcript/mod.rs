//! `GET /v1/jobs/{id}/transcript`: the transcript, in the requested format.
mod csv;
mod cues;
mod file_name;
mod format;
mod json;
mod line;
mod md;
mod reflow;
mod srt;
mod txt;
mod vtt;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    format::Format,
    json::{ParagraphsView, TranscriptView},
};
use super::results::not_cached;
use crate::{
    api::{
        ApiError, ApiQuery, ApiState, OwnedJob, paths,
        problems::{Code, OF_RESULT, Problems, codes},
    },
    http,
    insights::{self, Spoken},
    jobs::Job,
    reads::ReadConnection,
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(transcript))
}

/// Characters (grapheme clusters) per line.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "usize")]
struct MaxChars(usize);

impl TryFrom<usize> for MaxChars {
    type Error = &'static str;

    fn try_from(chars: usize) -> Result<Self, &'static str> {
        (20..=120).contains(&chars).then_some(Self(chars)).ok_or("must be 20 to 120")
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TranscriptQuery {
    /// Takes precedence over `Accept`; without either, the format is `json`.
    #[param(inline)]
    format: Option<Format>,
    /// For `srt` and `vtt`: at most this many characters per line and two lines per cue; long
    /// utterances become several cues. Default: one line per utterance.
    #[param(minimum = 20, maximum = 120, value_type = Option<i32>)]
    max_chars: Option<MaxChars>,
}

/// Get the transcript as text, subtitles, a table or JSON.
///
/// The format is `format`, or else the best one that `Accept` allows; every content type below can
/// be requested with `Accept`.
///
/// In `txt`, `md`, `srt` and `vtt`, white space in an utterance becomes single spaces, other control
/// characters are removed, and a speaker you have not named is called by the `speakerId`,
/// as in `Speaker 0`. `md` and `paragraphs` join consecutive utterances of one speaker if the pauses are
/// under 1.5 seconds. In `csv`, an apostrophe is put before texts that a spreadsheet would interpret
/// as a formula. Where a line of `txt` or `srt` has right-to-left text, the utterance is wrapped in
/// U+2068 and U+2069, so that the speaker's name stays in front. Cues last at least 1 ms.
#[utoipa::path(
    get, path = paths::TRANSCRIPT, operation_id = "getTranscript", tag = "results",
    params(("id" = Uuid, Path), TranscriptQuery, ("If-None-Match" = Option<String>, Header)),
    responses(
        (
            status = OK,
            headers(("ETag" = String), ("Content-Disposition" = String), ("Vary" = String)),
            content(
                (TranscriptView = "application/json"),
                (String = "text/plain", example = "Robin: Thank you for calling.\n"),
                (String = "text/markdown", example = "**Robin** (00:00:00)\n\nThank you for calling.\n"),
                (String = "application/x-subrip",
                    example = "1\n00:00:00,400 --> 00:00:04,160\nRobin: Thank you for calling.\n"),
                (String = "text/vtt",
                    example = "WEBVTT\n\n00:00:00.400 --> 00:00:04.160\n<v Robin>Thank you for calling.\n"),
                (String = "text/csv",
                    example = "seq,start,end,speakerId,speaker,text\r\n0,0.4,4.16,0,Robin,Thank you for calling.\r\n"),
                (ParagraphsView = "application/vnd.aftercall.paragraphs+json"),
            ),
        ),
        (status = NOT_MODIFIED, description = "Unchanged since the version in `If-None-Match`"),
        Problems<{ OF_RESULT | codes(&[Code::NotAcceptable]) }>,
    ),
    security(("key" = ["transcript:read"])),
)]
async fn transcript(
    State(state): State<ApiState>,
    asked: OwnedJob,
    ApiQuery(query): ApiQuery<TranscriptQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let format = query.format.map_or_else(|| Format::accepted(&headers), Ok)?;
    let max_chars = query.max_chars.map(|max| max.0);
    if max_chars.is_some() && !matches!(format, Format::Srt | Format::Vtt) {
        return Err(ApiError::invalid_parameter("maxChars", "conflict", "is for srt and vtt only"));
    }
    let read = async |mut db: ReadConnection| {
        let job = asked.completed(&mut *db).await?;
        let spoken = insights::spoken(&mut *db, job.id, max_chars.is_some()).await?;
        Ok::<_, ApiError>((job, spoken))
    };
    let (job, spoken) = state.reads.run(read).await?;
    let name = job.external_id.clone().unwrap_or_else(|| job.id.to_string());
    let disposition = file_name::disposition(&name, format.ending());
    // A long call takes longer than other requests on this thread should wait.
    let writing = tokio::task::spawn_blocking(move || {
        let body = write(&job, &spoken, format, max_chars)?;
        let etag = format!("\"{}\"", http::hex(&Sha256::digest(body.as_bytes())));
        Ok::<_, ApiError>((body, etag))
    });
    let (body, etag) = writing.await.map_err(|error| ApiError::Internal(error.into()))??;
    let kinds = [
        (header::CONTENT_TYPE, format.content_type().to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    let mut response = http::conditional(&headers, etag, (kinds, body))?;
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    not_cached(&mut response);
    Ok(response)
}

fn write(
    job: &Job,
    spoken: &[Spoken],
    format: Format,
    max_chars: Option<usize>,
) -> Result<String, ApiError> {
    Ok(match format {
        Format::Json => json::utterances(job, spoken)?,
        Format::Paragraphs => json::paragraphs(job, spoken)?,
        Format::Txt => txt::write(spoken),
        Format::Md => md::write(spoken),
        Format::Srt => srt::write(spoken, max_chars),
        Format::Vtt => vtt::write(spoken, max_chars),
        Format::Csv => csv::write(spoken),
    })
}
