//! A million conversations to query, loaded by COPY in minutes; the nth one is derived from n.
use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use aftercall::{
    conversations::{self, NewConversation, Said, Shape, ShapeInput},
    jobs::JobId,
};
use sqlx::{PgPool, postgres::PgPoolCopyExt as _};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::words::{Chance, said};

/// Jobs per transaction while seeding.
const CHUNK: u32 = 5_000;
const WRITERS: u32 = 2;
/// Results whose shapes and counts are stored by one statement, as in the service's batches.
const RESULTS: usize = 100;
/// Age of the oldest job in milliseconds: within last month's partition on every day of a month.
const PAST_MS: u64 = 27 * 24 * 3600 * 1000;
/// Utterances per job on average; each job has between half and one and a half times as many.
const UTTERANCES: u32 = 10;
const SPEAKERS: [&str; 2] = ["0", "1"];
const EMOTIONS: [&str; 5] = ["Neutral", "Joy", "Anger", "Sadness", "Fear"];
const AUDIO_TYPES: [&str; 3] = ["CallCenter", "Meeting", "Voicemail"];

#[derive(Debug, Clone)]
pub struct Library {
    pool: PgPool,
    caller: Uuid,
    /// The lexeme that marks the caller's utterances.
    scope: String,
    newest_ms: u64,
    step_ms: u64,
    pub jobs: u32,
}

