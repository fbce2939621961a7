//! Frames from a server: answers and pushes.

use bytes::Bytes;
use subrosa_wire::proto::answer::Body as Answered;
use subrosa_wire::proto::inbox_item::Item;
use subrosa_wire::proto::server_frame::Body;
use subrosa_wire::proto::{
    Accepted, AcceptedBatch, AccountPage, AccountRow, Answer, Committed, ConversationList, Deliver, DeviceKeyPackage,
    Done, Error, ErrorCode, FoundTurn, GoingAway, GroupInfoAnswer, HandOverPending, HelloAnswer, InboxGrew, InboxItem,
    InboxPage, Invite, InviteList, JoinTurn, JoinableNotice, KeyPackages, LogPage, LoggedIn, PasswordFinishAnswer,
    PasswordStartAnswer, RegisterStartAnswer, RelayPassAnswer, RemoveTurn, RemovedNotice, Reserved, Resync,
    RoleLogGrew, RoleLogPage, RoomDeliver, RoomEntered, RoomOrdered, RoomPass, RoomTurn, ServerFrame, WelcomeAnswer,
    WelcomeNotice, room_turn::Turn,
};

use super::{AT, Sample, directory_entry, head, id, key, log_entry, relay, sample, signature, signed};

/// Every answer, in the frame that carries it.
pub fn answers() -> Vec<Sample> {
    [connection(), conversations(), directory(), rooms()]
        .into_iter()
        .flatten()
        .map(|(name, body)| {
            let answer = Answer { id: 300, body: Some(body) };
            sample(name, ServerFrame { body: Some(Body::Answer(answer)) })
        })
        .collect()
}

