//! The [`Chat`]: ties a communicator, an encryptor and an interactor together, over as many links as it takes.
//!
//! ```text
//!        ┌──────────────── a break: the dialer dials again, the listener waits ──────────────┐
//!        ▼                                                                                   │
//!   link ──► handshake ──► session ──► goodbye                                   session ────┘
//!              │  wrong key, other encryption: the end
//!              └─ listener: a stranger is turned away, the next one is waited for
//! ```
//!
//! Who stands in between and has seen our hello knows what words we would show, and can hang up and dial again until they
//! are the right ones. So a listener that knows nobody yet lets those who break off then guess slowly.
//!
//! From the first handshake on the peer's key is pinned: nobody else can go on with a chat that broke.

use std::path::PathBuf;
use std::time::Duration;

use subrosa_crypto::ShortString;
use subrosa_crypto::encryptor::{Encryptor, Side};
use subrosa_net::direct::{Communicator, Link};
use tokio::time::{Instant, timeout};
use tracing::info;

use crate::desk::{Desk, Meanwhile};
use crate::error::{Break, ChatError};
use crate::files::Incoming;
use crate::handshake::{Agreed, shake};
use crate::interactor::{Event, Interactor};
use crate::pairing::Pairing;
use crate::session::{self, Ended};
use crate::timing::Timing;

/// Of strangers who are turned away, so many are told of: who knocks without end must not fill a screen.
const TURNED_AWAY: u32 = 32;
/// So many strangers may break off after our hello before there is a pause after each.
const GUESSES: u32 = 4;
/// The first pause; the next ones are twice as long each.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: less than a dialer's patience, so that a friend who dials meanwhile is heard.
const PAUSE_MOST: Duration = Duration::from_secs(8);

/// Two people, or programs, and what is between them.
///
/// ```no_run
/// # async fn example(ticket: subrosa_wire::Ticket) -> Result<(), Box<dyn std::error::Error>> {
/// use subrosa_direct::{Chat, Lines, Pairing, encryptor, tcp};
///
/// let subrosa_wire::ticket::Way::Tcp(addresses) = &ticket.way else { return Err("no TCP ticket".into()) };
/// let dialer = tcp::TcpDialer::to(addresses)?;
/// Chat::new(dialer, encryptor::mls(), Lines::stdio()).pairing(Pairing::invited(&ticket)?).run().await?;
/// # Ok(())
/// # }
/// ```
pub struct Chat<C, E, I> {
    communicator: C,
    encryptor: E,
    interactor: I,
    pairing: Pairing,
    timing: Timing,
    folder: PathBuf,
    accepts: bool,
}

impl<C: Communicator, E: Encryptor, I: Interactor> Chat<C, E, I> {
    /// A chat between strangers ([`Pairing::unknown`]); files that are accepted go into the present folder.
    pub fn new(communicator: C, encryptor: E, interactor: I) -> Self {
        let (pairing, timing, folder) = (Pairing::unknown(), Timing::default(), PathBuf::from("."));
        Self { communicator, encryptor, interactor, pairing, timing, folder, accepts: false }
    }

    /// Who we are and whom we expect.
    #[must_use]
    pub fn pairing(self, pairing: Pairing) -> Self {
        Self { pairing, ..self }
    }

    /// Another patience.
    #[must_use]
    pub fn timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// Where files go that are accepted; `unasked`: all that are offered.
    #[must_use]
    pub fn files(self, folder: PathBuf, unasked: bool) -> Self {
        Self { folder, accepts: unasked, ..self }
    }

    /// Chats until one side leaves.
    ///
    /// # Errors
    /// [`ChatError`]. Nothing that was written is lost silently: what was not delivered is
    /// [`ChatError::Undelivered`], or was named in [`Event::Broken`].
    ///
    /// # Cancel safety
    /// Dropping the future ends the link without a goodbye; the other side waits for another one.
    pub async fn run(self) -> Result<(), ChatError> {
        let Self { mut communicator, mut encryptor, interactor, mut pairing, timing, folder, accepts } = self;
        let mut desk = Desk::new(interactor, Incoming::new(folder, accepts), communicator.side());
        let meeting = Meeting {
            communicator: &mut communicator,
            encryptor: &mut encryptor,
            pairing: &mut pairing,
            timing,
            turned_away: 0,
            broke_off: 0,
            said_hello: false,
        };
        let outcome = meeting.talk(&mut desk).await;
        communicator.close().await;
        outcome
    }
}

/// The parts of a running chat beside the desk.
struct Meeting<'a, C> {
    communicator: &'a mut C,
    encryptor: &'a mut dyn Encryptor,
    pairing: &'a mut Pairing,
    timing: Timing,
    turned_away: u32,
    /// Strangers who broke off after our hello.
    broke_off: u32,
    /// On the present link.
    said_hello: bool,
}

