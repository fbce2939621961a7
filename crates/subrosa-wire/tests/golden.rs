//! The bytes of every frame and statement are frozen: a change that old clients or stored signatures would not survive
//! fails here.
//!
//! `tests/golden/*.txt` has two lines a sample: what it says, as a comment, and `name hex`. After a deliberate change,
//! `UPDATE_GOLDEN=1` writes the files anew; look at the difference before you keep it.

mod samples;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use data_encoding::HEXLOWER;
use samples::{Sample, answers, direct, requests, statements};

const FRAMES: &str = include_str!("../proto/frames.proto");
const DIRECT: &str = include_str!("../proto/direct.proto");
const STATEMENTS: &str = include_str!("../proto/statements.proto");

#[test]
fn every_request_has_its_bytes() {
    compare("client_frames.txt", &requests::all());
}

#[test]
fn every_answer_has_its_bytes() {
    compare("answers.txt", &answers::answers());
}

#[test]
fn every_push_has_its_bytes() {
    compare("server_frames.txt", &answers::pushes());
}

#[test]
fn every_statement_has_its_bytes() {
    compare("statements.txt", &statements::all());
}

#[test]
fn every_frame_and_message_of_a_direct_link_has_its_bytes() {
    compare("direct_frames.txt", &direct::frames());
    compare("direct_messages.txt", &direct::messages());
    compare("direct_hello.txt", &[direct::hello()]);
}

#[test]
fn every_variant_of_the_schema_has_a_sample() {
    assert_eq!(names(&direct::frames()), oneof_fields(DIRECT, "DirectFrame"));
    assert_eq!(names(&direct::messages()), oneof_fields(DIRECT, "DirectMessage"));
    assert_eq!(names(&requests::all()), oneof_fields(FRAMES, "ClientFrame"));
    assert_eq!(names(&answers::answers()), oneof_fields(FRAMES, "Answer"));
    assert_eq!(names(&answers::pushes()), oneof_fields(FRAMES, "ServerFrame"));

    let sampled = names(&statements::all());
    for message in messages(STATEMENTS) {
        let variants = oneof_fields(STATEMENTS, &message);
        // These three are parts of a role log entry and never on their own.
        if ["AccountCreated", "HandOver", "AccountKeyReset"].contains(&message.as_str()) {
            continue;
        }
        if variants.is_empty() {
            assert!(sampled.contains(&message), "no sample of {message}");
        }
        for variant in variants {
            assert!(sampled.contains(&format!("{message}.{variant}")), "no sample of {message}.{variant}");
        }
    }
    let inbox = oneof_fields(FRAMES, "InboxItem");
    assert_eq!(inbox, ["joinable", "removed", "welcome"].map(String::from).into(), "add the new kind to the samples");
}

fn compare(file: &str, samples: &[Sample]) {
    let mut text = String::new();
    for sample in samples {
        let (shown, hex) = (shorten(&sample.shown), HEXLOWER.encode(&sample.bytes));
        writeln!(text, "# {shown}\n{} {hex}", sample.name).expect("a string grows");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(&path).expect("the golden file is there");
    for (golden, now) in golden.lines().zip(text.lines()).filter(|(golden, _)| !golden.starts_with('#')) {
        assert_eq!(golden, now, "{file}: the bytes changed");
    }
    assert_eq!(golden.lines().count(), text.lines().count(), "{file}: samples were added or removed");
}

/// `[7, 7, 7]` becomes `3×07`, so that a comment can be read.
fn shorten(shown: &str) -> String {
    let mut short = String::new();
    let mut rest = shown;
    while let Some((before, list, after)) = byte_list(rest) {
        short.push_str(before);
        let equal = list.windows(2).all(|pair| pair[0] == pair[1]);
        let text =
            if equal && list.len() > 2 { format!("{}×{:02x}", list.len(), list[0]) } else { HEXLOWER.encode(&list) };
        short.push_str(&text);
        rest = after;
    }
    short + rest
}

/// The first list of bytes in the text, with what stands before and behind it.
fn byte_list(text: &str) -> Option<(&str, Vec<u8>, &str)> {
    text.match_indices('[').find_map(|(start, _)| {
        let (inside, after) = text[start + 1..].split_once(']')?;
        let list = inside.split(", ").map(str::parse).collect::<Result<Vec<u8>, _>>().ok()?;
        Some((&text[..start], list, after))
    })
}

fn names(samples: &[Sample]) -> BTreeSet<String> {
    samples.iter().map(|sample| sample.name.to_owned()).collect()
}

/// The names of the messages in a schema.
fn messages(schema: &str) -> Vec<String> {
    let names = schema.lines().filter_map(|line| line.strip_prefix("message "));
    names.filter_map(|rest| rest.split_whitespace().next()).map(str::to_owned).collect()
}

/// The fields in the oneof of a message.
fn oneof_fields(schema: &str, message: &str) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    let mut lines = schema.lines().skip_while(|line| !line.starts_with(&format!("message {message} {{")));
    let inside = lines.by_ref().take_while(|line| !line.starts_with('}'));
    for line in inside.skip_while(|line| !line.trim_start().starts_with("oneof ")).skip(1) {
        if line.trim() == "}" {
            break;
        }
        let field = line.split_once('=').and_then(|(declared, _)| declared.split_whitespace().nth(1));
        fields.extend(field.filter(|_| !line.trim_start().starts_with("//")).map(str::to_owned));
    }
    fields
}
