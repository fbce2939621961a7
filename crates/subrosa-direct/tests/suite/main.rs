//! Chats between two people of a test: what every communicator with every encryptor does alike ([`contract`]), what hostile
//! peers and networks try ([`hostile`]), and how files travel ([`files`]).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test that fails is a test that fails")]

mod contract;
mod files;
mod hostile;
mod meddler;
mod person;
