//! Audio files: what a file contains, judged from its bytes and never from its name or its declared type.
//!
//! Reading a file takes memory in proportion to its headers, which [`inspect`] limits, and never to its length.
mod bounded;
mod container;
mod inspect;
mod open;
mod peaks;

pub use container::Container;
pub use inspect::{Audio, NotAudio, inspect};
pub use open::{OpenError, Opened, open};
pub use peaks::{NoPeaks, Peaks, peaks};
