//! `RegisterStart`, `RegisterFinish`: sign-up. The first account becomes the super admin, every later one a beginner.
//!
//! Refused: `RATE_LIMITED`; `SIGNUP_CLOSED`; `INVITE_NEEDED`; `SETUP_CODE_NEEDED`; `USERNAME_REFUSED` for a name that is
//! not prepared or allowed; `USERNAME_TAKEN`, also when it is confusable with a taken one; `BAD_SIGNATURE` for a statement,
//! device list or key package that does not verify or is another's. A refused `RegisterFinish` ends the attempt: it
//! begins again with `RegisterStart`.
//!
//! The first account may sign up whatever the mode is, since nobody could invite it. Which one is first is decided in the
//! transaction: requests are executed one after the other, so two that race give one super admin.

use subrosa_crypto::{DeviceList, SelfSigned, ServerSetup};
use subrosa_types::limits;
use subrosa_types::name::Username;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::{RegisterFinish, RegisterStart, RegisterStartAnswer, answer};

use crate::core::Signup;
use crate::core::directory::NewDevice;
use crate::core::failure::{Failure, Handled};
use crate::core::session::{Login, Stage};
use crate::core::turn::Turn;
use crate::store::accounts::{self, Identity, NewAccount};
use crate::store::invites;

pub(crate) fn start(turn: &mut Turn<'_>, request: &RegisterStart) -> Handled {
    let channel = turn.channel()?;
    turn.count_attempt()?;
    let first = !accounts::any(turn.store)?;
    if turn.state.config.signup == Signup::Closed && !first {
        return Err(ErrorCode::SignupClosed.into());
    }
    let username = Username::from_prepared(&request.username).map_err(|error| {
        tracing::debug!(%error, "a username is refused");
        Failure::from(ErrorCode::UsernameRefused)
    })?;
    refuse_taken(turn, &username)?;
    let opaque = &turn.state.identity.opaque;
    let registration_response = opaque.registration_response(&request.registration_request, &username)?;
    turn.advance(Stage::Registering(channel, Box::new(username)));
    Ok(answer::Body::RegisterStart(RegisterStartAnswer { registration_response }))
}

pub(crate) fn finish(turn: &mut Turn<'_>, request: &RegisterFinish) -> Handled {
    let Stage::Registering(channel, username) = turn.stage()?.clone() else {
        return Err(ErrorCode::OutOfState.into());
    };
    turn.advance(Stage::Greeted(channel));
    if request.username != username.as_str() {
        return Err(ErrorCode::Malformed.into());
    }
    check_email(&request.email)?;
    if request.vault.len() > limits::VAULT {
        return Err(ErrorCode::TooLarge.into());
    }

    let first = !accounts::any(turn.store)?;
    if first {
        check_setup_code(turn, &request.setup_code)?;
    } else if turn.state.config.signup == Signup::Closed {
        return Err(ErrorCode::SignupClosed.into());
    }
    refuse_taken(turn, &username)?;

    let server_key = turn.state.identity.public;
    let account = SelfSigned::verify(&request.account_statement, &request.account_signature, &server_key)?;
    if account.username != *username || account.generation != 0 || accounts::number(turn.store, account.id)?.is_some() {
        return Err(ErrorCode::BadSignature.into());
    }
    let entry = request.device_list_entry.as_ref().ok_or(ErrorCode::Malformed)?;
    let list = DeviceList::verify(std::slice::from_ref(entry), account.id, &account.key)?;
    let device_id = list.active().next().ok_or(ErrorCode::BadSignature)?.id;
    let device = NewDevice::check(turn.store, &list, device_id, entry, &request.key_packages, &request.last_resort)?;
    let password_file = ServerSetup::record_from_upload(&request.registration_upload)?;

    // Last of what can say no, because it counts the invitation down.
    if !first
        && turn.state.config.signup == Signup::Invite
        && !invites::redeem(turn.store, request.invite_code.trim(), turn.now)?
    {
        return Err(ErrorCode::InviteNeeded.into());
    }

    let attestation = account.attest(&turn.state.identity.key);
    let new = NewAccount {
        id: account.id,
        username: username.as_str(),
        skeleton: &username.skeleton(),
        email: &request.email,
        password_file: &password_file,
        created_at: turn.now,
    };
    let identity = Identity {
        generation: account.generation,
        account_key: account.key.as_bytes(),
        statement: &request.account_statement,
        signature: &request.account_signature,
        attestation: &attestation,
        vault: &request.vault,
    };
    let no = accounts::insert(turn.store, &new, &identity)?;
    let device_no = device.save(turn, no)?;
    let state = &turn.state;
    let created = state.roles.next_account_created(account.id, &account.key, turn.now, &state.identity.key);
    turn.append_role_entry(created)?;
    tracing::info!(account = %account.id, first, "an account signed up");
    turn.log_in(Login { device: device_no, device_id, account: no, account_id: account.id })
}

