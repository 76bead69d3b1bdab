//! Responses of newline-delimited JSON, streamed while their rows are read: memory holds only a few
//! chunks, however long the response is.
use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tracing::Instrument as _;

/// Lines are sent once there are this many bytes of them.
const CHUNK: usize = 64 * 1024;
/// Chunks queued for sending.
const WAITING: usize = 2;

/// Why a response breaks off. The client sees an incomplete body.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the client disconnected")]
    Gone,
    #[error("the client reads too slowly")]
    TooSlow,
    #[error("the client is no longer authorized")]
    Unauthorized,
    #[error("the time limit is exceeded")]
    TookTooLong,
    #[error("the rows ended early")]
    Rows(#[from] sqlx::Error),
    #[error("a row cannot be serialized")]
    Json(#[from] serde_json::Error),
}

/// The minimum speed of a response.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Total time to wait for the client; reading earns more, up to this again.
    pub timeout: Duration,
    /// Bytes that earn another second.
    pub bytes_a_second: u32,
    /// Longest time from the first line to the last.
    pub longest: Duration,
}

/// Writes the lines of a response.
#[derive(Debug)]
pub struct NdjsonWriter {
    chunk: Vec<u8>,
    chunks: mpsc::Sender<Bytes>,
    pace: Pace,
    /// What is left of it.
    time_left: Duration,
    until: Instant,
}

impl NdjsonWriter {
    /// # Errors
    /// When the client no longer reads; the caller should stop.
    pub async fn push(&mut self, line: &impl Serialize) -> Result<(), StreamError> {
        serde_json::to_writer(&mut self.chunk, line)?;
        self.chunk.push(b'\n');
        if self.chunk.len() >= CHUNK { self.send().await } else { Ok(()) }
    }

    /// Awaits `next`, such as a row.
    ///
    /// # Errors
    /// When it takes too long; the lines so far are still sent, so that the client makes progress.
    pub async fn in_time<T>(&mut self, next: impl Future<Output = T>) -> Result<T, StreamError> {
        let came = timeout_at(self.until, next).await;
        if came.is_err() {
            self.send().await?;
        }
        came.map_err(|_| StreamError::TookTooLong)
    }

    async fn send(&mut self) -> Result<(), StreamError> {
        let room = self.chunk.capacity();
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(room));
        let earned = Duration::from_secs(chunk.len() as u64) / self.pace.bytes_a_second;
        let since = Instant::now();
        let sent =
            timeout_at(self.until.min(since + self.time_left), self.chunks.send(chunk.into()));
        match sent.await {
            Err(_) if self.until <= Instant::now() => return Err(StreamError::TookTooLong),
            Err(_) => return Err(StreamError::TooSlow),
            Ok(Err(_)) => return Err(StreamError::Gone),
            Ok(Ok(())) => {}
        }
        let left = self.time_left.saturating_sub(since.elapsed());
        self.time_left = (left + earned).min(self.pace.timeout);
        Ok(())
    }
}

