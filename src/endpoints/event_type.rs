//! The types of events that callers can be notified of.
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident: $name:tt;)*) => {
        /// The type of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum EventType {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl EventType {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As in JSON and in Postgres.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

event_types! {
    /// The provider accepted the job.
    JobSubmitted: "job.submitted";
    /// The result is there.
    JobCompleted: "job.completed";
    JobFailed: "job.failed";
    JobTimedOut: "job.timed_out";
    JobCanceled: "job.canceled";
    /// A stored result was replaced by what a newer parser made of the same delivery.
    JobReparsed: "job.reparsed";
    JobErased: "job.erased";
    /// Another endpoint of the caller failed for so long that it was paused.
    EndpointPaused: "notify.endpoint.paused";
    /// Sent on request, whatever an endpoint has selected.
    Test: "notify.test";
}

impl EventType {
    /// What an endpoint gets that selects nothing: that a job ended, and that another endpoint needs attention.
    pub const DEFAULT: &[Self] = &[
        Self::JobCompleted,
        Self::JobFailed,
        Self::JobTimedOut,
        Self::JobCanceled,
        Self::EndpointPaused,
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether endpoints can select it.
    pub fn can_be_selected(self) -> bool {
        self != Self::Test
    }
}
