//! The Client API: what every face of Subrosa speaks. Commands go in; a [`Reply`] or a [`Failure`] and [`Event`]s come out.
//!
//! All of it is plain data that serialises, so that it is the same in process and through the profile's socket. Adding a
//! field or a variant is compatible; a reader ignores what it does not know.

mod command;
mod event;
mod failure;
mod reply;

pub use crate::direct::DirectPolicy;
pub use command::{Command, HISTORY, Place, SETTING_NAME, SETTING_VALUE, SETTINGS, Secret, Target, Wait};
pub use event::{Event, Told};
pub use failure::{Failure, FailureCode};
pub use reply::{
    ChangedKeyRow, ChatKind, ChatRow, DeviceRow, Found, History, InviteKind, InviteLinkRow, InviteRow, KeyOwner,
    KeyRow, MemberRow, MessageRow, Overview, PastEvents, Preview, Reply, RoleLogRow, RoleRow, SendState, SentRow,
    Status, Via, WhoAmI,
};
