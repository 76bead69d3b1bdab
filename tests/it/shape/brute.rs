//! The figures of docs/conversation-shape.md, computed the slow way: millisecond by millisecond, and each utterance
//! against every other.
use std::collections::{BTreeMap, BTreeSet};

use aftercall::insights::Analysis;

#[derive(Debug, PartialEq)]
pub struct Shape {
    /// Name, utterances and milliseconds.
    pub emotions: Vec<(String, i32, i64)>,
    pub insight_names: Vec<String>,
    /// Utterances, words, questions, interruptions.
    pub counts: [i32; 4],
    /// Duration, talk, silence, overlap, longest silence, longest monologue.
    pub times: [i64; 6],
    pub words_per_minute: Option<f64>,
    /// Ordered by id.
    pub speakers: Vec<SpeakerMeasures>,
    /// Milliseconds by bucket and speaker.
    pub talk: BTreeMap<(i64, String), i64>,
    /// Ordered by speaker and start.
    pub runs: BTreeSet<Run>,
}

#[derive(Debug, PartialEq)]
pub struct SpeakerMeasures {
    pub id: String,
    /// Utterances, words, questions, interrupts, interrupted.
    pub counts: [i32; 5],
    /// Talk and longest monologue.
    pub times: [i64; 2],
    pub talk_share: Option<f64>,
    pub words_per_minute: Option<f64>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    pub speaker: String,
    pub emotion: String,
    pub start: i64,
    pub end: i64,
    pub utterances: i64,
}

struct Said<'a> {
    start: i64,
    end: i64,
    speaker: Option<&'a str>,
    emotion: Option<&'a str>,
    words: i32,
}

impl Said<'_> {
    fn covers(&self, at: i64) -> bool {
        self.start <= at && at < self.end
    }
}

impl Shape {
    pub fn of(analysis: &Analysis, bucket_seconds: u32) -> Self {
        let said = in_order(analysis);
        let duration = said.iter().map(|said| said.end).max().unwrap_or(0);
        let talkers: Vec<BTreeSet<Option<&str>>> =
            (0..duration).map(|at| talking(&said, at)).collect();
        let known = |talking: &&BTreeSet<Option<&str>>| {
            talking.iter().filter(|speaker| speaker.is_some()).count() > 1
        };
        let talk = count(talkers.iter().filter(|talking| !talking.is_empty()));
        let interruptions = interruptions(&said);
        let words = said.iter().map(|said| said.words).sum();
        let mut speakers = speakers(analysis, &said, &talkers, &interruptions);
        let all: i64 = speakers.iter().map(|speaker| speaker.times[0]).sum();
        for speaker in &mut speakers {
            speaker.talk_share = rounded(speaker.times[0], all, 10_000);
        }
        Self {
            emotions: emotions(&said),
            insight_names: insight_names(analysis),
            counts: [
                number(said.len()),
                words,
                number(analysis.questions.len()),
                number(interruptions.len()),
            ],
            times: [
                duration,
                talk,
                duration - talk,
                count(talkers.iter().filter(known)),
                longest_silence(&said, &talkers),
                speakers.iter().map(|speaker| speaker.times[1]).max().unwrap_or(0),
            ],
            words_per_minute: rounded(i64::from(words) * 60_000, talk, 10),
            speakers,
            talk: by_bucket(&talkers, i64::from(bucket_seconds) * 1000),
            runs: runs(&said),
        }
    }
}

/// Rounds half up to `parts` parts of one; `None` if `whole` is 0.
fn rounded(part: i64, whole: i64, parts: i32) -> Option<f64> {
    let times = i64::from(parts);
    let scaled = (part * times * 2 + whole).checked_div(whole * 2)?;
    Some(f64::from(i32::try_from(scaled).unwrap()) / f64::from(parts))
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap()
}

fn count<T>(all: impl Iterator<Item = T>) -> i64 {
    i64::try_from(all.count()).unwrap()
}

fn in_order(analysis: &Analysis) -> Vec<Said<'_>> {
    let mut utterances: Vec<_> = analysis.utterances.iter().collect();
    utterances.sort_by_key(|said| (millis(said.start), millis(said.end), said.seq));
    utterances
        .into_iter()
        .map(|said| Said {
            start: millis(said.start),
            end: millis(said.end),
            speaker: said.speaker_id.as_deref(),
            emotion: said.emotion.as_deref(),
            words: number(said.text.split_whitespace().count()),
        })
        .collect()
}

fn millis(seconds: f64) -> i64 {
    format!("{:.0}", (seconds * 1000.0).round_ties_even()).parse().unwrap()
}

/// The speakers in the millisecond that begins at `at`.
fn talking<'a>(said: &[Said<'a>], at: i64) -> BTreeSet<Option<&'a str>> {
    said.iter().filter(|said| said.covers(at)).map(|said| said.speaker).collect()
}

