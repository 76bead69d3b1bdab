//! `GET /v1/jobs/{id}/peaks`: the waveform of a recording.
use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::results::not_cached;
use crate::{
    api::{
        Activity, ApiError, ApiQuery, ApiState, OwnedJob, RequestPermit, paths,
        problems::{Code, OF_JOB, Problems, codes},
    },
    audio::Peaks,
    media::{self, Media, StoredPeaks, WaveformError},
};

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedPeaks {
    /// Only this channel, counted from 0.
    #[param(maximum = 65535)]
    channel: Option<u16>,
    /// Parts into which the recording is divided; default 1000.
    #[param(minimum = 50, maximum = 4000, value_type = Option<i64>)]
    points: Option<Points>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u16")]
struct Points(u16);

impl TryFrom<u16> for Points {
    type Error = &'static str;

    fn try_from(points: u16) -> Result<Self, &'static str> {
        let is_allowed = (50..=4000).contains(&points);
        is_allowed.then_some(Self(points)).ok_or("must be a whole number from 50 to 4000")
    }
}

/// How loud the recording is over time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "durationSeconds": 48.0,
    "channels": [{ "channel": 0, "peaks": [0, 12, 96, 141] }, { "channel": 1, "peaks": [3, 88, 7, 0] }],
}))]
struct PeaksView {
    /// Of the sound, as far as it can be decoded.
    duration_seconds: f64,
    /// At most the first 16.
    channels: Vec<ChannelPeaks>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChannelPeaks {
    channel: u16,
    /// The loudest sample of each part of the recording; all parts are of the same length. 255 is full scale.
    #[schema(value_type = Vec<i32>, max_items = 4000)]
    peaks: Vec<u8>,
}

/// Show the waveform of a job's recording.
///
/// For recordings that were uploaded to `/v1/media`, while they are stored. The first request decodes the recording, which
/// takes a while if it is long; then the peaks are kept. A request that takes too long gets a 504, and finds them when it is repeated.
#[utoipa::path(
    get, path = paths::PEAKS, operation_id = "getPeaks", tag = "media",
    params(("id" = Uuid, Path), AskedPeaks),
    responses(
        (status = OK, body = PeaksView),
        Problems<{ OF_JOB | codes(&[
            Code::RecordingNotAvailable, Code::TooManyTransfers, Code::MediaStoreUnavailable,
        ]) }>,
    ),
    security(("key" = ["transcript:read"])),
)]
async fn show(
    State(state): State<ApiState>,
    asked: OwnedJob,
    permit: RequestPermit,
    ApiQuery(query): ApiQuery<AskedPeaks>,
) -> Result<Response, ApiError> {
    let job = asked.find(&state.db).await?;
    let missing = || ApiError::RecordingNotAvailable("it is not stored here".to_owned());
    let media_id = job.media_id.ok_or_else(missing)?;
    let media = media::find_for_caller(&state.db, asked.caller.id, media_id).await?;
    let media = media.ok_or_else(missing)?;
    let found = match media::find_peaks(&state.db, media.id).await? {
        Some(found) => Some(found),
        None => computed(&state, &permit, &asked, &media).await?,
    };
    let peaks = match found.ok_or_else(missing)? {
        StoredPeaks::Known(peaks) => peaks,
        StoredPeaks::None(why) => return Err(ApiError::RecordingNotAvailable(why)),
    };
    let mut response = Json(view(&peaks, &query)?).into_response();
    not_cached(&mut response);
    Ok(response)
}

/// Once they are computed, which counts as a transfer: it reads the recording.
async fn computed(
    state: &ApiState,
    permit: &RequestPermit,
    asked: &OwnedJob,
    media: &Media,
) -> Result<Option<StoredPeaks>, ApiError> {
    let store = state.media.store()?;
    permit.count_as(Activity::Transfer, asked.caller.id)?;
    let found = state.media.waveforms.of(store, media).await;
    if let Err(WaveformError::Store(_)) = &found {
        state.metrics.store_failed("read");
    }
    Ok(found?)
}

fn view(peaks: &Peaks, asked: &AskedPeaks) -> Result<PeaksView, ApiError> {
    let points = asked.points.map_or(1000, |Points(points)| points.into());
    let count = peaks.channels.len();
    let all = (0..u16::try_from(count).unwrap_or(u16::MAX))
        .filter(|channel| asked.channel.is_none_or(|only| only == *channel));
    let one = |channel: u16| {
        let peaks = peaks.folded(channel.into(), points)?;
        Some(ChannelPeaks { channel, peaks })
    };
    let channels: Vec<ChannelPeaks> = all.filter_map(one).collect();
    if channels.is_empty() {
        let detail = format!("the recording has {count} channels, counted from 0");
        return Err(ApiError::invalid_parameter("channel", "range", detail));
    }
    Ok(PeaksView { duration_seconds: peaks.duration.as_secs_f64(), channels })
}
