//! Colours. A theme says how each part looks; nothing else in this program names a colour.
//!
//! `terminal` uses the 16 colours that the terminal's own theme gives; `dark` and `light` have colours of their own; `plain`
//! has none, for `NO_COLOR` and terminals without. What a colour says is also said by a word, a sign, or by bold and
//! reversed cells.

use ratatui_core::style::{Color, Modifier, Style};

/// The themes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// The terminal's own colours.
    Terminal,
    /// For dark screens.
    Dark,
    /// For light screens.
    Light,
    /// No colours.
    Plain,
}

/// Something that has a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text,
    /// What matters less: times, hints.
    Dim,
    /// Headings, the prompt.
    Accent,
    /// The line on top.
    Bar,
    /// The row that has the keys.
    Selected,
    /// A chat with unread messages.
    Unread,
    /// A message or chat that names us.
    Mention,
    /// Something went wrong.
    Wrong,
    /// Something to be careful about.
    Careful,
    /// Something is well.
    Good,
    /// Lines between things.
    Border,
    /// An address that can be opened.
    Link,
    /// A word that was searched for.
    Found,
    /// A QR code.
    Code,
    /// Somebody's name; the number comes from it.
    Name(u32),
}

impl Theme {
    /// Their names, as settings and `/theme` say them.
    pub const NAMES: [&str; 4] = ["terminal", "dark", "light", "plain"];

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "terminal" => Some(Self::Terminal),
            "dark" => Some(Self::Dark),
            "light" => Some(Self::Light),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Plain => "plain",
        }
    }

    /// How a part looks.
    pub fn style(self, part: Part) -> Style {
        let style = Style::new();
        if let Part::Code = part {
            // Scanners want dark on light, whatever the theme is.
            return if self == Self::Plain { style } else { style.fg(Color::Indexed(16)).bg(Color::Indexed(231)) };
        }
        match self {
            Self::Plain => plain(part),
            Self::Terminal => terminal(part),
            Self::Dark => of(&DARK, part),
            Self::Light => of(&LIGHT, part),
        }
    }
}

fn plain(part: Part) -> Style {
    let style = Style::new();
    match part {
        Part::Bar | Part::Selected | Part::Found => style.add_modifier(Modifier::REVERSED),
        Part::Dim | Part::Border => style.add_modifier(Modifier::DIM),
        Part::Accent | Part::Unread | Part::Wrong | Part::Careful | Part::Name(_) => style.add_modifier(Modifier::BOLD),
        Part::Mention => style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Part::Link => style.add_modifier(Modifier::UNDERLINED),
        Part::Text | Part::Good | Part::Code => style,
    }
}

/// Names take these of the 16 colours: those that are legible on dark and light ground alike.
const TERMINAL_NAMES: [Color; 6] =
    [Color::Cyan, Color::Green, Color::Magenta, Color::Blue, Color::Yellow, Color::LightRed];

fn terminal(part: Part) -> Style {
    let style = Style::new();
    match part {
        Part::Text | Part::Code => style,
        Part::Dim | Part::Border => style.fg(Color::DarkGray),
        Part::Accent => style.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Part::Bar => style.fg(Color::White).bg(Color::Blue),
        Part::Selected | Part::Found => style.add_modifier(Modifier::REVERSED),
        Part::Unread => style.add_modifier(Modifier::BOLD),
        Part::Mention => style.fg(Color::Magenta).add_modifier(Modifier::BOLD),
        Part::Wrong => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        Part::Careful => style.fg(Color::Yellow),
        Part::Good => style.fg(Color::Green),
        Part::Link => style.fg(Color::Blue).add_modifier(Modifier::UNDERLINED),
        Part::Name(number) => {
            style.fg(TERMINAL_NAMES[number as usize % TERMINAL_NAMES.len()]).add_modifier(Modifier::BOLD)
        }
    }
}

struct Palette {
    ground: Color,
    text: Color,
    dim: Color,
    border: Color,
    accent: Color,
    bar: (Color, Color),
    selected: (Color, Color),
    mention: Color,
    wrong: Color,
    careful: Color,
    good: Color,
    link: Color,
    found: (Color, Color),
    names: [Color; 10],
}

const fn rgb(value: u32) -> Color {
    Color::Rgb((value >> 16) as u8, (value >> 8) as u8, value as u8)
}

