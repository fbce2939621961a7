//! One sample of every frame and statement of the schema, with fixed values in every field.
//!
//! Each sample carries the name that its kind has in `proto/`; `golden.rs` compares the names with the schema, so that a
//! new variant without a sample fails the test.

pub mod answers;
pub mod direct;
pub mod requests;
pub mod statements;

use std::fmt::Debug;

use bytes::Bytes;
use prost::Message;
use subrosa_wire::encode;
use subrosa_wire::proto::{DirectoryEntry, Head, LogEntry, RelayAddress, Signed};

/// A kind's name in the schema, what it says, and its bytes.
pub struct Sample {
    /// The name of the oneof's field, or of the statement.
    pub name: &'static str,
    /// The message as Rust shows it.
    pub shown: String,
    /// The message on the wire.
    pub bytes: Bytes,
}

/// Encodes a message, and checks that it survives that.
pub fn sample<M: Message + Default + PartialEq + Debug>(name: &'static str, message: M) -> Sample {
    let bytes = encode(&message);
    assert_eq!(M::decode(bytes.clone()).expect("a sample decodes"), message, "{name}");
    Sample { name, shown: format!("{message:?}"), bytes }
}

pub const AT: i64 = 1_700_000_000_000;

/// An id: 16 equal bytes.
pub fn id(byte: u8) -> Vec<u8> {
    vec![byte; 16]
}

/// A key, hash or nonce: 32 equal bytes.
pub fn key(byte: u8) -> Vec<u8> {
    vec![byte; 32]
}

/// A signature: 64 equal bytes.
pub fn signature(byte: u8) -> Vec<u8> {
    vec![byte; 64]
}

/// A signed statement whose content does not matter here.
pub fn signed(byte: u8) -> Signed {
    Signed { statement: vec![byte, byte], signature: signature(byte) }
}

/// A relay.
pub fn relay() -> RelayAddress {
    RelayAddress { host: "127.0.0.1".into(), port: 5535, fingerprint: key(0xB1), pass: vec![0xB2, 0xB3] }
}

pub fn directory_entry() -> DirectoryEntry {
    DirectoryEntry {
        account_statement: vec![0xA1, 0xA2],
        account_signature: signature(0xA3),
        attestation: signature(0xA4),
        device_list: vec![signed(0xA5), signed(0xA6)],
    }
}

pub fn head(byte: u8, sequence: u64) -> Head {
    Head { conversation_id: id(byte), sequence }
}

pub fn log_entry(sequence: u64) -> LogEntry {
    LogEntry { sequence, at: AT, message: Bytes::from_static(b"mls"), idempotency_key: id(0xE0) }
}
