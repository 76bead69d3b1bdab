//! The known contract of a body, member by member: every name and type in the guides and documents
//! of 2022 to 2026 and in the payloads published with them. Where they contradict each other, all
//! variants are known. Anything else is drift.
use ValueForm::{Any, Insights, List, Number, Object, OneOf, Text, TextOrNumber};

/// The allowed form of a value.
#[derive(Debug)]
pub(super) enum ValueForm {
    Any,
    Text,
    Number,
    TextOrNumber,
    /// A string from a closed list.
    OneOf(&'static [&'static str]),
    List(&'static ValueForm),
    Object(&'static KnownMembers),
    /// An object whose member `name` selects its known members.
    Insights(&'static [(&'static str, &'static KnownMembers)]),
}

/// In the order in which the provider sends them, which speeds up the lookup.
pub(super) type KnownMembers = [(&'static str, &'static ValueForm)];

pub(super) static ENVELOPE: &KnownMembers = &[
    ("jobId", &Text),
    ("api", &Text),
    ("creationTime", &Text),
    ("completionTime", &Text),
    ("expirationTime", &Text),
    ("status", &OneOf(&["Success", "Fail", "InProgress"])),
    // Its shape depends on the status.
    ("response", &Any),
];

pub(super) static FAILURE: ValueForm = Object(&[(
    "errors",
    &List(&Object(&[("errorCode", &Text), ("message", &Text), ("parameterName", &Text)])),
)]);

pub(super) static RESULT: &KnownMembers = &[
    ("utteranceInsights", &List(&UTTERANCE)),
    ("speakerInsights", &SPEAKERS),
    ("conversationalInsights", &List(&CONVERSATION)),
    // Seen by one client in 2023, documented nowhere.
    ("trackerInsights", &List(&Any)),
    // What our sandbox says about how it got the result (docs/sandbox.md).
    ("sandbox", &Any),
];

static UTTERANCE: ValueForm = Object(&[
    ("start", &Number),
    ("end", &Number),
    ("text", &Text),
    ("confidence", &Number),
    ("speakerId", &Text),
    ("wordTimings", &List(&WORD)),
    ("insights", &List(&Insights(&[("Emotion", EMOTION)]))),
    ("enrollmentId", &Text),
]);

static WORD: ValueForm = Object(&[
    ("word", &Text),
    ("start", &Number),
    ("end", &Number),
    ("confidence", &Number),
    ("speakerId", &Text),
]);

static EMOTION: &KnownMembers = &[
    ("name", &Text),
    (
        "value",
        &OneOf(&[
            "Anger",
            "Anticipation",
            "Disgust",
            "Fear",
            "Joy",
            "Sadness",
            "Surprise",
            "Trust",
            "Neutral",
        ]),
    ),
    ("confidence", &Number),
];

static SPEAKERS: ValueForm = Object(&[
    ("speakerCount", &Number),
    (
        "insights",
        &List(&Insights(&[
            ("Energy", ENERGY),
            ("Pace", PACE),
            ("TalkToListenRatio", RATIO),
            ("QuestionsAsked", QUESTIONS),
            // Named in documents of 2023; no payload was ever published.
            ("Patience", UNSEEN),
            ("LongestMonologue", UNSEEN),
            ("FillerWordRate", UNSEEN),
            ("TalkingSpeed", UNSEEN),
            ("TalkTime", UNSEEN),
            ("Tone", UNSEEN),
            ("Interruptions", UNSEEN),
        ])),
    ),
]);

static ENERGY: &KnownMembers = &[
    ("name", &Text),
    (
        "values",
        &List(&Object(&[("speakerId", &Text), ("value", &Number), ("enrollmentId", &Text)])),
    ),
];

static PACE: &KnownMembers = &[
    ("name", &Text),
    (
        "values",
        &List(&Object(&[
            ("speakerId", &Text),
            ("value", &OneOf(&["slow", "medium", "fast"])),
            ("wpm", &Number),
            ("enrollmentId", &Text),
        ])),
    ),
];

static RATIO: &KnownMembers = &[
    ("name", &Text),
    ("values", &List(&Object(&[("speakerId", &Text), ("value", &Text), ("enrollmentId", &Text)]))),
];

static QUESTIONS: &KnownMembers = &[
    ("name", &Text),
    (
        "values",
        &List(&Object(&[
            ("speakerId", &Text),
            ("value", &Number),
            (
                "questions",
                &List(&Object(&[
                    ("text", &Text),
                    ("start", &Number),
                    ("end", &Number),
                    ("question", &Text),
                ])),
            ),
            ("enrollmentId", &Text),
        ])),
    ),
];

static UNSEEN: &KnownMembers = &[
    ("name", &Text),
    (
        "values",
        &List(&Object(&[("speakerId", &Text), ("value", &TextOrNumber), ("enrollmentId", &Text)])),
    ),
];

static CONVERSATION: ValueForm = Insights(&[
    ("KeyPhrases", ABOUT_ALL),
    ("ExtractiveSummary", ABOUT_ALL),
    ("Topics", ABOUT_ALL),
    ("Tasks", ABOUT_ALL),
    ("AbstractiveSummaryLong", ABOUT_ALL),
    ("AbstractiveSummaryShort", ABOUT_ALL),
    ("Titles", ABOUT_ALL),
    ("OverallSentiment", ABOUT_ALL),
    ("QuestionsAsked", ABOUT_ALL),
    ("QiQa", ABOUT_ALL),
    ("ObjectionScore", ABOUT_ALL),
    ("CallScore", ABOUT_ALL),
]);

static ABOUT_ALL: &KnownMembers = &[
    ("name", &Text),
    (
        "values",
        &List(&Object(&[
            ("start", &Number),
            ("end", &Number),
            ("value", &Text),
            ("confidence", &Number),
            ("groupId", &Text),
            ("speakerId", &Text),
            ("assignee", &Text),
            ("category", &Text),
            ("text", &Text),
            ("sentence", &Text),
            ("question", &Text),
            ("answer", &Text),
            ("enrollmentId", &Text),
        ])),
    ),
];
