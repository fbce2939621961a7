//! What an operator decides about rooms.

use serde::Deserialize;
use subrosa_types::limits;

use crate::core::Rate;

/// Who may enter rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomPolicy {
    /// Everybody who reaches the server.
    Open,
    /// Who has an account on it.
    Members,
    /// Nobody.
    Off,
}

/// How large all of it may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomLimits {
    /// Rooms at a time. Default: 256.
    pub rooms: usize,
    /// Rooms at a time that were opened from one address (of IPv6, one /64) that is not this machine's own. Default: 8.
    pub rooms_an_address: usize,
    /// Guests at a time, in all rooms. Default: 2048.
    pub guests: usize,
    /// Guests in one room. Default and most: 500.
    pub guests_a_room: usize,
    /// Guests from one address (of IPv6, one /64) that is not this machine's own. Default: 64.
    pub guests_an_address: usize,
    /// How often one address may ask to enter.
    pub enter: Rate,
    /// The same from a loopback address: people on this machine share it, and so do tests.
    pub enter_from_loopback: Rate,
    /// Messages of one guest.
    pub messages: Rate,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            rooms: 256,
            rooms_an_address: 8,
            guests: 2048,
            guests_a_room: limits::ROOM_GUESTS,
            guests_an_address: 64,
            enter: Rate { burst: 20, refill_ms: 1000 },
            enter_from_loopback: Rate { burst: 1000, refill_ms: 10 },
            messages: Rate { burst: limits::MESSAGE_BURST, refill_ms: 1000 / limits::MESSAGES_PER_SECOND as u64 },
        }
    }
}
