//! Looks for a text in all the forms in which it could hide in a file, a log or a capture.

use std::path::{Path, PathBuf};

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// A text that must not be found.
pub struct Needle {
    text: String,
    forms: Vec<Vec<u8>>,
}

impl Needle {
    /// The forms of `text`: UTF-8, UTF-16, hexadecimal, base32 and base64, the latter wherever in a longer text it begins.
    pub fn new(text: &str) -> Self {
        assert!(text.len() >= 12, "too short to be sure: {text}");
        let bytes = text.as_bytes();
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let mut forms = vec![
            bytes.to_vec(),
            utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            HEXLOWER.encode(bytes).into_bytes(),
            HEXUPPER.encode(bytes).into_bytes(),
            json_escaped(text).into_bytes(),
        ];
        // An encoding of groups of bytes looks different for each place within a group where the text can begin; the
        // letters at both ends depend on the neighbours and are left out.
        for before in 0..3 {
            let shifted = [&vec![0; before], bytes].concat();
            for encoded in [BASE64_NOPAD.encode(&shifted), BASE64URL_NOPAD.encode(&shifted)] {
                forms.push(encoded.as_bytes()[(before * 4).div_ceil(3)..shifted.len() * 4 / 3].to_vec());
            }
        }
        for before in 0..5 {
            let shifted = [&vec![0; before], bytes].concat();
            let encoded = BASE32_NOPAD.encode(&shifted);
            let core = encoded.as_bytes()[(before * 8).div_ceil(5)..shifted.len() * 8 / 5].to_vec();
            forms.push(core.to_ascii_lowercase());
            forms.push(core);
        }
        Self { text: text.to_owned(), forms }
    }

    /// Whether it is somewhere in `hay`, in whatever form.
    pub fn is_in(&self, hay: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(hay, form))
    }

    /// It must not be in `hay`.
    #[track_caller]
    pub fn must_not_be_in(&self, hay: &[u8], place: &str) {
        assert!(!self.is_in(hay), "{:?} is in {place}", self.text);
    }
}

fn json_escaped(text: &str) -> String {
    text.encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect()
}

fn contains(hay: &[u8], form: &[u8]) -> bool {
    let Some((first, rest)) = form.split_first() else { return false };
    let mut from = 0;
    while let Some(at) = hay[from..].iter().position(|byte| byte == first) {
        from += at + 1;
        if hay[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// Every file under a folder.
pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder of the story") {
            let entry = entry.expect("an entry of a folder");
            let kind = entry.file_type().expect("a kind of file");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files
}

#[test]
fn a_text_is_found_in_each_of_its_forms_and_nowhere_else() {
    let text = "سلام, the heron stands at noon";
    let needle = Needle::new(text);
    for before in ["", "a", "ab", "abc", "abcd"] {
        let hay = format!("{before}{text}, they say");
        let encodings = [
            hay.clone(),
            HEXLOWER.encode(hay.as_bytes()),
            BASE64_NOPAD.encode(hay.as_bytes()),
            BASE64URL_NOPAD.encode(hay.as_bytes()),
            BASE32_NOPAD.encode(hay.as_bytes()).to_ascii_lowercase(),
            serde_json::to_string(&hay).unwrap(),
        ];
        for encoded in encodings {
            assert!(needle.is_in(encoded.as_bytes()), "{encoded}");
        }
    }
    assert!(!needle.is_in(BASE64_NOPAD.encode(text.to_uppercase().as_bytes()).as_bytes()));
}
