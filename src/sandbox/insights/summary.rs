//! Summaries: real sentences for the extractive one, fixed phrasings around key phrases for the others.
use serde_json::{Value, json};

use super::{
    super::{
        conversation::{Conversation, Turn, Utterance},
        number,
    },
    phrases::{self, Phrase},
};

/// Turns per paragraph of the long summary.
const PARAGRAPH: usize = 6;

/// The heaviest sixth of the utterances (at least one, at most five), in time order.
///
/// An utterance weighs as much as its key phrases divided by the square root of its word count, so that long sentences
/// do not win by length alone.
pub fn extractive(conversation: &Conversation, phrases: &[Phrase]) -> Vec<Value> {
    let weight = |said: &Utterance| {
        let words = number::of(said.text.split_whitespace().count().max(1));
        number::of(phrases::weight_in(said, phrases)) / words.sqrt()
    };
    let mut ranked: Vec<(f64, &Utterance)> =
        conversation.utterances.iter().map(|said| (weight(said), said)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = ranked.first().map_or(0.0, |(weight, _)| *weight);
    ranked.truncate(conversation.utterances.len().div_ceil(6).min(5));
    ranked.retain(|(weight, _)| *weight > 0.0);
    ranked.sort_by(|a, b| a.1.start.total_cmp(&b.1.start));
    ranked
        .into_iter()
        .map(|(weight, said)| {
            json!({
                "value": said.text,
                "start": said.start,
                "end": said.end,
                "speakerId": conversation.speakers[said.speaker].id,
                "confidence": number::rounded(weight / best, 2),
            })
        })
        .collect()
}

pub fn short(conversation: &Conversation, phrases: &[Phrase]) -> Vec<Value> {
    let Some((start, end)) = extent(conversation) else { return Vec::new() };
    let names: Vec<String> =
        conversation.speakers.iter().map(super::super::conversation::Speaker::title).collect();
    let about = subjects(phrases, start, end);
    let text = match names.len() {
        1 => format!("{} talks{about}.", names[0]),
        _ => format!("{} talk{about}.", listed(&names)),
    };
    vec![
        json!({ "value": text, "start": start, "end": end, "confidence": coverage(phrases, conversation) }),
    ]
}

/// One paragraph per [`PARAGRAPH`] turns, numbered by `groupId`.
pub fn long(conversation: &Conversation, turns: &[Turn], phrases: &[Phrase]) -> Vec<Value> {
    let confidence = coverage(phrases, conversation);
    let paragraph = |(index, turns): (usize, &[Turn])| {
        let (start, end) = (turns[0].start, turns.iter().map(|t| t.end).fold(0.0, f64::max));
        let title = |turn: &Turn| conversation.speakers[turn.speaker].title();
        let opens = if index == 0 { "starts" } else { "goes on" };
        let mut text = format!("{} {opens}{}.", title(&turns[0]), subjects(phrases, start, end));
        for turn in turns.iter().filter(|turn| turn.text.contains('?')) {
            let question = turn.text.split_inclusive(['.', '!', '?']).find(|s| s.ends_with('?'));
            let question = question.unwrap_or(&turn.text).trim();
            text.extend([" ", title(turn).as_str(), " asks: \"", question, "\""]);
        }
        json!({ "value": text, "start": start, "end": end, "confidence": confidence, "groupId": index.to_string() })
    };
    turns.chunks(PARAGRAPH).enumerate().map(paragraph).collect()
}

pub fn title(conversation: &Conversation, phrases: &[Phrase]) -> Vec<Value> {
    let (Some((start, end)), Some(first)) = (extent(conversation), phrases.first()) else {
        return Vec::new();
    };
    let text = match phrases.get(1) {
        Some(second) => format!("About {} and {}", first.text, second.text),
        None => format!("About {}", first.text),
    };
    vec![
        json!({ "value": text, "start": start, "end": end, "confidence": coverage(phrases, conversation) }),
    ]
}

fn extent(conversation: &Conversation) -> Option<(f64, f64)> {
    let start = conversation.utterances.first()?.start;
    Some((start, conversation.utterances.iter().map(|said| said.end).fold(start, f64::max)))
}

/// " about x, y and z": the three heaviest phrases said between `start` and `end`.
fn subjects(phrases: &[Phrase], start: f64, end: f64) -> String {
    let inside = |phrase: &&Phrase| phrase.places.iter().any(|at| at.0 >= start && at.1 <= end);
    let texts: Vec<String> = phrases
        .iter()
        .filter(inside)
        .take(3)
        .map(|phrase| format!("the {}", phrase.text))
        .collect();
    if texts.is_empty() { String::new() } else { format!(" about {}", listed(&texts)) }
}

fn listed(items: &[String]) -> String {
    match items.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Confidence of a composed text: the fraction of utterances that contain one of the phrases.
fn coverage(phrases: &[Phrase], conversation: &Conversation) -> f64 {
    let said = &conversation.utterances;
    let held = said.iter().filter(|said| phrases::weight_in(said, phrases) > 0).count();
    number::rounded(number::of(held) / number::of(said.len().max(1)), 2)
}
