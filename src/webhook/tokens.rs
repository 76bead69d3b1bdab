//! Looks up whether tokens are known before the rest of their bodies is read.
//!
//! Lookups that arrive while a query is running share the next one: however many there are, they
//! use one connection, and none is rejected.
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

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
    questions: mpsc::Sender<TokenLookup>,
}

/// The part that queries Postgres.
pub struct Lookups {
    db: PgPool,
    questions: mpsc::Receiver<TokenLookup>,
}

#[derive(Debug)]
struct TokenLookup {
    token: Token,
    answer: oneshot::Sender<Result<bool, NoAnswer>>,
}

impl Tokens {
    pub fn new(db: PgPool) -> (Self, Lookups) {
        let (sender, questions) = mpsc::channel(MOST);
        (Self { questions: sender }, Lookups { db, questions })
    }

    /// Whether an attempt's webhook URL contains the token.
    pub async fn is_known(&self, token: &Token) -> Result<bool, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        let question = TokenLookup { token: token.clone(), answer };
        self.questions.send(question).await.map_err(|_| NoAnswer)?;
        answered.await.map_err(|_| NoAnswer)?
    }
}

impl Lookups {
    /// Runs until the listener is closed.
    pub async fn run(mut self) -> supervise::TaskResult {
        let mut questions = Vec::new();
        while self.questions.recv_many(&mut questions, MOST).await > 0 {
            // Skip senders that have disconnected meanwhile.
            questions.retain(|question| !question.answer.is_closed());
            let tokens: Vec<&Token> = questions.iter().map(|question| &question.token).collect();
            let found = jobs::matching_attempts(&self.db, &tokens).await;
            if let Err(error) = &found {
                let error = error as &dyn std::error::Error;
                tracing::error!(error, tokens = tokens.len(), "cannot look up tokens");
            }
            for (n, question) in questions.drain(..).enumerate() {
                let known = found.as_ref().map(|found| found.get(n).is_some_and(Option::is_some));
                // The receiver may be gone.
                let _ = question.answer.send(known.map_err(|_| NoAnswer));
            }
        }
        Ok(())
    }
}