impl Library {
    /// Loads `jobs` jobs into an empty database; the last one is the newest.
    pub async fn fill(pool: &PgPool, jobs: u32) -> anyhow::Result<Self> {
        let (caller, scope) = sqlx::query_as(
            "select id, aftercall.search_scope(id, 'pg_catalog.english') from aftercall.callers",
        )
        .fetch_one(pool)
        .await?;
        let newest_ms = u64::try_from(Uuid::now_v7().as_u128() >> 80)?;
        let step_ms = PAST_MS / u64::from(jobs);
        let library = Self { pool: pool.clone(), caller, scope, newest_ms, step_ms, jobs };
        // Dropped and rebuilt at the end, which takes a tenth of the time.
        sqlx::raw_sql("drop index aftercall.utterances_fts").execute(pool).await?;
        let next = Arc::new(AtomicU32::new(0));
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            writers.spawn(library.clone().write(next.clone()));
        }
        while let Some(done) = writers.join_next().await {
            done??;
        }
        while sqlx::query_scalar::<_, i32>(MERGE).fetch_one(pool).await? > 0 {}
        sqlx::raw_sql(FINISH).execute(pool).await?;
        sqlx::query(FAILED).bind(i32::try_from(jobs / 50)?).execute(pool).await?;
        sqlx::raw_sql("vacuum analyze").execute(pool).await?;
        let foreign: i64 = sqlx::query_scalar(FOREIGN).fetch_one(pool).await?;
        anyhow::ensure!(
            foreign == 0,
            "{foreign} utterances have other lexemes than Postgres finds"
        );
        Ok(library)
    }

    async fn write(self, next: Arc<AtomicU32>) -> anyhow::Result<()> {
        loop {
            let first = next.fetch_add(CHUNK, Ordering::Relaxed);
            if first >= self.jobs {
                return Ok(());
            }
            self.chunk(first, self.jobs.min(first + CHUNK)).await?;
        }
    }

    async fn chunk(&self, first: u32, end: u32) -> anyhow::Result<()> {
        let mut tables = Tables::default();
        for n in first..end {
            self.write_job(n, &mut tables)?;
        }
        let shapes = std::mem::take(&mut tables.shapes);
        for (table, rows) in tables.in_order() {
            let mut copy =
                self.pool.copy_in_raw(&format!("copy aftercall.{table} from stdin")).await?;
            copy.send(rows).await?;
            copy.finish().await?;
        }
        let mut tx = self.pool.begin().await?;
        for few in shapes.chunks(RESULTS) {
            let few: Vec<_> = few.iter().map(NewShape::conversation).collect();
            conversations::store(&mut tx, &few).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A pseudo-random job, a different one for each `n`.
    pub fn some(&self, n: u32) -> u32 {
        (n + 1).wrapping_mul(2_654_435_761) % self.jobs
    }

    /// The timestamp `days` days before the newest job.
    pub fn day(&self, days: u32) -> String {
        moment(self.newest_ms - u64::from(days) * 24 * 3600 * 1000)
    }

    /// A pseudo-random job whose recording is stored, with its peaks.
    pub fn recorded(&self, n: u32) -> Uuid {
        self.id(self.some(n) / 1000 * 1000)
    }

    pub fn id(&self, n: u32) -> Uuid {
        let ms = self.newest_ms - self.step_ms * u64::from(self.jobs - n);
        Uuid::from_u128(u128::from(ms) << 80 | 0x7000_8000 << 48 | u128::from(n))
    }

    fn write_job(&self, n: u32, tables: &mut Tables) -> std::fmt::Result {
        let id = self.id(n);
        let mut chance = Chance::new(n);
        let at = moment(u64::try_from(id.as_u128() >> 80).unwrap_or_default());
        let audio_type = AUDIO_TYPES[chance.below(AUDIO_TYPES.len())];
        let (tag, team) = (chance.below(40), chance.below(5));
        let caller = self.caller;
        writeln!(
            tables.jobs,
            "{id}\t{caller}\tcall-{n}\t{{topic-{tag},team-{team}}}\t{{\"contentUri\":\
             \"https://media.example/{n}.wav\",\"encoding\":\"Wav\",\"languageCode\":\"en-US\",\
             \"audioType\":\"{audio_type}\",\"insights\":[\"All\"]}}\tcompleted\t4\twebhook\t{at}\t{at}\t\
             {at}\t{at}",
        )?;
        writeln!(tables.attempts, "{id}\t1\t\\\\x{}\taccepted\trc-{n}", "00".repeat(32))?;
        for (seq, kind) in [(1, "queued"), (2, "submitting"), (3, "submitted"), (4, "completed")] {
            writeln!(tables.job_events, "{id}\t{seq}\t{kind}\t{at}")?;
        }
        let document = "x".repeat(1200);
        writeln!(
            tables.results,
            "{id}\t{{\"jobId\":\"{id}\",\"utteranceInsights\":\"{document}\"}}\t\\\\x{}\t2\tf\t2",
            "11".repeat(32)
        )?;
        let sha = "22".repeat(32);
        writeln!(
            tables.deliveries,
            "{id}\t{id}\t1\twebhook\taccepted\t{{}}\t\\\\x7b7d\t\\\\x{sha}\t2\t{at}"
        )?;
        self.write_conversation(id, &mut chance, tables)
    }

    /// The findings of a job's recording, and its shape.
    fn write_conversation(
        &self,
        id: Uuid,
        chance: &mut Chance,
        tables: &mut Tables,
    ) -> std::fmt::Result {
        let count = UTTERANCES / 2 + u32::try_from(chance.below(11)).unwrap_or_default();
        let mut found = ShapeInput { described: SPEAKERS.to_vec(), ..ShapeInput::default() };
        found.insight_names.push("Energy");
        let mut talk = [(0, 0, 0); 2];
        let mut start = 0;
        for seq in 0..count {
            let speaker = chance.below(2);
            let (text, fts, words) = said(chance, &self.scope);
            let end = start + 400 * u64::try_from(words).unwrap_or_default();
            let emotion = EMOTIONS[chance.below(EMOTIONS.len())];
            let (from, to) = (seconds(start), seconds(end));
            writeln!(
                tables.utterances,
                "{id}\t{seq}\t{from}\t{to}\t{text}\t0.9\t{speaker}\t{emotion}\t0.8\t{fts}"
            )?;
            let said = Said {
                start: i64::try_from(start).unwrap_or_default(),
                end: i64::try_from(end).unwrap_or_default(),
                speaker: Some(SPEAKERS[speaker]),
                emotion: Some(emotion),
            };
            found.said.push((said, i32::try_from(words).unwrap_or_default()));
            let so_far = &mut talk[speaker];
            *so_far = (so_far.0 + 1, so_far.1 + words, so_far.2 + end - start);
            start = end.saturating_sub(500) + u64::try_from(chance.below(1500)).unwrap_or_default();
        }
        for (speaker, (utterances, words, ms)) in talk.into_iter().enumerate() {
            let talk = seconds(ms);
            writeln!(tables.speakers, "{id}\t{speaker}\t{utterances}\t{words}\t{talk}")?;
            writeln!(tables.speaker_insights, "{id}\t{speaker}\t{speaker}\tEnergy\t71\t71")?;
        }
        let (topic, phrase) = (chance.below(300), chance.below(2000));
        let values = [
            ("KeyPhrases", format!("phrase {phrase}")),
            ("Topics", format!("topic {topic}")),
            ("AbstractiveSummaryShort", "They talked about what they had to.".to_owned()),
        ];
        for (name, value) in &values {
            writeln!(tables.conversation_insights, "{id}\t{name}\t0\t{value}\t0\t4\t0.8")?;
            found.insight_names.push(name);
        }
        tables.shapes.push(NewShape { job_id: id.into(), shape: Shape::of(&found), values });
        Ok(())
    }
}

/// RFC 3339, in UTC.
fn moment(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(chrono::DateTime::from_timestamp_millis);
    at.unwrap_or_default().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

struct NewShape {
    job_id: JobId,
    shape: Shape,
    values: [(&'static str, String); 3],
}

impl NewShape {
    fn conversation(&self) -> NewConversation<'_> {
        let values = self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        NewConversation { job_id: self.job_id, shape: &self.shape, values }
    }
}

/// Rows in COPY's text format, and values derived from them.
#[derive(Default)]
struct Tables {
    jobs: String,
    attempts: String,
    job_events: String,
    results: String,
    deliveries: String,
    utterances: String,
    speakers: String,
    speaker_insights: String,
    conversation_insights: String,
    shapes: Vec<NewShape>,
}

impl Tables {
    fn in_order(self) -> [(&'static str, Vec<u8>); 9] {
        [
            (
                "jobs (id, caller_id, external_id, tags, request, state, version, completed_via, \
                 created_at, submitted_at, finished_at, deadline_at)",
                self.jobs,
            ),
            ("attempts (job_id, number, token_sha, outcome, provider_job_id)", self.attempts),
            ("job_events (job_id, seq, kind, created_at)", self.job_events),
            (
                "results (job_id, document, document_sha, parser_version, is_partial, speaker_count)",
                self.results,
            ),
            (
                "deliveries (job_id, id, attempt, via, outcome, headers, body, body_sha, body_bytes, received_at)",
                self.deliveries,
            ),
            (
                "utterances (job_id, seq, start_seconds, end_seconds, text, confidence, speaker_id, \
                 emotion, emotion_confidence, fts)",
                self.utterances,
            ),
            (
                "speakers (job_id, speaker_id, utterance_count, word_count, talk_seconds)",
                self.speakers,
            ),
            ("speaker_insights (job_id, seq, speaker_id, name, value, number)", self.speaker_insights),
            (
                "conversation_insights (job_id, name, seq, value, start_seconds, end_seconds, \
                 confidence)",
                self.conversation_insights,
            ),
        ]
        .map(|(table, rows)| (table, rows.into_bytes()))
    }
}

const MERGE: &str = "select taken from aftercall.merge_stat_changes(10000)";
const FINISH: &str = "
insert into aftercall.caller_configs (caller_id, config)
select id, 'pg_catalog.english' from aftercall.callers on conflict do nothing;
set maintenance_work_mem = '1GB';
create index utterances_fts on aftercall.utterances using gin (fts);
reset maintenance_work_mem;
insert into aftercall.media (id, caller_id, sha256, bytes, encoding, container, codec, channels, sample_rate,
    duration_seconds, stored_at)
select id, caller_id, sha256(id::text::bytea), 1000, 'Wav', 'wav', 'pcm_s16le', 2, 8000, 10800, now()
from aftercall.jobs where external_id ~ '^call-(0|.*000)$';
insert into aftercall.media_peaks (media_id, claimed_until, computed_at, channels, peaks, duration_seconds)
select id, now(), now(), 2, decode(repeat('2a', 16000), 'hex'), 10800 from aftercall.media;
update aftercall.jobs j set media_id = m.id from aftercall.media m where m.id = j.id
";
/// Failed jobs, spread over the last days.
const FAILED: &str = "
insert into aftercall.jobs (id, caller_id, tags, request, state, created_at, finished_at, deadline_at)
select (left(aftercall.uuid_floor(at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid,
    (select id from aftercall.callers), array['topic-' || n % 40],
    '{\"contentUri\": \"https://media.example/failed.wav\", \"encoding\": \"Wav\"}', 'failed', at, at, at
from generate_series(1, $1) n cross join lateral (select now() - interval '26 days' * n / $1 as at) moment
";
/// Of the first thousand utterances, those that the service would have stored differently.
const FOREIGN: &str = "
select count(*) from (select * from aftercall.utterances order by job_id, seq limit 1000) u
join aftercall.jobs j on j.id = u.job_id
where u.fts <> aftercall.utterance_fts(aftercall.search_scope(j.caller_id, 'pg_catalog.english'),
    'english', u.text)
";
