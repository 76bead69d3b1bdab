//! `GET /v1/events`: changes of jobs as server-sent events (WHATWG HTML, section 9.2).
use std::{
    collections::VecDeque, convert::Infallible, str::FromStr as _, sync::Arc, time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse as _, Response,
        sse::{Event as Message, Sse},
    },
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, sleep_until};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        Activity, ApiError, ApiQuery, ApiState, OwnedJob, RequestPermit,
        problems::{Code, OF_JOB, Problems, codes},
    },
    callers::Caller,
    events::{self, Event, EventScope, NoConnection, Point, Subscription},
    jobs::{JobId, State as JobState},
};

/// Interval of pings on an idle stream, so that it is not taken for dead.
const PING: Duration = Duration::from_secs(15);
/// Maximum duration of a stream.
const LONGEST: Duration = Duration::from_hours(1);
/// Missed events read per query.
const PAGE: i64 = 500;

/// The schema of `data`: no response is declared to be one.
#[derive(OpenApi)]
#[openapi(components(schemas(StreamedEvent)))]
struct Data;

pub fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Data::openapi()).routes(routes!(stream))
}

/// The `data` of one event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamedEvent<'a> {
    #[schema(value_type = Uuid)]
    job_id: JobId,
    external_id: Option<&'a str>,
    /// The job's version after the event; without gaps.
    seq: i32,
    /// As in the timeline; also the name of the event. Later versions may add kinds.
    kind: &'a str,
    /// The job's new state, if the event changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<JobState>,
    #[schema(value_type = Object)]
    detail: &'a RawValue,
    at: DateTime<Utc>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Stream {
    /// Only events of this job.
    #[param(value_type = Option<Uuid>)]
    job_id: Option<JobId>,
}

/// Follow jobs as they change.
///
/// A stream of server-sent events: all events of your jobs from now on, or from the event in `Last-Event-ID`, without
/// gaps or repetitions. Events of one job arrive in the order of `seq`. `event` is the kind, `data` is one line of
/// JSON; a comment is sent every 15 seconds. `event: bye` announces that the process is shutting down, that the stream
/// is an hour old, or that the key is no longer valid; a stream that ends without it was closed because the client was
/// too slow. Reconnect with the last `id`, as an `EventSource` does automatically. An `id` is only valid for the caller
/// and the filter it was created for.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "streamEvents", tag = "jobs",
    params(
        Stream,
        ("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event received"),
    ),
    responses(
        (status = OK, body = String, content_type = "text/event-stream",
            description = "The `data` of each event is a `StreamedEvent`", example = "id: MTAwOjEwMDo7…\nevent: completed\n\
            data: {\"jobId\":\"0198c0de-0000-7000-8000-000000000000\",\"externalId\":\"call-42\",\"seq\":4,\
            \"kind\":\"completed\",\"state\":\"completed\",\"detail\":{\"attempt\":1,\"via\":\"webhook\",\
            \"late\":false},\"at\":\"2026-05-01T00:00:00Z\"}\n\n"),
        Problems<{ OF_JOB | codes(&[Code::CursorMismatch, Code::TooManyStreams]) }>,
    ),
    security(("key" = ["jobs:read"])),
)]
async fn stream(
    State(state): State<ApiState>,
    caller: Caller,
    permit: RequestPermit,
    ApiQuery(query): ApiQuery<Stream>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(job_id) = query.job_id {
        OwnedJob::new(caller.clone(), job_id).find(&state.db).await?;
    }
    let whose = EventScope { caller_id: caller.id, job_id: query.job_id };
    let listing = format!("events {} {:?}", caller.id, query.job_id);
    let from = resumed_at(&state, &listing, &headers).await?;
    permit.count_as(Activity::Stream, caller.id)?;
    let subscription = state.feed.subscribe(whose).await?;
    let (stop, end) = (state.feed.stop().clone(), Instant::now() + LONGEST);
    let key = Arc::new(state.watched_keys.key(&caller.key_id));
    let stream = EventStream::new(state, whose, listing, subscription, from);
    let messages = futures_util::stream::unfold(Some(stream), move |stream| {
        let (stop, key) = (stop.clone(), key.clone());
        async move {
            let mut stream = stream?;
            tokio::select! {
                biased;
                () = stop.cancelled() => Some((bye(), None)),
                () = key.ended() => Some((key_ended(), None)),
                () = sleep_until(end) => Some((bye(), None)),
                message = stream.next() => Some((message?, Some(stream))),
            }
        }
    });
    let messages = futures_util::StreamExt::map(messages, Ok::<_, Infallible>);
    let mut response = Sse::new(messages).into_response();
    // Buffering proxies would hold events back.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().extend([unbuffered]);
    Ok(response)
}

