//! A program that goes on while the story does.
//!
//! Its lines are collected as they come. [`Process::expect`] waits for a line and remembers how far it looked, so that a
//! story can say what has to come in which order. Dropping a process kills it.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::{Outcome, PATIENCE};

/// One stream of output, line by line.
#[derive(Default)]
struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    /// What has no line end yet, like a prompt.
    rest: Vec<u8>,
    seen: usize,
    closed: bool,
}

impl State {
    fn take_in(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.lines.push(String::from_utf8_lossy(&line[..end]).into_owned());
        }
    }

    fn close(&mut self) {
        if !self.rest.is_empty() {
            self.take_in(b"\n");
        }
        self.closed = true;
    }
}

impl Lines {
    fn collect(mut stream: impl Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let shared = lines.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            // A terminal that is gone ends with an error instead of an end of file.
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                shared.state().take_in(&buffer[..length]);
                shared.changed.notify_all();
            }
            shared.state().close();
            shared.changed.notify_all();
        });
        lines
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `ready`; what it gives, or everything that came when the deadline passes or nothing more can come.
    fn wait<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(found) = ready(&mut state) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                return Err(state.lines.join("\n"));
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A running program.
pub struct Process {
    what: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Arc<Lines>,
    errors: Arc<Lines>,
}

impl Process {
    /// Starts it, with all three streams in the story's hands.
    pub fn start(mut command: Command) -> Self {
        let what = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let output = Lines::collect(child.stdout.take().expect("the output is a pipe"));
        let errors = Lines::collect(child.stderr.take().expect("the errors are a pipe"));
        let input = child.stdin.take();
        Self { what, child, input, output, errors }
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is still open");
        // A program that has ended does not read; what it printed tells the story, not this.
        let _ended = input.write_all(format!("{line}\n").as_bytes()).and_then(|()| input.flush());
    }

    /// Types all of this and ends the input; from a thread of its own, for the program may not read it.
    pub fn say_all(&mut self, text: impl AsRef<[u8]>) {
        let mut input = self.input.take().expect("the input is still open");
        let text = text.as_ref().to_owned();
        thread::spawn(move || {
            let _ended = input.write_all(&text);
        });
    }

    /// Ends the input.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Waits for the next line of standard output that `is_it`, behind those that were waited for before.
    pub fn expect(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        self.output.wait(|state| find(state, &is_it)).unwrap_or_else(|all| self.disappointed(what, &all))
    }

    /// Waits for the next line of standard output that has `text` in it.
    pub fn expect_text(&mut self, text: &str) -> String {
        self.expect(text, |line| line.contains(text))
    }

    /// Waits for the next line of standard error that has `text` in it.
    pub fn expect_error(&mut self, text: &str) -> String {
        self.errors
            .wait(|state| find(state, &|line| line.contains(text)))
            .unwrap_or_else(|all| self.disappointed(text, &all))
    }

    /// Waits for a question on standard output: words behind which no line ends.
    pub fn expect_prompt(&mut self, text: &str) {
        let asked = |state: &mut State| String::from_utf8_lossy(&state.rest).contains(text).then_some(());
        self.output.wait(asked).unwrap_or_else(|all| self.disappointed(text, &all));
    }

    /// Everything on standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.output.state().lines.clone()
    }

    /// Everything on standard error so far.
    pub fn error_lines(&self) -> Vec<String> {
        self.errors.state().lines.clone()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is there to be signalled");
    }

    /// Ends it without giving it a chance, like `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) -> ExitStatus {
        let _ended_already = self.child.kill();
        self.child.wait().expect("a child can be waited for")
    }

    /// Waits until it ends by itself, and what it said all in all.
    pub fn finish(mut self) -> Outcome {
        self.input = None;
        let ended = self
            .output
            .wait(|state| state.closed.then_some(()))
            .and_then(|()| self.errors.wait(|state| state.closed.then_some(())));
        if let Err(all) = ended {
            self.disappointed("its end", &all)
        }
        let status = self.child.wait().expect("a child can be waited for");
        Outcome::new(self.what.clone(), status, self.lines(), self.error_lines())
    }

    fn disappointed(&self, wanted: &str, came: &str) -> ! {
        let (output, errors) = (self.lines().join("\n"), self.error_lines().join("\n"));
        panic!("{}\nwaited in vain for: {wanted}\nin:\n{came}\n--- stdout\n{output}\n--- stderr\n{errors}", self.what)
    }
}

fn find(state: &mut State, is_it: &dyn Fn(&str) -> bool) -> Option<String> {
    let at = state.lines.iter().skip(state.seen).position(|line| is_it(line))? + state.seen;
    state.seen = at + 1;
    Some(state.lines[at].clone())
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}
