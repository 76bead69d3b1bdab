//! Key phrases and topics: runs of words between stop words, ranked by frequency and length.
use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::{conversation::Utterance, number};

/// Words that carry no subject: function words, and verbs and courtesies common to all calls.
const STOP: &str = "a about after again all also am an and another any are as ask at back be because \
    been before but by bye call called calling can check come could day days did do does each else \
    even every for from get give go going good goodbye got great had happy has have he hear hello \
    help her here hi him his how i if in is it its just know let like little look looking lot made \
    make may me more much my need new next no not now of off ok okay on one only open or other our \
    out over please really receive right said say see send she should show shows so some sorry sound \
    sounds sure take tell thank thanks that the their them then there these they thing things think \
    this those three time to today tomorrow too two up us very want was way we week welcome well were \
    what when where which who why will with within wonderful would yes yet you your arrive glad four \
    five six seven eight nine ten let's i'm i'll we'll you'll it's that's don't can't";
/// Maximum number of distinct phrases.
const MOST: usize = 10;
/// Longer runs are cut to their last words, which in English name the thing.
const LONGEST: usize = 3;

/// A phrase with every place where it occurs, in time order.
#[derive(Debug, Clone, PartialEq)]
pub struct Phrase {
    pub text: String,
    /// Occurrences times words; the ranking is by this.
    pub weight: usize,
    /// Seconds.
    pub places: Vec<(f64, f64)>,
}

/// The phrases of `utterances`, heaviest first.
pub fn found(utterances: &[Utterance]) -> Vec<Phrase> {
    let mut order: Vec<String> = Vec::new();
    let mut places: HashMap<String, Vec<(f64, f64)>> = HashMap::new();
    for utterance in utterances {
        for (text, start, end) in runs(utterance) {
            let said = places.entry(text.clone()).or_default();
            if said.is_empty() {
                order.push(text);
            }
            said.push((start, end));
        }
    }
    let mut phrases: Vec<Phrase> = order
        .into_iter()
        .filter_map(|text| {
            let places = places.remove(&text)?;
            let words = text.split(' ').count();
            // A single word that occurs once is noise.
            let counts = words > 1 || places.len() > 1;
            counts.then(|| Phrase { weight: places.len() * words, text, places })
        })
        .collect();
    // The sort is stable: of equals, the first said stays first.
    phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.weight));
    phrases.truncate(MOST);
    phrases
}

/// `KeyPhrases`: one value per occurrence, in time order; confidence is the weight relative to the heaviest.
pub fn values(phrases: &[Phrase]) -> Vec<Value> {
    let heaviest = phrases.first().map_or(1, |phrase| phrase.weight);
    let mut values: Vec<(f64, Value)> = Vec::new();
    for phrase in phrases {
        let confidence = number::rounded(number::of(phrase.weight) / number::of(heaviest), 2);
        for (start, end) in &phrase.places {
            let value = json!({ "start": start, "end": end, "value": phrase.text, "confidence": confidence });
            values.push((*start, value));
        }
    }
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values.into_iter().map(|(_, value)| value).collect()
}

/// `Topics`: the three heaviest phrases that occur more than once, each from first to last mention.
pub fn topics(phrases: &[Phrase]) -> Vec<Value> {
    let heaviest = phrases.first().map_or(1, |phrase| phrase.weight);
    let topic = |phrase: &Phrase| {
        let (first, last) = (phrase.places.first()?, phrase.places.last()?);
        let confidence = number::rounded(number::of(phrase.weight) / number::of(heaviest), 2);
        Some(
            json!({ "value": phrase.text, "start": first.0, "end": last.1, "confidence": confidence }),
        )
    };
    phrases.iter().filter(|phrase| phrase.places.len() > 1).take(3).filter_map(topic).collect()
}

/// How much of the conversation's subject `utterance` carries: the total weight of the phrases in it.
pub fn weight_in(utterance: &Utterance, phrases: &[Phrase]) -> usize {
    let said: Vec<String> = runs(utterance).into_iter().map(|(text, ..)| text).collect();
    phrases.iter().filter(|phrase| said.contains(&phrase.text)).map(|phrase| phrase.weight).sum()
}

/// Runs of at most [`LONGEST`] words between stop words and punctuation, with their times.
fn runs(utterance: &Utterance) -> Vec<(String, f64, f64)> {
    let mut found = Vec::new();
    let mut open: Vec<(String, f64, f64)> = Vec::new();
    for (word, start, end) in utterance.words() {
        let plain = plain(word);
        if is_stop(&plain) {
            close(&mut open, &mut found);
            continue;
        }
        open.push((plain, start, end));
        if word.ends_with([',', ';', ':', '.', '!', '?']) {
            close(&mut open, &mut found);
        }
    }
    close(&mut open, &mut found);
    found
}

fn close(open: &mut Vec<(String, f64, f64)>, found: &mut Vec<(String, f64, f64)>) {
    let run = &open[open.len().saturating_sub(LONGEST)..];
    if let (Some(first), Some((last, rest))) = (run.first(), run.split_last()) {
        let mut text: Vec<String> = rest.iter().map(|(word, ..)| word.clone()).collect();
        text.push(singular(&last.0));
        found.push((text.join(" "), first.1, last.2));
    }
    open.clear();
}

/// Lower case without the punctuation around it.
fn plain(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().replace('\u{2019}', "'")
}

fn is_stop(word: &str) -> bool {
    let is_number = word.chars().all(|c| c.is_ascii_digit());
    word.chars().count() < 2 || is_number || STOP.split_whitespace().any(|stop| stop == word)
}

/// Rules of thumb for English; irregular words stay as they are.
fn singular(word: &str) -> String {
    match word {
        _ if word.len() < 4
            || word.ends_with("ss")
            || word.ends_with("us")
            || word.ends_with("is") =>
        {
            word.to_owned()
        }
        _ => match (word.strip_suffix("ies"), word.strip_suffix('s')) {
            (Some(stem), _) => format!("{stem}y"),
            (None, Some(stem)) => stem.to_owned(),
            (None, None) => word.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(start: f64, end: f64, text: &str) -> Utterance {
        Utterance { start, end, text: text.to_owned(), speaker: 0, confidence: 1.0 }
    }

    #[test]
    fn a_phrase_has_the_times_of_its_words_spread_evenly() {
        // Ten words in five seconds: word i starts at 10 + i / 2.
        let utterance = said(10.0, 15.0, "My invoices show the Double Charges for a fiber router.");
        let values = values(&found(&[utterance]));
        assert_eq!(values[0]["value"], "double charge");
        assert_eq!((&values[0]["start"], &values[0]["end"]), (&json!(12.0), &json!(13.0)));
        assert_eq!(values[1]["value"], "fiber router");
        assert_eq!((&values[1]["start"], &values[1]["end"]), (&json!(14.0), &json!(15.0)));
    }

    #[test]
    fn each_occurrence_is_listed_and_repetition_makes_a_topic() {
        let utterances = [
            said(0.0, 2.0, "The pilot project."),
            said(5.0, 7.0, "Our pilot projects, and refunds."),
        ];
        let phrases = found(&utterances);
        assert_eq!(phrases.len(), 1, "a word said once is no phrase: {phrases:?}");
        assert_eq!(values(&phrases).len(), 2);
        let topic = &topics(&phrases)[0];
        assert_eq!((&topic["start"], &topic["value"]), (&json!(0.67), &json!("pilot project")));
        assert_eq!(weight_in(&utterances[1], &phrases), 4);
    }
}
