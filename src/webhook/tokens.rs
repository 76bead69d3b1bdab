//! Looks up whether tokens are known before the rest of their bodies is read, and which recordings they are for.
//!
//! Lookups that arrive while a query is running share the next one: however many there are, they
//! use one connection, and none is rejected.
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    jobs::{self, Token},
    supervise,
};

/// Maximum number of tokens per query.
const MOST: usize = 1000;

/// Postgres is not available.
#[derive(Debug)]
pub struct NoAnswer;

/// Handle for lookups.
#[derive(Debug, Clone)]
pub struct Tokens {
    attempts: mpsc::Sender<TokenLookup<bool>>,
    media: mpsc::Sender<TokenLookup<Option<Uuid>>>,
}

/// The part that queries Postgres.
pub struct Lookups {
    db: PgPool,
    attempts: mpsc::Receiver<TokenLookup<bool>>,
    media: mpsc::Receiver<TokenLookup<Option<Uuid>>>,
}

#[derive(Debug)]
struct TokenLookup<T> {
    token: Token,
    answer: oneshot::Sender<Result<T, NoAnswer>>,
}

impl Tokens {
    pub fn new(db: PgPool) -> (Self, Lookups) {
        let (attempts, of_attempts) = mpsc::channel(MOST);
        let (media, of_media) = mpsc::channel(MOST);
        (Self { attempts, media }, Lookups { db, attempts: of_attempts, media: of_media })
    }

    /// Whether an attempt's webhook URL contains the token.
    pub async fn is_known(&self, token: &Token) -> Result<bool, NoAnswer> {
        ask(&self.attempts, token).await
    }

    /// The recording that an attempt's URL with this token is for.
    pub async fn media(&self, token: &Token) -> Result<Option<Uuid>, NoAnswer> {
        ask(&self.media, token).await
    }
}

async fn ask<T>(questions: &mpsc::Sender<TokenLookup<T>>, token: &Token) -> Result<T, NoAnswer> {
    let (answer, answered) = oneshot::channel();
    let question = TokenLookup { token: token.clone(), answer };
    questions.send(question).await.map_err(|_| NoAnswer)?;
    answered.await.map_err(|_| NoAnswer)?
}

impl Lookups {
    /// Runs until the listener is closed.
    pub async fn run(self) -> supervise::TaskResult {
        let Self { db, attempts, media } = self;
        tokio::join!(
            answered(&db, attempts, |db, tokens| Box::pin(known(db, tokens))),
            answered(&db, media, |db, tokens| Box::pin(jobs::matching_media(db, tokens))),
        );
        Ok(())
    }
}

async fn known(db: &PgPool, tokens: &[&Token]) -> sqlx::Result<Vec<bool>> {
    let found = jobs::matching_attempts(db, tokens).await?;
    Ok(found.iter().map(Option::is_some).collect())
}

type LookUp<T> = for<'a> fn(&'a PgPool, &'a [&'a Token]) -> BoxFuture<'a, sqlx::Result<Vec<T>>>;

/// Answers questions with one query for all that are waiting.
async fn answered<T: Copy + Default>(
    db: &PgPool,
    mut questions: mpsc::Receiver<TokenLookup<T>>,
    look_up: LookUp<T>,
) {
    let mut waiting = Vec::new();
    while questions.recv_many(&mut waiting, MOST).await > 0 {
        // Skip senders that have disconnected meanwhile.
        waiting.retain(|question| !question.answer.is_closed());
        let tokens: Vec<&Token> = waiting.iter().map(|question| &question.token).collect();
        let found = look_up(db, &tokens).await;
        if let Err(error) = &found {
            let error = error as &dyn std::error::Error;
            tracing::error!(error, tokens = tokens.len(), "cannot look up tokens");
        }
        for (n, question) in waiting.drain(..).enumerate() {
            let answer = found.as_ref().map(|found| found.get(n).copied().unwrap_or_default());
            // The receiver may be gone.
            let _ = question.answer.send(answer.map_err(|_| NoAnswer));
        }
    }
}
