//! `aftercall openapi`: the API document, as checked in under `docs/`.
use super::output;
use crate::app;

pub fn run() -> anyhow::Result<()> {
    output::print(&format!("{}\n", app::document()?))
}
