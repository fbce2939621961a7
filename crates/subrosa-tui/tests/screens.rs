//! The main screens, cell by cell, against files that a person has looked at (`tests/screens`). Written anew with
//! `SUBROSA_WRITE_SCREENS=1`.

mod stage;

use crossterm::event::{KeyCode, KeyModifiers};
use stage::{Stage, compare};

#[test]
fn a_group_at_80_columns() {
    let stage = Stage::in_the_garden(80, 24);
    compare("group-80", &stage.text());
}

#[test]
fn a_group_at_120_columns_with_its_members() {
    let stage = Stage::in_the_garden(120, 40);
    compare("group-120", &stage.text());
}

#[test]
fn colours_of_the_group_in_each_theme() {
    let mut stage = Stage::in_the_garden(80, 24);
    for theme in ["terminal", "dark", "light", "plain"] {
        stage.enter(&format!("/theme {theme}"));
        stage.state.said = None;
        compare(&format!("colours-{theme}"), &stage.styles());
    }
}

#[test]
fn without_colour_everything_is_said_by_signs() {
    let stage = Stage::without_colour(80, 24);
    let styles = stage.styles();
    assert!(!styles.contains("fg=") && !styles.contains("bg="), "{styles}");
}

#[test]
fn persian_and_wide_characters_stay_in_their_columns() {
    let stage = Stage::with_many_scripts(80, 24);
    compare("scripts-80", &stage.text());
    let stage = Stage::with_many_scripts(120, 40);
    compare("scripts-120", &stage.text());
}

#[test]
fn the_first_run() {
    let mut stage = Stage::new(80, 24);
    stage.no_account();
    compare("welcome", &stage.text());
    stage.press(KeyCode::Enter, KeyModifiers::NONE);
    stage.type_text("alice");
    compare("own-server", &stage.text());
}

#[test]
fn the_switcher_the_search_and_the_help() {
    let mut stage = Stage::in_the_garden(80, 24);
    stage.press(KeyCode::F(2), KeyModifiers::NONE);
    stage.type_text("ro");
    compare("switcher", &stage.text());
    stage.press(KeyCode::Esc, KeyModifiers::NONE);
    stage.search("tomatoes");
    compare("search", &stage.text());
    stage.press(KeyCode::Esc, KeyModifiers::NONE);
    stage.press(KeyCode::F(1), KeyModifiers::NONE);
    compare("help", &stage.text());
}

#[test]
fn tables_forms_and_questions() {
    let mut stage = Stage::in_the_garden(80, 24);
    stage.invitations();
    compare("invitations", &stage.text());
    stage.press(KeyCode::Esc, KeyModifiers::NONE);
    stage.roles();
    compare("roles", &stage.text());
    stage.press(KeyCode::Char('r'), KeyModifiers::NONE);
    compare("change-role", &stage.text());
    stage.press(KeyCode::Esc, KeyModifiers::NONE);
    stage.press(KeyCode::Esc, KeyModifiers::NONE);
    stage.paste("one\ntwo\nthree\nfour\nfive");
    compare("paste", &stage.text());
}

#[test]
fn the_safety_number_and_its_code_fit_24_rows() {
    let mut stage = Stage::in_the_garden(80, 24);
    stage.safety_number();
    compare("verify", &stage.text());
    stage.press(KeyCode::Char('q'), KeyModifiers::NONE);
    compare("verify-code", &stage.text());
}

#[test]
fn a_room() {
    let mut stage = Stage::new(80, 24);
    stage.no_account();
    stage.in_a_room();
    compare("room", &stage.text());
}

#[test]
fn no_screen_is_too_small_and_nothing_is_outside_of_it() {
    for (width, height) in [(1, 1), (19, 5), (20, 6), (30, 8), (52, 12), (79, 24), (200, 60), (400, 3)] {
        let mut stage = Stage::in_the_garden(width, height);
        for key in
            [KeyCode::F(1), KeyCode::Esc, KeyCode::F(2), KeyCode::Esc, KeyCode::F(4), KeyCode::PageUp, KeyCode::Esc]
        {
            stage.press(key, KeyModifiers::NONE);
            assert_eq!(stage.text().lines().count(), usize::from(height), "{width}×{height}");
        }
        stage.paste("one\ntwo\nthree\nfour\nfive");
        stage.text();
    }
}

#[test]
fn nobody_elses_text_commands_the_terminal() {
    let mut stage = Stage::in_the_garden(80, 24);
    stage.hostile();
    let text = stage.text();
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c)), "{text:?}");
    let bytes = String::from_utf8(stage.bytes()).unwrap();
    assert!(!bytes.contains("\x1b]0;") && !bytes.contains("owned\x07"), "{bytes:?}");
}
