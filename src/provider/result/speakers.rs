//! Reads `speakerInsights`: the number of speakers, and how each of them talked.
use std::collections::HashSet;

use super::read::{Element, IssueCode, Issues, expected, number, text};
use crate::{
    insights::{Question, SpeakerInsight},
    json::Tree,
};

#[derive(Debug, Default)]
pub(super) struct Speakers {
    pub count: Option<i32>,
    /// At most one per speaker and name: the first.
    pub insights: Vec<SpeakerInsight>,
    pub questions: Vec<Question>,
}

pub(super) fn read(top: &Element<'_>, issues: &mut Issues) -> Speakers {
    let mut speakers = Speakers::default();
    let Some(value) = top.get("speakerInsights") else { return speakers };
    let at = top.at.member("speakerInsights");
    let Some(element) = Element::of(value, at, issues) else { return speakers };
    speakers.count = count(&element, issues);
    let mut seen = HashSet::new();
    let at = element.at.member("insights");
    for (index, value) in element.list("insights", issues).iter().enumerate() {
        let Some(insight) = Element::of(value, at.index(index), issues) else { continue };
        insight.require("values", issues);
        let name = insight.require("name", issues).and_then(|_| insight.label("name", issues));
        let Some(name) = name else { continue };
        let at = insight.at.member("values");
        for (index, value) in insight.list("values", issues).iter().enumerate() {
            let Some(value) = Element::of(value, at.index(index), issues) else { continue };
            one(&name, &value, &mut seen, &mut speakers, issues);
        }
    }
    speakers
}

/// A whole number; `2.0` and `"2"` qualify.
fn count(element: &Element<'_>, issues: &mut Issues) -> Option<i32> {
    let count = element.number("speakerCount", issues)?;
    let whole = count.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&count);
    if !whole {
        issues.add(&element.at.member("speakerCount"), IssueCode::Range, "no count of speakers");
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    let count = count as i32;
    Some(count)
}

fn one(
    name: &str,
    element: &Element<'_>,
    seen: &mut HashSet<(String, String)>,
    speakers: &mut Speakers,
    issues: &mut Issues,
) {
    let Some(speaker_id) = element.speaker(issues) else {
        if element.get("speakerId").is_none() && element.get("enrollmentId").is_none() {
            issues.add(&element.at.member("speakerId"), IssueCode::Missing, "required");
        }
        return;
    };
    if name == "QuestionsAsked" {
        questions(&speaker_id, element, &mut speakers.questions, issues);
    }
    let value = element.require("value", issues).and_then(|_| element.text("value", issues));
    let Some(value) = value else { return };
    if !seen.insert((speaker_id.clone(), name.to_owned())) {
        issues.add(&element.at, IssueCode::Duplicate, "this speaker already has this insight");
        return;
    }
    let number = measure(name, element, issues);
    speakers.insights.push(SpeakerInsight { speaker_id, name: name.to_owned(), value, number });
}

/// The part of the value that can be compared and averaged; see [`SpeakerInsight::number`].
fn measure(name: &str, element: &Element<'_>, issues: &mut Issues) -> Option<f64> {
    let value = element.get("value")?;
    let at = element.at.member("value");
    match name {
        "TalkToListenRatio" => {
            let share = talk_share(value);
            if share.is_none() {
                issues.add(&at, IssueCode::Type, "no ratio of two shares that make 100");
            }
            share
        }
        // The value is a label with the speed beside it; an old table has a number instead.
        "Pace" => element.number("wpm", issues).or_else(|| number(value)),
        "Energy" | "QuestionsAsked" => {
            let found = number(value);
            if found.is_none() {
                issues.add(&at, IssueCode::Type, &expected("a number", value));
            }
            found
        }
        _ => number(value),
    }
}

/// 0 to 100: the first part of `"58:42"`, or a bare number. Rounding may put the sum off by one.
fn talk_share(value: &Tree<'_>) -> Option<f64> {
    let share = match value.as_str().and_then(|text| text.split_once(':')) {
        None => number(value)?,
        Some((talk, listen)) => {
            let (talk, listen): (f64, f64) =
                (talk.trim().parse().ok()?, listen.trim().parse().ok()?);
            (talk >= 0.0 && listen >= 0.0 && (talk + listen - 100.0).abs() <= 1.0)
                .then_some(talk)?
        }
    };
    (0.0..=100.0).contains(&share).then_some(share)
}

/// Objects in every payload; the schema of 2022 says strings, so those are read too. The text is in `text`, or in
/// `question`, as for the questions of the whole conversation.
fn questions(
    speaker_id: &str,
    element: &Element<'_>,
    questions: &mut Vec<Question>,
    issues: &mut Issues,
) {
    let at = element.at.member("questions");
    for (index, value) in element.list("questions", issues).iter().enumerate() {
        let at = at.index(index);
        let (text, (start, end)) = if matches!(value, Tree::String(_)) {
            (text(value, &at, issues), (None, None))
        } else {
            let Some(question) = Element::of(value, at, issues) else { continue };
            let name = if question.get("question").is_some() && question.get("text").is_none() {
                "question"
            } else {
                "text"
            };
            question.require(name, issues);
            (question.text(name, issues), question.span(issues))
        };
        if let Some(text) = text {
            questions.push(Question { speaker_id: speaker_id.to_owned(), text, start, end });
        }
    }
}
