//! The signals that ask a program to end: Ctrl-C, and SIGTERM or SIGHUP where there are such.

use subrosa_client::api::{Failure, FailureCode};

use crate::output::Outcome;

/// Listens from when it is made.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    streams: [tokio::signal::unix::Signal; 3],
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> Outcome<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let stream = |kind| {
                signal(kind).map_err(|error| {
                    Failure::new(FailureCode::Environment, "signals", format!("signals cannot be heard: {error}"))
                })
            };
            let streams =
                [stream(SignalKind::interrupt())?, stream(SignalKind::terminate())?, stream(SignalKind::hangup())?];
            Ok(Self { streams })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for one.
    ///
    /// # Cancel safety
    /// None is lost when the future is dropped.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate, hangup] = &mut self.streams;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
