//! The connection to the server: when it is wanted, the greeting, and which of three ways leads to being logged in.
//!
//! ```text
//!            wanted            link_up           HelloAnswer            LoggedIn
//!   Idle ──────────► Connecting ──────► Greeting ───────────► Proving ──────────► Online
//!    ▲                                                                              │
//!    └──────────────────────────── link_down (back-off) ────────────────────────────┘
//! ```
//!
//! *Proving* is a device login (usual), a sign-up ([`signup`]) or a password login ([`login`]). Nothing is said to a server
//! whose greeting does not prove the identity key of its link.

mod login;
mod signup;

use bytes::Bytes;
use subrosa_crypto::session::Channel;
use subrosa_types::Timestamp;
use subrosa_wire::proto::{self, answer, client_frame, server_frame};
use subrosa_wire::{Refusal, ServerLink};

use crate::api::{Event, Failure, FailureCode};
use crate::engine::{CommandId, Engine, Output};
use crate::fault::{Fault, Outcome};
use crate::requests::Pending;
use crate::words;

pub use login::{LogIn, LogInWords};
pub use signup::{SignUp, SignUpWords};

/// First and longest wait before the link is asked for again, in milliseconds.
const BACK_OFF_MS: (i64, i64) = (200, 20_000);
/// Tries in a row after which a command does not wait any longer: with the back-off some 3 s.
const HOPELESS: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Idle,
    Connecting,
    Greeting {
        nonce: [u8; 32],
        exporter: [u8; 32],
    },
    Proving,
    Online,
}

/// What the connection is for.
#[derive(Default)]
pub enum Purpose {
    /// The enrolled device signs in with its key.
    #[default]
    Device,
    /// A sign-up.
    SignUp(Box<SignUp>),
    /// A password login.
    LogIn(Box<LogIn>),
}

/// The state of the connection.
#[derive(Default)]
pub struct Session {
    state: State,
    purpose: Purpose,
    pub(crate) channel: Option<Channel>,
    retry_at: Timestamp,
    failures: u32,
    /// Connections that ended or were not made, ever: who waits for one compares.
    pub(crate) ended: u64,
    /// Why the last one did.
    pub(crate) reason: String,
}

impl Session {
    /// Whether this device is logged in.
    pub fn is_online(&self) -> bool {
        self.state == State::Online
    }

    /// Whether there is, or is about to be, a link.
    fn is_busy(&self) -> bool {
        self.state != State::Idle
    }

    /// The next try is made at this time.
    pub const fn reconnect_at(&mut self, at: Timestamp) {
        self.retry_at = at;
    }

    /// Somebody waits: the next try is made now, whatever the back-off says.
    pub fn hurry(&mut self, now: Timestamp) {
        if self.state == State::Idle {
            self.failures = 0;
            self.retry_at = self.retry_at.min(now);
        }
    }

    /// Whether so many tries in a row came to nothing that nobody should wait for the next one.
    pub const fn is_hopeless(&self) -> bool {
        self.failures >= HOPELESS
    }

    /// When the engine has to be woken for the next try.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        (self.state == State::Idle).then_some(self.retry_at)
    }

    /// The clock was set back.
    pub const fn set_back(&mut self, milliseconds: i64) {
        self.retry_at = self.retry_at.plus_millis(-milliseconds);
    }

    /// The connection is over. Returns whether there was one.
    pub fn end(&mut self, now: Timestamp) -> bool {
        let was = self.is_busy();
        let (first, longest) = BACK_OFF_MS;
        let wait = first.saturating_mul(1 << self.failures.min(10)).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.plus_millis(wait);
        self.state = State::Idle;
        self.channel = None;
        self.purpose = Purpose::Device;
        self.ended += 1;
        was
    }
}

impl Engine {
    pub(crate) fn session_target(&self) -> Option<ServerLink> {
        match &self.session.purpose {
            Purpose::SignUp(signup) => Some(signup.server.clone()),
            Purpose::LogIn(login) => Some(login.server.clone()),
            Purpose::Device => self.profile.as_ref().map(|profile| profile.server.clone()),
        }
    }

    /// Asks for a link when one is wanted and the time has come.
    pub(crate) fn drive_session(&mut self, now: Timestamp) {
        if self.session.state != State::Idle || now < self.session.retry_at {
            return;
        }
        if let Some(link) = self.session_target() {
            self.session.state = State::Connecting;
            self.stage(Output::Connect(link));
        }
    }

