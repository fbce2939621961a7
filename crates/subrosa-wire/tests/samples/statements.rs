//! Statements and the contexts that MLS authenticates.

use subrosa_wire::proto::device_list_entry::Change;
use subrosa_wire::proto::role_log_entry::Event;
use subrosa_wire::proto::{
    AccountCreated, AccountKeyReset, AccountStatement, CommitContext, ConversationKind, DeviceCertificate,
    DeviceListEntry, GroupCertificate, HandOver, HandOverAcceptance, HandOverOffer, MessageClass, MessageContext,
    RoleLogEntry, RoleOrder, RoomContext, RoomGuest, TitleRecord,
};

use super::{AT, Sample, id, key, sample, signed};

/// Every message of `statements.proto` that is signed or authenticated on its own, and `Signed` itself.
pub fn all() -> Vec<Sample> {
    let account = AccountStatement {
        account_id: id(1),
        username: "علی".into(),
        account_key: key(2),
        server_key: key(3),
        at: AT,
        generation: 1,
    };
    let device =
        DeviceCertificate { account_id: id(1), device_id: id(4), device_key: key(5), name: "laptop".into(), at: AT };
    let order = RoleOrder { server_key: key(3), actor: id(1), target: id(6), role: 3, seen_position: 7, at: AT };
    let offer = HandOverOffer { server_key: key(3), from: id(1), to: id(6), seen_position: 7, at: AT };
    let certificate = GroupCertificate {
        conversation_id: id(8),
        kind: ConversationKind::Private.into(),
        creator: id(1),
        server_key: key(3),
        role_position: 7,
        at: AT,
        private_pair: vec![id(1), id(6)],
    };
    let room = RoomContext { version: 1, server_key: key(3), conversation_id: id(8), room: "lobby".into() };
    let guest = RoomGuest { version: 1, name: "bob".into(), member: true };
    let title = TitleRecord {
        conversation_id: id(8),
        title: "Friends".into(),
        version: 2,
        account_id: id(1),
        role_position: 7,
        at: AT,
    };
    let commit = CommitContext { role_position: 7, role_hash: key(9), idempotency_key: id(10) };
    vec![
        sample("RoomContext", room),
        sample("RoomGuest", guest),
        sample("Signed", signed(0xB0)),
        sample("AccountStatement", account),
        sample("DeviceCertificate", device),
        sample("DeviceListEntry.add", list_entry(Change::Add(signed(0xB1)))),
        sample("DeviceListEntry.remove", list_entry(Change::Remove(id(4)))),
        sample("RoleLogEntry.account_created", log_entry(created())),
        sample("RoleLogEntry.role_order", log_entry(Event::RoleOrder(signed(0xB2)))),
        sample("RoleLogEntry.hand_over", log_entry(hand_over())),
        sample("RoleLogEntry.account_key_reset", log_entry(reset())),
        sample("RoleOrder", order),
        sample("HandOverOffer", offer),
        sample("HandOverAcceptance", HandOverAcceptance { offer_hash: key(11), to: id(6), at: AT }),
        sample("GroupCertificate", certificate),
        sample("TitleRecord", title),
        sample("CommitContext", commit),
        sample("MessageContext", MessageContext { class: MessageClass::Title.into() }),
    ]
}

fn list_entry(change: Change) -> DeviceListEntry {
    DeviceListEntry { account_id: id(1), index: 1, previous: key(12), at: AT, change: Some(change) }
}

fn log_entry(event: Event) -> RoleLogEntry {
    RoleLogEntry { position: 2, previous: key(13), at: AT, event: Some(event) }
}

fn created() -> Event {
    Event::AccountCreated(AccountCreated { account_id: id(1), account_key: key(2), role: 1 })
}

fn hand_over() -> Event {
    Event::HandOver(HandOver { offer: Some(signed(0xB3)), acceptance: Some(signed(0xB4)) })
}

fn reset() -> Event {
    Event::AccountKeyReset(AccountKeyReset { account_id: id(1), account_key: key(14) })
}
