//! A program that speaks JSON-RPC with `subrosa rpc`, or on a profile's socket through it.

use serde_json::{Value, json};

use super::{Process, Profile};

/// A session.
pub struct Rpc {
    process: Process,
    number: u64,
    came: Vec<Value>,
}

impl Rpc {
    /// Starts one on a profile.
    pub fn of(profile: &Profile) -> Self {
        let mut rpc = Self { process: profile.start(&["rpc"]), number: 0, came: Vec::new() };
        rpc.wait("the welcome", |said| said["method"] == "welcome");
        rpc
    }

    /// Asks; the answer is waited for by its id. What came besides stays for [`Self::told`].
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.begin(method, params);
        self.answer(id)
    }

    /// Asks, and does not wait.
    pub fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.number += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params});
        self.process.say(&request.to_string());
        self.number
    }

    /// The answer to what was asked.
    pub fn answer(&mut self, id: u64) -> Result<Value, Value> {
        let mut answer = self.wait("an answer", |said| said["id"] == id);
        match answer["error"].take() {
            Value::Null => Ok(answer["result"].take()),
            error => Err(error),
        }
    }

    /// Asks for something that must succeed.
    #[track_caller]
    pub fn ok(&mut self, method: &str, params: Value) -> Value {
        self.ask(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Asks for something that must be refused; the kind of the refusal.
    #[track_caller]
    pub fn refused(&mut self, method: &str, params: Value) -> String {
        match self.ask(method, params) {
            Ok(result) => panic!("{method} was not refused: {result}"),
            Err(error) => error["data"]["kind"].as_str().map_or_else(|| error["code"].to_string(), str::to_owned),
        }
    }

    /// Waits for the next notification of this method of which `is_it` is true; its parameters.
    #[track_caller]
    pub fn told(&mut self, method: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.wait(method, |said| said["method"] == method && is_it(&said["params"]))["params"].take()
    }

    /// Waits for an event of this kind.
    #[track_caller]
    pub fn event(&mut self, kind: &str) -> Value {
        self.told("event", |params| params["event"] == kind)
    }

    /// A line that is no request of ours.
    pub fn say(&mut self, line: &str) {
        self.process.say(line);
    }

    /// Waits for any object.
    #[track_caller]
    pub fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.came.iter().position(&is_it) {
            return self.came.remove(at);
        }
        loop {
            let line = self.process.expect(what, |_| true);
            let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if is_it(&said) {
                return said;
            }
            self.came.push(said);
        }
    }

    /// What came and was not waited for.
    pub fn heard(&self) -> &[Value] {
        &self.came
    }

    /// Ends the input; the program ends by itself when all is answered.
    pub fn finish(self) {
        self.process.finish().succeeded();
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill();
    }
}
