//! Refusals in words for people: what happened, what was kept safe, what to do next.

use subrosa_types::Username;
use subrosa_wire::Refusal;
use subrosa_wire::proto::ErrorCode;

use crate::api::{Failure, FailureCode};

/// The words for a refusal by the server.
pub fn refusal(refusal: &Refusal) -> Failure {
    use FailureCode::{Environment, Policy, RateLimited, Unexpected, Untrusted, Usage};
    let wait = refusal.retry_after_ms.div_ceil(1000).max(1);
    let (code, kind, message) = match refusal.code {
        ErrorCode::WrongCredentials => return wrong_credentials(),
        ErrorCode::UsernameTaken => {
            (Usage, "username_taken", "this name is taken, or looks too much like one that is; choose another".into())
        }
        ErrorCode::UsernameRefused => {
            (Usage, "username_refused", "the server does not take this name; choose another".into())
        }
        ErrorCode::SignupClosed => {
            (Policy, "signup_closed", "this server takes no new accounts; ask its operator".into())
        }
        ErrorCode::InviteNeeded => (
            Policy,
            "invite_needed",
            "this server wants an invitation that is still good; ask somebody for one and give it with --invite".into(),
        ),
        ErrorCode::SetupCodeNeeded => (
            Policy,
            "setup_code_needed",
            "the first account of this server needs the setup code that the server printed; give it with --setup".into(),
        ),
        ErrorCode::TooManyDevices => {
            (Policy, "too_many_devices", "this account has as many devices as it may; end one with 'devices revoke'".into())
        }
        ErrorCode::BadSignature => (
            Untrusted,
            "bad_signature",
            "the server says that a signature of this device does not verify; nothing was changed".into(),
        ),
        ErrorCode::DeviceRevoked => {
            (Usage, "device_revoked", "this device was removed from the account; log in again to enrol it anew".into())
        }
        ErrorCode::NotAllowed => {
            (Policy, "not_allowed", "your role does not allow this; ask an admin of the server".into())
        }
        ErrorCode::NotAMember => (Policy, "not_a_member", "you are not a member of this chat (any more)".into()),
        ErrorCode::NoSuchAccount => {
            (Usage, "no_such_account", "there is nobody of that name on this server; check the spelling".into())
        }
        ErrorCode::NoSuchConversation => (Usage, "no_such_chat", "there is no such chat on the server".into()),
        ErrorCode::ConversationExists => (Usage, "chat_exists", "this chat exists already; try again".into()),
        ErrorCode::RoleRefused => {
            (Policy, "role_refused", "the rules of roles do not allow this change; 'role list' shows who is what".into())
        }
        ErrorCode::StaleOrder => (
            Policy,
            "stale_order",
            "a role, or your devices, changed in the meantime, so nothing was done; look again and try again".into(),
        ),
        ErrorCode::NoSuchDevice => (Usage, "no_such_device", "there is no such device; 'devices' lists them".into()),
        ErrorCode::NoHandOver => (Usage, "no_hand_over", "the super admin role is not being offered to you".into()),
        ErrorCode::NoSuchInvite => {
            (Usage, "no_such_invite", "there is no such sign-up invitation; 'invite-link list' shows them".into())
        }
        ErrorCode::GroupFull => (Policy, "group_full", "the group has as many members as it may".into()),
        ErrorCode::NoKeyPackage => {
            (Policy, "no_device", "they have no device that could be reached; ask them to log in, then try again".into())
        }
        ErrorCode::NoRelay => (Policy, "no_relay", "this server has no relay for direct links".into()),
        ErrorCode::RoomsOff => (Policy, "rooms_off", "this server has no rooms; its operator switched them off".into()),
        ErrorCode::RoomPassNeeded => (
            Policy,
            "account_needed",
            "only people with an account on this server may enter its rooms; sign up or log in there first".into(),
        ),
        ErrorCode::RoomFull => {
            (Policy, "room_full", "there is no place for one more guest at the moment; try again later".into())
        }
        ErrorCode::RateLimited => {
            (RateLimited, "rate_limited", format!("too many at once; try again in {wait} s"))
        }
        ErrorCode::StoreUnavailable => (
            Environment,
            "server_store_unavailable",
            "the server cannot write at the moment (its disk is full or read-only); nothing was half-done, try again later"
                .into(),
        ),
        ErrorCode::GoingDown => (Environment, "server_going_down", "the server is going down; try again later".into()),
        ErrorCode::TooLarge => (Usage, "too_large", "this is larger than the server takes; send less at once".into()),
        ErrorCode::UnsupportedVersion => (
            Environment,
            "unsupported_version",
            "the server speaks another version of the protocol; update the older of the two".into(),
        ),
        ErrorCode::TooSlow => (Environment, "too_slow", "the login took too long; try again".into()),
        ErrorCode::StaleEpoch
        | ErrorCode::BadCommit
        | ErrorCode::PendingProposals
        | ErrorCode::NotYourTurn
        | ErrorCode::Unspecified
        | ErrorCode::Malformed
        | ErrorCode::OutOfState
        | ErrorCode::UnknownRequest
        | ErrorCode::Internal => (
            Unexpected,
            "server_refused",
            format!("the server refused for a technical reason ({}); try again, and report it if it stays", refusal.code.as_str_name()),
        ),
    };
    Failure::new(code, kind, message)
}

