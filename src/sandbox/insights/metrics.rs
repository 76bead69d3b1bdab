//! Energy, pace, talk-to-listen ratio and questions of each speaker.
//!
//! The rules for pace, ratio and questions reproduce the provider's published sample exactly.
use serde_json::{Value, json};

use super::{
    super::{conversation::Turn, number, speech},
    Material,
};
use crate::config::RatioOfMany;

pub fn energy(material: &Material<'_>) -> Vec<Value> {
    let floor = material.settings.energy_floor;
    let value = |speaker: usize| {
        let spans = material.conversation.spans(speaker);
        let voice = material.voices.get(speaker)?;
        let energy = speech::energy(&voice.levels, &spans, floor).unwrap_or(0.0);
        let id = &material.conversation.speakers[speaker].id;
        Some(json!({ "speakerId": id, "value": number::rounded(energy, 2) }))
    };
    (0..material.conversation.speakers.len()).filter_map(value).collect()
}

pub fn pace(material: &Material<'_>) -> Vec<Value> {
    let settings = material.settings;
    each_speaker(material, |turns| {
        let words = turns.iter().map(|turn| turn.text.split_whitespace().count()).sum();
        let wpm = words_per_minute(words, talk(turns));
        let value = if wpm < settings.pace_slow_below {
            "slow"
        } else if wpm > settings.pace_fast_above {
            "fast"
        } else {
            "medium"
        };
        json!({ "value": value, "wpm": wpm })
    })
}

pub fn questions(material: &Material<'_>) -> Vec<Value> {
    each_speaker(material, |turns| {
        let asked = turns.iter().filter(|turn| turn.text.contains('?'));
        let questions: Vec<Value> = asked
            .map(|turn| json!({ "text": turn.text, "start": turn.start, "end": turn.end }))
            .collect();
        json!({ "value": questions.len(), "questions": questions })
    })
}

pub fn talk_to_listen(material: &Material<'_>) -> Vec<Value> {
    let turns = material.conversation.turns();
    let count = material.conversation.speakers.len();
    let times: Vec<f64> = (0..count)
        .map(|speaker| turns.iter().filter(|t| t.speaker == speaker).map(|t| t.end - t.start).sum())
        .collect();
    let whole = (count > 2 && material.settings.ratio_of_many == RatioOfMany::Recording)
        .then_some(material.duration);
    let shares = shares(&times, whole);
    let view = |(speaker, talk): (usize, usize)| {
        let id = &material.conversation.speakers[speaker].id;
        json!({ "speakerId": id, "value": format!("{talk}:{}", 100 - talk) })
    };
    shares.into_iter().enumerate().map(view).collect()
}

/// One object per speaker, in speaker order, with the members that `value` derives from the
/// speaker's turns.
fn each_speaker(material: &Material<'_>, value: impl Fn(&[Turn]) -> Value) -> Vec<Value> {
    let turns = material.conversation.turns();
    let speakers = material.conversation.speakers.iter().enumerate();
    speakers
        .map(|(index, speaker)| {
            let own: Vec<Turn> = turns.iter().filter(|t| t.speaker == index).cloned().collect();
            let mut view = json!({ "speakerId": speaker.id });
            if let (Value::Object(view), Value::Object(value)) = (&mut view, value(&own)) {
                view.extend(value);
            }
            view
        })
        .collect()
}

fn talk(turns: &[Turn]) -> f64 {
    turns.iter().map(|turn| turn.end - turn.start).sum()
}

/// Words per minute of talk, rounded to one decimal; 0 without talk.
fn words_per_minute(words: usize, seconds: f64) -> f64 {
    if seconds <= 0.0 { 0.0 } else { number::rounded(number::of(words) * 60.0 / seconds, 1) }
}

/// Percentage of `whole` (of all talk when `None`) that each speaker talks. Two speakers always add
/// up to 100.
fn shares(times: &[f64], whole: Option<f64>) -> Vec<usize> {
    let all = whole.unwrap_or_else(|| times.iter().sum());
    let share = |time: &f64| {
        if all <= 0.0 { 0 } else { number::whole((100.0 * time / all).round()).min(100) }
    };
    match (times, whole) {
        ([first, _], None) if all > 0.0 => vec![share(first), 100 - share(first)],
        _ => times.iter().map(share).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_is_words_over_minutes_of_talk() {
        assert_eq!(words_per_minute(100, 40.0).to_string(), "150");
        assert_eq!(words_per_minute(17, 6.67).to_string(), "152.9");
        assert_eq!(words_per_minute(5, 0.0).to_string(), "0");
    }

    #[test]
    fn ratios_of_two_mirror_and_those_of_many_are_shares() {
        // The provider's published call prints 58.08 % against 41.92 % as 58:42 and 42:58.
        assert_eq!(shares(&[58.08, 41.92], None), [58, 42]);
        assert_eq!(shares(&[50.5, 49.5], None), [51, 49]);
        assert_eq!(shares(&[10.0, 20.0, 30.0], None), [17, 33, 50]);
        assert_eq!(shares(&[10.0, 20.0, 30.0], Some(120.0)), [8, 17, 25]);
        assert_eq!(shares(&[0.0, 0.0], None), [0, 0]);
        assert_eq!(shares(&[4.0], None), [100]);
    }
}