fn refuse_taken(turn: &Turn<'_>, username: &Username) -> Result<(), Failure> {
    if accounts::name_taken(turn.store, username.as_str(), &username.skeleton())? {
        return Err(ErrorCode::UsernameTaken.into());
    }
    Ok(())
}

/// People type it; upper and lower case are the same.
fn check_setup_code(turn: &Turn<'_>, given: &str) -> Result<(), Failure> {
    match &turn.state.setup_code {
        Some(code) if !code.eq_ignore_ascii_case(given.trim()) => Err(ErrorCode::SetupCodeNeeded.into()),
        _ => Ok(()),
    }
}

/// An address is stored as given; what is no address at all was not typed by a person into our client.
fn check_email(email: &str) -> Result<(), Failure> {
    if email.len() > limits::EMAIL {
        return Err(ErrorCode::TooLarge.into());
    }
    let plausible = email.is_empty() || (email.contains('@') && !email.chars().any(|c| c.is_control() || c == ' '));
    if plausible { Ok(()) } else { Err(ErrorCode::Malformed.into()) }
}

#[cfg(test)]
mod tests {
    use subrosa_types::Role;
    use subrosa_wire::proto::client_frame::Request as Body;
    use subrosa_wire::proto::{self, server_frame};

    use super::*;
    use crate::core::CoreConfig;
    use crate::core::testing::{Person, World};

    #[test]
    fn the_first_account_is_the_super_admin_and_every_later_one_a_beginner() {
        let mut world = World::new();
        let alice = world.sign_up("alice");
        let bob = world.sign_up("bob");
        let roles = &world.core.state.roles;
        assert_eq!(roles.role(alice.id), Some(Role::SuperAdmin));
        assert_eq!(roles.role(bob.id), Some(Role::Beginner));
        let news = world.news(alice.device.session);
        assert!(matches!(news.as_slice(), [server_frame::Body::RoleLogGrew(_)]), "{news:?}");
    }

    #[test]
    fn two_first_sign_ups_in_one_batch_give_one_super_admin() {
        let mut world = World::new();
        let (mut alice, mut bob) = (Person::new(&mut world, "alice"), Person::new(&mut world, "bob"));
        let (first, finish_first) = alice.prepare_sign_up(&mut world).unwrap();
        let (second, finish_second) = bob.prepare_sign_up(&mut world).unwrap();
        let answers =
            world.batch([(first, Body::RegisterFinish(finish_first)), (second, Body::RegisterFinish(finish_second))]);
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let roles = &world.core.state.roles;
        assert_eq!((roles.role(alice.id), roles.role(bob.id)), (Some(Role::SuperAdmin), Some(Role::Beginner)));
    }

    #[test]
    fn a_taken_name_and_one_that_looks_like_it_are_refused() {
        let mut world = World::new();
        world.sign_up("paypal");
        for name in ["paypal", "paypa1"] {
            let mut other = Person::new(&mut world, name);
            assert_eq!(other.sign_up(&mut world, |_| {}).unwrap_err().code, ErrorCode::UsernameTaken, "{name}");
        }
        // Two that race for a name: the later one is refused at its end.
        let (mut one, mut two) = (Person::new(&mut world, "bob"), Person::new(&mut world, "bob"));
        let (first, finish_first) = one.prepare_sign_up(&mut world).unwrap();
        let (second, finish_second) = two.prepare_sign_up(&mut world).unwrap();
        let answers =
            world.batch([(first, Body::RegisterFinish(finish_first)), (second, Body::RegisterFinish(finish_second))]);
        assert!(answers[0].is_ok());
        assert_eq!(answers[1].as_ref().unwrap_err().code, ErrorCode::UsernameTaken);
    }

