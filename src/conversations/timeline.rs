//! Utterances in chronological order, and the figures derived from them. docs/conversation-shape.md has the
//! definitions; all times here are whole milliseconds.
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

/// An utterance with its times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub start: i64,
    pub end: i64,
    pub speaker: Option<&'a str>,
    pub emotion: Option<&'a str>,
}

impl Said<'_> {
    pub fn length(&self) -> i64 {
        self.end - self.start
    }
}

/// Rounds (half to even) once, per utterance, so that sums are exact.
#[expect(clippy::cast_possible_truncation, reason = "no recording is that long")]
pub fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round_ties_even() as i64
}

#[expect(clippy::cast_precision_loss, reason = "no recording is that long")]
pub fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// A time during which a speaker talks. Stretches of one speaker do not overlap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch<'a> {
    pub speaker: &'a str,
    pub start: i64,
    pub end: i64,
}

/// The figures of a conversation that do not depend on its speakers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    pub duration: i64,
    pub talk: i64,
    pub longest_silence: i64,
}

/// An utterance that begins while another speaker talks, and outlasts them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interruption<'a> {
    pub by: &'a str,
    pub of: &'a str,
}

/// Successive utterances of one speaker with one emotion. The order of the fields is the order of the runs.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run<'a> {
    pub speaker: &'a str,
    pub start: i64,
    pub end: i64,
    pub emotion: &'a str,
    pub utterances: i64,
}

#[derive(Debug)]
pub(super) struct Timeline<'a>(Vec<Said<'a>>);

impl<'a> Timeline<'a> {
    /// `said` is in the provider's order, which breaks ties between utterances of equal times.
    pub fn new(said: impl IntoIterator<Item = Said<'a>>) -> Self {
        let mut said: Vec<_> = said.into_iter().collect();
        said.sort_by_key(|said| (said.start, said.end));
        Self(said)
    }

    pub fn times(&self) -> Times {
        let mut times = Times::default();
        for said in &self.0 {
            let reached = times.duration;
            times.talk += (said.end - said.start.max(reached)).max(0);
            times.longest_silence = times.longest_silence.max(said.start - reached);
            times.duration = reached.max(said.end);
        }
        times
    }

    pub fn stretches(&self) -> Vec<Stretch<'a>> {
        let mut reached: HashMap<&str, i64> = HashMap::new();
        let stretch = |said: &Said<'a>| {
            let speaker = said.speaker?;
            let reached = reached.entry(speaker).or_default();
            let start = said.start.max(*reached);
            *reached = said.end.max(*reached);
            (start < said.end).then_some(Stretch { speaker, start, end: said.end })
        };
        self.0.iter().filter_map(stretch).collect()
    }

    /// Speaker and length of each monologue.
    pub fn monologues(&self) -> impl Iterator<Item = (&'a str, i64)> {
        let runs = self.0.chunk_by(|one, next| one.speaker == next.speaker);
        runs.filter_map(|run| Some((run[0].speaker?, last_end(run) - run[0].start)))
    }

    pub fn interruptions(&self) -> Vec<Interruption<'a>> {
        let mut found = Vec::new();
        let mut begun = LastToEnd::default();
        // Utterances that begin at the same time do not interrupt one another.
        for together in self.0.chunk_by(|one, next| one.start == next.start) {
            for said in together {
                let Some(by) = said.speaker else { continue };
                let Some((end, Reverse(of))) = begun.but_of(by) else { continue };
                if said.start < end && end < said.end {
                    found.push(Interruption { by, of });
                }
            }
            let endings =
                together.iter().filter_map(|said| Some((said.end, Reverse(said.speaker?))));
            endings.for_each(|ending| begun.add(ending));
        }
        found
    }

    /// Talk time by bucket of `length` milliseconds, counted from 0, and speaker; only buckets with talk.
    pub fn buckets(&self, length: i64) -> BTreeMap<(i64, &'a str), i64> {
        let mut talk = BTreeMap::new();
        for Stretch { speaker, start, end } in self.stretches() {
            for bucket in start / length..=(end - 1) / length {
                let within = end.min((bucket + 1) * length) - start.max(bucket * length);
                *talk.entry((bucket, speaker)).or_default() += within;
            }
        }
        talk
    }

    pub fn emotion_runs(&self) -> Vec<Run<'a>> {
        let mut by_speaker: BTreeMap<&str, Vec<Said<'_>>> = BTreeMap::new();
        for said in &self.0 {
            if let Some(speaker) = said.speaker {
                by_speaker.entry(speaker).or_default().push(*said);
            }
        }
        let mut runs = Vec::new();
        for (speaker, own) in by_speaker {
            for run in own.chunk_by(|one, next| one.emotion == next.emotion) {
                let Some(emotion) = run[0].emotion else { continue };
                let (start, end) = (run[0].start, last_end(run));
                let utterances = i64::try_from(run.len()).unwrap_or(i64::MAX);
                runs.push(Run { speaker, start, end, emotion, utterances });
            }
        }
        runs.sort();
        runs
    }
}

fn last_end(said: &[Said<'_>]) -> i64 {
    said.iter().map(|said| said.end).max().unwrap_or_default()
}

/// Milliseconds during which two or more speakers talk.
pub(super) fn overlap(stretches: &[Stretch<'_>]) -> i64 {
    let mut edges: Vec<_> =
        stretches.iter().flat_map(|stretch| [(stretch.start, 1), (stretch.end, -1)]).collect();
    edges.sort_unstable();
    let (mut overlap, mut talking, mut since) = (0, 0, 0);
    for (at, step) in edges {
        if talking > 1 {
            overlap += at - since;
        }
        talking += step;
        since = at;
    }
    overlap
}

/// End and speaker of an utterance. Later ends are greater; of equal ends, the one whose speaker sorts first.
type Ending<'a> = (i64, Reverse<&'a str>);

/// The last utterance to end, and the last to end among all other speakers.
#[derive(Debug, Default)]
struct LastToEnd<'a> {
    first: Option<Ending<'a>>,
    second: Option<Ending<'a>>,
}

impl<'a> LastToEnd<'a> {
    fn add(&mut self, ending: Ending<'a>) {
        let is_of_first = self.first.is_some_and(|first| first.1 == ending.1);
        let ending = Some(ending);
        if is_of_first {
            self.first = self.first.max(ending);
        } else if ending > self.first {
            self.second = self.first;
            self.first = ending;
        } else {
            self.second = self.second.max(ending);
        }
    }

    /// The last to end that belongs to another speaker.
    fn but_of(&self, speaker: &str) -> Option<Ending<'a>> {
        if self.first?.1.0 == speaker { self.second } else { self.first }
    }
}