    /// Takes the connection for a sign-up or login; `false` if another one has it.
    pub(crate) fn take_session(&mut self, purpose: Purpose, now: Timestamp) -> bool {
        match self.session.purpose {
            Purpose::SignUp(_) | Purpose::LogIn(_) => return false,
            Purpose::Device => {}
        }
        if self.session.is_busy() {
            self.disconnect(now);
        }
        self.session.failures = 0;
        self.session.retry_at = now;
        self.session.purpose = purpose;
        self.drive_session(now);
        true
    }

    pub(crate) fn session_link_up(&mut self, exporter: [u8; 32]) {
        if self.session.state != State::Connecting {
            return;
        }
        let nonce = self.random();
        self.session.state = State::Greeting { nonce, exporter };
        let hello = proto::Hello { version: 1, client_nonce: nonce.to_vec() };
        self.request(client_frame::Request::Hello(hello), Pending::Hello);
    }

    pub(crate) fn session_link_down(&mut self, reason: &str, now: Timestamp) {
        let message =
            format!("the server cannot be reached ({reason}); check the link and the network, then try again");
        self.fail_session(&Failure::new(FailureCode::Environment, "server_unreachable", message), reason, now);
    }

    /// Ends the connection from this side.
    pub(crate) fn disconnect(&mut self, now: Timestamp) {
        let reason = "the connection is made anew";
        self.forget_connection(now, reason, reason);
        self.stage(Output::Disconnect);
    }

    /// The server cannot do something now that everything else waits for: it is asked again on another connection.
    pub(crate) fn ask_again_later(&mut self, now: Timestamp) {
        self.session_link_down("it cannot do what is needed at the moment", now);
        self.stage(Output::Disconnect);
    }

    /// `told` is for commands that wait in vain, `reason` for who watches.
    fn forget_connection(&mut self, now: Timestamp, told: &str, reason: &str) {
        let was_online = self.session.is_online();
        self.session.end(now);
        told.clone_into(&mut self.session.reason);
        self.requests.clear();
        self.sync.forget_connection();
        self.outgoing.forget_connection();
        if was_online {
            self.emit(Event::Offline { reason: reason.to_owned() });
        }
    }

    /// The connection is over; a sign-up or login that had it fails with this.
    fn fail_session(&mut self, failure: &Failure, reason: &str, now: Timestamp) {
        let command = match &self.session.purpose {
            Purpose::SignUp(signup) => Some(signup.command),
            Purpose::LogIn(login) => Some(login.command),
            Purpose::Device => None,
        };
        self.forget_connection(now, &failure.message, reason);
        if let Some(command) = command {
            self.finish(command, Err(failure.clone()));
        }
    }

    fn refuse_session(&mut self, failure: &Failure, now: Timestamp) {
        self.fail_session(failure, &failure.message, now);
        self.stage(Output::Disconnect);
    }

    pub(crate) fn session_timeout(&mut self, now: Timestamp) {
        if self.requests.deadline().is_some_and(|deadline| deadline <= now) {
            self.session_link_down("it does not answer", now);
            self.stage(Output::Disconnect);
        }
    }

    /// One frame from the server.
    pub(crate) fn session_frame(&mut self, frame: Bytes, now: Timestamp) -> Outcome {
        if !self.session.is_busy() {
            return Ok(());
        }
        let frame =
            subrosa_wire::decode_server_frame(frame).map_err(|_| Fault::Protocol("a frame that does not decode"))?;
        match frame.body {
            Some(server_frame::Body::Answer(answer)) => {
                let Some(what) = self.requests.answered(answer.id) else { return Ok(()) };
                match answer.body {
                    Some(answer::Body::Error(error)) => self.refused(what, Refusal::from(error), now),
                    Some(body) => self.answered(what, body, now),
                    None => Err(Fault::Protocol("an answer that says nothing")),
                }
            }
            Some(server_frame::Body::Accepted(batch)) => {
                for accepted in batch.accepted {
                    if let Some(Pending::Append(conversation, key)) = self.requests.answered(accepted.id) {
                        self.append_accepted(conversation, key, accepted.sequence, Timestamp(accepted.at))?;
                    }
                }
                Ok(())
            }
            Some(server_frame::Body::GoingAway(going)) => {
                let refusal = Refusal::new(going.code());
                if refusal.code == proto::ErrorCode::DeviceRevoked && matches!(self.session.purpose, Purpose::Device) {
                    return self.device_ended("this device was removed from the account", now);
                }
                let why = subrosa_types::text::single_line(&going.reason).into_owned();
                let why = if why.is_empty() { words::refusal(&refusal).message } else { why };
                self.session_link_down(&why, now);
                self.stage(Output::Disconnect);
                Ok(())
            }
            // Pushes before the login is done are not for us.
            Some(body) if self.session.is_online() => self.pushed(body),
            Some(_) | None => Ok(()),
        }
    }