type Named = (&'static str, Answered);

fn connection() -> Vec<Named> {
    let error = Error {
        code: ErrorCode::StaleEpoch.into(),
        retry_after_ms: 250,
        epoch: 3,
        sequence: 9,
        conversation_id: id(8),
    };
    let hello = HelloAnswer { server_key: key(3), server_nonce: key(1), signature: signature(2), server_time: AT };
    let logged_in = LoggedIn {
        account_id: id(1),
        own: Some(directory_entry()),
        heads: vec![head(8, 9), head(9, 1)],
        inbox_head: 4,
        role_position: 7,
        role_hash: key(9),
        key_packages_left: 20,
        hand_over: Some(HandOverPending { offer: Some(signed(1)) }),
        joinable: vec![id(10)],
    };
    vec![
        ("error", Answered::Error(error)),
        ("done", Answered::Done(Done {})),
        ("hello", Answered::Hello(hello)),
        ("register_start", Answered::RegisterStart(RegisterStartAnswer { registration_response: signature(1) })),
        ("password_start", Answered::PasswordStart(PasswordStartAnswer { credential_response: vec![1; 320] })),
        (
            "password_finish",
            Answered::PasswordFinish(PasswordFinishAnswer { own: Some(directory_entry()), vault: vec![6; 61] }),
        ),
        ("logged_in", Answered::LoggedIn(logged_in)),
    ]
}

fn conversations() -> Vec<Named> {
    let log_page = LogPage { conversation_id: id(8), entries: vec![log_entry(8), log_entry(9)], head: 9, first: 2 };
    let welcome = WelcomeAnswer { welcome: b"welcome".to_vec(), ratchet_tree: b"tree".to_vec(), epoch: 1 };
    let group_info =
        GroupInfoAnswer { group_info: b"info".to_vec(), ratchet_tree: b"tree".to_vec(), epoch: 1, sequence: 9 };
    vec![
        ("committed", Answered::Committed(Committed { sequence: 9, epoch: 3, at: AT })),
        ("reserved", Answered::Reserved(Reserved { certificate: Some(signed(1)) })),
        ("log_page", Answered::LogPage(log_page)),
        ("inbox_page", Answered::InboxPage(InboxPage { items: inbox_items() })),
        ("welcome", Answered::Welcome(welcome)),
        ("group_info", Answered::GroupInfo(group_info)),
        ("conversation_list", Answered::ConversationList(ConversationList { conversations: vec![head(8, 9)] })),
        ("relay_pass", Answered::RelayPass(RelayPassAnswer { relay: Some(relay()) })),
    ]
}

/// One item of each kind.
fn inbox_items() -> Vec<InboxItem> {
    let items = [
        Item::Welcome(WelcomeNotice { conversation_id: id(8), sequence: 9 }),
        Item::Removed(RemovedNotice { conversation_id: id(9), sequence: 2 }),
        Item::Joinable(JoinableNotice { conversation_id: id(10) }),
    ];
    (1..).zip(items).map(|(position, item)| InboxItem { position, at: AT, item: Some(item) }).collect()
}

fn invite() -> Invite {
    Invite { code: "code".into(), uses_left: 4, expires_at: AT }
}

fn directory() -> Vec<Named> {
    let key_packages = KeyPackages {
        owner: Some(directory_entry()),
        packages: vec![DeviceKeyPackage { device_id: id(4), key_package: vec![7] }],
    };
    let row = AccountRow { account_id: id(1), username: "alice".into(), role: 4 };
    vec![
        ("directory_entry", Answered::DirectoryEntry(directory_entry())),
        ("key_packages", Answered::KeyPackages(key_packages)),
        ("role_log_page", Answered::RoleLogPage(RoleLogPage { entries: vec![signed(1)], more: true })),
        ("account_page", Answered::AccountPage(AccountPage { accounts: vec![row], more: true })),
        ("invite", Answered::Invite(invite())),
        ("invite_list", Answered::InviteList(InviteList { invites: vec![invite()] })),
    ]
}

fn rooms() -> Vec<Named> {
    let entered = RoomEntered { conversation_id: id(8), name: "bob".into(), member: true, guests: 3 };
    vec![
        ("room_entered", Answered::RoomEntered(entered)),
        ("room_ordered", Answered::RoomOrdered(RoomOrdered { sequence: 9, at: AT })),
        ("room_pass", Answered::RoomPass(RoomPass { pass: id(11), expires_at: AT })),
    ]
}

/// Every frame that is no answer to one request.
pub fn pushes() -> Vec<Sample> {
    let accepted = vec![Accepted { id: 300, sequence: 9, at: AT }, Accepted { id: 301, sequence: 10, at: AT }];
    let resync = Resync { heads: vec![head(8, 9)], inbox_head: 4, role_position: 7 };
    let going_away = GoingAway { code: ErrorCode::GoingDown.into(), reason: "maintenance".into() };
    let frames = vec![
        ("answer", Body::Answer(Answer { id: 300, body: None })),
        ("accepted", Body::Accepted(AcceptedBatch { accepted })),
        ("deliver", Body::Deliver(Deliver { conversation_id: id(8), entries: vec![log_entry(9), log_entry(10)] })),
        ("inbox_grew", Body::InboxGrew(InboxGrew { items: inbox_items() })),
        ("role_log_grew", Body::RoleLogGrew(RoleLogGrew { entries: vec![signed(1)] })),
        ("resync", Body::Resync(resync)),
        ("going_away", Body::GoingAway(going_away)),
        ("room_turn", Body::RoomTurn(RoomTurn { turn: Some(Turn::Found(FoundTurn {})) })),
        (
            "room_turn",
            Body::RoomTurn(RoomTurn {
                turn: Some(Turn::Join(JoinTurn { group_info: b"group info".to_vec(), ratchet_tree: b"tree".to_vec() })),
            }),
        ),
        ("room_turn", Body::RoomTurn(RoomTurn { turn: Some(Turn::Remove(RemoveTurn { epoch: 3 })) })),
        (
            "room_deliver",
            Body::RoomDeliver(RoomDeliver { sequence: 9, at: AT, message: Bytes::from_static(b"message") }),
        ),
        ("hand_over_pending", Body::HandOverPending(HandOverPending { offer: Some(signed(1)) })),
    ];
    frames.into_iter().map(|(name, body)| sample(name, ServerFrame { body: Some(body) })).collect()
}