impl<C: Communicator> Meeting<'_, C> {
    async fn talk<I: Interactor>(mut self, desk: &mut Desk<I>) -> Result<(), ChatError> {
        let mut broken = None;
        loop {
            let Some((link, agreed)) = self.meet(desk, broken.as_ref()).await? else { return desk.settle() };
            self.greet(desk, &link, &agreed, broken.is_some())?;
            match session::run(link, self.encryptor, desk, &self.timing).await? {
                Ended::Over => return desk.settle(),
                Ended::Broken(_) if desk.leaving.is_some() => return desk.settle(),
                Ended::Broken(cause) => {
                    info!("the link ended: {cause}");
                    desk.show(Event::Broken { cause: cause.clone(), waiting: desk.texts.waiting() })?;
                    broken = Some(cause);
                }
            }
        }
    }

    /// Pins the peer, and says that it is there.
    fn greet<I: Interactor>(
        &mut self,
        desk: &mut Desk<I>,
        link: &Link,
        agreed: &Agreed,
        again: bool,
    ) -> Result<(), ChatError> {
        desk.vouched |= agreed.has_ticket || (!again && self.pairing.expected.is_some());
        self.pairing.expected = Some(agreed.peer);
        desk.takes_files = agreed.takes_files;
        let string = *desk.string.get_or_insert_with(|| ShortString::of(&agreed.context));
        let (encryption, vouched, path) = (self.encryptor.kind(), desk.vouched, *link.path.borrow());
        desk.show(Event::Connected { encryption, vouched, string, path, again })
    }

    /// Makes a link and agrees on keys; `None`: the person left meanwhile.
    async fn meet<I: Interactor>(
        &mut self,
        desk: &mut Desk<I>,
        broken: Option<&Break>,
    ) -> Result<Option<(Link, Agreed)>, ChatError> {
        let mut until = broken.map(|_| Instant::now() + self.timing.give_up);
        let mut pause = self.timing.retry;
        loop {
            let attempt = match desk.meanwhile(self.communicator.link(), until).await? {
                Meanwhile::Done(Ok(link)) if desk.side == Side::Listener => {
                    // Strangers, without end if they like, do not use up the time that the peer has to come back.
                    let begun = Instant::now();
                    let attempt = desk.meanwhile(self.agree(link), None).await?;
                    until = until.map(|until| until + begun.elapsed());
                    attempt
                }
                Meanwhile::Done(Ok(link)) => desk.meanwhile(self.agree(link), until).await?,
                Meanwhile::Done(Err(error)) => Meanwhile::Done(Err(error.into())),
                Meanwhile::Left => Meanwhile::Left,
                Meanwhile::TimedOut => Meanwhile::TimedOut,
            };
            let error = match attempt {
                Meanwhile::Done(Ok(met)) => return Ok(Some(met)),
                Meanwhile::Done(Err(error)) => error,
                Meanwhile::Left => return Ok(None),
                Meanwhile::TimedOut => return Err(ChatError::Lost(broken.cloned().unwrap_or(Break::Silent))),
            };
            match desk.side {
                Side::Listener if self.is_a_strangers(&error) => {
                    self.turned_away += 1;
                    if self.turned_away <= TURNED_AWAY {
                        desk.show(Event::TurnedAway(error))?;
                    }
                    if let Some(pause) = self.pause()
                        && let Meanwhile::Left = desk.meanwhile(tokio::time::sleep(pause), None).await?
                    {
                        return Ok(None);
                    }
                }
                Side::Dialer if broken.is_some() && may_pass(&error) => {
                    let after_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                    desk.show(Event::Retrying { cause: error.to_string(), after_ms })?;
                    match desk.meanwhile(tokio::time::sleep(pause), until).await? {
                        Meanwhile::Left => return Ok(None),
                        Meanwhile::Done(()) | Meanwhile::TimedOut => {}
                    }
                    pause = (pause * 2).min(self.timing.retry_most);
                }
                _ => return Err(error),
            }
        }
    }

    async fn agree(&mut self, mut link: Link) -> Result<(Link, Agreed), ChatError> {
        info!("a link is up ({:?})", *link.path.borrow());
        let (side, timing) = (self.communicator.side(), &self.timing);
        self.said_hello = false;
        let shaking = shake(&mut link, self.encryptor, self.pairing, side, timing.first, &mut self.said_hello);
        let shaken = timeout(timing.handshake, shaking).await;
        let agreed = shaken.unwrap_or(Err(ChatError::Handshake(Break::Silent)))?;
        Ok((link, agreed))
    }

    /// How long to wait after a stranger: only who saw our hello guesses, and only where words are all that tells who it is.
    fn pause(&mut self) -> Option<Duration> {
        let said_hello = std::mem::take(&mut self.said_hello);
        if !said_hello || self.pairing.expected.is_some() || self.pairing.ticket_only {
            return None;
        }
        self.broke_off = self.broke_off.saturating_add(1);
        pause_after(self.broke_off)
    }

    /// Whether a listener goes on waiting: what somebody does who has proved nothing must not end a chat.
    fn is_a_strangers(&self, error: &ChatError) -> bool {
        match error {
            ChatError::WrongKey | ChatError::NotProved | ChatError::Refused(_) | ChatError::Handshake(_) => true,
            ChatError::EncryptionMismatch { proved, .. } => {
                !proved && (self.pairing.expected.is_some() || self.pairing.ticket_only)
            }
            ChatError::Communicator(error) => error.may_pass(),
            _ => false,
        }
    }
}

/// Whether a dialer whose link broke tries once more.
const fn may_pass(error: &ChatError) -> bool {
    match error {
        ChatError::Communicator(error) => error.may_pass(),
        ChatError::Handshake(_) => true,
        _ => false,
    }
}

/// The pause after the so manieth stranger who broke off after our hello.
fn pause_after(broke_off: u32) -> Option<Duration> {
    let doublings = broke_off.checked_sub(GUESSES)?;
    Some(PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(PAUSE_MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_time_for_eleven_thousand_guesses_at_the_words_and_no_more() {
        let pauses = (1..=6).map(|number| pause_after(number).map_or(0, |pause| pause.as_secs()));
        assert_eq!(pauses.collect::<Vec<_>>(), [0, 0, 0, 1, 2, 4]);
        let (mut seconds, mut guesses) = (0, 0);
        while seconds < 24 * 3600 {
            guesses += 1;
            seconds += pause_after(guesses).map_or(0, |pause| pause.as_secs());
        }
        assert!(guesses < 11_000, "{guesses}");
        assert_eq!(pause_after(u32::MAX), Some(PAUSE_MOST));
    }
}
