//! A state with an engine that a test plays.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use subrosa_client::Notice;
use subrosa_client::api::{
    ChatKind, ChatRow, Command, Event, Failure, Found, History, InviteKind, InviteRow, MemberRow, MessageRow, Overview,
    Reply, RoleRow, Status, Told, Via, WhoAmI,
};
use subrosa_client::room::{Guest, Notice as RoomNotice, RoomEvent};
use subrosa_tui::shell::screen::Screen;
use subrosa_tui::state::State;
use subrosa_tui::state::effect::{Ask, Effect, Input, Outside, RoomInput};
use subrosa_tui::{update, view};
use subrosa_types::{ConversationId, DeviceId, IdempotencyKey, MessageId, Role, Timestamp};

/// 2026-11-21 09:22 UTC.
pub const NOW: Timestamp = Timestamp(1_795_252_951_120);

pub fn garden() -> ConversationId {
    ConversationId::from_bytes([2; 16])
}

/// A message in the garden, some minutes before now.
pub fn message(number: u32, minutes_ago: i64, from: &str, text: &str) -> MessageRow {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    let at = NOW.plus_millis(-minutes_ago * 60_000);
    MessageRow {
        id: MessageId::from_bytes(id),
        chat: "#garden".into(),
        conversation: garden(),
        from: from.into(),
        own: from == "alice",
        text: text.into(),
        sent_at: at,
        received_at: at,
        via: Via::Server,
        verified: false,
        unread: false,
        pending: false,
        delivered: false,
    }
}

fn chat(title: &str, number: u8, unread: u32, mentions: u32, last: i64) -> ChatRow {
    ChatRow {
        chat: title.into(),
        conversation: ConversationId::from_bytes([number; 16]),
        kind: if title.starts_with('#') { ChatKind::Group } else { ChatKind::Private },
        unread,
        last: Some(NOW.plus_millis(last)),
        blocked: None,
        mentions,
        draft: String::new(),
        preview: None,
    }
}

fn role(name: &str, role: Role) -> RoleRow {
    RoleRow { name: name.into(), role }
}

/// See the module.
pub struct Stage {
    pub state: State,
    /// What is to be done, and was not taken yet.
    pub effects: Vec<Effect>,
    ids: u8,
}

impl Stage {
    pub fn new(width: u16, height: u16) -> Self {
        let state = State::new((width, height), NOW, TimeZone::UTC, true, true);
        Self { state, effects: Vec::new(), ids: 100 }
    }

    pub fn input(&mut self, input: Input) {
        self.ids += 1;
        let outside = Outside { now: NOW, fresh: IdempotencyKey::from_bytes([self.ids; 16]) };
        let effects = update(&mut self.state, outside, input);
        self.effects.extend(effects);
    }

