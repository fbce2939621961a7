//! What keys, answers and events do, without a terminal and without an engine.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers};
use stage::{NOW, Stage, message};
use subrosa_client::api::{Command, Event, Failure, FailureCode, Place, Reply, SendState, SentRow, Target, Via};
use subrosa_tui::state::effect::{Ask, Effect, Input};
use subrosa_types::{IdempotencyKey, MessageId};

const NONE: KeyModifiers = KeyModifiers::NONE;
const ALT: KeyModifiers = KeyModifiers::ALT;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;

fn garden() -> Stage {
    let mut stage = Stage::in_the_garden(80, 24);
    // What was typed before.
    stage.press(KeyCode::Char('u'), CONTROL);
    stage.effects.clear();
    stage
}

fn sent(stage: &mut Stage) -> Vec<(Ask, String, IdempotencyKey)> {
    let sends = stage.asked().into_iter().filter_map(|(ask, command)| match command {
        Command::Send { text, id: Some(id), .. } => Some((ask, text, id)),
        _ => None,
    });
    sends.collect()
}

#[test]
fn a_message_stands_there_at_once_and_loses_its_sign_when_it_is_accepted() {
    let mut stage = garden();
    stage.enter("bread and wine");
    assert!(stage.text().contains("… bread and wine"), "{}", stage.text());
    let (ask, text, id) = sent(&mut stage).remove(0);
    assert_eq!(text, "bread and wine");
    let row = SentRow { id, state: SendState::Accepted, via: Via::Server };
    stage.input(Input::Answered(ask, Box::new(Ok(Reply::Sent(row)))));
    assert!(stage.text().contains("  bread and wine") && !stage.text().contains("… bread"), "{}", stage.text());
}

#[test]
fn what_failed_is_sent_again_under_the_same_id() {
    let mut stage = garden();
    stage.enter("bread");
    let (ask, _, id) = sent(&mut stage).remove(0);
    let failure = Failure::new(FailureCode::Policy, "not_a_member", "you are not a member any more");
    stage.input(Input::Answered(ask, Box::new(Err(failure))));
    assert!(stage.text().contains("not sent: you are not a member any more"), "{}", stage.text());
    stage.press(KeyCode::Char('r'), ALT);
    let again = sent(&mut stage);
    assert_eq!((again.len(), again[0].2), (1, id));
}

#[test]
fn what_is_kept_has_its_sign_until_the_event_comes() {
    let mut stage = garden();
    stage.enter("bread");
    let (ask, _, id) = sent(&mut stage).remove(0);
    let row = SentRow { id, state: SendState::Queued, via: Via::Server };
    stage.input(Input::Answered(ask, Box::new(Ok(Reply::Sent(row)))));
    assert!(stage.text().contains("○ bread"), "{}", stage.text());
    let mut row = message(0, 0, "alice", "bread");
    row.id = MessageId::from_bytes(*id.as_bytes());
    stage.event(Event::Message(row));
    assert!(!stage.text().contains("○ bread") && stage.text().matches("bread").count() == 1, "{}", stage.text());
}

#[test]
fn an_unknown_command_stays_in_the_composer_and_is_not_sent() {
    let mut stage = garden();
    stage.enter("/pasword hunter2");
    assert!(sent(&mut stage).is_empty());
    assert_eq!(stage.state.open().unwrap().composer.text(), "/pasword hunter2");
    assert!(stage.text().contains("nothing was sent"), "{}", stage.text());
}

#[test]
fn what_is_on_the_screen_is_marked_as_read_and_nothing_else() {
    let stage = Stage::in_the_garden(80, 24);
    let marked: Vec<MessageId> = stage
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Call(_, command) => match &**command {
                Command::MarkRead { messages } => Some(messages.clone()),
                _ => None,
            },
            _ => None,
        })
        .flatten()
        .collect();
    let entry = stage.state.open().unwrap();
    assert_eq!((entry.unread, entry.mentions), (0, 0));
    assert!(marked.is_empty(), "they were marked when the window came, by the stage");
}

#[test]
fn nothing_is_marked_as_read_while_the_window_has_no_keyboard() {
    let mut stage = garden();
    stage.input(Input::Focus(false));
    let mut row = message(70, 0, "bob", "are you there, @alice?");
    row.unread = true;
    stage.event(Event::Message(row));
    assert!(
        !stage
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Call(_, command) if matches!(**command, Command::MarkRead { .. })))
    );
    assert!(
        stage.effects.iter().any(|effect| matches!(effect, Effect::Notify { title, .. } if title == "#garden @bob"))
    );
    let entry = stage.state.open().unwrap();
    assert_eq!((entry.unread, entry.mentions), (1, 1));
    assert!(stage.text().contains(" new "), "{}", stage.text());
    stage.input(Input::Focus(true));
    assert!(
        stage
            .asked()
            .iter()
            .any(|(_, command)| matches!(command, Command::MarkRead { messages } if messages.len() == 1))
    );
    assert_eq!(stage.state.open().unwrap().unread, 0);
}

#[test]
fn notifications_are_as_wanted() {
    for (wanted, text, told) in [
        ("all", "hello", true),
        ("mentions", "hello", false),
        ("mentions", "hello @alice!", true),
        ("none", "@alice", false),
    ] {
        let mut stage = garden();
        stage.enter(&format!("/notify {wanted}"));
        stage.input(Input::Focus(false));
        stage.effects.clear();
        let mut row = message(70, 0, "bob", text);
        row.unread = true;
        stage.event(Event::Message(row));
        let is_told = stage.effects.iter().any(|effect| matches!(effect, Effect::Notify { .. }));
        assert_eq!(is_told, told, "{wanted}: {text}");
    }
}

