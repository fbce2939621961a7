//! `subrosa serve`, on a free port and in a folder of its own.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{Outcome, Process, Profile, SUBROSA, headless};

/// A server, and the folder in which it and all profiles of its story live.
pub struct Server {
    folder: TempDir,
    data: PathBuf,
    arguments: Vec<String>,
    announcement: Value,
    process: Option<Process>,
    /// What earlier runs printed: the log, too, must say nothing that it should not.
    printed: Vec<String>,
}

impl Server {
    /// A server on loopback.
    pub fn start() -> Self {
        Self::with("127.0.0.1:0", &[])
    }

    /// A server that listens there, with further arguments.
    pub fn with(listen: &str, arguments: &[&str]) -> Self {
        Self::begun(None, listen, arguments)
    }

    /// The same, with its data in this folder.
    pub fn in_folder(data: PathBuf, listen: &str, arguments: &[&str]) -> Self {
        Self::begun(Some(data), listen, arguments)
    }

    fn begun(data: Option<PathBuf>, listen: &str, arguments: &[&str]) -> Self {
        let folder = TempDir::with_prefix("subrosa-story-").expect("a temporary folder");
        let data = data.unwrap_or_else(|| folder.path().join("server"));
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut server =
            Self { folder, data, arguments, announcement: Value::Null, process: None, printed: Vec::new() };
        server.begin(listen);
        server
    }

    fn begin(&mut self, listen: &str) {
        let mut command = headless(SUBROSA);
        command.args(["serve", "--listen", listen, "--json", "--data"]).arg(&self.data).args(&self.arguments);
        let mut process = Process::start(command);
        let first = process.expect("the first line", |_| true);
        self.announcement = serde_json::from_str(&first).unwrap_or_else(|error| panic!("{error}: {first}"));
        assert_eq!(
            (&self.announcement["v"], &self.announcement["event"]),
            (&Value::from(1), &Value::from("listening"))
        );
        self.process = Some(process);
    }

    /// The first line that it printed.
    pub fn announcement(&self) -> &Value {
        &self.announcement
    }

    /// Its link.
    pub fn link(&self) -> &str {
        self.announcement["link"].as_str().expect("the announcement has the link")
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        let port = self.announcement["port"].as_u64().expect("the announcement has the port");
        u16::try_from(port).expect("a port has 16 bits")
    }

    /// The story's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's own folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The running server.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server runs")
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        process.kill();
        self.keep(&process);
    }

    /// Starts it again, on the same port and folder.
    pub fn start_again(&mut self) {
        let host = self.link().trim_start_matches("subrosa://").split(':').next().unwrap_or_default().to_owned();
        let listen = format!("{host}:{}", self.port());
        let link = self.link().to_owned();
        self.begin(&listen);
        assert_eq!(self.link(), link, "a server keeps its link");
    }

    /// Ends it in the usual way.
    pub fn terminate(&mut self) -> Outcome {
        let process = self.process.take().expect("the server runs");
        process.signal(Signal::TERM);
        self.ended(process)
    }

    /// Waits for its end, which something else brings about.
    pub fn wait_for_end(&mut self) -> Outcome {
        let process = self.process.take().expect("the server runs");
        self.ended(process)
    }

    fn ended(&mut self, process: Process) -> Outcome {
        let outcome = process.finish();
        self.printed.extend([outcome.stdout.clone(), outcome.stderr.clone()]);
        outcome
    }

    fn keep(&mut self, process: &Process) {
        self.printed.extend([process.lines().join("\n"), process.error_lines().join("\n")]);
    }

    /// Everything that it printed in all its runs.
    pub fn printed(&mut self) -> String {
        if let Some(process) = self.process.take() {
            self.keep(&process);
            self.process = Some(process);
        }
        self.printed.join("\n")
    }

    /// A fresh profile for this account.
    pub fn profile(&self, name: &str) -> Profile {
        self.device(name, "laptop")
    }

    /// A fresh profile for another device of this account.
    pub fn device(&self, name: &str, device: &str) -> Profile {
        Profile::new(name, self.folder.path().join(format!("{name}-{device}")), self.link())
    }

    /// Signs these people up, in this order: the first one is the super admin.
    #[track_caller]
    pub fn people<const N: usize>(&self, names: [&str; N]) -> [Profile; N] {
        names.map(|name| self.profile(name).sign_up())
    }
}
