//! `aftercall serve`: the service itself.
use crate::{
    app::{self, LoadSettings, Reloads, ToldToStop},
    config::Loaded,
    console::Link,
    telemetry,
};

/// `load` is called again whenever the process is asked to reload its settings.
pub async fn run(load: LoadSettings) -> anyhow::Result<()> {
    let loaded = load()?;
    let log = &loaded.settings.log;
    let traces = telemetry::init_with_traces(log.format, &log.filter).await?;
    let ended = Box::pin(serve(load, loaded)).await;
    traces.stop().await;
    ended
}

async fn serve(load: LoadSettings, loaded: Loaded) -> anyhow::Result<()> {
    let settings = loaded.settings.clone();
    let reloads = Reloads::listen(load, loaded)?;
    let mut app = match app::start(&settings).await {
        Err(error) if error.is::<ToldToStop>() => return Ok(()),
        started => started?,
    };
    app.reload_on(reloads);
    let addresses = &app.addresses;
    tracing::info!(
        api = addresses.api.map(tracing::field::display),
        webhook = addresses.webhook.map(tracing::field::display),
        ops = %addresses.ops,
        recording = addresses.sandbox.as_ref().map(|it| tracing::field::display(&it.recording_url)),
        "ready"
    );
    // For whoever started it, and so not in the log.
    if let Some(console) = app.console.as_ref().filter(|_| settings.shown.environment() == "dev") {
        let url = console.one_time_url(Link::default());
        eprintln!("Open the console (this link works once, within 10 minutes):\n  {url}");
    }
    app.run().await
}
