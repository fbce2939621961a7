//! One kind of request a file: what it is refused for, the handler, its tests.
//!
//! A handler reads and checks everything that can say no before it writes. What it writes is in the batch's transaction;
//! what it says and pushes is released when that is on disk. Handlers that want a [`super::session::Login`] cannot be
//! called for a session that is not logged in.

pub(crate) mod accounts;
pub(crate) mod append;
pub(crate) mod commit;
pub(crate) mod conversations;
pub(crate) mod device_login;
pub(crate) mod enrol;
pub(crate) mod fetch_log;
pub(crate) mod found;
pub(crate) mod group_info;
pub(crate) mod hand_over;
pub(crate) mod hello;
pub(crate) mod inbox;
pub(crate) mod invites;
pub(crate) mod key_packages;
pub(crate) mod leave;
pub(crate) mod lookup;
pub(crate) mod password;
pub(crate) mod register;
pub(crate) mod relay_pass;
pub(crate) mod reserve;
pub(crate) mod reset;
pub(crate) mod revoke;
pub(crate) mod role_log;
pub(crate) mod room_pass;
pub(crate) mod set_role;
pub(crate) mod welcome;
