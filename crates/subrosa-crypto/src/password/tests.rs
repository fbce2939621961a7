use super::*;
use crate::fixtures::rng;
use crate::keys::SigningKey;

const FAST: PasswordCost = PasswordCost::danger_fast();

struct Server {
    key: VerifyingKey,
    setup: ServerSetup,
}

fn server(seed: u64) -> Server {
    let key = SigningKey::generate(&mut rng(seed)).public();
    Server { key, setup: ServerSetup::generate(&mut rng(seed + 1), &key) }
}

fn name(text: &str) -> Username {
    text.parse().unwrap()
}

fn password(text: &str) -> Password {
    Password::prepare(text).unwrap()
}

fn sign_up(server: &Server, username: &Username, text: &str) -> (Vec<u8>, ExportKey) {
    let mut rng = rng(10);
    let (client, request) = Registration::start(&mut rng, &password(text)).unwrap();
    let response = server.setup.registration_response(&request, username).unwrap();
    let binding = Binding { username, server_key: &server.key };
    let (upload, export_key) = client.finish(&mut rng, &response, binding, &FAST).unwrap();
    (ServerSetup::record_from_upload(&upload).unwrap(), export_key)
}

/// One login; the client believes to be at `client_at`.
fn log_in(
    server: &Server,
    client_at: &VerifyingKey,
    record: Option<&[u8]>,
    username: &Username,
    text: &str,
) -> Result<ExportKey, PasswordError> {
    let mut rng = rng(20);
    let (client, request) = Login::start(&mut rng, &password(text)).unwrap();
    let (state, response) = server.setup.login_response(&mut rng, record, &request, username).unwrap();
    let state = LoginState::from_bytes(&state.to_bytes()).unwrap();
    let outcome = client.finish(&mut rng, &response, Binding { username, server_key: client_at }, &FAST)?;
    assert_eq!(server.setup.login_finish(state, &outcome.finalization)?, outcome.session_key);
    Ok(outcome.export_key)
}

#[test]
fn the_right_password_gives_both_sides_the_same_key_and_the_same_export_key_each_time() {
    let (server, alice) = (server(1), name("alice"));
    let (record, exported) = sign_up(&server, &alice, "correct horse");
    let again = log_in(&server, &server.key, Some(&record), &alice, "correct horse").unwrap();
    assert_eq!(exported.as_bytes(), again.as_bytes());
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let (server, alice) = (server(1), name("alice"));
    let (record, _) = sign_up(&server, &alice, "correct horse");
    for record in [Some(record.as_slice()), None] {
        assert_eq!(log_in(&server, &server.key, record, &alice, "wrong horse").err(), Some(PasswordError::Wrong));
        // What the server says has one size, and a guessed proof one answer.
        let (_, request) = Login::start(&mut rng(3), &password("wrong horse")).unwrap();
        let (state, response) = server.setup.login_response(&mut rng(4), record, &request, &alice).unwrap();
        assert_eq!(response.len(), length::CREDENTIAL_RESPONSE);
        assert_eq!(server.setup.login_finish(state, &[7; 64]).err(), Some(PasswordError::Wrong));
    }
}

#[test]
fn a_record_is_good_for_its_name_and_its_server_only() {
    let (here, there, alice) = (server(1), server(5), name("alice"));
    let (record, _) = sign_up(&here, &alice, "correct horse");
    let wrong = Some(PasswordError::Wrong);
    assert_eq!(log_in(&here, &here.key, Some(&record), &name("bob"), "correct horse").err(), wrong);
    assert_eq!(log_in(&there, &there.key, Some(&record), &alice, "correct horse").err(), wrong);
    // A server in the middle that passes messages on: the client knows another identity key.
    assert_eq!(log_in(&here, &there.key, Some(&record), &alice, "correct horse").err(), wrong);
}

#[test]
fn the_setup_survives_its_stored_form() {
    let (server, alice) = (server(1), name("alice"));
    let (record, _) = sign_up(&server, &alice, "correct horse");
    let stored = server.setup.to_bytes();
    assert_eq!(stored.len(), 161);
    let restarted = Server { key: server.key, setup: ServerSetup::from_bytes(&stored).unwrap() };
    assert!(log_in(&restarted, &server.key, Some(&record), &alice, "correct horse").is_ok());
    for damaged in [&stored[..160], &[], &[2; 161], &[stored.as_slice(), &[0]].concat()] {
        assert_eq!(ServerSetup::from_bytes(damaged).err(), Some(PasswordError::Record));
    }
    assert_eq!(LoginState::from_bytes(&[1, 200, 3]).err(), Some(PasswordError::Record));
}