    pub fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.input(Input::Key(KeyEvent::new(code, modifiers)));
    }

    pub fn type_text(&mut self, text: &str) {
        text.chars().for_each(|c| self.press(KeyCode::Char(c), KeyModifiers::NONE));
    }

    pub fn enter(&mut self, line: &str) {
        self.type_text(line);
        self.press(KeyCode::Enter, KeyModifiers::NONE);
    }

    pub fn paste(&mut self, text: &str) {
        self.input(Input::Paste(text.into()));
    }

    pub fn event(&mut self, event: Event) {
        self.input(Input::Notice(Box::new(Notice::Event(Box::new(Told { cursor: None, event })))));
    }

    pub fn no_account(&mut self) {
        self.input(Input::NotOpened(None));
    }

    /// The commands that were asked of the engine since the last look.
    pub fn asked(&mut self) -> Vec<(Ask, Command)> {
        let effects = std::mem::take(&mut self.effects);
        effects
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Call(ask, command) => Some((ask, *command)),
                _ => None,
            })
            .collect()
    }

    /// Answers whatever was asked with what `answer` says; what it says nothing to stays unanswered.
    pub fn answer(&mut self, answer: impl Fn(&Command) -> Option<Result<Reply, Failure>>) {
        for (ask, command) in self.asked() {
            if let Some(result) = answer(&command) {
                self.input(Input::Answered(ask, Box::new(result)));
            }
        }
    }

    fn overview() -> Overview {
        Overview {
            who: WhoAmI {
                name: "alice".into(),
                role: Role::SuperAdmin,
                server: format!("subrosa://127.0.0.1:5535/{}", "a".repeat(52)),
                device: DeviceId::from_bytes([9; 16]),
            },
            status: Status { enrolled: true, online: true, reason: String::new(), queued: 0, dropped: 0 },
            chats: vec![
                chat("#garden", 2, 2, 1, -1),
                chat("@bob", 3, 0, 0, -2),
                chat("@carol", 4, 3, 0, -3),
                chat("#a very long title of a group", 5, 12, 2, -4),
                chat("#سبزیجات", 6, 0, 0, -5),
            ],
            invites: vec![InviteRow {
                id: "x".into(),
                answer: "#orchard".into(),
                kind: InviteKind::Group,
                chat: "#orchard".into(),
                from: "dave".into(),
            }],
            changed_keys: Vec::new(),
            cursor: 1,
        }
    }

    fn with_account(mut self, rows: Vec<MessageRow>) -> Self {
        self.input(Input::Opened);
        let history = History { rows, older: false, newer: false };
        for _ in 0..3 {
            self.answer(|command| {
                Some(Ok(match command {
                    Command::Overview => Reply::Overview(Self::overview()),
                    Command::Settings => Reply::Settings(BTreeMap::new()),
                    Command::RoleList => Reply::Roles(vec![
                        role("alice", Role::SuperAdmin),
                        role("bob", Role::Admin),
                        role("carol", Role::Advanced),
                        role("dave", Role::Beginner),
                    ]),
                    Command::GroupMembers { .. } => Reply::Members(
                        [("alice", Role::SuperAdmin), ("bob", Role::Admin), ("carol", Role::Advanced)]
                            .map(|(name, role)| MemberRow {
                                name: name.into(),
                                role,
                                verified: name == "bob",
                                devices: 1,
                            })
                            .into(),
                    ),
                    Command::History { .. } => Reply::History(history.clone()),
                    _ => Reply::Done,
                }))
            });
            // The first chat is the garden, which is the latest; the numbers on the list go on from there.
            self.press(KeyCode::Char('1'), KeyModifiers::ALT);
        }
        self
    }

    pub fn conversation() -> Vec<MessageRow> {
        let mut rows = vec![
            message(1, 1500, "bob", "Did you water the beds yesterday?"),
            message(2, 1498, "alice", "Yes. And I planted the rest of the beans."),
            message(
                3,
                190,
                "carol",
                "The tomatoes are ready! Come by whenever you like, there are far more than one family can eat in a week, and the zucchini does not stop either.",
            ),
            message(4, 189, "carol", "Recipe: https://example.org/tomatoes?serves=4 (the one from last year)."),
            message(5, 60, "bob", "I can bring\na basket\nand two crates."),
            message(6, 12, "bob", "@alice are you coming at six?"),
            message(7, 11, "carol", "I put the key under the third pot."),
        ];
        rows[1].delivered = true;
        for row in &mut rows[5..] {
            row.unread = true;
        }
        rows
    }

    pub fn in_the_garden(width: u16, height: u16) -> Self {
        let mut stage = Self::new(width, height).with_account(Self::conversation());
        let pending = MessageRow { pending: true, ..message(8, 0, "alice", "At six, yes.") };
        stage.event(Event::Message(pending));
        stage.type_text("and I bring bread");
        stage
    }

    pub fn without_colour(width: u16, height: u16) -> Self {
        let mut stage = Self::new(width, height);
        stage.state.coloured = false;
        stage.state.theme = subrosa_tui::theme::Theme::Plain;
        stage.with_account(Self::conversation())
    }

    pub fn with_many_scripts(width: u16, height: u16) -> Self {
        let rows = vec![
            message(
                1,
                50,
                "سارا",
                "سلام آلیس، حالا خوبی؟ می‌خواهم این را هم بنویسم که از هشتاد ستون بلندتر است و به سطر بعد می‌رسد.",
            ),
            message(2, 40, "bob", "日本語の文章はここで折り返されるはずです。とても長い行ですから、次の行に続きます。"),
            message(3, 30, "carol", "👩‍👩‍👧 family, ❤️ heart, 🇮🇷 flag, 1️⃣ keycap, e\u{301} accent, नमस्ते"),
            message(4, 20, "bob", "mixed: فارسی and English و دوباره فارسی"),
        ];
        Self::new(width, height).with_account(rows)
    }

    pub fn search(&mut self, words: &str) {
        self.press(KeyCode::Char('r'), KeyModifiers::CONTROL);
        self.enter(words);
        let rows = vec![Self::conversation()[3].clone(), Self::conversation()[2].clone()];
        self.answer(|command| match command {
            Command::Search { .. } => Some(Ok(Reply::Found(Found { rows: rows.clone(), more: false }))),
            _ => None,
        });
    }

    pub fn invitations(&mut self) {
        self.press(KeyCode::F(4), KeyModifiers::NONE);
        let mut rows = Self::overview().invites;
        rows.push(InviteRow {
            id: "y".into(),
            answer: "@erin".into(),
            kind: InviteKind::Request,
            chat: "@erin".into(),
            from: "erin".into(),
        });
        self.answer(|command| match command {
            Command::Invites => Some(Ok(Reply::Invites(rows.clone()))),
            _ => None,
        });
    }

    pub fn roles(&mut self) {
        self.enter("/roles");
        let rows = self.state.people.clone();
        self.answer(|command| match command {
            Command::RoleList => Some(Ok(Reply::Roles(rows.clone()))),
            _ => None,
        });
        self.press(KeyCode::Down, KeyModifiers::NONE);
        self.press(KeyCode::Down, KeyModifiers::NONE);
    }

    pub fn safety_number(&mut self) {
        self.enter("/verify @bob");
        self.answer(|command| match command {
            Command::Verify { .. } => Some(Ok(Reply::SafetyNumber {
                digits: ["12345"; 12].join(" "),
                words: ["cradle", "hawk", "win", "category", "reveal", "lens"].repeat(3).join(" "),
                uri: format!("subrosa-verify:1/{}", "abcdefghijklmnopqrstuvwxyz234567".repeat(4).split_at(103).0),
                verified: false,
                changed: false,
            })),
            _ => None,
        });
    }

    pub fn in_a_room(&mut self) {
        for _ in 0..3 {
            self.press(KeyCode::Down, KeyModifiers::NONE);
        }
        self.press(KeyCode::Enter, KeyModifiers::NONE);
        for _ in 0..3 {
            self.press(KeyCode::Enter, KeyModifiers::NONE);
        }
        let key = self.state.current.expect("the room is open");
        let guest = |name: &str| Guest { name: name.parse().expect("a name"), member: false };
        let at = NOW;
        for event in [
            RoomEvent::Admitted { me: guest("brave-otter"), inside: 1 },
            RoomEvent::Inside { others: vec![guest("calm-heron")], sequence: 1 },
            RoomEvent::Message { from: guest("calm-heron"), text: "Hello, otter.".into(), at, sequence: 2 },
        ] {
            self.input(Input::Room(key, RoomInput::Notice(Box::new(RoomNotice::Event(event)))));
        }
        self.enter("Hello, heron.");
        let sent = RoomEvent::Sent { number: 1, at, sequence: 3 };
        self.input(Input::Room(key, RoomInput::Notice(Box::new(RoomNotice::Event(sent)))));
    }

    pub fn hostile(&mut self) {
        let evil = "\u{1b}]0;owned\u{7}\u{202e}txt.exe\r\n\u{1b}[2J\u{9b}31m";
        for number in 0..3 {
            let mut row = message(50 + number, 0, evil, &format!("{evil}\n{evil} https://x.org/\u{1b}]8;;evil"));
            row.chat = "#garden".into();
            self.event(Event::Message(row));
        }
        self.event(Event::Renamed { chat: "#garden".into(), title: evil.into() });
        self.event(Event::Warning { code: "x".into(), message: evil.into() });
    }

    fn buffer(&self) -> (Buffer, view::Drawn) {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.state.size.0, self.state.size.1));
        let drawn = view::draw(&self.state, &mut buffer);
        (buffer, drawn)
    }

    /// What the terminal is sent for the first frame.
    pub fn bytes(&self) -> Vec<u8> {
        Screen::default().frame(&self.state).expect("memory can be written to")
    }

    /// The screen, line by line.
    pub fn text(&self) -> String {
        let (buffer, _) = self.buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut x = 0;
            while x < buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                x += u16::try_from(subrosa_tui::text::columns(symbol)).unwrap_or(1).max(1);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// How each run of cells looks.
    pub fn styles(&self) -> String {
        let (buffer, drawn) = self.buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let look = |x: u16| {
                let cell = &buffer[(x, y)];
                let mut look = String::new();
                if cell.fg != ratatui_core::style::Color::Reset {
                    let _ = write!(look, " fg={}", cell.fg);
                }
                if cell.bg != ratatui_core::style::Color::Reset {
                    let _ = write!(look, " bg={}", cell.bg);
                }
                if !cell.modifier.is_empty() {
                    let _ = write!(look, " {:?}", cell.modifier);
                }
                look
            };
            let mut begin = 0;
            while begin < buffer.area.width {
                let style = look(begin);
                let mut end = begin + 1;
                while end < buffer.area.width && look(end) == style {
                    end += 1;
                }
                let run: String = (begin..end).map(|x| buffer[(x, y)].symbol()).collect();
                if !run.trim().is_empty() || style.contains("bg=") || style.contains("REVERSED") {
                    let _ = writeln!(text, "{y:>2},{begin:<3}{:<50}{style}", format!("{:?}", run.trim_end()));
                }
                begin = end;
            }
        }
        let _ = writeln!(text, "cursor {:?}", drawn.cursor);
        for link in drawn.links {
            let _ = writeln!(text, "link {},{} {} columns: {}", link.y, link.x, link.columns, link.address);
        }
        text
    }
}

/// Compares with the file of this name.
#[track_caller]
pub fn compare(name: &str, screen: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(format!("{name}.txt"));
    if std::env::var_os("SUBROSA_WRITE_SCREENS").is_some() {
        std::fs::write(&path, screen).expect("the file can be written");
        return;
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == screen, "{name} looks different; it was\n{known}\nand is\n{screen}");
}