    #[test]
    fn a_name_that_is_not_prepared_is_refused() {
        let mut world = World::new();
        for name in ["", "Alice", "a\u{202e}b", &"x".repeat(200)] {
            let (session, _) = world.greet();
            let start = proto::RegisterStart { username: name.into(), registration_request: vec![0; 32] };
            let refused = world.call(session, Body::RegisterStart(start)).unwrap_err();
            assert_eq!(refused.code, ErrorCode::UsernameRefused, "{name:?}");
        }
    }

    #[test]
    fn spoiled_statements_are_refused_and_leave_nothing() {
        type Spoil = fn(&mut proto::RegisterFinish);
        let mut world = World::new();
        let spoils: [Spoil; 4] = [
            |finish| finish.account_signature[0] ^= 1,
            |finish| finish.device_list_entry.as_mut().unwrap().signature[0] ^= 1,
            |finish| finish.key_packages[0][100] ^= 1,
            |finish| std::mem::swap(&mut finish.key_packages[0], &mut finish.last_resort),
        ];
        for spoil in spoils {
            let mut person = Person::new(&mut world, "alice");
            assert_eq!(person.sign_up(&mut world, spoil).unwrap_err().code, ErrorCode::BadSignature);
        }
        let mut thief = Person::new(&mut world, "mallory");
        let other = Person::new(&mut world, "alice");
        let packages = other.device.key_packages(&mut world, 1).0;
        let refused = thief.sign_up(&mut world, |finish| finish.key_packages = packages).unwrap_err();
        assert_eq!(refused.code, ErrorCode::BadSignature);
        assert!(!accounts::any(&world.core.store).unwrap());
    }

    #[test]
    fn a_closed_server_takes_the_first_account_only() {
        let mut world = World::with(CoreConfig { signup: Signup::Closed, ..CoreConfig::default() });
        world.sign_up("alice");
        let mut bob = Person::new(&mut world, "bob");
        assert_eq!(bob.sign_up(&mut world, |_| {}).unwrap_err().code, ErrorCode::SignupClosed);
    }

    #[test]
    fn an_invitation_is_needed_where_the_operator_wants_it_and_counts_down() {
        let mut world = World::with(CoreConfig { signup: Signup::Invite, ..CoreConfig::default() });
        let alice = world.sign_up("alice");
        let create = proto::CreateInvite { uses: 1, expires_at: 0 };
        let answer = world.call(alice.device.session, Body::CreateInvite(create)).unwrap();
        let answer::Body::Invite(invite) = answer else { panic!("{answer:?}") };
        let mut sign_up = |name: &str, code: &str| {
            let mut person = Person::new(&mut world, name);
            person.sign_up(&mut world, |finish| finish.invite_code = code.into()).map(drop).map_err(|error| error.code)
        };
        assert_eq!(sign_up("bob", ""), Err(ErrorCode::InviteNeeded));
        assert_eq!(sign_up("bob", &invite.code), Ok(()));
        assert_eq!(sign_up("carol", &invite.code), Err(ErrorCode::InviteNeeded));
    }

    #[test]
    fn the_first_account_elsewhere_needs_the_setup_code() {
        let mut world = World::with(CoreConfig { setup_code: true, ..CoreConfig::default() });
        let code = world.core.setup_code().unwrap().to_uppercase();
        let mut alice = Person::new(&mut world, "alice");
        let refused = alice.sign_up(&mut world, |finish| finish.setup_code = "nonsense".into()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::SetupCodeNeeded);
        alice.sign_up(&mut world, |finish| finish.setup_code = code).unwrap();
        let mut bob = Person::new(&mut world, "bob");
        bob.sign_up(&mut world, |_| {}).unwrap();
    }

    #[test]
    fn sign_ups_from_one_address_are_limited() {
        let mut world = World::new();
        world.address = "192.0.2.7".parse().unwrap();
        let refused =
            (0..6).map(|number| Person::new(&mut world, &format!("user{number}")).sign_up(&mut world, |_| {}));
        let refused: Vec<_> = refused.collect();
        assert!(refused[..5].iter().all(Result::is_ok));
        let limit = refused[5].as_ref().unwrap_err();
        assert_eq!((limit.code, limit.retry_after_ms), (ErrorCode::RateLimited, 10_000));
    }
}
