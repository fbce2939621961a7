//! `LeaveConversation`: the account leaves a group. At once it is neither served nor allowed to append; the server proposes
//! the removal of its devices. When the last account leaves, the group is closed.
//!
//! Refused: `NO_SUCH_CONVERSATION`; `NOT_A_MEMBER`; `NOT_ALLOWED` for a private chat, which belongs to its two accounts for
//! good (whoever wants none of it ignores it on their own device).

use subrosa_types::ConversationId;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::LeaveConversation;

use crate::core::done;
use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::conversations::{self, Phase};
use crate::store::devices;
use crate::store::inbox::Kind as Notice;

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &LeaveConversation) -> Handled {
    let id = ConversationId::from_slice(&request.conversation_id)?;
    let store = turn.store;
    let found = turn.state.conversations.find(store, id)?;
    let conversation =
        found.filter(|conversation| conversation.record.phase == Phase::Open).ok_or(ErrorCode::NoSuchConversation)?;
    let record = conversation.record.clone();
    let head = conversation.head;
    let leaves = conversation.leaves.clone();
    if !conversations::is_participant(store, record.no, login.account)? {
        return Err(ErrorCode::NotAMember.into());
    }
    if record.pair.is_some() {
        return Err(ErrorCode::NotAllowed.into());
    }
    turn.end_participation(id, login.account)?;
    // The account's devices learn it from their inbox: this one, too, for its answer may be lost.
    for device in devices::active(store, login.account)? {
        if leaves.iter().any(|leaf| leaf.device == device.no && !leaf.ending) {
            turn.put_into_inbox(device.no, Notice::Removed, (record.no, id), head)?;
        }
    }
    Ok(done())
}

#[cfg(test)]
mod tests {
    use subrosa_wire::proto::ConversationKind;
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::World;

    fn leave(id: ConversationId) -> Body {
        Body::LeaveConversation(LeaveConversation { conversation_id: id.to_vec() })
    }

    #[test]
    fn who_leaves_is_out_at_once_and_anybody_may_carry_it_out() {
        let mut world = World::new();
        let (alice, bob, carol) = (world.sign_up("alice"), world.sign_up("bob"), world.sign_up("carol"));
        let group = alice.converse(&mut world, ConversationKind::Group, &[&bob, &carol]);
        let message = bob.device.message(&mut world, group, b"");
        world.call(bob.device.session, leave(group)).unwrap();
        let refused = world.call(bob.device.session, Body::Append(message)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAMember);
        assert_eq!(world.call(bob.device.session, leave(group)).unwrap_err().code, ErrorCode::NotAMember);
        assert_eq!(bob.device.enter(&mut world, group).unwrap_err().code, ErrorCode::NotAMember);
        // Carol is a beginner and commits it all the same.
        let entries = world.delivered(carol.device.session);
        carol.device.process(&mut world, group, &entries);
        let commit = carol.device.change(&mut world, group, &[], &[]);
        world.call(carol.device.session, Body::Commit(commit)).unwrap();
        assert!(world.delivered(bob.device.session).is_empty());
    }

    #[test]
    fn when_the_last_one_leaves_the_group_is_closed() {
        let mut world = World::new();
        let (mut alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let group = alice.converse(&mut world, ConversationKind::Group, &[&bob]);
        let message = alice.device.message(&mut world, group, b"");
        world.call(bob.device.session, leave(group)).unwrap();
        world.call(alice.device.session, leave(group)).unwrap();
        for late in [leave(group), Body::Append(message)] {
            let refused = world.call(alice.device.session, late).unwrap_err();
            assert_eq!(refused.code, ErrorCode::NoSuchConversation);
        }
        assert!(alice.device.log_in(&mut world).unwrap().heads.is_empty());
    }

    #[test]
    fn a_private_chat_is_not_left() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        assert_eq!(world.call(bob.device.session, leave(chat)).unwrap_err().code, ErrorCode::NotAllowed);
    }
}
