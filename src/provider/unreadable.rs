//! Why a body is not a message of the provider.

/// `serde_json` rejects JSON nested this deep.
pub(super) const TOO_DEEP: usize = 128;

/// Why bytes are not a message. Never quotes them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is empty")]
    Empty,
    /// `at` counts bytes, after repairs if there were any.
    #[error("the body is not JSON at byte {at}")]
    NotJson { at: usize },
    #[error("the body ends in the middle of its JSON")]
    Truncated,
    #[error("the body is nested deeper than {TOO_DEEP} levels")]
    TooDeep,
    #[error("the body has too many encoding errors")]
    BeyondRepair,
    #[error("the body is JSON, but not an object")]
    NotAnObject,
    #[error("member status is missing")]
    StatusMissing,
    #[error("member status is not one of Success, Fail, InProgress")]
    StatusUnknown,
    #[error("status is Success, but member response is missing")]
    ResponseMissing,
    #[error("status is Success, but member response is not an object")]
    ResponseNotAnObject,
}
