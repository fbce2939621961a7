//! `FoundConversation`: the group as its creator made it, and the commit that adds the others, in one transaction.
//!
//! Refused: `NO_SUCH_CONVERSATION` for what was not reserved; `NOT_A_MEMBER` for a reservation of somebody else;
//! `CONVERSATION_EXISTS` with the private chat that was founded meanwhile; `NOT_ALLOWED` if the role does not allow it any
//! more; `BAD_COMMIT` unless the group is of epoch 0, has one leaf, which is this device's, carries the reserved
//! certificate, and names this server as its external sender; and for whatever the first commit is refused.
//!
//! The same request again is answered with the same place again. In a private chat both accounts are in from the start,
//! whatever devices the first commit adds: the other side's devices may always enter.

use subrosa_crypto::statement;
use subrosa_mls::follower::Follower;
use subrosa_types::{Ability, ConversationId, Sequence};
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Committed, FoundConversation, answer};

use crate::core::failure::{Failure, Handled};
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::conversations::{self, ConversationRecord, Phase};
use crate::store::{devices, log};

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &FoundConversation) -> Handled {
    let id = ConversationId::from_slice(&request.conversation_id)?;
    let commit = request.first_commit.as_ref().ok_or(ErrorCode::Malformed)?;
    if commit.conversation_id != request.conversation_id {
        return Err(ErrorCode::Malformed.into());
    }
    turn.count_change()?;
    let record = conversations::by_id(turn.store, id)?.ok_or(ErrorCode::NoSuchConversation)?;
    if record.creator != login.account {
        return Err(ErrorCode::NotAMember.into());
    }
    if record.phase != Phase::Reserved {
        return again(turn, &record, &commit.idempotency_key);
    }
    match record.pair {
        Some(pair) => {
            if let Some(existing) = conversations::private_chat(turn.store, pair)? {
                return Err(Refusal::exists(existing).into());
            }
            turn.require(login.account_id, Ability::PrivateMessage)?;
        }
        None => turn.require(login.account_id, Ability::CreateGroup)?,
    }

    let follower = Follower::found(&request.group_info, &request.ratchet_tree)?;
    check_group(turn, login, &record, &follower)?;
    conversations::set_phase(turn.store, record.no, Phase::Open)?;
    conversations::put_group(turn.store, record.no, &follower.save(), &request.group_info)?;
    conversations::put_leaf(turn.store, record.no, login.device, 0, Sequence(0))?;
    conversations::add_participant(turn.store, record.no, login.account)?;
    if let Some((low, high)) = record.pair {
        conversations::add_participant(turn.store, record.no, low)?;
        conversations::add_participant(turn.store, record.no, high)?;
    }
    turn.state.conversations.forget(id);
    let store = turn.store;
    if let Some(conversation) = turn.state.conversations.change(store, id)? {
        conversation.set_follower(follower);
    }
    let committed = turn.order_commit(login, id, commit)?;
    Ok(answer::Body::Committed(committed))
}

/// The answer to a repetition: the place of the first commit.
fn again(turn: &Turn<'_>, record: &ConversationRecord, key: &[u8]) -> Handled {
    match log::receipt(turn.store, record.no, Sequence(1))? {
        Some((at, first)) if first == key => Ok(answer::Body::Committed(Committed { sequence: 1, epoch: 1, at: at.0 })),
        _ => Err(Refusal::exists(record.id).into()),
    }
}

fn check_group(
    turn: &Turn<'_>,
    login: &Login,
    record: &ConversationRecord,
    follower: &Follower,
) -> Result<(), Failure> {
    let certificate = statement::to_bytes(&conversations::certificate(turn.store, record.no)?);
    let device = devices::by_number(turn.store, login.device)?;
    let members = follower.members();
    let [founder] = members.as_slice() else { return Err(ErrorCode::BadCommit.into()) };
    let sound = follower.conversation() == record.id
        && follower.certificate().is_some_and(|found| found == certificate)
        && follower.server_key() == Some(*turn.state.identity.public.as_bytes())
        && founder.credential == device.credential
        && founder.signature_key == device.key;
    if sound { Ok(()) } else { Err(ErrorCode::BadCommit.into()) }
}

#[cfg(test)]
mod tests {
    use subrosa_types::Role;
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::inbox_item::Item;
    use subrosa_wire::proto::{ConversationKind, InboxItem};

    use super::*;
    use crate::core::testing::World;

