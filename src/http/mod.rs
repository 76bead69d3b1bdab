//! Plumbing of the HTTP listeners that knows no business: problems, extractors, pages, state.
mod both;
mod code;
mod etag;
mod extract;
mod layers;
mod lines;
mod ops;
mod page;
mod problem;
mod query;
mod serve;
mod state;
mod wait;

pub use both::Both;
pub use code::Code;
pub use etag::{conditional, hex, precondition};
pub use extract::{ApiJson, ApiPath, is_json};
pub use layers::{fallbacks, layered, observed_only};
pub use lines::{BrokenOff, Lines, ndjson};
pub use ops::{OpsState, health, ops};
pub use page::{Cursors, Page};
pub use problem::{ApiError, Fault, Problem, closest};
pub use query::{ApiQuery, Limit, Moment, NoParameters};
pub use serve::{HEAD_PATIENCE, serve};
pub use state::ApiState;
pub use wait::Wait;
