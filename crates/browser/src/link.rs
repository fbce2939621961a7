//! The DevTools protocol: requests and answers by number, events by session, over one WebSocket.
//!
//! One thread reads; whoever asks waits for the answer with its number. Events go to the listener of their session, on the
//! reading thread, which therefore must not wait for an answer itself; it may [`Link::post`].

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use crate::PATIENCE;

/// Pictures of large pages come as one message.
const LARGEST_MESSAGE: usize = 64 << 20;

/// Hears the events of one session: their names and parameters.
pub(crate) type Listener = Box<dyn Fn(&Link, &str, &Value) + Send + Sync>;

#[derive(Default)]
struct State {
    answers: HashMap<u64, Result<Value, String>>,
    listeners: HashMap<String, Arc<Listener>>,
    closed: bool,
}

/// The link to a browser; clones share it.
#[derive(Clone)]
pub(crate) struct Link {
    writer: Arc<Mutex<WebSocket<TcpStream>>>,
    state: Arc<(Mutex<State>, Condvar)>,
    next: Arc<AtomicU64>,
}

impl Link {
    /// Connects to the address that the browser printed, as `ws://127.0.0.1:PORT/devtools/browser/ID`.
    pub(crate) fn open(address: &str) -> Self {
        let host = address.trim_start_matches("ws://").split('/').next().unwrap_or_default();
        let stream = TcpStream::connect(host).expect("the browser listens where it says");
        stream.set_nodelay(true).expect("a socket");
        let other_half = stream.try_clone().expect("a socket");
        let (mut reader, _) = client(address, stream).expect("a WebSocket of the browser");
        let config =
            WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE)).max_frame_size(Some(LARGEST_MESSAGE));
        reader.set_config(|own| *own = config);
        let link = Self {
            writer: Arc::new(Mutex::new(WebSocket::from_raw_socket(other_half, Role::Client, Some(config)))),
            state: Arc::default(),
            next: Arc::new(AtomicU64::new(1)),
        };
        let reading = link.clone();
        thread::spawn(move || reading.read(reader));
        link
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut reader: WebSocket<TcpStream>) {
        // An error is the end of the browser; who waits for an answer hears of it.
        while let Ok(message) = reader.read() {
            let Message::Text(text) = message else { continue };
            let Ok(mut message) = serde_json::from_str::<Value>(&text) else { continue };
            if let Some(id) = message["id"].as_u64() {
                let answer = match &message["error"] {
                    Value::Null => Ok(message["result"].take()),
                    error => Err(error["message"].as_str().unwrap_or("refused").to_owned()),
                };
                self.state().answers.insert(id, answer);
                self.state.1.notify_all();
            } else if let Some(method) = message["method"].as_str() {
                let session = message["sessionId"].as_str().unwrap_or_default();
                let listener = self.state().listeners.get(session).cloned();
                if let Some(listener) = listener {
                    listener(self, method, &message["params"]);
                }
            }
        }
        self.state().closed = true;
        self.state.1.notify_all();
    }

    /// From now on `listener` hears the events of this session.
    pub(crate) fn listen(&self, session: &str, listener: Listener) {
        self.state().listeners.insert(session.to_owned(), Arc::new(listener));
    }

    /// Nobody hears the events of this session any more.
    pub(crate) fn unlisten(&self, session: &str) {
        self.state().listeners.remove(session);
    }

    /// Sends a request whose answer nobody looks at. Gives its number.
    pub(crate) fn post(&self, session: &str, method: &str, params: Value) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut request = json!({ "id": id, "method": method, "params": params });
        if !session.is_empty() {
            request["sessionId"] = session.into();
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A browser that is gone answers nothing, which is noticed by who waits.
        let _gone = writer.send(Message::text(request.to_string()));
        id
    }

    /// Sends a request and waits for its answer; the empty session is the browser itself.
    pub(crate) fn ask(&self, session: &str, method: &str, params: Value) -> Result<Value, String> {
        let id = self.post(session, method, params);
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(answer) = state.answers.remove(&id) {
                return answer.map_err(|error| format!("{method}: {error}"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                return Err(format!("{method}: the browser does not answer"));
            }
            state = self.state.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends the link, and with it the reading thread.
    pub(crate) fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _gone_already = writer.get_ref().shutdown(Shutdown::Both);
    }
}