    #[test]
    fn a_founding_is_answered_again_in_the_same_way() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let certificate = alice.reserve(&mut world, ConversationKind::Group, None).unwrap();
        let (_, found) = alice.founding(&mut world, &certificate, &[&bob]);
        for _ in 0..2 {
            let answer = world.call(alice.device.session, Body::FoundConversation(found.clone())).unwrap();
            let answer::Body::Committed(committed) = answer else { panic!("{answer:?}") };
            assert_eq!((committed.sequence, committed.epoch), (1, 1));
        }
        assert_eq!(bob.device.inbox(&mut world).len(), 1);
    }

    #[test]
    fn a_device_that_enrolled_meanwhile_is_told_that_it_may_enter() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let certificate = alice.reserve(&mut world, ConversationKind::Private, Some(&bob)).unwrap();
        let (id, found) = alice.founding(&mut world, &certificate, &[&bob]);
        let (tablet, logged_in) = alice.enrol(&mut world);
        assert!(logged_in.joinable.is_empty());
        world.call(alice.device.session, Body::FoundConversation(found)).unwrap();
        let notices = tablet.inbox(&mut world);
        assert!(
            matches!(&notices[..], [InboxItem { item: Some(Item::Joinable(notice)), .. }] if notice.conversation_id == id.to_vec()),
            "{notices:?}"
        );
    }

    #[test]
    fn what_was_not_reserved_or_by_somebody_else_is_refused() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        world.set_role(&alice, &bob, Role::Admin).unwrap();
        let certificate = alice.reserve(&mut world, ConversationKind::Group, None).unwrap();
        let (_, found) = bob.founding(&mut world, &certificate, &[&alice]);
        let refused = world.call(bob.device.session, Body::FoundConversation(found.clone())).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAMember);
        // Bob's group in alice's name.
        let refused = world.call(alice.device.session, Body::FoundConversation(found.clone())).unwrap_err();
        assert_eq!(refused.code, ErrorCode::BadCommit);
        let mut unknown = found;
        unknown.conversation_id = vec![1; 16];
        if let Some(commit) = &mut unknown.first_commit {
            commit.conversation_id = vec![1; 16];
        }
        let refused = world.call(alice.device.session, Body::FoundConversation(unknown)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NoSuchConversation);
    }

    #[test]
    fn another_certificate_than_the_reserved_one_is_refused_and_nothing_is_founded() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let mut certificate = alice.reserve(&mut world, ConversationKind::Group, None).unwrap();
        certificate.signature[0] ^= 1;
        let (id, found) = alice.founding(&mut world, &certificate, &[&bob]);
        let refused = world.call(alice.device.session, Body::FoundConversation(found)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::BadCommit);
        assert_eq!(alice.device.fetch_log(&mut world, id, 0).unwrap_err().code, ErrorCode::NotAMember);
    }

    #[test]
    fn a_role_that_was_lost_since_the_reservation_founds_nothing() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        world.set_role(&alice, &bob, Role::Advanced).unwrap();
        let certificate = bob.reserve(&mut world, ConversationKind::Group, None).unwrap();
        let (_, found) = bob.founding(&mut world, &certificate, &[&alice]);
        world.set_role(&alice, &bob, Role::Beginner).unwrap();
        let refused = world.call(bob.device.session, Body::FoundConversation(found)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAllowed);
    }

    #[test]
    fn of_two_that_found_the_same_private_chat_the_second_learns_of_the_first() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let by_alice = alice.reserve(&mut world, ConversationKind::Private, Some(&bob)).unwrap();
        let by_bob = bob.reserve(&mut world, ConversationKind::Private, Some(&alice)).unwrap();
        let (id, first) = alice.founding(&mut world, &by_alice, &[&bob]);
        let (_, second) = bob.founding(&mut world, &by_bob, &[&alice]);
        let answers = world.batch([
            (alice.device.session, Body::FoundConversation(first)),
            (bob.device.session, Body::FoundConversation(second)),
        ]);
        assert!(answers[0].is_ok());
        assert_eq!(answers[1].clone().unwrap_err(), Refusal::exists(id));
        let again = bob.reserve(&mut world, ConversationKind::Private, Some(&alice)).unwrap_err();
        assert_eq!(again, Refusal::exists(id));
    }

    #[test]
    fn a_private_chat_waits_for_somebody_without_a_device() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        bob.revoke(&mut world, bob.device.id).unwrap();
        let certificate = alice.reserve(&mut world, ConversationKind::Private, Some(&bob)).unwrap();
        let (id, found) = alice.founding(&mut world, &certificate, &[&bob]);
        world.call(alice.device.session, Body::FoundConversation(found)).unwrap();
        let mut bob = bob;
        bob.device.session = alice.device.session;
        let (tablet, logged_in) = bob.enrol(&mut world);
        assert_eq!(logged_in.joinable, [id.to_vec()]);
        let commit = tablet.enter(&mut world, id).unwrap();
        world.call(tablet.session, Body::Commit(commit)).unwrap();
    }
}
