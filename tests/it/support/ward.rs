//! Child processes of a test.
use std::{
    io,
    ops::{Deref, DerefMut},
    process::{Child, Command},
};

/// A child process that is killed at the end of the test, even if the test fails.
#[derive(Debug)]
pub struct Ward(Child);

impl Ward {
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    pub fn kill_hard(&mut self) {
        self.end().unwrap();
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }
}

impl Deref for Ward {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Ward {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        let _ = self.end(); // it may have exited long ago
    }
}
