//! Random jobs and random steps.
use aftercall::{
    insights::{Analysis, ConversationInsight, Utterance},
    jobs::{Channel, ErrorClass, Failure, JobError, JobId},
};
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub struct Submission {
    /// Day of creation, relative to the evening of March 31.
    pub days_later: i32,
    pub language: Option<&'static str>,
    pub audio_type: Option<&'static str>,
    /// May contain a duplicate.
    pub tags: Vec<String>,
}

/// A step of the job with that index; ignored where it does not apply.
#[derive(Debug, Clone)]
pub enum Step {
    /// The second one fails in the same transaction.
    Complete(u8, Option<u8>, Analysis),
    Fail(u8),
    Cancel(u8),
    Expire(u8),
    Retry(u8),
    Reparse(u8, Analysis),
    Merge(u8),
}

pub fn case() -> impl Strategy<Value = (Vec<Submission>, Vec<Step>)> {
    (prop::collection::vec(submission(), 1..7), prop::collection::vec(step(), 1..16))
}

fn submission() -> impl Strategy<Value = Submission> {
    let language = prop::sample::select(vec![Some("en-US"), Some("de-DE"), None]);
    let audio_type = prop::sample::select(vec![Some("Meeting"), Some("CallCenter"), None]);
    let tag = prop::sample::select(vec!["a", "b", "Ünal", "x y"]).prop_map(str::to_owned);
    let tags = prop::collection::vec(tag, 0..4);
    // Days around the ends of months and weeks.
    let days_later = prop::sample::select(vec![-29, -2, -1, 0, 1, 2, 5, 6, 7, 8, 40, 61]);
    (days_later, language, audio_type, tags).prop_map(|(days_later, language, audio_type, tags)| {
        Submission { days_later, language, audio_type, tags }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<u8>(), any::<Option<u8>>(), analysis())
            .prop_map(|(which, failing, found)| Step::Complete(which, failing, found)),
        1 => any::<u8>().prop_map(Step::Fail),
        1 => any::<u8>().prop_map(Step::Cancel),
        2 => any::<u8>().prop_map(Step::Expire),
        2 => any::<u8>().prop_map(Step::Retry),
        2 => (any::<u8>(), analysis()).prop_map(|(which, found)| Step::Reparse(which, found)),
        3 => (0..5u8).prop_map(Step::Merge),
    ]
}

pub fn failure(job_id: JobId) -> Failure {
    let error = JobError::new(ErrorClass::Analysis, "no");
    Failure { job_id, attempt: 1, via: Channel::Webhook, error, received_at: None }
}

fn analysis() -> impl Strategy<Value = Analysis> {
    let said = (0..40u32, 0..20u32, prop::option::of(0..3u32), prop::option::of("Joy|Anger|J{81}"));
    let said = prop::collection::vec(said, 0..5);
    let value = prop_oneof!["parcel|bicycle|Straße", "v{80}", "v{81}"];
    let values = prop::collection::vec(("Topics|Tasks", value), 0..5);
    (said, values).prop_map(|(said, values)| Analysis {
        utterances: (0..).zip(said).map(utterance).collect(),
        conversation_insights: (0..).zip(values).map(conversation_insight).collect(),
        ..Analysis::default()
    })
}

type Said = (u32, u32, Option<u32>, Option<String>);

fn utterance((seq, (start, length, speaker, emotion)): (i32, Said)) -> Utterance {
    Utterance {
        seq,
        start: f64::from(start) * 0.1,
        end: f64::from(start + length) * 0.1,
        text: "so it is".to_owned(),
        confidence: None,
        speaker_id: speaker.map(|speaker| speaker.to_string()),
        emotion,
        emotion_confidence: None,
        word_timings: None,
    }
}

fn conversation_insight((seq, (name, value)): (i32, (String, String))) -> ConversationInsight {
    ConversationInsight {
        name,
        seq,
        value,
        start: None,
        end: None,
        confidence: None,
        speaker_id: None,
        extra: "{}".to_owned(),
    }
}
