//! The baseline for ingest: the rows that the service writes for one delivery, copied from its
//! tables and inserted for other jobs, a hundred jobs per transaction, with one multi-row `insert …
//! select from unnest` per table. No HTTP, JSON, hashing or checks: all values except the job ids
//! are prepared beforehand. The same for submissions.
use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, PgTransaction, Row as _};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::store::{METADATA, REQUEST, Store};

/// Deliveries or submissions per transaction.
const BATCH: u32 = 100;

/// Tables that a delivery adds rows to: name, columns except `job_id`, and their types.
pub const TABLES: [(&str, &str, &str); 10] = [
    (
        "deliveries",
        "id, attempt, via, outcome, headers, body, body_sha, body_bytes",
        "uuid, int, text, text, json, bytea, bytea, int",
    ),
    (
        "results",
        "document, document_sha, parser_version, is_partial, speaker_count",
        "text, bytea, int, bool, int",
    ),
    (
        "utterances",
        "seq, start_seconds, end_seconds, text, confidence, speaker_id, emotion, \
            emotion_confidence, word_timings",
        "int, float8, float8, text, float8, text, text, float8, json",
    ),
    ("speakers", "speaker_id, utterance_count, word_count, talk_seconds", "text, int, int, float8"),
    ("speaker_insights", "seq, speaker_id, name, value, number", "int, text, text, text, float8"),
    (
        "questions",
        "seq, speaker_id, text, start_seconds, end_seconds",
        "int, text, text, float8, float8",
    ),
    (
        "conversation_insights",
        "name, seq, value, start_seconds, end_seconds, confidence, speaker_id, extra",
        "text, int, text, float8, float8, float8, text, json",
    ),
    (
        "conversations",
        "caller_id, created_at, language, audio_type, tags, speaker_count, emotions, insight_names, \
            emotion_utterances, emotion_ms, utterances, words, questions, interruptions, \
            duration_ms, talk_ms, silence_ms, overlap_ms, longest_silence_ms, longest_monologue_ms",
        "uuid, timestamptz, text, text, text[], int, text[], text[], int[], bigint[], int, int, \
            int, int, bigint, bigint, bigint, bigint, bigint, bigint",
    ),
    (
        "conversation_speakers",
        "speaker_id, utterances, words, questions, talk_ms, talk_share, longest_monologue_ms, \
            interrupts, interrupted",
        "text, int, int, int, bigint, float8, bigint, int, int",
    ),
    // Of a job's events only the last one belongs to the delivery.
    ("job_events", "seq, kind, detail", "int, text, json"),
];

/// One table's statement and its arrays for a whole batch.
struct Table {
    statement: String,
    rows_per_job: usize,
    columns: Vec<Column>,
}

