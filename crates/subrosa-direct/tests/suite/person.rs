//! Somebody in a chat: wishes go in, events come out, and the end can be waited for.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use subrosa_direct::{
    Chat, ChatError, Communicator, Encryption, Event, Interactor, Pairing, Timing, Unseen, Wish, encryptor,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes; only a failure waits for it.
pub const LONG: Duration = Duration::from_secs(60);

/// Quick, so that a break is noticed while the test looks.
pub fn quick() -> Timing {
    Timing {
        keep_alive: Duration::from_millis(100),
        silence: Duration::from_secs(1),
        handshake: Duration::from_secs(20),
        first: Duration::from_secs(10),
        farewell: Duration::from_secs(10),
        retry: Duration::from_millis(20),
        retry_most: Duration::from_millis(100),
        give_up: Duration::from_secs(30),
    }
}

struct Script {
    wishes: mpsc::Receiver<Wish>,
    events: mpsc::Sender<Event>,
}

impl Interactor for Script {
    fn next(&mut self) -> BoxFuture<'_, Option<Wish>> {
        self.wishes.recv().boxed()
    }

    fn show(&mut self, event: Event) -> Result<(), Unseen> {
        self.events.try_send(event).map_err(|error| Unseen(error.to_string()))
    }
}

/// See the module.
pub struct Person {
    wishes: Option<mpsc::Sender<Wish>>,
    events: mpsc::Receiver<Event>,
    run: JoinHandle<Result<(), ChatError>>,
    name: &'static str,
}

impl Person {
    /// Begins to chat.
    pub fn start(
        name: &'static str,
        communicator: impl Communicator + 'static,
        encryption: Encryption,
        pairing: Pairing,
    ) -> Self {
        Self::start_with_files(name, communicator, encryption, pairing, None)
    }

    /// The same; files are accepted into this folder without asking.
    pub fn start_with_files(
        name: &'static str,
        communicator: impl Communicator + 'static,
        encryption: Encryption,
        pairing: Pairing,
        folder: Option<PathBuf>,
    ) -> Self {
        Self::start_with(name, communicator, encryption, pairing, folder, quick())
    }

    /// The same, with another patience.
    pub fn start_with(
        name: &'static str,
        communicator: impl Communicator + 'static,
        encryption: Encryption,
        pairing: Pairing,
        folder: Option<PathBuf>,
        timing: Timing,
    ) -> Self {
        let (wishes, taken) = mpsc::channel(4096);
        let (shown, events) = mpsc::channel(65536);
        let script = Script { wishes: taken, events: shown };
        let chat = Chat::new(communicator, encryptor::danger_any(encryption), script).pairing(pairing).timing(timing);
        let chat = match folder {
            Some(folder) => chat.files(folder, true),
            None => chat,
        };
        Self { wishes: Some(wishes), events, run: tokio::spawn(chat.run()), name }
    }

    /// Wishes something.
    pub async fn wish(&self, wish: Wish) {
        self.wishes.as_ref().expect("the input is open").send(wish).await.expect("the chat takes wishes");
    }

    /// Says something.
    pub async fn say(&self, text: &str) {
        self.wish(Wish::Say(text.to_owned())).await;
    }

    /// Has nothing more to say.
    pub fn end_input(&mut self) {
        self.wishes = None;
    }

    /// Waits for the next event that `wanted` makes something of.
    pub async fn expect<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let found = timeout(LONG, async {
            while let Some(event) = self.events.recv().await {
                if let Some(found) = wanted(&event) {
                    return Some(found);
                }
                seen.push(format!("{event:?}"));
            }
            None
        })
        .await;
        match found {
            Ok(Some(found)) => found,
            _ => panic!("{} waited in vain for {what}; saw {}", self.name, seen.join("\n")),
        }
    }

    /// Waits for the link; the words that it shows, and whether a ticket vouches for the other side.
    pub async fn connected(&mut self) -> (String, bool) {
        let event = |event: &Event| match event {
            Event::Connected { string, vouched, .. } => Some((string.words(), *vouched)),
            _ => None,
        };
        self.expect("a link", event).await
    }

    /// Waits for the next text.
    pub async fn hears(&mut self) -> String {
        let text = |event: &Event| match event {
            Event::Message { text, .. } => Some(text.clone()),
            _ => None,
        };
        self.expect("a text", text).await
    }

    /// Waits until the link breaks; the word for why.
    pub async fn broken(&mut self) -> &'static str {
        let code = |event: &Event| match event {
            Event::Broken { cause, .. } => Some(cause.code()),
            _ => None,
        };
        self.expect("a break", code).await
    }

    /// Waits until somebody is turned away; the word for why.
    pub async fn turns_away(&mut self) -> &'static str {
        let code = |event: &Event| match event {
            Event::TurnedAway(error) => Some(error.code()),
            _ => None,
        };
        self.expect("somebody to be turned away", code).await
    }

    /// Waits for the end of the chat, and gives everything that was not looked at.
    pub async fn end(mut self) -> (Result<(), ChatError>, Vec<Event>) {
        let _open = self.wishes.take();
        let outcome = timeout(LONG, &mut self.run).await.expect("the chat ends").expect("the chat does not panic");
        let mut rest = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            rest.push(event);
        }
        (outcome, rest)
    }

    /// Waits for the end while the input stays open; the word for why it was none in order.
    pub async fn fails(mut self) -> &'static str {
        let outcome = timeout(LONG, &mut self.run).await.expect("the chat ends").expect("the chat does not panic");
        outcome.expect_err("the chat does not end in order").code()
    }

    /// Is gone without a word.
    pub fn vanish(self) {
        self.run.abort();
    }

    /// Leaves, and must be able to.
    pub async fn leave(self) {
        self.wish(Wish::Leave).await;
        let (outcome, _) = self.end().await;
        outcome.unwrap_or_else(|error| panic!("left with {error}"));
    }
}
