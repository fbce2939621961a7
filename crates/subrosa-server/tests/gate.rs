//! The whole server over real connections: delivery, limits, endings, restarts.

mod common;

use common::{Link, Person, serve, serve_with, tls, wrong_login};
use prost::Message as _;
use subrosa_server::{Event, Server, ServerConfig, StartError};
use subrosa_types::limits;
use subrosa_wire::proto::client_frame::Request as Body;
use subrosa_wire::proto::{self, ClientFrame, ErrorCode, server_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_delivered_live_and_to_who_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let mut events = server.events();
    let mut alice = Person::sign_up(&server, "alice").await;
    let mut bob = Person::sign_up(&server, "bob").await;
    let chat = alice.converse(&mut bob).await;
    let message = alice.message(chat, b"hello bob");
    alice.link.call(message).await.unwrap();
    let sequence = loop {
        if let server_frame::Body::Deliver(deliver) = bob.link.news().await {
            break deliver.entries[0].sequence;
        }
    };
    assert_eq!(sequence, 2);

    drop(std::mem::replace(&mut bob.link, Link::open(&server).await));
    while events.recv().await.unwrap() != Event::Left(bob.id) {}
    let message = alice.message(chat, b"are you there?");
    alice.link.call(message).await.unwrap();
    assert_eq!(bob.log_in(&server).await.heads[0].sequence, 3);
    let fetch = proto::FetchLog { conversation_id: chat.to_vec(), after: 2, limit: 0 };
    let proto::answer::Body::LogPage(page) = bob.link.call(Body::FetchLog(fetch)).await.unwrap() else { panic!() };
    assert_eq!((page.entries.len(), page.head), (1, 3));
    server.shutdown("the test is over").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_why_the_server_goes_and_finds_everything_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let link = server.link().clone();
    let mut alice = Person::sign_up(&server, "alice").await;
    let mut bob = Person::sign_up(&server, "bob").await;
    let chat = alice.converse(&mut bob).await;
    let message = alice.message(chat, b"before");
    alice.link.call(message).await.unwrap();
    let (stopped, told) = tokio::join!(server.shutdown("TERMINATE was typed"), alice.link.end());
    stopped.unwrap();
    let told = told.unwrap();
    assert_eq!((told.code(), told.reason.as_str()), (ErrorCode::GoingDown, "TERMINATE was typed"));
    let log = std::fs::metadata(folder.path().join("server.db-wal"));
    assert!(log.is_err() || log.unwrap().len() == 0, "the write-ahead log was moved into the database");

    let server = serve(folder.path()).await;
    assert_eq!(server.link().fingerprint, link.fingerprint);
    assert_eq!(alice.log_in(&server).await.heads[0].sequence, 2);
    let message = alice.message(chat, b"after");
    alice.link.call(message).await.unwrap();
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_protocol_ends_its_own_connection_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let mut alice = Person::sign_up(&server, "alice").await;
    let ping = ClientFrame { id: 1, request: Some(Body::Ping(proto::Ping {})) }.encode_to_vec();
    let login = proto::DeviceLogin { device_id: vec![0; 3], signature: vec![] };
    let short = ClientFrame { id: 1, request: Some(Body::DeviceLogin(login)) }.encode_to_vec();
    let part = proto::Part { bytes: vec![1; 10], last: false };
    let part = ClientFrame { id: 1, request: Some(Body::Part(part)) }.encode_to_vec();
    for (bytes, greeted, code) in [
        (vec![0xFF; 100], false, ErrorCode::Malformed),
        (vec![0; limits::FRAME_BEFORE_LOGIN + 1], false, ErrorCode::TooLarge),
        (ping, false, ErrorCode::OutOfState),
        (short, true, ErrorCode::Malformed),
        (part, true, ErrorCode::OutOfState),
    ] {
        let mut link = if greeted { Link::greet(&server).await.0 } else { Link::open(&server).await };
        link.send_raw(bytes).await;
        assert_eq!(link.end().await.map(|end| end.code()), Some(code));
    }
    alice.link.call(Body::Ping(proto::Ping {})).await.unwrap();

    // After the login a frame may be larger, up to its limit.
    let lookup = |size| {
        let by = Some(proto::lookup::By::Username("x".repeat(size)));
        ClientFrame { id: 9, request: Some(Body::Lookup(proto::Lookup { by })) }.encode_to_vec()
    };
    alice.link.send_raw(lookup(500 * 1024)).await;
    assert_eq!(alice.link.answer(9).await.unwrap_err(), ErrorCode::NoSuchAccount);
    alice.link.send_raw(lookup(limits::FRAME + 1)).await;
    assert_eq!(alice.link.end().await.map(|end| end.code()), Some(ErrorCode::TooLarge));
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_without_tls_or_websocket_get_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let mut plain = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ended = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    let mut http = tls(&server).await;
    assert_eq!(http.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let group = http.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    http.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    http.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_takes_too_long_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let (mut link, _) = Link::greet(&server).await;
    // Ten seconds of real time: the only test that waits for a clock.
    assert_eq!(link.end().await.map(|end| end.code()), Some(ErrorCode::TooSlow));
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_user_get_answers_of_the_same_size() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    Person::sign_up(&server, "alice").await;
    let known = wrong_login(&server, "alice").await;
    assert_eq!(known, wrong_login(&server, "nobody").await);
    assert_eq!(known.1, ErrorCode::WrongCredentials);
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_people_sign_up_from_this_machine_and_one_of_them_was_first() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve_with(folder.path(), |config| config.rates = subrosa_server::Rates::default()).await;
    let server = std::sync::Arc::new(server);
    let people: Vec<_> = (0..50)
        .map(|number| {
            let server = server.clone();
            tokio::spawn(async move { Person::sign_up(&server, &format!("person{number}")).await })
        })
        .collect();
    let mut last = None;
    for person in people {
        last = Some(person.await.unwrap());
    }
    let mut last = last.unwrap();
    let list = Body::ListAccounts(proto::ListAccounts { after: Vec::new() });
    let proto::answer::Body::AccountPage(page) = last.link.call(list).await.unwrap() else { panic!() };
    assert_eq!(page.accounts.len(), 50);
    assert_eq!(page.accounts.iter().filter(|row| row.role == 4).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_sent_to_the_log_and_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let mut alice = Person::sign_up(&server, "alice").await;
    let mut bob = Person::sign_up(&server, "bob").await;
    let chat = alice.converse(&mut bob).await;
    // Bob reads nothing while alice sends far more than sockets and queues hold.
    let text = vec![b'x'; 200 * 1024];
    let total = 120;
    for _ in 0..total {
        let message = alice.message(chat, &text);
        alice.link.call(message).await.unwrap();
    }
    let mut cursor = 1;
    loop {
        match bob.link.news().await {
            server_frame::Body::Deliver(deliver) => {
                for entry in deliver.entries {
                    assert_eq!(entry.sequence, cursor + 1, "in order, without a gap");
                    cursor = entry.sequence;
                }
            }
            server_frame::Body::Resync(resync) => {
                assert_eq!(resync.heads[0].sequence, total + 1);
                break;
            }
            _ => {}
        }
    }
    assert!(cursor < total, "the connection never lagged");
    while cursor < total + 1 {
        let fetch = proto::FetchLog { conversation_id: chat.to_vec(), after: cursor, limit: 0 };
        let proto::answer::Body::LogPage(page) = bob.link.call(Body::FetchLog(fetch)).await.unwrap() else { panic!() };
        cursor = page.entries.last().unwrap().sequence;
    }
    // And it is live again.
    let message = alice.message(chat, b"still there?");
    alice.link.call(message).await.unwrap();
    loop {
        if let server_frame::Body::Deliver(deliver) = bob.link.news().await {
            assert_eq!(deliver.entries[0].sequence, total + 2);
            break;
        }
    }
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_request_goes_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let mut alice = Person::sign_up(&server, "alice").await;
    let by = Some(proto::lookup::By::Username("x".repeat(3 * 1024 * 1024)));
    let whole = ClientFrame { id: 500, request: Some(Body::Lookup(proto::Lookup { by })) }.encode_to_vec();
    let count = whole.len().div_ceil(900_000);
    for (index, bytes) in whole.chunks(900_000).enumerate() {
        let part = proto::Part { bytes: bytes.to_vec(), last: index + 1 == count };
        alice.link.send_raw(ClientFrame { id: 500, request: Some(Body::Part(part)) }.encode_to_vec()).await;
    }
    assert_eq!(alice.link.answer(500).await.unwrap_err(), ErrorCode::NoSuchAccount);
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_requests_at_once_are_all_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let mut alice = Person::sign_up(&server, "alice").await;
    let mut ids = Vec::new();
    for number in 0..1000 {
        let request = if number % 3 == 0 {
            Body::FetchRoleLog(proto::FetchRoleLog { after: 0 })
        } else {
            Body::Ping(proto::Ping {})
        };
        ids.push(alice.link.send(request).await);
    }
    let mut answered = Vec::new();
    while answered.len() < ids.len() {
        if let Some(server_frame::Body::Answer(answer)) = alice.link.receive().await {
            answered.push(answer.id);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, ids);
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_server_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("data");
    let server = serve(&inner).await;
    let config = ServerConfig { listen: "127.0.0.1:0".parse().unwrap(), folder: inner.clone(), ..Default::default() };
    assert!(matches!(Server::start(config).await, Err(StartError::FolderInUse)));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&inner), 0o700);
        for file in std::fs::read_dir(&inner).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
    }
    assert_eq!(server.setup_code(), None);
    server.shutdown("").await.unwrap();
    serve(&inner).await.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_loopback_needs_the_setup_code() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve_with(folder.path(), |config| config.listen = "0.0.0.0:0".parse().unwrap()).await;
    assert_eq!(server.setup_code().map(str::len), Some(16));
    assert_eq!(server.link().host, "127.0.0.1");
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_speaks_of_rooms_or_of_everything_else_and_large_only_once_it_was_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let enter = |name: &str| {
        let (room, name) = ("lobby".to_owned(), name.to_owned());
        Body::EnterRoom(proto::EnterRoom { room, name, guest_key: vec![7; 32], pass: Vec::new() })
    };
    let send = |size| {
        let send = proto::RoomSend { message: vec![0; size].into() };
        ClientFrame { id: 99, request: Some(Body::RoomSend(send)) }.encode_to_vec()
    };

    // Before hello, and by an account.
    let mut link = Link::open(&server).await;
    link.send(enter("early")).await;
    assert_eq!(link.end().await.map(|end| end.code()), Some(ErrorCode::OutOfState));
    let mut alice = Person::sign_up(&server, "alice").await;
    alice.link.send(enter("alice")).await;
    assert_eq!(alice.link.end().await.map(|end| end.code()), Some(ErrorCode::OutOfState));

    // Who was not let in is still a stranger.
    let (mut link, _) = Link::greet(&server).await;
    assert_eq!(link.call(enter("@nobody")).await.unwrap_err(), ErrorCode::UsernameRefused);
    link.send_raw(send(limits::FRAME_BEFORE_LOGIN)).await;
    assert_eq!(link.end().await.map(|end| end.code()), Some(ErrorCode::TooLarge));

    // Who was may say more at once, but only of rooms.
    let (mut link, _) = Link::greet(&server).await;
    link.call(enter("guest")).await.unwrap();
    link.call(Body::Ping(proto::Ping {})).await.unwrap();
    link.send_raw(send(2 * limits::FRAME_BEFORE_LOGIN)).await;
    assert_eq!(link.answer(99).await.unwrap_err(), ErrorCode::NotAMember, "it waits for its turn");
    link.send(Body::ListConversations(proto::ListConversations {})).await;
    assert_eq!(link.end().await.map(|end| end.code()), Some(ErrorCode::OutOfState));
    server.shutdown("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_of_rooms_are_told_why_the_server_goes_and_their_names_are_free_once_they_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let enter = || {
        let (room, name) = ("lobby".to_owned(), "guest".to_owned());
        Body::EnterRoom(proto::EnterRoom { room, name, guest_key: vec![7; 32], pass: Vec::new() })
    };
    let (mut link, _) = Link::greet(&server).await;
    link.call(enter()).await.unwrap();
    let (mut other, _) = Link::greet(&server).await;
    assert_eq!(other.call(enter()).await.unwrap_err(), ErrorCode::UsernameTaken);
    drop(link);
    // The end of a connection is noticed in its own time.
    while other.call(enter()).await.is_err() {}
    let (stopped, told) = tokio::join!(server.shutdown("TERMINATE was typed"), other.end());
    stopped.unwrap();
    let told = told.unwrap();
    assert_eq!((told.code(), told.reason.as_str()), (ErrorCode::GoingDown, "TERMINATE was typed"));
}