/// Whether the server may do later what it refuses now.
pub const fn is_passing(refused: &Refusal) -> bool {
    matches!(refused.code, ErrorCode::StoreUnavailable | ErrorCode::Internal | ErrorCode::GoingDown)
}

/// The server cannot take something now: it stays here and is tried again.
pub fn kept(refused: &Refusal) -> Failure {
    let failure = refusal(refused);
    let why = failure.message.split(';').next().unwrap_or_default();
    Failure { message: format!("{why}; what you asked for is kept and done when it can be"), kept: true, ..failure }
}

/// Wrong user and wrong password: the same words.
pub fn wrong_credentials() -> Failure {
    Failure::usage("wrong_credentials", "the name or the password is wrong; check both and try again")
}

/// A changed key stops sending.
pub fn key_changed(name: &str) -> Failure {
    Failure::new(
        FailureCode::Untrusted,
        "key_changed",
        format!(
            "the key of @{name} changed, so nothing was sent; compare the safety number with them ('verify @{name}'), then \
             'verify @{name} --confirm' or 'accept @{name}'"
        ),
    )
}

/// A directory entry that does not verify.
pub fn bad_attestation(name: &str) -> Failure {
    Failure::new(
        FailureCode::Untrusted,
        "bad_attestation",
        format!("what the server says about {name} is not signed as it must be, so nothing was sent; ask its operator"),
    )
}

/// A key package that is not of a certified device.
pub fn bad_key_package(name: &str) -> Failure {
    Failure::new(
        FailureCode::Untrusted,
        "bad_key_package",
        format!(
            "the server named a device of @{name} that their account did not certify, so nothing was sent; ask its operator"
        ),
    )
}

/// Nobody of that name.
pub fn nobody(name: &Username, why: &Refusal) -> Failure {
    match why.code {
        ErrorCode::NoSuchAccount => Failure::usage(
            "no_such_account",
            format!("there is nobody called @{name} on this server; check the spelling"),
        ),
        _ => refusal(why),
    }
}

/// The profile has no account.
pub fn not_logged_in() -> Failure {
    Failure::usage("not_logged_in", "this profile has no account yet; use 'signup' or 'login' first")
}

/// The device that this profile was has ended.
pub fn ended(reason: &str) -> Failure {
    let message =
        format!("{reason}, and nothing of it is kept here; use 'login' to make this a new device of the account");
    Failure::usage("not_logged_in", message)
}

/// A message's id is used already.
pub fn id_taken() -> Failure {
    Failure::usage("id_taken", "this id stands for another message already; nothing was sent: take another id")
}

/// The server was not reached in time.
pub fn unreachable(reason: &str) -> Failure {
    let why = if reason.is_empty() { "it does not answer" } else { reason };
    Failure::new(
        FailureCode::Environment,
        "server_unreachable",
        if why.starts_with("the server") {
            why.to_owned()
        } else {
            format!("the server cannot be reached: {why}; try again later")
        },
    )
}

/// The connection broke after a request went out.
pub fn interrupted() -> Failure {
    Failure::new(
        FailureCode::Environment,
        "interrupted",
        "the connection broke before the server answered; look whether it was done, then try again",
    )
}
