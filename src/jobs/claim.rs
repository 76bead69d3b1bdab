//! The dispatcher claims due jobs.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{
    Change, JobId, UrlFault, recording,
    token::{Token, sha_of},
};
use crate::seal::Seal;

/// A job that this process is submitting, until its lease expires.
#[derive(Debug)]
pub struct Claimed {
    pub job_id: JobId,
    pub attempt: i32,
    pub lease_id: Uuid,
    pub failures: i32,
    /// At the provider, whose credentials submit it.
    pub account: String,
    /// With the recording's URL as given, if `url` is well.
    pub request: Map<String, Value>,
    /// Whether the recording's URL could be opened.
    pub url: Result<(), UrlFault>,
    /// Postgres's time of the claim.
    pub claimed_at: DateTime<Utc>,
    pub content: Option<String>,
    pub trace_context: Option<String>,
    /// For the webhook URL; its hash is already in the attempt's row.
    pub token: Token,
    /// The same for the URL of the recording, if it was uploaded.
    pub media: Option<Token>,
}

/// Of one attempt.
struct Secrets {
    webhook: [u8; 32],
    media: [u8; 32],
}

impl Secrets {
    fn random() -> Self {
        Self { webhook: Token::random_secret(), media: Token::random_secret() }
    }
}

/// Whether a job is due for submission, and its caller has not used up a quota; cheap enough to
/// call often.
pub async fn has_due(db: impl PgExecutor<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from aftercall.caller_turns t
            cross join lateral (
                select from aftercall.jobs j
                where j.caller_id = t.caller_id and j.state = 'queued' and j.due_at <= now()
                limit 1
            ) due
            where coalesce(t.quota_left > 0, true)
        ) as "due!"
        "#
    )
    .fetch_one(db)
    .await
}

/// Claims up to `limit` due jobs for this account at the provider: each becomes `submitting`, with a new attempt and a new token.
///
/// Callers take turns in proportion to their weights (start-time fair queuing): each job has a start
/// tag, 1 / weight after the previous one of its caller, and the lowest goes first; within a caller,
/// the job that has been due longest. Callers that have used up a quota are skipped. Each attempt
/// counts against the quotas here, as it may be accepted whatever becomes of this process.
///
/// Jobs whose URL is sealed with a key that this process does not have are left to others, unless no
/// process has it.
///
/// Call it in a transaction that holds the row of the default account's gate, as `gate::with_room` does: it then
/// sees the tags and the counts of every earlier claim, so that all replicas together keep to the
/// weights and never exceed a quota. Commit before calling the provider, so that a webhook that
/// overtakes the provider's response finds its attempt.
#[expect(clippy::too_many_lines, reason = "one statement")]
pub async fn claim(
    tx: &mut Change<'_>,
    seal: &Seal,
    account: &str,
    limit: usize,
    lease: Duration,
) -> sqlx::Result<Vec<Claimed>> {
    let secrets: Vec<Secrets> = (0..limit).map(|_| Secrets::random()).collect();
    let shas: Vec<Vec<u8>> = secrets.iter().map(|it| sha_of(&it.webhook).to_vec()).collect();
    let media_shas: Vec<Vec<u8>> = secrets.iter().map(|it| sha_of(&it.media).to_vec()).collect();
    // See the trigger `jobs_leave_sealed`.
    sqlx::query!("select set_config('aftercall.opens_sealed', 'on', true)")
        .fetch_one(&mut ***tx)
        .await?;
    let rows = sqlx::query!(
        r#"
        with turns as (
            select due.id, t.next_turn + (due.nth - 1)::float8 / t.weight as tag, t.last_served_at,
                due.due_at, t.today
            from aftercall.caller_turns t
            cross join lateral (
                select j.id, j.due_at, row_number() over (order by j.due_at, j.id) as nth
                from aftercall.jobs j
                where j.caller_id = t.caller_id and j.state = 'queued' and j.due_at <= now()
                    and (coalesce(j.content_uri_sealed, '') = ''
                        or aftercall.seal_key_id(j.content_uri_sealed) = any($4)
                        or not exists (select from aftercall.seal_keys k
                            where k.id = aftercall.seal_key_id(j.content_uri_sealed)))
                order by j.due_at, j.id
                limit cardinality($1::bytea[])
            ) due
            where coalesce(t.quota_left > 0, true) and due.nth <= coalesce(t.quota_left, due.nth)
            order by tag, t.last_served_at nulls first, due.due_at
            limit cardinality($1::bytea[])
        ), locked as materialized (
            select j.id, turns.tag, turns.today from aftercall.jobs j join turns using (id)
            where j.state = 'queued'
            order by turns.tag, turns.last_served_at nulls first, turns.due_at
            for update of j skip locked
        ), numbered as (
            select id, tag, today, row_number() over () as n from locked
        ), claimed as (
            update aftercall.jobs j set
                state = 'submitting', version = version + 1, lease_id = gen_random_uuid(),
                due_at = now() + make_interval(secs => $2)
            from numbered where j.id = numbered.id
            returning j.id, j.caller_id, j.version, j.lease_id, j.failures, j.request, j.trace_context,
                j.media_id, j.content_uri_sealed, numbered.n, numbered.tag, numbered.today
        ), attempt as (
            insert into aftercall.attempts (job_id, number, token_sha, media_sha, counted_on, account)
            select id, 1 + (select count(*) from aftercall.attempts a where a.job_id = claimed.id),
                ($1::bytea[])[n], case when media_id is not null then ($3::bytea[])[n] end, today, $5
            from claimed
            returning job_id, number
        ), served as (
            update aftercall.callers c set
                last_served_at = clock_timestamp(), turn_at = s.tag, counted_on = s.today,
                used_on_day = s.jobs + case when c.counted_on = s.today then c.used_on_day else 0 end,
                used_in_month = s.jobs + case when date_trunc('month', c.counted_on::timestamp)
                    = date_trunc('month', s.today::timestamp) then c.used_in_month else 0 end
            from (
                select caller_id, count(*) as jobs, max(tag) as tag, max(today) as today
                from claimed group by caller_id
            ) s
            where c.id = s.caller_id
        ), event as (
            insert into aftercall.job_events (job_id, seq, kind, detail)
            select id, version, 'submitting', json_build_object('attempt', number)
            from claimed join attempt on attempt.job_id = claimed.id
        )
        select claimed.id as "id: JobId", attempt.number, lease_id as "lease_id!", failures, n as "n!",
            request as "request: Json<Map<String, Value>>", content as "content?", trace_context,
            media_id, content_uri_sealed, now() as "claimed_at!"
        from claimed
        join attempt on attempt.job_id = claimed.id
        left join aftercall.job_contents contents on contents.job_id = claimed.id
        order by n
        "#,
        &shas,
        lease.as_secs_f64(),
        &media_shas,
        &seal.key_ids(),
        account,
    )
    .fetch_all(&mut ***tx)
    .await?;
    let claimed = rows.into_iter().zip(secrets).map(|(row, secrets)| {
        let mut request = row.request.0;
        let url = recording::unseal(seal, row.id, &mut request, row.content_uri_sealed.as_deref());
        Claimed {
            job_id: row.id,
            attempt: row.number,
            lease_id: row.lease_id,
            failures: row.failures,
            account: account.to_owned(),
            request,
            url,
            claimed_at: row.claimed_at,
            content: row.content,
            trace_context: row.trace_context,
            token: Token::new(row.id, secrets.webhook),
            media: row.media_id.map(|_| Token::new(row.id, secrets.media)),
        }
    });
    Ok(claimed.collect())
}
