//! Frames from a client.

use bytes::Bytes;
use subrosa_wire::proto::client_frame::Request;
use subrosa_wire::proto::{
    AcknowledgeInbox, AnswerHandOver, Append, AskRoomPass, ClientFrame, Commit, ConversationKind, CreateInvite,
    DeviceLogin, EnrolDevice, EnterRoom, FetchGroupInfo, FetchInbox, FetchKeyPackages, FetchLog, FetchRoleLog,
    FetchWelcome, FoundConversation, FoundRoom, Hello, LeaveConversation, ListAccounts, ListConversations, ListInvites,
    Lookup, OfferHandOver, Part, PasswordFinish, PasswordStart, Ping, PublishKeyPackages, RegisterFinish,
    RegisterStart, RelayPassRequest, ReserveConversation, ResetAccount, RevokeDevice, RevokeInvite, RoomCommit,
    RoomJoin, RoomSend, SetRole, lookup,
};

use super::{AT, Sample, id, key, sample, signature, signed};

/// Every request.
pub fn all() -> Vec<Sample> {
    let requests = [connection(), conversations(), directory(), roles_and_invites(), rooms()];
    requests
        .into_iter()
        .flatten()
        .map(|(name, request)| sample(name, ClientFrame { id: 300, request: Some(request) }))
        .collect()
}

type Named = (&'static str, Request);

fn connection() -> Vec<Named> {
    let register_finish = RegisterFinish {
        username: "alice".into(),
        email: "alice@example.org".into(),
        registration_upload: vec![1; 192],
        account_statement: vec![2, 3],
        account_signature: signature(4),
        device_list_entry: Some(signed(5)),
        vault: vec![6; 61],
        setup_code: "setup".into(),
        invite_code: "invite".into(),
        key_packages: vec![vec![7], vec![8]],
        last_resort: vec![9],
    };
    let enrol =
        EnrolDevice { device_list_entry: Some(signed(5)), key_packages: vec![vec![7], vec![8]], last_resort: vec![9] };
    let reset = ResetAccount {
        account_statement: vec![2, 3],
        account_signature: signature(4),
        device_list_entry: Some(signed(5)),
        vault: vec![6; 61],
        key_packages: vec![vec![7]],
        last_resort: vec![9],
    };
    vec![
        ("hello", Request::Hello(Hello { version: 1, client_nonce: key(1) })),
        (
            "register_start",
            Request::RegisterStart(RegisterStart { username: "alice".into(), registration_request: key(1) }),
        ),
        ("register_finish", Request::RegisterFinish(register_finish)),
        (
            "password_start",
            Request::PasswordStart(PasswordStart { username: "alice".into(), credential_request: vec![1; 96] }),
        ),
        ("password_finish", Request::PasswordFinish(PasswordFinish { credential_finalization: signature(1) })),
        ("enrol_device", Request::EnrolDevice(enrol)),
        ("reset_account", Request::ResetAccount(reset)),
        ("device_login", Request::DeviceLogin(DeviceLogin { device_id: id(4), signature: signature(1) })),
        ("part", Request::Part(Part { bytes: vec![1, 2, 3], last: true })),
        ("ping", Request::Ping(Ping {})),
    ]
}

fn commit() -> Commit {
    Commit {
        conversation_id: id(8),
        commit: Bytes::from_static(b"commit"),
        welcome: Bytes::from_static(b"welcome"),
        welcome_devices: vec![id(4), id(5)],
        group_info: b"group info".to_vec(),
        idempotency_key: id(10),
    }
}

fn conversations() -> Vec<Named> {
    let append = Append { conversation_id: id(8), message: Bytes::from_static(b"message"), idempotency_key: id(10) };
    let reserve = ReserveConversation { kind: ConversationKind::Private.into(), peer: id(6) };
    let found = FoundConversation {
        conversation_id: id(8),
        group_info: b"group info".to_vec(),
        ratchet_tree: b"tree".to_vec(),
        first_commit: Some(commit()),
    };
    vec![
        ("append", Request::Append(append)),
        ("commit", Request::Commit(commit())),
        ("reserve_conversation", Request::ReserveConversation(reserve)),
        ("found_conversation", Request::FoundConversation(found)),
        ("fetch_log", Request::FetchLog(FetchLog { conversation_id: id(8), after: 9, limit: 100 })),
        ("fetch_inbox", Request::FetchInbox(FetchInbox { after: 9 })),
        ("acknowledge_inbox", Request::AcknowledgeInbox(AcknowledgeInbox { through: 9 })),
        ("fetch_welcome", Request::FetchWelcome(FetchWelcome { conversation_id: id(8), sequence: 9 })),
        ("fetch_group_info", Request::FetchGroupInfo(FetchGroupInfo { conversation_id: id(8) })),
        ("leave_conversation", Request::LeaveConversation(LeaveConversation { conversation_id: id(8) })),
        ("list_conversations", Request::ListConversations(ListConversations {})),
        ("relay_pass", Request::RelayPass(RelayPassRequest { endpoint: key(9) })),
    ]
}

fn directory() -> Vec<Named> {
    let publish = PublishKeyPackages { key_packages: vec![vec![7], vec![8]], last_resort: vec![9] };
    vec![
        ("lookup", Request::Lookup(Lookup { by: Some(lookup::By::Username("bob".into())) })),
        ("lookup", Request::Lookup(Lookup { by: Some(lookup::By::AccountId(id(6))) })),
        ("fetch_key_packages", Request::FetchKeyPackages(FetchKeyPackages { account_id: id(6) })),
        ("publish_key_packages", Request::PublishKeyPackages(publish)),
        ("revoke_device", Request::RevokeDevice(RevokeDevice { device_list_entry: Some(signed(5)) })),
        ("list_accounts", Request::ListAccounts(ListAccounts { after: id(6) })),
    ]
}

fn roles_and_invites() -> Vec<Named> {
    vec![
        ("fetch_role_log", Request::FetchRoleLog(FetchRoleLog { after: 7 })),
        ("set_role", Request::SetRole(SetRole { order: Some(signed(1)) })),
        ("offer_hand_over", Request::OfferHandOver(OfferHandOver { offer: Some(signed(1)) })),
        ("answer_hand_over", Request::AnswerHandOver(AnswerHandOver { acceptance: Some(signed(1)), decline: true })),
        ("create_invite", Request::CreateInvite(CreateInvite { uses: 5, expires_at: AT })),
        ("list_invites", Request::ListInvites(ListInvites {})),
        ("revoke_invite", Request::RevokeInvite(RevokeInvite { code: "code".into() })),
    ]
}

fn rooms() -> Vec<Named> {
    let enter = EnterRoom { room: "lobby".into(), name: "bob".into(), guest_key: key(5), pass: id(11) };
    let (commit, group_info) = (b"commit".to_vec(), b"group info".to_vec());
    vec![
        ("enter_room", Request::EnterRoom(enter)),
        (
            "found_room",
            Request::FoundRoom(FoundRoom { group_info: group_info.clone(), ratchet_tree: b"tree".to_vec() }),
        ),
        ("room_join", Request::RoomJoin(RoomJoin { commit: commit.clone(), group_info: group_info.clone() })),
        ("room_commit", Request::RoomCommit(RoomCommit { commit, group_info })),
        ("room_send", Request::RoomSend(RoomSend { message: Bytes::from_static(b"message") })),
        ("ask_room_pass", Request::AskRoomPass(AskRoomPass {})),
    ]
}
