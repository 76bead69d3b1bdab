//! Names and values of the provider's wire contract, shared by its client and its emulator.
//!
//! Sources: RingCentral's developer guide "Analyze interactions" (2022-12 to 2025-09) and its public
//! OpenAPI document (2022-12 to 2026-08). Where they disagree, the union is listed.

/// Exchanges a JWT credential for an access token.
pub const TOKEN_PATH: &str = "/restapi/oauth/token";
/// Ends a session.
pub const REVOKE_PATH: &str = "/restapi/oauth/revoke";
/// Accepts a recording; the result is sent to the URL in query parameter `webhook`.
pub const ANALYZE_PATH: &str = "/ai/insights/v1/async/analyze-interaction";
/// Followed by a job id: returns the job's status.
pub const STATUS_PATH: &str = "/ai/status/v1/jobs";
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub const RATE_GROUP: &str = "x-rate-limit-group";
pub const RATE_LIMIT: &str = "x-rate-limit-limit";
pub const RATE_REMAINING: &str = "x-rate-limit-remaining";
/// Seconds.
pub const RATE_WINDOW: &str = "x-rate-limit-window";
pub const VALIDATION_TOKEN: &str = "validation-token";
pub const REQUEST_ID: &str = "rcrequestid";

pub const ENCODINGS: &[&str] = &["Mpeg", "Mp4", "Wav", "Webm", "Webp", "Aac", "Avi", "Ogg"];
pub const AUDIO_TYPES: &[&str] =
    &["CallCenter", "Meeting", "EarningsCalls", "Interview", "PressConference", "Voicemail"];
pub const INSIGHTS: &[&str] = &[
    "All",
    "KeyPhrases",
    "Emotion",
    "AbstractiveSummaryLong",
    "AbstractiveSummaryShort",
    "ExtractiveSummary",
    "TalkToListenRatio",
    "Energy",
    "Pace",
    "QuestionsAsked",
    "Topics",
    "Title",
    "Tasks",
];
pub const DEFAULT_LANGUAGE: &str = "en-US";
