//! The core as a whole: what a crash, a full disk and a lagging reader do.

use rusqlite::Connection;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::client_frame::Request as Body;
use subrosa_wire::proto::{ClientFrame, ConversationKind, Ping, answer, server_frame};
use subrosa_wire::{Refusal, decode_server_frame};

use super::testing::World;
use super::*;
use crate::store;

fn job(session: SessionId, request: Body) -> Job {
    Job { session, request: Request::Frame(ClientFrame { id: 77, request: Some(request) }) }
}

#[test]
fn a_batch_that_is_dropped_never_happened() {
    let mut world = World::new();
    let (alice, mut bob) = (world.sign_up("alice"), world.sign_up("bob"));
    let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
    let message = alice.device.message(&mut world, chat, b"");
    let commit = bob.device.change(&mut world, chat, &[], &[]);
    let batch =
        vec![job(alice.device.session, Body::Append(message.clone())), job(bob.device.session, Body::Commit(commit))];
    drop(world.core.execute(batch, world.now, &mut world.rng));
    assert_eq!(alice.device.fetch_log(&mut world, chat, 0).unwrap().head, 1);
    let answer = world.call(alice.device.session, Body::Append(message)).unwrap();
    assert!(matches!(answer, answer::Body::Committed(committed) if committed.sequence == 2));
    assert_eq!(bob.device.log_in(&mut world).unwrap().heads[0].sequence, 2);
}

#[test]
fn logins_and_roles_of_a_dropped_batch_are_undone() {
    let mut world = World::new();
    let alice = world.sign_up("alice");
    let mut bob = super::testing::Person::new(&mut world, "bob");
    let (session, finish) = bob.prepare_sign_up(&mut world).unwrap();
    let batch = vec![job(session, Body::RegisterFinish(finish.clone()))];
    drop(world.core.execute(batch, world.now, &mut world.rng));
    assert_eq!(world.core.state.sessions.logged_in().count(), 1);
    // The session stands where it stood, so the same request works.
    world.call(session, Body::RegisterFinish(finish)).unwrap();
    bob.device.session = session;
    assert_eq!(world.core.state.roles.accounts().count(), 2);
    assert!(world.ended(alice.device.session).is_none());
}

#[test]
fn a_restart_finds_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.db");
    let mut world = World::over(Connection::open(&path).unwrap(), CoreConfig::default());
    let (mut alice, mut bob) = (world.sign_up("alice"), world.sign_up("bob"));
    let group = alice.converse(&mut world, ConversationKind::Group, &[&bob]);
    let message = alice.device.message(&mut world, group, b"");
    world.call(alice.device.session, Body::Append(message.clone())).unwrap();
    let key = world.core.server_key();

    world.core =
        Core::open(Connection::open(&path).unwrap(), CoreConfig::default(), world.now, &mut world.rng).unwrap();
    assert_eq!(world.core.server_key(), key);
    assert_eq!(alice.device.log_in(&mut world).unwrap().heads[0].sequence, 2);
    bob.device.log_in(&mut world).unwrap();
    let answer = world.call(alice.device.session, Body::Append(message)).unwrap();
    assert!(matches!(answer, answer::Body::Committed(committed) if committed.sequence == 2));
    let entries = bob.device.fetch_log(&mut world, group, 1).unwrap().entries;
    bob.device.process(&mut world, group, &entries);
    let commit = bob.device.change(&mut world, group, &[], &[]);
    world.call(bob.device.session, Body::Commit(commit)).unwrap();
    assert!(alice.prove(&mut world, alice.password()).1.is_ok());
}

