//! A request body that records whether it is being waited for, to tell who caused a timeout.
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// Whether the rest of a body is being waited for.
#[derive(Debug, Clone, Default)]
pub struct Awaited(Arc<AtomicBool>);

struct Upload {
    body: Body,
    awaited: Awaited,
}

impl Awaited {
    /// The body, and a flag that says whether it is being waited for.
    pub fn watch(body: Body) -> (Body, Self) {
        let awaited = Self::default();
        if body.is_end_stream() {
            return (body, awaited);
        }
        (Body::new(Upload { body, awaited: awaited.clone() }), awaited)
    }

    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.awaited.0.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
