//! Every limit of the system, enforced where the bytes are decoded. A limit that is not here does not exist.

/// Largest frame before login, in bytes.
pub const FRAME_BEFORE_LOGIN: usize = 16 * 1024;
/// Seconds a connection may take from its first byte to a finished login.
pub const LOGIN_SECONDS: u64 = 10;
/// Largest frame after login, in bytes.
pub const FRAME: usize = 1024 * 1024;
/// Largest commit with its welcome and group info (sent in parts of at most [`FRAME`]), in bytes.
pub const COMMIT_UPLOAD: usize = 8 * 1024 * 1024;
/// Largest ciphertext of an application message, in bytes.
pub const APPLICATION_MESSAGE: usize = 256 * 1024;
/// Longest text of one chat message, in bytes of UTF-8.
pub const TEXT: usize = 64 * 1024;
/// Devices of one account.
pub const DEVICES_PER_ACCOUNT: usize = 8;
/// Members (accounts) of one group with the post-quantum suite.
pub const GROUP_MEMBERS: usize = 1000;
/// Bytes queued to one connection before it is switched to reading from the log.
pub const CONNECTION_QUEUE: usize = 256 * 1024;
/// Guests in one room. A join or removal is then at most some 600 KiB, which fits a frame.
pub const ROOM_GUESTS: usize = 500;
/// Bytes queued to one guest of a room, who is ended when they are more (one frame always fits). What is queued to many is
/// in memory once.
pub const ROOM_QUEUE: usize = 1024 * 1024;
/// Requests of one connection that may wait for their answer; a further one is refused.
pub const REQUESTS_IN_FLIGHT: usize = 256;
/// Memory for a connection that has not logged in, in bytes.
pub const MEMORY_BEFORE_LOGIN: usize = 64 * 1024;
/// Login attempts that may come at once, per account and per address.
pub const LOGIN_BURST: u32 = 5;
/// Milliseconds until a further login attempt is allowed when the burst is used up.
pub const LOGIN_REFILL_MS: u64 = 10_000;
/// Messages that a device may send at once.
pub const MESSAGE_BURST: u32 = 60;
/// Messages a second that a device may send when the burst is used up.
pub const MESSAGES_PER_SECOND: u32 = 20;
/// Key packages that the server keeps for one device (one more is the last resort).
pub const KEY_PACKAGES_PER_DEVICE: usize = 32;
/// Largest key package, in bytes.
pub const KEY_PACKAGE: usize = 8 * 1024;
/// Longest username, in bytes of UTF-8.
pub const USERNAME: usize = 32;
/// Longest device name, in bytes of UTF-8.
pub const DEVICE_NAME: usize = 64;
/// Longest group title, in bytes of UTF-8.
pub const GROUP_TITLE: usize = 128;
/// Longest email address, in bytes (RFC 5321 §4.5.3.1.3, less the angle brackets).
pub const EMAIL: usize = 254;
/// Entries of a log in one page of an answer.
pub const PAGE_ENTRIES: usize = 1024;
/// Bytes of log entries in one page of an answer (one entry always fits).
pub const PAGE_BYTES: usize = 256 * 1024;
/// Largest sealed account vault, in bytes.
pub const VAULT: usize = 1024;
/// Days for which the server keeps log entries unless it is configured otherwise.
pub const RETENTION_DAYS: u32 = 90;
