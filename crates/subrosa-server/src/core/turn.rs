//! What a request handler works with: the transaction, the state, and whose turn it is.

use data_encoding::BASE32_NOPAD;
use rand_core::CryptoRngCore;
use rusqlite::Connection;
use subrosa_crypto::Channel;
use subrosa_types::{ConversationId, IdempotencyKey, Timestamp};
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;

use super::State;
use super::effects::Effects;
use super::failure::Failure;
use super::rate::Rate;
use super::session::{Login, SessionId, Stage};

/// One request's turn within a batch.
pub(crate) struct Turn<'a> {
    pub(crate) store: &'a Connection,
    pub(crate) state: &'a mut State,
    pub(crate) effects: &'a mut Effects,
    pub(crate) session: SessionId,
    pub(crate) now: Timestamp,
    pub(crate) rng: &'a mut dyn CryptoRngCore,
}

impl Turn<'_> {
    /// How far the session is.
    pub(crate) fn stage(&self) -> Result<&Stage, Failure> {
        self.state.sessions.find(self.session).map(|session| &session.stage).ok_or(ErrorCode::OutOfState.into())
    }

    /// Takes the session further.
    pub(crate) fn advance(&mut self, stage: Stage) {
        self.state.sessions.advance(self.session, stage);
    }

    /// Who is logged in.
    pub(crate) fn login(&self) -> Result<Login, Failure> {
        match self.stage()? {
            Stage::LoggedIn(login) => Ok(*login),
            _ => Err(ErrorCode::OutOfState.into()),
        }
    }

    /// What both sides signed or will sign for this connection, before its login.
    pub(crate) fn channel(&self) -> Result<Box<Channel>, Failure> {
        match self.stage()? {
            Stage::Greeted(channel)
            | Stage::Registering(channel, _)
            | Stage::ProvingPassword(channel, _)
            | Stage::Proved(channel, _) => Ok(channel.clone()),
            Stage::Fresh | Stage::LoggedIn(_) | Stage::Ended => Err(ErrorCode::OutOfState.into()),
        }
    }

    /// Counts a sign-up or password login from this session's address.
    pub(crate) fn count_attempt(&mut self) -> Result<(), Failure> {
        let Some(session) = self.state.sessions.find(self.session) else { return Err(ErrorCode::OutOfState.into()) };
        let address = session.peer.address;
        let rates = &self.state.config.rates;
        let rate = if address.is_loopback() { rates.login_from_loopback } else { rates.login_per_address };
        limited(self.state.attempts_by_address.take(&address, rate, self.now))
    }

    /// Counts a password login of one account, or of a name that nobody has.
    pub(crate) fn count_attempt_of(&mut self, username: &str) -> Result<(), Failure> {
        let rate = self.state.config.rates.login_per_account;
        limited(self.state.attempts_by_account.take(&username.to_owned(), rate, self.now))
    }

    /// Refuses a message that overtakes one of the same conversation which was refused for now.
    pub(crate) fn check_order(&mut self, conversation: ConversationId, key: IdempotencyKey) -> Result<(), Failure> {
        let now = self.now;
        let Some(session) = self.state.sessions.find_mut(self.session) else {
            return Err(ErrorCode::OutOfState.into());
        };
        Ok(session.in_order.check(conversation, key, now)?)
    }

    /// Counts a message of this session's device. If it is one too many, those behind it wait until it comes again.
    pub(crate) fn count_message(&mut self, conversation: ConversationId, key: IdempotencyKey) -> Result<(), Failure> {
        let rate = self.state.config.rates.messages;
        let now = self.now;
        self.limit(rate, |session| {
            session.messages.take(rate, now).inspect_err(|wait| {
                let refusal = Refusal::retry_after(ErrorCode::RateLimited, *wait);
                session.in_order.refused(conversation, key, now, refusal);
            })
        })
    }

    /// Counts a request that costs more than a message.
    pub(crate) fn count_change(&mut self) -> Result<(), Failure> {
        let rate = self.state.config.rates.changes;
        let now = self.now;
        self.limit(rate, |session| session.changes.take(rate, now))
    }

    /// Counts a pass for the relay. A device that connects again has no more of them.
    pub(crate) fn count_relay_pass(&mut self, login: &Login) -> Result<(), Failure> {
        let rate = self.state.config.rates.relay_passes;
        limited(self.state.relay_passes_by_device.take(&login.device, rate, self.now))
    }

    fn limit(
        &mut self,
        rate: Rate,
        take: impl FnOnce(&mut super::session::Session) -> Result<(), u64>,
    ) -> Result<(), Failure> {
        if rate.refill_ms == 0 {
            return Ok(());
        }
        self.state
            .sessions
            .find_mut(self.session)
            .map_or(Err(ErrorCode::OutOfState.into()), |session| limited(take(session)))
    }

    /// Sixteen random bytes.
    pub(crate) fn random(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

fn limited(taken: Result<(), u64>) -> Result<(), Failure> {
    taken.map_err(|wait| Refusal::retry_after(ErrorCode::RateLimited, wait).into())
}

/// A code that people copy: 80 random bits, 16 characters, no two of which look alike in lower case base32.
pub(crate) fn code(rng: &mut dyn CryptoRngCore) -> String {
    let mut bytes = [0; 10];
    rng.fill_bytes(&mut bytes);
    BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
}
