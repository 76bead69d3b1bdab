//! `aftercall openapi`: the API document, as checked in under `docs/`.

#[expect(clippy::print_stdout, reason = "the document is this command's output")]
pub fn run() -> anyhow::Result<()> {
    println!("{}", crate::app::document()?);
    Ok(())
}
