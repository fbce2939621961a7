//! A direct chat between two people or programs: no account, no server that could read or order it.
//!
//! Four parts, each with one responsibility:
//!
//! | part | does | there are |
//! |---|---|---|
//! | [`Communicator`] | carries frames, in order | `tcp`, `memory`, `quic` |
//! | [`Encryptor`] | makes them secret and unchanged | `mls`, `rsa`, `pseudo` |
//! | [`Interactor`] | shows and asks | [`Lines`], the program's console, yours |
//! | [`Chat`] | ties them together: who is there, what was delivered, what is sent again | |
//!
//! ```text
//!   Interactor ⇄ Chat (texts, files) ⇄ records (numbered) ⇄ Encryptor ⇄ frames ⇄ Communicator
//! ```
//!
//! The protocol is in `direct.proto`; what each part keeps is in its own documentation.
//!
//! Invariants, with an encryptor that protects: what is shown was said by the holder of the key that was proved at the
//! start, in the order in which it was said, each thing once, nothing left out; and what was said is delivered or known
//! not to be. Without a goodbye nobody believes that a chat is over.

mod chat;
mod desk;
pub mod encryptor;
mod error;
pub mod files;
mod handshake;
mod hello;
mod interactor;
mod lines;
mod pairing;
pub mod quic;
mod record;
mod session;
mod texts;
mod timing;
pub mod words;

pub use chat::Chat;
pub use error::{Break, ChatError};
pub use files::FileOutcome;
pub use interactor::{Direction, Event, FileFacts, Interactor, Unseen, Wish};
pub use lines::{Lines, line_of};
pub use pairing::{BadTicketKey, Invitation, Pairing};
pub use subrosa_crypto::ShortString;
pub use subrosa_crypto::encryptor::{Encryptor, Side};
pub use subrosa_net::direct::{Communicator, CommunicatorError, Link, LinkEnd, Path, memory, tcp};
pub use subrosa_wire::ticket::Way;
pub use subrosa_wire::{Encryption, RelayLink, Ticket, TicketError};
pub use timing::Timing;
