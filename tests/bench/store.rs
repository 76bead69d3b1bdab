//! Jobs to deliver to and jobs to read, created in bulk. Id and token of the nth job are derived
//! from n, so that `pgbench` can compute them too.
use std::{cell::Cell, ops::Range, time::Duration};

use aftercall::jobs::Token;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use super::payload::PROVIDER_JOB_ID;

/// Rows per statement while seeding.
const CHUNK: u32 = 50_000;
/// Age of the oldest job of [`Store::seed`]; within last month's partition.
const PAST: Duration = Duration::from_hours(20 * 24);

pub struct Store {
    pub pool: PgPool,
    /// A job id without its last twelve digits, which are the job's number.
    pub prefix: String,
    next: Cell<u32>,
}

impl Store {
    pub fn new(pool: PgPool) -> Self {
        let now = Uuid::now_v7().simple().to_string();
        let prefix = format!("{}-{}-7000-8000-", &now[..8], &now[8..12]);
        Self { pool, prefix, next: Cell::new(1) }
    }

    pub fn id(&self, n: u32) -> anyhow::Result<Uuid> {
        Ok(format!("{}{n:012x}", self.prefix).parse()?)
    }

    /// The last segment of the job's webhook URL. Its secret is the job's id, twice.
    pub fn token(&self, n: u32) -> anyhow::Result<String> {
        let id = self.id(n)?;
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(id.as_bytes());
        secret[16..].copy_from_slice(id.as_bytes());
        Ok(Token::new(id.into(), secret).reveal())
    }

    /// Reserves numbers for `count` new jobs.
    pub fn numbers(&self, count: u32) -> Range<u32> {
        let first = self.next.replace(self.next.get() + count);
        first..first + count
    }

    /// Creates `count` jobs that wait for their results; returns their numbers.
    pub async fn submitted(&self, count: u32) -> anyhow::Result<Range<u32>> {
        let numbers = self.numbers(count);
        let first = numbers.start;
        let statement = format!(
            r"
            with given as (
                select ('{prefix}' || lpad(to_hex(n), 12, '0'))::uuid as id
                from generate_series({first}, {last}) n
            ), job as (
                insert into aftercall.jobs (id, caller_id, external_id, request, state, version,
                    due_at, deadline_at, submitted_at)
                select given.id, callers.id, 'call-' || given.id,
                    '{request}', 'submitted', 3, now() + '10min', now() + '24h', now()
                from given, aftercall.callers
                returning id
            ), event as (
                insert into aftercall.job_events (job_id, seq, kind)
                select id, seq, kind from job, (values (1, 'queued'), (2, 'submitting'),
                    (3, 'submitted')) as event (seq, kind)
            )
            insert into aftercall.attempts (job_id, number, token_sha, outcome, provider_job_id)
            select id, 1, sha256(uuid_send(id) || uuid_send(id)), 'accepted', '{PROVIDER_JOB_ID}'
            from job
            ",
            prefix = self.prefix,
            last = first + count - 1,
            request = REQUEST,
        );
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.pool).await?;
        Ok(numbers)
    }

    /// Creates `count` completed jobs of the last weeks, with small results and without statistics.
    pub async fn seed(&self, count: u32) -> anyhow::Result<()> {
        self.seed_since(count, PAST).await
    }

    /// The same with the age of the oldest one.
    pub async fn seed_since(&self, count: u32, past: Duration) -> anyhow::Result<()> {
        let newest = u64::try_from(Uuid::now_v7().as_u128() >> 80)?;
        let step = u64::try_from(past.as_millis())? / u64::from(count);
        for first in (1..=count).step_by(usize::try_from(CHUNK)?) {
            let last = count.min(first + CHUNK - 1);
            let statement = format!(
                r"
                create temp table given as
                select (lpad(to_hex({newest} - {step} * n), 12, '0') || '70008000'
                    || lpad(to_hex(n), 12, '0'))::uuid as id,
                    to_timestamp(({newest} - {step} * n) / 1000.0) as at
                from generate_series({first}::bigint, {last}) n;
                {SEED};
                drop table given
                "
            );
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.pool).await?;
        }
        sqlx::raw_sql("vacuum analyze").execute(&self.pool).await?;
        Ok(())
    }

    /// Jobs that have results, spread evenly over those of [`Self::seed`].
    pub async fn completed(&self, count: u32) -> anyhow::Result<Vec<Uuid>> {
        let query = "select job_id from (select job_id, row_number() over (order by job_id) as n, \
            count(*) over () as whole from aftercall.results) r \
            where n % greatest(1, whole / $1) = 0 order by hashtext(job_id::text) limit $1";
        let count = i64::from(count);
        Ok(sqlx::query_scalar(query).bind(count).fetch_all(&self.pool).await?)
    }

    /// Writes pending data to disk, so that no measurement pays for an earlier one.
    pub async fn settle(&self) -> anyhow::Result<()> {
        sqlx::raw_sql("checkpoint").execute(&self.pool).await?;
        Ok(())
    }
}

