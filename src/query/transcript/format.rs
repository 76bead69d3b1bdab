//! The formats of a transcript, and their negotiation.
use std::str::FromStr as _;

use axum::http::{HeaderMap, header};
use headers_accept::Accept;
use mediatype::MediaType;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::ApiError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Json,
    Txt,
    Md,
    Srt,
    Vtt,
    Csv,
    Paragraphs,
}

/// In order of preference when `Accept` allows several.
const FORMATS: [Format; 7] = [
    Format::Json,
    Format::Txt,
    Format::Md,
    Format::Srt,
    Format::Vtt,
    Format::Csv,
    Format::Paragraphs,
];

impl Format {
    /// The format requested by `Accept` (RFC 9110, section 12.5.1); JSON if the header is absent or
    /// invalid.
    ///
    /// # Errors
    /// `not-acceptable` when it excludes all formats.
    pub fn accepted(headers: &HeaderMap) -> Result<Self, ApiError> {
        let asked = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let asked = asked.collect::<Vec<_>>().join(",").to_ascii_lowercase().replace(' ', "");
        // All text is UTF-8; the crate would treat a type with charset as a different type.
        let asked = asked.replace(";charset=utf-8", "");
        if asked.is_empty() {
            return Ok(Self::Json);
        }
        let Ok(accept) = Accept::from_str(&asked) else { return Ok(Self::Json) };
        let types = FORMATS.map(Self::media_type);
        let offered: Vec<_> = types.iter().filter_map(|kind| MediaType::parse(kind).ok()).collect();
        let chosen = accept.negotiate(&offered).map(ToString::to_string);
        let format =
            FORMATS.into_iter().find(|format| Some(format.media_type()) == chosen.as_deref());
        format.ok_or_else(|| ApiError::NotAcceptable(types.join(", ")))
    }

    fn media_type(self) -> &'static str {
        self.content_type().split(';').next().unwrap_or_default()
    }

    /// JSON has no charset (RFC 8259, section 11).
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Txt => "text/plain; charset=utf-8",
            Self::Md => "text/markdown; charset=utf-8",
            // Not registered; the name that players and libmagic use.
            Self::Srt => "application/x-subrip; charset=utf-8",
            Self::Vtt => "text/vtt; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Paragraphs => "application/vnd.aftercall.paragraphs+json",
        }
    }

    /// The extension of file names, without the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Txt => "txt",
            Self::Md => "md",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Csv => "csv",
            Self::Paragraphs => "paragraphs.json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &str) -> Option<Format> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        Format::accepted(&headers).ok()
    }

    #[test]
    fn the_best_of_what_is_accepted_is_sent() {
        for (accept, expected) in [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Json),
            ("text/vtt", Format::Vtt),
            ("TEXT/VTT;charset=utf-8", Format::Vtt),
            ("text/vtt; charset=UTF-8; q=0.3, text/csv;q=0.2", Format::Vtt),
            ("application/json; charset=utf-8", Format::Json),
            ("text/csv;q=0.5, text/vtt;q=0.9, text/plain;q=0.1", Format::Vtt),
            ("text/*", Format::Txt),
            ("text/*, text/plain;q=0", Format::Md),
            ("*/*;q=0.1, application/x-subrip", Format::Srt),
            ("text/markdown, text/csv", Format::Md),
            ("text/csv, text/markdown", Format::Csv),
            ("application/vnd.aftercall.paragraphs+json", Format::Paragraphs),
            ("no media type", Format::Json),
        ] {
            assert_eq!(accepted(accept), Some(expected), "{accept}");
        }
        for accept in [
            "text/html",
            "image/*",
            "text/vtt;q=0",
            "*/*;q=0",
            "application/json;q=0.0",
            "text/csv;charset=latin1",
        ] {
            assert_eq!(accepted(accept), None, "{accept}");
        }
    }
}
