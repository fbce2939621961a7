//! Password login (row A2): proves the password by OPAQUE; on a fresh profile it enrols a further device.
//!
//! 1. `PasswordStart` / `PasswordFinish`. A wrong password and an unknown user look the same from here, too.
//! 2. On a profile that is enrolled already that is all: the device goes on with its own key.
//! 3. Otherwise the account key comes out of the vault, the directory entry is verified against it, a device is made and its
//!    link appended to the account's device list: `EnrolDevice` → `LoggedIn`.
//!    When another device of the account was faster (`STALE_ORDER`): `Lookup` of the own account, and 3 again.
//! 4. With `danger_reset_key` the account starts over with a new key: `ResetAccount` → `LoggedIn`.

use prost::Message as _;
use subrosa_crypto::password::{Binding, ExportKey, Login, Password, PasswordError};
use subrosa_crypto::{Account, DeviceList, SigningKey, account, device, vault};
use subrosa_types::{DeviceName, Timestamp, Username};
use subrosa_wire::ServerLink;
use subrosa_wire::proto::{self, answer, client_frame};

use super::signup::{busy, unexpected};
use super::{Purpose, State};
use crate::api::{Failure, FailureCode};
use crate::engine::{CommandId, Engine};
use crate::fault::{Fault, Outcome};
use crate::requests::Pending;
use crate::store::profile::Profile;
use crate::words;

/// How often a login looks again because another device of the account was faster: more than there can be devices.
const OVERTAKEN: u32 = 16;

/// A password login under way.
pub struct LogIn {
    /// Who asked.
    pub command: CommandId,
    /// Where.
    pub server: ServerLink,
    username: Username,
    device: DeviceName,
    reset: bool,
    state: Option<Login>,
    request: Vec<u8>,
    export_key: Option<ExportKey>,
    made: Option<Box<Profile>>,
    /// What enrols the device, but for the entry of the device list.
    enrol: Option<proto::EnrolDevice>,
    /// How often another device was faster.
    overtaken: u32,
    /// The account's devices as they were seen last, and whether they are looked at again now.
    seen: Option<DeviceList>,
    looks_again: bool,
}

/// What a person said for a login, checked.
pub struct LogInWords {
    /// Where.
    pub server: ServerLink,
    /// Who.
    pub username: Username,
    /// Name of this device.
    pub device: DeviceName,
    /// Start over with a new account key.
    pub reset: bool,
}

impl LogIn {
    pub(super) fn first_request(&self) -> client_frame::Request {
        client_frame::Request::PasswordStart(proto::PasswordStart {
            username: self.username.to_string(),
            credential_request: self.request.clone(),
        })
    }
}

impl Engine {
    /// Begins a login: blinds the password and asks for a connection.
    pub(crate) fn log_in(
        &mut self,
        command: CommandId,
        words: LogInWords,
        password: &Password,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let (state, request) = Login::start(&mut *self.rng, password).map_err(unexpected)?;
        let LogInWords { server, username, device, reset } = words;
        let login = LogIn {
            command,
            server,
            username,
            device,
            reset,
            state: Some(state),
            request,
            export_key: None,
            made: None,
            enrol: None,
            overtaken: 0,
            seen: None,
            looks_again: false,
        };
        if self.take_session(Purpose::LogIn(Box::new(login)), now) { Ok(()) } else { Err(busy()) }
    }

    pub(super) fn login_answered(&mut self, mut login: Box<LogIn>, body: answer::Body, now: Timestamp) -> Outcome {
        match body {
            answer::Body::PasswordStart(answer) => {
                let (Some(state), Some(channel)) = (login.state.take(), self.session.channel.as_ref()) else {
                    return Err(Fault::Protocol("a second answer to a login"));
                };
                let binding = Binding { username: &login.username, server_key: &channel.server_key };
                match state.finish(&mut *self.rng, &answer.credential_response, binding, &self.config.password_cost) {
                    Ok(outcome) => {
                        login.export_key = Some(outcome.export_key);
                        let finish = proto::PasswordFinish { credential_finalization: outcome.finalization };
                        self.go_on(Purpose::LogIn(login), client_frame::Request::PasswordFinish(finish));
                        Ok(())
                    }
                    Err(PasswordError::Wrong) => self.give_up(login.command, words::wrong_credentials(), now),
                    Err(error) => self.give_up(login.command, unexpected(error), now),
                }
            }
            answer::Body::PasswordFinish(_) if self.profile.is_some() => {
                // The password is right; this device signs in with its own key as always.
                let who = self.who_am_i();
                self.finish(login.command, who);
                self.disconnect(now);
                self.session.reconnect_at(now);
                Ok(())
            }
            answer::Body::PasswordFinish(answer) => match self.enrol(&mut login, &answer, now)? {
                Ok(request) => {
                    self.go_on(Purpose::LogIn(login), request);
                    Ok(())
                }
                Err(failure) => self.give_up(login.command, failure, now),
            },
            answer::Body::DirectoryEntry(own) => match self.enrol_again(&mut login, &own, now)? {
                Ok(request) => {
                    self.go_on(Purpose::LogIn(login), request);
                    Ok(())
                }
                Err(failure) => self.give_up(login.command, failure, now),
            },
            answer::Body::LoggedIn(logged_in) => {
                let Some(profile) = login.made.take() else {
                    return Err(Fault::Protocol("a login before the device was made"));
                };
                self.enrolled(login.command, &profile, &logged_in, now)
            }
            _ => Err(Fault::Protocol("an answer of another kind than the request")),
        }
    }

