//! What holds for all bytes. The fuzz targets try it on bytes of their own making, `tests/it/fuzz.rs` on
//! the corpus and on damaged payloads.
use aftercall::{
    http::Cursors,
    insights::{Analysis, Member},
    outcome::Interpretation,
    provider::{AnalysisStatus, Message, parse},
};
use serde_json::{Map, Value, json};

/// Any body can be read, or not; what is made of it can be stored, and says the same when read again.
pub fn result(body: &[u8]) {
    let message = match parse(body) {
        Ok(message) => message,
        Err(why) => {
            assert!(why.to_string().len() < 100 && why.drift().len() <= 1);
            return;
        }
    };
    assert_drift_is_bounded(&message);
    if let AnalysisStatus::Success(analysis) = &message.verdict {
        assert_storable(analysis);
        if let Ok(strict) = serde_json::from_slice::<Value>(body) {
            assert_eq!(document(analysis), strict["response"]);
        }
        assert_read_alike(analysis);
    }
    let is_final = message.verdict != AnalysisStatus::InProgress;
    assert_eq!(Interpretation::of(Ok(message)).is_some(), is_final);
}

/// What the tables rely on.
fn assert_storable(analysis: &Analysis) {
    let is_text = |text: &str| !text.contains('\0');
    let is_label = |text: &str| is_text(text) && text.len() <= 200;
    let is_share = |share: Option<f64>| share.is_none_or(|share| (0.0..=1.0).contains(&share));
    let is_time = |time: Option<f64>| time.is_none_or(|time| (0.0..=1e7).contains(&time));
    assert!(analysis.issues.len() <= 101);
    let mut last = -1;
    for row in &analysis.utterances {
        assert!(row.seq > last && 0.0 <= row.start && row.start <= row.end && row.end <= 1e7);
        assert!(is_text(&row.text) && row.emotion.as_deref().is_none_or(is_text));
        assert!(row.speaker_id.as_deref().is_none_or(is_label));
        assert!(is_share(row.confidence) && is_share(row.emotion_confidence));
        last = row.seq;
    }
    for row in &analysis.speaker_insights {
        assert!(is_label(&row.speaker_id) && is_label(&row.name) && is_text(&row.value));
        assert!(row.number.is_none_or(f64::is_finite));
    }
    for row in &analysis.questions {
        assert!(is_label(&row.speaker_id) && is_text(&row.text));
        assert!(is_time(row.start) && is_time(row.end));
    }
    for row in &analysis.conversation_insights {
        assert!(is_label(&row.name) && is_text(&row.value));
        assert!(row.speaker_id.as_deref().is_none_or(is_label));
        assert!(is_time(row.start) && is_time(row.end) && is_share(row.confidence));
        assert!(!row.extra.contains("\\u0000"));
    }
}

/// The document alone gives the same rows again.
fn assert_read_alike(first: &Analysis) {
    let body = json!({ "status": "Success", "response": document(first) }).to_string();
    let Ok(Message { verdict: AnalysisStatus::Success(second), .. }) = parse(body.as_bytes())
    else {
        panic!("the document cannot be read again");
    };
    // What was mended is sound now, and numbers may be written otherwise.
    let rows = |analysis: &Analysis| Analysis {
        issues: Vec::new(),
        document: Vec::new(),
        ..analysis.clone()
    };
    assert_eq!(document(&second), document(first));
    assert_eq!(rows(&second), rows(first));
}

/// The result object of an analysis.
fn document(analysis: &Analysis) -> Value {
    let members = analysis.document.iter();
    let read = |member: &Member| serde_json::from_str::<Value>(&member.json).unwrap();
    members.map(|member| (member.name.clone(), read(member))).collect::<Map<_, _>>().into()
}

fn assert_drift_is_bounded(message: &Message) {
    assert!(message.drift.len() <= 21);
    for finding in &message.drift {
        assert!(finding.name.len() <= 64 && finding.path.len() <= 100);
        assert!(finding.sample.to_string().len() < 2000);
    }
}

/// No text opens but the one that was sealed for the same listing with the same key.
pub fn cursor(bytes: &[u8]) {
    let cursors = Cursors::new(*b"the key of the service");
    let text = String::from_utf8_lossy(bytes);
    assert!(cursors.open::<16>("jobs", &text).is_err(), "forged: {text}");
    let Some((position, listing)) = bytes.split_first_chunk::<16>() else { return };
    let listing = String::from_utf8_lossy(listing);
    let sealed = cursors.seal(&listing, position);
    assert_eq!(cursors.open(&listing, &sealed).ok(), Some(*position));
    assert!(cursors.open::<15>(&listing, &sealed).is_err());
    assert!(cursors.open::<16>(&format!("{listing} "), &sealed).is_err());
    assert!(Cursors::new(*b"another key").open::<16>(&listing, &sealed).is_err());
    let at = usize::from(position[0]) % sealed.len();
    let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
    let mut damaged = sealed.clone();
    damaged.replace_range(at..=at, other);
    assert!(cursors.open::<16>(&listing, &damaged).is_err(), "{sealed} {damaged}");
}
