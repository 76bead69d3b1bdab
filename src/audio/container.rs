//! What a file is, by its first bytes.

/// Bytes that suffice to tell.
pub const HEAD: usize = 4096;

/// Formats that hold audio and that can be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Wav,
    Mp3,
    Adts,
    Ogg,
    Flac,
    Mp4,
    WebM,
    Matroska,
}

impl Container {
    /// As in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Adts => "adts",
            Self::Ogg => "ogg",
            Self::Flac => "flac",
            Self::Mp4 => "mp4",
            Self::WebM => "webm",
            Self::Matroska => "matroska",
        }
    }
}

/// The container that starts with `head`, or what else it is, for people.
pub fn recognize(head: &[u8]) -> Result<Container, &'static str> {
    let at = |from: usize, magic: &[u8]| {
        head.get(from..from + magic.len()).is_some_and(|found| found == magic)
    };
    match head {
        _ if at(0, b"RIFF") && at(8, b"WAVE") => Ok(Container::Wav),
        _ if at(0, b"RIFF") && at(8, b"AVI ") => Err("an AVI video"),
        _ if at(0, b"OggS") => Ok(Container::Ogg),
        _ if at(0, b"fLaC") => Ok(Container::Flac),
        _ if at(4, b"ftyp") => Ok(Container::Mp4),
        _ if at(0, b"\x1a\x45\xdf\xa3") => Ok(of_ebml(head)),
        _ if at(0, b"ID3") => Ok(after_id3(head)),
        [0xff, second, ..] if second & 0xf6 == 0xf0 => Ok(Container::Adts),
        [0xff, second, ..] if second & 0xe0 == 0xe0 => Ok(Container::Mp3),
        _ => Err(other(head)),
    }
}

/// Matroska names its kind in its first element.
fn of_ebml(head: &[u8]) -> Container {
    let start = &head[..head.len().min(64)];
    if start.windows(4).any(|bytes| bytes == b"webm") {
        Container::WebM
    } else {
        Container::Matroska
    }
}

/// An ID3 tag may precede MP3 and AAC; where its end is not in `head`, it is MP3, which is usual.
fn after_id3(head: &[u8]) -> Container {
    // ID3v2, section 3.1: seven bits of each of four bytes; the header itself has ten.
    let size = head.get(6..10).map(|size| {
        size.iter().fold(0_usize, |sum, byte| sum << 7 | usize::from(byte & 0x7f)) + 10
    });
    match size.and_then(|size| head.get(size..size + 2)) {
        Some([0xff, second]) if second & 0xf6 == 0xf0 => Container::Adts,
        _ => Container::Mp3,
    }
}

fn other(head: &[u8]) -> &'static str {
    let known: &[(&[u8], &str)] = &[
        (b"PK\x03\x04", "a ZIP archive"),
        (b"PK\x05\x06", "a ZIP archive"),
        (b"\x1f\x8b", "gzip-compressed data"),
        (b"7z\xbc\xaf", "a 7z archive"),
        (b"Rar!", "a RAR archive"),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"FLV", "a Flash video"),
        (b"FORM", "an AIFF file or another IFF file"),
        (b"RF64", "an RF64 file"),
        (b"#!AMR", "an AMR file"),
        (b"\x7fELF", "a program"),
    ];
    if let Some((_, name)) = known.iter().find(|(magic, _)| head.starts_with(magic)) {
        return name;
    }
    // The head may end within a character.
    let valid = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        Err(error) if head.len() - error.valid_up_to() < 4 => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    match valid.map(|text| text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t'])) {
        Some(text) if text.contains('\0') => "data of an unknown format",
        Some(text) if text.starts_with('<') => "HTML or XML",
        Some(text) if text.starts_with(['{', '[']) => "JSON",
        Some(_) => "text",
        None => "data of an unknown format",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_audio_is_named() {
        for (bytes, name) in [
            (&b"PK\x03\x04\x14\0"[..], "a ZIP archive"),
            (b"<!doctype html><html>", "HTML or XML"),
            (b"\xef\xbb\xbf {\"error\": 404}", "JSON"),
            (b"404 not found \xe2\x80", "text"),
            (b"\0\0\0\0", "data of an unknown format"),
            (b"\x01\x02\xfe\xff\xff\xff\xff\xff", "data of an unknown format"),
            (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
        ] {
            assert_eq!(recognize(bytes), Err(name));
        }
    }

    #[test]
    fn an_id3_tag_says_nothing_about_what_follows() {
        let mut tagged = b"ID3\x04\0\0\0\0\0\x02xx".to_vec();
        assert_eq!(recognize(&tagged), Ok(Container::Mp3));
        tagged.extend([0xff, 0xf1]);
        assert_eq!(recognize(&tagged), Ok(Container::Adts));
    }
}
