//! The browser's process.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::link::Link;
use crate::{PATIENCE, Tab};

/// The names under which systems have it.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Nothing that talks to anybody but the page's own server, and nothing that waits for a screen.
const FLAGS: [&str; 22] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--disable-domain-reliability",
    "--disable-default-apps",
    "--disable-features=Translate,OptimizationHints,MediaRouter,InterestFeedContentSuggestions",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--no-pings",
    "--password-store=basic",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
];

/// A Chromium.
pub struct Browser {
    link: Link,
    _process: Process,
    /// Its home and data folder, removed at the end.
    _folder: TempDir,
}

impl Browser {
    /// The program, if the system has one.
    pub fn program() -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        let in_folder = |name| std::env::split_paths(&path).map(move |folder| folder.join(name));
        PROGRAMS.into_iter().flat_map(in_folder).find(|program| program.is_file())
    }

    /// Starts one, with nothing in it; `None` where the system has none.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Option<Self> {
        let folder = TempDir::with_prefix("subrosa-browser-").expect("a temporary folder");
        let mut command = Command::new(Self::program()?);
        // A group of its own: its helper processes end with it.
        command.env_clear().env("HOME", folder.path()).env("LANG", "C.UTF-8").process_group(0).args(FLAGS);
        for name in ["PATH", "FONTCONFIG_PATH"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.arg(format!("--user-data-dir={}", folder.path().join("data").display())).arg("about:blank");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process(command.spawn().expect("the browser starts"));
        let errors = process.0.stderr.take().expect("its standard error is a pipe");
        let (sender, receiver) = sync_channel(1);
        thread::spawn(move || {
            for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
                if let Some(address) = String::from_utf8_lossy(&line).strip_prefix("DevTools listening on ") {
                    let _only_the_first = sender.try_send(address.trim().to_owned());
                }
            }
        });
        let address = receiver.recv_timeout(PATIENCE).expect("the browser says where it listens");
        Some(Self { link: Link::open(&address), _process: process, _folder: folder })
    }

    /// A window for one person, who shares nothing with the others.
    ///
    /// # Panics
    /// When the browser makes none.
    pub fn tab(&self) -> Tab {
        let ask = |method: &str, params: Value| {
            self.link.ask("", method, params).unwrap_or_else(|error| panic!("no window: {error}"))
        };
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let context = text(&ask("Target.createBrowserContext", json!({}))["browserContextId"]);
        let target = json!({ "url": "about:blank", "browserContextId": context, "newWindow": true });
        let target = text(&ask("Target.createTarget", target)["targetId"]);
        let session = ask("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        Tab::new(self.link.clone(), text(&session["sessionId"]), context)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.link.close();
    }
}

/// The process and those that it started; they end with this value, also while it is still starting.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _status = self.0.wait();
    }
}
