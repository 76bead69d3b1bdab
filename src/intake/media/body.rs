//! The body of an upload: the file itself, or a form with one file.
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderMap, header},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use crate::{
    api::ApiError,
    http::Patience,
    media::{Spool, StoreError},
};

/// Bytes of a form that are not part of its file. More than one read of a connection, which may hold both.
const MAX_FORM: usize = 1 << 20;

/// How the file is sent.
#[derive(Debug)]
pub enum Kind {
    Raw,
    /// With this boundary.
    Form(String),
}

impl Kind {
    pub fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        if headers.contains_key(header::CONTENT_ENCODING) {
            return Err(ApiError::MediaCompressed);
        }
        let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(Self::Raw) };
        let kind = kind.to_str().unwrap_or_default();
        let is_of = |family: &str| {
            kind.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family))
        };
        if is_of("multipart/form-data") {
            return multer::parse_boundary(kind).map(Self::Form).map_err(malformed);
        }
        let files = ["audio/", "video/", "application/octet-stream", "application/ogg"];
        if files.into_iter().any(is_of) { Ok(Self::Raw) } else { Err(ApiError::NotMedia) }
    }
}

/// A file on its way to the spool.
pub struct Upload {
    pub patience: Patience,
    pub spool: Spool,
    /// Bytes that it may still have.
    pub left: u64,
}

impl Upload {
    pub async fn take_all(&mut self, kind: Kind, body: Body) -> Result<(), ApiError> {
        match kind {
            Kind::Raw => self.take(&mut body.into_data_stream(), |_| {}).await,
            Kind::Form(boundary) => self.take_file(&boundary, body).await,
        }
    }

    async fn take<E>(
        &mut self,
        frames: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
        taken: impl Fn(&Bytes),
    ) -> Result<(), ApiError> {
        loop {
            let next = self.patience.wait(frames.next()).await;
            let Some(frame) = next.map_err(|_| ApiError::MediaTooSlow)? else { return Ok(()) };
            let chunk = frame.map_err(|_| lost())?;
            taken(&chunk);
            self.patience.earn(chunk.len());
            let left = self.left.checked_sub(chunk.len() as u64);
            self.left = left.ok_or(ApiError::MediaTooLarge)?;
            self.spool.push(chunk).await.map_err(StoreError::from)?;
        }
    }

    /// Takes the only file of a form.
    async fn take_file(&mut self, boundary: &str, body: Body) -> Result<(), ApiError> {
        let form_bytes = Arc::new(AtomicUsize::new(0));
        let frames = FrameByFrame {
            body: body.into_data_stream(),
            given: false,
            form_bytes: form_bytes.clone(),
        };
        let mut form = multer::Multipart::new(frames, boundary);
        let one =
            || ApiError::MalformedBody("the form must have exactly one part, the file".into());
        let next = self.patience.wait(form.next_field()).await;
        let field = next.map_err(|_| ApiError::MediaTooSlow)?.map_err(malformed)?;
        let mut field = field.ok_or_else(one)?;
        self.take(&mut field, |_| form_bytes.store(0, Ordering::Relaxed)).await?;
        drop(field);
        let next = self.patience.wait(form.next_field()).await;
        match next.map_err(|_| ApiError::MediaTooSlow)?.map_err(malformed)? {
            None => Ok(()),
            Some(_) => Err(one()),
        }
    }
}

fn lost() -> ApiError {
    ApiError::MalformedBody("the body ended before it was complete; nothing was stored".into())
}

fn malformed(error: multer::Error) -> ApiError {
    let why = match error {
        multer::Error::StreamReadFailed(why) => why.to_string(),
        error => error.to_string(),
    };
    ApiError::MalformedBody(format!("the form cannot be read: {why}; nothing was stored"))
}

/// Gives one frame, then pauses: multer would otherwise buffer whatever the connection has, and never stops to look for
/// the end of a part's headers.
struct FrameByFrame {
    body: BodyDataStream,
    given: bool,
    /// Bytes since the last that belong to the file.
    form_bytes: Arc<AtomicUsize>,
}

#[derive(Debug, thiserror::Error)]
enum FrameError {
    #[error("the body ended before it was complete")]
    Lost,
    #[error("it has more than {MAX_FORM} bytes besides the file")]
    TooLarge,
}

impl Stream for FrameByFrame {
    type Item = Result<Bytes, FrameError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = self.body.poll_next_unpin(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.given = true;
            let so_far = self.form_bytes.fetch_add(frame.len(), Ordering::Relaxed) + frame.len();
            if so_far > MAX_FORM {
                return Poll::Ready(Some(Err(FrameError::TooLarge)));
            }
        }
        polled.map(|next| next.map(|frame| frame.map_err(|_| FrameError::Lost)))
    }
}
