//! How long things may take.

use std::time::Duration;

/// The patience of one side. Both sides may differ; `silence` of one must be well above `keep_alive` of the other.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Something is sent at least this often.
    pub keep_alive: Duration,
    /// Nothing came for so long: the link is dead.
    pub silence: Duration,
    /// From a link to agreed keys. More than `silence`, so that a listener that has not noticed a break yet has the time.
    pub handshake: Duration,
    /// How long a dialer may take for its first frame, and for its hello: it has both ready, so this is a round trip.
    /// Somebody who says nothing keeps a listener from others for no longer.
    pub first: Duration,
    /// How long what was said may take to be delivered when somebody leaves.
    pub farewell: Duration,
    /// Before the second try of a further link; doubled each time.
    pub retry: Duration,
    /// At most so long between two tries.
    pub retry_most: Duration,
    /// A broken link is given up after this. A listener does not count the time in which it hears strangers.
    pub give_up: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(1),
            silence: Duration::from_secs(5),
            handshake: Duration::from_secs(12),
            first: Duration::from_secs(2),
            farewell: Duration::from_secs(5),
            retry: Duration::from_millis(500),
            retry_most: Duration::from_secs(8),
            give_up: Duration::from_secs(120),
        }
    }
}
