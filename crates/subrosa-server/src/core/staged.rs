//! A batch between its execution and the disk. Answers come out of [`Staged::commit`] and of nothing else.

use rand_core::CryptoRngCore;
use subrosa_types::{ConversationId, IdempotencyKey, Timestamp};
use subrosa_wire::Refusal;
use subrosa_wire::error::ErrorCode;
use subrosa_wire::proto::client_frame::Request as Body;

use super::delivery::{self, Released};
use super::effects::{Effects, Event};
use super::turn::Turn;
use super::{Core, Job, Request, dispatch};
use crate::store::StoreError;

/// How long a client should wait when the disk is full, in milliseconds.
const NO_ROOM_RETRY_MS: u64 = 2_000;

/// A batch that was executed and is not on disk yet. Dropping it undoes it.
#[must_use = "nothing is written, and nobody gets an answer, before `commit`"]
pub struct Staged<'a> {
    core: &'a mut Core,
    batch: Vec<Job>,
    now: Timestamp,
    rng: &'a mut dyn CryptoRngCore,
    effects: Effects,
    failed: Option<StoreError>,
    open: bool,
}

impl<'a> Staged<'a> {
    /// Executes the batch in a transaction that stays open.
    pub(super) fn run(core: &'a mut Core, batch: Vec<Job>, now: Timestamp, rng: &'a mut dyn CryptoRngCore) -> Self {
        let mut staged = Self { core, batch, now, rng, effects: Effects::default(), failed: None, open: true };
        if let Err(error) = staged.run_all() {
            staged.failed = Some(error);
        }
        staged
    }

    fn run_all(&mut self) -> Result<(), StoreError> {
        self.core.finish_delayed()?;
        self.core.reload_roles()?;
        self.core.store.prepare_cached("BEGIN")?.execute([])?;
        for index in 0..self.batch.len() {
            self.run_one(index)?;
        }
        Ok(())
    }

    fn run_one(&mut self, index: usize) -> Result<(), StoreError> {
        let job = &self.batch[index];
        let mut turn = Turn {
            store: &self.core.store,
            state: &mut self.core.state,
            effects: &mut self.effects,
            session: job.session,
            now: self.now,
            rng: &mut *self.rng,
        };
        dispatch::dispatch(&mut turn, &job.request)
    }

    /// Writes the batch to disk. Only now there are answers.
    ///
    /// If there is no room on the disk, nothing of the batch is written, and the answers say so.
    ///
    /// # Errors
    /// Every other [`StoreError`]. The batch may or may not be on disk: stop the service, never retry.
    pub fn commit(mut self) -> Result<Released, StoreError> {
        let written = match self.failed.take() {
            None => self.write(),
            Some(error) => Err(error),
        };
        match written {
            Ok(()) => {
                self.open = false;
                Ok(self.release())
            }
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "a batch could not be written; refusing what writes");
                self.roll_back();
                self.refuse_writes()
            }
            Err(error) => Err(error),
        }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        if self.core.state.config.faults.acknowledge_before_write() {
            return Ok(());
        }
        self.core.store.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn release(&mut self) -> Released {
        let state = &mut self.core.state;
        let effects = std::mem::take(&mut self.effects.all);
        let mut released = delivery::release(effects, &state.sessions, state.config.faults.deliver_out_of_order());
        released.events.extend(state.sessions.commit().into_iter().map(|login| Event::Left(login.account_id)));
        state.conversations.commit();
        state.roles_changed = false;
        released
    }

    /// There is no room: what writes is refused, the rest is done again.
    fn refuse_writes(&mut self) -> Result<Released, StoreError> {
        self.core.reload_roles()?;
        self.core.store.execute_batch("BEGIN")?;
        self.open = true;
        for index in 0..self.batch.len() {
            let job = &self.batch[index];
            match &job.request {
                Request::Frame(frame) if dispatch::writes(frame) => {
                    let refusal = Refusal::retry_after(ErrorCode::StoreUnavailable, NO_ROOM_RETRY_MS);
                    if let Some(Body::Append(append)) = &frame.request
                        && let Ok(id) = ConversationId::from_slice(&append.conversation_id)
                        && let Ok(key) = IdempotencyKey::from_slice(&append.idempotency_key)
                        && let Some(session) = self.core.state.sessions.find_mut(job.session)
                    {
                        session.in_order.refused(id, key, self.now, refusal);
                    }
                    self.effects.refuse(job.session, frame.id, refusal);
                }
                _ => self.run_one(index)?,
            }
        }
        self.core.store.execute_batch("COMMIT")?;
        self.open = false;
        Ok(self.release())
    }

    fn roll_back(&mut self) {
        self.open = false;
        self.effects.all.clear();
        // SQLite may have rolled back by itself; then there is nothing to roll back, and saying so is no failure.
        if !self.core.store.is_autocommit()
            && let Err(error) = self.core.store.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
        let state = &mut self.core.state;
        state.sessions.roll_back();
        state.conversations.roll_back();
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if self.open {
            self.roll_back();
        }
    }
}
