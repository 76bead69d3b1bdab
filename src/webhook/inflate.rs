//! Undoes the compression of a body.
use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::memory::{Memory, NoRoom, Taken};

/// Inflated at once; memory is asked for before.
const STEP: usize = 64 * 1024;

/// Why there is no text.
#[derive(Debug)]
pub enum Refused {
    /// Never will be.
    Unreadable(String),
    NoRoom,
}

/// Whether `encoding` leaves bytes as they are.
pub fn is_plain(encoding: Option<&str>) -> bool {
    matches!(name(encoding).as_str(), "" | "identity")
}

fn name(encoding: Option<&str>) -> String {
    encoding.map(str::trim).unwrap_or_default().to_ascii_lowercase()
}

/// The text behind `encoding` (RFC 9110, section 8.4.1), at most `limit` bytes, and the memory that it
/// is counted for. "deflate" is zlib by the book and bare in the wild.
pub fn text(
    bytes: &Bytes,
    encoding: Option<&str>,
    limit: usize,
    memory: &Memory,
) -> Result<(Bytes, Taken), Refused> {
    match name(encoding).as_str() {
        "" | "identity" => Ok((bytes.clone(), Taken::default())),
        "gzip" | "x-gzip" => bounded(MultiGzDecoder::new(&bytes[..]), limit, memory),
        "deflate" => match bounded(ZlibDecoder::new(&bytes[..]), limit, memory) {
            Err(Refused::Unreadable(_)) => bounded(DeflateDecoder::new(&bytes[..]), limit, memory),
            other => other,
        },
        _ => Err(unreadable("its Content-Encoding is not gzip, deflate or identity")),
    }
}

fn bounded(
    mut decoder: impl Read,
    limit: usize,
    memory: &Memory,
) -> Result<(Bytes, Taken), Refused> {
    let mut inflated = Vec::new();
    let mut taken = Taken::default();
    loop {
        let before = inflated.len();
        memory.grow(&mut taken, before + STEP).map_err(|NoRoom| Refused::NoRoom)?;
        let step = decoder.by_ref().take(STEP as u64).read_to_end(&mut inflated);
        step.map_err(|_| unreadable("its compressed data is damaged"))?;
        if inflated.len() > limit {
            return Err(Refused::Unreadable(format!("it inflates to more than {limit} bytes")));
        }
        if inflated.len() == before {
            return Ok((inflated.into(), taken));
        }
    }
}

fn unreadable(why: &str) -> Refused {
    Refused::Unreadable(why.to_owned())
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

    fn why(bytes: &Bytes, encoding: &str, limit: usize, memory: usize) -> String {
        match text(bytes, Some(encoding), limit, &Memory::new(memory)).unwrap_err() {
            Refused::Unreadable(why) => why,
            Refused::NoRoom => "no room".to_owned(),
        }
    }

    #[test]
    fn compression_is_undone_up_to_the_limit() {
        let memory = Memory::new(1 << 20);
        let (hello, _) = text(&gzip(b"hello"), Some("gzip"), 5, &memory).unwrap();
        assert_eq!(hello, "hello");
        let bomb = gzip(&vec![b'9'; 1 << 20]);
        assert!(bomb.len() < 4096);
        assert!(why(&bomb, "gzip", 1000, 1 << 20).contains("more than 1000"));
        assert_eq!(why(&bomb, "gzip", 1 << 20, 1 << 19), "no room");
        // Members of one stream count together.
        let members = Bytes::from([&gzip(b"hello")[..], &gzip(b"world")].concat());
        assert_eq!(text(&members, Some("gzip"), 10, &memory).unwrap().0, "helloworld");
        assert!(why(&members, "gzip", 9, 1 << 20).contains("more than 9"));
    }

    #[test]
    fn damaged_and_unknown_encodings_are_unreadable() {
        for (bytes, encoding) in [(&b"plain"[..], "gzip"), (b"x", "br"), (b"\x1f\x8b", "x-gzip")] {
            let why = why(&Bytes::from_static(bytes), encoding, 1000, 1 << 20);
            assert!(why.starts_with("its "), "{encoding}: {why}");
        }
    }
}
