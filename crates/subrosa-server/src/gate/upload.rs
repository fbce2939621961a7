//! A request that is too large for one frame, put together from its parts.
//!
//! One upload at a time a connection, a few at a time for the whole server, 8 MiB each, a minute long: what the server keeps
//! for strangers' half-sent requests is bounded.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use subrosa_types::limits;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::Part;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How long an upload may take.
const UPLOAD: Duration = Duration::from_secs(60);

type Waiting = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// The parts so far.
pub(crate) struct Upload {
    bytes: Vec<u8>,
    deadline: Instant,
    place: Place,
}

enum Place {
    Waiting(Waiting),
    Taken { _until_dropped: OwnedSemaphorePermit },
}

impl Upload {
    /// Begins with the first part; its bytes are kept, then the upload waits for its place.
    pub(crate) fn begin(uploads: &Arc<Semaphore>) -> Self {
        let waiting = Box::pin(uploads.clone().acquire_owned());
        Self { bytes: Vec::new(), deadline: Instant::now() + UPLOAD, place: Place::Waiting(waiting) }
    }

    /// Ready when the upload may go on.
    pub(crate) fn poll_place(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Place::Waiting(waiting) = &mut self.place {
            // The semaphore is never closed; were it, there would be no more uploads.
            if let Ok(permit) = ready!(waiting.as_mut().poll(cx)) {
                self.place = Place::Taken { _until_dropped: permit };
                self.deadline = Instant::now() + UPLOAD;
            }
        }
        Poll::Ready(())
    }

    /// Adds a part.
    pub(crate) fn add(&mut self, part: &Part) -> Result<(), ErrorCode> {
        if self.bytes.len() + part.bytes.len() > limits::COMMIT_UPLOAD {
            return Err(ErrorCode::TooLarge);
        }
        if self.is_late() {
            return Err(ErrorCode::TooSlow);
        }
        self.bytes.extend_from_slice(&part.bytes);
        Ok(())
    }

    /// Whether it took too long.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self.place, Place::Taken { .. }) && Instant::now() > self.deadline
    }

    /// The whole request.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_upload_is_put_together_and_bounded() {
        let uploads = Arc::new(Semaphore::new(1));
        let mut upload = Upload::begin(&uploads);
        std::future::poll_fn(|cx| upload.poll_place(cx)).await;
        let part = Part { bytes: vec![7; 1024 * 1024], last: false };
        for _ in 0..8 {
            upload.add(&part).unwrap();
        }
        assert_eq!(upload.add(&Part { bytes: vec![1], last: true }), Err(ErrorCode::TooLarge));
        assert_eq!(upload.finish().len(), limits::COMMIT_UPLOAD);
        assert_eq!(uploads.available_permits(), 1);
    }

    #[tokio::test]
    async fn further_uploads_wait_for_their_place() {
        let uploads = Arc::new(Semaphore::new(1));
        let mut first = Upload::begin(&uploads);
        std::future::poll_fn(|cx| first.poll_place(cx)).await;
        let mut second = Upload::begin(&uploads);
        let waits = std::future::poll_fn(|cx| Poll::Ready(second.poll_place(cx).is_pending())).await;
        assert!(waits);
        drop(first);
        std::future::poll_fn(|cx| second.poll_place(cx)).await;
    }
}