    fn answered(&mut self, what: Pending, body: answer::Body, now: Timestamp) -> Outcome {
        match (what, body) {
            (Pending::Hello, answer::Body::Hello(hello)) => self.greeted(&hello, now),
            (Pending::Session, body) => self.session_answered(body, now),
            (Pending::Command(command), body) => self.command_answered(command, body, now),
            (what, body) => self.sync_answered(what, body, now),
        }
    }

    fn refused(&mut self, what: Pending, refusal: Refusal, now: Timestamp) -> Outcome {
        match what {
            Pending::Hello => {
                self.refuse_session(&words::refusal(&refusal), now);
                Ok(())
            }
            Pending::Session => {
                if refusal.code == proto::ErrorCode::DeviceRevoked && matches!(self.session.purpose, Purpose::Device) {
                    return self.device_ended("this device was removed from the account", now);
                }
                if refusal.code == proto::ErrorCode::StaleOrder && self.overtaken() {
                    return Ok(());
                }
                self.refuse_session(&words::refusal(&refusal), now);
                Ok(())
            }
            Pending::Command(command) => self.command_refused(command, &refusal, now),
            what => self.sync_refused(what, &refusal, now),
        }
    }

    /// The server proved who it is: prove who we are.
    fn greeted(&mut self, hello: &proto::HelloAnswer, now: Timestamp) -> Outcome {
        let State::Greeting { nonce, exporter } = self.session.state else {
            return Err(Fault::Protocol("a greeting nobody asked for"));
        };
        let Some(target) = self.session_target() else { return Ok(()) };
        let channel = match Channel::from_answer(hello, &target.fingerprint, nonce, exporter) {
            Ok(channel) => channel,
            Err(error) => {
                let message =
                    format!("this is not the server of your link ({error}); get the link again from its operator");
                self.refuse_session(&Failure::new(FailureCode::Untrusted, "wrong_server", message), now);
                return Ok(());
            }
        };
        self.session.state = State::Proving;
        self.direct.server_clock(Self::told_time(hello.server_time), now);
        let request = match (&self.session.purpose, &self.profile) {
            (Purpose::Device, Some(profile)) => {
                let signature = channel.sign_login(profile.device, &profile.device_key).to_vec();
                client_frame::Request::DeviceLogin(proto::DeviceLogin { device_id: profile.device.to_vec(), signature })
            }
            (Purpose::SignUp(signup), _) => signup.first_request(),
            (Purpose::LogIn(login), _) => login.first_request(),
            (Purpose::Device, None) => return Ok(()),
        };
        self.session.channel = Some(channel);
        self.request(request, Pending::Session);
        Ok(())
    }

    fn session_answered(&mut self, body: answer::Body, now: Timestamp) -> Outcome {
        match (std::mem::take(&mut self.session.purpose), body) {
            (Purpose::Device, answer::Body::LoggedIn(logged_in)) => self.logged_in(&logged_in, now),
            (Purpose::SignUp(signup), body) => self.signup_answered(signup, body, now),
            (Purpose::LogIn(login), body) => self.login_answered(login, body, now),
            _ => Err(Fault::Protocol("an answer of another kind than the request")),
        }
    }

    /// Puts the purpose back while its next request is under way.
    fn go_on(&mut self, purpose: Purpose, request: client_frame::Request) {
        self.session.purpose = purpose;
        self.request(request, Pending::Session);
    }

    /// A sign-up or login came to nothing.
    fn give_up(&mut self, command: CommandId, failure: Failure, now: Timestamp) -> Outcome {
        self.finish(command, Err(failure));
        self.disconnect(now);
        Ok(())
    }

    /// This device is logged in: find out what it missed.
    fn logged_in(&mut self, logged_in: &proto::LoggedIn, now: Timestamp) -> Outcome {
        self.session.state = State::Online;
        self.session.failures = 0;
        self.session.reason.clear();
        self.sync_start(logged_in, now)
    }

    /// The server ended this device, or this device ended itself: nothing of it stays.
    pub(crate) fn device_ended(&mut self, reason: &str, now: Timestamp) -> Outcome {
        self.disconnect(now);
        self.close_roads(now)?;
        crate::store::profile::wipe(&self.connection, reason)?;
        self.load()?;
        self.emit(Event::LoggedOut { reason: reason.to_owned() });
        Ok(())
    }
}
