//! Sign-up (row A1): OPAQUE registration, account key, first device.
//!
//! 1. `RegisterStart` with the blinded password → the server's half.
//! 2. Argon2id; the export key seals the account key for the vault; account statement, device list entry 0 and the first key
//!    packages are signed and made.
//! 3. `RegisterFinish` → `LoggedIn`. Only then does the profile exist here.

use subrosa_crypto::password::{Binding, Password, Registration};
use subrosa_crypto::{DeviceList, SigningKey, account, device, vault};
use subrosa_mls::{Identity, LeafSigner, Mls};
use subrosa_types::{AccountId, DeviceId, DeviceName, Timestamp, Username};
use subrosa_wire::ServerLink;
use subrosa_wire::proto::{self, Signed, answer, client_frame};

use super::Purpose;
use crate::api::{Failure, FailureCode};
use crate::commands::Step;
use crate::engine::{CommandId, Engine};
use crate::fault::{Fault, Outcome};
use crate::store::{self, profile::Profile};

/// Key packages that fit beside everything else in a frame before login; the rest is published after it.
const FIRST_KEY_PACKAGES: usize = 1;

/// A sign-up under way.
pub struct SignUp {
    /// Who asked.
    pub command: CommandId,
    /// Where.
    pub server: ServerLink,
    pub(super) username: Username,
    email: String,
    invite: String,
    setup: String,
    vault: bool,
    device: DeviceName,
    state: Option<(Registration, Vec<u8>)>,
    request: Vec<u8>,
    made: Option<Box<Profile>>,
}

/// What a person said for a sign-up, checked.
pub struct SignUpWords {
    /// Where.
    pub server: ServerLink,
    /// Wanted name.
    pub username: Username,
    /// Email or nothing.
    pub email: String,
    /// Invitation or nothing.
    pub invite: String,
    /// Setup code or nothing.
    pub setup: String,
    /// Whether to leave a vault.
    pub vault: bool,
    /// Name of this device.
    pub device: DeviceName,
}

impl SignUp {
    pub(super) fn first_request(&self) -> client_frame::Request {
        client_frame::Request::RegisterStart(proto::RegisterStart {
            username: self.username.to_string(),
            registration_request: self.request.clone(),
        })
    }
}

/// A device made for an account: everything about it that is not the account's.
pub(super) struct NewDevice {
    pub(super) id: DeviceId,
    pub(super) key: SigningKey,
    pub(super) certificate: Signed,
    pub(super) key_packages: Vec<Vec<u8>>,
    pub(super) last_resort: Vec<u8>,
}

impl Engine {
    /// Begins a sign-up: blinds the password and asks for a connection.
    pub(crate) fn sign_up(
        &mut self,
        command: CommandId,
        words: SignUpWords,
        password: &Password,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let (state, request) = Registration::start(&mut *self.rng, password).map_err(unexpected)?;
        let SignUpWords { server, username, email, invite, setup, vault, device } = words;
        let signup = SignUp {
            command,
            server,
            username,
            email,
            invite,
            setup,
            vault,
            device,
            state: Some((state, Vec::new())),
            request,
            made: None,
        };
        if self.take_session(Purpose::SignUp(Box::new(signup)), now) { Ok(()) } else { Err(busy()) }
    }

    pub(super) fn signup_answered(&mut self, mut signup: Box<SignUp>, body: answer::Body, now: Timestamp) -> Outcome {
        match body {
            answer::Body::RegisterStart(answer) => {
                let Some((state, _)) = signup.state.take() else {
                    return Err(Fault::Protocol("a second answer to a sign-up"));
                };
                match self.register(&mut signup, state, &answer.registration_response, now)? {
                    Ok(request) => {
                        self.go_on(Purpose::SignUp(signup), client_frame::Request::RegisterFinish(request));
                        Ok(())
                    }
                    Err(failure) => self.give_up(signup.command, failure, now),
                }
            }
            answer::Body::LoggedIn(logged_in) => {
                let Some(profile) = signup.made.take() else {
                    return Err(Fault::Protocol("a login before the sign-up was finished"));
                };
                self.enrolled(signup.command, &profile, &logged_in, now)
            }
            _ => Err(Fault::Protocol("an answer of another kind than the request")),
        }
    }

