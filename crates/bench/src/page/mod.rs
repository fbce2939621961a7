//! What the web page feels like in a long chat: `bench page`.
//!
//! 1. A server and two people start as the real program; they exchange a few messages, and one profile is filled up to
//!    so many ([`fill`]).
//! 2. A Chromium opens the page of that profile.
//! 3. *Open*: from the click on the chat to the frame that shows its last message, again and again from another chat.
//! 4. *Scroll*: the wheel turns up through the chat; the time between frames.
//! 5. *Flood*: messages come at 200 a second, given to the page's own connection as events; the time between frames, and
//!    how long a typed letter needs to the screen.
//!
//! Every figure is of this machine and this browser without a graphics card; the time between frames includes the browser's
//! own work. A frame is due every 16.7 ms.

mod fill;
mod people;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use browser::{Browser, Name, Tab};
use clap::Args;
use serde_json::{Value, json};

use crate::machine;
use people::{Running, Subrosa};

/// Texts to copy: lengths as people write them.
const SAMPLES: usize = 40;
const PASSWORD: &str = "nine slow ferries past the lighthouse";

/// `bench page`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Messages in the long chat
    #[arg(long, default_value_t = 100_000)]
    messages: u64,
    /// How often the chat is opened
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Messages a second in the flood
    #[arg(long, default_value_t = 200)]
    flood: u32,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Keeps the page's connection, and the id of the long chat, where the flood finds them.
const CATCH_SOCKET: &str = r#"(() => {
    const Real = window.WebSocket;
    window.WebSocket = class extends Real {
        constructor(...given) {
            super(...given);
            window.__socket = this;
            this.addEventListener("message", ({ data }) => {
                const { result } = JSON.parse(data);
                for (const row of result?.chats ?? []) if (row.chat === "@bob") window.__conversation = row.conversation;
            });
        }
    };
})()"#;

/// Collects the times between frames until `window.__frames()` is called.
const COUNT_FRAMES: &str = r"(() => {
    const gaps = [];
    let last = performance.now(), going = true;
    const next = (now) => { gaps.push(now - last); last = now; if (going) requestAnimationFrame(next); };
    requestAnimationFrame((now) => { last = now; requestAnimationFrame(next); });
    window.__frames = () => { going = false; return gaps; };
})()";

/// Measures, and prints.
///
/// # Errors
/// When something does not start or does not come.
pub fn run(arguments: &Arguments, folder: &std::path::Path) -> Result<()> {
    let Some(browser) = Browser::start() else { bail!("there is no Chromium on this system (package chromium)") };
    let subrosa = Subrosa::beside()?;
    let [alice, bob] = ["alice", "bob"].map(|name| folder.join(name));
    let data = folder.join("server").display().to_string();
    let server = subrosa.start(folder, &["serve", "--listen", "127.0.0.1:0", "--json", "--data", &data])?;
    let link = server.first["link"].as_str().context("the server has no link")?;
    for (home, name) in [(&alice, "alice"), (&bob, "bob")] {
        let sign_up = ["signup", "-s", link, "-u", name, "--password-stdin"];
        subrosa.run(home, &sign_up, &format!("{PASSWORD}\n"))?;
    }
    subrosa.run(&alice, &["group", "create", "elsewhere"], "")?;
    subrosa.run(&alice, &["send", "#elsewhere", "a short chat to come from"], "")?;
    subrosa.run(&alice, &["send", "@bob", "here is a long chat"], "")?;
    subrosa.run(&bob, &["accept", "@alice"], "")?;
    let texts: String = (0..SAMPLES).map(|number| sample(number) + "\n").collect();
    subrosa.run(&bob, &["chat", "@alice"], &texts)?;
    subrosa.run(&alice, &["reload"], "")?;
    let begin = Instant::now();
    let copied = fill::fill(&alice, arguments.messages)?;
    eprintln!("  {copied} messages written up to {} in {:.1} s", arguments.messages, begin.elapsed().as_secs_f64());

    let web = subrosa.start(&alice, &["web", "--no-open", "--port", "0", "--json"])?;
    let figures = in_browser(arguments, &browser, &web)?;
    if arguments.json {
        println!("{}", json!({ "v": 1, "machine": machine::description(), "figures": figures }));
    } else {
        println!("{}, {} messages", machine::description(), arguments.messages);
        for (name, unit, value) in figures {
            println!("{name:<44} {value:>9.1} {unit}");
        }
    }
    Ok(())
}

/// A name, a unit and a value.
type Figure = (&'static str, &'static str, f64);

