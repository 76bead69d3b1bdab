//! Words for recordings without a transcript: built-in lines laid over the measured speech.
//!
//! The first words say that the text is made up. On recordings with one speaker per channel, who speaks when and for
//! how long is real.
use super::{conversation::Voice, number, speech::Segment, transcript::TranscriptCue};

/// Opens every scripted conversation, so that no reader mistakes it for what was said.
pub const MARK: &str = "This is sandbox text.";

/// Assumed words per second when choosing lines: 150 per minute, ordinary speech.
const SPEED: f64 = 2.5;
/// On a recording with a single channel, a pause of at least this many seconds changes the speaker.
const CHANGE: f64 = 0.7;
/// Turns of at most this many seconds get a line of a word or two.
const SHORT: f64 = 1.0;

const BRIEF: &[&str] = &["Okay.", "Right.", "I see.", "Sure."];
const FIRST: &[&str] = &[
    "Thank you for joining this review of the delivery schedule.",
    "Could you tell me how the pilot project is going?",
    "That sounds good to me.",
    "The delivery schedule depends on the second warehouse.",
    "I will send the updated schedule after this call.",
    "What would you need from our side?",
    "We can add another driver to the morning route.",
    "Let us look at the pilot project again next week.",
];
const SECOND: &[&str] = &[
    "The pilot project is on time, and the team is happy.",
    "I am a little worried about the delivery schedule.",
    "Is the second warehouse open on Saturday?",
    "Our customers are waiting for the morning route.",
    "I will check the numbers with the warehouse team.",
    "That would help us a lot.",
    "When can we expect the updated schedule?",
    "Great, we trust your estimate.",
];

/// Lines for the speech in `voices`: one speaker per voice, or `speakers` taking turns when there is only one voice.
pub fn cues(voices: &[Voice], speakers: usize) -> Vec<TranscriptCue> {
    let turns = turns(voices, speakers.max(1));
    let count = turns.iter().map(|(_, speaker)| speaker + 1).max().unwrap_or(0);
    let mut used = vec![0_usize; count];
    let mut cues: Vec<TranscriptCue> = Vec::new();
    for (span, speaker) in turns {
        let mut text = String::from(if cues.is_empty() { MARK } else { "" });
        let wanted = span.length() * SPEED;
        while text.is_empty() || number::of(text.split_whitespace().count() + 4) < wanted {
            let lines = match speaker % 2 {
                _ if span.length() <= SHORT => BRIEF,
                0 => FIRST,
                _ => SECOND,
            };
            text.push(' ');
            text.push_str(lines[used[speaker] % lines.len()]);
            used[speaker] += 1;
        }
        let (start, end) = (span.start, span.end);
        let speaker = format!("Speaker {speaker}");
        cues.push(TranscriptCue { start, end, speaker, text: text.trim().to_owned() });
    }
    cues
}

/// Who speaks when, in time order.
fn turns(voices: &[Voice], speakers: usize) -> Vec<(Segment, usize)> {
    let mut found: Vec<(Segment, usize)> = voices
        .iter()
        .enumerate()
        .flat_map(|(speaker, voice)| voice.speech.iter().map(move |segment| (*segment, speaker)))
        .collect();
    found.sort_by(|a, b| a.0.start.total_cmp(&b.0.start));
    if voices.len() > 1 {
        return found;
    }
    let mut turns: Vec<(Segment, usize)> = Vec::new();
    for (segment, _) in found {
        match turns.last_mut() {
            Some((last, _)) if segment.start - last.end < CHANGE => last.end = segment.end,
            _ => turns.push((segment, turns.len() % speakers)),
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(spans: &[(f64, f64)]) -> Voice {
        let speech =
            spans.iter().map(|(start, end)| Segment { start: *start, end: *end }).collect();
        Voice { levels: Vec::new(), speech }
    }

    #[test]
    fn channels_decide_who_speaks_when_and_for_how_long() {
        let cues = cues(&[voice(&[(3.0, 9.0)]), voice(&[(0.5, 2.5), (9.5, 10.0)])], 2);
        let shown: Vec<String> =
            cues.iter().map(|c| format!("{} {} {}", c.speaker, c.start, c.end)).collect();
        assert_eq!(shown, ["Speaker 1 0.5 2.5", "Speaker 0 3 9", "Speaker 1 9.5 10"]);
        assert!(cues[0].text.starts_with(MARK));
        assert!(cues[1].text.split_whitespace().count() >= 10, "{}", cues[1].text);
        assert!(BRIEF.contains(&cues[2].text.as_str()));
    }

    #[test]
    fn on_one_channel_speakers_change_at_long_pauses() {
        let cues = cues(&[voice(&[(0.0, 2.0), (2.4, 3.0), (4.0, 6.0), (7.0, 8.5)])], 2);
        let shown: Vec<String> =
            cues.iter().map(|c| format!("{} {} {}", c.speaker, c.start, c.end)).collect();
        assert_eq!(shown, ["Speaker 0 0 3", "Speaker 1 4 6", "Speaker 0 7 8.5"]);
        assert_eq!(super::cues(&[voice(&[])], 2), []);
    }
}
