//! Computes a conversation's shape from the result.
use std::collections::{BTreeMap, BTreeSet};

use super::timeline::{Said, Timeline, Times, overlap};

/// Maximum length of an indexed name, in characters.
const LONGEST_NAME: usize = 80;

/// The input from which a shape is computed.
#[derive(Debug, Default)]
pub struct ShapeInput<'a> {
    /// Utterances in the provider's order, each with its word count.
    pub said: Vec<(Said<'a>, i32)>,
    /// The speaker of each question.
    pub asked: Vec<&'a str>,
    /// Speakers with an insight.
    pub described: Vec<&'a str>,
    pub insight_names: Vec<&'a str>,
}

/// As defined in docs/conversation-shape.md. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// Ordered by name.
    pub emotions: Vec<Emotion>,
    /// Distinct and ordered.
    pub insight_names: Vec<String>,
    pub utterances: i32,
    pub words: i32,
    pub questions: i32,
    pub interruptions: i32,
    pub duration: i64,
    pub talk: i64,
    pub silence: i64,
    pub overlap: i64,
    pub longest_silence: i64,
    pub longest_monologue: i64,
    /// Ordered by id.
    pub speakers: Vec<SpeakerMeasures>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emotion {
    pub name: String,
    pub utterances: i32,
    /// Total length of its utterances.
    pub length: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpeakerMeasures {
    pub id: String,
    pub utterances: i32,
    pub words: i32,
    pub questions: i32,
    pub talk: i64,
    /// 0 to 1, to four decimals; `None` when no one talks.
    pub talk_share: Option<f64>,
    pub longest_monologue: i64,
    pub interrupts: i32,
    pub interrupted: i32,
}

impl Shape {
    pub fn of(found: &ShapeInput<'_>) -> Self {
        let timeline = Timeline::new(found.said.iter().map(|(said, _)| *said));
        let Times { duration, talk, longest_silence } = timeline.times();
        let stretches = timeline.stretches();
        let interruptions = timeline.interruptions();

        let mut speakers: BTreeMap<&str, SpeakerMeasures> = BTreeMap::new();
        for id in &found.described {
            speakers.entry(id).or_default();
        }
        for id in &found.asked {
            speakers.entry(id).or_default().questions += 1;
        }
        for (said, words) in &found.said {
            let Some(id) = said.speaker else { continue };
            let speaker = speakers.entry(id).or_default();
            speaker.utterances += 1;
            speaker.words = speaker.words.saturating_add(*words);
        }
        for stretch in &stretches {
            speakers.entry(stretch.speaker).or_default().talk += stretch.end - stretch.start;
        }
        for (id, length) in timeline.monologues() {
            let speaker = speakers.entry(id).or_default();
            speaker.longest_monologue = speaker.longest_monologue.max(length);
        }
        for interruption in &interruptions {
            speakers.entry(interruption.by).or_default().interrupts += 1;
            speakers.entry(interruption.of).or_default().interrupted += 1;
        }
        let all_talk = speakers.values().map(|speaker| speaker.talk).sum();
        let speakers = speakers.into_iter().map(|(id, speaker)| SpeakerMeasures {
            id: id.to_owned(),
            talk_share: share(speaker.talk, all_talk),
            ..speaker
        });
        let speakers: Vec<_> = speakers.collect();

        Self {
            emotions: emotions(&found.said),
            insight_names: insight_names(&found.insight_names),
            utterances: count(found.said.len()),
            words: found.said.iter().fold(0, |sum, (_, words)| sum.saturating_add(*words)),
            questions: count(found.asked.len()),
            interruptions: count(interruptions.len()),
            duration,
            talk,
            silence: duration - talk,
            overlap: overlap(&stretches),
            longest_silence,
            longest_monologue: longest_monologue(&speakers),
            speakers,
        }
    }
}

fn count(many: usize) -> i32 {
    i32::try_from(many).unwrap_or(i32::MAX)
}

fn longest_monologue(speakers: &[SpeakerMeasures]) -> i64 {
    speakers.iter().map(|speaker| speaker.longest_monologue).max().unwrap_or_default()
}

/// To four decimals, rounding half up.
fn share(part: i64, whole: i64) -> Option<f64> {
    let (part, whole) = (i128::from(part), i128::from(whole));
    let parts = (part * 20_000 + whole).checked_div(whole * 2)?;
    i32::try_from(parts).ok().map(|parts| f64::from(parts) / 10_000.0)
}

/// Whether statistics are grouped by it.
pub fn is_short(name: &str) -> bool {
    name.chars().nth(LONGEST_NAME).is_none()
}

fn emotions(said: &[(Said<'_>, i32)]) -> Vec<Emotion> {
    let mut found: BTreeMap<&str, (i32, i64)> = BTreeMap::new();
    for (said, _) in said {
        if let Some(name) = said.emotion.filter(|name| is_short(name)) {
            let (utterances, length) = found.entry(name).or_default();
            *utterances += 1;
            *length += said.length();
        }
    }
    let emotion = |(name, (utterances, length)): (&str, _)| Emotion {
        name: name.to_owned(),
        utterances,
        length,
    };
    found.into_iter().map(emotion).collect()
}

fn insight_names(names: &[&str]) -> Vec<String> {
    let distinct: BTreeSet<&str> = names.iter().copied().filter(|name| is_short(name)).collect();
    distinct.into_iter().map(str::to_owned).collect()
}
