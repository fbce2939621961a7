//! `Commit`: a step of a group. What it is refused for is told in [`crate::core::ordering`]: `NO_SUCH_CONVERSATION`,
//! `NOT_A_MEMBER`, `STALE_EPOCH`, `BAD_COMMIT`, `STALE_ORDER`, `NOT_ALLOWED`, `NO_SUCH_DEVICE`, `PENDING_PROPOSALS`,
//! `GROUP_FULL`, `RATE_LIMITED`.

use subrosa_types::ConversationId;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{Commit, answer};

use crate::core::failure::Handled;
use crate::core::session::Login;
use crate::core::turn::Turn;
use crate::store::conversations::{self, Phase};

pub(crate) fn handle(turn: &mut Turn<'_>, login: &Login, request: &Commit) -> Handled {
    let id = ConversationId::from_slice(&request.conversation_id)?;
    let store = turn.store;
    let Some(conversation) = turn.state.conversations.find(store, id)? else {
        return Err(ErrorCode::NoSuchConversation.into());
    };
    if conversation.record.phase != Phase::Open {
        return Err(ErrorCode::NoSuchConversation.into());
    }
    let no = conversation.record.no;
    if !conversation.serves(login.device) && !conversations::is_participant(store, no, login.account)? {
        return Err(ErrorCode::NotAMember.into());
    }
    turn.count_change()?;
    let committed = turn.order_commit(login, id, request)?;
    Ok(answer::Body::Committed(committed))
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use subrosa_types::Role;
    use subrosa_wire::Refusal;
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::{self, CommitContext, ConversationKind, inbox_item, server_frame};

    use super::*;
    use crate::core::testing::{Person, World};

    /// Alice, super admin, in a group with bob, a beginner; carol stands outside.
    fn group(world: &mut World) -> (Person, Person, Person, ConversationId) {
        let (alice, bob, carol) = (world.sign_up("alice"), world.sign_up("bob"), world.sign_up("carol"));
        let group = alice.converse(world, ConversationKind::Group, &[&bob]);
        (alice, bob, carol, group)
    }

    fn added(inbox: &[proto::InboxItem]) -> Vec<u64> {
        let welcomes = inbox.iter().filter_map(|item| match &item.item {
            Some(inbox_item::Item::Welcome(welcome)) => Some(welcome.sequence),
            _ => None,
        });
        welcomes.collect()
    }

    #[test]
    fn who_is_added_gets_a_welcome_and_reads_from_there_on() {
        let mut world = World::new();
        let (alice, bob, carol, group) = group(&mut world);
        let packages = alice.fetch_key_packages(&mut world, &carol);
        let commit = alice.device.change(&mut world, group, &packages, &[]);
        let answer = world.call(alice.device.session, Body::Commit(commit)).unwrap();
        let answer::Body::Committed(committed) = answer else { panic!("{answer:?}") };
        assert_eq!((committed.sequence, committed.epoch), (2, 2));
        alice.device.merge(&mut world, group);

        let entries = world.delivered(bob.device.session);
        bob.device.process(&mut world, group, &entries);
        assert!(world.delivered(alice.device.session).is_empty());
        let news = world.news(carol.device.session);
        assert!(news.iter().any(|news| matches!(news, server_frame::Body::InboxGrew(_))), "{news:?}");
        assert_eq!(added(&carol.device.inbox(&mut world)), [2]);
        carol.device.join(&mut world, group, 2);

        let message = bob.device.message(&mut world, group, b"");
        world.call(bob.device.session, Body::Append(message)).unwrap();
        let page = carol.device.fetch_log(&mut world, group, 0).unwrap();
        assert_eq!(page.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [3]);
        assert_eq!((page.first, page.head), (3, 3));

        // The welcome is kept until it is acknowledged, and then gone.
        let through = carol.device.inbox(&mut world)[0].position;
        let acknowledge = proto::AcknowledgeInbox { through };
        world.call(carol.device.session, Body::AcknowledgeInbox(acknowledge)).unwrap();
        assert!(carol.device.inbox(&mut world).is_empty());
        let left: i64 = world
            .core
            .store
            .query_row("SELECT count(*) FROM welcome WHERE position & 15 = 2", [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 0);
    }

    #[test]
    fn who_is_removed_is_told_and_served_no_more() {
        let mut world = World::new();
        let (alice, bob, _, group) = group(&mut world);
        let message = bob.device.message(&mut world, group, b"");
        let commit = alice.device.change(&mut world, group, &[], &[&bob.device]);
        world.call(alice.device.session, Body::Commit(commit)).unwrap();
        alice.device.merge(&mut world, group);
        let inbox = bob.device.inbox(&mut world);
        assert!(matches!(inbox.last().unwrap().item, Some(inbox_item::Item::Removed(_))), "{inbox:?}");
        assert!(world.delivered(bob.device.session).is_empty());
        let refused = world.call(bob.device.session, Body::Append(message)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAMember);
        assert_eq!(bob.device.fetch_log(&mut world, group, 0).unwrap_err().code, ErrorCode::NotAMember);
        assert_eq!(bob.device.enter(&mut world, group).unwrap_err().code, ErrorCode::NotAMember);
        let message = alice.device.message(&mut world, group, b"");
        world.call(alice.device.session, Body::Append(message)).unwrap();
        assert!(world.delivered(bob.device.session).is_empty());
    }

    #[test]
    fn a_beginner_changes_nobodys_membership() {
        let mut world = World::new();
        let (alice, bob, carol, group) = group(&mut world);
        let packages = bob.fetch_key_packages(&mut world, &carol);
        let commit = bob.device.change(&mut world, group, &packages, &[]);
        assert_eq!(world.call(bob.device.session, Body::Commit(commit)).unwrap_err().code, ErrorCode::NotAllowed);
        bob.device.discard(&mut world, group);
        let commit = bob.device.change(&mut world, group, &[], &[&alice.device]);
        assert_eq!(world.call(bob.device.session, Body::Commit(commit)).unwrap_err().code, ErrorCode::NotAllowed);
        bob.device.discard(&mut world, group);

        // As soon as the role allows it, in the commit's context too, it is accepted.
        let stale = bob.device.change(&mut world, group, &packages, &[]);
        world.set_role(&alice, &bob, Role::Advanced).unwrap();
        assert_eq!(world.call(bob.device.session, Body::Commit(stale)).unwrap_err().code, ErrorCode::NotAllowed);
        bob.device.discard(&mut world, group);
        let commit = bob.device.change(&mut world, group, &packages, &[]);
        world.call(bob.device.session, Body::Commit(commit)).unwrap();
    }

    #[test]
    fn a_role_that_was_taken_away_is_good_for_no_further_commit() {
        let mut world = World::new();
        let (alice, bob, carol, group) = group(&mut world);
        world.set_role(&alice, &bob, Role::Advanced).unwrap();
        let packages = bob.fetch_key_packages(&mut world, &carol);
        let commit = bob.device.change(&mut world, group, &packages, &[]);
        world.set_role(&alice, &bob, Role::Beginner).unwrap();
        assert_eq!(world.call(bob.device.session, Body::Commit(commit)).unwrap_err().code, ErrorCode::NotAllowed);
    }

    #[test]
    fn of_two_racing_commits_one_wins_and_the_other_learns_where_the_log_is() {
        let mut world = World::new();
        let (alice, bob, _, group) = group(&mut world);
        let first = alice.device.change(&mut world, group, &[], &[]);
        let second = bob.device.change(&mut world, group, &[], &[]);
        let answers = world
            .batch([(alice.device.session, Body::Commit(first.clone())), (bob.device.session, Body::Commit(second))]);
        assert!(answers[0].is_ok());
        assert_eq!(answers[1].clone().unwrap_err(), Refusal::stale(2, 2));
        // The winner's repetition is answered as before.
        let answer = world.call(alice.device.session, Body::Commit(first)).unwrap();
        let answer::Body::Committed(committed) = answer else { panic!("{answer:?}") };
        assert_eq!((committed.sequence, committed.epoch), (2, 2));
    }

    #[test]
    fn a_commit_of_somebody_else_or_with_spoiled_parts_is_refused_and_changes_nothing() {
        let mut world = World::new();
        let (alice, bob, carol, group) = group(&mut world);
        let packages = alice.fetch_key_packages(&mut world, &carol);
        let commit = alice.device.change(&mut world, group, &packages, &[]);
        let refuse = |world: &mut World, session, commit: &Commit| {
            world.call(session, Body::Commit(commit.clone())).unwrap_err().code
        };
        assert_eq!(refuse(&mut world, bob.device.session, &commit), ErrorCode::BadCommit);
        assert_eq!(refuse(&mut world, carol.device.session, &commit), ErrorCode::NotAMember);
        type Spoil = fn(&mut Commit);
        let spoils: [Spoil; 5] = [
            |commit| commit.welcome_devices.clear(),
            |commit| commit.welcome_devices[0][0] ^= 1,
            |commit| commit.welcome = bytes::Bytes::new(),
            |commit| commit.group_info[200] ^= 1,
            |commit| commit.idempotency_key[0] ^= 1,
        ];
        for spoil in spoils {
            let mut spoiled = commit.clone();
            spoil(&mut spoiled);
            assert_eq!(refuse(&mut world, alice.device.session, &spoiled), ErrorCode::BadCommit);
        }
        assert_eq!(alice.device.fetch_log(&mut world, group, 0).unwrap().head, 1);
        world.call(alice.device.session, Body::Commit(commit)).unwrap();
    }

    #[test]
    fn a_context_that_names_no_place_in_the_role_log_is_refused() {
        let mut world = World::new();
        let (alice, _, _, group) = group(&mut world);
        let key = [5; 16];
        let context = CommitContext { role_position: 2, role_hash: vec![0; 32], idempotency_key: key.to_vec() };
        let proposed = alice.device.mls(&mut world, |mls| {
            let mut group = subrosa_mls::Group::load(mls, group).unwrap().unwrap();
            group.self_update(mls, &context.encode_to_vec()).unwrap()
        });
        let commit = Commit {
            conversation_id: group.to_vec(),
            commit: proposed.commit.into(),
            group_info: proposed.group_info,
            idempotency_key: key.to_vec(),
            ..Default::default()
        };
        assert_eq!(world.call(alice.device.session, Body::Commit(commit)).unwrap_err().code, ErrorCode::BadCommit);
    }

    #[test]
    fn a_proposal_of_the_server_has_to_be_carried_out() {
        let mut world = World::new();
        let (alice, bob, carol, group) = group(&mut world);
        let (tablet, _) = bob.enrol(&mut world);
        let entering = tablet.enter(&mut world, group).unwrap();
        world.call(tablet.session, Body::Commit(entering)).unwrap();
        let entries = world.delivered(alice.device.session);
        alice.device.process(&mut world, group, &entries);
        let packages = alice.fetch_key_packages(&mut world, &carol);
        let passing_over = alice.device.change(&mut world, group, &packages, &[]);
        bob.revoke(&mut world, tablet.id).unwrap();
        let refused = world.call(alice.device.session, Body::Commit(passing_over)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::PendingProposals);
        alice.device.discard(&mut world, group);
        let entries = world.delivered(alice.device.session);
        alice.device.process(&mut world, group, &entries);
        let commit = alice.device.change(&mut world, group, &packages, &[]);
        world.call(alice.device.session, Body::Commit(commit)).unwrap();
    }

    #[test]
    fn other_devices_of_who_is_added_learn_that_they_may_enter() {
        let mut world = World::new();
        let (alice, _, carol, group) = group(&mut world);
        let (tablet, _) = carol.enrol(&mut world);
        let mut packages = alice.fetch_key_packages(&mut world, &carol);
        packages.retain(|(device, _)| *device == carol.device.id);
        let commit = alice.device.change(&mut world, group, &packages, &[]);
        world.call(alice.device.session, Body::Commit(commit)).unwrap();
        let inbox = tablet.inbox(&mut world);
        assert!(matches!(inbox.last().unwrap().item, Some(inbox_item::Item::Joinable(_))), "{inbox:?}");
        assert!(tablet.enter(&mut world, group).is_ok());
    }

    #[test]
    fn in_a_private_chat_there_are_two_accounts_for_good() {
        let mut world = World::new();
        let (alice, bob, carol) = (world.sign_up("alice"), world.sign_up("bob"), world.sign_up("carol"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let packages = alice.fetch_key_packages(&mut world, &carol);
        let commit = alice.device.change(&mut world, chat, &packages, &[]);
        assert_eq!(world.call(alice.device.session, Body::Commit(commit)).unwrap_err().code, ErrorCode::NotAllowed);
        alice.device.discard(&mut world, chat);
        let commit = alice.device.change(&mut world, chat, &[], &[&bob.device]);
        assert_eq!(world.call(alice.device.session, Body::Commit(commit)).unwrap_err().code, ErrorCode::NotAllowed);
    }

    #[test]
    fn a_device_that_lost_its_state_comes_back_by_itself() {
        let mut world = World::new();
        let (alice, bob, _, group) = group(&mut world);
        let commit = bob.device.enter(&mut world, group).unwrap();
        world.call(bob.device.session, Body::Commit(commit)).unwrap();
        let entries = world.delivered(alice.device.session);
        alice.device.process(&mut world, group, &entries);
        let message = bob.device.message(&mut world, group, b"");
        world.call(bob.device.session, Body::Append(message)).unwrap();
        let entries = world.delivered(alice.device.session);
        alice.device.process(&mut world, group, &entries);
        assert_eq!(entries.len(), 1);
    }
}