/// Pairs of interrupting and interrupted speaker, utterance by utterance.
fn interruptions<'a>(said: &[Said<'a>]) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    for one in said {
        let Some(by) = one.speaker else { continue };
        let others = said.iter().filter(|other| {
            other.start < one.start && other.speaker.is_some_and(|speaker| speaker != by)
        });
        let last = others.max_by_key(|other| (other.end, std::cmp::Reverse(other.speaker)));
        if let Some(last) = last.filter(|last| one.start < last.end && last.end < one.end) {
            found.push((by, last.speaker.unwrap()));
        }
    }
    found
}

fn longest_silence(said: &[Said<'_>], talkers: &[BTreeSet<Option<&str>>]) -> i64 {
    let (mut longest, mut current) = (0, 0);
    for (at, talking) in (0..).zip(talkers) {
        if !talking.is_empty() || said.iter().any(|said| said.start == at || said.end == at) {
            current = 0;
        }
        current += i64::from(talking.is_empty());
        longest = longest.max(current);
    }
    longest
}

fn emotions(said: &[Said<'_>]) -> Vec<(String, i32, i64)> {
    let mut found: BTreeMap<&str, (i32, i64)> = BTreeMap::new();
    for said in said {
        let Some(emotion) = said.emotion else { continue };
        let (utterances, ms) = found.entry(emotion).or_default();
        *utterances += 1;
        *ms += said.end - said.start;
    }
    found.into_iter().map(|(name, (count, ms))| (name.to_owned(), count, ms)).collect()
}

fn insight_names(analysis: &Analysis) -> Vec<String> {
    let of_speakers = analysis.speaker_insights.iter().map(|insight| &insight.name);
    let of_all = analysis.conversation_insights.iter().map(|insight| &insight.name);
    of_speakers.chain(of_all).collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

/// All speakers with utterances or insights, without their talk shares.
fn speakers(
    analysis: &Analysis,
    said: &[Said<'_>],
    talkers: &[BTreeSet<Option<&str>>],
    interruptions: &[(&str, &str)],
) -> Vec<SpeakerMeasures> {
    let insights = analysis.speaker_insights.iter().map(|insight| insight.speaker_id.as_str());
    let questions = || analysis.questions.iter().map(|question| question.speaker_id.as_str());
    let mut ids: BTreeSet<&str> = insights.chain(questions()).collect();
    ids.extend(said.iter().filter_map(|said| said.speaker));
    let speaker = |id: &str| {
        let own = || said.iter().filter(|said| said.speaker == Some(id));
        let words = own().map(|said| said.words).sum();
        let talk = count(talkers.iter().filter(|talking| talking.contains(&Some(id))));
        SpeakerMeasures {
            id: id.to_owned(),
            counts: [
                number(own().count()),
                words,
                number(questions().filter(|speaker| *speaker == id).count()),
                number(interruptions.iter().filter(|(by, _)| *by == id).count()),
                number(interruptions.iter().filter(|(_, of)| *of == id).count()),
            ],
            times: [talk, longest_monologue(said, id)],
            talk_share: None,
            words_per_minute: rounded(i64::from(words) * 60_000, talk, 10),
        }
    };
    ids.into_iter().map(speaker).collect()
}

fn longest_monologue(said: &[Said<'_>], id: &str) -> i64 {
    let own = said.chunk_by(|one, next| one.speaker == next.speaker);
    let own = own.filter(|run| run[0].speaker == Some(id));
    let length = |run: &[Said<'_>]| run.iter().map(|said| said.end).max().unwrap() - run[0].start;
    own.map(length).max().unwrap_or(0)
}

fn by_bucket(talkers: &[BTreeSet<Option<&str>>], bucket: i64) -> BTreeMap<(i64, String), i64> {
    let mut talk = BTreeMap::new();
    for (at, talking) in (0..).zip(talkers) {
        for speaker in talking.iter().flatten() {
            *talk.entry((at / bucket, (*speaker).to_owned())).or_default() += 1;
        }
    }
    talk
}

fn runs(said: &[Said<'_>]) -> BTreeSet<Run> {
    let ids: BTreeSet<&str> = said.iter().filter_map(|said| said.speaker).collect();
    let mut found = BTreeSet::new();
    for id in ids {
        let own: Vec<_> = said.iter().filter(|said| said.speaker == Some(id)).collect();
        for run in own.chunk_by(|one, next| one.emotion == next.emotion) {
            let Some(emotion) = run[0].emotion else { continue };
            found.insert(Run {
                speaker: id.to_owned(),
                emotion: emotion.to_owned(),
                start: run[0].start,
                end: run.iter().map(|said| said.end).max().unwrap(),
                utterances: count(run.iter()),
            });
        }
    }
    found
}
