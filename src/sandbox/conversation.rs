//! Turns transcript cues into sentence-like utterances, assigns speaker ids and removes silence.
use super::{
    decode::Levels,
    number,
    speech::{self, Segment},
    transcript::TranscriptCue,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// Seconds.
    pub start: f64,
    pub end: f64,
    pub text: String,
    /// Index into [`Conversation::speakers`].
    pub speaker: usize,
    /// Fraction of the utterance in which speech was measured, 0 to 1.
    pub confidence: f64,
}

impl Utterance {
    pub fn span(&self) -> Segment {
        Segment { start: self.start, end: self.end }
    }

    /// Each word with its start and end in seconds, spread evenly over the utterance; the times of the provider's key
    /// phrases show the same spacing.
    pub fn words(&self) -> Vec<(&str, f64, f64)> {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        let each = (self.end - self.start) / number::of(words.len().max(1));
        let at = |index: usize| number::rounded(self.start + number::of(index) * each, 2);
        words.into_iter().enumerate().map(|(i, word)| (word, at(i), at(i + 1))).collect()
    }
}

/// Consecutive utterances of one speaker.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub start: f64,
    pub end: f64,
    pub text: String,
    pub speaker: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Speaker {
    /// `"0"`, `"1"` … in order of first speech, or the enrolled id.
    pub id: String,
    /// Name in the transcript; empty when it has none.
    pub name: String,
}

impl Speaker {
    /// The name used in summaries.
    pub fn title(&self) -> String {
        if self.name.is_empty() { format!("Speaker {}", self.id) } else { self.name.clone() }
    }
}

/// Where a speaker can be heard: one channel, or all channels mixed.
#[derive(Debug, Clone)]
pub struct Voice {
    /// Mean square of each frame.
    pub levels: Vec<f64>,
    pub speech: Vec<Segment>,
}

/// One voice per channel when channels separate the speakers, otherwise one for the whole recording.
pub fn voices(levels: &Levels, separate: bool) -> Vec<Voice> {
    let of = |levels: Vec<f64>| Voice { speech: speech::segments(&levels), levels };
    if separate && levels.channels.len() > 1 {
        levels.channels.iter().cloned().map(of).collect()
    } else {
        vec![of(levels.mixed())]
    }
}

/// Assigns cues of a transcript without speaker names to the voice that is loudest during each cue.
pub fn attribute(cues: &mut [TranscriptCue], voices: &[Voice]) {
    if voices.len() < 2 || cues.iter().any(|cue| !cue.speaker.is_empty()) {
        return;
    }
    for cue in cues {
        let span = Segment { start: cue.start, end: cue.end };
        // The floor value does not matter here or below: loudness is only compared.
        let loudness = |voice: &Voice| speech::energy(&voice.levels, &[span], -100.0);
        let loudest = voices
            .iter()
            .enumerate()
            .max_by(|a, b| loudness(a.1).unwrap_or(0.0).total_cmp(&loudness(b.1).unwrap_or(0.0)));
        cue.speaker = loudest.map_or_else(String::new, |(index, _)| format!("Channel {index}"));
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversation {
    pub utterances: Vec<Utterance>,
    pub speakers: Vec<Speaker>,
}

impl Conversation {
    /// Splits `cues`, in time order, into sentences. `ids` are enrolled ids, assigned in order of first speech.
    pub fn new(cues: &[TranscriptCue], ids: &[String]) -> Self {
        let mut conversation = Self::default();
        for cue in cues {
            let speaker = conversation.speaker(&cue.speaker, ids);
            let words = cue.text.split_whitespace().count();
            let at = |word: usize| {
                let share = number::of(word) / number::of(words.max(1));
                number::rounded(cue.start + (cue.end - cue.start) * share, 2)
            };
            let mut spoken = 0;
            for text in sentences(&cue.text) {
                let start = at(spoken);
                spoken += text.split_whitespace().count();
                let end = at(spoken);
                let heard = Utterance { start, end, text, speaker, confidence: 0.0 };
                conversation.utterances.push(heard);
            }
        }
        conversation
    }

    fn speaker(&mut self, name: &str, ids: &[String]) -> usize {
        let known = self.speakers.iter().position(|speaker| speaker.name == name);
        known.unwrap_or_else(|| {
            let index = self.speakers.len();
            let id = ids.get(index).cloned().unwrap_or_else(|| index.to_string());
            self.speakers.push(Speaker { id, name: name.to_owned() });
            index
        })
    }

    /// The utterances of `speaker` as time spans.
    pub fn spans(&self, speaker: usize) -> Vec<Segment> {
        self.utterances.iter().filter(|u| u.speaker == speaker).map(Utterance::span).collect()
    }

    /// The voice on which each speaker is loudest while speaking.
    pub fn assign<'a>(&self, voices: &'a [Voice]) -> Vec<&'a Voice> {
        let loudness = |speaker: usize, voice: &Voice| {
            speech::energy(&voice.levels, &self.spans(speaker), -100.0).unwrap_or(0.0)
        };
        let loudest = |speaker| {
            voices.iter().max_by(|a, b| loudness(speaker, a).total_cmp(&loudness(speaker, b)))
        };
        (0..self.speakers.len()).filter_map(loudest).collect()
    }

    /// Sets each utterance's confidence to the fraction of it that is speech. With `drop_silence`, also trims
    /// utterances to the speech inside them and removes those that have none.
    pub fn listen(&mut self, assigned: &[&Voice], drop_silence: bool) {
        for utterance in &mut self.utterances {
            let span = utterance.span();
            let Some(voice) = assigned.get(utterance.speaker) else { continue };
            let inside: Vec<&Segment> =
                voice.speech.iter().filter(|segment| segment.overlap(span) > 0.0).collect();
            let heard: f64 = inside.iter().map(|segment| segment.overlap(span)).sum();
            utterance.confidence = number::rounded((heard / span.length().max(0.01)).min(1.0), 2);
            if let (true, Some(first), Some(last)) = (drop_silence, inside.first(), inside.last()) {
                utterance.start = number::rounded(span.start.max(first.start), 2);
                utterance.end = number::rounded(span.end.min(last.end), 2);
            }
        }
        if drop_silence {
            self.utterances.retain(|utterance| utterance.confidence > 0.0);
        }
    }

    pub fn turns(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        for said in &self.utterances {
            match turns.last_mut() {
                Some(turn) if turn.speaker == said.speaker => {
                    turn.end = turn.end.max(said.end);
                    turn.text.push(' ');
                    turn.text.push_str(&said.text);
                }
                _ => turns.push(Turn {
                    start: said.start,
                    end: said.end,
                    text: said.text.clone(),
                    speaker: said.speaker,
                }),
            }
        }
        turns
    }
}

