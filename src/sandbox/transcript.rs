//! Reads the words of a recording from a `WebVTT` file: cue times, `<v Speaker>` and plain text.
//!
//! Source: W3C `WebVTT`, section 4. Styling, regions and notes contain no speech and are skipped.

/// What one voice says in one cue. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptCue {
    pub start: f64,
    pub end: f64,
    /// Empty when the file names no speaker.
    pub speaker: String,
    pub text: String,
}

/// The cues of a `WebVTT` file in time order; `None` when `text` is not `WebVTT` or has no cues.
pub fn parse(text: &str) -> Option<Vec<TranscriptCue>> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let header = text.lines().next()?;
    if !header
        .strip_prefix("WEBVTT")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    {
        return None;
    }
    let mut cues: Vec<TranscriptCue> =
        blocks(&text).filter_map(|block| cue(&block)).flatten().collect();
    cues.sort_by(|a, b| a.start.total_cmp(&b.start));
    (!cues.is_empty()).then_some(cues)
}

/// Groups of lines separated by empty lines.
fn blocks(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let blocks: Vec<Vec<&str>> =
        lines.split(|line| line.trim().is_empty()).map(<[&str]>::to_vec).collect();
    blocks.into_iter().filter(|block| !block.is_empty())
}

/// One cue per voice in the block; `None` for notes, styles and invalid times.
fn cue(block: &[&str]) -> Option<Vec<TranscriptCue>> {
    // The times are on the first line, or on the second below an identifier.
    let at = block.iter().take(2).position(|line| line.contains("-->"))?;
    let (from, to) = block[at].split_once("-->")?;
    let start = seconds(from.trim())?;
    let end = seconds(to.split_whitespace().next()?)?;
    if end <= start {
        return None;
    }
    let voices = voices(&block[at + 1..].join(" "));
    let words: usize = voices.iter().map(|(_, text)| text.split_whitespace().count()).sum();
    let mut spoken = 0;
    let cues = voices.into_iter().map(|(speaker, text)| {
        let share = |count: usize| {
            start + (end - start) * super::number::of(count) / super::number::of(words)
        };
        let from = share(spoken);
        spoken += text.split_whitespace().count();
        TranscriptCue { start: from, end: share(spoken), speaker, text }
    });
    Some(cues.collect())
}

/// `01:02:03.450` or `02:03.450`.
fn seconds(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    parts.iter().try_fold(0.0, |sum, part| {
        let plain = part.chars().all(|c| c.is_ascii_digit() || c == '.');
        let value: f64 = part.parse().ok().filter(|_| plain)?;
        Some(sum * 60.0 + value)
    })
}

/// The text of each voice, with other tags removed and entities decoded; voices without text are left out.
fn voices(payload: &str) -> Vec<(String, String)> {
    let mut found = vec![(String::new(), String::new())];
    let mut rest = payload;
    while let Some((before, after)) = rest.split_once('<') {
        say(&mut found, before);
        let (tag, after) = after.split_once('>').unwrap_or((after, ""));
        let is_voice = tag.starts_with("v ") || tag.starts_with("v.") || tag.starts_with("v\t");
        if is_voice {
            let name = tag.split_once([' ', '\t']).map_or("", |(_, name)| name);
            found.push((unescaped(name.trim()), String::new()));
        } else if tag == "/v" {
            found.push((String::new(), String::new()));
        }
        rest = after;
    }
    say(&mut found, rest);
    for (_, text) in &mut found {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    found.retain(|(_, text)| !text.is_empty());
    found
}

fn say(voices: &mut [(String, String)], text: &str) {
    if let Some((_, said)) = voices.last_mut() {
        said.push_str(&unescaped(text));
    }
}

fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&lrm;", ""), ("&rlm;", "")];
    let plain =
        pairs.iter().fold(text.to_owned(), |text, (entity, char)| text.replace(entity, char));
    // Must be last: otherwise `&amp;lt;` would become `<`.
    plain.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_have_speakers_times_and_plain_text() {
        let text = "\u{feff}WEBVTT - a call\r\n\r\nNOTE nobody\r\nhears --> this\r\n\r\nSTYLE\n::cue {}\n\n\
            intro\n00:01.500 --> 01:00:03.000 align:start\n<v.loud Agent Smith>Hello &amp; <i>welcome</i>,\nyou &lt;there&gt;</v>\n\n\
            00:00.000 --> 00:01.000\nno speaker\n\n00:05.000 --> 00:04.000\n<v A>backwards\n";
        let cues = parse(text).unwrap();
        assert_eq!(cues.len(), 2, "{cues:?}");
        assert_eq!((cues[0].speaker.as_str(), cues[0].text.as_str()), ("", "no speaker"));
        assert_eq!(cues[1].speaker, "Agent Smith");
        assert_eq!(cues[1].text, "Hello & welcome, you <there>");
        assert_eq!(format!("{} {}", cues[1].start, cues[1].end), "1.5 3603");
    }

    #[test]
    fn two_voices_in_a_cue_share_its_time_by_words() {
        let cues =
            parse("WEBVTT\n\n00:00.000 --> 00:04.000\n<v A>one two three</v> <v B>four\n").unwrap();
        assert_eq!(format!("{} {}", cues[0].end, cues[1].start), "3 3");
        assert_eq!(cues[1].speaker, "B");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "(WEBVTT\n\n)?(00:0[0-9].000 --> 00:[0-9]{2}.000\n[<v /a-z>&;. \n-]{0,40}\n\n){0,4}.{0,40}") {
            for cue in parse(&text).unwrap_or_default() {
                proptest::prop_assert!(cue.start < cue.end && !cue.text.is_empty());
            }
        }
    }

    #[test]
    fn other_files_are_no_transcripts() {
        assert_eq!(parse("<!doctype html>"), None);
        assert_eq!(parse("WEBVTTX\n\n00:00.000 --> 00:01.000\nhi"), None);
        assert_eq!(parse("WEBVTT\n\n"), None);
        assert_eq!(parse(""), None);
    }
}
