//! `PasswordStart`, `PasswordFinish`: proof of the password (OPAQUE, RFC 9807), for a further or a new first device.
//!
//! Refused: `RATE_LIMITED` per account and per address; `WRONG_CREDENTIALS`.
//!
//! An unknown user and a wrong password are the same: the same answers of the same size, made by the same steps over a
//! fake record, and the refusal comes at the end only. Names that nobody has are counted like accounts.

use subrosa_crypto::LoginState;
use subrosa_types::name::Username;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{PasswordFinish, PasswordFinishAnswer, PasswordStart, PasswordStartAnswer, answer};
use zeroize::Zeroizing;

use crate::core::directory;
use crate::core::failure::{Failure, Handled};
use crate::core::session::{Attempt, Stage};
use crate::core::turn::Turn;
use crate::store::accounts;

pub(crate) fn start(turn: &mut Turn<'_>, request: &PasswordStart) -> Handled {
    let channel = turn.channel()?;
    turn.count_attempt()?;
    // A name that cannot exist tells nothing about those that do.
    let username =
        Username::from_prepared(&request.username).map_err(|_| Failure::from(ErrorCode::WrongCredentials))?;
    turn.count_attempt_of(username.as_str())?;
    let record = accounts::password(turn.store, username.as_str())?;
    let password_file = record.as_ref().map(|record| record.password_file.as_slice());
    let opaque = &turn.state.identity.opaque;
    let (state, credential_response) =
        opaque.login_response(turn.rng, password_file, &request.credential_request, &username)?;
    let attempt = Attempt { account: record.map(|record| record.no), state: Zeroizing::new(state.to_bytes().to_vec()) };
    turn.advance(Stage::ProvingPassword(channel, Box::new(attempt)));
    Ok(answer::Body::PasswordStart(PasswordStartAnswer { credential_response }))
}

pub(crate) fn finish(turn: &mut Turn<'_>, request: &PasswordFinish) -> Handled {
    let Stage::ProvingPassword(channel, attempt) = turn.stage()?.clone() else {
        return Err(ErrorCode::OutOfState.into());
    };
    turn.advance(Stage::Greeted(channel.clone()));
    let state = LoginState::from_bytes(&attempt.state)?;
    let proved = turn.state.identity.opaque.login_finish(state, &request.credential_finalization);
    // The session key is not used: TLS protects the connection, and the device key will sign for it.
    let account = match (proved, attempt.account) {
        (Ok(_), Some(account)) => account,
        (Ok(_), None) => return Err(ErrorCode::WrongCredentials.into()),
        (Err(error), _) => return Err(error.into()),
    };
    let record = accounts::by_number(turn.store, account)?;
    let own = directory::entry(turn.store, &record)?;
    let vault = accounts::vault(turn.store, account)?;
    turn.advance(Stage::Proved(channel, account));
    Ok(answer::Body::PasswordFinish(PasswordFinishAnswer { own: Some(own), vault }))
}

#[cfg(test)]
mod tests {
    use subrosa_crypto::{Login, Password};
    use subrosa_wire::encode;
    use subrosa_wire::proto::client_frame::Request as Body;

    use super::*;
    use crate::core::testing::{Person, World};

    #[test]
    fn the_password_opens_the_directory_entry_and_the_vault() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let proved = alice.prove(&mut world, alice.password()).1.unwrap();
        assert!(!proved.vault.is_empty());
        assert!(proved.own.is_some());
    }

    #[test]
    fn a_wrong_password_and_an_unknown_user_look_the_same() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let nobody = Person::new(&mut world, "carol");
        let mut sizes = Vec::new();
        for person in [&alice, &nobody] {
            let (session, _) = world.greet();
            let password = Password::prepare("something else entirely").unwrap();
            let (_, credential_request) = Login::start(&mut world.rng, &password).unwrap();
            let start = PasswordStart { username: person.name.to_string(), credential_request };
            let answer = world.call(session, Body::PasswordStart(start)).unwrap();
            let answer::Body::PasswordStart(answer) = answer else { panic!("{answer:?}") };
            sizes.push(encode(&answer).len());
            let finish = PasswordFinish { credential_finalization: vec![7; 64] };
            let refused = world.call(session, Body::PasswordFinish(finish)).unwrap_err();
            assert_eq!(refused, ErrorCode::WrongCredentials.into());
        }
        assert_eq!(sizes[0], sizes[1]);
        for person in [&alice, &nobody] {
            let refused = person.prove(&mut world, "something else entirely").1.unwrap_err();
            assert_eq!(refused, ErrorCode::WrongCredentials.into());
        }
    }

    #[test]
    fn attempts_of_one_account_are_limited_whether_it_exists_or_not() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let nobody = Person::new(&mut world, "carol");
        for person in [&alice, &nobody] {
            for _ in 0..5 {
                let refused = person.prove(&mut world, "wrong and wrong again").1.unwrap_err();
                assert_eq!(refused.code, ErrorCode::WrongCredentials);
            }
            let refused = person.prove(&mut world, "wrong and wrong again").1.unwrap_err();
            assert_eq!((refused.code, refused.retry_after_ms), (ErrorCode::RateLimited, 10_000));
        }
        world.now = world.now.plus_millis(10_000);
        assert!(alice.prove(&mut world, alice.password()).1.is_ok());
    }

    #[test]
    fn a_finish_without_a_start_breaks_the_protocol() {
        let mut world = World::new();
        let (session, _) = world.greet();
        let finish = PasswordFinish { credential_finalization: vec![7; 64] };
        let refused = world.call(session, Body::PasswordFinish(finish)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::OutOfState);
    }
}