/// Splits after `.`, `!` or `?` followed by a space; a remainder without one is kept as it is.
fn sentences(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = String::new();
    for word in text.split_whitespace() {
        if !open.is_empty() {
            open.push(' ');
        }
        open.push_str(word);
        if word.ends_with(['.', '!', '?']) && !matches!(word, "Mr." | "Mrs." | "Ms." | "Dr.") {
            found.push(std::mem::take(&mut open));
        }
    }
    if !open.is_empty() {
        found.push(open);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(start: f64, end: f64, speaker: &str, text: &str) -> TranscriptCue {
        TranscriptCue { start, end, speaker: speaker.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_cue_becomes_sentences_that_share_its_time_by_words() {
        let cues = [cue(1.0, 5.0, "B", "Hi there. Are you well?"), cue(5.0, 6.0, "A", "Yes")];
        let conversation = Conversation::new(&cues, &[]);
        let shown: Vec<String> = conversation
            .utterances
            .iter()
            .map(|u| format!("{} {} {} {}", u.speaker, u.start, u.end, u.text))
            .collect();
        assert_eq!(shown, ["0 1 2.6 Hi there.", "0 2.6 5 Are you well?", "1 5 6 Yes"]);
        let turns = conversation.turns();
        assert_eq!(turns.len(), 2);
        assert_eq!(turns[0].text, "Hi there. Are you well?");
    }

    #[test]
    fn enrolled_ids_go_to_speakers_in_order_of_first_speech() {
        let cues =
            [cue(0.0, 1.0, "Zoe", "Hi."), cue(1.0, 2.0, "Al", "Hi."), cue(2.0, 3.0, "Zoe", "So.")];
        let conversation = Conversation::new(&cues, &["e7".to_owned()]);
        let ids: Vec<&str> = conversation.speakers.iter().map(|s| s.id.as_str()).collect();
        assert_eq!(ids, ["e7", "1"]);
    }

    #[test]
    fn cues_without_names_go_to_the_loudest_channel() {
        let voice = |from: usize| {
            let mut levels = vec![1e-9; 300];
            levels[from..from + 100].fill(0.01);
            Voice { speech: speech::segments(&levels), levels }
        };
        let mut cues = [cue(0.5, 1.5, "", "First."), cue(4.0, 5.0, "", "Second.")];
        attribute(&mut cues, &[voice(200), voice(0)]);
        assert_eq!(
            (cues[0].speaker.as_str(), cues[1].speaker.as_str()),
            ("Channel 1", "Channel 0")
        );
    }

    #[test]
    fn silence_is_cut_off_and_silent_utterances_go() {
        let mut levels = vec![1e-9; 500];
        levels[100..200].fill(0.01);
        let voice = Voice { speech: speech::segments(&levels), levels };
        let cues = [cue(1.0, 5.0, "A", "Heard."), cue(6.0, 7.0, "A", "Not heard.")];
        let mut conversation = Conversation::new(&cues, &[]);
        conversation.listen(&[&voice], true);
        assert_eq!(conversation.utterances.len(), 1);
        let heard = &conversation.utterances[0];
        assert_eq!(format!("{} {} {}", heard.start, heard.end, heard.confidence), "2 4 0.5");
    }
}