/// A response with the lines that `write` pushes; it is complete once `write` returns the
/// `NdjsonWriter`.
///
/// `name`: the file name for browsers.
pub fn ndjson<W>(name: &str, pace: Pace, write: impl FnOnce(NdjsonWriter) -> W) -> Response
where
    W: Future<Output = Result<NdjsonWriter, StreamError>> + Send + 'static,
{
    let (chunks, made) = mpsc::channel(WAITING);
    let lines = NdjsonWriter {
        chunk: Vec::with_capacity(CHUNK),
        chunks,
        pace,
        time_left: pace.timeout,
        until: Instant::now() + pace.longest,
    };
    let writing = write(lines);
    let writing = tokio::spawn(to_the_end(writing).in_current_span());
    let body = Body::from_stream(stream::try_unfold((made, writing), next_chunk));
    let name = format!("attachment; filename=\"{name}\"");
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

async fn to_the_end(
    writing: impl Future<Output = Result<NdjsonWriter, StreamError>>,
) -> Result<(), StreamError> {
    let ended = async { writing.await?.send().await }.await;
    match &ended {
        Ok(()) => {}
        Err(StreamError::Gone) => tracing::debug!("the client disconnected before the end"),
        Err(
            error @ (StreamError::TooSlow | StreamError::TookTooLong | StreamError::Unauthorized),
        ) => {
            tracing::warn!("export aborted: {error}");
        }
        Err(error) => tracing::error!(error = error as &dyn std::error::Error, "export aborted"),
    }
    ended
}

type Writing = (mpsc::Receiver<Bytes>, JoinHandle<Result<(), StreamError>>);

/// The absence of a chunk is not conclusive: the writer says whether it reached the end.
async fn next_chunk(
    (mut made, writing): Writing,
) -> Result<Option<(Bytes, Writing)>, Box<dyn std::error::Error + Send + Sync>> {
    if let Some(chunk) = made.recv().await {
        return Ok(Some((chunk, (made, writing))));
    }
    writing.await??;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const PACE: Pace = Pace {
        timeout: Duration::from_mins(1),
        bytes_a_second: 1024,
        longest: Duration::from_hours(1),
    };

    async fn body_of(response: Response) -> Result<String, axum::Error> {
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_line_is_one_value() {
        let response = ndjson("a.ndjson", PACE, async |mut lines: NdjsonWriter| {
            for n in 0..20_000 {
                lines.push(&format!("{n}\n")).await?;
            }
            Ok(lines)
        });
        let text = body_of(response).await.unwrap();
        let values = text.lines().map(|line| serde_json::from_str::<String>(line).unwrap());
        assert!(values.eq((0..20_000).map(|n| format!("{n}\n"))));
    }

    #[tokio::test]
    async fn what_broke_off_is_not_taken_for_whole() {
        let failing = ndjson("a.ndjson", PACE, async |mut lines: NdjsonWriter| {
            lines.push(&1).await?;
            Err(sqlx::Error::PoolClosed.into())
        });
        assert!(body_of(failing).await.is_err());
        let panicking = ndjson("a.ndjson", PACE, async |_| panic!("boom"));
        assert!(body_of(panicking).await.is_err());
    }

    async fn until_broken(lines: &mut NdjsonWriter) -> StreamError {
        loop {
            if let Err(broken) = lines.push(&"x".repeat(CHUNK)).await {
                return broken;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_on_is_not_waited_for() {
        let (ended, wait) = tokio::sync::oneshot::channel();
        let response = ndjson("a.ndjson", PACE, async |mut lines: NdjsonWriter| {
            let broken = until_broken(&mut lines).await;
            let _ = ended.send(matches!(broken, StreamError::TooSlow));
            Err(broken)
        });
        assert!(wait.await.unwrap());
        assert!(body_of(response).await.is_err());
    }

    #[tokio::test]
    async fn who_leaves_ends_it() {
        let (ended, wait) = tokio::sync::oneshot::channel();
        let response = ndjson("a.ndjson", PACE, async |mut lines: NdjsonWriter| {
            let broken = until_broken(&mut lines).await;
            let _ = ended.send(matches!(broken, StreamError::Gone));
            Err(broken)
        });
        drop(response);
        assert!(wait.await.unwrap());
    }

    /// How long a client is served that reads a chunk at this interval.
    async fn served(every: Duration, pace: Pace) -> (Duration, StreamError) {
        let (ended, wait) = tokio::sync::oneshot::channel();
        let since = Instant::now();
        let response = ndjson("a.ndjson", pace, async move |mut lines: NdjsonWriter| {
            let broken = until_broken(&mut lines).await;
            let _ = ended.send((since.elapsed(), broken));
            Err(StreamError::Gone)
        });
        let mut body = response.into_body();
        tokio::spawn(async move {
            while let Some(Ok(_)) = body.frame().await {
                tokio::time::sleep(every).await;
            }
        });
        wait.await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_below_the_floor_is_cut_off_and_who_reads_above_it_is_not() {
        // A chunk earns 64 s.
        let (after, broken) = served(Duration::from_secs(70), PACE).await;
        assert!(matches!(broken, StreamError::TooSlow));
        assert!(after < Duration::from_mins(20), "{after:?}");
        let (after, broken) = served(Duration::from_secs(50), PACE).await;
        assert!(matches!(broken, StreamError::TookTooLong));
        assert_eq!(after, PACE.longest);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_ends_after_its_last_line() {
        let pace = Pace { longest: Duration::from_secs(5), ..PACE };
        let response = ndjson("a.ndjson", pace, async |mut lines: NdjsonWriter| {
            lines.push(&1).await?;
            lines.in_time(std::future::pending::<()>()).await?;
            Ok(lines)
        });
        let mut body = response.into_body();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "1\n");
        assert!(body.frame().await.unwrap().is_err());
    }
}