fn bye() -> Message {
    Message::default().event("bye").data("{}")
}

/// The key was revoked or has expired: reconnecting with it does not help.
fn key_ended() -> Message {
    Message::default().event("bye").data(r#"{"because":"unauthorized"}"#)
}

/// The position in `Last-Event-ID`.
async fn resumed_at(
    state: &ApiState,
    listing: &str,
    headers: &HeaderMap,
) -> Result<Option<Point>, ApiError> {
    let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    let id = id.to_str().map_err(|_| ApiError::CursorMismatch)?;
    let point = String::from_utf8(state.cursors.open_any(listing, id)?).ok();
    let point = point.and_then(|text| Point::from_str(&text).ok());
    let point = point.ok_or(ApiError::CursorMismatch)?;
    let is_past = events::is_past(&state.db, &point.until).await?;
    if is_past { Ok(Some(point)) } else { Err(ApiError::CursorMismatch) }
}

impl From<NoConnection> for ApiError {
    fn from(_: NoConnection) -> Self {
        sqlx::Error::PoolTimedOut.into()
    }
}

/// One stream: first the missed events, then new ones.
struct EventStream {
    state: ApiState,
    whose: EventScope,
    listing: String,
    subscription: Subscription,
    /// The client's starting point, until it has been sent.
    start: Option<Point>,
    /// Ranges of missed events, each as the point from which it is read.
    missed: VecDeque<Point>,
    /// Events read from the first of `missed`.
    page: VecDeque<Event>,
}

impl EventStream {
    fn new(
        state: ApiState,
        whose: EventScope,
        listing: String,
        subscription: Subscription,
        from: Option<Point>,
    ) -> Self {
        let now = subscription.from.clone();
        let (start, missed) = match from {
            None => (Some(Point::at(now)), VecDeque::new()),
            Some(from) => {
                let since = Point { since: from.until.clone(), until: now, position: 0 };
                (None, VecDeque::from([from, since]))
            }
        };
        Self { state, whose, listing, subscription, start, missed, page: VecDeque::new() }
    }

    /// `None` at the end.
    async fn next(&mut self) -> Option<Message> {
        if let Some(start) = self.start.take() {
            return Some(self.mark(&start));
        }
        let missed = self.next_missed().await.inspect_err(|error| {
            tracing::warn!(error = error as &dyn std::error::Error, "missed events not read");
        });
        if let Some(event) = missed.ok()? {
            return self.message(&event, self.missed.front()?);
        }
        tokio::select! {
            sequenced = self.subscription.next() => {
                let sequenced = sequenced?;
                let (since, until) = (sequenced.since.clone(), sequenced.until.clone());
                let point = Point { since, until, position: sequenced.event.position };
                self.message(&sequenced.event, &point)
            }
            () = sleep(PING) => {
                let now = self.subscription.up_to_date().map(Point::at);
                Some(now.map_or_else(Message::default, |now| self.mark(&now)).comment("ping"))
            }
        }
    }

    /// The next missed event; the first of `missed` is then the point right after it.
    async fn next_missed(&mut self) -> sqlx::Result<Option<Event>> {
        while let Some(from) = self.missed.front_mut() {
            if self.page.is_empty() {
                let page = events::missed(&self.state.db, self.whose, from, PAGE).await;
                self.page = page?.into();
            }
            if let Some(event) = self.page.pop_front() {
                from.position = event.position;
                return Ok(Some(event));
            }
            self.missed.pop_front();
        }
        Ok(None)
    }

    fn id(&self, point: &Point) -> String {
        self.state.cursors.seal(&self.listing, point.to_string().as_bytes())
    }

    /// Moves the client's position without sending an event.
    fn mark(&self, point: &Point) -> Message {
        Message::default().id(self.id(point))
    }

    fn message(&self, event: &Event, point: &Point) -> Option<Message> {
        let data = StreamedEvent {
            job_id: event.job_id,
            external_id: event.external_id.as_deref(),
            seq: event.seq,
            kind: &event.kind,
            state: event.state(),
            detail: &event.detail,
            at: event.created_at,
        };
        self.mark(point).event(&event.kind).json_data(data).ok()
    }
}
