//! A stored object as a response: whole or a range of it (RFC 9110, section 14), at a bounded speed, to a client that
//! keeps reading.
use std::ops::Range;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_range_header::parse_range_header;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::{Pace, Patience, Throttle, etag};

/// An object to send.
#[derive(Debug)]
pub struct Download<'a> {
    pub length: u64,
    /// Quoted.
    pub etag: &'a str,
    pub content_type: &'static str,
    pub pace: Pace,
    /// What it passes through, one after another.
    pub throttles: Vec<Throttle>,
}

/// Which part of the object a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Nothing,
}

impl Download<'_> {
    /// The response to a GET or HEAD. `read` gives the bytes of a range; `held` is dropped once the client has
    /// everything, or is gone.
    pub fn response<S, E>(
        self,
        method: &Method,
        headers: &HeaderMap,
        held: impl Send + 'static,
        read: impl FnOnce(Range<u64>) -> S,
    ) -> Response
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let mut response = if etag::none_match(headers, self.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            match self.asked(headers) {
                Asked::Nothing => {
                    let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                    set(&mut response, header::CONTENT_RANGE, &format!("bytes */{}", self.length));
                    response
                }
                Asked::Whole => self.part(method, StatusCode::OK, 0..self.length, held, read),
                Asked::Part(range) => {
                    let shown = format!("bytes {}-{}/{}", range.start, range.end - 1, self.length);
                    let status = StatusCode::PARTIAL_CONTENT;
                    let mut response = self.part(method, status, range, held, read);
                    set(&mut response, header::CONTENT_RANGE, &shown);
                    response
                }
            }
        };
        set(&mut response, header::ETAG, self.etag);
        set(&mut response, header::ACCEPT_RANGES, "bytes");
        set(&mut response, header::CACHE_CONTROL, "private, no-store");
        response
    }

    /// A range is ignored where it could not be sent as one part, which RFC 9110 allows.
    fn asked(&self, headers: &HeaderMap) -> Asked {
        let Some(range) = headers.get(header::RANGE) else { return Asked::Whole };
        // Only our own strong tag is a match (RFC 9110, section 13.1.5).
        if headers.get(header::IF_RANGE).is_some_and(|tag| tag.as_bytes() != self.etag.as_bytes()) {
            return Asked::Whole;
        }
        let Some(parsed) = range.to_str().ok().and_then(|text| parse_range_header(text).ok())
        else {
            return Asked::Whole;
        };
        match parsed.validate(self.length) {
            Ok(ranges) => match &ranges[..] {
                [range] => Asked::Part(*range.start()..range.end() + 1),
                _ => Asked::Whole,
            },
            Err(_) if parsed.len() == 1 => Asked::Nothing,
            Err(_) => Asked::Whole,
        }
    }

    fn part<S, E>(
        &self,
        method: &Method,
        status: StatusCode,
        range: Range<u64>,
        held: impl Send + 'static,
        read: impl FnOnce(Range<u64>) -> S,
    ) -> Response
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let length = range.end - range.start;
        let body = if method == Method::HEAD {
            Body::empty()
        } else {
            paced(read(range), self.pace, self.throttles.clone(), held)
        };
        let mut response = (status, body).into_response();
        set(&mut response, header::CONTENT_LENGTH, &length.to_string());
        set(&mut response, header::CONTENT_TYPE, self.content_type);
        response
    }
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    // Numbers, tags and media types are valid values.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A body with these bytes, which breaks off when its client reads too slowly.
fn paced<E: std::error::Error + Send + Sync + 'static>(
    bytes: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    pace: Pace,
    throttles: Vec<Throttle>,
    held: impl Send + 'static,
) -> Body {
    let (chunks, sent) = mpsc::channel::<Result<Bytes, Broken>>(1);
    let sending = async move {
        let mut patience = Patience::new(pace);
        let mut bytes = std::pin::pin!(bytes);
        while let Some(chunk) = bytes.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    log(&error);
                    let _ = chunks.send(Err(Broken)).await;
                    return;
                }
            };
            for throttle in &throttles {
                throttle.pass(chunk.len()).await;
            }
            let length = chunk.len();
            match patience.wait(chunks.send(Ok(chunk))).await {
                Ok(Ok(())) => patience.earn(length),
                Ok(Err(_)) => return tracing::debug!("the client disconnected before the end"),
                // Dropping the channel would look like the end: the length says that it is not.
                Err(_) => return tracing::warn!("download aborted: the client reads too slowly"),
            }
        }
    };
    tokio::spawn(sending.in_current_span());
    let next =
        async |(mut sent, held): (mpsc::Receiver<_>, _)| Some((sent.recv().await?, (sent, held)));
    Body::from_stream(stream::unfold((sent, held), next))
}

fn log(error: &(dyn std::error::Error + 'static)) {
    tracing::error!(error, "download aborted: the store failed");
}

/// The rest of a body is missing.
#[derive(Debug, thiserror::Error)]
#[error("the store failed")]
struct Broken;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &str, if_range: Option<&str>) -> Asked {
        let pace = Pace {
            timeout: std::time::Duration::from_secs(1),
            bytes_a_second: 1,
            longest: std::time::Duration::from_secs(1),
        };
        let download = Download {
            length: 100,
            etag: "\"a\"",
            content_type: "audio/wav",
            pace,
            throttles: Vec::new(),
        };
        let mut headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
        if let Some(tag) = if_range {
            headers.insert(header::IF_RANGE, tag.parse().unwrap());
        }
        download.asked(&headers)
    }

    #[test]
    fn one_range_is_sent_and_anything_else_gets_the_whole() {
        assert_eq!(asked("bytes=0-0", None), Asked::Part(0..1));
        assert_eq!(asked("bytes=90-", None), Asked::Part(90..100));
        assert_eq!(asked("bytes=-10", None), Asked::Part(90..100));
        assert_eq!(asked("bytes=90-1000", None), Asked::Part(90..100));
        assert_eq!(asked("bytes=100-", None), Asked::Nothing);
        assert_eq!(asked("bytes=0-1,5-6", None), Asked::Whole);
        assert_eq!(asked("bytes=9-1", None), Asked::Whole);
        assert_eq!(asked("lines=0-1", None), Asked::Whole);
        assert_eq!(asked("bytes=0-0", Some("\"a\"")), Asked::Part(0..1));
        assert_eq!(asked("bytes=0-0", Some("\"b\"")), Asked::Whole);
        assert_eq!(asked("bytes=0-0", Some("W/\"a\"")), Asked::Whole);
    }
}
