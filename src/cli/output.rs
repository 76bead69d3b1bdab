//! Standard output of commands whose purpose is their output.
use std::io::{self, Write as _};

/// Prints `text`; a reader that closes the pipe early (`| head`) is not an error.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
