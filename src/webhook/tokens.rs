//! Whether tokens are known, asked before the bodies that come with them are read on.
//!
//! Who asks while a question is on its way to Postgres shares the next one: however many ask, one
//! connection is in use, and nobody is turned away.
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use crate::{
    jobs::{self, Token},
    supervise,
};

/// Tokens in one question.
const MOST: usize = 1000;

/// Postgres cannot be asked.
#[derive(Debug)]
pub struct NoAnswer;

/// Where to ask.
#[derive(Debug, Clone)]
pub struct Tokens {
    questions: mpsc::Sender<Question>,
}

/// What asks Postgres.
pub struct Lookups {
    db: PgPool,
    questions: mpsc::Receiver<Question>,
}

#[derive(Debug)]
struct Question {
    token: Token,
    answer: oneshot::Sender<Result<bool, NoAnswer>>,
}

impl Tokens {
    pub fn new(db: PgPool) -> (Self, Lookups) {
        let (sender, questions) = mpsc::channel(MOST);
        (Self { questions: sender }, Lookups { db, questions })
    }

    /// Whether an attempt's webhook URL holds the token.
    pub async fn is_known(&self, token: &Token) -> Result<bool, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        let question = Question { token: token.clone(), answer };
        self.questions.send(question).await.map_err(|_| NoAnswer)?;
        answered.await.map_err(|_| NoAnswer)?
    }
}

impl Lookups {
    /// Answers until the listener is gone.
    pub async fn run(mut self) -> supervise::TaskResult {
        let mut questions = Vec::new();
        while self.questions.recv_many(&mut questions, MOST).await > 0 {
            // Senders that have hung up meanwhile.
            questions.retain(|question| !question.answer.is_closed());
            let tokens: Vec<&Token> = questions.iter().map(|question| &question.token).collect();
            let found = jobs::matching_attempts(&self.db, &tokens).await;
            if let Err(error) = &found {
                let error = error as &dyn std::error::Error;
                tracing::error!(error, tokens = tokens.len(), "cannot look up tokens");
            }
            for (n, question) in questions.drain(..).enumerate() {
                let known = found.as_ref().map(|found| found.get(n).is_some_and(Option::is_some));
                // Nobody may be there to hear it.
                let _ = question.answer.send(known.map_err(|_| NoAnswer));
            }
        }
        Ok(())
    }
}
