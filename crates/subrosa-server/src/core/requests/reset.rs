//! `ResetAccount`: an account starts over with a new key, after the password was proved.
//!
//! Refused: `OUT_OF_STATE` without a proved password; `BAD_SIGNATURE` unless the statement is of the same account and name
//! with the next generation and another key, and the device list is a new one of that key.
//!
//! Every older device is ended. The account leaves its groups, because members there must not have to trust a key that
//! they never saw; it stays in its private chats, where the new device may enter and the other side blocks sending until it
//! has accepted the new key.

use subrosa_crypto::{DeviceList, SelfSigned};
use subrosa_types::limits;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::ResetAccount;

use crate::core::directory::NewDevice;
use crate::core::failure::Handled;
use crate::core::session::{Login, Stage};
use crate::core::turn::Turn;
use crate::store::{accounts, conversations, devices, role_log};

pub(crate) fn handle(turn: &mut Turn<'_>, request: &ResetAccount) -> Handled {
    let Stage::Proved(_, no) = turn.stage()? else { return Err(ErrorCode::OutOfState.into()) };
    let old = accounts::by_number(turn.store, *no)?;
    if request.vault.len() > limits::VAULT {
        return Err(ErrorCode::TooLarge.into());
    }
    let server_key = turn.state.identity.public;
    let renewed = SelfSigned::verify(&request.account_statement, &request.account_signature, &server_key)?;
    if renewed.id != old.id
        || renewed.username.as_str() != old.username
        || Some(renewed.generation) != old.generation.checked_add(1)
        || renewed.key.as_bytes().as_slice() == old.account_key
    {
        return Err(ErrorCode::BadSignature.into());
    }
    let entry = request.device_list_entry.as_ref().ok_or(ErrorCode::Malformed)?;
    let list = DeviceList::verify(std::slice::from_ref(entry), renewed.id, &renewed.key)?;
    let device_id = list.active().next().ok_or(ErrorCode::BadSignature)?.id;
    let device = NewDevice::check(turn.store, &list, device_id, entry, &request.key_packages, &request.last_resort)?;

    for device in devices::active(turn.store, old.no)? {
        turn.end_device(device.no, "the account started over with a new key")?;
    }
    for conversation in conversations::of_account(turn.store, old.no)? {
        let record = conversations::by_number(turn.store, conversation)?;
        if record.pair.is_none() {
            turn.end_participation(record.id, old.no)?;
        }
    }
    if role_log::pending_hand_over(turn.store)?.is_some_and(|pending| pending.to == old.id) {
        role_log::clear_hand_over(turn.store)?;
    }
    let attestation = renewed.attest(&turn.state.identity.key);
    let identity = accounts::Identity {
        generation: renewed.generation,
        account_key: renewed.key.as_bytes(),
        statement: &request.account_statement,
        signature: &request.account_signature,
        attestation: &attestation,
        vault: &request.vault,
    };
    accounts::renew(turn.store, old.no, &identity)?;
    devices::clear_list(turn.store, old.no)?;
    let device_no = device.save(turn, old.no)?;
    let state = &turn.state;
    let reset = state.roles.next_key_reset(renewed.id, &renewed.key, turn.now, &state.identity.key);
    turn.append_role_entry(reset)?;
    tracing::info!(account = %renewed.id, "an account started over with a new key");
    turn.log_in(Login { device: device_no, device_id, account: old.no, account_id: renewed.id })
}

#[cfg(test)]
mod tests {
    use subrosa_crypto::{SigningKey, account};
    use subrosa_types::Role;
    use subrosa_wire::Refusal;
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::{ConversationKind, LoggedIn, answer};

    use super::*;
    use crate::core::testing::{Device, Person, World};

    fn reset(world: &mut World, person: &mut Person, generation: u32) -> Result<LoggedIn, Refusal> {
        let (session, proved) = person.prove(world, person.password());
        proved.unwrap();
        let key = SigningKey::generate(&mut world.rng);
        let mut device = Device::new(world, person.id, &key);
        let server_key = world.core.server_key();
        let statement = account::statement(person.id, &person.name, &server_key, generation, world.now, &key);
        let entry = DeviceList::first(device.certificate.clone(), world.now, &key).unwrap();
        let (key_packages, last_resort) = device.key_packages(world, 2);
        device.session = session;
        let request = ResetAccount {
            account_statement: statement.statement,
            account_signature: statement.signature,
            device_list_entry: Some(entry),
            vault: Vec::new(),
            key_packages,
            last_resort,
        };
        let answer = world.call(session, Body::ResetAccount(request))?;
        let answer::Body::LoggedIn(logged_in) = answer else { panic!("{answer:?}") };
        person.key = key;
        person.device = device;
        Ok(logged_in)
    }

    #[test]
    fn an_account_that_starts_over_leaves_its_groups_and_keeps_its_private_chats() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let mut bob = world.sign_up("bob");
        let group = alice.converse(&mut world, ConversationKind::Group, &[&bob]);
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let old_session = bob.device.session;

        let logged_in = reset(&mut world, &mut bob, 1).unwrap();
        assert_eq!(logged_in.joinable, [chat.to_vec()]);
        assert_eq!(world.ended(old_session), Some(ErrorCode::DeviceRevoked));
        let roles = &world.core.state.roles;
        assert_eq!((roles.key(bob.id), roles.role(bob.id)), (Some(bob.key.public()), Some(Role::Beginner)));
        assert_eq!(bob.device.enter(&mut world, group).unwrap_err().code, ErrorCode::NotAMember);

        // The server proposed the removal of the old device in both; the new one enters the chat, which passes over it.
        let commit = bob.device.enter(&mut world, chat).unwrap();
        world.call(bob.device.session, Body::Commit(commit)).unwrap();
        let page = alice.device.fetch_log(&mut world, chat, 1).unwrap();
        assert_eq!(page.entries.len(), 3, "a proposal, the entering, the proposal again");
        alice.device.process(&mut world, chat, &page.entries);
        let commit = alice.device.change(&mut world, chat, &[], &[]);
        world.call(alice.device.session, Body::Commit(commit)).unwrap();
        alice.device.merge(&mut world, chat);
        let message = alice.device.message(&mut world, chat, b"");
        world.call(alice.device.session, Body::Append(message)).unwrap();
    }

    #[test]
    fn the_next_generation_is_the_only_one_that_counts() {
        let mut world = World::new();
        let mut alice = world.sign_up("alice");
        for generation in [0, 2] {
            assert_eq!(reset(&mut world, &mut alice, generation).unwrap_err().code, ErrorCode::BadSignature);
        }
        reset(&mut world, &mut alice, 1).unwrap();
        reset(&mut world, &mut alice, 2).unwrap();
    }
}