const DARK: Palette = Palette {
    ground: rgb(0x16191d),
    text: rgb(0xd8dde3),
    dim: rgb(0x8a94a0),
    border: rgb(0x3a424c),
    accent: rgb(0x7cc4b8),
    bar: (rgb(0xe8ecf0), rgb(0x262c34)),
    selected: (rgb(0xffffff), rgb(0x34505a)),
    mention: rgb(0xe7a6d4),
    wrong: rgb(0xf0857d),
    careful: rgb(0xe6c072),
    good: rgb(0x93c98a),
    link: rgb(0x8ab8f0),
    found: (rgb(0x16191d), rgb(0xe6c072)),
    names: [
        rgb(0x7cc4b8),
        rgb(0xe0a07a),
        rgb(0x93c98a),
        rgb(0xc3a3e8),
        rgb(0xe6c072),
        rgb(0x8ab8f0),
        rgb(0xe78fb0),
        rgb(0xa8c86a),
        rgb(0x74c7dc),
        rgb(0xd6a5a5),
    ],
};

const LIGHT: Palette = Palette {
    ground: rgb(0xfbfaf7),
    text: rgb(0x23282d),
    dim: rgb(0x667078),
    border: rgb(0xc9ccce),
    accent: rgb(0x0f6b5e),
    bar: (rgb(0x1c2126), rgb(0xe4e6e3)),
    selected: (rgb(0x0c1a17), rgb(0xbfe0d8)),
    mention: rgb(0x9a2f7d),
    wrong: rgb(0xb3261e),
    careful: rgb(0x7d5800),
    good: rgb(0x2c6e2f),
    link: rgb(0x1d5fae),
    found: (rgb(0x23282d), rgb(0xffdf8a)),
    names: [
        rgb(0x0f6b5e),
        rgb(0xa04a12),
        rgb(0x2c6e2f),
        rgb(0x6b3fa0),
        rgb(0x7d5800),
        rgb(0x1d5fae),
        rgb(0xa62a5b),
        rgb(0x55680a),
        rgb(0x0b6c86),
        rgb(0x8a3b3b),
    ],
};

fn of(palette: &Palette, part: Part) -> Style {
    let style = Style::new().fg(palette.text).bg(palette.ground);
    match part {
        Part::Text | Part::Code => style,
        Part::Dim => style.fg(palette.dim),
        Part::Border => style.fg(palette.border),
        Part::Accent => style.fg(palette.accent).add_modifier(Modifier::BOLD),
        Part::Bar => style.fg(palette.bar.0).bg(palette.bar.1),
        Part::Selected => style.fg(palette.selected.0).bg(palette.selected.1),
        Part::Unread => style.add_modifier(Modifier::BOLD),
        Part::Mention => style.fg(palette.mention).add_modifier(Modifier::BOLD),
        Part::Wrong => style.fg(palette.wrong).add_modifier(Modifier::BOLD),
        Part::Careful => style.fg(palette.careful),
        Part::Good => style.fg(palette.good),
        Part::Link => style.fg(palette.link).add_modifier(Modifier::UNDERLINED),
        Part::Found => style.fg(palette.found.0).bg(palette.found.1),
        Part::Name(number) => {
            style.fg(palette.names[number as usize % palette.names.len()]).add_modifier(Modifier::BOLD)
        }
    }
}

/// The number of a name's colour: the same everywhere and always (FNV-1a).
pub fn name_number(name: &str) -> u32 {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // The low bits of a short text differ little.
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn themes_are_found_by_their_names() {
        for name in Theme::NAMES {
            assert_eq!(Theme::named(name).unwrap().name(), name);
        }
    }

    #[test]
    fn no_part_of_the_plain_theme_has_a_colour() {
        for part in [Part::Bar, Part::Selected, Part::Wrong, Part::Name(3), Part::Code, Part::Mention] {
            let style = Theme::Plain.style(part);
            assert_eq!((style.fg, style.bg), (None, None), "{part:?}");
        }
    }

    #[test]
    fn a_name_has_one_colour_and_names_differ() {
        assert_eq!(name_number("alice"), name_number("alice"));
        let some: std::collections::BTreeSet<u32> =
            ["alice", "bob", "carol", "dave", "erin", "frank"].iter().map(|name| name_number(name) % 10).collect();
        assert!(some.len() >= 4, "{some:?}");
    }
}
