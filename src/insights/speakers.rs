//! The speakers of a recording: counts, insights, and the names given by callers.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use sqlx::{PgConnection, PgExecutor, PgTransaction};
use utoipa::ToSchema;

use crate::jobs::JobId;

/// The speakers of a recording.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpeakersView {
    pub data: Vec<SpeakerView>,
}

/// One speaker, with numbers counted by Aftercall and insights from the provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "speakerId": "0", "speaker": "Robin", "utterances": 10, "words": 75, "talkSeconds": 26.51,
    "talkPercent": 65.0,
    "insights": [{ "name": "Pace", "value": "medium", "number": 161.8 }],
    "questions": [{ "text": "How can I help you today?", "start": 4.46, "end": 6.26 }],
}))]
pub struct SpeakerView {
    pub speaker_id: String,
    /// Your name for the speaker.
    pub speaker: Option<String>,
    pub utterances: i32,
    pub words: i32,
    /// With millisecond precision.
    pub talk_seconds: f64,
    /// Percentage of all talk, 0 to 100; null if there is no talk.
    pub talk_percent: Option<f64>,
    pub insights: Vec<SpeakerInsightView>,
    pub questions: Vec<QuestionView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SpeakerInsightView {
    /// `Energy`, `Pace`, `TalkToListenRatio`, `QuestionsAsked` …
    pub name: String,
    /// As the provider sent it, as text.
    pub value: String,
    /// As a number: the energy, the words per minute of a pace, the talk share of a ratio.
    pub number: Option<f64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct QuestionView {
    pub text: String,
    pub start: Option<f64>,
    pub end: Option<f64>,
}

/// The speakers of a job, ordered by id.
pub async fn speakers(db: &mut PgConnection, job_id: JobId) -> sqlx::Result<SpeakersView> {
    let mut data = counted(&mut *db, job_id).await?;
    let place = |data: &[SpeakerView], id: &str| data.iter().position(|it| it.speaker_id == id);
    let insights = sqlx::query!(
        r#"
        select speaker_id, name, value, number
        from aftercall.speaker_insights where job_id = $1 order by seq
        "#,
        job_id as JobId,
    );
    for row in insights.fetch_all(&mut *db).await? {
        if let Some(i) = place(&data, &row.speaker_id) {
            let (name, value, number) = (row.name, row.value, row.number);
            data[i].insights.push(SpeakerInsightView { name, value, number });
        }
    }
    let questions = sqlx::query!(
        r#"
        select speaker_id, text, start_seconds, end_seconds
        from aftercall.questions where job_id = $1 order by seq
        "#,
        job_id as JobId,
    );
    for row in questions.fetch_all(&mut *db).await? {
        if let Some(i) = place(&data, &row.speaker_id) {
            let (text, start, end) = (row.text, row.start_seconds, row.end_seconds);
            data[i].questions.push(QuestionView { text, start, end });
        }
    }
    Ok(SpeakersView { data })
}

async fn counted(db: impl PgExecutor<'_>, job_id: JobId) -> sqlx::Result<Vec<SpeakerView>> {
    let rows = sqlx::query!(
        r#"
        select s.speaker_id, n.name as "name?", s.utterance_count, s.word_count,
            round(s.talk_seconds::numeric, 3)::float8 as "talk_seconds!",
            sum(s.talk_seconds) over () as "all_talk!"
        from aftercall.speakers s
        left join aftercall.speaker_names n on n.job_id = s.job_id and n.speaker_id = s.speaker_id
        where s.job_id = $1 order by s.speaker_id
        "#,
        job_id as JobId,
    );
    let percent = |talk: f64, all_talk: f64| {
        (all_talk > 0.0).then_some((1000.0 * talk / all_talk).round() / 10.0)
    };
    Ok(rows
        .fetch_all(db)
        .await?
        .into_iter()
        .map(|row| SpeakerView {
            speaker_id: row.speaker_id,
            speaker: row.name,
            utterances: row.utterance_count,
            words: row.word_count,
            talk_seconds: row.talk_seconds,
            talk_percent: percent(row.talk_seconds, row.all_talk),
            insights: Vec::new(),
            questions: Vec::new(),
        })
        .collect())
}

/// The ids of the speakers of each of these jobs.
pub async fn speaker_ids(
    db: impl PgExecutor<'_>,
    jobs: &[JobId],
) -> sqlx::Result<HashMap<JobId, Vec<String>>> {
    let rows = sqlx::query!(
        r#"
        select job_id as "job_id: JobId", speaker_id
        from aftercall.speakers where job_id = any($1) order by speaker_id
        "#,
        jobs as &[JobId],
    );
    let mut ids: HashMap<JobId, Vec<String>> = HashMap::new();
    for row in rows.fetch_all(db).await? {
        ids.entry(row.job_id).or_default().push(row.speaker_id);
    }
    Ok(ids)
}

/// Sets the names of the speakers of these jobs, by id, replacing all earlier ones. Returns the jobs whose names changed.
pub async fn name_speakers(
    tx: &mut PgTransaction<'_>,
    jobs: &[JobId],
    names: &BTreeMap<String, String>,
) -> sqlx::Result<BTreeSet<JobId>> {
    let ids: Vec<&str> = names.keys().map(String::as_str).collect();
    let texts: Vec<&str> = names.values().map(String::as_str).collect();
    let removed = sqlx::query_scalar!(
        r#"
        delete from aftercall.speaker_names where job_id = any($1) and speaker_id <> all($2::text[])
        returning job_id as "job_id: JobId"
        "#,
        jobs as &[JobId],
        &ids as &[&str],
    )
    .fetch_all(&mut **tx)
    .await?;
    let added = sqlx::query_scalar!(
        r#"
        insert into aftercall.speaker_names as old (job_id, speaker_id, name)
        select job_id, given.speaker_id, given.name
        from unnest($1::uuid[]) as job_id
        cross join unnest($2::text[], $3::text[]) as given (speaker_id, name)
        on conflict (job_id, speaker_id) do update set name = excluded.name
            where old.name <> excluded.name
        returning job_id as "job_id: JobId"
        "#,
        jobs as &[JobId],
        &ids as &[&str],
        &texts as &[&str],
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(removed.into_iter().chain(added).collect())
}
