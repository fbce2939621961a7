//! Subrosa as a library: a direct, end-to-end encrypted chat between two programs, put together from four parts.
//!
//! A listener, in ten lines (a dialer is in [`Chat`]'s documentation; `examples/` has both, over each transport):
//!
//! ```no_run
//! use subrosa::{Chat, Encryption, Invitation, Lines, Pairing, Way, encryptor, tcp};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tcp::TcpListener::bind("127.0.0.1:0".parse()?).await?;
//! let invitation = Invitation::generate();
//! println!("{}", invitation.ticket(Encryption::Mls, Way::Tcp(listener.addresses())));
//! let chat = Chat::new(listener, encryptor::mls(), Lines::stdio());
//! chat.pairing(Pairing::inviting(&invitation)).run().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | trait | responsibility | implementations |
//! |---|---|---|
//! | [`Communicator`] | carries frames to one peer, in order | [`tcp`], [`quic`], [`memory`] |
//! | [`Encryptor`] | makes them secret and unchanged | [`encryptor::mls`], [`encryptor::rsa`], [`encryptor::danger_pseudo`] |
//! | [`Interactor`] | shows and asks | [`Lines`] |
//!
//! [`Chat`] ties them together. Everything is documented in `docs/library.md`.

pub use subrosa_direct::{
    BadTicketKey, Break, Chat, ChatError, Communicator, CommunicatorError, Direction, Encryption, Encryptor, Event,
    FileFacts, FileOutcome, Interactor, Invitation, Lines, Link, LinkEnd, Pairing, Path, RelayLink, ShortString, Side,
    Ticket, TicketError, Timing, Unseen, Way, Wish, encryptor, line_of, memory, quic, tcp, words,
};
