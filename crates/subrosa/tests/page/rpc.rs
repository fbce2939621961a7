//! A program at the page's door: JSON-RPC over the WebSocket, with the token.

use std::net::TcpStream;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use crate::harness::PATIENCE;

/// The connection.
pub struct Rpc {
    socket: WebSocket<TcpStream>,
    next: u64,
}

impl Rpc {
    /// Connects as the page does.
    pub fn open(host: &str, token: &str) -> Self {
        let mut request = format!("ws://{host}/rpc").into_client_request().expect("an address");
        let header = |text: String| HeaderValue::try_from(text).expect("a header");
        request.headers_mut().insert("Origin", header(format!("http://{host}")));
        request.headers_mut().insert("Sec-WebSocket-Protocol", header(format!("subrosa.v1, token.{token}")));
        let stream = TcpStream::connect(host).expect("the client serves");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let (socket, _) = client(request, stream).expect("the client lets the page in");
        Self { socket, next: 1 }
    }

    /// Asks something.
    ///
    /// # Errors
    /// The error object of the answer.
    pub fn try_ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.next;
        self.next += 1;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.socket.send(Message::text(request.to_string())).expect("the client reads");
        loop {
            let Message::Text(text) = self.socket.read().expect("the client answers") else { continue };
            let mut object: Value = serde_json::from_str(&text).expect("an object a message");
            if object["id"] == id {
                return if object["error"].is_null() {
                    Ok(object["result"].take())
                } else {
                    Err(object["error"].take())
                };
            }
        }
    }

    /// Asks something that must be done.
    #[track_caller]
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Sends a text to a chat.
    #[track_caller]
    pub fn send(&mut self, to: &str, text: &str) {
        self.ask("send", json!({ "to": to, "text": text, "id": null, "wait": "accepted" }));
    }
}
