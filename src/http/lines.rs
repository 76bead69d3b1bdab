//! Answers of newline-delimited JSON, sent while their rows are read: one chunk is in the making and
//! few are on their way, however long the whole is.
use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::Instrument as _;

/// Lines are sent once there are this many bytes of them.
const CHUNK: usize = 64 * 1024;
/// Chunks that wait to be sent.
const WAITING: usize = 2;

/// Why an answer breaks off. The client sees an incomplete body.
#[derive(Debug, thiserror::Error)]
pub enum BrokenOff {
    #[error("the client has gone")]
    Gone,
    #[error("the client has not read on for too long")]
    Stalled,
    #[error("the rows ended early")]
    Rows(#[from] sqlx::Error),
    #[error("a row is no JSON")]
    Json(#[from] serde_json::Error),
}

/// Where the lines of an answer go.
#[derive(Debug)]
pub struct Lines {
    chunk: Vec<u8>,
    chunks: mpsc::Sender<Bytes>,
    patience: Duration,
}

impl Lines {
    /// # Errors
    /// When nobody reads any more; then there is no use in going on.
    pub async fn push(&mut self, line: &impl Serialize) -> Result<(), BrokenOff> {
        serde_json::to_writer(&mut self.chunk, line)?;
        self.chunk.push(b'\n');
        if self.chunk.len() >= CHUNK { self.send().await } else { Ok(()) }
    }

    async fn send(&mut self) -> Result<(), BrokenOff> {
        let room = self.chunk.capacity();
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(room));
        let sent = self.chunks.send_timeout(chunk.into(), self.patience).await;
        sent.map_err(|refused| match refused {
            mpsc::error::SendTimeoutError::Timeout(_) => BrokenOff::Stalled,
            mpsc::error::SendTimeoutError::Closed(_) => BrokenOff::Gone,
        })
    }
}

/// The answer whose lines `write` pushes; it is complete once `write` gives `Lines` back.
///
/// `name`: of the file that a browser saves. `patience`: longest time that the client may take to read
/// on.
pub fn ndjson<W>(name: &str, patience: Duration, write: impl FnOnce(Lines) -> W) -> Response
where
    W: Future<Output = Result<Lines, BrokenOff>> + Send + 'static,
{
    let (chunks, made) = mpsc::channel(WAITING);
    let writing = write(Lines { chunk: Vec::with_capacity(CHUNK), chunks, patience });
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
    writing: impl Future<Output = Result<Lines, BrokenOff>>,
) -> Result<(), BrokenOff> {
    let ended = async { writing.await?.send().await }.await;
    match &ended {
        Ok(()) => {}
        Err(BrokenOff::Gone) => tracing::debug!("the client left before the end"),
        Err(BrokenOff::Stalled) => tracing::warn!("broke off: the client does not read on"),
        Err(error) => tracing::error!(error = error as &dyn std::error::Error, "broke off"),
    }
    ended
}

type Writing = (mpsc::Receiver<Bytes>, JoinHandle<Result<(), BrokenOff>>);

/// That no chunk follows means nothing by itself: the writer says whether it came to the end.
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

    const PATIENCE: Duration = Duration::from_mins(1);

    async fn body_of(response: Response) -> Result<String, axum::Error> {
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_line_is_one_value() {
        let response = ndjson("a.ndjson", PATIENCE, async |mut lines: Lines| {
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
        let failing = ndjson("a.ndjson", PATIENCE, async |mut lines: Lines| {
            lines.push(&1).await?;
            Err(sqlx::Error::PoolClosed.into())
        });
        assert!(body_of(failing).await.is_err());
        let panicking = ndjson("a.ndjson", PATIENCE, async |_| panic!("boom"));
        assert!(body_of(panicking).await.is_err());
    }

    async fn until_broken(lines: &mut Lines) -> BrokenOff {
        loop {
            if let Err(broken) = lines.push(&"x".repeat(CHUNK)).await {
                return broken;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_on_is_not_waited_for() {
        let (ended, wait) = tokio::sync::oneshot::channel();
        let response = ndjson("a.ndjson", PATIENCE, async |mut lines: Lines| {
            let broken = until_broken(&mut lines).await;
            let _ = ended.send(matches!(broken, BrokenOff::Stalled));
            Err(broken)
        });
        assert!(wait.await.unwrap());
        assert!(body_of(response).await.is_err());
    }

    #[tokio::test]
    async fn who_leaves_ends_it() {
        let (ended, wait) = tokio::sync::oneshot::channel();
        let response = ndjson("a.ndjson", PATIENCE, async |mut lines: Lines| {
            let broken = until_broken(&mut lines).await;
            let _ = ended.send(matches!(broken, BrokenOff::Gone));
            Err(broken)
        });
        drop(response);
        assert!(wait.await.unwrap());
    }
}
