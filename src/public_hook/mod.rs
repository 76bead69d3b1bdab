//! The self-test of the public webhook URL: posts to it from outside, as the provider does, and says what is wrong.
//!
//! A test uses a [`Token`](crate::jobs::Token) of its own that belongs to no job and expires within minutes. The webhook
//! listener recognizes it by its HMAC ([`SelfTestKey`]), so that strangers can neither forge one nor have the listener
//! ask the database about one; its delivery stores nothing.
mod certificate;
mod probe;
mod table;
mod tester;
mod token;

pub use probe::{HookFault, HookReport, LARGEST, SLOWEST, probe};
pub use table::{LastTest, last};
pub use tester::HookTester;
pub use token::SelfTestKey;
