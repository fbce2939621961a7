//! What a lying server makes with its own key, and without anybody else's.

use prost::Message;
use rusqlite::Connection;
use subrosa_crypto::{DeviceList, RoleLog, SelfSigned, SigningKey, account, device};
use subrosa_mls::follower::Follower;
use subrosa_mls::{Group, Identity, LeafSigner, Mls};
use subrosa_types::{AccountId, ConversationId, DeviceId, Role, Timestamp, Username};
use subrosa_wire::proto::{AccountStatement, CommitContext, DeviceKeyPackage, DirectoryEntry, Signed};

use crate::rng::SharedRng;

/// The same account with a key of the server's choice, attested as it must be.
pub(super) fn swapped_entry(
    entry: &DirectoryEntry,
    server: &SigningKey,
    rng: &mut SharedRng,
) -> Option<DirectoryEntry> {
    let told = AccountStatement::decode(entry.account_statement.as_slice()).ok()?;
    let (id, name) = (AccountId::from_slice(&told.account_id).ok()?, told.username.parse::<Username>().ok()?);
    let key = SigningKey::generate(rng);
    let signed = account::statement(id, &name, &server.public(), told.generation, Timestamp(told.at), &key);
    let own = SelfSigned::verify(&signed.statement, &signed.signature, &server.public()).ok()?;
    let (certificate, _) = ghost(id, &key, rng)?;
    let list = DeviceList::first(certificate, Timestamp(told.at), &key).ok()?;
    Some(own.directory_entry(&own.attest(server), vec![list]))
}

/// A device that says it is of this account, with a certificate that another key signed.
fn ghost(account: AccountId, signer: &SigningKey, rng: &mut SharedRng) -> Option<(Signed, SigningKey)> {
    let key = SigningKey::generate(rng);
    let id = DeviceId::from_bytes(rng.bytes());
    let name = "a further device".parse().ok()?;
    Some((device::issue(account, id, &key.public(), &name, Timestamp(0), signer), key))
}

fn ghost_identity(account: AccountId, rng: &mut SharedRng) -> Option<(Identity, DeviceId)> {
    let (certificate, key) = ghost(account, &SigningKey::generate(rng), rng)?;
    let credential = device::credential(&certificate);
    let id = super::oracle::device(&credential)?;
    Some((Identity { credential, signer: LeafSigner::from_seed(key.seed()).ok()? }, id))
}

fn mls_store() -> Option<Connection> {
    let store = Connection::open_in_memory().ok()?;
    store.execute_batch(subrosa_mls::SCHEMA).ok()?;
    Some(store)
}

/// A key package of a device that the account never certified.
pub(super) fn ghost_package(owner: &DirectoryEntry, rng: &mut SharedRng) -> Option<DeviceKeyPackage> {
    let told = AccountStatement::decode(owner.account_statement.as_slice()).ok()?;
    let (identity, id) = ghost_identity(AccountId::from_slice(&told.account_id).ok()?, rng)?;
    let store = mls_store()?;
    let key_package = Mls::new(&store, rng, &identity).ok()?.key_package(false).ok()?;
    Some(DeviceKeyPackage { device_id: id.to_vec(), key_package })
}

/// A commit by which an uncertified device of some member enters, if the log ends at `head` (wherever it ends, if none is
/// given).
pub(super) fn ghost_commit(
    server: &Connection,
    id: ConversationId,
    head: Option<u64>,
    roles: &RoleLog,
    rng: &mut SharedRng,
) -> Option<Vec<u8>> {
    let (follower, group_info, end): (Vec<u8>, Vec<u8>, u64) = server
        .query_row(
            "SELECT follower, group_info, (SELECT max(position) & 0xFFFFFFFFFF FROM log
               WHERE position > no << 40 AND position < (no + 1) << 40)
             FROM conversation JOIN group_state ON group_state.conversation = no WHERE id = ?1",
            [id.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .ok()?;
    if head.is_some_and(|head| end != head) {
        return None;
    }
    let follower = Follower::load(&follower).ok()?;
    let member = follower.members().into_iter().next()?;
    let account = subrosa_crypto::ClaimedDevice::parse(&member.credential).ok()?.account_id();
    let (identity, _) = ghost_identity(account, rng)?;
    let context = CommitContext {
        role_position: roles.position().0,
        role_hash: roles.hash()?.to_vec(),
        idempotency_key: rng.bytes::<16>().to_vec(),
    };
    let store = mls_store()?;
    let mls = Mls::new(&store, rng, &identity).ok()?;
    let tree = follower.ratchet_tree().ok()?;
    let (_, commit, _) = Group::join_external(&mls, &group_info, &tree, &context.encode_to_vec()).ok()?;
    Some(commit)
}

/// An entry that makes a beginner an admin, by an order that the server signed itself.
pub(super) fn promotion(roles: &RoleLog, server: &SigningKey, now: Timestamp, rng: &mut SharedRng) -> Option<Signed> {
    let actor = roles.super_admin()?;
    let (target, _) = roles.accounts().find(|(_, role)| *role == Role::Beginner)?;
    let signer = if rng.chance(50) { server.clone() } else { SigningKey::generate(rng) };
    let order = roles.order(&server.public(), actor, target, Role::Admin, now, &signer);
    Some(roles.next_role_order(order, now, server))
}

/// An entry about an account that nobody made.
pub(super) fn another_account(roles: &RoleLog, server: &SigningKey, now: Timestamp, rng: &mut SharedRng) -> Signed {
    let (id, key) = (AccountId::from_bytes(rng.bytes()), SigningKey::generate(rng));
    roles.next_account_created(id, &key.public(), now, server)
}
