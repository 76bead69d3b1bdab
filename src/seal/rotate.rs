//! Moves sealed values to the current key, a few rows at a time, beside the running service.
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use uuid::Uuid;

use super::{Place, Seal};

/// A column with sealed values, one per row.
#[derive(Debug)]
pub struct Column {
    pub table: &'static str,
    /// The column with the row's id, which the values are bound to.
    id: &'static str,
    pub name: &'static str,
    /// A condition on rows whose value is sealed.
    is_sealed: &'static str,
    /// Rows per transaction: as few as the values are large.
    batch: i64,
}

/// Every column that a rotation must visit.
pub const COLUMNS: &[Column] = &[
    Column {
        table: "jobs",
        id: "id",
        name: "content_uri_sealed",
        is_sealed: "content_uri_sealed <> ''",
        batch: 100,
    },
    Column {
        table: "jobs",
        id: "id",
        name: "notify_url",
        is_sealed: "notify_url is not null",
        batch: 100,
    },
    Column {
        table: "deliveries",
        id: "id",
        name: "body",
        is_sealed: "body_sealed and body is not null",
        batch: 10,
    },
    Column {
        table: "endpoints",
        id: "id",
        name: "url_sealed",
        is_sealed: "url_sealed is not null",
        batch: 100,
    },
    Column {
        table: "endpoints",
        id: "id",
        name: "secret",
        is_sealed: "secret is not null",
        batch: 100,
    },
    Column {
        table: "endpoints",
        id: "id",
        name: "previous_secret",
        is_sealed: "previous_secret is not null",
        batch: 100,
    },
];

/// What became of one batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    pub rows: usize,
    /// Rows that none of the configured keys opens.
    pub unreadable: usize,
    /// Where the next batch begins; `None` after the last one.
    pub next: Option<Uuid>,
}

impl Column {
    /// Seals the next rows after `after`, by id, that are not sealed with the current key. Rows that are locked are left
    /// out, so that nothing waits; another run gets them.
    pub async fn reseal(&self, db: &PgPool, seal: &Seal, after: Uuid) -> sqlx::Result<Resealed> {
        let Self { table, id, name, is_sealed, batch } = self;
        let current = seal.key_ids().swap_remove(0);
        let select = format!(
            "select {id}, {name} from aftercall.{table}
            where {id} > $1 and {is_sealed} and aftercall.seal_key_id({name}) is distinct from $2
            order by {id} limit $3 for update skip locked"
        );
        let mut tx = crate::db::begin(db).await?;
        let select = sqlx::query(AssertSqlSafe(select)).bind(after).bind(current).bind(*batch);
        let rows = select.fetch_all(&mut *tx).await?;
        let mut done = Resealed::default();
        let (mut ids, mut values) = (Vec::new(), Vec::new());
        for row in &rows {
            let (id, sealed): (Uuid, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
            done.next = Some(id);
            let place = Place { table, row: id };
            match seal.open(place, &sealed) {
                Ok(plain) => {
                    ids.push(id);
                    values.push(seal.seal(place, &plain));
                }
                Err(_) => done.unreadable += 1,
            }
        }
        let update = format!(
            "update aftercall.{table} t set {name} = v.sealed
            from unnest($1::uuid[], $2::bytea[]) as v (id, sealed) where t.{id} = v.id"
        );
        sqlx::query(AssertSqlSafe(update)).bind(&ids).bind(&values).execute(&mut *tx).await?;
        tx.commit().await?;
        done.rows = ids.len();
        Ok(done)
    }

    /// How many values this key has sealed.
    pub async fn count(&self, db: &PgPool, key_id: &str) -> sqlx::Result<i64> {
        let Self { table, name, is_sealed, .. } = self;
        let count = format!(
            "select count(*) from aftercall.{table} where {is_sealed} and aftercall.seal_key_id({name}) = $1"
        );
        sqlx::query_scalar(AssertSqlSafe(count)).bind(key_id).fetch_one(db).await
    }
}
