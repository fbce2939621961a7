//! Who is not the page that the client itself opened does not get in: pages of other sites, other names for this
//! machine, and programs without the token. Nothing that they try changes anything.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::{PATIENCE, Server};
use crate::person::Client;
use crate::rpc::Rpc;

/// The whole policy: nothing but the page's own files, its own door and pictures inside it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Status, headers in lower case, and the rest.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }
}

/// Sends exactly this; a status of 0 is a connection that was closed without an answer.
fn raw(host: &str, request: &str) -> Answer {
    let mut stream = TcpStream::connect(host).expect("the client serves");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    // Who refuses may hang up before all of it is there.
    let _refused = stream.write_all(request.as_bytes());
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // A WebSocket that was let in stays open: its answer is complete with the empty line.
    loop {
        let upgraded = bytes.starts_with(b"HTTP/1.1 101") && bytes.windows(4).any(|four| four == b"\r\n\r\n");
        match stream.read(&mut buffer) {
            _ if upgraded => break,
            Ok(0) | Err(_) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
        }
        if bytes.starts_with(b"HTTP/1.1 101") {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap_or(0);
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Answer { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
}

/// A request with these headers besides `Connection: close`.
fn request(host: &str, line: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    raw(host, &format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"))
}

/// A request for the WebSocket; `None` leaves a header out.
fn knock(host: &str, named: Option<&str>, origin: Option<&str>, protocols: Option<&str>) -> Answer {
    let headers = [("Host", named), ("Origin", origin), ("Sec-WebSocket-Protocol", protocols)];
    let headers: String =
        headers.iter().filter_map(|(name, value)| value.map(|value| format!("{name}: {value}\r\n"))).collect();
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    raw(host, &format!("GET /rpc HTTP/1.1\r\n{headers}{upgrade}\r\n"))
}

fn state(rpc: &mut Rpc) -> [Value; 4] {
    ["chats", "settings", "devices", "who_am_i"].map(|method| rpc.ask(method, json!({})))
}

#[test]
fn who_comes_from_elsewhere_or_without_the_token_is_refused_and_changes_nothing() {
    let server = Server::start();
    let [alice, bob] = server.people(["alice", "bob"]);
    bob.send("@alice", "are the herons back?");
    alice.wait_for("@bob", "bob: are the herons back?");
    let client = Client::start(&alice);
    let (host, token) = (client.host(), client.token());
    let port = host.split_once(':').expect("a port").1;
    let mut rpc = client.rpc();
    rpc.ask("set_setting", json!({ "name": "theme", "value": "dark" }));
    let before = state(&mut rpc);

    let own = format!("http://{host}");
    let allowed = format!("subrosa.v1, token.{token}");
    assert_eq!(knock(host, Some(host), Some(&own), Some(&allowed)).status, 101, "the page itself");
    assert_eq!(knock(host, Some(host), None, Some(&allowed)).status, 101, "a program, which has no origin");

    let wrong_token = format!("subrosa.v1, token.{}", token.chars().rev().collect::<String>());
    let half_token = format!("subrosa.v1, token.{}", &token[..token.len() / 2]);
    let longer_token = format!("{allowed}0");
    for protocols in [
        None,
        Some("subrosa.v1"),
        Some("subrosa.v1, token."),
        Some(&wrong_token),
        Some(&half_token),
        Some(&longer_token),
    ] {
        assert_eq!(knock(host, Some(host), Some(&own), protocols).status, 403, "{protocols:?}");
    }
    let foreign_origins = [
        "http://evil.example".to_owned(),
        "null".to_owned(),
        "http://localhost".to_owned(),
        format!("https://{host}"),
        "http://127.0.0.1".to_owned(),
        "http://127.0.0.1:1".to_owned(),
        format!("{own}.evil.example"),
        format!("{own}@evil.example"),
        format!("http://evil.example/{own}"),
        String::new(),
    ];
    for origin in &foreign_origins {
        assert_eq!(knock(host, Some(host), Some(origin), Some(&allowed)).status, 403, "Origin: {origin}");
    }
    let foreign_hosts = [
        format!("evil.example:{port}"),
        "evil.example".to_owned(),
        format!("127.0.0.1.evil.example:{port}"),
        "127.0.0.1:1".to_owned(),
        format!("{host}@evil.example"),
        format!("[::1]:{port}"),
        String::new(),
    ];
    for foreign in &foreign_hosts {
        assert_eq!(knock(host, Some(foreign), Some(&own), Some(&allowed)).status, 403, "Host: {foreign}");
        let same_origin = format!("http://{foreign}");
        assert_eq!(knock(host, Some(foreign), Some(&same_origin), Some(&allowed)).status, 403, "Host: {foreign}");
        assert_eq!(request(host, "GET /", &[("Host", foreign)]).status, 403, "Host: {foreign}");
    }
    // Without a Host a request is none; with two nobody knows which one counts.
    for status in [
        knock(host, None, Some(&own), Some(&allowed)).status,
        request(host, "GET /", &[]).status,
        request(host, "GET /", &[("Host", host), ("Host", "evil.example")]).status,
        request(host, "GET /", &[("Host", "evil.example"), ("Host", host)]).status,
    ] {
        assert!([400, 403].contains(&status), "{status}");
    }
    assert_eq!(state(&mut rpc), before);
}

#[test]
fn requests_that_are_no_page_and_no_websocket_do_nothing() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let client = Client::start(&alice);
    let (host, token) = (client.host(), client.token());
    let mut rpc = client.rpc();
    let before = state(&mut rpc);
    let own = format!("http://{host}");
    // A form of another site can send this without asking anybody.
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"set_setting","params":{"name":"theme","value":"dark"}}"#;
    for (method, path) in [("POST", "/rpc"), ("POST", "/"), ("PUT", "/rpc"), ("DELETE", "/"), ("OPTIONS", "/rpc")] {
        let length = body.len().to_string();
        let headers = [("Host", host), ("Content-Type", "text/plain"), ("Content-Length", &length)];
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let answer = raw(host, &format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n{body}"));
        assert!((400..500).contains(&answer.status), "{method} {path}: {}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{method} {path}");
    }
    assert!((400..500).contains(&request(host, "GET /rpc", &[("Host", host), ("Origin", &own)]).status));
    let outside = ["/../Cargo.toml", "/%2e%2e/%2e%2e/etc/passwd", "/..%2fprofile", "//etc/passwd", "/none", "/vendor/"];
    for path in outside {
        let answer = request(host, &format!("GET {path}"), &[("Host", host)]);
        assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
    }
    // Nothing that is served says the token, and a long or broken head does not stop the client.
    let page = request(host, "GET /", &[("Host", host)]);
    assert_eq!(page.status, 200);
    assert!(!page.body.contains(token));
    let long = "a".repeat(2 * 1024 * 1024);
    assert_ne!(request(host, "GET /", &[("Host", host), ("X-Long", &long)]).status, 200);
    assert_ne!(raw(host, "\0\u{1}\r\n\r\n").status, 200);
    assert_eq!(state(&mut rpc), before);
}

#[test]
fn every_file_of_the_page_comes_with_the_policy() {
    let server = Server::start();
    let [alice] = server.people(["alice"]);
    let client = Client::start(&alice);
    let host = client.host();
    for path in ["/", "/index.html", "/app.js", "/vendor/preact.js"] {
        let answer = request(host, &format!("GET {path}"), &[("Host", host)]);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-security-policy"), Some(POLICY), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert!(answer.header("cross-origin-resource-policy").is_some_and(|value| value == "same-origin"), "{path}");
        let kind = if path.ends_with(".js") { "text/javascript" } else { "text/html" };
        assert!(answer.header("content-type").is_some_and(|value| value.starts_with(kind)), "{path}");
    }
}
