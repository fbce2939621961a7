//! The reader thread: pages of logs, read beside the writer.
//!
//! In WAL mode a second connection reads what is committed while the writer goes on. A device that was away for long, or
//! that lagged, costs the others nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::Connection;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Answer, Error, FetchLog, ServerFrame, answer, server_frame};
use subrosa_wire::{Refusal, encode};

use crate::core::{Failure, Faults, log_page};
use crate::outbox::{Outbox, websocket_frame};
use crate::store::{self, DeviceNo, StoreError};
use crate::writer::going_away;

/// Pages that may be wanted at a time. What is too much is read by the writer.
const WANTED: usize = 1024;

/// A page that somebody wants.
pub(crate) struct Wanted {
    /// For whom.
    pub(crate) device: DeviceNo,
    /// Where it goes.
    pub(crate) outbox: Arc<Outbox>,
    /// The request's id.
    pub(crate) id: u64,
    /// Which one.
    pub(crate) request: FetchLog,
}

/// Starts the thread. It ends when the last sender is dropped.
pub(crate) fn start(database: &Path) -> Result<SyncSender<Wanted>, StoreError> {
    let store = store::open_read_only(database)?;
    let (sender, receiver) = sync_channel(WANTED);
    std::thread::Builder::new()
        .name("log-reader".into())
        .spawn(move || run(&store, &receiver))
        .map_err(StoreError::Folder)?;
    Ok(sender)
}

fn run(store: &Connection, wanted: &Receiver<Wanted>) {
    while let Ok(Wanted { device, outbox, id, request }) = wanted.recv() {
        let body = match log_page(store, device, &request, Faults::NONE) {
            Ok(page) => answer::Body::LogPage(page),
            Err(Failure::Refused(refusal)) if refusal.ends_connection() => {
                outbox.end(going_away(refusal.code, ""));
                continue;
            }
            Err(Failure::Refused(refusal)) => answer::Body::Error(Error::from(refusal)),
            Err(Failure::Store(error)) => {
                tracing::error!(%error, "a page of a log could not be read");
                answer::Body::Error(Error::from(Refusal::retry_after(ErrorCode::Internal, 1_000)))
            }
        };
        let frame = ServerFrame { body: Some(server_frame::Body::Answer(Answer { id, body: Some(body) })) };
        outbox.answer(websocket_frame(&encode(&frame)), 1, id);
    }
}
