//! The fields of verified statements, read as the types that they stand for.

use subrosa_types::{AccountId, ConversationId, DeviceId, Role};

use crate::keys::VerifyingKey;

/// A field of a statement that has a wrong length or a value that does not exist. Who signed the statement is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the field {0} of the statement has no valid value")]
pub struct BadField(pub &'static str);

pub(crate) fn account(bytes: &[u8], name: &'static str) -> Result<AccountId, BadField> {
    AccountId::from_slice(bytes).map_err(|_| BadField(name))
}

pub(crate) fn device(bytes: &[u8], name: &'static str) -> Result<DeviceId, BadField> {
    DeviceId::from_slice(bytes).map_err(|_| BadField(name))
}

pub(crate) fn conversation(bytes: &[u8], name: &'static str) -> Result<ConversationId, BadField> {
    ConversationId::from_slice(bytes).map_err(|_| BadField(name))
}

pub(crate) fn key(bytes: &[u8], name: &'static str) -> Result<VerifyingKey, BadField> {
    VerifyingKey::from_slice(bytes).map_err(|_| BadField(name))
}

pub(crate) fn role(code: u32) -> Result<Role, BadField> {
    u8::try_from(code).ok().and_then(Role::from_code).ok_or(BadField("role"))
}
