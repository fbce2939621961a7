//! The vocabulary of Subrosa: identifiers, names, roles and the one permission table, times and limits.
//!
//! This crate knows no network, no clock, no store and no cryptography. Everything else depends on it, so what stands
//! here is what server and clients must agree on to the letter:
//!
//! - [`ids`]: a newtype for each identifier and position; two kinds of id never mix by accident.
//! - [`name`]: usernames, device names and group titles, prepared by PRECIS and refused when they could deceive.
//! - [`role`]: the four roles, the ability table, and the rule that says who may change whose role.
//! - [`text`]: text of others, made safe for a terminal.
//! - [`limits`]: every limit of the system as a documented constant.

pub mod ids;
pub mod limits;
pub mod name;
pub mod role;
pub mod text;
pub mod time;

pub use ids::{AccountId, ConversationId, DeviceId, Epoch, IdempotencyKey, MessageId, RolePosition, Sequence};
pub use name::{DeviceName, GroupTitle, NameError, Username};
pub use role::{Ability, Role, RoleRefusal};
pub use time::Timestamp;
