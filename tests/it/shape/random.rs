//! Random results: few speakers in a short time, so that every combination occurs.
use aftercall::insights::{Analysis, ConversationInsight, Question, SpeakerInsight, Utterance};
use proptest::prelude::*;

pub fn analysis() -> impl Strategy<Value = Analysis> {
    let said = prop::collection::vec(utterance(), 0..14);
    let names = || prop::sample::select(vec!["Energy", "Topics", "Tasks", "Pace"]);
    let insights = prop::collection::vec((names(), speaker()), 0..3);
    let values = prop::collection::vec(names(), 0..3);
    let questions = prop::collection::vec(speaker(), 0..4);
    (said, insights, values, questions).prop_map(|(utterances, insights, values, questions)| {
        Analysis {
            utterances: (0..)
                .zip(utterances)
                .map(|(seq, said)| Utterance { seq, ..said })
                .collect(),
            speaker_insights: insights.into_iter().map(speaker_insight).collect(),
            questions: questions.into_iter().map(question).collect(),
            conversation_insights: (0..).zip(values).map(conversation_insight).collect(),
            ..Analysis::default()
        }
    })
}

fn speaker() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["0", "1", "2", "Ünal", "b B"]).prop_map(str::to_owned)
}

fn utterance() -> impl Strategy<Value = Utterance> {
    // Half milliseconds, to test rounding; short times, so that utterances meet.
    let time = (0..80u32, prop_oneof![1 => Just(0), 4 => 0..40u32]);
    let scale = prop::sample::select(vec![0.0005, 0.001, 0.25]);
    let emotion = prop::sample::select(vec!["Joy", "Anger", "Wut"]).prop_map(str::to_owned);
    let text = prop_oneof![
        3 => "[a-c]{0,3}( [a-z]{1,4}){0,5}",
        2 => "[ab ,é日本\u{a0}\u{85}\u{2003}\u{200b}\u{3000}\u{1680}\u{feff}\t\n\r\u{b}\u{c}\u{1c}]{0,12}",
        1 => "[^\u{0}]{0,8}",
    ];
    let speakers = prop::option::weighted(0.85, speaker());
    let emotions = prop::option::weighted(0.7, emotion);
    (time, scale, speakers, emotions, text).prop_map(
        |((start, length), scale, by, emotion, text)| Utterance {
            seq: 0,
            start: f64::from(start) * scale,
            end: f64::from(start + length) * scale,
            text,
            confidence: None,
            speaker_id: by,
            emotion,
            emotion_confidence: None,
            word_timings: None,
        },
    )
}

fn speaker_insight((name, speaker_id): (&str, String)) -> SpeakerInsight {
    SpeakerInsight { speaker_id, name: name.to_owned(), value: "1".to_owned(), number: None }
}

fn question(speaker_id: String) -> Question {
    Question { speaker_id, text: "why".to_owned(), start: None, end: None }
}

fn conversation_insight((seq, name): (i32, &str)) -> ConversationInsight {
    ConversationInsight {
        name: name.to_owned(),
        seq,
        value: "parcel".to_owned(),
        start: None,
        end: None,
        confidence: None,
        speaker_id: None,
        extra: "{}".to_owned(),
    }
}
