//! The keys of an [`Editor`]: those of readline and emacs.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::editor::Editor;

impl Editor {
    /// A key that edits. `false` if it does not mean anything here.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char(c) if control && !alt => return self.control(c),
            KeyCode::Char(c) if alt && !control => return self.alt(c),
            KeyCode::Char(c) if !alt && !control => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Left if control || alt => self.go(self.word_left()),
            KeyCode::Right if control || alt => self.go(self.word_right()),
            KeyCode::Left => self.go(self.left()),
            KeyCode::Right => self.go(self.right()),
            KeyCode::Home => self.go(self.line_start()),
            KeyCode::End => self.go(self.line_end()),
            KeyCode::Backspace if alt => self.kill(self.word_left(), self.cursor()),
            KeyCode::Backspace => self.delete(self.left(), self.cursor()),
            KeyCode::Delete => self.delete(self.cursor(), self.right()),
            _ => return false,
        }
        true
    }

    fn control(&mut self, c: char) -> bool {
        match c {
            'a' => self.go(self.line_start()),
            'e' => self.go(self.line_end()),
            'b' => self.go(self.left()),
            'f' => self.go(self.right()),
            'd' if self.is_empty() => return false,
            'd' => self.delete(self.cursor(), self.right()),
            'h' => self.delete(self.left(), self.cursor()),
            'k' if self.has_rest_of_line() => self.kill(self.cursor(), self.line_end()),
            'u' => self.kill(self.line_start(), self.cursor()),
            'w' => self.kill(self.blank_left(), self.cursor()),
            'y' => self.yank(),
            _ => return false,
        }
        true
    }

    fn alt(&mut self, c: char) -> bool {
        match c {
            'b' => self.go(self.word_left()),
            'f' => self.go(self.word_right()),
            'd' => self.kill(self.cursor(), self.word_right()),
            _ => return false,
        }
        true
    }

    /// Up: a line up, or at the first one the text that was entered before.
    pub fn up(&mut self) {
        if !self.vertical(true) {
            self.recall(true);
        }
    }

    /// Down: a line down, or at the last one the text that was entered after.
    pub fn down(&mut self) {
        if !self.vertical(false) {
            self.recall(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(editor: &mut Editor, code: KeyCode, modifiers: KeyModifiers) {
        editor.press(KeyEvent::new(code, modifiers));
    }

    fn control(editor: &mut Editor, keys: &str) {
        keys.chars().for_each(|c| press(editor, KeyCode::Char(c), KeyModifiers::CONTROL));
    }

    fn alt(editor: &mut Editor, keys: &str) {
        keys.chars().for_each(|c| press(editor, KeyCode::Char(c), KeyModifiers::ALT));
    }

    #[test]
    fn words_and_lines_are_killed_and_yanked() {
        let mut editor = Editor::with("one two-three four");
        control(&mut editor, "w");
        assert_eq!(editor.text(), "one two-three ");
        alt(&mut editor, "b");
        alt(&mut editor, "d");
        assert_eq!(editor.text(), "one two- ");
        control(&mut editor, "y");
        assert_eq!(editor.text(), "one two-three ");
        control(&mut editor, "a");
        control(&mut editor, "k");
        assert_eq!(editor.text(), "");
        control(&mut editor, "yu");
        assert_eq!(editor.text(), "");
        control(&mut editor, "y");
        assert_eq!(editor.text(), "one two-three ");
    }

    #[test]
    fn the_cursor_is_between_characters_as_people_see_them() {
        let mut editor = Editor::default();
        for c in "a👩‍👩‍👧é".chars() {
            press(&mut editor, KeyCode::Char(c), KeyModifiers::NONE);
        }
        press(&mut editor, KeyCode::Left, KeyModifiers::NONE);
        press(&mut editor, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(editor.text(), "aé");
        let mut editor = Editor::with("xe");
        editor.insert("\u{301}");
        press(&mut editor, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(editor.text(), "x");
    }

    #[test]
    fn arrows_move_between_lines_and_then_through_what_was_entered() {
        let mut editor = Editor::with("first");
        assert_eq!(editor.enter(), "first");
        editor.insert("ab\ncdef");
        editor.up();
        editor.insert("X");
        assert_eq!(editor.text(), "abX\ncdef");
        editor.up();
        assert_eq!(editor.text(), "first");
        editor.down();
        assert_eq!(editor.text(), "abX\ncdef");
    }

    #[test]
    fn a_text_lies_in_its_box_with_the_cursor_where_it_is() {
        let mut editor = Editor::with("abcdef\nسلام\n");
        let laid = editor.lay(5);
        assert_eq!(laid.lines, ["abcd", "ef", "سلام", ""]);
        assert_eq!((laid.line, laid.column), (3, 0));
        press(&mut editor, KeyCode::Left, KeyModifiers::NONE);
        assert_eq!((editor.lay(5).line, editor.lay(5).column), (2, 4));
        assert!(!Editor::with("a\u{1b}[2J").lay(20).lines[0].contains('\u{1b}'));
    }
}
