//! Exports the utterances of many jobs.
use futures_util::stream::BoxStream;
use serde::Serialize;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use utoipa::ToSchema;

use crate::{
    callers::CallerId,
    jobs::{JobFilter, JobId},
};

/// An utterance with the job it belongs to. Times are seconds from the start of the recording.
#[derive(Debug, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UtteranceLine {
    #[schema(value_type = Uuid)]
    pub job_id: JobId,
    pub external_id: Option<String>,
    /// Index of the utterance in the job, from 0.
    pub seq: i32,
    pub start: f64,
    pub end: f64,
    pub speaker_id: Option<String>,
    /// Your name for the speaker.
    pub speaker: Option<String>,
    pub text: String,
    /// 0 to 1.
    pub confidence: Option<f64>,
    pub emotion: Option<String>,
    pub emotion_confidence: Option<f64>,
}

/// The utterances of all matching jobs of a caller, ordered by job id and seq.
pub struct UtteranceExport(QueryBuilder<Postgres>);

impl UtteranceExport {
    /// Starts after this utterance of this job.
    pub fn new(caller_id: CallerId, filter: &JobFilter, after: Option<(JobId, i32)>) -> Self {
        let mut sql = QueryBuilder::new("select * from (select j.id as job_id, j.external_id");
        filter.push(&mut sql, caller_id);
        sql.push(" and j.result_expired_at is null");
        if let Some((job_id, _)) = after {
            filter.push_id(&mut sql, ">=", job_id);
        }
        // Job by job, so that rows are available at once and nothing large is sorted: `offset 0`
        // keeps the planner from joining whole tables.
        sql.push(
            ") j cross join lateral (
                select u.seq, u.start_seconds as start, u.end_seconds as end, u.speaker_id,
                    n.name as speaker, u.text, u.confidence, u.emotion, u.emotion_confidence
                from aftercall.utterances u
                left join aftercall.speaker_names n
                    on n.job_id = u.job_id and n.speaker_id = u.speaker_id
                where u.job_id = j.job_id offset 0
            ) u",
        );
        if let Some((job_id, seq)) = after {
            sql.push(" where (j.job_id, u.seq) > (").push_bind(job_id);
            sql.push(", ").push_bind(seq).push(")");
        }
        sql.push(" order by j.job_id, u.seq");
        Self(sql)
    }

    /// Rows in the order Postgres returns them.
    pub fn rows<'a>(
        &'a mut self,
        db: &'a mut PgConnection,
    ) -> BoxStream<'a, sqlx::Result<UtteranceLine>> {
        self.0.build_query_as().persistent(false).fetch(db)
    }

    /// The statement, to inspect its plan.
    pub fn statement(self) -> QueryBuilder<Postgres> {
        self.0
    }
}
