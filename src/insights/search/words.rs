//! What is looked for, as Postgres understands it.
use sqlx::PgTransaction;
use uuid::Uuid;

/// Why there is nothing to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsearchable {
    /// No words, or only such as are too frequent to be indexed.
    NoWords,
    /// No word that must occur: the rest is excluded, or an alternative to what is excluded.
    OnlyExclusions,
}

/// The words of a search, in every configuration that the caller has utterances of. Texts of the
/// type tsquery.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// For each configuration the words, together with the lexeme that stands for caller and
    /// configuration.
    pub scoped: String,
    /// The words alone.
    pub plain: String,
    /// How many utterances the fullest month has, of all callers; an estimate of Postgres.
    pub utterances: i64,
    /// Whether most jobs of all callers are this one's, as far as Postgres knows.
    pub owns_most: bool,
}

impl Words {
    /// Reads `q` as web searches are written.
    pub async fn read(
        tx: &mut PgTransaction<'_>,
        caller_id: Uuid,
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
            caller_id,
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
