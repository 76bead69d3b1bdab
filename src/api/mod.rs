//! What the handlers of the REST API share: the state, the caller of a request, the job it is about,
//! extractors and middleware, and the problems that a request may fail with.
mod bodies;
mod caller;
mod code;
mod concurrency;
mod error;
mod extract;
mod filters;
pub mod idempotency;
mod job;
mod layers;
mod media;
mod operations;
mod owned;
pub mod paths;
mod problem;
pub mod problems;
mod rate;
pub mod session;
mod state;

pub use bodies::{Bodies, BodyMemory};
pub use code::Code;
pub use concurrency::{Activity, ConcurrencyLimits, RequestPermit};
pub use error::{ApiError, UrlExpiry};
pub use extract::{ApiJson, ApiPath, ApiQuery};
pub use filters::{JobFilters, JobFiltersOfAnyState};
pub use job::{JobView, QueueReason, QueueView};
pub use layers::{Limits, layered, no_such_method, no_such_route};
pub use media::MediaAccess;
pub use operations::{Operations, Terms};
pub use owned::OwnedJob;
pub use paths::Links;
pub use problem::Problem;
pub use rate::RateLimits;
pub use session::{Session, SessionTerms, SignedIn};
pub use state::{ApiState, Shared};
