//! Names of files, chosen by the other side, made safe: one component, nothing that a system or a shell treats specially.
//!
//! Invariant: the result is 1 to [`NAME`] bytes of visible text without `/` and `\`, does not begin with a dot or a dash
//! and is no name of a device on any system.

use subrosa_types::text::single_line;

/// Longest safe name, in bytes: room for a number and `.part` below what file systems take (255).
pub const NAME: usize = 180;
/// Longest name in an offer, in bytes.
pub const OFFERED: usize = 1024;

/// Names of devices on Windows, whatever extension follows.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// A safe name that is as near to `offered` as can be.
pub fn safe(offered: &str) -> String {
    // Of a path, the last component.
    let last = offered.rsplit(['/', '\\']).next().unwrap_or("");
    let shown = single_line(last);
    let allowed = |c: char| match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' | '↵' | char::REPLACEMENT_CHARACTER => '_',
        // Pictures of control characters, which `single_line` made.
        '\u{2400}'..='\u{2426}' => '_',
        c => c,
    };
    let name: String = shown.chars().map(allowed).collect();
    let name = name.trim_start_matches(['.', '-', ' ', '~']).trim_end_matches(['.', ' ']);
    let name = if name.is_empty() { "file" } else { name };
    let name = if is_device(name) { format!("_{name}") } else { name.to_owned() };
    shorten(&name, NAME)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    let numbered = |word: &str| {
        stem.strip_prefix(word)
            .is_some_and(|rest| rest.chars().count() == 1 && rest.chars().all(|c| "0123456789¹²³".contains(c)))
    };
    DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

/// Cuts the stem and keeps a short extension.
fn shorten(name: &str, room: usize) -> String {
    if name.len() <= room {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 && !extension.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let mut end = room - extension.len();
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", stem[..end].trim_end_matches(['.', ' ']))
}

/// The `attempt`-th name to try when the one before is taken: `name (1).ext`.
pub fn numbered(name: &str, attempt: u32) -> String {
    match (attempt, name.rsplit_once('.')) {
        (0, _) => name.to_owned(),
        (_, Some((stem, extension))) if !stem.is_empty() => format!("{stem} ({attempt}).{extension}"),
        _ => format!("{name} ({attempt})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["photo.jpg", "عکس خانواده.jpg", "a b c", "notes", "archive.tar.gz", "naïve.txt", "comet.txt"]
        {
            assert_eq!(safe(name), name);
        }
    }

    #[test]
    fn hostile_names_become_harmless() {
        for (offered, expected) in [
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("/etc/passwd", "passwd"),
            (r"C:\Windows\system32\evil.dll", "evil.dll"),
            ("..", "file"),
            ("", "file"),
            ("///", "file"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            ("~root", "root"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("LPT1", "_LPT1"),
            ("name. . .", "name"),
            ("a:b*c?d", "a_b_c_d"),
            ("tab\there", "tab    here"),
            ("new\nline", "new_line"),
            ("bell\u{7}\u{1b}[2J", "bell__[2J"),
            ("nul\0byte", "nul_byte"),
            // Right-to-left override: shows as "photogpj.exe" reversed to end in jpg.
            ("photo\u{202E}gpj.exe", "photo_gpj.exe"),
            ("zero\u{200B}width\u{FEFF}", "zerowidth"),
        ] {
            assert_eq!(safe(offered), expected, "{offered:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_its_extension() {
        let name = safe(&format!("{}.jpeg", "ß".repeat(600)));
        assert!(name.len() <= NAME && name.ends_with("ß.jpeg"), "{name}");
        assert!(safe(&format!("a.{}", "x".repeat(600))).len() <= NAME);
    }

    #[test]
    fn a_taken_name_gets_a_number_before_its_extension() {
        assert_eq!(numbered("a.txt", 0), "a.txt");
        assert_eq!(numbered("a.txt", 2), "a (2).txt");
        assert_eq!(numbered("notes", 1), "notes (1)");
    }
}
