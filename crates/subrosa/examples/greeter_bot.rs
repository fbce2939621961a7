//! Greets who writes to it for the first time since it runs. Usage: `greeter_bot PROFILE [PROGRAM]`

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let home = arguments.next().ok_or("which profile?")?;
    let program = arguments.next().unwrap_or_else(|| "subrosa".to_owned());
    let (input, output) = (Stdio::piped(), Stdio::piped());
    let mut rpc = Command::new(program).args(["--home", &home, "rpc"]).stdin(input).stdout(output).spawn()?;
    let mut requests = rpc.stdin.take().ok_or("no input")?;
    let mut ask = |id: u32, method: &str, params: Value| {
        writeln!(requests, "{}", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    };
    ask(1, "subscribe", json!({}))?;
    let mut greeted = HashSet::new();
    for line in BufReader::new(rpc.stdout.take().ok_or("no output")?).lines() {
        let said: Value = serde_json::from_str(&line?)?;
        match (&said["error"], said["params"]["event"].as_str()) {
            (Value::Object(error), _) => eprintln!("{}", error["message"]),
            (_, Some("invite")) => ask(2, "accept", json!({"id": said["params"]["id"]}))?,
            (_, Some("message")) if said["params"]["own"] == false && greeted.insert(said["params"]["from"].clone()) => {
                let text = format!("hello, {}", said["params"]["from"].as_str().unwrap_or_default());
                ask(3, "send", json!({"to": said["params"]["chat"], "text": text}))?;
            }
            _ => {}
        }
    }
    Ok(())
}
