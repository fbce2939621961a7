//! `Append`: one application message into a conversation's log. The hot path: it writes one row, and checks everything
//! before it does.
//!
//! Refused: `NO_SUCH_CONVERSATION`; `NOT_A_MEMBER`; `STALE_EPOCH` with the current epoch and head; `RATE_LIMITED`;
//! `NOT_ALLOWED` for a title by who may not change members, or in a private chat. What is no PrivateMessage of this
//! conversation, or too large, ends the connection.
//!
//! The same idempotency key again is answered with the same place again, before anything else is asked: the device's first
//! answer may have been lost, and epoch and limits may have changed since.
//!
//! What a device sends in one conversation stays in its order: when a message is refused for now (`RATE_LIMITED`,
//! `STORE_UNAVAILABLE`), those that were on their way behind it are refused as well, until it comes again.

use prost::Message;
use subrosa_mls::{Kind, peek};
use subrosa_types::{Ability, ConversationId, IdempotencyKey, Timestamp};
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Accepted, Append, MessageClass, MessageContext};

use crate::core::effects::{Appended, Effect};
use crate::core::failure::Failure;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::conversations::Phase;
use crate::store::{StoreError, log};

pub(crate) fn handle(turn: &mut Turn<'_>, request_id: u64, request: &Append) -> Result<(), Failure> {
    let login = turn.login()?;
    let id = ConversationId::from_slice(&request.conversation_id)?;
    let key = IdempotencyKey::from_slice(&request.idempotency_key)?;
    let message = peek(&request.message)?;
    if message.kind != Kind::Application || message.conversation != id {
        return Err(ErrorCode::Malformed.into());
    }

    let (store, faults) = (turn.store, turn.state.config.faults);
    let Some(conversation) = turn.state.conversations.find(store, id)? else {
        return Err(ErrorCode::NoSuchConversation.into());
    };
    if conversation.record.phase != Phase::Open {
        return Err(ErrorCode::NoSuchConversation.into());
    }
    if !conversation.serves(login.device) && !faults.skip_member_check() {
        return Err(ErrorCode::NotAMember.into());
    }
    let (no, is_group) = (conversation.record.no, conversation.record.pair.is_none());
    if let Some(sequence) = conversation.keys(store)?.find(key).filter(|_| !faults.forget_idempotency_key()) {
        let at = log::receipt(store, no, sequence)?.map_or(Timestamp(0), |(at, _)| at);
        accept(turn, request_id, sequence.0, at);
        return Ok(());
    }
    let (epoch, head) = (conversation.record.epoch, conversation.head);
    turn.check_order(id, key)?;
    if message.epoch != epoch && !faults.accept_old_epoch() {
        return Err(Refusal::stale(epoch.0, head.0).into());
    }
    check_class(turn, &login, message.authenticated_data, is_group)?;
    turn.count_message(id, key)?;

    let now = turn.now;
    let Some(conversation) = turn.state.conversations.change(store, id)? else {
        return Err(StoreError::Damaged("a conversation is missing").into());
    };
    let sequence = conversation.head.next();
    log::append(store, no, sequence, now, key, &request.message)?;
    conversation.head = sequence;
    conversation.keys(store)?.insert(key, sequence);
    turn.effects.all.push(Effect::Appended(Appended {
        conversation: id,
        sequence,
        at: now,
        key,
        message: request.message.clone(),
        sender: Some(login.device),
        recipients: conversation.members.clone(),
    }));
    accept(turn, request_id, sequence.0, now);
    Ok(())
}

fn accept(turn: &mut Turn<'_>, id: u64, sequence: u64, at: Timestamp) {
    turn.effects.all.push(Effect::Accepted(turn.session, Accepted { id, sequence, at: at.0 }));
}

/// The server's half of who may rename a group.
fn check_class(turn: &Turn<'_>, login: &Login, context: &[u8], is_group: bool) -> Result<(), Failure> {
    if context.is_empty() {
        return Ok(());
    }
    let context = MessageContext::decode(context).map_err(|_| ErrorCode::Malformed)?;
    if context.class != i32::from(MessageClass::Title) {
        return Ok(());
    }
    if is_group { turn.require(login.account_id, Ability::ChangeMembers) } else { Err(ErrorCode::NotAllowed.into()) }
}

#[cfg(test)]
mod tests {
    use subrosa_types::Role;
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::{ConversationKind, answer};

    use super::*;
    use crate::core::testing::World;

