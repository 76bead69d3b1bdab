//! Downloads a recording and the transcript beside it: plain GETs, redirects followed, size bounded.
use anyhow::{Context as _, bail, ensure};
use reqwest::Client;
use url::Url;

use super::transcript::{self, TranscriptCue};

/// Maximum size of a transcript in bytes; a day of speech is smaller.
const LONGEST_TRANSCRIPT: u64 = 8 << 20;

/// Downloads `url`, at most `limit` bytes. Errors never contain the URL, whose query may be secret.
pub async fn fetch(client: &Client, url: Url, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut response = client.get(url).send().await.map_err(reqwest::Error::without_url)?;
    let status = response.status();
    ensure!(status.is_success(), "the download failed with status {}", status.as_u16());
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        bytes.extend_from_slice(&chunk);
        if u64::try_from(bytes.len()).context("size")? > limit {
            bail!("it is larger than {limit} bytes");
        }
    }
    ensure!(!bytes.is_empty(), "it is empty");
    Ok(bytes)
}

/// The transcript beside the recording at `url`: the same URL ending in `.vtt`, first with its query, then without.
/// `None` when neither is a transcript.
pub async fn transcript(client: &Client, url: &Url) -> Option<Vec<TranscriptCue>> {
    for candidate in beside(url) {
        let Ok(bytes) = fetch(client, candidate, LONGEST_TRANSCRIPT).await else { continue };
        if let Some(cues) = transcript::parse(&String::from_utf8_lossy(&bytes)) {
            return Some(cues);
        }
    }
    None
}

fn beside(url: &Url) -> Vec<Url> {
    let (folder, name) = url.path().rsplit_once('/').unwrap_or(("", url.path()));
    if name.is_empty() {
        return Vec::new();
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut with_query = url.clone();
    with_query.set_path(&format!("{folder}/{stem}.vtt"));
    let mut without = with_query.clone();
    without.set_query(None);
    if without == with_query { vec![without] } else { vec![with_query, without] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transcript_lies_beside_the_recording() {
        let of = |text: &str| {
            let urls = beside(&Url::parse(text).unwrap());
            urls.iter().map(Url::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of("https://h/a/call.wav"), ["https://h/a/call.vtt"]);
        assert_eq!(of("https://h/call?t=1"), ["https://h/call.vtt?t=1", "https://h/call.vtt"]);
        assert!(of("https://h/").is_empty());
    }
}
