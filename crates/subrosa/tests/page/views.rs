//! Every main view, light and dark, in both writing directions, wide and narrow: drawn as a picture into
//! `target/screenshots`, looked through for violations of the accessibility guidelines, and for words that run out of
//! the window.
//!
//! The audit is axe-core's, whole, with the rule for the size of targets, which it leaves out otherwise. The pictures of the
//! documents are chosen from these (`cargo xtask pictures`).

use std::fs;
use std::path::{Path, PathBuf};

use browser::{Browser, Tab, View};
use serde_json::json;

use crate::browser;
use crate::harness::{Profile, Server};
use crate::person::Person;

/// Audits that a page has to settle.
const SETTLING: usize = 5;
/// The audit's program, as it was published; see `vendor/README.md`.
const AXE: &str = include_str!("vendor/axe.js");

const WIDE: (u32, u32) = (1280, 800);
const NARROW: (u32, u32) = (390, 844);
/// As wide as half of a wide window, which is what a zoom of 200 % leaves, and the narrowest that must do.
const TIGHT: [(u32, u32); 2] = [(640, 400), (320, 640)];

/// Who is in the pictures, and what they say.
struct Cast {
    language: &'static str,
    direction: &'static str,
    people: [&'static str; 4],
    group: &'static str,
    private: [&'static str; 5],
    talk: [(usize, &'static str); 6],
    unread: &'static str,
    word: &'static str,
}

const ENGLISH: Cast = Cast {
    language: "en",
    direction: "ltr",
    people: ["ada", "emil", "noor", "tomas"],
    group: "Harbour festival",
    private: [
        "The posters are back from the printer.",
        "Do they look as good as on the screen?",
        "Better. The blue came out like the evening we chose it on. 🌊",
        "Then I bring the ladder tomorrow, and you bring the tape?",
        "Tape, string, and a thermos. See you at nine by the old crane.",
    ],
    talk: [
        (1, "Who has the list of the boats?"),
        (2, "I have it: eleven sail, three steam, and the rowing club comes with both eights."),
        (0, "Wonderful. The permit for the pier came today, until midnight."),
        (1, "@ada what about the lights on the breakwater?"),
        (0, "Noor asked the harbour master. We may, if we take them down on Monday."),
        (2, "Plan and times are here: https://example.org/harbour"),
    ],
    unread: "I am at the bakery, does anybody want something?",
    word: "posters",
};

const PERSIAN: Cast = Cast {
    language: "fa",
    direction: "rtl",
    people: ["آذر", "بهرام", "نیلوفر", "کیان"],
    group: "جشن بندرگاه",
    private: [
        "پوسترها از چاپخانه رسیدند.",
        "به خوبیِ روی صفحه شده‌اند؟",
        "بهتر. آبی‌اش درست مثل همان غروبی شده که انتخابش کردیم. 🌊",
        "پس فردا من نردبان می‌آورم و تو چسب؟",
        "چسب، نخ و یک فلاسک چای. ساعت نه کنار جرثقیل قدیمی.",
    ],
    talk: [
        (1, "فهرست قایق‌ها دست کیست؟"),
        (2, "دست من است: یازده بادبانی، سه بخار، و باشگاه قایقرانی هم با هر دو قایق هشت‌نفره می‌آید."),
        (0, "عالی. مجوز اسکله هم امروز رسید، تا نیمه‌شب."),
        (1, "@آذر چراغ‌های موج‌شکن چه شد؟"),
        (0, "نیلوفر از رئیس بندر پرسید. می‌شود، اگر دوشنبه جمعشان کنیم."),
        (2, "برنامه و ساعت‌ها اینجاست: https://example.org/harbour"),
    ],
    unread: "من نانوایی هستم، کسی چیزی می‌خواهد؟",
    word: "پوسترها",
};

/// A story of a few days in a server's log: what the pictures show.
fn set_up(server: &Server, cast: &Cast) -> [Profile; 4] {
    let people = server.people(cast.people);
    let [first, second, third, fourth] = &people;
    let chat = |person: &Profile| format!("@{}", person.name());
    for (number, text) in cast.private.iter().enumerate() {
        let (from, to) = if number % 2 == 0 { (second, first) } else { (first, second) };
        if number == 1 {
            first.ok(&["accept", &chat(second)]);
        }
        from.send(&chat(to), text);
    }
    let group = format!("#{}", cast.group);
    first.ok(&["role", "set", second.name(), "admin"]);
    first.ok(&["role", "set", third.name(), "advanced"]);
    first.ok(&["group", "create", cast.group, &chat(second), &chat(third)]);
    for member in [second, third] {
        member.ok(&["accept", &group]);
    }
    for (speaker, text) in cast.talk {
        people[speaker].send(&group, text);
        people[0].wait_for(&group, &format!("{}: {text}", people[speaker].name()));
    }
    first.ok(&["invite-link", "create", "--uses", "5"]);
    third.send(&chat(first), cast.unread);
    first.ok(&["accept", &chat(third)]);
    fourth.send(&chat(first), cast.unread);
    first.ok(&["verify", &chat(second), "--confirm"]);
    first.ok(&["reload"]);
    people
}

/// How a picture's view is reached. Without words, for they are another language's the next time.
type Way = fn(&Person, &Cast);

/// The main views: what the picture is called, and how to get there.
const VIEWS: [(&str, Way); 20] = [
    ("home", |person, _| to(person, "")),
    ("chat", |person, cast| {
        chat(person, &format!("@{}", cast.people[1]));
        person.shows(cast.private[4].split('.').next().unwrap_or_default());
    }),
    ("group", |person, cast| {
        chat(person, &format!("#{}", cast.group));
        details(person);
    }),
    ("emoji", |person, cast| {
        chat(person, &format!("@{}", cast.people[1]));
        person.select(".composer button").nth(0).click();
    }),
    ("requests", |person, _| {
        to(person, "requests");
        person.select("[data-invite]").wait();
    }),
    ("people", |person, _| {
        to(person, "people");
        person.select("[data-role-of]").nth(0).wait();
    }),
    ("roles", |person, _| to(person, "people/may")),
    ("role-log", |person, _| {
        to(person, "people/log");
        person.select("ol.log li").nth(4).wait();
    }),
    ("invitations", |person, _| {
        to(person, "people/links");
        person.select("ul.cards li").wait();
    }),
    ("search", |person, cast| {
        to(person, "search");
        person.select("main input[type=search]").fill(cast.word);
        person.select(".found li").nth(0).wait();
    }),
    ("rooms", |person, _| to(person, "rooms")),
    ("room", |person, _| {
        to(person, "rooms");
        person.select("main form button[type=submit]").click();
        person.composer().wait();
        person.say("🎣");
    }),
    ("links", |person, _| to(person, "links")),
    ("ticket", |person, _| {
        to(person, "links");
        person.select("main form").nth(0).select("summary").click();
        person.select("main form").nth(0).select("select").nth(0).choose("tcp");
        person.select("main form").nth(0).select("button[type=submit]").click();
        person.select(".ticket svg").nth(0).wait();
    }),
    ("settings", |person, _| to(person, "settings")),
    ("devices", |person, _| {
        to(person, "settings/devices");
        person.select("ul.cards li").wait();
    }),
    ("account", |person, _| to(person, "settings/account")),
    ("verify", |person, cast| {
        chat(person, &format!("@{}", cast.people[2]));
        details(person);
        person.select(".details section.box button").click();
        person.select("dialog .words").wait();
    }),
    ("switcher", |person, _| {
        to(person, "");
        person.press("Control+k");
        person.select("dialog [role=option]").nth(2).wait();
    }),
    ("shortcuts", |person, _| {
        to(person, "people");
        person.evaluate("void document.activeElement.blur()");
        person.press("?");
        person.select("dialog kbd").nth(0).wait();
    }),
];

#[track_caller]
fn to(person: &Person, view: &str) {
    person.go(view);
    person.select("main h1").wait();
}

#[track_caller]
fn chat(person: &Person, chat: &str) {
    let address = json!(chat).to_string();
    person.evaluate(&format!("void (location.hash = '#/chat/' + encodeURIComponent({address}))"));
    person.select(&format!("main [data-chat={address}]")).wait();
    person.select("[data-message]").nth(0).wait();
}

/// Opens the right column.
#[track_caller]
fn details(person: &Person) {
    if person.select("section.right").count() == 0 {
        person.select(".head-tools button[aria-pressed]").nth(1).click();
    }
    person.select(".right h1, .right h2").nth(0).wait();
}

/// Leaves what lies over the page.
fn close(person: &Person) {
    person.press("Escape");
    person.select("dialog").gone();
    if person.select("section.right").count() == 1 {
        person.select("section.right header button").click();
        person.select("section.right").gone();
    }
    person.go("");
}

/// Where the pictures go: `screenshots` in cargo's build folder.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a build folder").join("screenshots");
    fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

/// What the audit finds, one line each.
fn audit(tab: &Tab) -> Vec<String> {
    if tab.evaluate("typeof axe") == "undefined" {
        tab.evaluate(&format!("{AXE};void 0"));
    }
    let found = tab.evaluate(
        r#"axe.run(document, { preload: false, resultTypes: ["violations"], rules: { "target-size": { enabled: true } } })
            .then(({ violations }) => violations.flatMap(({ id, help, nodes }) => nodes.map((node) =>
                `${id}: ${help}: ${node.html.slice(0, 200)} (${node.any.concat(node.all).map((one) => one.message).join("; ")})`)))"#,
    );
    found.as_array().into_iter().flatten().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
}

/// The same, when the page has settled: what is off the screen may have the colours of the picture before for a few frames.
fn settled_audit(tab: &Tab) -> Vec<String> {
    for _ in 0..SETTLING {
        let found = audit(tab);
        if found.is_empty() {
            return found;
        }
        tab.frame();
    }
    audit(tab)
}

/// What is wider than the window, one line each.
fn overflow(tab: &Tab) -> Vec<String> {
    let found = tab.evaluate(
        r#"(() => {
            if (document.documentElement.scrollWidth <= innerWidth) return [];
            return [...document.querySelectorAll("body *")]
                .filter((one) => { const box = one.getBoundingClientRect(); return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1); })
                .slice(0, 5).map((one) => `wider than the window: ${one.outerHTML.slice(0, 160)}`);
        })()"#,
    );
    found.as_array().into_iter().flatten().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
}

/// Draws and audits what the page shows now.
fn look(tab: &Tab, name: &str, cast: &Cast, violations: &mut Vec<String>) {
    for ((width, height), size) in [(WIDE, "wide"), (NARROW, "narrow")] {
        for (dark, colours) in [(false, "light"), (true, "dark")] {
            tab.look(View { width, height, dark, reduced_motion: true });
            tab.frame();
            let name = format!("{name}-{size}-{colours}-{}", cast.direction);
            fs::write(pictures().join(format!("{name}.png")), tab.picture()).expect("a picture");
            let found = settled_audit(tab).into_iter().chain(overflow(tab));
            violations.extend(found.map(|line| format!("{name}: {line}")));
        }
    }
    for (width, height) in TIGHT {
        tab.look(View { width, height, dark: false, reduced_motion: true });
        tab.frame();
        violations.extend(overflow(tab).into_iter().map(|line| format!("{name} at {width}×{height}: {line}")));
    }
    let (width, height) = WIDE;
    tab.look(View { width, height, dark: false, reduced_motion: true });
}

fn every_view(browser: &Browser, cast: &Cast) {
    let server = Server::start();
    let [first, ..] = set_up(&server, cast);
    let mut violations = Vec::new();

    let newcomer = Person::open(browser, server.profile("newcomer"));
    newcomer.select(".way-button").nth(1).wait();
    let radio = format!("input[type=radio][value={}]", cast.language);
    newcomer.select("label").nth(0).wait();
    newcomer.evaluate(&format!("document.querySelector({}).click()", json!(radio)));
    newcomer
        .until("the direction", |tab| (tab.evaluate("document.documentElement.dir") == cast.direction).then_some(()));
    look(&newcomer, "first-run", cast, &mut violations);
    newcomer.select(".way-button").nth(0).click();
    newcomer.select("form input").nth(0).wait();
    look(&newcomer, "sign-up", cast, &mut violations);
    drop(newcomer);

    let client = crate::person::Client::start(&first);
    client.rpc().ask("set_setting", json!({ "name": "language", "value": cast.language }));
    drop(client);
    let person = Person::open(browser, first);
    person.select("nav.chat-lists a").nth(0).wait();
    person.until("the direction", |tab| (tab.evaluate("document.documentElement.dir") == cast.direction).then_some(()));
    for (name, way) in VIEWS {
        way(&person, cast);
        look(&person, name, cast, &mut violations);
        close(&person);
    }
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn every_view_is_accessible_and_drawn_left_to_right() {
    let Some(browser) = browser() else { return };
    every_view(&browser, &ENGLISH);
}

#[test]
fn every_view_is_accessible_and_drawn_right_to_left() {
    let Some(browser) = browser() else { return };
    every_view(&browser, &PERSIAN);
}
