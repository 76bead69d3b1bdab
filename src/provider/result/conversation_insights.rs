//! Reads `conversationalInsights`: summaries, key phrases, topics, tasks and unknown names.
use std::{borrow::Cow, collections::HashMap};

use super::read::{Element, IssueCode, Issues, storable};
use crate::{
    insights::ConversationInsight,
    json::{Members, Tree},
};

/// Members that have their own column.
const COLUMNS: [&str; 5] = ["start", "end", "confidence", "speakerId", "enrollmentId"];
/// Where the text may be, best first: `sentence` for extracts is from the guide of 2024, `question`
/// from the OpenAPI document.
const TEXTS: [&str; 3] = ["value", "sentence", "question"];

pub(super) fn read(top: &Element<'_>, issues: &mut Issues) -> Vec<ConversationInsight> {
    let mut rows = Vec::new();
    // A name may appear in several entries; the numbering of its values continues.
    let mut next: HashMap<String, i32> = HashMap::new();
    let at = top.at.member("conversationalInsights");
    for (index, value) in top.list("conversationalInsights", issues).iter().enumerate() {
        let Some(insight) = Element::of(value, at.index(index), issues) else { continue };
        insight.require("values", issues);
        let name = insight.require("name", issues).and_then(|_| insight.label("name", issues));
        let Some(name) = name else { continue };
        let seq = next.entry(name.clone()).or_default();
        let at = insight.at.member("values");
        for (index, value) in insight.list("values", issues).iter().enumerate() {
            let element = Element::of(value, at.index(index), issues);
            rows.extend(element.and_then(|element| row(&name, *seq, &element, issues)));
            *seq += 1;
        }
    }
    rows
}

fn row(
    name: &str,
    seq: i32,
    element: &Element<'_>,
    issues: &mut Issues,
) -> Option<ConversationInsight> {
    let Some(source) = TEXTS.into_iter().find(|text| element.get(text).is_some()) else {
        issues.add(&element.at.member("value"), IssueCode::Missing, "required");
        return None;
    };
    let value = element.text(source, issues)?;
    let (start, end) = element.span(issues);
    Some(ConversationInsight {
        name: name.to_owned(),
        seq,
        value,
        start,
        end,
        confidence: element.confidence(issues),
        speaker_id: element.speaker(issues),
        extra: extra(source, element, issues),
    })
}

/// As the text of a JSON object.
fn extra(source: &str, element: &Element<'_>, issues: &mut Issues) -> String {
    let is_other =
        |(name, _): &&(Cow<'_, str>, _)| name != source && !COLUMNS.contains(&name.as_ref());
    let others = element.members.0.iter().filter(is_other).cloned().collect();
    storable(&Tree::Object(Members(others)), &element.at, issues)
}