fn in_browser(arguments: &Arguments, browser: &Browser, web: &Running) -> Result<Vec<Figure>> {
    let url = web.first["url"].as_str().context("the page has no address")?;
    let tab = browser.tab();
    tab.before_each_page(CATCH_SOCKET);
    tab.open(url);
    let (long, short) = (json!("@bob").to_string(), json!("#elsewhere").to_string());
    let go = |chat: &str| format!("location.hash = '#/chat/' + encodeURIComponent({chat})");
    let shown = |chat: &str| {
        format!(
            "[...document.querySelectorAll('[data-chat=' + CSS.escape({chat}) + '] [data-message]')].some((row) => {{
                const box = row.getBoundingClientRect(); return box.height > 0 && box.bottom > 0 && box.top < innerHeight;
            }})"
        )
    };
    tab.find("navigation", Name::Any).nth(0).wait();
    let mut opened = Vec::new();
    for _ in 0..arguments.rounds {
        tab.evaluate(&go(&short));
        tab.time_until("", &shown(&short)).map_err(anyhow::Error::msg)?;
        tab.frame();
        let took = tab.time_until(&go(&long), &shown(&long)).map_err(anyhow::Error::msg)?;
        opened.push(took.as_secs_f64() * 1000.0);
    }
    let mut figures = vec![
        ("open the long chat, median", "ms", quantile(&mut opened, 0.5)),
        ("open the long chat, slowest", "ms", quantile(&mut opened, 1.0)),
    ];

    let mut gaps = while_counting(&tab, || {
        for _ in 0..120 {
            tab.wheel(-480.0);
        }
        Ok(())
    })?;
    figures.extend([
        ("scroll: time between frames, 99th percentile", "ms", quantile(&mut gaps, 0.99)),
        ("scroll: longest time between frames", "ms", quantile(&mut gaps, 1.0)),
    ]);
    let rows = tab.evaluate("document.querySelectorAll('[data-message]').length").as_f64().unwrap_or_default();
    figures.push(("messages in the document", "", rows));

    tab.evaluate(&go(&short));
    tab.time_until("", &shown(&short)).map_err(anyhow::Error::msg)?;
    tab.evaluate(&go(&long));
    tab.time_until("", &shown(&long)).map_err(anyhow::Error::msg)?;
    let mut keys = Vec::new();
    let field = tab.select("textarea");
    field.focus();
    let mut gaps = while_counting(&tab, || {
        tab.evaluate(&flood(arguments.flood));
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            let begin = Instant::now();
            tab.press("a");
            tab.frame();
            keys.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(())
    })?;
    let given = tab.evaluate("window.__flooded()").as_f64().unwrap_or_default();
    let last = format!("document.body.innerText.includes('flood number {}')", given - 1.0);
    tab.time_until("", &last).map_err(anyhow::Error::msg).context("the last message of the flood is not shown")?;
    figures.extend([
        ("flood: messages a second", "1/s", given / 5.0),
        ("flood: time between frames, 99th percentile", "ms", quantile(&mut gaps, 0.99)),
        ("flood: longest time between frames", "ms", quantile(&mut gaps, 1.0)),
        ("flood: from a key to the frame after it, median", "ms", quantile(&mut keys, 0.5)),
        ("flood: from a key to the frame after it, slowest", "ms", quantile(&mut keys, 1.0)),
    ]);
    // Reading marks of messages that only the page knows are refused; nothing else may go wrong.
    let faults = tab.take_faults();
    ensure!(faults.is_empty(), "faults of the page: {faults:?}");
    Ok(figures)
}

/// Times between frames, in milliseconds, while something goes on.
fn while_counting(tab: &Tab, mut act: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    tab.evaluate(&format!("void {COUNT_FRAMES}"));
    act()?;
    let gaps = tab.evaluate("window.__frames()");
    let gaps: Vec<f64> = gaps.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    ensure!(!gaps.is_empty(), "no frame was drawn");
    Ok(gaps)
}

/// Gives the page's connection so many events a second, until `window.__flooded()` asks how many there were.
fn flood(a_second: u32) -> String {
    format!(
        "void (() => {{
            const template = {{ chat: '@bob', from: 'bob', own: false, via: 'server', verified: false, unread: true,
                pending: false, delivered: false, mention: false }};
            const letters = (number) => [...number.toString(8).padStart(25, '0')].map((digit) => 'abcdefgh'[digit]).join('');
            const begin = performance.now();
            let given = 0;
            const timer = setInterval(() => {{
                const due = Math.floor((performance.now() - begin) * {a_second} / 1000);
                for (; given < due; given += 1) {{
                    const now = Date.now();
                    const id = letters(given) + 'a';
                    const message = {{ event: 'message', cursor: 1e9 + given, ...template, id,
                        conversation: window.__conversation, text: `flood number ${{given}}`, sent_at: now,
                        received_at: now }};
                    const data = JSON.stringify({{ jsonrpc: '2.0', method: 'event', params: message }});
                    window.__socket.dispatchEvent(new MessageEvent('message', {{ data }}));
                }}
            }}, 5);
            window.__flooded = () => {{ clearInterval(timer); return given; }};
        }})()"
    )
}

/// The value below which this part of them lies.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    // A place in a list: no sign, and far below the limits of a float.
    let place = (last as f64 * part).ceil() as usize;
    values.get(place).copied().unwrap_or_default()
}

/// A text as people write it: mostly short, sometimes long, sometimes of several words in another script.
fn sample(number: usize) -> String {
    let words = ["the", "heron", "stands", "at", "noon", "where", "ferries", "pass", "slowly", "سلام", "دوست", "👍"];
    let length = [3, 5, 8, 4, 12, 6, 30, 2, 9, 60][number % 10];
    let text: Vec<&str> = (0..length).map(|word| words[(word * 7 + number * 3) % words.len()]).collect();
    format!("{} ({number})", text.join(" "))
}
