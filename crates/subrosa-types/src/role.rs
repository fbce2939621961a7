//! Roles and the one permission table (rows A3 and A4).
//!
//! The server asks this module before it does something, and every client asks it again about what it receives. There
//! is no second table: whoever wants to know whether something is allowed calls [`Role::may`] or
//! [`may_set_role`].

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an account is on its server, lowest first; the order is the rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sends private messages; cannot create a group.
    Beginner,
    /// Creates groups and changes their members, too.
    Advanced,
    /// Makes advanced users, too.
    Admin,
    /// The one account that can make admins. Its role ends only by hand-over.
    SuperAdmin,
}

/// Something that a role allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ability {
    /// Make an account an admin.
    AddAdmin,
    /// Make an account an advanced user.
    AddAdvanced,
    /// Add members to and remove members from a group, and rename it.
    ChangeMembers,
    /// Create a group.
    CreateGroup,
    /// Send private messages.
    PrivateMessage,
    /// Read the audit log of role changes in words.
    ReadAudit,
    /// Make sign-up invitations.
    InviteToServer,
}

impl Role {
    /// All roles, lowest first.
    pub const ALL: [Self; 4] = [Self::Beginner, Self::Advanced, Self::Admin, Self::SuperAdmin];

    /// The permission table.
    pub const fn may(self, ability: Ability) -> bool {
        use Ability::{AddAdmin, AddAdvanced, ChangeMembers, CreateGroup, InviteToServer, PrivateMessage, ReadAudit};
        match self {
            Self::SuperAdmin => true,
            Self::Admin => match ability {
                AddAdmin => false,
                AddAdvanced | ChangeMembers | CreateGroup | PrivateMessage | ReadAudit | InviteToServer => true,
            },
            Self::Advanced => match ability {
                AddAdmin | AddAdvanced | ReadAudit | InviteToServer => false,
                ChangeMembers | CreateGroup | PrivateMessage => true,
            },
            Self::Beginner => match ability {
                AddAdmin | AddAdvanced | ChangeMembers | CreateGroup | ReadAudit | InviteToServer => false,
                PrivateMessage => true,
            },
        }
    }

    /// The word for this role on the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Beginner => "beginner",
            Self::Advanced => "advanced",
            Self::Admin => "admin",
            Self::SuperAdmin => "super-admin",
        }
    }

    /// The number for this role on the wire and in stores.
    pub const fn code(self) -> u8 {
        match self {
            Self::Beginner => 1,
            Self::Advanced => 2,
            Self::Admin => 3,
            Self::SuperAdmin => 4,
        }
    }

    /// The role with this number, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Beginner),
            2 => Some(Self::Advanced),
            3 => Some(Self::Admin),
            4 => Some(Self::SuperAdmin),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// A word that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such role; the roles are super-admin, admin, advanced and beginner")]
pub struct UnknownRole;

/// Why a role may not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoleRefusal {
    /// The target is the super admin, whose role ends only by hand-over.
    #[error("the super admin's role cannot be changed; it can only be handed over by the super admin")]
    SuperAdminIsFixed,
    /// Super admin is not given but handed over, and the other side has to accept.
    #[error("only the super admin can hand over the super admin role, and the other side must accept it")]
    OnlyByHandOver,
    /// The actor's rank is not above the target's.
    #[error("you can only change the role of somebody below your own rank")]
    NotBelowActor,
    /// The actor's role has no ability to give this role.
    #[error("your role does not allow you to give this role")]
    CannotGive,
    /// Nobody changes their own role.
    #[error("you cannot change your own role")]
    OwnRole,
    /// The target has this role already.
    #[error("this account already has that role")]
    Unchanged,
}

/// Whether `actor` may change `target`'s role to `wanted`; both are different accounts.
///
/// A hand-over is not a change of this kind: see [`may_hand_over`].
///
/// # Errors
/// The reason why not, the one that a person can do most about first.
pub fn may_set_role(actor: Role, target: Role, wanted: Role) -> Result<(), RoleRefusal> {
    if target == Role::SuperAdmin {
        return Err(RoleRefusal::SuperAdminIsFixed);
    }
    if wanted == Role::SuperAdmin {
        return Err(RoleRefusal::OnlyByHandOver);
    }
    // A beginner changes nobody's role, and nobody that of their own rank or higher.
    if !actor.may(Ability::AddAdvanced) {
        return Err(RoleRefusal::CannotGive);
    }
    if target >= actor {
        return Err(RoleRefusal::NotBelowActor);
    }
    match wanted {
        Role::Admin if !actor.may(Ability::AddAdmin) => Err(RoleRefusal::CannotGive),
        _ if wanted == target => Err(RoleRefusal::Unchanged),
        _ => Ok(()),
    }
}

/// Whether `actor` may offer the super admin role to somebody else.
///
/// # Errors
/// [`RoleRefusal::OnlyByHandOver`] unless the actor is the super admin.
pub fn may_hand_over(actor: Role) -> Result<(), RoleRefusal> {
    if actor == Role::SuperAdmin { Ok(()) } else { Err(RoleRefusal::OnlyByHandOver) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_one_of_row_a3() {
        let row = |role: Role| {
            [
                Ability::AddAdmin,
                Ability::AddAdvanced,
                Ability::ChangeMembers,
                Ability::CreateGroup,
                Ability::PrivateMessage,
            ]
            .map(|ability| role.may(ability))
        };
        assert_eq!(row(Role::SuperAdmin), [true; 5]);
        assert_eq!(row(Role::Admin), [false, true, true, true, true]);
        assert_eq!(row(Role::Advanced), [false, false, true, true, true]);
        assert_eq!(row(Role::Beginner), [false, false, false, false, true]);
    }

    #[test]
    fn each_change_of_role_is_decided_as_row_a4_says() {
        use Role::{Admin, Advanced, Beginner, SuperAdmin};
        let allowed: Vec<_> = Role::ALL
            .into_iter()
            .flat_map(|actor| Role::ALL.into_iter().map(move |target| (actor, target)))
            .flat_map(|(actor, target)| Role::ALL.into_iter().map(move |wanted| (actor, target, wanted)))
            .filter(|&(actor, target, wanted)| may_set_role(actor, target, wanted).is_ok())
            .collect();
        assert_eq!(
            allowed,
            [
                (Admin, Beginner, Advanced),
                (Admin, Advanced, Beginner),
                (SuperAdmin, Beginner, Advanced),
                (SuperAdmin, Beginner, Admin),
                (SuperAdmin, Advanced, Beginner),
                (SuperAdmin, Advanced, Admin),
                (SuperAdmin, Admin, Beginner),
                (SuperAdmin, Admin, Advanced),
            ]
        );
    }

    #[test]
    fn a_role_survives_its_word_and_its_number() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(Role::from_code(role.code()), Some(role));
        }
        assert_eq!("root".parse::<Role>(), Err(UnknownRole));
        assert_eq!(Role::from_code(0), None);
    }
}
