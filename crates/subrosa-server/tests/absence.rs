//! What people write and who they are is in no log line, and what they write in no file of the server.

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use common::{PASSWORD, Person, serve};
use tracing_subscriber::fmt::MakeWriter;

/// Collects log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_log_lines_nor_files_hold_what_was_said() {
    let lines = Lines::default();
    tracing_subscriber::fmt().with_writer(lines.clone()).with_max_level(tracing::Level::TRACE).with_ansi(false).init();
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path()).await;
    let mut alice = Person::sign_up(&server, "alice.in.wonderland").await;
    let mut bob = Person::sign_up(&server, "robert.the.builder").await;
    let chat = alice.converse(&mut bob).await;
    let text = b"the password of the cellar is mellon";
    let message = alice.message(chat, text);
    let subrosa_wire::proto::client_frame::Request::Append(append) = &message else { panic!() };
    let ciphertext = append.message.clone();
    alice.link.call(message).await.unwrap();
    server.shutdown("").await.unwrap();

    let log = lines.0.lock().unwrap().clone();
    assert!(holds(&log, b"the server listens"), "the log was not captured");
    for needle in [&text[..], PASSWORD.as_bytes(), b"alice.in.wonderland", b"robert.the.builder"] {
        assert!(!holds(&log, needle), "{}", String::from_utf8_lossy(needle));
    }
    // Not even as numbers in a debug print.
    let printed = format!("{:?}", &ciphertext[60..72]);
    assert!(!holds(&log, printed.trim_matches(['[', ']']).as_bytes()));
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!holds(&bytes, text) && !holds(&bytes, PASSWORD.as_bytes()));
        for key in [&alice.key, &alice.device_key, &bob.key, &bob.device_key] {
            assert!(!holds(&bytes, key.seed().as_slice()));
        }
    }
}