    fn register(
        &mut self,
        signup: &mut SignUp,
        state: Registration,
        response: &[u8],
        now: Timestamp,
    ) -> Outcome<Result<proto::RegisterFinish, Failure>> {
        let Some(server_key) = self.session.channel.as_ref().map(|channel| channel.server_key) else {
            return Err(Fault::Protocol("no greeting"));
        };
        let binding = Binding { username: &signup.username, server_key: &server_key };
        let (upload, export_key) = match state.finish(&mut *self.rng, response, binding, &self.config.password_cost) {
            Ok(done) => done,
            Err(error) => return Ok(Err(unexpected(error))),
        };
        let id = AccountId::from_bytes(self.random());
        let account_key = SigningKey::generate(&mut *self.rng);
        let statement = account::statement(id, &signup.username, &server_key, 0, now, &account_key);
        let made = self.make_device(id, &account_key, &signup.device, now)?;
        let Ok(entry) = DeviceList::first(made.certificate.clone(), now, &account_key) else {
            return Ok(Err(unexpected("the device list could not be begun")));
        };
        let vault = if signup.vault {
            match vault::seal(&account_key, &export_key, id, &mut *self.rng) {
                Ok(sealed) => sealed,
                Err(error) => return Ok(Err(unexpected(error))),
            }
        } else {
            Vec::new()
        };
        signup.made = Some(Box::new(Profile {
            server: signup.server.clone(),
            server_key,
            account: id,
            username: signup.username.clone(),
            account_key,
            generation: 0,
            device: made.id,
            device_key: made.key,
            certificate: device::credential(&made.certificate),
        }));
        Ok(Ok(proto::RegisterFinish {
            username: signup.username.to_string(),
            email: signup.email.clone(),
            registration_upload: upload,
            account_statement: statement.statement,
            account_signature: statement.signature,
            device_list_entry: Some(entry),
            vault,
            setup_code: signup.setup.clone(),
            invite_code: signup.invite.clone(),
            key_packages: made.key_packages,
            last_resort: made.last_resort,
        }))
    }

    /// Keys, certificate and first key packages of a new device of this profile.
    pub(super) fn make_device(
        &mut self,
        account: AccountId,
        account_key: &SigningKey,
        name: &DeviceName,
        now: Timestamp,
    ) -> Outcome<NewDevice> {
        // What an earlier attempt left belongs to another device, though the server may know it: its invitations are not ours.
        subrosa_mls::delete_keys(&self.connection)?;
        let id = DeviceId::from_bytes(self.random());
        let key = SigningKey::generate(&mut *self.rng);
        let certificate = device::issue(account, id, &key.public(), name, now, account_key);
        let identity =
            Identity { credential: device::credential(&certificate), signer: LeafSigner::from_seed(key.seed())? };
        let mls = Mls::new(&self.connection, &mut *self.rng, &identity)?;
        let key_packages = (0..FIRST_KEY_PACKAGES).map(|_| mls.key_package(false)).collect::<Result<_, _>>()?;
        let last_resort = mls.key_package(true)?;
        Ok(NewDevice { id, key, certificate, key_packages, last_resort })
    }

    /// The server took the device in: from now on the profile exists.
    pub(super) fn enrolled(
        &mut self,
        command: CommandId,
        profile: &Profile,
        logged_in: &proto::LoggedIn,
        now: Timestamp,
    ) -> Outcome {
        store::profile::save(&self.connection, profile)?;
        self.load()?;
        self.step(command, Step::AwaitSync);
        self.logged_in(logged_in, now)
    }
}

pub(super) fn unexpected(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureCode::Unexpected, "internal", format!("the password could not be processed ({error})"))
}

pub(super) fn busy() -> Failure {
    Failure::usage("busy", "another sign-up or login is under way in this profile; wait for it, then try again")
}
