//! Parses the words of a search with Postgres.
use sqlx::PgTransaction;

use crate::callers::CallerId;

/// Why a query cannot be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsearchable {
    /// There are no words, or only stop words.
    NoWords,
    /// No word is required: all are excluded, or alternatives to an exclusion.
    OnlyExclusions,
}

/// The words of a search in every text search configuration for which the caller has utterances, as
/// text of type tsquery.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// For each configuration, the words together with the lexeme for caller and configuration.
    pub scoped: String,
    /// The words alone.
    pub plain: String,
    /// Postgres's estimate of the utterances in the fullest month, over all callers.
    pub utterances: i64,
    /// Whether this caller owns most jobs, according to Postgres's statistics.
    pub owns_most: bool,
}

impl Words {
    /// Parses `q` in web search syntax.
    pub async fn read(
        tx: &mut PgTransaction<'_>,
        caller_id: CallerId,
        q: &str,
    ) -> sqlx::Result<Result<Self, Unsearchable>> {
        let rows = sqlx::query!(
            r#"
            with known as (select config from aftercall.caller_configs where caller_id = $1)
            select aftercall.search_scope($1, c.config) as "scope!", w.words::text as "words!",
                querytree(w.words) not in ('', 'T') as "is_searchable!",
                (
                    select coalesce(max(greatest(m.reltuples, 0)), 0)::bigint
                    from pg_inherits i join pg_class m on m.oid = i.inhrelid
                    where i.inhparent = 'aftercall.utterances'::regclass
                ) as "utterances!",
                coalesce((
                    select frequency > 0.5 from pg_stats
                    cross join lateral unnest(most_common_vals::text::uuid[], most_common_freqs)
                        as common (caller_id, frequency)
                    where schemaname = 'aftercall' and tablename = 'jobs' and attname = 'caller_id'
                        and common.caller_id = $1
                ), false) as "owns_most!"
            from (
                select config from known
                union all
                select 'pg_catalog.simple' where not exists (select from known)
            ) c
            cross join lateral websearch_to_tsquery(c.config::regconfig, $2) as w (words)
            "#,
            caller_id as CallerId,
            q,
        )
        .fetch_all(&mut **tx)
        .await?;
        let has_words = rows.iter().any(|row| !row.words.is_empty());
        let (utterances, owns_most) =
            rows.first().map_or((0, false), |row| (row.utterances, row.owns_most));
        let (mut scoped, mut plain) = (Vec::new(), Vec::new());
        for row in rows.into_iter().filter(|row| row.is_searchable) {
            scoped.push(format!("'{}' & ({})", row.scope, row.words));
            plain.push(format!("({})", row.words));
        }
        Ok(if !plain.is_empty() {
            Ok(Self { scoped: scoped.join(" | "), plain: plain.join(" | "), utterances, owns_most })
        } else if has_words {
            Err(Unsearchable::OnlyExclusions)
        } else {
            Err(Unsearchable::NoWords)
        })
    }
}