/// A column of a batch, in the form the driver sends.
enum Column {
    Uuid(Vec<Option<Uuid>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Int(Vec<Option<i32>>),
    Float(Vec<Option<f64>>),
    Bool(Vec<Option<bool>>),
}

/// All rows of one delivery.
pub struct Template {
    tables: Vec<Table>,
}

impl Template {
    /// Copies the rows of a job that the service completed.
    pub async fn of(pool: &PgPool, job_id: Uuid) -> anyhow::Result<Self> {
        let mut tables = Vec::new();
        for (name, columns, types) in TABLES {
            let of = if name == "job_events" { "and seq = 4" } else { "" };
            let columns = selected(columns, types).join(", ");
            let query = format!("select {columns} from aftercall.{name} where job_id = $1 {of}");
            let rows = sqlx::query(AssertSqlSafe(query)).bind(job_id).fetch_all(pool).await?;
            let given = types.split(", ").enumerate().map(|(n, kind)| Column::of(&rows, n, kind));
            let columns = given.collect::<sqlx::Result<_>>()?;
            tables.push(Table { statement: statement(name), rows_per_job: rows.len(), columns });
        }
        Ok(Self { tables })
    }
}

/// Writes the rows for these jobs over `connections` connections; returns jobs per second.
pub async fn write(
    rows: &Arc<impl Rows>,
    store: &Store,
    jobs: Range<u32>,
    connections: u32,
) -> anyhow::Result<f64> {
    let count = jobs.len();
    let ids = jobs.map(|n| store.id(n)).collect::<anyhow::Result<Vec<_>>>()?;
    let batches: Vec<Vec<Uuid>> =
        ids.chunks(usize::try_from(BATCH)?).map(<[Uuid]>::to_vec).collect();
    let batches = Arc::new(Mutex::new(batches));
    let mut writers = Vec::new();
    for _ in 0..connections {
        writers.push((store.pool.acquire().await?, rows.clone(), batches.clone()));
    }
    let started = Instant::now();
    let running = writers.into_iter().map(|(mut db, rows, batches)| {
        tokio::spawn(async move { drain(&*rows, &mut db, &batches).await })
    });
    for done in try_join_all(running).await? {
        done?;
    }
    Ok(f64::from(u32::try_from(count)?)
        / started.elapsed().max(Duration::from_nanos(1)).as_secs_f64())
}

async fn drain(
    rows: &impl Rows,
    db: &mut PgConnection,
    batches: &Mutex<Vec<Vec<Uuid>>>,
) -> sqlx::Result<()> {
    use sqlx::Connection as _;
    loop {
        let batch = batches.lock().await.pop();
        let Some(ids) = batch else { return Ok(()) };
        let mut tx = db.begin().await?;
        rows.write(&mut tx, &ids).await?;
        tx.commit().await?;
    }
}

/// Rows to write for jobs.
pub trait Rows: Send + Sync + 'static {
    fn write(
        &self,
        tx: &mut PgTransaction<'_>,
        ids: &[Uuid],
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

impl Rows for Template {
    async fn write(&self, tx: &mut PgTransaction<'_>, ids: &[Uuid]) -> sqlx::Result<()> {
        for table in &self.tables {
            table.write(tx, ids).await?;
        }
        sqlx::query(COMPLETE).bind(ids).execute(&mut **tx).await?;
        Ok(())
    }
}

/// The rows of submissions by this caller.
pub struct Submissions(pub Uuid);

impl Rows for Submissions {
    async fn write(&self, tx: &mut PgTransaction<'_>, ids: &[Uuid]) -> sqlx::Result<()> {
        let Self(caller_id) = self;
        let repeated = |value: &str| vec![value.to_owned(); ids.len()];
        sqlx::query(SUBMIT)
            .bind(ids)
            .bind(vec![*caller_id; ids.len()])
            .bind(repeated("call-1"))
            .bind(repeated("bench"))
            .bind(repeated(METADATA))
            .bind(repeated(REQUEST))
            .execute(&mut **tx)
            .await?;
        let events = "insert into aftercall.job_events (job_id, seq, kind)
            select id, 1, 'queued' from unnest($1::uuid[]) as id";
        sqlx::query(events).bind(ids).execute(&mut **tx).await?;
        Ok(())
    }
}

/// The triggers write the job's tag, and count it.
const SUBMIT: &str = "insert into aftercall.jobs
        (id, caller_id, external_id, tags, metadata, request, due_at, deadline_at)
    select id, caller_id, external_id, array[tag], metadata::json, request::json, now(),
        now() + make_interval(secs => 86400)
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
        as given (id, caller_id, external_id, tag, metadata, request)";

/// Whether a column is read and sent as text.
fn is_text(kind: &str) -> bool {
    !matches!(kind, "uuid" | "bytea" | "int" | "float8" | "bool")
}

/// The trigger writes what the job then adds to the statistics.
const COMPLETE: &str = "update aftercall.jobs set state = 'completed', version = version + 1, \
    completed_via = 'webhook', due_at = null, finished_at = now() where id = any($1)";

/// `insert into t (job_id, a, b) select job_id, a, b::json from unnest($1::uuid[], …)`.
fn statement(table: &str) -> String {
    let Some((_, columns, types)) = TABLES.iter().find(|(name, ..)| *name == table) else {
        return String::new();
    };
    let types: Vec<&str> = types.split(", ").collect();
    let sent = |kind| if is_text(kind) { "text" } else { kind };
    let arrays: Vec<String> =
        types.iter().zip(2..).map(|(kind, n)| format!("${n}::{}[]", sent(kind))).collect();
    let taken: Vec<String> =
        columns.split(", ").zip(&types).map(|(name, kind)| format!("{name}::{kind}")).collect();
    format!(
        "insert into aftercall.{table} (job_id, {columns}) select job_id, {} \
            from unnest($1::uuid[], {}) as given (job_id, {columns})",
        taken.join(", "),
        arrays.join(", ")
    )
}

fn selected(columns: &str, types: &str) -> Vec<String> {
    let pairs = columns.split(", ").zip(types.split(", "));
    pairs
        .map(|(name, kind)| if is_text(kind) { format!("{name}::text") } else { name.to_owned() })
        .collect()
}

impl Table {
    async fn write(&self, tx: &mut PgTransaction<'_>, ids: &[Uuid]) -> sqlx::Result<()> {
        let rows = ids.len() * self.rows_per_job;
        if rows == 0 {
            return Ok(());
        }
        let owners: Vec<Uuid> =
            ids.iter().flat_map(|id| std::iter::repeat_n(*id, self.rows_per_job)).collect();
        let mut query = sqlx::query(AssertSqlSafe(self.statement.as_str())).bind(owners);
        for column in &self.columns {
            query = match column {
                Column::Uuid(values) => query.bind(&values[..rows]),
                Column::Text(values) => query.bind(&values[..rows]),
                Column::Bytes(values) => query.bind(&values[..rows]),
                Column::Int(values) => query.bind(&values[..rows]),
                Column::Float(values) => query.bind(&values[..rows]),
                Column::Bool(values) => query.bind(&values[..rows]),
            };
        }
        query.execute(&mut **tx).await?;
        Ok(())
    }
}

impl Column {
    fn of(rows: &[sqlx::postgres::PgRow], n: usize, kind: &str) -> sqlx::Result<Self> {
        Ok(match kind {
            "uuid" => Self::Uuid(values(rows, n)?),
            "bytea" => Self::Bytes(values(rows, n)?),
            "int" => Self::Int(values(rows, n)?),
            "float8" => Self::Float(values(rows, n)?),
            "bool" => Self::Bool(values(rows, n)?),
            _ => Self::Text(values(rows, n)?),
        })
    }
}

/// A column of the rows, repeated for each job of a batch.
fn values<'r, T>(rows: &'r [sqlx::postgres::PgRow], n: usize) -> sqlx::Result<Vec<Option<T>>>
where
    T: Clone + sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let once = rows.iter().map(|row| row.try_get(n)).collect::<sqlx::Result<Vec<Option<T>>>>()?;
    Ok(std::iter::repeat_n(once, BATCH as usize).flatten().collect())
}
