//! The paths of jobs and recordings: routes are declared with them, and links built from them.
use serde::Serialize;
use utoipa::ToSchema;

use crate::jobs::JobId;

pub const JOB: &str = "/v1/jobs/{id}";
pub const RESULT: &str = "/v1/jobs/{id}/result";
pub const UTTERANCES: &str = "/v1/jobs/{id}/utterances";
pub const SPEAKERS: &str = "/v1/jobs/{id}/speakers";
pub const INSIGHTS: &str = "/v1/jobs/{id}/insights";
pub const TRANSCRIPT: &str = "/v1/jobs/{id}/transcript";
pub const PEAKS: &str = "/v1/jobs/{id}/peaks";
pub const SHAPE: &str = "/v1/jobs/{id}/shape";
pub const ALL_MEDIA: &str = "/v1/media";
pub const MEDIA: &str = "/v1/media/{id}";
pub const TIMELINE: &str = "/v1/jobs/{id}/timeline";
pub const NOTIFICATIONS: &str = "/v1/jobs/{id}/notifications";

/// Paths of the resources of a job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    #[serde(rename = "self")]
    pub job: String,
    pub result: String,
    pub utterances: String,
    pub speakers: String,
    pub insights: String,
    pub transcript: String,
    pub shape: String,
    pub peaks: String,
    pub timeline: String,
    pub notifications: String,
}

impl Links {
    pub fn of(job_id: JobId) -> Self {
        let id = job_id.to_string();
        let to = |route: &str| route.replace("{id}", &id);
        Self {
            job: to(JOB),
            result: to(RESULT),
            utterances: to(UTTERANCES),
            speakers: to(SPEAKERS),
            insights: to(INSIGHTS),
            transcript: to(TRANSCRIPT),
            shape: to(SHAPE),
            peaks: to(PEAKS),
            timeline: to(TIMELINE),
            notifications: to(NOTIFICATIONS),
        }
    }
}
