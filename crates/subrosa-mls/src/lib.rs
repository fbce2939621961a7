//! The group engine: MLS (RFC 9420) over OpenMLS, for devices and, apart from them, for the server that follows.
//!
//! Sans-IO: no sockets, no tasks, no clock; bytes, randomness and the store's transaction come in as arguments. (One
//! exception is not ours to remove: OpenMLS compares leaf lifetimes with the system clock; [`suite::lifetime`] makes the
//! answer always the same.)
//!
//! ```text
//!             client                                server
//!   Mls (conn, rng, identity)                 Follower (one blob)
//!     key_package   Group::create               found ── inspect ── merge
//!     Joining ── accept                                    │
//!     Group::join_external                     propose_remove, verify_group_info,
//!     change ── merge_pending                  check_key_package
//!     encrypt, process ── merge
//!          └────────── peek, CommitSummary, policy ──────────┘
//! ```
//!
//! Invariants:
//! - Every operation works inside the caller's transaction and opens none. When one fails, roll the transaction back,
//!   drop the [`Group`] and load it again.
//! - A commit changes nothing until it is merged: [`Group::merge_pending`] for one's own, once the server has ordered it;
//!   [`Group::merge`] for another's, once it was looked at. The same for the server with [`follower::Follower::merge`].
//! - Handshakes are PublicMessages, application messages PrivateMessages of the current epoch.
//! - Nothing that a peer or a server sends panics.
//!
//! [`MlsEncryptor`] makes a direct link secret with a group of two that no server orders.
//!
//! [`follower`] uses none of the client's code and holds no secret: it cannot decrypt.

mod crypto;
mod encryptor;
pub mod follower;
mod group;
mod hpke;
mod identity;
mod key_package;
mod member;
mod peek;
mod policy;
mod provider;
mod signer;
pub mod storage;
pub mod suite;
mod summary;
mod wire;

pub use encryptor::MlsEncryptor;
pub use group::{
    Group, GroupError, JoinError, Joining, MessageSender, ProcessError, Processed, Proposed, ReceivedProposal, Staged,
};
pub use identity::{Identity, Mls};
pub use key_package::{KeyPackageError, KeyPackageInfo};
pub use member::{LeafIndex, Member};
pub use peek::{Kind, Peek, PeekError, peek};
pub use policy::Violation;
pub use provider::RandomnessFailed;
pub use signer::{InvalidSeed, LeafSigner};
pub use storage::{SCHEMA, StorageError, delete_group, delete_keys};
pub use summary::{CommitSummary, LeafUpdate, Removal};
pub use wire::Malformed;