/// The group as commands name it: two may have one title, so by its id.
fn the_garden() -> Target {
    Target::Group(stage::garden().to_string())
}

#[test]
fn a_draft_is_kept_when_one_goes_elsewhere_and_is_there_again() {
    let mut stage = garden();
    stage.type_text("half a sent");
    stage.press(KeyCode::Right, ALT);
    let kept = stage.asked().into_iter().any(|(_, command)| {
        matches!(command, Command::SetDraft { chat, text } if chat == the_garden() && text == "half a sent")
    });
    assert!(kept);
    stage.press(KeyCode::Left, ALT);
    assert_eq!(stage.state.open().unwrap().composer.text(), "half a sent");
}

#[test]
fn alt_and_a_number_and_alt_a_go_where_they_should() {
    let mut stage = garden();
    stage.press(KeyCode::Char('2'), ALT);
    assert_eq!(stage.state.open().unwrap().title, "@bob");
    // First those that name us, then private chats.
    stage.press(KeyCode::Char('a'), ALT);
    assert_eq!(stage.state.open().unwrap().title, "#a very long title of a group");
    stage.press(KeyCode::Char('a'), ALT);
    assert_eq!(stage.state.open().unwrap().title, "@carol");
}

#[test]
fn tab_completes_names_and_commands() {
    let mut stage = garden();
    let typed = |stage: &Stage| stage.state.open().unwrap().composer.text().to_owned();
    stage.type_text("ca");
    stage.press(KeyCode::Tab, NONE);
    assert_eq!(typed(&stage), "@carol: ");
    stage.type_text("ask @da");
    stage.press(KeyCode::Tab, NONE);
    assert_eq!(typed(&stage), "@carol: ask @dave ");
    stage.press(KeyCode::Char('u'), CONTROL);
    stage.type_text("/ro");
    stage.press(KeyCode::Tab, NONE);
    assert_eq!(typed(&stage), "/roles ");
    stage.press(KeyCode::Tab, NONE);
    assert_eq!(typed(&stage), "/role ");
    stage.press(KeyCode::BackTab, NONE);
    assert_eq!(typed(&stage), "/roles ");
}

#[test]
fn control_k_kills_what_is_behind_the_cursor_and_else_opens_the_switcher() {
    let mut stage = garden();
    stage.type_text("one two");
    stage.press(KeyCode::Char('a'), CONTROL);
    stage.press(KeyCode::Char('k'), CONTROL);
    assert!(stage.state.open().unwrap().composer.is_empty() && stage.state.dialogs.is_empty());
    stage.press(KeyCode::Char('k'), CONTROL);
    assert_eq!(stage.state.dialogs.len(), 1);
    stage.type_text("@dave");
    stage.press(KeyCode::Enter, NONE);
    assert_eq!(stage.state.open().unwrap().title, "@dave");
}

#[test]
fn older_messages_are_read_when_one_comes_near_the_beginning() {
    let mut stage = garden();
    let key = stage.state.current.unwrap();
    stage.state.entry_mut(key).unwrap().timeline.older = true;
    stage.press(KeyCode::PageUp, NONE);
    let asked = stage.asked();
    let first = message(1, 0, "", "").id;
    assert!(
        asked
            .iter()
            .any(|(_, command)| matches!(command, Command::History { place: Place::Before(id), .. } if *id == first)),
        "{asked:?}"
    );
}

#[test]
fn many_pasted_lines_are_a_question_and_few_are_not() {
    let mut stage = garden();
    stage.paste("one\ntwo");
    assert_eq!(stage.state.open().unwrap().composer.text(), "one\ntwo");
    stage.press(KeyCode::Char('c'), CONTROL);
    stage.paste("1\n2\n3\n4\n5\n");
    assert!(sent(&mut stage).is_empty() && stage.state.dialogs.len() == 1);
    stage.press(KeyCode::Char('e'), NONE);
    assert_eq!(stage.state.open().unwrap().composer.text(), "1\n2\n3\n4\n5\n");
    stage.press(KeyCode::Char('c'), CONTROL);
    stage.paste("1\n2\n3\n4\n5\n");
    stage.press(KeyCode::Char('y'), NONE);
    let sent = sent(&mut stage);
    assert_eq!((sent.len(), sent[0].1.as_str()), (1, "1\n2\n3\n4\n5"));
}

#[test]
fn a_form_says_what_is_wrong_and_hides_the_password() {
    let mut stage = Stage::new(80, 24);
    stage.no_account();
    stage.press(KeyCode::Enter, NONE);
    for text in ["alice", "nine slow ferries", "nine slow boats"] {
        stage.type_text(text);
        stage.press(KeyCode::Enter, NONE);
    }
    assert!(stage.text().contains("the two passwords are not the same"), "{}", stage.text());
    assert!(!stage.text().contains("ferries"));
    assert!(stage.effects.iter().all(|effect| !matches!(effect, Effect::Enter(_))));
}

#[test]
fn leaving_a_group_is_asked_about_first() {
    let mut stage = garden();
    stage.enter("/leave");
    assert!(stage.asked().is_empty());
    stage.press(KeyCode::Char('y'), NONE);
    let asked = stage.asked();
    let group = the_garden();
    assert!(matches!(&asked[..], [(_, Command::GroupLeave { group: left })] if *left == group), "{asked:?}");
}

#[test]
fn a_person_named_within_a_word_is_not_named() {
    for (text, named) in
        [("@alice", true), ("hi @Alice!", true), ("@alice-liddell", false), ("mail@alice", false), ("@alicea", false)]
    {
        assert_eq!(subrosa_tui::update::mentions(text, "alice"), named, "{text}");
    }
    assert_eq!(NOW.0, 1_795_252_951_120);
}