    fn sequence(answer: Result<answer::Body, Refusal>) -> u64 {
        match answer {
            Ok(answer::Body::Committed(committed)) => committed.sequence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_reaches_everybody_but_its_sender_as_it_was_sent() {
        let mut world = World::new();
        let (alice, bob, carol) = (world.sign_up("alice"), world.sign_up("bob"), world.sign_up("carol"));
        let group = alice.converse(&mut world, ConversationKind::Group, &[&bob, &carol]);
        let message = bob.device.message(&mut world, group, b"");
        assert_eq!(sequence(world.call(bob.device.session, Body::Append(message.clone()))), 2);
        for person in [&alice, &carol] {
            let entries = world.delivered(person.device.session);
            assert_eq!(entries.len(), 1);
            assert_eq!((entries[0].sequence, &entries[0].message), (2, &message.message));
            assert_eq!(entries[0].idempotency_key, message.idempotency_key);
            person.device.process(&mut world, group, &entries);
        }
        assert!(world.delivered(bob.device.session).is_empty());
    }

    #[test]
    fn the_same_key_is_appended_once_and_answered_again() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let message = alice.device.message(&mut world, chat, b"");
        let session = alice.device.session;
        let answers = world.batch([(session, Body::Append(message.clone())), (session, Body::Append(message.clone()))]);
        assert_eq!(answers.into_iter().map(sequence).collect::<Vec<_>>(), [2, 2]);
        // Also when the conversation is not in memory any more, and its epoch has changed.
        let commit = bob.device.change(&mut world, chat, &[], &[]);
        world.call(bob.device.session, Body::Commit(commit)).unwrap();
        world.core.state.conversations.forget(chat);
        assert_eq!(sequence(world.call(session, Body::Append(message))), 2);
        assert_eq!(alice.device.fetch_log(&mut world, chat, 0).unwrap().head, 3);
    }

    #[test]
    fn a_message_of_another_epoch_is_refused_with_the_present_one() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let message = alice.device.message(&mut world, chat, b"");
        let commit = bob.device.change(&mut world, chat, &[], &[]);
        world.call(bob.device.session, Body::Commit(commit)).unwrap();
        let refused = world.call(alice.device.session, Body::Append(message)).unwrap_err();
        assert_eq!(refused, Refusal::stale(2, 2));
    }

    #[test]
    fn strangers_and_unknown_conversations_are_refused() {
        let mut world = World::new();
        let (alice, bob, mallory) = (world.sign_up("alice"), world.sign_up("bob"), world.sign_up("mallory"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let message = alice.device.message(&mut world, chat, b"");
        let refused = world.call(mallory.device.session, Body::Append(message.clone())).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAMember);
        let other = ConversationId::from_bytes([9; 16]);
        let mut elsewhere = message.clone();
        elsewhere.message = [&message.message[..5], &[9; 16], &message.message[21..]].concat().into();
        elsewhere.conversation_id = other.to_vec();
        let refused = world.call(alice.device.session, Body::Append(elsewhere)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NoSuchConversation);
        let mut mismatched = message;
        mismatched.conversation_id = other.to_vec();
        let refused = world.call(alice.device.session, Body::Append(mismatched)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Malformed);
        assert_eq!(world.ended(alice.device.session), Some(ErrorCode::Malformed));
    }

    #[test]
    fn a_title_is_for_who_may_change_members() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let group = alice.converse(&mut world, ConversationKind::Group, &[&bob]);
        let aad = MessageContext { class: MessageClass::Title.into() }.encode_to_vec();
        let title = bob.device.message(&mut world, group, &aad);
        let refused = world.call(bob.device.session, Body::Append(title)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAllowed);
        world.set_role(&alice, &bob, Role::Advanced).unwrap();
        let title = bob.device.message(&mut world, group, &aad);
        world.call(bob.device.session, Body::Append(title)).unwrap();
    }

    #[test]
    fn messages_of_one_device_are_limited_and_those_of_others_are_not() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        for _ in 0..60 {
            let message = alice.device.message(&mut world, chat, b"");
            world.call(alice.device.session, Body::Append(message)).unwrap();
        }
        let message = alice.device.message(&mut world, chat, b"");
        let refused = world.call(alice.device.session, Body::Append(message.clone())).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_ms), (ErrorCode::RateLimited, 50));
        let reply = bob.device.message(&mut world, chat, b"");
        world.call(bob.device.session, Body::Append(reply)).unwrap();
        world.now = world.now.plus_millis(50);
        world.call(alice.device.session, Body::Append(message)).unwrap();
    }

    #[test]
    fn what_is_refused_for_now_is_not_overtaken() {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let session = alice.device.session;
        for _ in 0..60 {
            let message = alice.device.message(&mut world, chat, b"");
            world.call(session, Body::Append(message)).unwrap();
        }
        let first = alice.device.message(&mut world, chat, b"");
        let second = alice.device.message(&mut world, chat, b"");
        let code = |answer: Result<answer::Body, Refusal>| answer.unwrap_err().code;
        assert_eq!(code(world.call(session, Body::Append(first.clone()))), ErrorCode::RateLimited);
        // There is room for one again; the second was on its way already.
        world.now = world.now.plus_millis(50);
        assert_eq!(code(world.call(session, Body::Append(second.clone()))), ErrorCode::RateLimited);
        let before = sequence(world.call(session, Body::Append(first)));
        world.now = world.now.plus_millis(50);
        assert_eq!(sequence(world.call(session, Body::Append(second.clone()))), before + 1);
        // A message that never comes again is not waited for, for ever.
        let third = alice.device.message(&mut world, chat, b"");
        assert_eq!(code(world.call(session, Body::Append(third))), ErrorCode::RateLimited);
        let fourth = alice.device.message(&mut world, chat, b"");
        world.now = world.now.plus_millis(10_000);
        assert_eq!(sequence(world.call(session, Body::Append(fourth))), before + 2);
    }
}
