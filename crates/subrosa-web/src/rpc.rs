//! A WebSocket as a session of the API: a text message is a line.

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt, StreamExt};
use subrosa_client::rpc::{Backend, Door, LINE, LineError, Session};
use tokio::sync::{mpsc, watch};
use tracing::debug;
use zeroize::Zeroizing;

/// Lines that may wait for the page.
const LINES: usize = 256;

/// Serves one connection to its end.
pub async fn serve(socket: WebSocket, door: Door, leaving: watch::Receiver<bool>) {
    let (mut to_page, mut from_page) = socket.split();
    let (lines, mut waiting) = mpsc::channel::<String>(LINES);
    let (requests, asked) = mpsc::channel(1);
    let writer = tokio::spawn(async move {
        while let Some(line) = waiting.recv().await {
            if let Err(error) = to_page.send(Message::text(line)).await {
                debug!(%error, "the page is gone");
                return;
            }
        }
        // The other side may be gone already.
        let _closed = to_page.close().await;
    });
    let reader = tokio::spawn(async move {
        while let Some(message) = from_page.next().await {
            let line = match message {
                Ok(Message::Text(text)) if text.len() <= LINE => Ok(Zeroizing::new(text.as_bytes().to_vec())),
                Ok(Message::Text(_)) => Err(LineError::TooLong),
                Ok(Message::Ping(_) | Message::Pong(_)) => continue,
                Ok(Message::Binary(_) | Message::Close(_)) => return,
                Err(error) => {
                    debug!(%error, "the page is gone");
                    return;
                }
            };
            let last = line.is_err();
            if requests.send(line).await.is_err() || last {
                return;
            }
        }
    });
    Session::new(Backend::Door(door), lines).run(asked, leaving).await;
    reader.abort();
    let _written = writer.await;
}
