//! The figures, as a table for people and as JSON for machines.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// One line of the table.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What was measured; stable, for scripts.
    pub name: &'static str,
    /// In which unit.
    pub unit: &'static str,
    /// Of Subrosa.
    pub subrosa: f64,
    /// Of the floor in the same run, where it can do the same.
    pub floor: Option<f64>,
}

impl Figure {
    /// Subrosa's figure as a part of the floor's.
    fn ratio(&self) -> Option<f64> {
        self.floor.filter(|floor| *floor > 0.0).map(|floor| self.subrosa / floor)
    }
}

/// Figures as they come.
#[derive(Debug)]
pub struct Figures {
    /// How the server's store answers `PRAGMA synchronous`.
    pub synchronous: String,
    all: Vec<Figure>,
}

impl Figures {
    /// None yet.
    pub const fn new(synchronous: String) -> Self {
        Self { synchronous, all: Vec::new() }
    }

    /// Adds a figure, and shows it right away: a run takes minutes.
    pub fn add(&mut self, figure: Figure) {
        eprintln!("  {}: {} {}", figure.name, Number(figure.subrosa), figure.unit);
        self.all.push(figure);
    }
}

/// All figures of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this shape.
    v: u32,
    machine: String,
    /// Whether the run was a short one, whose figures are rough.
    quick: bool,
    synchronous: String,
    figures: Vec<Figure>,
}

impl Report {
    /// Of a run on `machine`.
    pub fn new(machine: String, quick: bool, figures: Figures) -> Self {
        Self { v: 1, machine, quick, synchronous: figures.synchronous, figures: figures.all }
    }

    /// Writes the JSON form.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(file, json + "\n").with_context(|| format!("cannot write {}", file.display()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quick = if self.quick { "; a quick run" } else { "" };
        writeln!(f, "{}; synchronous={}{quick}\n", self.machine, self.synchronous)?;
        writeln!(f, "| | | Subrosa | floor | part of the floor |")?;
        writeln!(f, "|---|---|--:|--:|--:|")?;
        for figure in &self.figures {
            let cell = |value: Option<f64>| value.map_or_else(String::new, |value| Number(value).to_string());
            let (subrosa, floor) = (Number(figure.subrosa), cell(figure.floor));
            writeln!(f, "| {} | {} | {subrosa} | {floor} | {} |", figure.name, figure.unit, cell(figure.ratio()))?;
        }
        Ok(())
    }
}

/// A number with as many digits as it deserves.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            large if large >= 10_000.0 => {
                let digits = format!("{large:.0}");
                for (at, digit) in digits.char_indices() {
                    if at > 0 && (digits.len() - at).is_multiple_of(3) {
                        write!(f, ",")?;
                    }
                    write!(f, "{digit}")?;
                }
                Ok(())
            }
            large if large >= 100.0 => write!(f, "{:.0}", self.0),
            middle if middle >= 10.0 => write!(f, "{:.1}", self.0),
            _ => write!(f, "{:.2}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_they_deserve() {
        let shown = [1_234_567.8, 987.6, 12.34, 0.123].map(|number| Number(number).to_string());
        assert_eq!(shown, ["1,234,568", "988", "12.3", "0.12"]);
    }

    #[test]
    fn the_ratio_is_empty_without_a_floor() {
        let figure = |floor| Figure { name: "a", unit: "b", subrosa: 3.0, floor };
        assert_eq!(figure(Some(4.0)).ratio(), Some(0.75));
        assert_eq!(figure(None).ratio(), None);
        assert_eq!(figure(Some(0.0)).ratio(), None);
    }
}
