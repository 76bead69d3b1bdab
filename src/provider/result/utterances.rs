//! Reads `utteranceInsights`: who said what, when, and with which emotion.
use super::read::{Element, IssueCode, Issues, expected, storable};
use crate::{insights::Utterance, json::Tree};

pub(super) fn read(top: &Element<'_>, issues: &mut Issues) -> Vec<Utterance> {
    let list = top.list("utteranceInsights", issues);
    let at = top.at.member("utteranceInsights");
    (0_i32..)
        .zip(list.iter().enumerate())
        .filter_map(|(seq, (index, value))| {
            let element = Element::of(value, at.index(index), issues)?;
            utterance(seq, &element, issues)
        })
        .collect()
}

/// No row without text and times: it could be neither shown nor ordered.
fn utterance(seq: i32, element: &Element<'_>, issues: &mut Issues) -> Option<Utterance> {
    for name in ["start", "end", "text"] {
        element.require(name, issues);
    }
    let text = element.text("text", issues);
    let (Some(start), Some(end)) = element.span(issues) else { return None };
    let (emotion, emotion_confidence) = emotion(element, issues);
    Some(Utterance {
        seq,
        start,
        end,
        text: text?,
        confidence: element.confidence(issues),
        speaker_id: element.speaker(issues),
        emotion,
        emotion_confidence,
        word_timings: word_timings(element, issues),
    })
}

/// The first readable emotion. Other insights about an utterance have no column; they stay in the
/// document without an issue.
fn emotion(element: &Element<'_>, issues: &mut Issues) -> (Option<String>, Option<f64>) {
    let at = element.at.member("insights");
    for (index, value) in element.list("insights", issues).iter().enumerate() {
        let Some(insight) = Element::of(value, at.index(index), issues) else { continue };
        if insight.get("name").and_then(Tree::as_str) != Some("Emotion") {
            continue;
        }
        if let Some(emotion) =
            insight.require("value", issues).and_then(|_| insight.text("value", issues))
        {
            return (Some(emotion), insight.confidence(issues));
        }
    }
    (None, None)
}

fn word_timings(element: &Element<'_>, issues: &mut Issues) -> Option<String> {
    let timings = element.get("wordTimings")?;
    let at = element.at.member("wordTimings");
    if !matches!(timings, Tree::Array(_)) {
        issues.add(&at, IssueCode::Type, &expected("a list", timings));
        return None;
    }
    Some(storable(timings, &at, issues))
}
