//! Decompresses bodies, within limits.
use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Bytes inflated at a time; memory is reserved before each step.
const STEP: usize = 64 * 1024;

/// Why a body cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// Permanently. The reason does not quote the body.
    Damaged(String),
    /// There was not enough memory.
    OverBudget,
}

/// Whether `encoding` leaves the bytes unchanged.
pub fn is_plain(encoding: Option<&str>) -> bool {
    matches!(name(encoding).as_str(), "" | "identity")
}

fn name(encoding: Option<&str>) -> String {
    encoding.map(str::trim).unwrap_or_default().to_ascii_lowercase()
}

/// The body without its `Content-Encoding` (RFC 9110, section 8.4.1), at most `limit` bytes.
/// `has_room` is called before each growth with the new size and may refuse it.
///
/// "deflate" means zlib in the standard, but many senders use raw deflate.
pub fn decoded(
    body: &Bytes,
    encoding: Option<&str>,
    limit: usize,
    mut has_room: impl FnMut(usize) -> bool,
) -> Result<Bytes, Undecodable> {
    match name(encoding).as_str() {
        "" | "identity" => Ok(body.clone()),
        "gzip" | "x-gzip" => bounded(MultiGzDecoder::new(&body[..]), limit, &mut has_room),
        "deflate" => match bounded(ZlibDecoder::new(&body[..]), limit, &mut has_room) {
            Err(Undecodable::Damaged(_)) => {
                bounded(DeflateDecoder::new(&body[..]), limit, &mut has_room)
            }
            other => other,
        },
        _ => Err(damaged("its Content-Encoding is not gzip, deflate or identity")),
    }
}

fn bounded(
    mut decoder: impl Read,
    limit: usize,
    has_room: &mut impl FnMut(usize) -> bool,
) -> Result<Bytes, Undecodable> {
    let mut inflated = Vec::new();
    loop {
        let before = inflated.len();
        if !has_room(before + STEP) {
            return Err(Undecodable::OverBudget);
        }
        let step = decoder.by_ref().take(STEP as u64).read_to_end(&mut inflated);
        step.map_err(|_| damaged("its compressed data is damaged"))?;
        if inflated.len() > limit {
            return Err(Undecodable::Damaged(format!("it inflates to more than {limit} bytes")));
        }
        if inflated.len() == before {
            return Ok(inflated.into());
        }
    }
}

fn damaged(why: &str) -> Undecodable {
    Undecodable::Damaged(why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    /// Decodes with memory for `room` bytes.
    fn text(body: &Bytes, encoding: &str, limit: usize, room: usize) -> Result<Bytes, String> {
        decoded(body, Some(encoding), limit, |bytes| bytes <= room).map_err(|why| match why {
            Undecodable::Damaged(why) => why,
            Undecodable::OverBudget => "no room".to_owned(),
        })
    }

    #[test]
    fn compression_is_undone_up_to_the_limit() {
        assert_eq!(text(&gzip(b"hello"), "gzip", 5, 1 << 20).unwrap(), "hello");
        let bomb = gzip(&vec![b'9'; 1 << 20]);
        assert!(bomb.len() < 4096);
        assert!(text(&bomb, "gzip", 1000, 1 << 20).unwrap_err().contains("more than 1000"));
        assert_eq!(text(&bomb, "gzip", 1 << 20, 1 << 19).unwrap_err(), "no room");
        // The limit applies to all members of a stream together.
        let members = Bytes::from([&gzip(b"hello")[..], &gzip(b"world")].concat());
        assert_eq!(text(&members, "gzip", 10, 1 << 20).unwrap(), "helloworld");
        assert!(text(&members, "gzip", 9, 1 << 20).unwrap_err().contains("more than 9"));
    }

    #[test]
    fn damaged_and_unknown_encodings_cannot_be_undone() {
        for (bytes, encoding) in [(&b"plain"[..], "gzip"), (b"x", "br"), (b"\x1f\x8b", "x-gzip")] {
            let why = text(&Bytes::from_static(bytes), encoding, 1000, 1 << 20).unwrap_err();
            assert!(why.starts_with("its "), "{encoding}: {why}");
        }
    }
}
