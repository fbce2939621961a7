//! Stories: what people do with the program, done through the real binary by alice, bob and carol.
//!
//! One binary for all of them, so that they run side by side and share the [`harness`]. Each file is a theme; each test is
//! a story with a server, profiles and folders of its own.

mod harness;

mod absence;
mod accounts;
mod bad_luck;
mod console;
mod crowd;
mod devices;
mod direct;
mod direct_chats;
mod examples;
mod export;
mod groups;
mod invitations;
mod json;
mod key_change;
mod private_chat;
mod relay;
mod restarts;
mod roles;
mod room_crowd;
mod room_hostile;
mod rooms;
mod rpc;
mod shutdown;
mod terminal;
mod tui;
mod verify;