/// The request that is stored for [`SUBMISSION`].
pub const REQUEST: &str = r#"{"contentUri":"https://media.example/recordings/1.wav","encoding":"Wav","languageCode":"en-US","source":"RingCentral","audioType":"CallCenter","insights":["All"]}"#;
/// Its metadata.
pub const METADATA: &str = r#"{"team":"north"}"#;
/// The body of `POST /v1/jobs`.
pub const SUBMISSION: &str = r#"{"contentUri":"https://media.example/recordings/1.wav","encoding":"Wav","languageCode":"en-US","source":"RingCentral","audioType":"CallCenter","insights":["All"],"externalId":"call-1","tags":["bench"],"metadata":{"team":"north"}}"#;

const SEED: &str = r#"
insert into aftercall.jobs (id, caller_id, external_id, request, state, version, completed_via,
    created_at, deadline_at, submitted_at, finished_at)
select given.id, callers.id, 'call-' || given.id,
    '{"contentUri":"https://media.example/1.wav","encoding":"Wav"}', 'completed', 4, 'webhook',
    given.at, given.at, given.at, given.at
from given, aftercall.callers;
insert into aftercall.attempts (job_id, number, token_sha, outcome)
select id, 1, sha256(uuid_send(id) || uuid_send(id)), 'accepted' from given;
insert into aftercall.job_events (job_id, seq, kind)
select id, seq, kind from given, (values (1, 'queued'), (2, 'submitting'), (3, 'submitted'),
    (4, 'completed')) as event (seq, kind);
insert into aftercall.deliveries (job_id, id, attempt, via, outcome, headers, body, body_sha,
    body_bytes)
select id, id, 1, 'webhook', 'accepted', '{}', convert_to(repeat(id::text, 8), 'UTF8'),
    sha256(uuid_send(id)), 288 from given;
insert into aftercall.results (job_id, document, document_sha, parser_version, is_partial)
select id, '{"utteranceInsights":"' || repeat(id::text, 12) || '"}', sha256(uuid_send(id)), 1, false
from given;
insert into aftercall.utterances (job_id, seq, start_seconds, end_seconds, text)
select id, 0, 0, 2, 'thanks for calling' from given;
insert into aftercall.speakers (job_id, speaker_id, utterance_count, word_count, talk_seconds)
select id, '0', 1, 3, 2 from given;
insert into aftercall.speaker_insights (job_id, seq, speaker_id, name, value)
select id, seq, '0', 'Energy', '71' from given, generate_series(1, 2) seq;
insert into aftercall.conversation_insights (job_id, name, seq, value)
select id, 'KeyPhrases', seq, 'parcel' from given, generate_series(0, 1) seq;
insert into aftercall.conversations (job_id, caller_id, created_at, tags, speaker_count, emotions,
    emotion_utterances, emotion_ms, insight_names, utterances, words, questions, interruptions,
    duration_ms, talk_ms, silence_ms, overlap_ms, longest_silence_ms, longest_monologue_ms)
select given.id, caller_id, created_at, tags, 1, '{}', '{}', '{}', '{Energy,KeyPhrases}', 1, 3, 0, 0,
    2000, 2000, 0, 0, 0, 0
from given join aftercall.jobs using (id);
insert into aftercall.conversation_speakers (job_id, speaker_id, utterances, words, questions, talk_ms,
    longest_monologue_ms, interrupts, interrupted)
select id, '0', 1, 3, 0, 0, 0, 0, 0 from given
"#;
