//! Text with its escapes decoded, and the origin of each byte.
use std::ops::Range;

/// How many layers of escapes are decoded.
const MOST_ROUNDS: usize = 4;

/// The same bytes however the text was escaped: percent-encoded, in JSON, in a form or in HTML.
#[derive(Debug)]
pub(super) struct Unescaped {
    bytes: Vec<u8>,
    /// For each byte, its range in the original text.
    places: Vec<Range<usize>>,
}

impl Unescaped {
    pub fn of(text: &str) -> Self {
        let places = (0..text.len()).map(|at| at..at + 1).collect();
        let mut this = Self { bytes: text.as_bytes().to_vec(), places };
        for _ in 0..MOST_ROUNDS {
            let before = this.bytes.len();
            this = this.without_one_layer();
            if this.bytes.len() == before {
                break;
            }
        }
        this
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The range of these bytes in the original text; `None` for an empty range.
    pub fn place(&self, range: Range<usize>) -> Option<Range<usize>> {
        let places = self.places.get(range)?;
        Some(places.first()?.start..places.last()?.end)
    }

    fn without_one_layer(&self) -> Self {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut places = Vec::with_capacity(self.bytes.len());
        let mut at = 0;
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (meant, written) = first(rest);
            let place = self.places[at].start..self.places[at + written - 1].end;
            for byte in meant.bytes() {
                bytes.push(byte);
                places.push(place.clone());
            }
            at += written;
        }
        Self { bytes, places }
    }
}

/// What an escape or a single byte stands for.
enum Meant {
    Byte(u8),
    Char([u8; 4], usize),
}

impl Meant {
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let (bytes, len) = match self {
            Self::Byte(byte) => ([*byte, 0, 0, 0], 1),
            Self::Char(bytes, len) => (*bytes, *len),
        };
        bytes.into_iter().take(len)
    }
}

/// The first unit of the text, and its length in bytes. `rest` is not empty.
fn first(rest: &[u8]) -> (Meant, usize) {
    match rest {
        [b'%', high, low, ..] => {
            if let Some(byte) = hex(&[*high, *low]) {
                return (Meant::Byte(u8::try_from(byte).unwrap_or_default()), 3);
            }
        }
        [b'\\', b'u', a, b, c, d, ..] => {
            if let Some(char) = hex(&[*a, *b, *c, *d]).and_then(char::from_u32) {
                let mut bytes = [0; 4];
                let len = char.encode_utf8(&mut bytes).len();
                return (Meant::Char(bytes, len), 6);
            }
        }
        [b'\\', plain @ (b'/' | b'"' | b'\'' | b'\\'), ..] => return (Meant::Byte(*plain), 2),
        [b'&', b'a', b'm', b'p', b';', ..] => return (Meant::Byte(b'&'), 5),
        // A space in a form; elsewhere it only makes more texts match.
        [b'+', ..] => return (Meant::Byte(b' '), 1),
        _ => {}
    }
    (Meant::Byte(rest[0]), 1)
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_escape_means_the_same() {
        for written in [
            "a/b&c d",
            "a%2Fb%26c%20d",
            "a%2fb&amp;c+d",
            r"a\/b\u0026c d",
            "a%252Fb%2526c%2520d",
            r"a\\\/b\\u0026c d",
        ] {
            let text = Unescaped::of(written);
            assert_eq!(String::from_utf8_lossy(text.bytes()), "a/b&c d", "{written}");
            assert_eq!(text.place(0..7), Some(0..written.len()), "{written}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,40}", more in "[%\\\\u0-9a-f+&;]{0,40}") {
            let text = text + &more;
            let unescaped = Unescaped::of(&text);
            let all = unescaped.place(0..unescaped.bytes().len());
            prop_assert_eq!(all.unwrap_or(0..0), 0..text.len());
        }
    }
}