    fn enrol(
        &mut self,
        login: &mut LogIn,
        answer: &proto::PasswordFinishAnswer,
        now: Timestamp,
    ) -> Outcome<Result<client_frame::Request, Failure>> {
        debug_assert_eq!(self.session.state, State::Proving);
        let (Some(channel), Some(export_key), Some(own)) =
            (self.session.channel.as_ref(), login.export_key.take(), answer.own.as_ref())
        else {
            return Err(Fault::Protocol("no account behind a right password"));
        };
        let server_key = channel.server_key;
        let own = match account::verify_directory_entry(own, &server_key) {
            Ok(own) if own.username == login.username => own,
            Ok(_) => return Ok(Err(words::bad_attestation("this account"))),
            Err(_) => return Ok(Err(words::bad_attestation("this account"))),
        };
        if login.reset {
            return self.reset_account(login, &own, &export_key, now).map(Ok);
        }
        if answer.vault.is_empty() {
            return Ok(Err(Failure::new(
                FailureCode::Usage,
                "no_vault",
                "this account keeps its key on its first device only (it was made with --no-vault), so no further device \
                 can be enrolled; if that device is lost, --reset-key starts over with a new key",
            )));
        }
        let account_key = match vault::open(&answer.vault, &export_key, own.id) {
            Ok(key) if key.public() == own.key => key,
            Ok(_) | Err(_) => {
                return Ok(Err(Failure::new(
                    FailureCode::Untrusted,
                    "bad_vault",
                    "what the server kept for this account does not fit its key; do not go on before you asked its operator",
                )));
            }
        };
        let made = self.make_device(own.id, &account_key, &login.device, now)?;
        let entry = own.devices.next_add(made.certificate.clone(), now, &account_key);
        login.made = Some(Box::new(Profile {
            server: login.server.clone(),
            server_key,
            account: own.id,
            username: own.username,
            account_key,
            generation: own.generation,
            device: made.id,
            device_key: made.key,
            certificate: device::credential(&made.certificate),
        }));
        let enrol = proto::EnrolDevice {
            device_list_entry: Some(entry),
            key_packages: made.key_packages,
            last_resort: made.last_resort,
        };
        login.enrol = Some(enrol.clone());
        login.seen = Some(own.devices);
        Ok(Ok(client_frame::Request::EnrolDevice(enrol)))
    }

    /// Another device of the account was faster: its list has changed since it was looked at. Returns whether it is looked at
    /// again.
    pub(super) fn overtaken(&mut self) -> bool {
        let Purpose::LogIn(login) = &mut self.session.purpose else { return false };
        let Some(account) = login.enrol.as_ref().and(login.made.as_ref()).map(|made| made.account) else {
            return false;
        };
        login.overtaken += 1;
        if login.overtaken > OVERTAKEN {
            return false;
        }
        login.looks_again = true;
        let lookup = proto::Lookup { by: Some(proto::lookup::By::AccountId(account.to_vec())) };
        self.request(client_frame::Request::Lookup(lookup), Pending::Session);
        true
    }

    /// The same device, at the end of the list as it is now.
    fn enrol_again(
        &mut self,
        login: &mut LogIn,
        own: &proto::DirectoryEntry,
        now: Timestamp,
    ) -> Outcome<Result<client_frame::Request, Failure>> {
        let (true, Some(made), Some(enrol), Some(seen)) =
            (std::mem::take(&mut login.looks_again), &login.made, &mut login.enrol, &mut login.seen)
        else {
            return Err(Fault::Protocol("an account that was not asked for"));
        };
        let own = match account::verify_directory_entry(own, &made.server_key) {
            Ok(own) if own.id == made.account && own.key == made.account_key.public() && own.devices.extends(seen) => {
                own
            }
            Ok(_) | Err(_) => return Ok(Err(words::bad_attestation("this account"))),
        };
        let Ok(certificate) = proto::Signed::decode(made.certificate.as_slice()) else {
            return Err(Fault::Protocol("a certificate that does not decode"));
        };
        enrol.device_list_entry = Some(own.devices.next_add(certificate, now, &made.account_key));
        *seen = own.devices;
        Ok(Ok(client_frame::Request::EnrolDevice(enrol.clone())))
    }

    fn reset_account(
        &mut self,
        login: &mut LogIn,
        own: &Account,
        export_key: &ExportKey,
        now: Timestamp,
    ) -> Outcome<client_frame::Request> {
        let Some(server_key) = self.session.channel.as_ref().map(|channel| channel.server_key) else {
            return Err(Fault::Protocol("no greeting"));
        };
        let account_key = SigningKey::generate(&mut *self.rng);
        let generation = own.generation + 1;
        let statement = account::statement(own.id, &own.username, &server_key, generation, now, &account_key);
        let made = self.make_device(own.id, &account_key, &login.device, now)?;
        let (Ok(entry), Ok(vault)) = (
            DeviceList::first(made.certificate.clone(), now, &account_key),
            vault::seal(&account_key, export_key, own.id, &mut *self.rng),
        ) else {
            return Err(Fault::Protocol("the account could not be started over"));
        };
        login.made = Some(Box::new(Profile {
            server: login.server.clone(),
            server_key,
            account: own.id,
            username: own.username.clone(),
            account_key,
            generation,
            device: made.id,
            device_key: made.key,
            certificate: device::credential(&made.certificate),
        }));
        Ok(client_frame::Request::ResetAccount(proto::ResetAccount {
            account_statement: statement.statement,
            account_signature: statement.signature,
            device_list_entry: Some(entry),
            vault,
            key_packages: made.key_packages,
            last_resort: made.last_resort,
        }))
    }
}
