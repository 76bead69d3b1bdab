//! Endpoints as their callers see them.
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Endpoint, EndpointState, PauseReason};
use crate::callers::CallerId;

/// `None` also when it is another caller's, or deleted.
pub async fn find(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
    id: Uuid,
) -> sqlx::Result<Option<Endpoint>> {
    sqlx::query_as!(
        Endpoint,
        r#"
        select id, url_shown, events, include, description, state as "state: EndpointState",
            pause_reason as "pause_reason: PauseReason", paused_at, failures, failing_since,
            last_success_at,
            case when previous_secret_until > now() then previous_secret_until end as rotating_until,
            created_at, updated_at
        from aftercall.endpoints where id = $2 and caller_id = $1 and deleted_at is null
        "#,
        caller_id as CallerId,
        id,
    )
    .fetch_optional(db)
    .await
}

/// The endpoints of a caller after this one, oldest first.
pub async fn list(
    db: impl PgExecutor<'_>,
    caller_id: CallerId,
    after: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<Endpoint>> {
    sqlx::query_as!(
        Endpoint,
        r#"
        select id, url_shown, events, include, description, state as "state: EndpointState",
            pause_reason as "pause_reason: PauseReason", paused_at, failures, failing_since,
            last_success_at,
            case when previous_secret_until > now() then previous_secret_until end as rotating_until,
            created_at, updated_at
        from aftercall.endpoints
        where caller_id = $1 and deleted_at is null and ($2::uuid is null or id > $2)
        order by id limit $3
        "#,
        caller_id as CallerId,
        after,
        limit,
    )
    .fetch_all(db)
    .await
}
