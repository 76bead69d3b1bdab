//! The insights of a recording, for a person at a terminal.
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use serde_json::Value;

use super::{client::ApiClient, output};

const BAR: usize = 24;
const MOST_LINES: usize = 12;

/// Fetches and prints the insights of a completed job.
pub async fn print(client: &ApiClient, job: &Value) -> anyhow::Result<()> {
    let path = format!("/v1/jobs/{}", text(&job["id"]));
    let utterances = client.all(&format!("{path}/utterances")).await?;
    let speakers = client.get(&format!("{path}/speakers")).await?;
    let insights = client.get(&format!("{path}/insights")).await?;
    let mut out = String::new();
    let length = utterances.iter().filter_map(|u| u["end"].as_f64()).fold(0.0, f64::max);
    let speakers = list(&speakers["data"]);
    writeln!(
        out,
        "\n{} of speech, {} speakers, {} utterances, completed via {}",
        clock(length),
        speakers.len(),
        utterances.len(),
        text(&job["completedVia"]),
    )?;
    print_speakers(&mut out, speakers)?;
    print_emotions(&mut out, &utterances)?;
    print_questions(&mut out, speakers)?;
    print_phrases(&mut out, list(&insights["data"]))?;
    for (name, title) in [
        ("AbstractiveSummaryShort", "In short"),
        ("AbstractiveSummaryLong", "Summary"),
        ("ExtractiveSummary", "Key sentences"),
        ("Tasks", "Tasks"),
    ] {
        print_values(&mut out, title, list(&insights["data"]), name)?;
    }
    print_transcript(&mut out, &utterances)?;
    output::print(&out)
}

fn print_speakers(out: &mut String, speakers: &[Value]) -> fmt::Result {
    writeln!(out, "\nWho spoke")?;
    let width = speakers.iter().map(|speaker| who(speaker).chars().count()).max().unwrap_or(0);
    for speaker in speakers {
        let percent = speaker["talkPercent"].as_f64().unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 24")]
        let filled = (percent / 100.0 * f64::from(u8::try_from(BAR).unwrap_or(0))).round() as usize;
        let bar = "█".repeat(filled.min(BAR)) + &"░".repeat(BAR.saturating_sub(filled));
        let insight = |name: &str| list(&speaker["insights"]).iter().find(|i| i["name"] == name);
        let mut facts = vec![format!("{} words", speaker["words"])];
        if let Some(pace) = insight("Pace") {
            let wpm = pace["number"].as_f64();
            let wpm = wpm.map(|wpm| format!(" ({wpm} words a minute)")).unwrap_or_default();
            facts.push(format!("{} pace{wpm}", text(&pace["value"])));
        }
        if let Some(energy) = insight("Energy") {
            facts.push(format!("energy {}", text(&energy["value"])));
        }
        writeln!(out, "  {:width$}  {bar} {percent:>5.1} %  {}", who(speaker), facts.join(", "))?;
    }
    Ok(())
}

fn print_emotions(out: &mut String, utterances: &[Value]) -> fmt::Result {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for emotion in utterances.iter().filter_map(|u| u["emotion"].as_str()) {
        *counts.entry(emotion).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let listed: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    writeln!(
        out,
        "\nEmotions\n  {}",
        if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
    )?;
    Ok(())
}

fn print_questions(out: &mut String, speakers: &[Value]) -> fmt::Result {
    writeln!(out, "\nQuestions")?;
    for speaker in speakers {
        for question in list(&speaker["questions"]) {
            writeln!(
                out,
                "  {}  {}: {}",
                clock(question["start"].as_f64().unwrap_or_default()),
                who(speaker),
                text(&question["text"]),
            )?;
        }
    }
    Ok(())
}

fn print_phrases(out: &mut String, insights: &[Value]) -> fmt::Result {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for phrase in insights.iter().filter(|i| i["name"] == "KeyPhrases") {
        let value = phrase["value"].as_str().unwrap_or_default();
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let listed: Vec<_> = counts
        .iter()
        .take(MOST_LINES)
        .map(
            |(phrase, count)| {
                if *count > 1 { format!("{phrase} ×{count}") } else { (*phrase).to_owned() }
            },
        )
        .collect();
    writeln!(
        out,
        "\nKey phrases\n  {}",
        if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
    )?;
    Ok(())
}

fn print_values(out: &mut String, title: &str, insights: &[Value], name: &str) -> fmt::Result {
    let values: Vec<_> = insights.iter().filter(|insight| insight["name"] == name).collect();
    if values.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for value in values.iter().take(MOST_LINES) {
        writeln!(out, "  {}", text(&value["value"]))?;
    }
    Ok(())
}

fn print_transcript(out: &mut String, utterances: &[Value]) -> fmt::Result {
    writeln!(out, "\nWhat was said")?;
    for utterance in utterances.iter().take(MOST_LINES) {
        writeln!(
            out,
            "  {}  {}: {}",
            clock(utterance["start"].as_f64().unwrap_or_default()),
            utterance["speaker"].as_str().unwrap_or(text(&utterance["speakerId"])),
            text(&utterance["text"]),
        )?;
    }
    if utterances.len() > MOST_LINES {
        writeln!(out, "  … and {} more", utterances.len() - MOST_LINES)?;
    }
    Ok(())
}

/// A speaker's name, or else their id.
fn who(speaker: &Value) -> String {
    let name = speaker["speaker"].as_str().map(str::to_owned);
    name.unwrap_or_else(|| format!("speaker {}", text(&speaker["speakerId"])))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// Formats minutes and seconds.
fn clock(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let whole = seconds.clamp(0.0, 1e9) as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}
