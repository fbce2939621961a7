//! The server's life: bind, serve, end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::get;
use subrosa_client::rpc::{Door, LINE};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tracing::info;

use crate::token::Token;
use crate::{files, guard, rpc};

/// WebSockets at a time.
const CONNECTIONS: usize = 32;
/// How long connections may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken, most likely.
    #[error("the page cannot be served on port {port}: {source}")]
    Listen {
        /// Which port.
        port: u16,
        /// Why.
        source: io::Error,
    },
}

/// A page that is served.
#[derive(Debug)]
pub struct PageServer {
    address: SocketAddr,
    token: Token,
    leaving: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
}

#[derive(Clone)]
struct Shared {
    door: Door,
    token: Token,
    port: u16,
    leaving: watch::Receiver<bool>,
    places: Arc<Semaphore>,
}

impl PageServer {
    /// Serves the page of a profile on this port of loopback; 0: a free one.
    ///
    /// # Errors
    /// [`ServeError::Listen`].
    pub async fn start(door: Door, port: u16) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let token = Token::generate();
        let (leaving, left) = watch::channel(false);
        let shared = Shared {
            door,
            token: token.clone(),
            port: address.port(),
            leaving: left.clone(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
        };
        let router = Router::new()
            .route("/rpc", get(upgrade))
            .fallback(file)
            .layer(middleware::from_fn_with_state(shared.clone(), only_to_us))
            .with_state(shared);
        let mut ending = left;
        let task = tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async move {
                    // An error means that nobody is left who could say so.
                    let _said = ending.wait_for(|leaving| *leaving).await;
                })
                .await
        });
        info!("the page is served on loopback, port {}", address.port());
        Ok(Self { address, token, leaving, task })
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The link for the person's browser. It has the token in it: whoever sees it can act as that person.
    pub fn danger_link(&self) -> String {
        format!("http://{}/#token={}", self.address, self.token.danger_text())
    }

    /// Ends: what was asked is answered, then connections are closed.
    pub async fn close(self) {
        self.leaving.send_replace(true);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(DRAIN, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// Nobody is answered who calls this server by another name.
async fn only_to_us(State(shared): State<Shared>, request: Request, next: Next) -> Response<Body> {
    if !guard::is_ours(request.headers(), shared.port) {
        return files::plain(StatusCode::FORBIDDEN, "this page is for the person at this machine");
    }
    next.run(request).await
}

async fn file(request: Request) -> Response<Body> {
    match *request.method() {
        Method::GET | Method::HEAD => files::answer(request.uri().path(), request.headers().get(header::IF_NONE_MATCH)),
        _ => files::plain(StatusCode::METHOD_NOT_ALLOWED, "files can only be read"),
    }
}

async fn upgrade(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let headers = request.headers();
    if !guard::is_from_us(headers, shared.port) {
        return files::plain(StatusCode::FORBIDDEN, "another page may not speak for the person at this machine");
    }
    if !guard::has_token(headers, &shared.token) {
        return files::plain(
            StatusCode::FORBIDDEN,
            "the token is missing or not the right one: open the printed link again",
        );
    }
    let Ok(place) = shared.places.clone().try_acquire_owned() else {
        return files::plain(StatusCode::SERVICE_UNAVAILABLE, "too many connections; close a tab");
    };
    let upgrade: WebSocketUpgrade = match axum::RequestExt::extract(request).await {
        Ok(upgrade) => upgrade,
        Err(refusal) => return axum::extract::ws::rejection::WebSocketUpgradeRejection::into_response(refusal),
    };
    upgrade.protocols([guard::PROTOCOL]).max_message_size(LINE).max_frame_size(LINE).on_upgrade(async move |socket| {
        rpc::serve(socket, shared.door, shared.leaving).await;
        drop(place);
    })
}
