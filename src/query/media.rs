//! `GET /v1/media/{id}`: the bytes of an uploaded recording.
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Method, header},
    response::Response,
};
use futures_util::TryStreamExt as _;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::{
        Activity, ApiError, ApiPath, ApiQuery, ApiState, RequestPermit, paths,
        problems::{Code, Problems, codes},
    },
    callers::Caller,
    http::{Download, NoParameters, hex},
    media,
};

/// A file.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes the body")]
struct Bytes(Vec<u8>);

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(download))
}

/// Download an uploaded recording.
///
/// `Range`, `If-Range` and `If-None-Match` are honored; the `ETag` is the SHA-256 of the bytes. A request
/// for several ranges gets the whole recording.
#[utoipa::path(
    get, path = paths::MEDIA, operation_id = "downloadMedia", tag = "media",
    params(("id" = Uuid, Path), ("Range" = Option<String>, Header)),
    responses(
        (status = OK, headers(("ETag" = String)), content(
            (Bytes = "audio/wav"), (Bytes = "audio/mpeg"), (Bytes = "audio/mp4"), (Bytes = "audio/aac"),
            (Bytes = "audio/ogg"), (Bytes = "audio/webm"),
        )),
        (status = PARTIAL_CONTENT, headers(("ETag" = String), ("Content-Range" = String)), content(
            (Bytes = "audio/wav"), (Bytes = "audio/mpeg"), (Bytes = "audio/mp4"), (Bytes = "audio/aac"),
            (Bytes = "audio/ogg"), (Bytes = "audio/webm"),
        )),
        (status = NOT_MODIFIED, description = "The client has these bytes already"),
        (status = RANGE_NOT_SATISFIABLE, description = "The range begins after the end"),
        Problems<{ codes(&[
            Code::MediaNotFound, Code::TooManyTransfers, Code::MediaStoreUnavailable,
        ]) }>,
    ),
    security(("key" = ["transcript:read"])),
)]
async fn download(
    State(state): State<ApiState>,
    caller: Caller,
    ApiPath(id): ApiPath<Uuid>,
    permit: RequestPermit,
    _query: ApiQuery<NoParameters>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let media = media::find_for_caller(&state.db, caller.id, id).await?;
    let media = media.ok_or(ApiError::MediaNotFound(id))?;
    let store = state.media.store()?;
    let held = permit.hand_over(Activity::Transfer, caller.id)?;
    let (content_type, ending) = media.file_type();
    let download = Download {
        length: media.length(),
        etag: &format!("\"{}\"", hex(&media.sha256)),
        content_type,
        pace: state.media.pace(),
        throttles: Vec::new(),
    };
    let metrics = state.metrics.clone();
    let mut response = download.response(&method, &headers, held, |range| {
        let bytes = store.read(media.caller_id, media.id, range);
        bytes.inspect_err(move |_| metrics.store_failed("read"))
    });
    let name = format!("attachment; filename=\"{id}.{ending}\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&name)?);
    Ok(response)
}
