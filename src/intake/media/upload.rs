//! `POST /v1/media`: receives a recording while checking it, and stores it.
use std::time::Duration;

use axum::{
    Json,
    body::HttpBody as _,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tracing::Instrument as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::{Kind, Upload},
    view::MediaView,
};
use crate::{
    api::{
        Activity, ApiError, ApiQuery, ApiState, RequestPermit, paths,
        problems::{Code, Problems, codes},
    },
    audio::{self, NotAudio},
    callers::Caller,
    http::{NoParameters, Patience},
    media::{self, KeepError, Kept, NewMedia, Spooled, StoreError},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(upload))
}

/// Upload a recording.
///
/// The body is the file itself, as `application/octet-stream`, `audio/*` or `video/*`, or
/// `multipart/form-data` with one part that is the file. Its format is recognized from its bytes: WAV, MP3,
/// MP4 (M4A), AAC, Ogg and `WebM`, which is what the provider accepts. The recording is private: only its
/// owner sees it, and the provider gets a URL of its own for each attempt to analyze it.
///
/// The same bytes are stored once: uploading them again responds with 200 and the same id.
#[utoipa::path(
    post, path = paths::ALL_MEDIA, operation_id = "uploadMedia", tag = "media",
    // The form is left out: clients generated from two types of bodies break (decision 032).
    request_body(
        content((UploadFile = "application/octet-stream", example = json!("RIFF…"))),
        description = "The file",
    ),
    responses(
        (status = CREATED, body = MediaView, headers(("Location" = String))),
        (status = OK, description = "These bytes were uploaded before", body = MediaView,
            headers(("Location" = String))),
        Problems<{ codes(&[
            Code::MalformedBody, Code::UnsupportedMediaType, Code::BodyTooLarge, Code::BodyTooSlow,
            Code::NotAudio, Code::MediaQuota, Code::TooManyTransfers, Code::MediaStoreUnavailable,
        ]) }>,
    ),
    extensions(("x-rate-weight" = json!(10))),
    security(("key" = ["jobs:write"])),
)]
async fn upload(
    State(state): State<ApiState>,
    caller: Caller,
    permit: RequestPermit,
    _query: ApiQuery<NoParameters>,
    request: Request,
) -> Result<Response, ApiError> {
    permit.count_as(Activity::Transfer, caller.id)?;
    let outcome = receive(&state, &caller, request).await;
    match &outcome {
        Ok(kept) if kept.is_new => state.metrics.uploaded("stored", kept.media.length()),
        Ok(_) => state.metrics.uploaded("known", 0),
        Err(error) => {
            if matches!(error, ApiError::MediaStore(_)) {
                state.metrics.store_failed("put");
            }
            state.metrics.uploaded(error.code().name(), 0);
        }
    }
    let Kept { media, is_new } = outcome?;
    let location = paths::MEDIA.replace("{id}", &media.id.to_string());
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, Json(MediaView::from(media))).into_response();
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&location)?);
    Ok(response)
}

/// The file itself.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes the body")]
struct UploadFile(Vec<u8>);

async fn receive(state: &ApiState, caller: &Caller, request: Request) -> Result<Kept, ApiError> {
    let store = state.media.store()?.clone();
    let limits = &state.media.settings;
    let kind = Kind::of(request.headers())?;
    let announced = request.body().size_hint().exact();
    if matches!(kind, Kind::Raw) && announced.is_some_and(|size| size > limits.max_size.as_u64()) {
        return Err(ApiError::MediaTooLarge);
    }
    let mut upload = Upload {
        patience: Patience::new(state.media.pace()),
        spool: store.spool(),
        left: limits.max_size.as_u64(),
    };
    upload.take_all(kind, request.into_body()).await?;
    let file = upload.spool.finish().await.map_err(StoreError::from)?;
    let (file, audio) = {
        // Never closed.
        let _turn = state.media.checks.acquire().await;
        checked(file, limits.max_duration).await?
    };
    let encoding = media::encoding(audio.container).ok_or_else(|| {
        let found = format!(
            "the file is {}, which the provider does not accept: convert it to WAV, MP3, MP4, AAC, Ogg or WebM",
            audio.container.name()
        );
        ApiError::NotAudio(found)
    })?;
    let new = NewMedia {
        caller_id: caller.id,
        file,
        audio,
        encoding,
        quota: limits.caller_bytes.as_u64(),
        timeout: limits.orphans_after / 2,
    };
    let (db, quota) = (state.db.clone(), limits.caller_bytes);
    // A task of its own: a client that disconnects now leaves nothing half-done.
    let kept = tokio::spawn(async move { media::keep(&db, &store, new).await }.in_current_span());
    let kept = kept.await;
    kept.map_err(|error| ApiError::Internal(error.into()))?.map_err(|error| match error {
        KeepError::Quota(held) => ApiError::MediaQuota { held, quota: quota.as_u64() },
        KeepError::Store(error) => error.into(),
        KeepError::Database(error) => error.into(),
    })
}

/// What is found in the file, if that can be analyzed.
async fn checked(file: Spooled, longest: Duration) -> Result<(Spooled, audio::Audio), ApiError> {
    let checking = tokio::task::spawn_blocking(move || {
        let audio = file.open().map_err(NotAudio::from).and_then(audio::inspect);
        (file, audio)
    });
    // A parser that panics on a damaged file must not take the request down with it.
    let damaged = |_| ApiError::NotAudio("the file is damaged".to_owned());
    match checking.await.map_err(damaged)? {
        (_, Err(NotAudio::Io(error))) => Err(StoreError::from(error).into()),
        (_, Err(found)) => Err(ApiError::NotAudio(found.to_string())),
        (_, Ok(audio)) if audio.duration > longest => Err(ApiError::NotAudio(format!(
            "the recording lasts {} s, longer than media.max_duration allows: {} s",
            audio.duration.as_secs(),
            longest.as_secs()
        ))),
        (file, Ok(audio)) => Ok((file, audio)),
    }
}
