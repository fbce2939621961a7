//! `ReserveConversation`: permission, id and certificate of a new conversation.
//!
//! Refused: `NOT_ALLOWED` for a group by who may not create one, or a chat with oneself; `NO_SUCH_ACCOUNT`;
//! `CONVERSATION_EXISTS` with the private chat that these two have; `RATE_LIMITED` for too many reservations that were
//! never founded. A reservation that is not founded stands in nobody's way and is forgotten after a day.

use subrosa_crypto::{ConversationKind, GroupCertificate};
use subrosa_types::{Ability, AccountId, ConversationId};
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{self, ReserveConversation, Reserved, answer};

use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::accounts;
use crate::store::conversations::{self, Reservation};

/// Reservations that an account may have at a time.
const RESERVATIONS: usize = 64;
/// Milliseconds until a reservation is forgotten.
const RESERVED_FOR_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &ReserveConversation) -> Handled {
    turn.count_change()?;
    let (kind, pair) = match proto::ConversationKind::try_from(request.kind) {
        Ok(proto::ConversationKind::Group) => {
            turn.require(login.account_id, Ability::CreateGroup)?;
            (ConversationKind::Group, None)
        }
        Ok(proto::ConversationKind::Private) => {
            turn.require(login.account_id, Ability::PrivateMessage)?;
            let peer = AccountId::from_slice(&request.peer)?;
            let peer_no = accounts::number(turn.store, peer)?.ok_or(ErrorCode::NoSuchAccount)?;
            let kind = ConversationKind::private(login.account_id, peer).ok_or(ErrorCode::NotAllowed)?;
            let pair = (login.account.min(peer_no), login.account.max(peer_no));
            if let Some(existing) = conversations::private_chat(turn.store, pair)? {
                return Err(Refusal::exists(existing).into());
            }
            (kind, Some(pair))
        }
        _ => return Err(ErrorCode::Malformed.into()),
    };
    conversations::prune_reservations(turn.store, login.account, turn.now.plus_millis(-RESERVED_FOR_MS))?;
    if conversations::reservations(turn.store, login.account)? >= RESERVATIONS {
        return Err(Refusal::retry_after(ErrorCode::RateLimited, 60_000).into());
    }

    let id = ConversationId::from_bytes(turn.random());
    let state = &turn.state;
    let certificate =
        GroupCertificate::issue(id, kind, login.account_id, state.roles.position(), turn.now, &state.identity.key);
    let reservation =
        Reservation { id, kind: request.kind, creator: login.account, pair, certificate: &certificate, at: turn.now };
    conversations::reserve(turn.store, &reservation)?;
    Ok(answer::Body::Reserved(Reserved { certificate: Some(certificate) }))
}

#[cfg(test)]
mod tests {
    use subrosa_wire::proto::ConversationKind as Kind;

    use super::*;
    use crate::core::testing::{Person, World};

    #[test]
    fn a_beginner_creates_no_group_but_writes_to_people() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        assert_eq!(bob.reserve(&mut world, Kind::Group, None).unwrap_err().code, ErrorCode::NotAllowed);
        let certificate = bob.reserve(&mut world, Kind::Private, Some(&alice)).unwrap();
        let certificate = GroupCertificate::verify(&certificate, &world.core.server_key()).unwrap();
        assert_eq!(certificate.creator, bob.id);
        assert_eq!(ConversationKind::private(alice.id, bob.id), Some(certificate.kind));
    }

    #[test]
    fn a_chat_needs_somebody_else_who_exists() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let nobody = Person::new(&mut world, "nobody");
        assert_eq!(alice.reserve(&mut world, Kind::Private, Some(&alice)).unwrap_err().code, ErrorCode::NotAllowed);
        let refused = alice.reserve(&mut world, Kind::Private, Some(&nobody)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NoSuchAccount);
    }

    #[test]
    fn reservations_that_are_not_founded_are_bounded_and_forgotten() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        for _ in 0..RESERVATIONS {
            alice.reserve(&mut world, Kind::Group, None).unwrap();
        }
        assert_eq!(alice.reserve(&mut world, Kind::Group, None).unwrap_err().code, ErrorCode::RateLimited);
        world.now = world.now.plus_millis(RESERVED_FOR_MS + 1);
        alice.reserve(&mut world, Kind::Group, None).unwrap();
    }
}