#[test]
fn a_full_disk_refuses_what_writes_and_heals_by_itself() {
    let mut world = World::new();
    let (alice, mut bob) = (world.sign_up("alice"), world.sign_up("bob"));
    let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
    let pages: i64 = world.core.store.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |world: &World, pages: i64| {
        world.core.store.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(&world, pages);

    let mut refused = None;
    let mut accepted = 1;
    for _ in 0..40 {
        let message = alice.device.message(&mut world, chat, b"");
        match world.call(alice.device.session, Body::Append(message.clone())) {
            Ok(_) => accepted += 1,
            Err(refusal) => refused = Some((refusal, message)),
        }
        if refused.is_some() {
            break;
        }
    }
    let (refusal, message) = refused.expect("the disk never was full");
    assert_eq!(refusal, Refusal::retry_after(ErrorCode::StoreUnavailable, 2_000));
    // Who only reads is served, in the same batch too; and logins go on.
    let answers = world.batch([
        (alice.device.session, Body::Append(message.clone())),
        (bob.device.session, Body::Ping(Ping {})),
        (bob.device.session, Body::FetchInbox(proto::FetchInbox { after: 0 })),
    ]);
    assert_eq!(answers[0].clone().unwrap_err().code, ErrorCode::StoreUnavailable);
    assert!(answers[1].is_ok() && answers[2].is_ok());
    bob.device.log_in(&mut world).unwrap();
    assert_eq!(bob.device.fetch_log(&mut world, chat, 0).unwrap().head, accepted);

    limit(&world, 1_000_000);
    let answer = world.call(alice.device.session, Body::Append(message)).unwrap();
    assert!(matches!(answer, answer::Body::Committed(committed) if committed.sequence == accepted + 1));
}

#[test]
fn a_reader_that_lagged_is_told_where_everything_stands() {
    let mut world = World::new();
    let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
    let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
    let resync = Job { session: bob.device.session, request: Request::Resync };
    let released = world.core.execute(vec![resync], world.now, &mut world.rng).commit().unwrap();
    let [Emission::Answer { frame, .. }] = released.emissions.as_slice() else { panic!("{released:?}") };
    let Some(server_frame::Body::Resync(resync)) = decode_server_frame(frame.clone()).unwrap().body else {
        panic!("no resync")
    };
    assert_eq!((resync.heads.len(), resync.heads[0].sequence, resync.role_position), (1, 1, 2));
    assert_eq!(resync.heads[0].conversation_id, chat.as_bytes());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = || {
        let mut world = World::new();
        let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
        let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
        let message = alice.device.message(&mut world, chat, b"");
        world.call(alice.device.session, Body::Append(message)).unwrap();
        let entries = world.delivered(bob.device.session);
        (world.core.server_key(), entries)
    };
    assert_eq!(run(), run());
}

#[test]
fn no_row_holds_a_message_in_the_clear_and_the_log_names_no_sender() {
    let mut world = World::new();
    let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
    let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
    let message = alice.device.message(&mut world, chat, b"");
    world.call(alice.device.session, Body::Append(message)).unwrap();
    let row: Vec<u8> = world
        .core
        .store
        .query_row("SELECT key, message FROM log ORDER BY position DESC LIMIT 1", [], |row| {
            Ok([row.get::<_, Vec<u8>>(0)?, row.get(1)?].concat())
        })
        .unwrap();
    let absent = |needle: &[u8]| !row.windows(needle.len()).any(|window| window == needle);
    assert!(absent(b"hello there"));
    assert!(absent(alice.device.id.as_bytes()) && absent(alice.id.as_bytes()));
    assert!(store::schema(&world.core.store).unwrap().contains("CREATE TABLE log"));
}

#[test]
fn a_store_that_fails_otherwise_is_the_end() {
    let mut world = World::new();
    let (alice, bob) = (world.sign_up("alice"), world.sign_up("bob"));
    let chat = alice.converse(&mut world, ConversationKind::Private, &[&bob]);
    let message = alice.device.message(&mut world, chat, b"");
    world.core.store.execute_batch("DROP TABLE log").unwrap();
    let batch = vec![job(alice.device.session, Body::Append(message))];
    let failed = world.core.execute(batch, world.now, &mut world.rng).commit();
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
}

#[test]
fn who_comes_and_goes_is_told_to_the_console() {
    let mut world = World::new();
    let mut alice = world.sign_up("alice");
    let (session, channel) = world.greet();
    let signature = channel.sign_login(alice.device.id, &alice.device.key).to_vec();
    let login = proto::DeviceLogin { device_id: alice.device.id.to_vec(), signature };
    let batch = vec![job(session, Body::DeviceLogin(login))];
    let released = world.core.execute(batch, world.now, &mut world.rng).commit().unwrap();
    assert_eq!(released.events, [Event::Joined(alice.id), Event::Left(alice.id)]);
    assert_eq!(world.core.disconnect(alice.device.session), None);
    alice.device.session = session;
    assert_eq!(world.core.disconnect(session), Some(Event::Left(alice.id)));
}