#[test]
fn malformed_messages_are_refused_by_both_sides() {
    let (server, alice) = (server(1), name("alice"));
    let binding = Binding { username: &alice, server_key: &server.key };
    let malformed = Some(PasswordError::Malformed);
    for length in [0, 1, 31, 32, 33, 63, 64, 65, 95, 96, 97, 191, 192, 193, 319, 320, 321, 5000] {
        let bytes = vec![0xFF; length];
        assert_eq!(server.setup.registration_response(&bytes, &alice).err(), malformed);
        assert_eq!(ServerSetup::record_from_upload(&bytes).err(), malformed);
        assert_eq!(server.setup.login_response(&mut rng(1), None, &bytes, &alice).err(), malformed);
        let (client, _) = Registration::start(&mut rng(1), &password("correct horse")).unwrap();
        assert!(client.finish(&mut rng(2), &bytes, binding, &FAST).is_err());
        let (client, request) = Login::start(&mut rng(1), &password("correct horse")).unwrap();
        assert!(client.finish(&mut rng(2), &bytes, binding, &FAST).is_err());
        let (state, _) = server.setup.login_response(&mut rng(1), None, &request, &alice).unwrap();
        assert!(server.setup.login_finish(state, &bytes).is_err());
    }
    let (_, request) = Login::start(&mut rng(1), &password("correct horse")).unwrap();
    let damaged = server.setup.login_response(&mut rng(1), Some(&[1, 2, 3]), &request, &alice);
    assert_eq!(damaged.err(), Some(PasswordError::Record));
}

#[test]
fn the_cost_is_part_of_the_protocol() {
    let (server, alice) = (server(1), name("alice"));
    let (record, _) = sign_up(&server, &alice, "correct horse");
    let other = PasswordCost { iterations: 2, ..FAST };
    let mut rng = rng(20);
    let (client, request) = Login::start(&mut rng, &password("correct horse")).unwrap();
    let (_, response) = server.setup.login_response(&mut rng, Some(&record), &request, &alice).unwrap();
    let binding = Binding { username: &alice, server_key: &server.key };
    assert_eq!(client.finish(&mut rng, &response, binding, &other).err(), Some(PasswordError::Wrong));
}

#[test]
fn a_password_is_the_same_from_every_keyboard_and_refused_when_it_cannot_be() {
    assert_eq!(password("cafe\u{301} au lait").as_bytes(), password("café\u{A0}au lait").as_bytes());
    assert_ne!(password("Secret").as_bytes(), password("secret").as_bytes());
    assert_eq!(Password::prepare("").err(), Some(PasswordRefusal::Empty));
    assert_eq!(Password::prepare("a\u{7}b").err(), Some(PasswordRefusal::Character));
    assert_eq!(Password::prepare(&"x".repeat(PASSWORD + 1)).err(), Some(PasswordRefusal::TooLong));
}

#[test]
fn a_sign_up_asks_for_more_than_a_login() {
    let strength = |text: &str| password(text).check_strength(&name("somebody"));
    assert_eq!(strength("short"), Err(PasswordRefusal::TooShort));
    assert_eq!(strength("aaaaaaaaaaaaa"), Err(PasswordRefusal::TooEasy));
    assert_eq!(strength("Somebody"), Err(PasswordRefusal::TooEasy));
    assert_eq!(strength("correct horse"), Ok(()));
    assert_eq!(strength("گذرواژه‌ی من"), Ok(()));
}

#[test]
fn the_suite_and_the_stored_forms_are_frozen() {
    // A new version of the library that changes any of these locks everybody out of their accounts.
    let (server, alice) = (server(1), name("alice"));
    let (record, export_key) = sign_up(&server, &alice, "correct horse");
    let hashes = [server.setup.to_bytes().as_slice(), &record, export_key.as_bytes()]
        .map(|bytes| data_encoding::HEXLOWER.encode(&crate::sha256(bytes)[..8]));
    assert_eq!(hashes, ["1e008331b48946c5", "cf57b23f71f49d5d", "24c81ddf9b0d6deb"]);
}
