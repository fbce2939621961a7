//! The task that makes links when the engine wants one, and hands what comes to the engine's thread.
//!
//! At most one link is there at a time. Each has a number; what comes from a link that the engine no longer wants is
//! thrown away by its number. This task never decides to try again: the engine does.

use bytes::Bytes;
use subrosa_net::{ConnectError, Sender};
use subrosa_wire::ServerLink;
use tokio::sync::{mpsc, watch};
use tracing::info;

/// The link that the engine wants now.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Counts the engine's requests.
    pub attempt: u64,
    /// Where to; `None`: no link.
    pub server: Option<ServerLink>,
}

/// What happened to a link.
#[derive(Debug)]
pub enum News {
    /// It is up.
    Up {
        /// The way to the server.
        sender: Sender,
        /// Exporter value of its TLS connection.
        tls_exporter: [u8; 32],
    },
    /// A frame came.
    Frame(Bytes),
    /// It could not be made.
    Failed(ConnectError),
    /// It ended.
    Ended(String),
}

/// Runs until the engine's thread ends.
pub async fn run(mut wanted: watch::Receiver<Wanted>, engine: mpsc::Sender<(u64, News)>) {
    loop {
        let order = wanted.borrow_and_update().clone();
        if let Some(server) = order.server {
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { return } else { continue },
                () = serve(&server, order.attempt, &engine) => {}
            }
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

async fn serve(server: &ServerLink, attempt: u64, engine: &mpsc::Sender<(u64, News)>) {
    let tell = async |news| engine.send((attempt, news)).await.is_ok();
    let connection = match subrosa_net::connect(server).await {
        Ok(connection) => connection,
        Err(error) => {
            info!("no link: {error}");
            tell(News::Failed(error)).await;
            return;
        }
    };
    let mut receiver = connection.receiver;
    if !tell(News::Up { sender: connection.sender, tls_exporter: connection.tls_exporter }).await {
        return;
    }
    loop {
        match receiver.next().await {
            Ok(frame) => {
                if !tell(News::Frame(frame)).await {
                    return;
                }
            }
            Err(end) => {
                info!("the link ended: {end}");
                tell(News::Ended(end.to_string())).await;
                return;
            }
        }
    }
}
