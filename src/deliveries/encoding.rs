//! What the sender did to a body on its way is undone, within bounds.
use std::{borrow::Cow, io::Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// The body without its `Content-Encoding` (RFC 9110, section 8.4.1), of at most `limit` bytes.
///
/// "deflate" is zlib by the book and bare in the wild.
///
/// # Errors
/// Why it cannot be undone, without quoting anything of it.
pub fn decoded<'a>(
    body: &'a [u8],
    encoding: Option<&str>,
    limit: usize,
) -> Result<Cow<'a, [u8]>, String> {
    match encoding.map(str::trim).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Cow::Borrowed(body)),
        "gzip" | "x-gzip" => bounded(MultiGzDecoder::new(body), limit),
        "deflate" => bounded(ZlibDecoder::new(body), limit)
            .or_else(|_| bounded(DeflateDecoder::new(body), limit)),
        _ => Err("its Content-Encoding is not gzip, deflate or identity".to_owned()),
    }
}

fn bounded<'a>(decoder: impl Read, limit: usize) -> Result<Cow<'a, [u8]>, String> {
    let mut inflated = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(most)
        .read_to_end(&mut inflated)
        .map_err(|_| "its compressed data is damaged".to_owned())?;
    if inflated.len() > limit {
        return Err(format!("it inflates to more than {limit} bytes"));
    }
    Ok(Cow::Owned(inflated))
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
        assert_eq!(decoded(&gzip(b"hello"), Some("gzip"), 5).unwrap(), &b"hello"[..]);
        let bomb = gzip(&vec![b'9'; 1 << 20]);
        assert!(bomb.len() < 4096);
        assert!(decoded(&bomb, Some("gzip"), 1000).unwrap_err().contains("more than 1000"));
    }

    #[test]
    fn damaged_and_unknown_encodings_cannot_be_undone() {
        for (bytes, encoding) in [(&b"plain"[..], "gzip"), (b"x", "br"), (b"\x1f\x8b", "x-gzip")] {
            assert!(decoded(bytes, Some(encoding), 1000).is_err(), "{encoding}");
        }
    }
}
