//! The body of a delivery: read within bounds, its compression undone, its text understood.
use std::io::Read;

use axum::body::Body;
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::Limits;
use crate::{outcome::Reading, provider};

/// A plain body up to this is parsed where it is; any other on a thread that may block.
const INLINE_BYTES: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    TooLarge,
    /// The sender went away, or broke the protocol, before the body was complete.
    Lost,
}

/// Reads at most `limits.raw` bytes.
pub async fn read(body: Body, limits: Limits) -> Result<Bytes, ReadError> {
    match Limited::new(body, limits.raw).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ReadError::TooLarge),
        Err(_) => Err(ReadError::Lost),
    }
}

/// What a body says. Never fails: what cannot be understood is a reading as well.
pub async fn understand(bytes: Bytes, encoding: Option<String>, limits: Limits) -> Reading {
    let is_small = bytes.len() <= INLINE_BYTES && encoding.is_none();
    let work = move || interpret(&bytes, encoding.as_deref(), limits.inflated);
    if is_small {
        return work();
    }
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Reading::Unreadable("the parser failed".to_owned()))
}

fn interpret(bytes: &[u8], encoding: Option<&str>, limit: usize) -> Reading {
    let inflated;
    let text = match encoding.map(str::trim).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "identity" => bytes,
        name => match inflate(bytes, name, limit) {
            Ok(bytes) => {
                inflated = bytes;
                &inflated
            }
            Err(why) => return Reading::Unreadable(why),
        },
    };
    Reading::of(provider::parse(text))
        .unwrap_or_else(|| Reading::Unreadable("the job is said to be in progress".to_owned()))
}

/// Undoes `encoding` (RFC 9110, section 8.4.1); "deflate" is zlib by the book and bare in the wild.
fn inflate(bytes: &[u8], encoding: &str, limit: usize) -> Result<Vec<u8>, String> {
    match encoding {
        "gzip" | "x-gzip" => bounded(MultiGzDecoder::new(bytes), limit),
        "deflate" => bounded(ZlibDecoder::new(bytes), limit)
            .or_else(|_| bounded(DeflateDecoder::new(bytes), limit)),
        _ => Err("its Content-Encoding is not gzip, deflate or identity".to_owned()),
    }
}

fn bounded(decoder: impl Read, limit: usize) -> Result<Vec<u8>, String> {
    let mut inflated = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(most)
        .read_to_end(&mut inflated)
        .map_err(|_| "its compressed data is damaged".to_owned())?;
    if inflated.len() > limit {
        return Err(format!("it inflates to more than {limit} bytes"));
    }
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compression_is_undone_up_to_the_limit() {
        assert_eq!(inflate(&gzip(b"hello"), "gzip", 5).unwrap(), b"hello");
        let bomb = gzip(&vec![b'9'; 1 << 20]);
        assert!(bomb.len() < 4096);
        assert!(inflate(&bomb, "gzip", 1000).unwrap_err().contains("more than 1000"));
    }

    #[test]
    fn damaged_and_unknown_encodings_are_unreadable() {
        for (bytes, encoding) in [(&b"plain"[..], "gzip"), (b"x", "br"), (b"\x1f\x8b", "x-gzip")] {
            let reading = interpret(bytes, Some(encoding), 1000);
            assert!(matches!(reading, Reading::Unreadable(_)), "{encoding}: {reading:?}");
        }
    }
}
