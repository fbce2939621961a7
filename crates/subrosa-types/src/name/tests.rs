use proptest::prelude::*;

use super::*;

fn username(text: &str) -> Result<Username, NameError> {
    text.parse()
}

fn title(text: &str) -> Result<GroupTitle, NameError> {
    text.parse()
}

#[test]
fn names_of_many_languages_are_usernames() {
    for name in
        ["alice", "bob_2", "a", "jean-luc", "علی", "زهرا۱۲", "علی‌رضا", "мария", "李小龍", "ひらがな", "josé", "שרה"]
    {
        assert_eq!(username(name).as_ref().map(Username::as_str), Ok(name), "{name}");
    }
}

#[test]
fn case_width_and_composition_do_not_make_another_username() {
    for other in ["Alice", "ALICE", "ａｌｉｃｅ"] {
        assert_eq!(username(other).unwrap().as_str(), "alice");
    }
    assert_eq!(username("jose\u{301}").unwrap(), username("josé").unwrap());
}

#[test]
fn a_username_that_could_deceive_is_refused_with_the_reason() {
    let unsafe_code = |code| Err(NameError::Unsafe { code });
    assert_eq!(username(""), Err(NameError::Empty));
    assert_eq!(username("  "), Err(NameError::Empty));
    assert_eq!(username("al ice"), Err(NameError::Space));
    assert_eq!(username("@alice"), Err(NameError::Start));
    assert_eq!(username("#alice"), Err(NameError::Start));
    assert_eq!(username(".alice"), Err(NameError::Start));
    assert_eq!(username("ali\u{1b}ce"), unsafe_code(0x1B));
    assert_eq!(username("alice\n"), unsafe_code(0x0A));
    assert_eq!(username("ali\u{202E}ce"), unsafe_code(0x202E));
    assert_eq!(username("ali\u{2066}ce"), unsafe_code(0x2066));
    assert_eq!(username("ali\u{200B}ce"), Err(NameError::Character));
    assert_eq!(username("ali\u{200C}ce"), Err(NameError::Character));
    assert_eq!(username("al\"ice"), Err(NameError::Character));
    assert_eq!(username("alice@example"), Err(NameError::Character));
    assert_eq!(username("alice☃"), Err(NameError::Character));
    // Cyrillic а in a Latin name.
    assert_eq!(username("\u{430}lice"), Err(NameError::MixedScripts));
    assert!(matches!(username("aliعلی"), Err(NameError::Direction | NameError::MixedScripts)));
    assert_eq!(username(&"a".repeat(33)), Err(NameError::TooLong { limit: 32 }));
    assert_eq!(username(&"ع".repeat(17)), Err(NameError::TooLong { limit: 32 }));
    assert_eq!(username(&"a".repeat(1 << 20)), Err(NameError::TooLong { limit: 32 }));
    assert!(username(&"a".repeat(32)).is_ok());
}

#[test]
fn names_that_look_the_same_have_one_skeleton() {
    let looks = |name: &str| username(name).unwrap().skeleton();
    for (one, other) in [
        ("bob", "b0b"),
        ("paul", "pau1"),
        ("modern", "modem"),
        ("рарау", "papay"), // all Cyrillic, all Latin
        ("علی‌رضا", "علیرضا"),
    ] {
        assert_eq!(looks(one), looks(other), "{one} {other}");
    }
    for (one, other) in [("alice", "bob"), ("user1", "user2"), ("علی", "رضا"), ("u10", "u11")] {
        assert_ne!(looks(one), looks(other), "{one} {other}");
    }
}

#[test]
fn a_title_is_free_text_on_one_line() {
    for text in ["Friends", "گروه ما", "Café №1 — plans!", "👨‍👩‍👧 family", "I ❤️ Rust", "می‌خواهم"]
    {
        assert_eq!(title(text).as_ref().map(GroupTitle::as_str), Ok(text), "{text}");
    }
    assert_eq!(title("  two \u{3000} words ").unwrap().as_str(), "two words");
    assert_eq!("日本語  の".parse::<DeviceName>().unwrap().as_str(), "日本語 の");
    assert_eq!("日本語 ¨".parse::<DeviceName>().unwrap().as_str(), "日本語 ¨");
}

#[test]
fn a_title_that_could_deceive_is_refused() {
    assert_eq!(title("#general"), Err(NameError::Sigil));
    assert_eq!(title(" @bob"), Err(NameError::Sigil));
    assert_eq!(title(""), Err(NameError::Empty));
    for text in [
        "a\u{1b}[31mb",
        "a\nb",
        "a\u{202E}b",
        "a\u{200B}b",
        "a\u{200D}b",
        "\u{FEFF}a",
        "a\u{FE0F}",
        "a\u{E0041}",
        "a\u{7f}",
    ] {
        assert!(matches!(title(text), Err(NameError::Unsafe { .. })), "{text:?}");
    }
    assert_eq!(title(&"x".repeat(129)), Err(NameError::TooLong { limit: 128 }));
    assert_eq!("x".repeat(65).parse::<DeviceName>(), Err(NameError::TooLong { limit: 64 }));
}

#[test]
fn a_name_on_the_wire_is_prepared_already() {
    assert_eq!(Username::from_prepared("Alice"), Err(NameError::NotPrepared));
    assert!(Username::from_prepared("alice").is_ok());
    assert_eq!(GroupTitle::from_prepared("a  b"), Err(NameError::NotPrepared));
}

proptest! {
    #[test]
    fn any_text_is_a_stable_name_or_refused(text in "\\PC{0,40}|.{0,40}") {
        if let Ok(name) = text.parse::<Username>() {
            prop_assert_eq!(name.as_str().parse::<Username>(), Ok(name.clone()));
            prop_assert!(name.as_str().len() <= limits::USERNAME);
            prop_assert!(!name.skeleton().is_empty());
        }
        if let Ok(name) = text.parse::<GroupTitle>() {
            prop_assert_eq!(name.as_str().parse::<GroupTitle>(), Ok(name.clone()));
            prop_assert!(!name.as_str().chars().any(|c| c.is_control() || is_bidi_control(c)));
        }
    }
}

#[test]
fn a_stored_name_is_checked_when_it_is_read() {
    let name = username("علی").unwrap();
    assert_eq!(serde_json::from_str::<Username>(&serde_json::to_string(&name).unwrap()).unwrap(), name);
    assert!(serde_json::from_str::<Username>("\"a b\"").is_err());
}
